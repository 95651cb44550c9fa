//! [`Offer`]: the side that shows the code.

use engine::Timestamp;

use super::{
    Agreed, Code, Fresh, Introduction, PairError, Paired, Role,
    cpace::{Half, transcript},
    message::{Message, Said},
};

/// What both sides know before they speak: what this is, and that the guest speaks first.
pub(super) const CONTEXT: &[u8] = b"afferent pairing 1, guest to host";
/// Most who may greet while a code waits; they cost 0.2 ms each, and prove nothing.
pub const GREETINGS_MAX: u32 = 1_000;

/// A code that waits for a guest. Several may greet at once; the first right proof uses it, the
/// first wrong one burns it.
#[derive(Debug)]
pub struct Offer {
    code: Code,
    until: Timestamp,
    greetings: u32,
    /// Why it is no longer open, if it is not.
    closed: Option<PairError>,
}

/// A host that has answered one guest and waits for its proof.
pub struct Host<'a> {
    me: Introduction<'a>,
    agreed: Agreed,
    other: Said,
}

impl Offer {
    /// Offers a code until a moment.
    pub const fn new(code: Code, until: Timestamp) -> Self {
        Self { code, until, greetings: 0, closed: None }
    }

    /// Whether a guest could still use the code.
    ///
    /// # Errors
    /// Why not.
    pub fn is_open(&self, now: Timestamp) -> Result<(), PairError> {
        match &self.closed {
            Some(why) => Err(why.clone()),
            None if now >= self.until => Err(PairError::Expired),
            None => Ok(()),
        }
    }

    /// Takes a guest's greeting, and gives the answer to send. Neither proves nor burns anything.
    ///
    /// # Errors
    /// What is no greeting, our own key, and a code that is open no more.
    pub fn greeted<'a>(
        &mut self,
        now: Timestamp,
        me: Introduction<'a>,
        bytes: &[u8],
        fresh: Fresh,
    ) -> Result<(Host<'a>, Vec<u8>), PairError> {
        self.is_open(now)?;
        let (session, other) = match Message::read(bytes)? {
            Message::Greeting { session, half } => (session, half),
            Message::Refusal(refusal) => return Err(PairError::Refused(refusal)),
            _ => return Err(PairError::OutOfTurn),
        };
        if other.key == me.identity.key() {
            return Err(PairError::OwnKey);
        }
        if self.greetings >= GREETINGS_MAX {
            self.closed = Some(PairError::TooMany);
            return Err(PairError::TooMany);
        }
        self.greetings += 1;
        let half = Half::new(self.code.as_bytes(), CONTEXT, &session, &fresh.secret);
        let said = Said { share: half.share, key: me.identity.key(), name: me.name.to_owned() };
        let transcript = transcript((&other.share, &other.data()), (&said.share, &said.data()));
        let shared = half.finish(&session, &other.share, &transcript);
        let shared = shared.ok_or(PairError::NoPoint)?;
        let agreed = Agreed::new(session, transcript, &shared);
        Ok((Host { me, agreed, other }, Message::Answer(said).to_bytes()))
    }

    /// Takes the guest's proof: if it is right, the guest is who it says it is, the code is used, and
    /// there is a proof to send, once the guest is listed here.
    ///
    /// # Errors
    /// What is no proof; a wrong one, which burns the code; a code that is open no more.
    pub fn proved(
        &mut self,
        now: Timestamp,
        host: Host<'_>,
        bytes: &[u8],
    ) -> Result<(Paired, Vec<u8>), PairError> {
        self.is_open(now)?;
        let proof = match Message::read(bytes)? {
            Message::GuestProof(proof) => proof,
            Message::Refusal(refusal) => return Err(PairError::Refused(refusal)),
            _ => return Err(PairError::OutOfTurn),
        };
        if let Err(wrong) = host.agreed.check(Role::Guest, &proof, host.other.key) {
            self.closed = Some(PairError::Burned);
            return Err(wrong);
        }
        self.closed = Some(PairError::Used);
        let proof = Message::HostProof(host.agreed.proof(Role::Host, host.me.identity));
        Ok((Paired { key: host.other.key, name: host.other.name }, proof.to_bytes()))
    }
}
