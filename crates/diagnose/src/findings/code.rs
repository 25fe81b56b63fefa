//! The codes: what a finding is, as far as the diagnosis can tell. Each has a page in `docs/findings`.

use fathom_model::condition::Sign;
use fathom_model::finding::Finding;

use crate::watch::{self, Named};

mod commands;

/// Fewer than this share of its writes beyond the margin, and it is stalls and not slowness.
const STALLS: f64 = 0.15;

/// From this share on what were stalls is slowness: apart from [`STALLS`], so that a code does not change to and fro.
const SLOW: f64 = 0.25;

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A drive takes longer than its like.
    DiskSlow,
    /// A drive is as its like, but for a few writes that it holds up.
    DiskStalls,
    /// The way between two nodes takes longer than its like.
    LinkSlow,
    /// The way between two nodes is as its like, but for a few writes that it holds up.
    LinkStalls,
    /// A node takes longer than its like on all ways or at its bus target.
    NodeSlow,
    /// All drives of a node take longer than their like.
    NodeDrivesSlow,
    /// A node takes longer than its like with its own writes, outside all copies.
    InitiatorSlow,
    /// Something at or on the way to a node that was not seen takes longer than its like.
    UnknownSlow,
    /// The storage bus goes over TCP though both ends can RDMA.
    LinkTcpFallback,
    /// A storage job begins anew again and again, or stands still.
    JobStuck,
    /// Nodes mark or pause traffic differently.
    QosDrift,
    /// Windows says that a drive is not well.
    DiskUnhealthy,
    /// A drive has used up the writes that it is rated for.
    DiskWear,
    /// Adapters of storage have frames of different sizes.
    MtuMismatch,
    /// Writes wait for what a storage job that runs moves.
    JobCostsWrites,
    /// A port asks others to pause far more often than its equals do.
    LinkPauseStorm,
    /// RDMA connections of a node wait for credits, and copies that go over them take longer.
    LinkCreditStalls,
    /// An adapter counts errors, or connections of the storage bus fail.
    LinkErrors,
    /// A link carries about as much as it takes, and copies that go over it take longer.
    LinkSaturated,
    /// A drive counts errors, more than its like.
    DiskErrors,
    /// I/O of a volume goes by way of another node.
    CsvRedirected,
    /// A node's writes to a volume that it encrypts take longer than its like.
    BitlockerCostsWrites,
    /// Writes wait for copies on drives of a slower medium than their other copies.
    PoolMixedMedia,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 23] = [
        Self::DiskSlow,
        Self::DiskStalls,
        Self::LinkSlow,
        Self::LinkStalls,
        Self::NodeSlow,
        Self::NodeDrivesSlow,
        Self::InitiatorSlow,
        Self::UnknownSlow,
        Self::LinkTcpFallback,
        Self::JobStuck,
        Self::QosDrift,
        Self::DiskUnhealthy,
        Self::DiskWear,
        Self::MtuMismatch,
        Self::JobCostsWrites,
        Self::LinkPauseStorm,
        Self::LinkCreditStalls,
        Self::LinkErrors,
        Self::LinkSaturated,
        Self::DiskErrors,
        Self::CsvRedirected,
        Self::BitlockerCostsWrites,
        Self::PoolMixedMedia,
    ];

    /// As everything that names it has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskSlow => "DISK_SLOW",
            Self::DiskStalls => "DISK_STALLS",
            Self::LinkSlow => "LINK_SLOW",
            Self::LinkStalls => "LINK_STALLS",
            Self::NodeSlow => "NODE_SLOW",
            Self::NodeDrivesSlow => "NODE_DRIVES_SLOW",
            Self::InitiatorSlow => "INITIATOR_SLOW",
            Self::UnknownSlow => "UNKNOWN_SLOW",
            Self::LinkTcpFallback => "LINK_TCP_FALLBACK",
            Self::JobStuck => "JOB_STUCK",
            Self::QosDrift => "QOS_DRIFT",
            Self::DiskUnhealthy => "DISK_UNHEALTHY",
            Self::DiskWear => "DISK_WEAR",
            Self::MtuMismatch => "MTU_MISMATCH",
            Self::JobCostsWrites => "JOB_COSTS_WRITES",
            Self::LinkPauseStorm => "LINK_PAUSE_STORM",
            Self::LinkCreditStalls => "LINK_CREDIT_STALLS",
            Self::LinkErrors => "LINK_ERRORS",
            Self::LinkSaturated => "LINK_SATURATED",
            Self::DiskErrors => "DISK_ERRORS",
            Self::CsvRedirected => "CSV_REDIRECTED",
            Self::BitlockerCostsWrites => "BITLOCKER_COSTS_WRITES",
            Self::PoolMixedMedia => "POOL_MIXED_MEDIA",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The code of what state shows.
    #[must_use]
    pub const fn of_sign(sign: Sign) -> Self {
        match sign {
            Sign::TcpFallback => Self::LinkTcpFallback,
            Sign::JobStuck => Self::JobStuck,
            Sign::JobRuns => Self::JobCostsWrites,
            Sign::QosDrift => Self::QosDrift,
            Sign::DiskUnhealthy => Self::DiskUnhealthy,
            Sign::DiskWear => Self::DiskWear,
            Sign::MtuMismatch => Self::MtuMismatch,
            Sign::PauseStorm => Self::LinkPauseStorm,
            Sign::CreditStalls => Self::LinkCreditStalls,
            Sign::LinkErrors => Self::LinkErrors,
            Sign::Saturated => Self::LinkSaturated,
            Sign::DiskErrors => Self::DiskErrors,
            Sign::CsvRedirected => Self::CsvRedirected,
            Sign::Encrypted => Self::BitlockerCostsWrites,
            Sign::MixedMedia => Self::PoolMixedMedia,
        }
    }

    /// What state shows it; none of what writes show.
    #[must_use]
    pub fn sign(self) -> Option<Sign> {
        Sign::ALL.into_iter().find(|sign| Self::of_sign(*sign) == self)
    }

    /// What the watch's evidence says, given what was said before.
    pub(super) fn of(found: &watch::Finding, before: Option<Self>) -> Self {
        let share = found.share();
        let rare = match before {
            Some(Self::DiskStalls | Self::LinkStalls) => share < SLOW,
            // What was slow before is slow: its surest margin may be a rarer one later.
            Some(_) => false,
            None => share < STALLS,
        };
        match found.named {
            Named::Disk(_) if rare => Self::DiskStalls,
            Named::Disk(_) => Self::DiskSlow,
            Named::Link(..) if rare => Self::LinkStalls,
            Named::Link(..) => Self::LinkSlow,
            Named::Node(_) if found.is_of_drives() => Self::NodeDrivesSlow,
            Named::Node(_) => Self::NodeSlow,
            Named::Initiator(_) => Self::InitiatorSlow,
            Named::Unknown(_) => Self::UnknownSlow,
        }
    }

    /// Its commands for a finding, with its names; those of what is the cluster's are asked at whoever read it, under the name that it has
    /// there.
    pub(super) fn next(self, finding: &Finding, job: Option<&str>) -> Vec<String> {
        // Within single quotes of PowerShell a quote is doubled and nothing else means anything.
        let quoted = |name: &str| name.replace('\'', "''");
        let disk = finding.disk.as_deref().map(number).map(quoted).unwrap_or_default();
        let reader = finding.observations.first().map(|read| read.node.as_str());
        let node = Some(finding.node.as_str()).filter(|node| !node.is_empty()).or(reader);
        let job = quoted(job.or(finding.resource.as_deref()).unwrap_or_default());
        let resource = quoted(finding.resource.as_deref().unwrap_or_default());
        let (node, peer) = (
            quoted(node.unwrap_or_default()),
            quoted(finding.peer.as_deref().unwrap_or_default()),
        );
        let by_name = finding
            .disk
            .as_deref()
            .is_some_and(|name| number(name).parse::<u32>().is_err());
        let fill = |command: &&str| {
            // What is no number is a drive's own name, and none of the operating system's.
            let command = match by_name {
                true => command.replace(BY_NUMBER, BY_NAME),
                false => (*command).to_owned(),
            };
            // In one pass: a name that has a placeholder in it stays as it is.
            let mut filled = String::new();
            for (at, piece) in command.split('\'').enumerate() {
                if at > 0 {
                    filled.push('\'');
                }
                filled.push_str(match piece {
                    "NODE" => &node,
                    "DISK" => &disk,
                    "PEER" => &peer,
                    "JOB" => &job,
                    "VOLUME" => &resource,
                    other => other,
                });
            }
            filled
        };
        self.commands().iter().map(fill).collect()
    }
}

/// How the commands pick a drive by its number, and how where only its name is known.
const BY_NUMBER: &str = "Get-PhysicalDiskStorageNodeView | Where-Object DiskNumber -eq 'DISK'";
const BY_NAME: &str = "Where-Object { $_.UniqueId, $_.SerialNumber, $_.FriendlyName -contains 'DISK' }";

/// A disk's number, as `DeviceId` of Windows has it: of `disk7` it is 7.
fn number(name: &str) -> &str {
    let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_pick_a_drive_by_its_number_or_by_its_name() {
        assert_eq!(
            (number("disk7"), number("eui.0025385A21B0F001")),
            ("7", "eui.0025385A21B0F001")
        );
        let with = |code: Code| code.commands().iter().filter(|command| command.contains("'DISK'"));
        let all = [Code::DiskSlow, Code::DiskStalls, Code::DiskErrors]
            .into_iter()
            .flat_map(with);
        // Else a name would be put where a number is looked for.
        assert!(all.clone().count() > 0 && all.clone().all(|command| command.contains(BY_NUMBER)));
    }
}
