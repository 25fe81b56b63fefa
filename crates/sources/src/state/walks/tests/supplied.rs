//! Of counters of RDMA that a driver does not supply nothing is counted.

use fathom_model::state::Kind;
use fathom_state::counters::{MISSING, RDMA, Readings, SETS};

use super::super::*;
use super::{Fake, object, text};

const ADAPTERS: &str = r"root\StandardCimv2: SELECT * FROM MSFT_NetAdapterRdmaSettingData";

fn counted(name: &str, number: i128) -> Bag {
    let mut bag = object(RDMA, &[("Name", text(name))]);
    for (_, property) in MISSING {
        bag.set(property, Raw::Integer(number));
    }
    bag
}

/// An adapter of which everything is supplied but the bytes that come in and the errors.
fn adapter(description: &str) -> Bag {
    let mut missing = Bag::default();
    for (flag, property) in MISSING {
        let is_missing = matches!(*property, "RDMAInboundBytesPersec" | "RDMAConnectionErrors");
        missing.set(flag, Raw::Bool(is_missing));
    }
    let own = [
        ("Name", text("SMB1")),
        ("InterfaceDescription", text(description)),
        ("RdmaMissingCounterInfo", Raw::Object(missing)),
    ];
    object("MSFT_NetAdapterRdmaSettingData", &own)
}

/// The counters that a reading of the objects has.
fn names(objects: &[Bag]) -> Vec<String> {
    let set = SETS.iter().find(|set| set.class == RDMA).expect("the set");
    let samples = Readings::default().read(set, &"n1".into(), objects, 7);
    assert!(samples.iter().all(|sample| sample.kind == Kind::Adapter));
    samples.into_iter().map(|sample| sample.name).collect()
}

#[test]
fn what_a_driver_does_not_supply_is_no_count_of_zero() {
    let mut asks = Fake::default()
        .with(
            format!("SELECT * FROM {RDMA}"),
            vec![counted("Mellanox ConnectX-5 Adapter _2", 0)],
        )
        .with(ADAPTERS, vec![adapter("Mellanox ConnectX-5 Adapter #2")]);
    let objects = read(&mut asks, RDMA).expect("counters");
    assert_eq!(
        names(&objects.bags),
        [
            "rdma.connections",
            "rdma.completion_queue_errors",
            "rdma.failed_attempts"
        ]
    );
    let note =
        "the driver of Mellanox ConnectX-5 Adapter _2 does not supply RDMAInboundBytesPersec, RDMAConnectionErrors";
    assert_eq!(objects.note.as_deref(), Some(note));
}

#[test]
fn a_zero_of_a_driver_that_does_not_say_what_it_supplies_is_no_count_either() {
    let query = format!("SELECT * FROM {RDMA}");
    let mut asks = Fake::default().with(query.clone(), vec![counted("a", 0), counted("b", 3)]);
    let objects = read(&mut asks, RDMA).expect("counters");
    // What is more than nothing somebody has counted.
    assert_eq!(names(&objects.bags[..1]), Vec::<String>::new());
    assert_eq!(names(&objects.bags[1..]).len(), 4);
    let note = objects.note.expect("it is said");
    assert!(note.contains("the namespace is not there (0x8004100E)"), "{note}");
    let mut asks = Fake::default()
        .with(query, vec![counted("a", 0)])
        .with(ADAPTERS, vec![adapter("another")]);
    let objects = read(&mut asks, RDMA).expect("counters");
    assert_eq!(names(&objects.bags), Vec::<String>::new());
    let note = "whether the driver of a supplies what is 0 is not known";
    assert_eq!(objects.note.as_deref(), Some(note));
}
