//! Patterns mean what shells let them mean, and lists within a selection are alternatives, labels conditions.

use super::*;

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("c1", "c1", true),
        ("c1", "c10", false),
        ("c*", "c10", true),
        ("*", "", true),
        ("?", "", false),
        ("c?", "c1", true),
        ("*1*0", "c1-c10", true),
        ("a*b*c", "aXbXbX", false),
        ("ber*/c?", "berlin/c7", true),
        ("*a", "ba", true),
        ("ü?", "üx", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn selections() {
    let labels = |of: &[(&str, &str)]| -> BTreeMap<String, String> {
        of.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let (site, cluster) = (
        labels(&[("country", "de"), ("tier", "gold")]),
        labels(&[("tier", "silver")]),
    );
    let has = |clusters: &[&str], sites: &[&str], wanted: &[&str]| {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let selection = wire::Selection {
            clusters: texts(clusters),
            sites: texts(sites),
            labels: texts(wanted),
        };
        Selection::from_wire(Some(selection))
            .unwrap()
            .has("berlin", "c1", &site, &cluster)
    };
    assert!(has(&[], &[], &[]));
    assert!(has(&["c2", "c1"], &["ber*"], &["country=d?", "tier=silver"]));
    assert!(has(&["berlin/*"], &[], &[]));
    assert!(!has(&["c2"], &[], &[]));
    assert!(!has(&[], &["munich"], &[]));
    assert!(
        !has(&[], &[], &["tier=gold"]),
        "a cluster's own label goes before its site's"
    );
    assert!(!has(&[], &[], &["country=de", "room=7"]));
    let odd = wire::Selection {
        labels: vec!["de".to_owned()],
        ..wire::Selection::default()
    };
    assert!(
        Selection::from_wire(Some(odd))
            .unwrap_err()
            .message()
            .contains("KEY=VALUE")
    );
}
