//! Layouts as text, and payloads of every size.

use proptest::prelude::*;

use super::*;
use crate::build::Payload;

const TEXT: &str =
    "Id:u32 NameLength:u16 Name:unicode[NameLength] Model:ansi Irp:pointer Guid:guid Cdb:bytes[Id] Tail:u8";

fn layout() -> Layout {
    TEXT.parse().expect("a layout")
}

fn payload(pointer: usize) -> Vec<u8> {
    let named = Payload::default().u32(3).u16(2).utf16("ab", 2);
    let mut bytes = named.0;
    bytes.extend(b"NVMe \0");
    bytes.extend(Payload::default().pointer(0xfeed, pointer).0);
    bytes.extend([7; 16]);
    bytes.extend([9, 8, 7]);
    bytes.push(5);
    bytes
}

#[test]
fn layouts_are_written_as_they_are_read() {
    assert_eq!(layout().to_string(), TEXT);
}

#[test]
fn what_is_no_layout_is_refused_with_the_field() {
    for (text, part) in [
        ("", "0 fields"),
        ("Id", "`Id` is no field"),
        ("Id:u24", "`Id:u24`"),
        ("Name:unicode[Length]", "`Length`"),
        ("Cdb:bytes[Length] Length:u32", "`Length`"),
        ("Guid:guid Cdb:bytes[Guid]", "`Guid`"),
        ("Rest:rest Id:u32", "must be last"),
    ] {
        let refused = text.parse::<Layout>().expect_err(text).to_string();
        assert!(refused.contains(part), "{text}: {refused}");
    }
}

#[test]
fn wanted_fields_are_read_with_each_pointer_size() {
    let layout = layout();
    let wanted = ["irp", "Name", "Model", "Cdb", "tail", "NotThere"].map(|name| layout.position(name));
    let plan = Plan::new(&layout, &wanted);
    for pointer in [4, 8] {
        let bytes = payload(usize::from(pointer));
        let [irp, name, model, cdb, tail, absent] = plan.read::<6>(&bytes, pointer).expect("it fits");
        assert_eq!(
            (irp, tail, absent),
            (Value::Number(0xfeed), Value::Number(5), Value::Absent)
        );
        assert_eq!(
            (name.text(), model.text(), cdb),
            ("ab".to_owned(), "NVMe".to_owned(), Value::Bytes(&[9, 8, 7]))
        );
    }
}

#[test]
fn payloads_of_any_other_size_are_not_read() {
    let layout = layout();
    let plan = Plan::new(&layout, &[Some(0)]);
    let whole = payload(8);
    for end in 0..whole.len() {
        assert_eq!(plan.read::<1>(&whole[..end], 8), Err(Misfit), "{end}");
    }
    let mut longer = whole;
    longer.push(0);
    assert_eq!(plan.read::<1>(&longer, 8), Err(Misfit));
}

proptest! {
    #[test]
    fn no_payload_and_no_layout_makes_a_panic(
        text in "([A-C]:(u8|u16|u32|u64|pointer|guid|ansi|unicode|unicode\\[A\\]|bytes\\[B\\]|bytes\\[3\\]|rest) ?){0,6}",
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        pointer in any::<u8>(),
    ) {
        if let Ok(layout) = text.parse::<Layout>() {
            let plan = Plan::new(&layout, &[Some(0), Some(2), None]);
            let _ = plan.read::<2>(&bytes, pointer);
        }
    }
}
