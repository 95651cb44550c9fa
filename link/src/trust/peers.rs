//! [`Peers`]: the hosts that this one trusts, as they stand in `peers.toml`.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use engine::{is_name, nearest};
use toml_edit::{Datetime, DocumentMut, Item, Table, value};

use super::{PeerKey, TrustError, files, list::read, moment::utc};

const FILE: &str = "peers.toml";
const LOCK: &str = "peers.lock";
/// Most peers of one host.
pub const PEERS_MAX: usize = 4_096;
/// Some 250 bytes for each peer.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

const HEAD: &str = "\
# Hosts that this one trusts. Whoever holds one of these keys may be the other side of a link.
# Written by `afferent pair` and `afferent peers`; comments stay where they are.

";

/// A host that this one trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What it is called here; `[host.NAME]` of a graph finds it by this.
    pub name: String,
    /// Who it is.
    pub key: PeerKey,
    /// When it was added, in UTC, as RFC 3339 writes it.
    pub since: Option<String>,
    /// Where its key came from: an address, or `by hand`.
    pub from: Option<String>,
}

/// The list in a folder. Every question reads the file if it has changed, so a process that runs
/// for months knows who was paired or removed a moment ago.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
    path: PathBuf,
    known: Mutex<Option<(Stamp, Vec<Peer>)>>,
}

/// What tells one state of the file from another. It is replaced, not written over, so the file
/// itself differs each time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    number: u64,
}

impl Peers {
    /// The list in this folder, which need not exist: then nobody is trusted.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(FILE), known: Mutex::default() }
    }

    /// Where the list stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All peers, in the order of the file.
    ///
    /// # Errors
    /// What the system says, a file that others may write to or that belongs to another user, and one that is no list of peers:
    /// nobody is trusted until it is mended.
    pub fn list(&self) -> Result<Vec<Peer>, TrustError> {
        self.ask(<[Peer]>::to_vec)
    }

    /// The peer with this key.
    ///
    /// # Errors
    /// As [`Peers::list`].
    pub fn with_key(&self, key: PeerKey) -> Result<Option<Peer>, TrustError> {
        self.ask(|peers| peers.iter().find(|peer| peer.key == key).cloned())
    }

    /// The peer with this name.
    ///
    /// # Errors
    /// As [`Peers::list`], and a name that none has.
    pub fn with_name(&self, name: &str) -> Result<Peer, TrustError> {
        self.ask(|peers| {
            let found = peers.iter().find(|peer| peer.name == name).cloned();
            found.ok_or_else(|| no_such(name, peers))
        })?
    }

    fn ask<T>(&self, answer: impl FnOnce(&[Peer]) -> T) -> Result<T, TrustError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        match (&*known, &stamp) {
            (Some((old, peers)), Some(new)) if old == new => Ok(answer(peers)),
            _ => {
                // Until it is read, nothing is known.
                *known = None;
                let peers = self.read()?.1;
                let said = answer(&peers);
                // Taken before the file was read: at worst it is read once too often.
                *known = stamp.map(|stamp| (stamp, peers));
                Ok(said)
            }
        }
    }

    /// The file's text, and who stands in it.
    fn read(&self) -> Result<(String, Vec<Peer>), TrustError> {
        let bytes = files::read(&self.path, FILE_BYTES_MAX, 0o022)?.unwrap_or_default();
        let broken = |line, why| TrustError::Broken { path: self.path.clone(), line, why };
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| broken(None, "it is not UTF-8".to_owned()))?;
        let peers = read(&text).map_err(|problem| broken(problem.line, problem.why))?;
        Ok((text, peers))
    }

    /// Adds a peer: name, key, when, and where the key came from.
    ///
    /// # Errors
    /// As [`Peers::list`]; a name that is none or that another key has, a key that is listed.
    pub fn add(
        &self,
        name: &str,
        key: PeerKey,
        now: SystemTime,
        from: &str,
    ) -> Result<(), TrustError> {
        self.change(|document, peers| {
            check_name(name)?;
            if let Some(peer) = peers.iter().find(|peer| peer.key == key) {
                return Err(TrustError::KeyListed { name: peer.name.clone() });
            }
            if peers.iter().any(|peer| peer.name == name) {
                return Err(TrustError::NameTaken { name: name.to_owned() });
            }
            if peers.len() >= PEERS_MAX {
                return Err(TrustError::TooMany { max: PEERS_MAX });
            }
            put(document, name, key, now, from);
            Ok(())
        })
    }

    /// Adds a peer whose key was proved: one that is listed already keeps its name, and where the
    /// name is another key's, a number is put behind it. Gives the name it has now.
    ///
    /// # Errors
    /// As [`Peers::list`]; a name that is none.
    pub fn add_proved(
        &self,
        name: &str,
        key: PeerKey,
        now: SystemTime,
        from: &str,
    ) -> Result<String, TrustError> {
        let mut named = name.to_owned();
        self.change(|document, peers| {
            check_name(name)?;
            if let Some(peer) = peers.iter().find(|peer| peer.key == key) {
                named.clone_from(&peer.name);
                document["peer"][&named]["since"] = moment(now);
                document["peer"][&named]["from"] = value(from);
                return Ok(());
            }
            if peers.len() >= PEERS_MAX {
                return Err(TrustError::TooMany { max: PEERS_MAX });
            }
            // One of so many is free.
            let mut names = (2..).map(|n| with_number(name, n));
            while peers.iter().any(|peer| peer.name == named) {
                named = names.next().expect("without end");
            }
            put(document, &named, key, now, from);
            Ok(())
        })?;
        Ok(named)
    }

    /// Removes a peer: from its next handshake on, it is a stranger.
    ///
    /// # Errors
    /// As [`Peers::list`]; a name that none has.
    pub fn remove(&self, name: &str) -> Result<Peer, TrustError> {
        let mut removed = None;
        self.change(|document, peers| {
            let peer = peers.iter().find(|peer| peer.name == name);
            removed = Some(peer.ok_or_else(|| no_such(name, peers))?.clone());
            document["peer"].as_table_mut().expect("was read as one").remove(name);
            Ok(())
        })?;
        Ok(removed.expect("found"))
    }

    /// Gives a peer another name.
    ///
    /// # Errors
    /// As [`Peers::list`]; a name that none has, a new one that is none or that another has.
    pub fn rename(&self, name: &str, new: &str) -> Result<(), TrustError> {
        self.change(|document, peers| {
            check_name(new)?;
            if !peers.iter().any(|peer| peer.name == name) {
                return Err(no_such(name, peers));
            }
            if name != new && peers.iter().any(|peer| peer.name == new) {
                return Err(TrustError::NameTaken { name: new.to_owned() });
            }
            let table = document["peer"].as_table_mut().expect("was read as one");
            let peer = table.remove(name).expect("found");
            table.insert(new, peer);
            Ok(())
        })
    }

    /// Reads, changes and replaces the file while nobody else does.
    fn change(
        &self,
        change: impl FnOnce(&mut DocumentMut, &[Peer]) -> Result<(), TrustError>,
    ) -> Result<(), TrustError> {
        files::make_folder(&self.folder)?;
        let _lock = files::lock(&self.folder.join(LOCK))?;
        let (text, peers) = self.read()?;
        let head = if text.trim().is_empty() { HEAD } else { "" };
        let mut document: DocumentMut = text.parse().expect("was read before");
        change(&mut document, &peers)?;
        files::replace(&self.path, format!("{head}{document}").as_bytes())
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = 0;
        Self { len: metadata.len(), modified: metadata.modified().ok(), number }
    }
}

