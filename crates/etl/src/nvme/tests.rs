//! Pages of the specification's layout, made up value by value, and the answers of Windows around them.

use proptest::prelude::*;

use super::*;
use crate::slow::xml::{parse, rendered};

/// A page in which every field has a value of its own.
fn page() -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[0] = 0x05;
    page[1..3].copy_from_slice(&311_u16.to_le_bytes());
    page[3] = 97;
    page[4] = 10;
    page[5] = 104;
    for (number, at) in (32..192).step_by(16).enumerate() {
        page[at..at + 16].copy_from_slice(&(1_000 + number as u128).to_le_bytes());
    }
    page[192..196].copy_from_slice(&7_u32.to_le_bytes());
    page[196..200].copy_from_slice(&2_u32.to_le_bytes());
    page[200..202].copy_from_slice(&315_u16.to_le_bytes());
    page[214..216].copy_from_slice(&309_u16.to_le_bytes());
    page
}

fn expected() -> Health {
    Health {
        critical_warning: 0x05,
        temperature_kelvin: Some(311),
        spare_percent: 97,
        spare_limit_percent: 10,
        used_percent: 104,
        units_read: Some(1_000),
        units_written: Some(1_001),
        read_commands: 1_002,
        write_commands: 1_003,
        busy_minutes: 1_004,
        power_cycles: 1_005,
        power_on_hours: 1_006,
        unsafe_shutdowns: 1_007,
        media_errors: 1_008,
        error_log_entries: 1_009,
        hot_minutes: 7,
        critically_hot_minutes: 2,
        sensors_kelvin: [Some(315), None, None, None, None, None, None, Some(309)],
    }
}

#[test]
fn each_field_is_where_the_specification_has_it() {
    assert_eq!(decode(&page()), Ok(expected()));
}

#[test]
fn what_a_drive_leaves_out_is_none_and_a_count_of_128_bits_is_whole() {
    let mut page = page();
    page[1..3].fill(0);
    page[32..64].fill(0);
    page[160..176].fill(0xff);
    let health = decode(&page).expect("it is a page");
    assert_eq!(
        (health.temperature_kelvin, health.units_read, health.units_written),
        (None, None, None)
    );
    assert_eq!(health.media_errors, u128::MAX);
}

#[test]
fn a_page_of_another_size_or_of_nothing_is_refused() {
    for length in [0, 1, 511, 513, 4096] {
        let mut bytes = page();
        bytes.resize(length, 1);
        assert_eq!(decode(&bytes), Err(NoHealth::Size { found: length }));
    }
    assert_eq!(decode(&[0; PAGE_BYTES]), Err(NoHealth::Empty));
}

/// An answer as Windows gives it: the question's bytes with version, size and page put in.
fn answer(page: &[u8]) -> Vec<u8> {
    let mut answer = health_question();
    answer[0..4].copy_from_slice(&48_u32.to_le_bytes());
    answer[4..8].copy_from_slice(&48_u32.to_le_bytes());
    answer[48..].copy_from_slice(page);
    answer
}

