//! What is not known of a culprit is not told as if it were.

use fathom_model::report::Culprit;
use serde_json::{Value, json};

use super::verdict;

fn culprit(cost: Value, guessed: Value) -> Culprit {
    serde_json::from_value(json!({
        "kind": "disk", "node": "t1", "disk": "disk0", "peer": null, "confidence": 0.9, "cost_ns": cost, "guessed_ns": guessed,
        "since": "A", "until": "B", "evidence": [],
    }))
    .unwrap()
}

#[test]
fn headline_says_what_of_a_cost_is_a_guess() {
    let says = |cost, guessed| verdict("Culprit", &culprit(json!(cost), json!(guessed)));
    assert_eq!(
        says(22_800_000_000_u64, 0),
        "Culprit: disk t1/disk0, 90 % sure, cost 22.8 s in all (summed over the writes that waited) between A and B\n"
    );
    let some = says(22_800_000_000, 22_700_000_000_u64);
    assert!(
        some.contains("waited), 22.7 s of it a guess, between A and B"),
        "{some}"
    );
    let all = says(22_800_000_000, 22_800_000_000);
    assert!(all.contains("waited), all of it a guess, between A and B"), "{all}");
}

/// `cost 0 ns in all` was said of a link that cost writes seconds, of which nothing had been measured.
#[test]
fn cost_that_is_not_known_is_said_to_be() {
    for unknown in [json!(null), json!(0)] {
        let culprit = culprit(unknown, json!(0));
        let said = verdict("Culprit", &culprit);
        assert_eq!(
            said,
            "Culprit: disk t1/disk0, 90 % sure, what it cost is not known; felt between A and B\n"
        );
        assert_eq!(serde_json::to_value(&culprit).unwrap()["cost_ns"], Value::Null);
    }
    let known = culprit(json!(7), json!(0));
    assert_eq!(serde_json::to_value(&known).unwrap()["cost_ns"], 7);
}
