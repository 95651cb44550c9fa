//! Two hosts, and what passes between them.

use engine::Timestamp;

use crate::trust::{
    Identity,
    pairing::{Code, Fresh, Guest, Introduction, Offer, PairError, Paired, Proving},
};

pub(super) const NOW: Timestamp = Timestamp::ZERO;
pub(super) const LATER: Timestamp = Timestamp::from_nanos(300_000_000_000);

/// A host with a name.
pub(super) struct Party {
    pub(super) identity: Identity,
    pub(super) name: String,
}

impl Party {
    pub(super) fn new(n: u8, name: &str) -> Self {
        Self { identity: Identity::from_seed(&[n; 32]), name: name.to_owned() }
    }

    pub(super) fn me(&self) -> Introduction<'_> {
        Introduction { identity: &self.identity, name: &self.name }
    }

    pub(super) fn paired(&self) -> Paired {
        Paired { key: self.identity.key(), name: self.name.clone() }
    }

    pub(super) fn greets(&self, code: &Code) -> (Guest<'_>, Vec<u8>) {
        Guest::new(self.me(), code, Fresh::new())
    }
}

pub(super) fn code() -> Code {
    "K7QF-2M9D-XW3T".parse().expect("a code")
}

pub(super) fn wrong_code() -> Code {
    "K7QF-2M9D-XW3S".parse().expect("a code")
}

pub(super) fn offer() -> Offer {
    Offer::new(code(), LATER)
}

/// What came of an exchange on either side.
pub(super) struct Outcome {
    pub(super) guest: Result<Paired, PairError>,
    pub(super) host: Result<Paired, PairError>,
}

/// The messages of an exchange, from 0.
pub(super) const GREETING: usize = 0;
pub(super) const ANSWER: usize = 1;
pub(super) const GUEST_PROOF: usize = 2;
pub(super) const HOST_PROOF: usize = 3;

/// One exchange, of which somebody changes messages on their way. A side that fails tells the other.
pub(super) fn exchange(
    guest: &Party,
    code: &Code,
    host: &Party,
    offer: &mut Offer,
    mut change: impl FnMut(usize, &mut Vec<u8>),
) -> Outcome {
    let told = |error: &PairError| super::super::Message::Refusal(error.refusal()).to_bytes();
    let mut on_the_way = |n, mut bytes: Vec<u8>| {
        change(n, &mut bytes);
        bytes
    };
    let (waits, greeting) = guest.greets(code);
    let greeting = on_the_way(GREETING, greeting);
    let (answers, answer) = match offer.greeted(NOW, host.me(), &greeting, Fresh::new()) {
        Ok((answers, answer)) => (answers, answer),
        Err(error) => {
            let guest = waits.answered(&told(&error)).map(|_| unreachable!("a refusal"));
            return Outcome { guest, host: Err(error) };
        }
    };
    let (proves, proof): (Proving, _) = match waits.answered(&on_the_way(ANSWER, answer)) {
        Ok(both) => both,
        Err(error) => {
            let host = offer.proved(NOW, answers, &told(&error)).map(|(paired, _)| paired);
            return Outcome { guest: Err(error), host };
        }
    };
    match offer.proved(NOW, answers, &on_the_way(GUEST_PROOF, proof)) {
        Ok((paired, proof)) => {
            Outcome { guest: proves.proved(&on_the_way(HOST_PROOF, proof)), host: Ok(paired) }
        }
        Err(error) => Outcome { guest: proves.proved(&told(&error)), host: Err(error) },
    }
}
