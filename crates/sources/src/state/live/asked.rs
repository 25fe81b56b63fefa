//! What is asked, how often, and by which thread.

use std::time::Duration;

use fathom_model::state::{Kind, Scope};
use fathom_state::{counters, schema};

use super::{COUNTERS, EVENT_LOG, Reader};
use crate::state::log::{self, Channel};
use crate::state::walks::Objects;

/// How often each kind is read: what changes within a job or a connection often, what a drive has to be asked for itself seldom.
#[must_use]
pub const fn every(kind: Kind) -> Duration {
    match kind {
        Kind::StorageJob | Kind::JobObject | Kind::SmbConnection => Duration::from_secs(10),
        Kind::Node | Kind::Csv | Kind::SblDevice | Kind::SblPath | Kind::SblTarget => Duration::from_secs(15),
        Kind::DiskReliability | Kind::NvmeHealth | Kind::FileIntegrity => Duration::from_secs(900),
        Kind::Extent => Duration::from_secs(300),
        _ => Duration::from_secs(60),
    }
}

/// What cannot be read is asked for ever more seldom, down to this or to its own rate: an adapter may come, a service may start.
const SELDOM: Duration = Duration::from_secs(600);

/// Channels are asked this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Why what only a cmdlet makes cannot be read.
const BY_A_CMDLET: &str =
    "it is in what PowerShell gives alone, and no class that can be asked: import what the cmdlet gives";

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// Resources.
    Class(&'static schema::Class),
    /// Counters; every node has its own.
    Set(&'static counters::Set),
    /// Events of state; every node has its own.
    Channel(&'static Channel),
}

impl What {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let classes = schema::classes().filter(|class| !class.namespace.is_empty());
        let classes = classes.map(Self::Class);
        classes
            .chain(counters::SETS.iter().map(Self::Set))
            .chain(log::CHANNELS.iter().map(Self::Channel))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Class(class) => class.names[0],
            Self::Set(set) => set.class,
            Self::Channel(channel) => channel.name,
        }
    }

    pub(super) const fn namespace(self) -> &'static str {
        match self {
            Self::Class(class) => class.namespace,
            Self::Set(_) => COUNTERS,
            Self::Channel(_) => EVENT_LOG,
        }
    }

    /// The thread that asks: what goes to each drive or file, or gives out hundreds of thousands of objects, keeps nothing else waiting.
    pub(super) fn lane(self) -> (&'static str, Option<&'static str>) {
        let is_slow = matches!(self, Self::Class(class)
            if matches!(class.kind, Kind::DiskReliability | Kind::Extent | Kind::FileIntegrity));
        (self.namespace(), is_slow.then_some(self.name()))
    }

    pub(super) const fn every(self) -> Duration {
        match self {
            Self::Class(class) => every(class.kind),
            Self::Set(set) => Duration::from_secs(set.every_seconds),
            Self::Channel(_) => LOG_EVERY,
        }
    }

    pub(super) fn is_wanted(self, reporter: bool) -> bool {
        match self {
            Self::Class(class) => class.kind.scope() == Scope::Node || reporter,
            Self::Set(_) | Self::Channel(_) => true,
        }
    }

    /// Asks; it may take for ever.
    pub(super) fn ask(self, reader: &mut impl Reader) -> Result<Got, String> {
        match self {
            Self::Class(class) if class.namespace == schema::CMDLETS => Err(BY_A_CMDLET.to_owned()),
            Self::Class(_) | Self::Set(_) => reader.read(self.name()).map(Got::Objects),
            Self::Channel(channel) => reader.events(channel).map(Got::Events),
        }
    }
}

/// What was asked for.
#[derive(Debug)]
pub(super) enum Got {
    /// Objects of a class.
    Objects(Objects),
    /// Events as XML.
    Events(Vec<String>),
}

/// What a thread tells of what it was given to ask.
pub(super) enum Told {
    /// It asks now.
    Begun(usize),
    /// What was answered.
    Answered(usize, Result<Got, String>),
}

/// How a reading went: how much there was or why nothing, and what is to be noted of it.
pub(super) type Outcome = (Result<u64, String>, Option<String>);

/// One class and when it is read.
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) worker: usize,
    pub(super) due: Duration,
    /// Since when it is in its thread's queue, until it has answered.
    pub(super) queued: Option<Duration>,
    /// Since when it is being asked.
    pub(super) since: Option<Duration>,
    /// Whether it was said that it does not answer.
    pub(super) told: bool,
    /// Of a set of counters what was said of it last, with what there was to note, and when.
    pub(super) said: Option<(Outcome, Duration)>,
    /// Readings one after the other that failed.
    pub(super) failed: u32,
    /// How often it was asked.
    pub(super) round: u64,
}

impl Asked {
    /// The time until it is asked again, of what answers and of what fails again and again.
    pub(super) fn pause(&self) -> Duration {
        let every = self.what.every();
        let longer = every.saturating_mul(1 << self.failed.min(10));
        longer.min(SELDOM.max(every))
    }
}

/// A number that is no other's: of a node's seed, of what is asked, and of the round.
pub(super) const fn mixed(seed: u64, number: u64, round: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95))
        .wrapping_add(round.wrapping_mul(0xA24B_AED4_963E_E407));
    mixed ^= mixed >> 29;
    mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 17
}

/// A tenth shorter or longer at most.
pub(super) fn jittered(pause: Duration, number: u64) -> Duration {
    let tenth = pause.as_millis() as u64 / 10;
    let shorter = pause.saturating_sub(Duration::from_millis(tenth));
    shorter + Duration::from_millis(number % (2 * tenth + 1))
}
