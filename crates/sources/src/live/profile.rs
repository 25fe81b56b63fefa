//! How much of a node is read, and what that asks of Windows.

use std::fmt;
use std::str::FromStr;

use fathom_etl::event::{Guid, providers};
use fathom_etl::slow;
use fathom_model::{Op, Tap};

/// How much of a node is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Nothing. The daemon lives and says so.
    Off,
    /// What Windows itself keeps of slow I/O in its event log: no trace session.
    SlowOnly,
    /// Writes, flushes and unmaps of all disks, and the legs of the storage bus.
    Writes,
    /// Reads too, and the taps of guests, virtual disk files, the cluster's file system and its redirected writes.
    Full,
}

impl Profile {
    /// All of them, from the least.
    pub const ALL: [Self; 4] = [Self::Off, Self::SlowOnly, Self::Writes, Self::Full];

    /// The one spelling used in configuration, commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::SlowOnly => "slow-only",
            Self::Writes => "writes",
            Self::Full => "full",
        }
    }

    /// What it asks of Windows.
    #[must_use]
    pub fn plan(self) -> Plan {
        let (kernel_flags, wanted): (u32, &[&Enable]) = match self {
            Self::Off | Self::SlowOnly => (0, &[]),
            Self::Writes => (DISK_IO, &[&CLUSPORT]),
            Self::Full => (DISK_IO, &[&CLUSPORT, &SPACES, &VSP, &VHDMP, &CSVFS, &SMB_SERVER]),
        };
        Plan {
            kernel_flags,
            providers: wanted.iter().map(|&enable| enable.clone()).collect(),
            channels: if self == Self::SlowOnly { slow::CHANNELS } else { &[] },
        }
    }

    /// Whether an operation is kept.
    #[must_use]
    pub const fn keeps(self, op: Op) -> bool {
        match self {
            Self::Off => false,
            Self::Writes => !matches!(op, Op::Read),
            Self::SlowOnly | Self::Full => true,
        }
    }

    /// The taps that it gives, each with how finely it tells time, on a clock of this resolution.
    #[must_use]
    pub fn taps(self, resolution_nanos: u64) -> Vec<(Tap, u64)> {
        let taps: &[Tap] = match self {
            Self::Off => &[],
            Self::SlowOnly => &[Tap::Guest, Tap::Vhdx, Tap::Refs, Tap::Device],
            Self::Writes => &[Tap::Volume, Tap::Initiator, Tap::Device],
            Self::Full => &[
                Tap::Guest,
                Tap::Vhdx,
                Tap::Csv,
                Tap::Volume,
                Tap::Initiator,
                Tap::Device,
            ],
        };
        let resolution = |tap: Tap| match (self, tap) {
            // Windows keeps slow I/O in milliseconds.
            (Self::SlowOnly, _) => 1_000_000,
            // The times of a guest's requests are told in microseconds.
            (_, Tap::Guest) => resolution_nanos.max(1_000),
            _ => resolution_nanos,
        };
        taps.iter().map(|&tap| (tap, resolution(tap).max(1))).collect()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a profile (known: off, slow-only, writes, full)"))
    }
}

/// The kernel's flag for completed disk I/O (`EVENT_TRACE_FLAG_DISK_IO`).
pub const DISK_IO: u32 = 0x100;

/// What a profile asks of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Flags of the kernel's own events; 0: no trace session is needed for them.
    pub kernel_flags: u32,
    /// Providers to enable in the same session.
    pub providers: Vec<Enable>,
    /// Channels of the event log to follow: name, provider, ids.
    pub channels: &'static [(&'static str, &'static str, &'static [u16])],
}

impl Plan {
    /// Whether it needs a trace session.
    #[must_use]
    pub fn needs_session(&self) -> bool {
        self.kernel_flags != 0 || !self.providers.is_empty()
    }
}

/// A provider to enable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enable {
    /// The provider.
    pub provider: Guid,
    /// The most verbose level that is wanted.
    pub level: u8,
    /// Events with any of these keywords; 0: with any or none.
    pub keywords: u64,
    /// Only these events: the provider does not log others into the session.
    pub ids: &'static [u16],
}

/// `TRACE_LEVEL_VERBOSE`: per-I/O events are of it, or of a lower one.
const VERBOSE: u8 = 5;

const CLUSPORT: Enable = Enable {
    provider: providers::CLUSPORT,
    level: VERBOSE,
    // Its keywords are not public.
    keywords: 0,
    ids: &[512, 1536],
};
const SPACES: Enable = Enable {
    provider: providers::SPACES,
    level: VERBOSE,
    keywords: 0x1,
    ids: &[2600],
};
const VSP: Enable = Enable {
    provider: providers::STORAGE_VSP,
    level: VERBOSE,
    keywords: 0x1,
    ids: &[1001],
};
const VHDMP: Enable = Enable {
    provider: providers::VHDMP,
    level: VERBOSE,
    keywords: 0x2,
    ids: &[1001, 1002],
};
const CSVFS: Enable = Enable {
    provider: providers::CSVFS,
    level: VERBOSE,
    keywords: 0,
    ids: &[12320, 12336],
};
const SMB_SERVER: Enable = Enable {
    provider: providers::SMB_SERVER,
    level: VERBOSE,
    // Request and Response.
    keywords: 0x3,
    ids: &[12, 112],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_asks_for_more_than_the_one_before() {
        assert!(!Profile::Off.plan().needs_session() && Profile::Off.plan().channels.is_empty());
        assert!(!Profile::SlowOnly.plan().needs_session() && !Profile::SlowOnly.plan().channels.is_empty());
        let (writes, full) = (Profile::Writes.plan(), Profile::Full.plan());
        assert_eq!(writes.kernel_flags, 0x100);
        assert!(writes.providers.iter().all(|enable| full.providers.contains(enable)));
        assert!(full.providers.len() > writes.providers.len());
        assert!(!Profile::Writes.keeps(Op::Read) && Profile::Writes.keeps(Op::Flush) && Profile::Full.keeps(Op::Read));
    }

    #[test]
    fn every_event_that_is_asked_for_is_decoded() {
        for enable in Profile::Full.plan().providers {
            for &id in enable.ids {
                let known = fathom_etl::manifest::KNOWN.iter();
                assert!(
                    known
                        .clone()
                        .any(|known| (known.provider, known.id) == (enable.provider, id)),
                    "{id}"
                );
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for profile in Profile::ALL {
            assert_eq!(profile.as_str().parse(), Ok(profile));
        }
        assert!("on".parse::<Profile>().expect_err("unknown").contains("slow-only"));
    }
}
