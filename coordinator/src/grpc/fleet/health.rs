//! `GetFleetHealth`, in pages: entries first, then what changed.

use fathom_proto::fleet::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use tonic::Status;

use super::{Fleet, Selected, gaps, missing, page, withdrawn};
use crate::fleet::sites::Known;
use fathom_rollup::Selection;

/// What stands on a page.
enum Item {
    Entry(wire::FleetEntry),
    Change(wire::FleetChange),
}

impl Fleet {
    pub(super) fn health(&self, request: wire::GetFleetHealthRequest) -> Result<wire::GetFleetHealthResponse, Status> {
        let Selected { selection, terms } = self.selected(request.selection.clone())?;
        let now = SystemClock.now_unix_nanos();
        let (items, mut response) = self.sites.look(|known| {
            let (items, from) = items(known, &selection, &request, now);
            let mut response = wire::GetFleetHealthResponse {
                changes_from_unix_nanos: from,
                damaged_unix_nanos: self.sites.damaged(),
                ..wire::GetFleetHealthResponse::default()
            };
            if request.page_token.is_empty() {
                response.missing = missing(known, &selection);
                response.withdrawn = withdrawn(known, &selection);
                response.gaps = Some(gaps(known, &terms));
            }
            (items, response)
        });
        let size = match request.page_size {
            0 => i32::MAX,
            size => size,
        };
        let (items, next_page_token) = page(items, size, &request.page_token)?;
        for item in items {
            match item {
                Item::Entry(entry) => response.entries.push(entry),
                Item::Change(change) => response.changes.push(change),
            }
        }
        response.next_page_token = next_page_token;
        Ok(response)
    }
}

/// All that the pages have together, under names that sort as they come; and from when on no change is missing.
fn items(
    known: &Known,
    selection: &Selection,
    request: &wire::GetFleetHealthRequest,
    now: i64,
) -> (Vec<(String, Item)>, Option<i64>) {
    let fleet = known.fleet();
    let mut items = vec![(
        "0".to_owned(),
        Item::Entry((&fleet.selected_entry(selection, now)).into()),
    )];
    let sites = fleet.site_entries(selection, now);
    items.extend(
        sites
            .iter()
            .map(|entry| (format!("1{}", entry.site), Item::Entry(entry.into()))),
    );
    if request.clusters {
        let clusters = fleet.cluster_entries(selection, now);
        let clusters = clusters
            .iter()
            .map(|entry| (format!("2{}\0{}", entry.site, entry.cluster), Item::Entry(entry.into())));
        items.extend(clusters);
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let from = match request.changes_nanos {
        0 => None,
        nanos => {
            let (changes, from) = fleet.changes(selection, now.saturating_sub_unsigned(nanos), now);
            let changes = changes
                .iter()
                .map(|change| (format!("3{:020}", change.number), Item::Change(change.into())));
            items.extend(changes);
            from
        }
    };
    (items, from)
}

#[cfg(test)]
mod tests;
