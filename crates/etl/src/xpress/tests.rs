use proptest::prelude::*;

use super::*;
use crate::build::pack;

fn unpacked(input: &[u8], expected: usize) -> Result<Vec<u8>, Broken> {
    let mut output = Vec::new();
    unpack(input, expected, &mut output).map(|()| output)
}

/// MS-XCA, section 3.1: the two examples of plain LZ77.
#[test]
fn examples_of_the_specification_unpack() {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    let packed = [&[0x3f, 0, 0, 0][..], alphabet].concat();
    assert_eq!(unpacked(&packed, 26).as_deref(), Ok(&alphabet[..]));
    let packed = [
        0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01,
    ];
    assert_eq!(unpacked(&packed, 300), Ok(b"abc".repeat(100)));
}

#[test]
fn length_of_four_bytes_unpacks() {
    let long = vec![7_u8; 100_000];
    assert_eq!(unpacked(&pack(&long), long.len()), Ok(long));
}

#[test]
fn match_before_the_begin_is_refused() {
    // One byte, then a match of distance 2.
    let packed = [0xff, 0xff, 0xff, 0x7f, b'a', 0x08, 0x00];
    assert_eq!(unpacked(&packed, 10), Err(Broken::Invalid { at: 5 }));
}

#[test]
fn match_past_the_end_is_refused() {
    let packed = [
        0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01,
    ];
    assert_eq!(unpacked(&packed, 299), Err(Broken::Invalid { at: 7 }));
}

#[test]
fn input_that_ends_early_leaves_what_was_right() {
    let mut output = Vec::new();
    assert_eq!(unpack(&[0, 0, 0, 0, b'a', b'b'], 9, &mut output), Err(Broken::Ended));
    assert_eq!(output, b"ab");
}

#[test]
fn length_that_cannot_be_is_refused() {
    // 0x0005 as the length of two bytes is below what would have needed it.
    let packed = [0xff, 0xff, 0xff, 0x7f, b'a', 0x07, 0x00, 0x0f, 0xff, 0x05, 0x00];
    assert_eq!(unpacked(&packed, 500), Err(Broken::Invalid { at: 5 }));
}

proptest! {
    #[test]
    fn what_is_packed_unpacks(input in prop::collection::vec(0_u8..4, 0..3000)) {
        prop_assert_eq!(unpacked(&pack(&input), input.len()), Ok(input));
    }

    #[test]
    fn any_bytes_end_within_the_bound(input in prop::collection::vec(any::<u8>(), 0..400), expected in 0_usize..5000) {
        let mut output = Vec::new();
        let result = unpack(&input, expected, &mut output);
        prop_assert!(output.len() <= expected);
        prop_assert_eq!(result.is_ok(), output.len() == expected);
    }
}
