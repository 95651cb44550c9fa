//! [`Guest`]: the side that types the code.

use super::{
    Agreed, Code, Fresh, Introduction, PairError, Paired, Role,
    cpace::{Half, transcript},
    message::{Message, Said},
    offer::CONTEXT,
};

/// A guest that has greeted and waits for the answer.
pub struct Guest<'a> {
    me: Introduction<'a>,
    session: [u8; 16],
    half: Half,
    said: Said,
}

/// A guest that has shown its proof and waits for the host's.
pub struct Proving {
    agreed: Agreed,
    other: Said,
}

impl<'a> Guest<'a> {
    /// Begins, with the greeting to send.
    pub fn new(me: Introduction<'a>, code: &Code, fresh: Fresh) -> (Self, Vec<u8>) {
        let session = fresh.session;
        let half = Half::new(code.as_bytes(), CONTEXT, &session, &fresh.secret);
        let said = Said { share: half.share, key: me.identity.key(), name: me.name.to_owned() };
        let greeting = Message::Greeting { session, half: said.clone() }.to_bytes();
        (Self { me, session, half, said }, greeting)
    }

    /// Takes the host's answer, and gives the proof to send. Whoever answered can try one code by it:
    /// a code is not to be typed again once this side has failed.
    ///
    /// # Errors
    /// What is no answer, and our own key.
    pub fn answered(self, bytes: &[u8]) -> Result<(Proving, Vec<u8>), PairError> {
        let other = match Message::read(bytes)? {
            Message::Answer(other) => other,
            Message::Refusal(refusal) => return Err(PairError::Refused(refusal)),
            _ => return Err(PairError::OutOfTurn),
        };
        if other.key == self.me.identity.key() {
            return Err(PairError::OwnKey);
        }
        let transcript =
            transcript((&self.said.share, &self.said.data()), (&other.share, &other.data()));
        let shared = self.half.finish(&self.session, &other.share, &transcript);
        let shared = shared.ok_or(PairError::NoPoint)?;
        let agreed = Agreed::new(self.session, transcript, &shared);
        let proof = Message::GuestProof(agreed.proof(Role::Guest, self.me.identity));
        Ok((Proving { agreed, other }, proof.to_bytes()))
    }
}

impl Proving {
    /// Takes the host's proof: if it is right, the host is who it says it is.
    ///
    /// # Errors
    /// What is no proof, and a wrong one.
    pub fn proved(self, bytes: &[u8]) -> Result<Paired, PairError> {
        let proof = match Message::read(bytes)? {
            Message::HostProof(proof) => proof,
            Message::Refusal(refusal) => return Err(PairError::Refused(refusal)),
            _ => return Err(PairError::OutOfTurn),
        };
        self.agreed.check(Role::Host, &proof, self.other.key)?;
        Ok(Paired { key: self.other.key, name: self.other.name })
    }
}
