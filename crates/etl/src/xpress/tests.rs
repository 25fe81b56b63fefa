use proptest::prelude::*;

use super::*;

/// The plainest packer there is: it finds matches by looking, and writes every form of length.
fn pack(input: &[u8]) -> Vec<u8> {
    let mut output = vec![0; 4];
    let (mut flags_at, mut flags, mut used) = (0, 0_u32, 0);
    let mut half: Option<usize> = None;
    let mut at = 0;
    while at < input.len() {
        if used == 32 {
            output[flags_at..flags_at + 4].copy_from_slice(&flags.to_le_bytes());
            flags_at = output.len();
            output.extend([0; 4]);
            (flags, used) = (0, 0);
        }
        let best = (1..=at.min(8192))
            .map(|distance| {
                let same = input[at..]
                    .iter()
                    .zip(&input[at - distance..])
                    .take_while(|(a, b)| a == b)
                    .count();
                (same, distance)
            })
            .max_by_key(|&(same, distance)| (same, std::cmp::Reverse(distance)));
        match best {
            Some((same, distance)) if same >= 3 => {
                flags |= 1 << (31 - used);
                let length = same - 3;
                let word = ((distance - 1) as u16) << 3 | length.min(7) as u16;
                output.extend(word.to_le_bytes());
                if length >= 7 {
                    let nibble = (length - 7).min(15) as u8;
                    match half.take() {
                        Some(shared) => output[shared] |= nibble << 4,
                        None => {
                            half = Some(output.len());
                            output.push(nibble);
                        }
                    }
                    if length >= 22 {
                        output.push((length - 22).min(255) as u8);
                        if length - 22 >= 255 {
                            match u16::try_from(length) {
                                Ok(short) => output.extend(short.to_le_bytes()),
                                Err(_) => {
                                    output.extend([0, 0]);
                                    output.extend((length as u32).to_le_bytes());
                                }
                            }
                        }
                    }
                }
                at += same;
            }
            _ => {
                output.push(input[at]);
                at += 1;
            }
        }
        used += 1;
    }
    output[flags_at..flags_at + 4].copy_from_slice(&(flags | (1_u64 << (32 - used)).wrapping_sub(1) as u32).to_le_bytes());
    output
}

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
    let packed = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01];
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
