//! Little-endian values out of bytes that may be too short.

/// Values by their place; `None` where the bytes end before.
pub(crate) trait Bytes {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    fn u16_at(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64_at(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    fn i64_at(&self, at: usize) -> Option<i64> {
        self.array(at).map(i64::from_le_bytes)
    }

    /// A pointer of 4 or 8 bytes.
    fn pointer_at(&self, at: usize, size: usize) -> Option<u64> {
        if size == 4 {
            self.u32_at(at).map(u64::from)
        } else {
            self.u64_at(at)
        }
    }

    /// UTF-16 text of at most `units` units, up to the first zero.
    fn utf16_at(&self, at: usize, units: usize) -> Option<String>;
}

impl Bytes for [u8] {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn utf16_at(&self, at: usize, units: usize) -> Option<String> {
        let field = self.get(at..at.checked_add(units.checked_mul(2)?)?)?;
        let units: Vec<u16> = field
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .take_while(|&unit| unit != 0)
            .collect();
        Some(String::from_utf16_lossy(&units))
    }
}
