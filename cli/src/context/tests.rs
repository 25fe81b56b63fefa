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

#[test]
fn default_cluster_is_overridden_by_whoever_says_which_he_means() {
    let file = ContextFile {
        cluster: Some("of-file".to_owned()),
        ..ContextFile::default()
    };
    let under = |cluster: &str| file.clone().under(Some(cluster.to_owned()));
    assert_eq!(under("").cluster.as_deref(), Some("of-file"));
    let file = under("of-environment");
    let meant = |connection: Connection| connection.meant_by(&file).unwrap();
    let one = |name: &str| Meant::One(name.to_owned());
    assert_eq!(meant(Connection::default()), one("of-environment"));
    assert_eq!(
        meant(Connection {
            cluster: texts(&["c1"]),
            ..Connection::default()
        }),
        one("c1")
    );
    assert_eq!(
        meant(Connection {
            all_clusters: true,
            ..Connection::default()
        }),
        Meant::Several(wire::Selection::default())
    );
    assert_eq!(
        meant(Connection {
            site: texts(&["berlin"]),
            ..Connection::default()
        }),
        Meant::Several(wire::Selection {
            sites: texts(&["berlin"]),
            ..wire::Selection::default()
        })
    );
}

#[test]
fn selection_that_is_not_there_says_that_there_is_none() {
    let error = meant(&texts(&["@gold"]), &[], &BTreeMap::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("known: none"), "{error}");
}
