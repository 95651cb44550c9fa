//! [`Caller`]: calls a host at one of its addresses after the other.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::keys::Keys;
use crate::{
    carrier::Host,
    driver::{Calls, Connection},
    quic::{Dialer, Endpoint},
};

/// Between two times that a name is looked up.
const LOOK_UP_AFTER: Duration = Duration::from_secs(1);

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks an address up and calls it; where nobody answers, the next time the next one. Calls at one
/// address go on while the next is tried, and where a name led the last time is called while it is looked
/// up again, which may take long on a line that is down.
pub(super) struct Caller {
    endpoint: Endpoint,
    /// The host that is called.
    name: String,
    keys: Arc<Keys>,
    places: Vec<Place>,
    /// The one that is tried now.
    at: usize,
}

/// One address, as it is written in the graph.
struct Place {
    named: String,
    looked: Option<Instant>,
    found: Option<Found>,
    dialer: Option<(SocketAddr, Dialer)>,
}

impl Place {
    fn new(named: &str) -> Self {
        Self { named: named.to_owned(), looked: None, found: None, dialer: None }
    }

    /// Begins to look the name up, unless that was done just now.
    fn look_up(&mut self) {
        let is_soon = self.looked.is_some_and(|looked| looked.elapsed() < LOOK_UP_AFTER);
        if self.found.is_none() && !is_soon {
            self.looked = Some(Instant::now());
            let named = self.named.clone();
            self.found =
                Some(Box::pin(async move { Ok(tokio::net::lookup_host(named).await?.collect()) }));
        }
    }

    fn poll_found(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Vec<SocketAddr>>> {
        let Some(found) = &mut self.found else { return Poll::Pending };
        let found = found.as_mut().poll(context);
        if found.is_ready() {
            self.found = None;
        }
        found
    }
}

impl Caller {
    pub(super) fn new(endpoint: &Endpoint, host: &Host, keys: &Arc<Keys>) -> Self {
        Self {
            endpoint: endpoint.clone(),
            name: host.name.clone(),
            keys: keys.clone(),
            places: host.addresses.iter().map(|named| Place::new(named)).collect(),
            at: 0,
        }
    }

    /// A call at a place was in vain. Only the one that is tried gives way: calls elsewhere were begun
    /// before.
    fn was_in_vain(&mut self, n: usize) {
        if n == self.at {
            self.at = (self.at + 1) % self.places.len();
        }
        // Names may lead elsewhere by now.
        self.places[n].look_up();
    }

    fn dial(&mut self, n: usize, found: io::Result<Vec<SocketAddr>>) -> Result<(), String> {
        let place = &mut self.places[n];
        let named = &place.named;
        let found = found.map_err(|error| format!("cannot look up {named}: {error}"))?;
        let local = self.endpoint.local_addr().map_err(|error| error.to_string())?;
        let fits = |address: &&SocketAddr| address.is_ipv4() == local.is_ipv4() || local.is_ipv6();
        let address = found.iter().find(fits);
        let address = *address.ok_or_else(|| format!("{named} has no address of this kind"))?;
        if place.dialer.as_ref().is_some_and(|(known, _)| *known == address) {
            return Ok(());
        }
        let config = self.keys.client(address, &self.name).map_err(|error| error.to_string())?;
        let dialer = self.endpoint.dialer(address, Keys::NAME, config);
        let mut dialer = dialer.map_err(|error| error.to_string())?;
        if n == self.at {
            dialer.call();
        }
        place.dialer = Some((address, dialer));
        Ok(())
    }
}

impl Calls for Caller {
    fn call(&mut self) {
        let place = &mut self.places[self.at];
        match &mut place.dialer {
            Some((_, dialer)) => dialer.call(),
            None => place.look_up(),
        }
    }

    fn stop(&mut self) {
        for place in &mut self.places {
            place.found = None;
            if let Some((_, dialer)) = &mut place.dialer {
                dialer.stop();
            }
        }
    }

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        for n in 0..self.places.len() {
            if let Poll::Ready(found) = self.places[n].poll_found(context)
                && let Err(why) = self.dial(n, found)
            {
                self.was_in_vain(n);
                return Poll::Ready(Err(why));
            }
            let Some((_, dialer)) = &mut self.places[n].dialer else { continue };
            let Poll::Ready(called) = dialer.poll_connection(context) else { continue };
            match called {
                Ok(_) => {
                    self.stop();
                    self.at = n;
                }
                Err(_) => self.was_in_vain(n),
            }
            return Poll::Ready(called);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::UdpSocket};

    use super::*;
    use crate::quic::Settings;

    /// Guards against a test that hangs.
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn where_the_first_address_is_silent_the_second_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Arc::new(Keys::open_in(folder.path()).expect("a key"));
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        // Takes packets and says nothing.
        let silent = UdpSocket::bind(loopback).expect("a port");
        let server = keys.server(loopback).expect("our own host");
        let there = Endpoint::bind(loopback, Some(server), Settings::default()).expect("a port");
        let mut listener = there.listener();
        let listens = tokio::spawn(async move { while listener.accept().await.is_some() {} });
        let silent_at = silent.local_addr().expect("bound");
        let there_at = there.local_addr().expect("bound");
        let host = Host {
            name: "cloud".to_owned(),
            addresses: vec![silent_at.to_string(), there_at.to_string()],
            resume: Duration::ZERO,
            spool: None,
        };
        let here = Endpoint::bind(loopback, None, Settings::default()).expect("a port");
        let mut caller = Caller::new(&here, &host, &keys);
        let mut troubles = Vec::new();
        let mut again = tokio::time::interval(Duration::from_millis(50));

        let work = async {
            loop {
                tokio::select! {
                    _ = again.tick() => caller.call(),
                    called = poll_fn(|context| caller.poll_connection(context)) => match called {
                        Ok(connection) => break connection,
                        Err(trouble) => troubles.push(trouble),
                    }
                }
            }
        };
        let connection = tokio::time::timeout(LONG, work).await.expect("the second answers");

        assert_eq!(connection.figures().remote, Some(there_at));
        assert_eq!(troubles.first(), Some(&format!("{silent_at} does not answer")));
        listens.abort();
    }
}
