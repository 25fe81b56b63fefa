//! Pages have everything once, in the order in which one answer has it.

use super::*;
use crate::fleet::played::{Fleet as Played, Plays};
use crate::fleet::selections::Selections;

async fn fleet() -> (Fleet, Played) {
    let mut played = Played::new().await;
    for site in ["berlin", "oslo", "rome"] {
        played.join(site, vec![("c1", Plays::Hangs), ("c2", Plays::Hangs)]);
    }
    for (number, state) in [(1, "ok"), (2, "degraded"), (3, "critical")] {
        for site in ["berlin", "oslo"] {
            played.tell(site, "c1", number, state);
        }
    }
    played.leave("rome");
    let selections = Selections::open(played.store.path()).unwrap();
    let (sites, asker, tasks) = (played.sites.clone(), played.asker.clone(), played.tasks.clone());
    (Fleet::new(sites, selections, asker, 1, tasks), played)
}

fn request(page_size: i32, page_token: String) -> wire::GetFleetHealthRequest {
    wire::GetFleetHealthRequest {
        clusters: true,
        changes_nanos: 3_600_000_000_000,
        page_size,
        page_token,
        ..wire::GetFleetHealthRequest::default()
    }
}

fn names(response: &wire::GetFleetHealthResponse) -> Vec<String> {
    let entries = response
        .entries
        .iter()
        .map(|entry| format!("{} {}/{}", entry.level, entry.site, entry.cluster));
    let changes = response
        .changes
        .iter()
        .map(|change| format!("change {}", change.number));
    entries.chain(changes).collect()
}

#[tokio::test]
async fn pages_have_what_one_answer_has() {
    let (fleet, _played) = fleet().await;
    let whole = fleet.health(request(0, String::new())).unwrap();
    assert_eq!(whole.next_page_token, "", "of before there were pages");
    let all = names(&whole);
    assert_eq!(all[0], "fleet /");
    assert_eq!(
        all[1..5],
        ["site berlin/", "site oslo/", "site rome/", "cluster berlin/c1"]
    );
    assert!(!whole.changes.is_empty(), "{all:?}");
    assert_eq!(whole.missing.len(), 1);
    for size in [1, 2, 3, 1000] {
        let (mut found, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = fleet.health(request(size, token)).unwrap();
            assert!(page.entries.len() + page.changes.len() <= size as usize);
            assert_eq!(
                page.missing.len(),
                usize::from(pages == 0),
                "beside the first page alone"
            );
            assert_eq!(page.gaps.is_some(), pages == 0);
            found.extend(names(&page));
            pages += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, all, "{size}");
        assert_eq!(pages, all.len().div_ceil(size as usize));
    }
    for (size, token) in [(5, "2berlin"), (-1, "")] {
        let refused = fleet.health(request(size, token.to_owned())).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    }
}
