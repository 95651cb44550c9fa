//! [`WireError`]: why bytes are no message.

use std::fmt;

/// Why bytes from the other side were refused. Whoever reads counts them; nothing was allocated
/// for what was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end before what they announce.
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes it needs.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// A length or a number beyond what was agreed.
    TooLong {
        /// What was being read.
        what: &'static str,
        /// What the bytes say.
        is: u64,
        /// The limit.
        max: u64,
    },
    /// A value that has no meaning.
    Unknown {
        /// What was being read.
        what: &'static str,
        /// What the bytes say.
        is: u64,
    },
    /// Two things that must be equal are not.
    Differs {
        /// What was being read.
        what: &'static str,
        /// What the bytes say.
        is: u64,
        /// What it must be.
        wanted: u64,
    },
    /// The other side speaks a version that is not read here.
    Version {
        /// Its version.
        theirs: u8,
        /// The oldest read here.
        oldest: u8,
        /// The newest read here.
        newest: u8,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { what, need, have } => {
                write!(f, "{what} is cut short: {need} bytes are announced, {have} are there")
            }
            Self::TooLong { what, is, max } => {
                write!(f, "{what} is {is}, beyond the limit of {max}")
            }
            Self::Unknown { what, is } => write!(f, "{what} {is} has no meaning"),
            Self::Differs { what, is, wanted } => write!(f, "{what} is {is} and must be {wanted}"),
            Self::Version { theirs, oldest, newest } => {
                let older = if theirs > newest { "this side" } else { "the other side" };
                write!(
                    f,
                    "the other side speaks version {theirs} of the link's format, this one reads \
                     {oldest} to {newest}; update {older}"
                )
            }
        }
    }
}

impl std::error::Error for WireError {}
