//! Who is asked of many, and what is said of those who were not.

use std::time::{Duration, Instant};

use super::*;

fn cluster(site: &str, cluster: &str) -> wire::ClusterStatus {
    wire::ClusterStatus {
        site: site.to_owned(),
        cluster: cluster.to_owned(),
        address: format!("{site}/{cluster}"),
        heard_unix_nanos: 7,
        ..wire::ClusterStatus::default()
    }
}

/// A command that a site which hangs does not answer before the deadline.
fn ask() -> Result<Code> {
    let cluster = scope::cluster().unwrap_or_default();
    if !cluster.starts_with("hangs/") {
        return Ok(Code::Fine);
    }
    let deadline = scope::deadline().unwrap();
    std::thread::sleep(deadline.at.saturating_duration_since(Instant::now()));
    Err(Error::Deadline {
        patience: deadline.patience,
    })
}

/// Sixteen threads once took clusters in the order of sites: one that hung had all of them until the deadline, nobody else was asked, and all
/// were said to have given no answer.
#[test]
fn site_that_hangs_keeps_nobody_else_from_being_asked() {
    let mut clusters: Vec<_> = (0..24).map(|at| cluster("hangs", &format!("c{at}"))).collect();
    for site in ["oslo", "paris", "rome"] {
        clusters.extend((0..5).map(|at| cluster(site, &format!("c{at}"))));
    }
    let reached: Vec<&wire::ClusterStatus> = clusters.iter().collect();
    let patience = Duration::from_millis(700);
    let said = ask_all(&reached, Deadline::after(patience), &ask).unwrap();
    assert_eq!(said.len(), clusters.len());
    let (mut unanswered, mut unasked) = (0, 0);
    for (cluster, said) in clusters.iter().zip(&said) {
        match &said.result {
            Ok(code) => assert_eq!((*code, cluster.site == "hangs"), (Code::Fine, false)),
            Err(error @ Error::Deadline { .. }) => {
                assert_eq!((cluster.site.as_str(), cause_of_error(error)), ("hangs", "no_answer"));
                assert_eq!(since(cluster, error), Some(7));
                unanswered += 1;
            }
            Err(error @ Error::NotAsked { .. }) => {
                assert_eq!((cluster.site.as_str(), cause_of_error(error)), ("hangs", "not_asked"));
                assert_eq!(
                    since(cluster, error),
                    None,
                    "nobody knows that it would not have answered"
                );
                unasked += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(unanswered + unasked, 24);
    assert!(unanswered >= 4 && unasked > 0, "{unanswered} {unasked}");
}

#[test]
fn sites_take_turns_and_none_has_more_than_its_share() {
    let sites = ["a"; 40].into_iter().chain(["b"; 3]).chain(["c"; 3]);
    let turns = Turns::new(sites);
    assert_eq!(turns.at_once(), 16);
    let mut open: Vec<_> = (0..11).map(|_| turns.next().unwrap()).collect();
    // Of three sites none may have more than five at once; b and c have three each.
    let of_a = |open: &[turns::Turn<'_>]| open.iter().filter(|turn| turn.at < 40).count();
    assert_eq!((open.len(), of_a(&open)), (11, 5));
    assert_eq!(open[..3].iter().map(|turn| turn.at).collect::<Vec<_>>(), [0, 40, 43]);
    // When the others are done, all of it is a's.
    open.retain(|turn| turn.at < 40);
    open.extend((0..11).map(|_| turns.next().unwrap()));
    assert_eq!(of_a(&open), 16);
    // Where there are more sites than are asked at once, each has one.
    let many: Vec<String> = (0..40).map(|at| format!("s{at}")).collect();
    let turns = Turns::new(many.iter().chain(&many).map(String::as_str));
    assert_eq!(turns.at_once(), 40);
    let mut asked: Vec<usize> = Vec::new();
    let open: Vec<_> = (0..40).map(|_| turns.next().unwrap()).collect();
    asked.extend(open.iter().map(|turn| turn.at));
    asked.sort_unstable();
    assert_eq!(asked, (0..40).collect::<Vec<_>>());
}

#[test]
fn what_was_refused_is_told_by_its_reason_and_its_site_was_heard() {
    let answer = |reason: &str| Error::Answer {
        message: "no".to_owned(),
        usage: false,
        absent: false,
        reason: Some(reason.to_owned()),
    };
    let one = cluster("oslo", "c1");
    for reason in ["SITE_POLICY", "SITE_ROWS", "SITE_TIME", "SITE_BUSY", "STARTING"] {
        let error = answer(reason);
        assert_eq!((error.reason(), since(&one, &error)), (Some(reason), None));
    }
    for reason in ["SITE_MISSING", "SITE_CUT_OFF"] {
        let error = answer(reason);
        assert_eq!((error.reason(), since(&one, &error)), (Some(reason), Some(7)));
    }
    let deadline = Error::Deadline {
        patience: Duration::from_secs(1),
    };
    assert_eq!((deadline.reason(), since(&one, &deadline)), (Some("DEADLINE"), Some(7)));
}
