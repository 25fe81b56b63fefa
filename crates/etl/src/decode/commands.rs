//! Commands of the kernel, of SCSI and of NVMe: what they do, and with which blocks.

use fathom_model::Op;

use crate::layout::Value;

/// Whether the text of `CommandType` says that a command went to the administrator's queue.
pub(super) fn is_admin(text: Value<'_>) -> bool {
    text.text().to_ascii_lowercase().contains("admin")
}

/// A major function of an IRP (`wdm.h`): read 3, write 4, flush 9.
pub(super) const fn major_op(major: u64) -> Option<Op> {
    match major {
        3 => Some(Op::Read),
        4 => Some(Op::Write),
        9 => Some(Op::Flush),
        _ => None,
    }
}

/// The operation of a SCSI command (SBC-4).
pub(crate) const fn scsi_op(code: u8) -> Option<Op> {
    match code {
        0x08 | 0x28 | 0xa8 | 0x88 => Some(Op::Read),
        0x0a | 0x2a | 0xaa | 0x8a | 0x2e | 0xae | 0x8e => Some(Op::Write),
        0x35 | 0x91 => Some(Op::Flush),
        0x42 => Some(Op::Unmap),
        _ => None,
    }
}

/// Operation, first block and blocks of a SCSI command block; big-endian, as SBC-4 has them.
pub(super) fn cdb_io(cdb: &[u8]) -> Option<(Op, u64, u64)> {
    let code = *cdb.first()?;
    let op = scsi_op(code)?;
    if !matches!(op, Op::Read | Op::Write) {
        return Some((op, 0, 0));
    }
    let big = |from: usize, bytes: usize| {
        let field = cdb.get(from..from + bytes)?;
        Some(field.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let (block, blocks) = match code {
        // Of six bytes: 21 bits of the block, and no blocks mean 256.
        0x08 | 0x0a => (big(1, 3)? & 0x1f_ffff, if big(4, 1)? == 0 { 256 } else { big(4, 1)? }),
        0x28 | 0x2a | 0x2e => (big(2, 4)?, big(7, 2)?),
        0xa8 | 0xaa | 0xae => (big(2, 4)?, big(6, 4)?),
        _ => (big(2, 8)?, big(10, 4)?),
    };
    Some((op, block, blocks))
}

/// Operation and blocks of an NVMe command of the NVM set: flush 0, write 1, read 2, dataset management 9; blocks less one are in the
/// lower half of dword 12.
pub(super) fn nvme_op(opcode: u8, dword_12: u32) -> Option<(Op, u64)> {
    let blocks = u64::from(dword_12 & 0xffff) + 1;
    match opcode {
        0x00 => Some((Op::Flush, 0)),
        0x01 => Some((Op::Write, blocks)),
        0x02 => Some((Op::Read, blocks)),
        0x09 => Some((Op::Unmap, 0)),
        _ => None,
    }
}
