//! A certificate gives its holder the names in it, and no others.

use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;

use super::*;
use crate::authority::{Authority, Leaf};

fn holder(common_name: &str, dns_names: &[&str]) -> Holder {
    let (now, day) = (
        UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        Duration::from_secs(86_400),
    );
    let authority = Authority::throw_away("test", now, day).unwrap();
    let leaf = Leaf {
        common_name: common_name.to_owned(),
        dns_names: dns_names.iter().map(|&name| name.to_owned()).collect(),
        client: true,
        not_before: now,
        valid: day,
        ..Leaf::default()
    };
    let issued = authority.issue(&leaf).unwrap();
    Holder::of(&CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap())
}

#[test]
fn common_name_and_dns_names_are_the_holders() {
    let holder = holder("berlin", &["coordinator.berlin.example", "oslo"]);
    for name in ["berlin", "coordinator.berlin.example", "oslo"] {
        assert!(holder.is_called(name), "{name} of {holder}");
    }
    for other in ["", "berli", "berlin.example", "Berlin", "test", "coordinator"] {
        assert!(!holder.is_called(other), "{other} of {holder}");
    }
    assert_eq!(holder.to_string(), "berlin, coordinator.berlin.example, oslo");
}

#[test]
fn common_name_may_be_any_text_and_long() {
    let long = "a site with a name of more than a hundred and twenty-seven bytes, which is where the length takes another form, ".repeat(2);
    for name in ["köln", "Site 7 (north)", "a,CN=berlin", &long] {
        let holder = holder(name, &[]);
        assert!(holder.is_called(name), "{holder}");
        assert!(!holder.is_called("berlin"), "{holder}");
    }
}

#[test]
fn wildcard_is_no_name_of_a_site() {
    let holder = holder("user", &["*.example"]);
    assert!(!holder.is_called("berlin.example"), "{holder}");
}

#[test]
fn what_is_no_certificate_names_nobody() {
    for bytes in [&b""[..], b"\x30", b"\x30\x82\x01", b"no certificate at all"] {
        let holder = Holder::of(&CertificateDer::from(bytes));
        assert_eq!(holder, Holder::default());
        assert_eq!(holder.to_string(), "nobody");
        assert!(!holder.is_called(""));
    }
}

#[test]
fn subject_is_read_attribute_by_attribute() {
    let attribute = |oid: &[u8], tag: u8, text: &[u8]| {
        let mut content = vec![OBJECT_IDENTIFIER, oid.len() as u8];
        content.extend(oid);
        content.extend([tag, text.len() as u8]);
        content.extend(text);
        [&[SEQUENCE, content.len() as u8][..], &content].concat()
    };
    let set = |attributes: &[Vec<u8>]| {
        let content = attributes.concat();
        [&[SET, content.len() as u8][..], &content].concat()
    };
    let organisation: &[u8] = &[0x55, 0x04, 0x0a];
    // Two attributes in one set, a text of two bytes a character (BMPString) that is not read, and another common name.
    let subject = [
        set(&[
            attribute(organisation, 0x0c, b"oslo"),
            attribute(COMMON_NAME, 0x13, b"berlin"),
        ]),
        set(&[attribute(COMMON_NAME, 0x1e, b"\0o\0s")]),
        set(&[attribute(COMMON_NAME, 0x0c, b"paris")]),
    ]
    .concat();
    assert_eq!(common_names(&subject), ["berlin", "paris"]);
    // Cut anywhere, it gives no name that is not in it, and does not panic.
    for end in 0..subject.len() {
        let found = common_names(&subject[..end]);
        assert!(
            found.iter().zip(["berlin", "paris"]).all(|(found, name)| found == name),
            "{found:?}"
        );
    }
}
