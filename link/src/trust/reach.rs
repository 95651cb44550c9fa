//! Who reaches an address, and whom to expect there.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{Identity, PeerKey, Peers, TrustError};

/// Who reaches an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine alone: a loopback address.
    Machine,
    /// Other hosts, too.
    Network,
}

impl Reach {
    /// Who reaches this address. One for all addresses of a machine, `0.0.0.0` or `::`, is reached by
    /// others.
    pub const fn of(address: IpAddr) -> Self {
        let is_loopback = match address {
            IpAddr::V4(address) => address.is_loopback(),
            // `::ffff:127.0.0.1` is 127.0.0.1.
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.is_loopback(),
                None => address.is_loopback(),
            },
        };
        if is_loopback { Self::Machine } else { Self::Network }
    }
}

/// Whether a link may be listened for at an address: on loopback always, elsewhere once a peer is
/// known, as otherwise nobody could come in and everybody could knock.
///
/// # Errors
/// [`TrustError::Unpaired`], and what is wrong with the list of peers.
pub fn may_listen(address: SocketAddr, peers: &Peers) -> Result<(), TrustError> {
    if Reach::of(address.ip()) == Reach::Machine || !peers.list()?.is_empty() {
        Ok(())
    } else {
        Err(TrustError::Unpaired { address })
    }
}

/// The keys of which one is expected of the host that is called.
#[derive(Clone)]
pub struct Expected(Keys);

#[derive(Clone)]
enum Keys {
    One(PeerKey),
    /// The list is asked for each handshake: whoever was added to it or removed is so from the next call on.
    Listed {
        peers: Arc<Peers>,
        name: String,
        own: Option<PeerKey>,
    },
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected").finish_non_exhaustive()
    }
}

impl Expected {
    /// One key.
    pub const fn key(key: PeerKey) -> Self {
        Self(Keys::One(key))
    }

    /// Whom to expect at an address: the peer of this name, or where none is called so any that is listed, as all of
    /// them are trusted; and, if the address is this machine's loopback, a process with our own key, which need not be
    /// listed.
    ///
    /// # Errors
    /// If there is neither by now, and what is wrong with the list of peers.
    pub fn at(
        address: IpAddr,
        name: &str,
        identity: &Identity,
        peers: &Arc<Peers>,
    ) -> Result<Self, TrustError> {
        let own = (Reach::of(address) == Reach::Machine).then(|| identity.key());
        let this = Keys::Listed { peers: peers.clone(), name: name.to_owned(), own };
        this.all()?;
        Ok(Self(this))
    }

    /// Whether this key is one of them.
    ///
    /// # Errors
    /// As [`Expected::at`].
    pub fn contains(&self, key: PeerKey) -> Result<bool, TrustError> {
        Ok(self.0.all()?.contains(&key))
    }
}

impl Keys {
    fn all(&self) -> Result<Vec<PeerKey>, TrustError> {
        let (peers, name, own) = match self {
            Self::One(key) => return Ok(vec![*key]),
            Self::Listed { peers, name, own } => (peers, name, own),
        };
        let listed = match peers.with_name(name) {
            Ok(peer) => vec![peer.key],
            Err(error @ TrustError::NoSuchPeer { .. }) => {
                let listed: Vec<_> = peers.list()?.into_iter().map(|peer| peer.key).collect();
                if listed.is_empty() && own.is_none() {
                    return Err(error);
                }
                listed
            }
            Err(error) => return Err(error),
        };
        Ok(listed.into_iter().chain(*own).collect())
    }
}
