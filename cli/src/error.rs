//! What can go wrong with a command, and its exit code.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Code;

/// `Result` with this crate's [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command failed. Every message names what was wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Standard output cannot be written.
    #[error("cannot write the answer")]
    Output(#[source] io::Error),
    /// A file cannot be read or written.
    #[error("{path}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    /// The context file is not one.
    #[error("{path}: {cause}", path = path.display())]
    Context { path: PathBuf, cause: String },
    /// Nobody said which coordinator to ask.
    #[error("{what} is missing: give --{option}, or a context file with --context (the demo prints one)")]
    NoContext { what: &'static str, option: &'static str },
    /// Several clusters were selected for what is done with one.
    #[error("this is about one cluster: give its name to --cluster, without * ? = @, and no --site or --all-clusters")]
    OnlyOne,
    /// No cluster is what was selected.
    #[error("no cluster is what --cluster and --site select; `fathom clusters` lists all")]
    NoneMeant,
    /// A selection of all clusters is to be saved.
    #[error("give what is to be saved with --cluster or --site: no selection at all is all clusters")]
    NothingToSave,
    /// No selection of this name was saved.
    #[error("there is no selection `{name}`, nothing was deleted; `fathom fleet selections` lists them")]
    NotSaved { name: String },
    /// There is no such site.
    #[error("there is no site `{site}`, nothing was forgotten; `fathom fleet sites` lists them")]
    NoSite { site: String },
    /// Of all clusters that were asked none answered.
    #[error("of {asked} clusters none answered; why stands above")]
    NobodyAnswered { asked: usize },
    /// A saved selection has nothing in it.
    #[error(
        "the selection `{name}` in the context file is empty, and what would be asked of nobody is not asked of all: put names into it, or give --all-clusters"
    )]
    EmptySelection { name: String },
    /// A saved selection has itself in it.
    #[error("the selection `{name}` in the context file has itself in it: {way}")]
    SelectionCycle { name: String, way: String },
    /// A saved selection is named in a term of several parts.
    #[error("`{term}`: @NAME of a selection stands alone, without commas; what both select is to be saved as one")]
    MixedSelection { term: String },
    /// The time was over before somebody's turn came.
    #[error("the {patience:?} were over before its turn; --deadline gives more time")]
    NotAsked { patience: Duration },
    /// An answer did not come in time.
    #[error("no answer within {patience:?}; --deadline gives more time")]
    Deadline { patience: Duration },
    /// The address is not one.
    #[error("`{address}` is not the address of a coordinator; give one such as https://coordinator.example:7443")]
    Address { address: String },
    /// The certificates are wrong.
    #[error(transparent)]
    Credentials(#[from] fathom_identity::files::Error),
    /// The coordinator cannot be reached.
    #[error("cannot reach the coordinator at {address}: {cause}; is it running, and is the address right?")]
    Unreachable { address: String, cause: String },
    /// The TLS handshake failed.
    #[error("coordinator {address}: {problem}")]
    Tls { address: String, problem: String },
    /// The coordinator answered with an error: that an option is wrong, that what was asked for by its identity is not there, or another.
    #[error("coordinator: {message}")]
    Answer {
        message: String,
        usage: bool,
        absent: bool,
        /// The stable one of its `ErrorInfo`.
        reason: Option<String>,
    },
    /// What answered is no coordinator, or one of another version.
    #[error("what answers at {address} does not speak this protocol: {message}; is it a coordinator of this version?")]
    Protocol { address: String, message: String },
    /// An answer lacks something.
    #[error("the coordinator's answer cannot be used")]
    Malformed(#[from] fathom_proto::convert::Error),
    /// A run without network failed.
    #[error(transparent)]
    Lab(#[from] fathom_lab::Error),
    /// A cluster cannot be simulated as it was asked for.
    #[error(transparent)]
    Simulate(#[from] fathom_lab::simulator::Error),
    /// The configuration of a simulation cannot be read.
    #[error("{path}: {cause}", path = path.display())]
    SimulateConfig { path: PathBuf, cause: String },
    /// Traces and state in one import.
    #[error("traces and state are imported with two commands: give files of cmdlets and support folders alone")]
    Mixed,
    /// Traces cannot be put into a store without knowing where disks lie.
    #[error("--store of traces needs --extents FILE and --disks FILE; their commands are in fathom import --help")]
    NoExtents,
    /// A file of scenarios cannot be read.
    #[error("{path}: {cause}; its format: docs/design/0015-evaluate.md", path = path.display())]
    Scenarios { path: PathBuf, cause: String },
    /// A recording cannot be found.
    #[error(
        "there is no recording `{name}` (known: {known}); `fathom demo --list` shows them, --recordings names another folder"
    )]
    NoRecording { name: String, known: String },
    /// What was named as a recording is a file.
    #[error("{path} is a file; give the folder of a recording, the one that has its run.json", path = path.display())]
    NoFolder { path: PathBuf },
    /// A volume is not there.
    #[error("there is no virtual disk `{name}` (known: {known})")]
    NoVolume { name: String, known: String },
    /// The coordinator role failed.
    #[error(transparent)]
    Coordinator(#[from] fathom_coordinator::Error),
    /// The coordinator's configuration is wrong.
    #[error(transparent)]
    CoordinatorConfig(#[from] fathom_coordinator::Faults),
    /// The node role failed.
    #[error(transparent)]
    Node(#[from] fathom_node_daemon::Error),
    /// The node's configuration is wrong.
    #[error(transparent)]
    NodeConfig(#[from] fathom_node_daemon::Faults),
    /// Throw-away certificates cannot be made.
    #[error(transparent)]
    Authority(#[from] fathom_identity::authority::Error),
    /// The demo was asked to stop before it had an answer.
    #[error("stopped ({signal}) before there was an answer")]
    Stopped { signal: String },
    /// Something else was played in the folder of a demo.
    #[error("{path} holds another run: {holds}; give another folder", path = path.display())]
    OtherDemo { path: PathBuf, holds: String },
    /// The folder of a demo has what no demo put there.
    #[error("{path} has {name}, which no demo put there, and a demo writes many files; give a new or an empty folder", path = path.display())]
    NotADemo { path: PathBuf, name: String },
    /// A demo lives in the folder.
    #[error("a demo is running in {path}; end it first, or give another folder", path = path.display())]
    DemoRuns { path: PathBuf },
    /// A process of the demo failed.
    #[error("{name} stopped: {cause}")]
    Process { name: String, cause: String },
    /// There is no page of a code.
    #[error("there is no code `{code}` (known: {known})")]
    NoCode { code: String, known: String },
    /// There is no such virtual machine.
    #[error("no virtual machine is called `{name}` (known: {known})")]
    NoVm { name: String, known: String },
    /// A virtual machine is not on one volume.
    #[error("{name} has its files on {volumes}; ask with --volume for one")]
    VmVolumes { name: String, volumes: String },
    /// What is to be left out is not there.
    #[error(transparent)]
    NotAway(#[from] fathom_lab::diagnosis::what_if::NotAway),
    /// A watch ended by itself.
    #[error("the watch ended: {cause}; go on with --after {after}")]
    WatchEnded { cause: String, after: String },
    /// The runtime cannot be started.
    #[error("the system gives no more threads")]
    Runtime(#[source] io::Error),
}

/// The reason of an answer that did not come in time: there is no status that could have one.
pub(crate) const DEADLINE: &str = "DEADLINE";

impl Error {
    /// The stable reason, for programs; `None` where nobody gave one.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Answer { reason, .. } => reason.as_deref(),
            Self::Deadline { .. } | Self::NotAsked { .. } => Some(DEADLINE),
            _ => None,
        }
    }

    /// The exit code that it means.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::NoContext { .. }
            | Self::Context { .. }
            | Self::Address { .. }
            | Self::NoRecording { .. }
            | Self::NoFolder { .. }
            | Self::OnlyOne
            | Self::EmptySelection { .. }
            | Self::SelectionCycle { .. }
            | Self::MixedSelection { .. }
            | Self::NoneMeant
            | Self::NoSite { .. }
            | Self::NothingToSave
            | Self::NotSaved { .. }
            | Self::Mixed
            | Self::NoExtents
            | Self::NoCode { .. }
            | Self::NoVolume { .. }
            | Self::NoVm { .. }
            | Self::VmVolumes { .. }
            | Self::NotAway(_)
            | Self::NotADemo { .. }
            | Self::OtherDemo { .. }
            | Self::DemoRuns { .. }
            | Self::Simulate(_)
            | Self::SimulateConfig { .. }
            | Self::Scenarios { .. }
            | Self::Lab(fathom_lab::Error::Simulate(_) | fathom_lab::Error::NotEmpty { .. })
            | Self::CoordinatorConfig(_)
            | Self::NodeConfig(_)
            | Self::Answer { usage: true, .. } => Code::Usage,
            Self::Output(_)
            | Self::File { .. }
            | Self::Credentials(_)
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Answer { .. }
            | Self::Protocol { .. }
            | Self::Malformed(_)
            | Self::Lab(_)
            | Self::Coordinator(_)
            | Self::Node(_)
            | Self::Authority(_)
            | Self::WatchEnded { .. }
            | Self::NobodyAnswered { .. }
            | Self::Deadline { .. }
            | Self::NotAsked { .. }
            | Self::Process { .. }
            | Self::Stopped { .. }
            | Self::Runtime(_) => Code::Failed,
        }
    }
}
