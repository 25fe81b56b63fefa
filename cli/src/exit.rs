//! Exit codes: a contract with scripts.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | failed; standard error says what was wrong and what to do |
//! | 2 | usage: the command line or a configuration file is wrong |
//! | 3 | found trouble, where asked to look for it (`--check`) |
//! | 4 | partial: the answer was printed, but some node, cluster or site was not heard or is not there, or a trace was not read whole |

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Everything went well.
    Fine,
    /// It failed.
    Failed,
    /// The command line or a configuration is wrong.
    Usage,
    /// It found trouble and was asked to say so.
    Trouble,
    /// The answer is there and says what it did not see.
    Partial,
}

impl Code {
    /// This, and where it is fine the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match self {
            Self::Fine => other,
            own => own,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Trouble => 3,
            Self::Partial => 4,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}
