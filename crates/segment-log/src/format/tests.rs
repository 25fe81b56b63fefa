use super::*;

/// Version 1, byte by byte; the checksums are from another implementation (Python's zlib).
#[test]
fn version_1_is_laid_out_as_documented() {
    let mut head = Vec::new();
    put_head(&mut head, SegmentId { first: 7, part: 2 }, b"hd");
    let wanted = [
        b"FATHOMSL".as_slice(),
        &[1, 0],
        &[2, 0, 0, 0],
        &[7, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0],
        b"hd",
        &[0x4f, 0x57, 0x55, 0x9a],
    ];
    assert_eq!(head, wanted.concat());
    assert_eq!(head_bytes(b"hd"), head.len() as u64);

    let mut record = Vec::new();
    put_record(&mut record, 5, 7, 3, b"abc");
    let wanted = [
        [16, 0, 0, 0].as_slice(),
        &[0x14, 0x1b, 0x6e, 0xf6],
        &[5],
        &[7, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0],
        b"abc",
    ];
    assert_eq!(record, wanted.concat());
    assert_eq!(record_bytes(b"abc"), record.len() as u64);
}

#[test]
fn impossible_lengths_are_refused_before_anything_is_allocated() {
    for length in [0, 12, u32::MAX, (13 + MAX_PAYLOAD_BYTES as u32) + 1] {
        assert_eq!(
            record_size(&length.to_le_bytes()),
            Err(Damage::Length { found: length })
        );
    }
    assert_eq!(record_size(&13_u32.to_le_bytes()), Ok(RECORD_START));

    let mut head = Vec::new();
    put_head(&mut head, SegmentId::default(), b"");
    head[22..26].fill(0xff);
    assert!(matches!(head_start(&head), Err(Damage::Length { found: u32::MAX })));
}

#[test]
fn sizes_over_the_limit_cannot_be_written() {
    check_size(MAX_PAYLOAD_BYTES).unwrap();
    assert!(matches!(check_size(MAX_PAYLOAD_BYTES + 1), Err(Error::TooLarge { bytes, limit }) if bytes == limit + 1));
}