fn put(document: &mut DocumentMut, name: &str, key: PeerKey, now: SystemTime, from: &str) {
    let mut peers = Table::new();
    peers.set_implicit(true);
    let peers = document.entry("peer").or_insert(Item::Table(peers));
    let mut peer = Table::new();
    peer["key"] = value(key.to_string());
    peer["since"] = moment(now);
    peer["from"] = value(from);
    peers[name] = Item::Table(peer);
}

fn moment(now: SystemTime) -> Item {
    value(Datetime::from_str(&utc(now)).expect("a moment"))
}

fn check_name(name: &str) -> Result<(), TrustError> {
    if is_name(name) { Ok(()) } else { Err(TrustError::BadName { name: name.to_owned() }) }
}

fn no_such(name: &str, peers: &[Peer]) -> TrustError {
    let near = nearest(name, peers.iter().map(|peer| peer.name.as_str())).map(str::to_owned);
    TrustError::NoSuchPeer { name: name.to_owned(), near }
}

/// Most bytes of a name.
pub(super) const NAME_MAX: usize = 64;

/// `lab` becomes `lab_2`, however long it is.
fn with_number(name: &str, n: usize) -> String {
    let number = format!("_{n}");
    format!("{}{number}", &name[..name.len().min(NAME_MAX - number.len())])
}

/// The name that a text would be: small letters, and `_` for what names cannot hold. `host` where
/// nothing is left.
pub fn as_name(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.trim().chars().map(letter).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name[..name.len().min(NAME_MAX)].trim_end_matches('_');
    if is_name(name) { name.to_owned() } else { "host".to_owned() }
}
