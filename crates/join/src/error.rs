//! What a stream can get wrong.

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the engine did not take what it was given. All are faults of the sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The stream was not opened.
    #[error("the stream is not open")]
    NotOpen,
    /// Ordinals were left out without being declared lost.
    #[error("ordinal {expected} was to come next, {found} came; ordinals between them were not declared lost")]
    Skipped {
        /// What was to come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// Something came beyond the end of a stream.
    #[error("the stream ended before ordinal {end}, and ordinal {found} came")]
    AfterEnd {
        /// One past the last ordinal of the stream.
        end: u64,
        /// What came beyond it.
        found: u64,
    },
    /// An event names a device that the dictionary does not have.
    #[error("event {ordinal} names device {device}, which the stream's dictionary does not have")]
    UnknownDevice {
        /// The event.
        ordinal: u64,
        /// The device.
        device: u32,
    },
    /// An entry of the dictionary changed its meaning.
    #[error("device {device} was {old} and is now {new}: entries of a stream's dictionary never change")]
    DeviceChanged {
        /// The entry.
        device: u32,
        /// What it meant before.
        old: String,
        /// What it means now.
        new: String,
    },
}
