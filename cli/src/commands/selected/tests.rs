//! Names that nothing has.

use super::*;

fn selection(terms: &[&str], sites: &[&str]) -> wire::Selection {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    wire::Selection {
        terms: texts(terms),
        sites: texts(sites),
    }
}

#[test]
fn names_that_nothing_has_are_told_once_and_patterns_are_no_names() {
    let cluster = |site: &str, cluster: &str| wire::ClusterStatus {
        site: site.to_owned(),
        cluster: cluster.to_owned(),
        ..wire::ClusterStatus::default()
    };
    let clusters = [cluster("berlin", "c1"), cluster("oslo", "edge")];
    let site = wire::SiteStatus {
        site: "berlin".to_owned(),
        ..wire::SiteStatus::default()
    };
    let of = |terms: &[&str], sites: &[&str]| {
        let absent = Absent::named(&selection(terms, sites), &clusters, std::slice::from_ref(&site));
        absent.names.iter().map(Name::says).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(of(&["c1", "oslo/edge", "x*", "env=prod", "a,b"], &["ber*"]), none);
    assert_eq!(
        of(&["c1", "oslo/c1", "c9", "c9"], &[]),
        [
            "there is no cluster `oslo/c1` among those that are meant",
            "there is no cluster `c9` among those that are meant"
        ]
    );
    assert_eq!(of(&[], &["berlin", "bern"]), ["there is no site `bern`"]);
    let absent = Absent::named(&selection(&["c9"], &["bern"]), &clusters, &[]);
    assert_eq!(absent.note(), Code::Partial);
    let rows = absent.missing();
    assert_eq!(
        (&rows[0]["site"], &rows[0]["cluster"], &rows[0]["reason"]),
        (&json!("bern"), &Value::Null, &json!("NO_SITE"))
    );
    assert_eq!(
        (&rows[1]["site"], &rows[1]["cluster"], &rows[1]["cause"]),
        (&Value::Null, &json!("c9"), &json!("unknown"))
    );
    assert_eq!(
        absent.unknown()[1],
        json!({"site": null, "cluster": "c9", "reason": "NO_CLUSTER"})
    );
}
