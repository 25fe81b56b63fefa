//! Identities survive being printed and read.

use super::*;

#[test]
fn io_id_round_trips_even_when_the_node_name_has_dots() {
    for node in ["i0", "node-1", "n01.corp.example"] {
        let id = IoId {
            node: node.into(),
            incarnation_prefix: 0x00ab_cdef,
            ordinal: 38,
            second: 1_790_046_805,
        };
        assert_eq!(id.to_string().parse::<IoId>(), Ok(id));
    }
}

#[test]
fn io_id_refuses_other_texts() {
    for text in [
        "",
        "i0",
        "i0.1.2",
        "i0.1f3c9a7e.x.3",
        ".1f3c9a7e.1.3",
        "i0.1f3c9a7.1.3",
        "i0.zzzzzzzz.1.3",
    ] {
        assert!(text.parse::<IoId>().is_err(), "{text}");
    }
}

#[test]
fn incarnation_round_trips() {
    let incarnation = Incarnation::from_bytes(*b"0123456789abcdef");
    assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
    assert!("30".parse::<Incarnation>().is_err());
    assert!("zz313233343536373839616263646566".parse::<Incarnation>().is_err());
}

#[test]
fn names_of_clusters_and_nodes_fit_folders_and_lines() {
    for name in ["a", "node-1.corp.example", "Gr\u{fc}n", &"z".repeat(LONGEST_NAME)] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    assert_eq!(check_name(""), Err(NameFault::Empty));
    assert_eq!(check_name(&"z".repeat(81)), Err(NameFault::Long { bytes: 81 }));
    // Bytes count, not characters: it is bytes that a folder's name has.
    assert_eq!(check_name(&"\u{fc}".repeat(41)), Err(NameFault::Long { bytes: 82 }));
    for (name, code) in [("a\nb", 10), ("a\0", 0), ("a\u{9b}31m", 0x9b)] {
        assert_eq!(check_name(name), Err(NameFault::Control { code, at: 1 }));
    }
    assert_eq!(
        check_name("a\nb").unwrap_err().to_string(),
        "has the control character U+000A at byte 1; a name has none"
    );
}
