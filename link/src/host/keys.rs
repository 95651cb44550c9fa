//! [`Keys`]: this host's key and the peers it knows, as its links need them.

use std::{net::SocketAddr, path::Path, sync::Arc};

use crate::{
    quic::Succession,
    trust::{
        Expected, Identity, PeerKey, Peers, Reach, SERVER_NAME, TrustError, client_config, home,
        may_listen, server_config,
    },
};

/// This user's key and the list of peers.
pub struct Keys {
    identity: Identity,
    peers: Arc<Peers>,
}

impl Keys {
    /// Those in this user's folder, made there if need be.
    ///
    /// # Errors
    /// As [`Identity::open`].
    pub fn open() -> Result<Self, TrustError> {
        Self::open_in(&home()?)
    }

    /// Those in a folder, made there if need be.
    ///
    /// # Errors
    /// As [`Identity::open`].
    pub fn open_in(folder: &Path) -> Result<Self, TrustError> {
        let identity = Identity::open(folder)?;
        Ok(Self { identity, peers: Arc::new(Peers::at(folder)) })
    }

    /// What TLS calls every host.
    pub(super) const NAME: &str = SERVER_NAME;

    /// How to call the host of this name at an address.
    pub(super) fn client(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> Result<Arc<rustls::ClientConfig>, TrustError> {
        let expected = Expected::at(address.ip(), name, &self.identity, &self.peers)?;
        Ok(client_config(&self.identity, expected))
    }

    /// This user's key, as others list it.
    pub(super) const fn own(&self) -> PeerKey {
        self.identity.key()
    }

    /// The list of peers.
    pub(super) fn peers(&self) -> Arc<Peers> {
        self.peers.clone()
    }

    /// What a process that listens where another of this user was killed is known by. Not by others: what
    /// one says for another would end connections that live.
    pub(super) fn succession(&self, listen: SocketAddr) -> Succession {
        Succession(self.identity.secret(&format!("succession at {listen}")))
    }

    /// How to be called at an address.
    ///
    /// # Errors
    /// If others reach the address and nobody is known who may come in.
    pub(super) fn server(
        &self,
        address: SocketAddr,
    ) -> Result<Arc<rustls::ServerConfig>, TrustError> {
        may_listen(address, &self.peers)?;
        Ok(server_config(&self.identity, self.peers.clone(), Reach::of(address.ip())))
    }
}
