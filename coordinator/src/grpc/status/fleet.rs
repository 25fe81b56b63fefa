//! Statuses of `fathom.fleet.v1`, and of questions that cross a fleet.

use std::time::Duration;

use fathom_identity::holder::Holder;
use fathom_proto::FLEET_PROTOCOL;
use tonic::{Code, Status};

use super::{FLEET, OTHER_REQUEST, QUERY, STOPPING, status};

/// The clusters that are named in a message; of more only how many.
const NAMED: usize = 20;

fn named(addresses: &[String]) -> String {
    named_of(addresses, "fathom clusters")
}

/// Some of a list that a command shows.
fn named_of(names: &[String], lists: &str) -> String {
    let some = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 if names.is_empty() => "none".to_owned(),
        0 => some,
        more => format!("{some} and {more} more; `{lists}` lists them"),
    }
}

/// A time as people and programs can read it, in whole seconds.
pub(crate) fn rfc3339(unix_nanos: i64) -> String {
    let seconds = unix_nanos.div_euclid(1_000_000_000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date of the proleptic Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms).
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A question about the fleet that cannot be answered as asked.
pub(crate) fn invalid_of_fleet(message: impl Into<String>) -> Status {
    status(Code::InvalidArgument, FLEET, "INVALID", message)
}

/// Nothing was saved under a name.
pub(crate) fn no_selection(name: &str, known: &[&str]) -> Status {
    let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    let known = named_of(&known, "fathom fleet selections");
    let message = format!("there is no selection `{name}` (known: {known})");
    status(Code::NotFound, FLEET, "NO_SELECTION", message)
}

/// Others have a selection in them that is to be deleted.
pub(crate) fn selection_used(name: &str, having: &[String]) -> Status {
    let having = named_of(having, "fathom fleet selections");
    let message = format!("selection `{name}` stands in others: {having}; save those without it first");
    status(Code::FailedPrecondition, FLEET, "SELECTION_USED", message)
}

/// There are as many selections as there may be.
pub(crate) fn too_many_selections(most: usize) -> Status {
    let message = format!("{most} selections are saved, and that is the most; delete some that nobody needs");
    status(Code::ResourceExhausted, FLEET, "SELECTIONS", message)
}

/// The id of a request was another's.
pub(crate) fn other_request() -> Status {
    invalid_of_fleet(OTHER_REQUEST)
}

/// What was to be kept cannot be written now.
pub(crate) fn not_kept(error: &std::io::Error) -> Status {
    let message = format!("it cannot be kept, and nothing changed: {error}; try again when the store can be written");
    status(Code::Unavailable, FLEET, "NOT_KEPT", message)
}

/// A method that is not asked of several clusters.
pub(crate) fn not_of_several(method: &str) -> Status {
    let message = format!(
        "`{method}` is not asked of several clusters at once: give the path of a method about one cluster that reads and ends by itself, such \
         as /fathom.query.v1.QueryService/GetLatency"
    );
    status(Code::InvalidArgument, FLEET, "METHOD", message)
}

/// One of several clusters has not answered.
pub(crate) fn no_answer_in_time(patience: Duration) -> Status {
    let message = format!("no answer within {patience:?}; give it more time");
    status(Code::DeadlineExceeded, FLEET, "DEADLINE", message)
}

/// The turn of one of several clusters did not come.
pub(crate) fn no_turn_in_time(patience: Duration) -> Status {
    let message = format!("the {patience:?} were over before its turn; give it more time");
    status(Code::DeadlineExceeded, FLEET, "DEADLINE", message)
}

/// The answer of one of several clusters is too large.
pub(crate) fn too_large_of_several(most: usize) -> Status {
    let message =
        format!("the answer has more than the {most} bytes that one of several clusters may answer with; ask for less");
    status(Code::ResourceExhausted, FLEET, "ANSWER_BYTES", message)
}

/// A page's token is not one of an earlier answer.
pub(crate) fn bad_page_token() -> Status {
    invalid_of_fleet("page_token is not one of an earlier answer; leave it out to begin anew")
}

/// The coordinator is stopping, to who watches the fleet.
pub(crate) fn stopping_of_fleet() -> Status {
    status(Code::Unavailable, FLEET, "STOPPING", STOPPING)
}

/// A site is not connected.
pub(crate) fn site_missing(site: &str, since_unix_nanos: i64) -> Status {
    let since = rfc3339(since_unix_nanos);
    let message = format!("site {site} has been missing since {since}: nobody can be asked there until it is back");
    status(Code::Unavailable, FLEET, "SITE_MISSING", message)
}

/// A site's connection broke.
pub(crate) fn cut_off(site: &str) -> Status {
    let message = format!("site {site} was cut off before its answer was whole; ask again");
    status(Code::Unavailable, FLEET, "SITE_CUT_OFF", message)
}

/// A site takes no more questions.
pub(crate) fn site_busy(site: &str) -> Status {
    let message = format!("site {site} answers as many questions as it may, and none ended in time; try again");
    status(Code::ResourceExhausted, FLEET, "SITE_BUSY", message)
}

/// There is no such site.
pub(crate) fn no_site(site: &str) -> Status {
    let message = format!("there is no site `{site}`; `fathom fleet sites` lists them");
    status(Code::NotFound, FLEET, "NO_SITE", message)
}

/// A site that is connected is to be forgotten.
pub(crate) fn site_is_here(site: &str) -> Status {
    let message = format!("site {site} is connected; stop it first, else it is known again at once");
    status(Code::FailedPrecondition, FLEET, "SITE_CONNECTED", message)
}

/// A cluster that is served is to be forgotten.
pub(crate) fn cluster_is_here(site: &str, cluster: &str) -> Status {
    let message = format!("site {site} is connected and serves {cluster}: it would be known again at once");
    status(Code::FailedPrecondition, FLEET, "SITE_CONNECTED", message)
}

/// A site does not serve a cluster any more.
pub(crate) fn cluster_withdrawn(site: &str, cluster: &str, since_unix_nanos: i64) -> Status {
    let since = rfc3339(since_unix_nanos);
    let message = format!(
        "site {site} has not served cluster {cluster} since {since}: did it lose its store? if the cluster is no more, `fathom fleet forget {site}/{cluster}`"
    );
    status(Code::Unavailable, FLEET, "CLUSTER_WITHDRAWN", message)
}

/// Another coordinator of this name is heard.
pub(crate) fn site_twice(site: &str) -> Status {
    let message = format!(
        "site {site} is connected already, and heard: are there two sites of one name? this one may join when the other is not heard any more"
    );
    status(Code::AlreadyExists, FLEET, "SITE_TWICE", message)
}

/// What a site said cannot be.
pub(crate) fn bad_site(message: impl Into<String>) -> Status {
    status(Code::InvalidArgument, FLEET, "MALFORMED", message)
}

/// A site has the name of the fleet coordinator itself.
pub(crate) fn site_is_own(site: &str) -> Status {
    let message =
        format!("`{site}` is the fleet coordinator's own name among sites; give this site another with --site");
    status(Code::AlreadyExists, FLEET, "SITE_NAME", message)
}

/// A site's certificate is another's.
pub(crate) fn not_its_name(site: &str, peer: &Holder) -> Status {
    let message = format!(
        "the certificate is for {peer} and not for a site `{site}`: give one whose common name or DNS name is `{site}` (--fleet-cert and \
         --fleet-key), or join as whom it names (--site)"
    );
    status(Code::PermissionDenied, FLEET, "SITE_CERTIFICATE", message)
}

/// A site speaks another version.
pub(crate) fn fleet_protocol(found: u32) -> Status {
    let message = format!(
        "the site speaks version {found} of the fleet protocol, this coordinator speaks {FLEET_PROTOCOL}: upgrade the older one"
    );
    status(Code::FailedPrecondition, FLEET, "PROTOCOL_VERSION", message)
}

/// There are as many clusters as can be known.
pub(crate) fn too_many_clusters() -> Status {
    let message =
        "this fleet has as many clusters as it can know; forget sites that are gone, or make two fleets of it";
    status(Code::ResourceExhausted, FLEET, "CLUSTERS", message)
}

/// The first message was no Hello.
pub(crate) fn no_site_hello() -> Status {
    bad_site("the first message of a site must be a Hello")
}

/// A message of a later version.
pub(crate) fn unknown_site_message() -> Status {
    let message = "a message that this version does not know: upgrade the fleet coordinator";
    status(Code::Unimplemented, FLEET, "UNKNOWN_MESSAGE", message)
}

/// Another connection of the same site came.
pub(crate) fn replaced_site() -> Status {
    let message = "another connection of this site took over; are there two sites of one name?";
    status(Code::Aborted, FLEET, "REPLACED", message)
}

/// Changes of findings are missing in between.
pub(crate) fn findings_skipped(cluster: &str, has: u64, came: u64) -> Status {
    let message = format!("cluster {cluster}: change {came} of its findings came after change {has}; connect again");
    status(Code::Aborted, FLEET, "FINDINGS_SKIPPED", message)
}

/// Nobody waits for this answer.
pub(crate) fn not_asked(id: u64) -> Status {
    let message = format!("nobody waits for the answer to question {id}");
    status(Code::NotFound, FLEET, "NOT_ASKED", message)
}

/// This coordinator lets nobody join.
pub(crate) fn no_fleet() -> Status {
    let message = "this coordinator is no fleet coordinator; start it with --role fleet, or give the address of one";
    status(Code::FailedPrecondition, FLEET, "NO_FLEET", message)
}

/// Several clusters could be meant.
pub(crate) fn ambiguous_cluster(name: &str, addresses: &[String]) -> Status {
    let known = named(addresses);
    let message = if name.is_empty() {
        format!("which cluster? name one (--cluster); this fleet has {known}")
    } else {
        format!("several sites have a cluster `{name}`: say which, {known}")
    };
    status(Code::InvalidArgument, FLEET, "AMBIGUOUS_CLUSTER", message)
}

/// No site has such a cluster.
pub(crate) fn no_cluster(name: &str, addresses: &[String]) -> Status {
    let message = format!("there is no cluster `{name}` (known: {})", named(addresses));
    status(Code::NotFound, QUERY, "NO_CLUSTER", message)
}

/// A request that cannot be sent on.
pub(crate) fn bad_request(message: impl Into<String>) -> Status {
    status(Code::InvalidArgument, QUERY, "MALFORMED", message)
}

/// The site does not allow it.
pub(crate) fn site_policy(site: &str, method: &str, allows: &str) -> Status {
    let message = format!(
        "site {site} does not let the fleet call {method} (it allows: {allows}); ask there, or let its operator allow more with --fleet-allow"
    );
    status(Code::PermissionDenied, FLEET, "SITE_POLICY", message)
}

/// More rows than the site gives.
pub(crate) fn site_rows(site: &str, most: u64) -> Status {
    let message = format!("the answer has more than the {most} rows that site {site} gives the fleet; ask for less");
    status(Code::ResourceExhausted, FLEET, "SITE_ROWS", message)
}

/// More bytes than the site gives.
pub(crate) fn site_bytes(site: &str, most: u64) -> Status {
    let message = format!("the answer has more than the {most} bytes that site {site} gives the fleet; ask for less");
    status(Code::ResourceExhausted, FLEET, "SITE_BYTES", message)
}

/// It took too long.
pub(crate) fn site_time(site: &str, time: Duration) -> Status {
    let message = format!("site {site} gives a question of the fleet {time:?}, and that was not enough; ask for less");
    status(Code::DeadlineExceeded, FLEET, "SITE_TIME", message)
}

#[cfg(test)]
mod tests;
