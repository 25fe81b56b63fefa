//! Each NVMe drive says how it is, or that it did not answer; what is no such drive is none.

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Observation, Value};
use fathom_state::decode;

use super::*;

type Answer = Result<Vec<u8>, String>;

/// Disks by number: what each says that it is, and how it is.
#[derive(Default)]
struct Fake(BTreeMap<u32, (Answer, Answer)>);

impl Drives for Fake {
    fn ask(&mut self, number: u32, question: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let Some((drive, health)) = self.0.get(&number) else {
            return Ok(None);
        };
        let asked = if question == nvme::drive_question() {
            drive
        } else {
            health
        };
        asked.clone().map(Some)
    }
}

fn device(bus: u32, serial: &str) -> Answer {
    let mut bytes = vec![0; 36];
    bytes[24..28].copy_from_slice(&36_u32.to_le_bytes());
    bytes[28..32].copy_from_slice(&bus.to_le_bytes());
    bytes.extend(serial.as_bytes());
    bytes.push(0);
    Ok(bytes)
}

fn page(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut page = vec![0; nvme::PAGE_BYTES];
    page[1..3].copy_from_slice(&311_u16.to_le_bytes());
    page[3] = 100;
    page[32] = 2;
    change(&mut page);
    page
}

fn answer(page: &[u8]) -> Answer {
    let mut answer = nvme::health_question();
    answer[0..4].copy_from_slice(&48_u32.to_le_bytes());
    answer[4..8].copy_from_slice(&48_u32.to_le_bytes());
    answer[48..].copy_from_slice(page);
    Ok(answer)
}

fn rows(objects: &Objects) -> Vec<Observation> {
    let each = objects.bags.iter();
    each.flat_map(|bag| decode(bag, &"n1".into(), 7).expect("a drive"))
        .collect()
}

#[test]
fn each_nvme_drive_says_how_it_is() {
    let worn = page(|page| {
        page[0] = 0x41;
        page[5] = 104;
        page[160..176].fill(0xff);
        page[201] = 0x01;
    });
    let mut drives = Fake(BTreeMap::from([
        (0, (device(17, "S1"), answer(&worn))),
        (1, (device(10, "SAS"), Err("it is not asked".to_owned()))),
        (300, (device(17, "S2"), answer(&page(|page| page[1..3].fill(0))))),
    ]));
    let objects = read(&mut drives).expect("they answer");
    assert_eq!(objects.note.as_deref(), Some("disks that are not NVMe: 1"));
    let rows = rows(&objects);
    let first = &rows[0];
    assert_eq!(
        (first.kind, first.id.as_str(), first.number("disk_number")),
        (Kind::NvmeHealth, "S1", Some(0))
    );
    let warnings: Vec<String> = first
        .get("critical_warnings")
        .map_or(&[][..], Value::items)
        .iter()
        .map(ToString::to_string)
        .collect();
    // A bit that no specification names stays a number.
    assert_eq!(warnings, ["Spare Below Threshold", "unknown (0x40)"]);
    assert_eq!(
        (
            first.number("temperature_celsius"),
            first.number("used_percent"),
            first.number("read_bytes")
        ),
        (Some(38), Some(104), Some(1_024_000))
    );
    // 256 kelvin are below zero.
    assert_eq!(first.get("sensor_1_celsius"), Some(&Value::Signed(-17)));
    assert_eq!(first.unavailable["media_errors"], "beyond 127 bits");
    assert_eq!(
        first.unavailable["sensor_2_celsius"],
        "0, by which drives say that they do not know"
    );
    let second = &rows[1];
    assert_eq!((second.id.as_str(), second.get("temperature_celsius")), ("S2", None));
    assert_eq!(second.get("critical_warnings"), Some(&Value::List(Vec::new())));
    assert!(second.unavailable.contains_key("written_bytes"), "it counts none");
}

#[test]
fn a_drive_that_does_not_answer_hides_no_other_and_is_unknown() {
    let mut drives = Fake(BTreeMap::from([
        (0, (device(17, "S1"), Err("no answer within 5 s".to_owned()))),
        (1, (device(17, "S2"), answer(&[0; nvme::PAGE_BYTES]))),
        (2, (Err("access denied".to_owned()), Err(String::new()))),
        (3, (Ok(vec![0; 4]), Err(String::new()))),
        (4, (device(17, "S3"), answer(&page(|_| ())))),
    ]));
    let objects = read(&mut drives).expect("one answers");
    assert_eq!(
        objects.note.as_deref(),
        Some(
            "disks that did not say what they are: 2 (disk 2: access denied); drives that did not say how they are: 2 (disk 0: no answer within 5 s)"
        )
    );
    let rows = rows(&objects);
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["S1", "S2", "S3"]);
    for row in &rows[..2] {
        assert_eq!(row.unavailable["available_spare_percent"], "the drive did not answer");
        assert_eq!(row.get("critical_warnings"), None);
    }
    assert_eq!(rows[2].number("available_spare_percent"), Some(100));
    // Disks that say nothing at all are no empty list of drives.
    let mut closed = Fake(BTreeMap::from([(
        0,
        (Err("access denied".to_owned()), Err(String::new())),
    )]));
    assert_eq!(
        read(&mut closed),
        Err("no disk answered: disk 0: access denied".to_owned())
    );
    assert_eq!(read(&mut Fake::default()), Ok(Objects::default()));
}
