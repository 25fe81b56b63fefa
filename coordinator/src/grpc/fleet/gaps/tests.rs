//! Names that nothing has.

use super::*;
use crate::fleet::played::{Fleet, Plays};

async fn of(terms: &[&str], sites: &[&str]) -> (Vec<(String, String, String)>, Vec<String>) {
    let mut fleet = Fleet::new().await;
    fleet.join("berlin", vec![("c1", Plays::Hangs)]);
    fleet.join("oslo", vec![("edge", Plays::Hangs)]);
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let selection = wire::Selection {
        terms: texts(terms),
        sites: texts(sites),
    };
    let gaps = fleet.sites.look(|known| gaps(known, &selection));
    let unknown = gaps
        .unknown
        .into_iter()
        .map(|name| (name.site, name.cluster, name.reason));
    (unknown.collect(), gaps.empty_terms)
}

fn name(site: &str, cluster: &str, reason: &str) -> (String, String, String) {
    (site.to_owned(), cluster.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn names_that_nothing_has_are_told_once_and_patterns_are_no_names() {
    assert_eq!(of(&["c1", "oslo/edge"], &[]).await, (vec![], vec![]));
    assert_eq!(
        of(&["c1", "x*", "at=oslo", "at=rome", "c1,at=oslo"], &[]).await,
        (vec![], ["x*", "at=rome", "c1,at=oslo"].map(str::to_owned).to_vec())
    );
    assert_eq!(
        of(&["c1", "oslo/c1", "c9", "c9"], &[]).await.0,
        [name("oslo", "c1", "NO_CLUSTER"), name("", "c9", "NO_CLUSTER")]
    );
    assert_eq!(of(&[], &["berlin", "bern"]).await.0, [name("bern", "", "NO_SITE")]);
    // A cluster of another site is not among those that are meant.
    assert_eq!(of(&["c1", "edge"], &["ber*"]).await.0, [name("", "edge", "NO_CLUSTER")]);
    // Of one thing there is an answer or none.
    assert_eq!(of(&["c9"], &[]).await, (vec![], vec![]));
}
