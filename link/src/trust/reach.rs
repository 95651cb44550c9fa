//! Who reaches an address, and whom to expect there.

use std::net::{IpAddr, SocketAddr};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(Vec<PeerKey>);

impl Expected {
    /// One key.
    pub fn key(key: PeerKey) -> Self {
        Self(vec![key])
    }

    /// Whom to expect at an address: the peer of this name, or where none is called so any that is listed, as all of
    /// them are trusted; and, if the address is this machine's loopback, a process with our own key, which need not be
    /// listed.
    ///
    /// # Errors
    /// If there is neither, and what is wrong with the list of peers.
    pub fn at(
        address: IpAddr,
        name: &str,
        identity: &Identity,
        peers: &Peers,
    ) -> Result<Self, TrustError> {
        let own = (Reach::of(address) == Reach::Machine).then(|| identity.key());
        match (peers.with_name(name), own) {
            (Ok(peer), own) => Ok(Self([Some(peer.key), own].into_iter().flatten().collect())),
            (Err(error @ TrustError::NoSuchPeer { .. }), own) => {
                let listed = peers.list()?.into_iter().map(|peer| peer.key);
                let keys: Vec<PeerKey> = listed.chain(own).collect();
                if keys.is_empty() { Err(error) } else { Ok(Self(keys)) }
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Whether this key is one of them.
    pub fn contains(&self, key: PeerKey) -> bool {
        self.0.contains(&key)
    }
}
