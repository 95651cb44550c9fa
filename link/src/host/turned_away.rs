//! [`TurnsAway`]: counts who is not let in, and says why and what would help.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use engine::Clock;
use rustls::pki_types::CertificateDer;

use super::{
    News, Tell,
    keys::Keys,
    told::{Subject, Told},
};
use crate::{
    quic::TurnedAway,
    trust::{Door, PeerKey, Peers, Reason, peer_key},
};

/// Counts who is not let in, and tells of them now and then.
pub(super) struct TurnsAway {
    own: PeerKey,
    peers: Arc<Peers>,
    clock: Clock,
    door: Door,
    tell: Tell,
    told: Mutex<Told>,
}

impl TurnsAway {
    pub(super) fn new(keys: &Keys, clock: Clock, door: Door, tell: Tell) -> Self {
        let (own, peers) = (keys.own(), keys.peers());
        Self { own, peers, clock, door, tell, told: Mutex::default() }
    }

    /// Counts one of whom is told elsewhere.
    pub(super) fn count(&self, reason: Reason) {
        self.door.turn_away(reason);
    }

    /// Counts one whose handshake was in order, and tells of it.
    pub(super) fn turn_away(
        &self,
        from: SocketAddr,
        shown: Option<&[u8]>,
        reason: Reason,
        why: String,
    ) {
        self.count(reason);
        let key = shown.and_then(|shown| peer_key(&CertificateDer::from(shown)));
        self.tell(&TurnedAway { from, is_proved: true, key, reason, why });
    }

    /// Tells of one that is counted, if that is worth a line.
    pub(super) fn tell(&self, turned: &TurnedAway) {
        // A host that falls silent while it calls is on a bad network, and calls again.
        if turned.reason == Reason::Silent {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(untold) = told.may(self.clock.now(), Subject::of(turned)) else { return };
        drop(told);
        let (why, remedy) = self.words(turned);
        (self.tell)(&News::TurnedAway { at: turned.from, why, remedy, untold });
    }

    /// Why, and what would help.
    fn words(&self, turned: &TurnedAway) -> (String, String) {
        let key = turned.key.map_or(String::new(), |key| key.to_string());
        let own =
            |why: &str| if turned.why.is_empty() { why.to_owned() } else { turned.why.clone() };
        let (why, remedy) = match turned.reason {
            Reason::Stranger => (
                "its key is not listed here".to_owned(),
                format!(
                    "if it may come in, `afferent pair` on both hosts, or `afferent peers add NAME {key}`"
                ),
            ),
            Reason::Copy => (
                "it shows a copy of this host's own key".to_owned(),
                "delete `identity.key` there, so that it makes its own, and then `afferent pair`"
                    .to_owned(),
            ),
            Reason::List => match self.peers.list() {
                Err(error) => (error.to_string(), error.hint()),
                Ok(_) => {
                    ("the list of peers could not be read just then".to_owned(), String::new())
                }
            },
            Reason::Mistrusts if !turned.why.is_empty() => (turned.why.clone(), String::new()),
            Reason::Mistrusts => (
                "it does not know this host's key, or looks for another host here".to_owned(),
                format!(
                    "`afferent pair` on both hosts, or there `afferent peers add NAME {}`",
                    self.own
                ),
            ),
            Reason::Protocol => (
                own("it says what no host says that calls"),
                "the address is for hosts that run `afferent run --host`, of the same version"
                    .to_owned(),
            ),
            Reason::Session => (
                "it asked for a session that another key has opened".to_owned(),
                format!(
                    "its key is {key}: see `afferent peers`, and remove it if that was not meant"
                ),
            ),
            Reason::Sessions => (
                own("as many sessions are open as there may be"),
                "`afferent serve --sessions-max` lets more in".to_owned(),
            ),
            Reason::Quota => (own("it has all the connections it may have"), String::new()),
            Reason::Connections | Reason::Crowded => (
                "more are calling than this host answers at a time".to_owned(),
                "those who are known come in as soon as it is quieter".to_owned(),
            ),
            Reason::Source => (
                "it calls too often".to_owned(),
                "it is answered again as soon as it calls less".to_owned(),
            ),
            Reason::Differs | Reason::Silent => (turned.why.clone(), String::new()),
        };
        (why, remedy)
    }
}
