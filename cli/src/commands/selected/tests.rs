//! Names that nothing has.

use super::*;

#[test]
fn names_that_nothing_has_are_told_and_make_an_answer_partial() {
    let name = |site: &str, cluster: &str, reason: &str| wire::UnknownName {
        site: site.to_owned(),
        cluster: cluster.to_owned(),
        reason: reason.to_owned(),
    };
    let absent = Absent::of(Some(wire::SelectionGaps {
        unknown: vec![
            name("bern", "", "NO_SITE"),
            name("", "c9", "NO_CLUSTER"),
            name("oslo", "c1", "NO_CLUSTER"),
        ],
        empty_terms: vec!["x*".to_owned()],
    }));
    assert_eq!(absent.note(), Code::Partial);
    let rows = absent.missing();
    assert_eq!(
        (&rows[0]["site"], &rows[0]["cluster"], &rows[0]["reason"]),
        (&json!("bern"), &Value::Null, &json!("NO_SITE"))
    );
    assert_eq!(rows[0]["error"], "there is no site `bern`");
    assert_eq!(
        (&rows[1]["site"], &rows[1]["cluster"], &rows[1]["cause"]),
        (&Value::Null, &json!("c9"), &json!("unknown"))
    );
    assert_eq!(
        rows[2]["error"],
        "there is no cluster `oslo/c1` among those that are meant"
    );
    assert_eq!(
        absent.unknown()[1],
        json!({"site": null, "cluster": "c9", "reason": "NO_CLUSTER"})
    );
    let pattern = Absent::of(Some(wire::SelectionGaps {
        empty_terms: vec!["x*".to_owned()],
        ..wire::SelectionGaps::default()
    }));
    assert_eq!((pattern.note(), Absent::of(None).note()), (Code::Fine, Code::Fine));
}
