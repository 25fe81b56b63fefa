//! What `--cluster` and `--site` mean.

use super::*;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn names_patterns_labels_and_saved_selections() {
    let saved = BTreeMap::from([("gold".to_owned(), texts(&["berlin/*,tier=gold", "oslo/*"]))]);
    let of = |terms: &[&str], sites: &[&str]| meant(&texts(terms), &texts(sites), &saved);
    assert_eq!(of(&[], &[]).unwrap(), Meant::One(String::new()));
    assert_eq!(of(&["berlin/c1"], &[]).unwrap(), Meant::One("berlin/c1".to_owned()));
    let selection = |terms: &[&str], sites: &[&str]| {
        Meant::Several(wire::Selection {
            terms: texts(terms),
            sites: texts(sites),
        })
    };
    assert_eq!(of(&["c*"], &[]).unwrap(), selection(&["c*"], &[]));
    assert_eq!(of(&["c1", "c2"], &[]).unwrap(), selection(&["c1", "c2"], &[]));
    assert_eq!(of(&["c1"], &["berlin"]).unwrap(), selection(&["c1"], &["berlin"]));
    assert_eq!(of(&["country=de"], &[]).unwrap(), selection(&["country=de"], &[]));
    assert_eq!(
        of(&["@gold", "x*"], &[]).unwrap(),
        selection(&["berlin/*,tier=gold", "oslo/*", "x*"], &[])
    );
    let unknown = of(&["@silver"], &[]).unwrap_err().to_string();
    assert!(unknown.contains("silver") && unknown.contains("gold"), "{unknown}");
}