fn with(mut bytes: Vec<u8>, at: usize, number: u32) -> Vec<u8> {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn the_question_is_for_page_2_of_a_drive_and_the_answer_holds_it() {
    let question = health_question();
    let numbers: Vec<u32> = question[..48]
        .chunks_exact(4)
        .map(|four| u32::from_le_bytes(four.try_into().expect("four bytes")))
        .collect();
    assert_eq!(numbers, [50, 0, 3, 2, 2, 0, 40, 512, 0, 0, 0, 0]);
    assert_eq!(question.len(), 560);
    assert_eq!(health_answer(&answer(&page())), Ok(&page()[..]));
    // The size may count the page too.
    assert_eq!(health_answer(&with(answer(&page()), 4, 560)), Ok(&page()[..]));
    // The page may lie further behind.
    let mut further = with(answer(&page()), 24, 44);
    further.splice(48..48, [9; 4]);
    assert_eq!(health_answer(&further), Ok(&page()[..]));
}

#[test]
fn an_answer_that_says_what_it_does_not_have_is_refused() {
    let whole = answer(&page());
    for length in 0..whole.len() {
        let told = health_answer(&whole[..length]);
        let needed = if length < 48 { 48 } else { 560 };
        // Before its header is whole it may already be of another form.
        assert_eq!(told, Err(NoHealth::Short { found: length, needed }), "{length}");
    }
    assert_eq!(
        health_answer(&with(whole.clone(), 0, 40)),
        Err(NoHealth::Form { found: 40 })
    );
    assert_eq!(
        health_answer(&with(whole.clone(), 4, 8)),
        Err(NoHealth::Form { found: 8 })
    );
    assert_eq!(
        health_answer(&with(whole.clone(), 24, 0)),
        Err(NoHealth::Form { found: 0 })
    );
    assert_eq!(
        health_answer(&with(whole.clone(), 28, 0)),
        Err(NoHealth::Size { found: 0 })
    );
    let behind = health_answer(&with(whole, 24, u32::MAX)).expect_err("it points nowhere");
    assert!(matches!(behind, NoHealth::Short { found: 560, .. }), "{behind}");
}

fn device(texts: &[(usize, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    bytes[28..32].copy_from_slice(&BUS_NVME.to_le_bytes());
    for (at, text) in texts {
        let place = bytes.len() as u32;
        bytes[*at..at + 4].copy_from_slice(&place.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[test]
fn a_drive_says_what_it_is_and_what_it_does_not_say_is_none() {
    let told = drive_answer(&device(&[
        (16, "NVMe PE8110 "),
        (20, "2.1.0"),
        (24, " ABC1_0000_0000_0001. "),
    ]));
    assert_eq!(
        told,
        Ok(Drive {
            serial: Some("ABC1_0000_0000_0001.".to_owned()),
            product: Some("NVMe PE8110".to_owned()),
            firmware: Some("2.1.0".to_owned()),
            bus: 17,
        })
    );
    let silent = drive_answer(&device(&[(24, "  ")])).expect("it is an answer");
    assert_eq!((silent.serial, silent.product), (None, None));
    // A text without an end, and places that are none.
    let mut open = device(&[(24, "ABC")]);
    open.pop();
    assert_eq!(drive_answer(&open).map(|drive| drive.serial), Ok(None));
    for place in [1, 35, 4_000, u32::MAX] {
        assert_eq!(
            drive_answer(&with(device(&[]), 24, place)).map(|drive| drive.serial),
            Ok(None)
        );
    }
    assert_eq!(drive_answer(&[0; 35]), Err(NoHealth::Short { found: 35, needed: 36 }));
    assert_eq!(drive_question(), [0; 12]);
}

const STORPORT: &str = "Microsoft-Windows-StorPort";

#[test]
fn an_event_has_its_drive_and_the_page() {
    let digits: String = page().iter().map(|byte| format!("{byte:02X}")).collect();
    let fields = [
        ("ClassDeviceGuid", "{1b2c0c7e-0f9a-4b6f-8d5a-3c2e1f0a9b8c}"),
        ("ProductId", "NVMe A"),
        ("SerialNumber", "S1 "),
        ("FirmwareRevision", "1.0"),
        ("NvmeHealthLogLength", "512"),
        ("NvmeHealthLog", &digits),
    ];
    let told = event(&rendered(STORPORT, EVENT, &fields)).expect("it is told");
    assert_eq!(
        (told.at_unix_nanos, told.drive.serial.as_deref(), &told.health),
        (1_790_046_780_500_000_000, Some("S1"), &expected())
    );
    assert_eq!(
        told.guid.map(|guid| guid.to_string()).as_deref(),
        Some("1b2c0c7e-0f9a-4b6f-8d5a-3c2e1f0a9b8c")
    );
    let why = |provider: &str, id: u16, fields: &[(&str, &str)]| {
        event(&rendered(provider, id, fields)).expect_err("it is not told")
    };
    assert_eq!(why(STORPORT, EVENT, &fields[5..]), NoHealth::NoDrive(512));
    assert!(matches!(why(STORPORT, 510, &fields), NoHealth::Foreign { id: 510, .. }));
    assert!(matches!(why("Other", EVENT, &fields), NoHealth::Foreign { .. }));
    let short = [fields[2], ("NvmeHealthLog", &digits[..1022])];
    assert_eq!(why(STORPORT, EVENT, &short), NoHealth::Size { found: 511 });
    let said = [fields[2], ("NvmeHealthLogLength", "4"), fields[5]];
    assert_eq!(why(STORPORT, EVENT, &said), NoHealth::Length { found: 512, said: 4 });
    for wrong in ["0", "zz", "0x0g", "ü"] {
        assert_eq!(
            why(STORPORT, EVENT, &[fields[2], ("NvmeHealthLog", wrong)]),
            NoHealth::Hex
        );
    }
    assert_eq!(
        why(STORPORT, EVENT, &fields[2..3]),
        NoHealth::Size { found: 0 },
        "an event without a log"
    );
    let timeless = parse(&format!(
        "<Event><System><Provider Name='{STORPORT}'/><EventID>512</EventID></System></Event>"
    ));
    assert_eq!(event(&timeless.expect("an event")), Err(NoHealth::NoTime(512)));
}

proptest! {
    /// Whatever stands in an answer, it is read or refused.
    #[test]
    fn no_answer_breaks_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..700), at in 0_usize..48, number in any::<u32>()) {
        let _ = decode(&bytes);
        let _ = drive_answer(&bytes);
        if let Ok(page) = health_answer(&bytes) {
            prop_assert_eq!(page.len(), PAGE_BYTES);
        }
        let changed = with(answer(&page()), at / 4 * 4, number);
        if let Ok(page) = health_answer(&changed) {
            prop_assert_eq!(page.len(), PAGE_BYTES);
        }
    }
}
