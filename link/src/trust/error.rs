//! [`TrustError`]: why keys, peers or addresses cannot be used, and what to do about it.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{KeyTextError, PeerKey};

/// Why keys, peers or addresses cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// Nothing says where this user's files are.
    NoFolder,
    /// The system refused.
    Io {
        /// What was being done, such as `read`.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Others than its owner may read or change a file or a folder that must be private.
    Shared {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Those it must have.
        wanted: u32,
    },
    /// A file belongs to another user.
    Strange {
        /// Which.
        path: PathBuf,
        /// Whose it is: the number of a user.
        owner: u32,
        /// As whom this process runs.
        us: u32,
    },
    /// A file is not what it must be.
    Broken {
        /// Which.
        path: PathBuf,
        /// The line, from 1, where one is to blame.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// A name that a peer cannot have.
    BadName {
        /// The name.
        name: String,
    },
    /// Another key has this name.
    NameTaken {
        /// The name.
        name: String,
    },
    /// The key is listed already.
    KeyListed {
        /// Under this name.
        name: String,
    },
    /// Our own key is no peer's.
    OwnKey,
    /// No peer has this name.
    NoSuchPeer {
        /// The name that was asked for.
        name: String,
        /// One that was perhaps meant.
        near: Option<String>,
    },
    /// A text is no key.
    KeyText(KeyTextError),
    /// More peers than a host can have.
    TooMany {
        /// How many it can have.
        max: usize,
    },
    /// An address beyond this machine, where no peer is known who may come.
    Unpaired {
        /// The address.
        address: SocketAddr,
    },
}

impl TrustError {
    /// For errors of files.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { doing, path, error }
    }

    /// What to do about it, in one line; empty where the message says it all.
    pub fn hint(&self) -> String {
        match self {
            Self::NoFolder => "set AFFERENT_HOME to a folder for keys and peers".to_owned(),
            Self::Io { .. } => "make room or give access, or set AFFERENT_HOME to another folder".to_owned(),
            Self::Shared { path, wanted, .. } => format!(
                "`chmod {wanted:o} {}`; if others may have read a key, delete it, so that a new one is \
                 made, and pair again",
                path.display()
            ),
            Self::Strange { path, us, .. } => format!(
                "run as that user, or set AFFERENT_HOME to a folder of your own; if what is in it is yours, \
                 `chown {us} {}`",
                path.display()
            ),
            Self::Broken { path, .. } => format!(
                "mend it, or move it away and begin anew: nothing is overwritten while it stands at {}",
                path.display()
            ),
            Self::BadName { .. } => {
                "names begin with a small letter, then small letters, digits and `_`, at most 64".to_owned()
            }
            Self::NameTaken { name } => {
                format!("take another name, or first `afferent peers remove {name}`")
            }
            Self::KeyListed { name } => format!("`afferent peers rename {name} NEW` renames it"),
            Self::OwnKey => "take the key that `afferent peers key` prints on the other host".to_owned(),
            Self::NoSuchPeer { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::NoSuchPeer { near: None, .. } => {
                "`afferent peers` lists those there are; `afferent pair` adds one".to_owned()
            }
            Self::KeyText(_) => "`afferent peers key` prints it on the other host".to_owned(),
            Self::TooMany { .. } => "remove some with `afferent peers remove`".to_owned(),
            Self::Unpaired { .. } => {
                "pair with the other host first: `afferent pair --help`; or stay on this machine with \
                 127.0.0.1"
                    .to_owned()
            }
        }
    }

    /// Whether a file, and not what was asked, is to blame.
    pub const fn is_about_a_file(&self) -> bool {
        matches!(
            self,
            Self::NoFolder
                | Self::Io { .. }
                | Self::Shared { .. }
                | Self::Strange { .. }
                | Self::Broken { .. }
        )
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => f.write_str("nothing says where this user's files are"),
            Self::Io { doing, path, error } => {
                write!(f, "cannot {doing} {}: {error}", path.display())
            }
            Self::Shared { path, mode, .. } => {
                let path = path.display();
                write!(f, "{path} is open to others than its owner (mode {mode:03o})")
            }
            Self::Strange { path, owner, us } => {
                let path = path.display();
                write!(f, "{path} belongs to user {owner}, and this runs as user {us}")
            }
            Self::Broken { path, line: Some(line), why } => {
                write!(f, "{}:{line}: {why}", path.display())
            }
            Self::Broken { path, line: None, why } => write!(f, "{}: {why}", path.display()),
            Self::BadName { name } => write!(f, "{name:?} is no name for a peer"),
            Self::NameTaken { name } => write!(f, "`{name}` is the name of another key"),
            Self::KeyListed { name } => write!(f, "this key is listed already, as `{name}`"),
            Self::OwnKey => f.write_str("this is our own key"),
            Self::NoSuchPeer { name, .. } => write!(f, "no peer is called `{name}`"),
            Self::KeyText(error) => error.fmt(f),
            Self::TooMany { max } => write!(f, "there are {max} peers already"),
            Self::Unpaired { address } => {
                write!(f, "other hosts reach {address}, and no peer is known who may come")
            }
        }
    }
}

impl std::error::Error for TrustError {}

impl From<KeyTextError> for TrustError {
    fn from(error: KeyTextError) -> Self {
        Self::KeyText(error)
    }
}

impl PeerKey {
    /// As [`str::parse`], with the error that people are shown.
    ///
    /// # Errors
    /// If the text is no key.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        Ok(text.parse()?)
    }
}
