//! Pairing: two hosts that share a code of 12 letters, once, learn each other's key for good.
//!
//! ```text
//!  guest: types the code                              host: shows the code
//!     │  greeting: session, share, key, name ───────────▶ │
//!     │ ◀─────────────────────── answer: share, key, name │
//!     │  proof: MAC, signature ─────────────────────────▶ │  wrong: the code is burned
//!     │                                                   │  right: the guest is listed, the code used
//!     │ ◀─────────────────────────── proof: MAC, signature │
//!  the host is listed
//! ```
//!
//! The exchange is CPace, a balanced PAKE, over ristretto255 with SHA-512, as
//! draft-irtf-cfrg-cpace-21 has it (<https://datatracker.ietf.org/doc/draft-irtf-cfrg-cpace/>;
//! analysed in <https://eprint.iacr.org/2021/114>). Whoever listens learns nothing about the code;
//! whoever takes part may try one code per exchange, and a wrong one burns it. It was taken over the
//! crate `spake2`, whose last release is of 2023, which differs from RFC 9382, and which checks no
//! group: here everything but the group is on these pages, checked by the draft's own vectors.
//!
//! Both keys and names are authenticated data of the exchange, and the roles are part of its
//! context and of both proofs. So a man in the middle can only pass everything on unchanged, and
//! nothing can be played back, to the same side or the other, since each side's share is fresh.
//! The signature proves that a side holds the private half of the key that it shows. Nothing else
//! goes over the connection, which therefore needs no protection of its own.
//!
//! The guest proves first: who only connects learns nothing and burns nothing, and who guesses must
//! show the guess before it hears whether it was right.
//!
//! The state machines have neither socket nor clock; [`talk`] puts them on a stream of bytes.

mod code;
mod cpace;
mod guest;
mod message;
mod offer;
pub mod talk;

#[cfg(test)]
mod tests;

use std::fmt;

use ring::{
    digest::{SHA512, digest},
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use zeroize::Zeroizing;

pub use code::{CODE_LETTERS, Code, CodeTextError};
pub use guest::{Guest, Proving};
pub use message::{MESSAGE_MAX, Message, Refusal};
pub use offer::{GREETINGS_MAX, Host, Offer};

use super::{Identity, PeerKey, identity::fill};
use crate::wire::WireError;
use cpace::lv;
use message::Proof;

/// The version of pairing that is spoken here.
pub const VERSION: u8 = 1;

/// What a side says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Introduction<'a> {
    /// Its key.
    pub identity: &'a Identity,
    /// What it calls itself: a name as peers have them.
    pub name: &'a str,
}

/// The other side of a pairing that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Its key, proved.
    pub key: PeerKey,
    /// What it calls itself.
    pub name: String,
}

/// Why a pairing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairError {
    /// What came is no message of a pairing.
    Malformed(WireError),
    /// A message came out of turn.
    OutOfTurn,
    /// The other side's share is no point of the group, or one that would make the secret known to
    /// all. It fits no code, so it is no guess.
    NoPoint,
    /// The other side does not know the code, or somebody stands between.
    WrongCode,
    /// The other side showed our own key.
    OwnKey,
    /// The code's time is over.
    Expired,
    /// The code was used.
    Used,
    /// Somebody tried another code: this one is worth nothing now.
    Burned,
    /// Too many have begun and not gone on.
    TooMany,
    /// The other side gave up.
    Refused(Refusal),
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "what came is no pairing: {error}"),
            Self::OutOfTurn => f.write_str("a message came out of turn"),
            Self::NoPoint => f.write_str("what came is no share of an exchange"),
            Self::WrongCode => {
                f.write_str("the codes differ, or somebody stands between the two hosts")
            }
            Self::OwnKey => f.write_str("the other side has our own key"),
            Self::Expired => f.write_str("the code's time is over"),
            Self::Used => f.write_str("the code was used already"),
            Self::Burned => f.write_str("a wrong code was tried, so this one is worth nothing now"),
            Self::TooMany => f.write_str("too many have knocked and not gone on"),
            Self::Refused(refusal) => write!(f, "the other side refused: {refusal}"),
        }
    }
}

impl std::error::Error for PairError {}

impl From<WireError> for PairError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl PairError {
    /// What the other side is told. Before it has proved anything it learns no more than that there is
    /// nothing for it here.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Malformed(WireError::Version { .. }) => Refusal::Version,
            Self::Malformed(_) | Self::OutOfTurn | Self::NoPoint => Refusal::Protocol,
            Self::WrongCode => Refusal::WrongCode,
            Self::OwnKey => Refusal::OwnKey,
            Self::Expired | Self::Used | Self::Burned | Self::TooMany | Self::Refused(_) => {
                Refusal::Closed
            }
        }
    }
}

/// Random bytes for one exchange. To be used once.
#[derive(Debug)]
pub struct Fresh {
    session: [u8; 16],
    secret: Zeroizing<[u8; 64]>,
}

impl Fresh {
    /// From the system.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut fresh = Self { session: [0; 16], secret: Zeroizing::new([0; 64]) };
        fill(&mut fresh.session);
        fill(&mut *fresh.secret);
        fresh
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Guest,
    Host,
}

impl Role {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Guest => b"guest",
            Self::Host => b"host",
        }
    }
}

/// What both sides know once both shares are there: who said what, and a key that they share if
/// they have the same code.
struct Agreed {
    session: [u8; 16],
    transcript: Vec<u8>,
    mac: hmac::Key,
}

impl Agreed {
    fn new(session: [u8; 16], transcript: Vec<u8>, shared: &[u8; 64]) -> Self {
        // As the draft derives a key for confirmation.
        let key = Zeroizing::new([b"CPaceMac", &session[..], shared].concat());
        let key = digest(&SHA512, &key);
        let mac = hmac::Key::new(hmac::HMAC_SHA512, key.as_ref());
        Self { session, transcript, mac }
    }

    /// What a side proves: that it knows the code, and everything that was said, in this role.
    fn claim(&self, role: Role) -> Vec<u8> {
        let mut claim = Vec::new();
        lv(&mut claim, role.name());
        lv(&mut claim, &self.transcript);
        claim
    }

    /// What a side signs. No signature of TLS begins like this.
    fn signed(&self, role: Role) -> Vec<u8> {
        let mut signed = b"afferent pairing 1, signed by the ".to_vec();
        lv(&mut signed, role.name());
        lv(&mut signed, &self.session);
        lv(&mut signed, digest(&SHA512, &self.transcript).as_ref());
        signed
    }

    fn proof(&self, role: Role, identity: &Identity) -> Proof {
        let tag = hmac::sign(&self.mac, &self.claim(role));
        let tag = tag.as_ref().try_into().expect("SHA-512 has 64 bytes");
        Proof { tag, signature: identity.sign(&self.signed(role)) }
    }

    /// The MAC first, in constant time: nothing is learned from a signature without the code.
    fn check(&self, role: Role, proof: &Proof, key: PeerKey) -> Result<(), PairError> {
        let mac = hmac::verify(&self.mac, &self.claim(role), &proof.tag);
        let key = UnparsedPublicKey::new(&ED25519, key.as_bytes());
        let both = mac.and_then(|()| key.verify(&self.signed(role), &proof.signature));
        both.map_err(|_| PairError::WrongCode)
    }
}
