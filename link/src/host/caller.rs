//! [`Caller`]: calls a host at one of its addresses after the other.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::keys::Keys;
use crate::{
    carrier::Host,
    driver::{Calls, Connection},
    quic::{Dialer, Endpoint},
};

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks an address up and calls it; where nobody answers, the next time the next one.
pub(super) struct Caller {
    endpoint: Endpoint,
    /// The host that is called.
    name: String,
    keys: Arc<Keys>,
    addresses: Vec<String>,
    /// The address that is tried now.
    at: usize,
    found: Option<Found>,
    dialer: Option<Dialer>,
}

impl Caller {
    pub(super) fn new(endpoint: &Endpoint, host: &Host, keys: &Arc<Keys>) -> Self {
        Self {
            endpoint: endpoint.clone(),
            name: host.name.clone(),
            keys: keys.clone(),
            addresses: host.addresses.clone(),
            at: 0,
            found: None,
            dialer: None,
        }
    }

    fn next_address(&mut self) {
        (self.found, self.dialer) = (None, None);
        self.at = (self.at + 1) % self.addresses.len();
    }

    fn dial(&mut self, found: io::Result<Vec<SocketAddr>>) -> Result<(), String> {
        let named = &self.addresses[self.at];
        let found = found.map_err(|error| format!("cannot look up {named}: {error}"))?;
        let local = self.endpoint.local_addr().map_err(|error| error.to_string())?;
        let fits = |address: &&SocketAddr| address.is_ipv4() == local.is_ipv4() || local.is_ipv6();
        let address = found.iter().find(fits);
        let address = *address.ok_or_else(|| format!("{named} has no address of this kind"))?;
        let config = self.keys.client(address, &self.name).map_err(|error| error.to_string())?;
        let dialer = self.endpoint.dialer(address, Keys::NAME, config);
        let mut dialer = dialer.map_err(|error| error.to_string())?;
        dialer.call();
        self.dialer = Some(dialer);
        Ok(())
    }
}

impl Calls for Caller {
    fn call(&mut self) {
        if let Some(dialer) = &mut self.dialer {
            dialer.call();
        } else if self.found.is_none() {
            let address = self.addresses[self.at].clone();
            self.found =
                Some(Box::pin(
                    async move { Ok(tokio::net::lookup_host(address).await?.collect()) },
                ));
        }
    }

    fn stop(&mut self) {
        if let Some(dialer) = &mut self.dialer {
            dialer.stop();
        }
        self.found = None;
    }

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        if let Some(found) = &mut self.found
            && let Poll::Ready(found) = found.as_mut().poll(context)
        {
            self.found = None;
            if let Err(why) = self.dial(found) {
                self.next_address();
                return Poll::Ready(Err(why));
            }
        }
        let Some(dialer) = &mut self.dialer else { return Poll::Pending };
        let called = dialer.poll_connection(context);
        if matches!(called, Poll::Ready(Err(_))) {
            // Names may lead elsewhere by now.
            self.next_address();
        }
        called
    }
}
