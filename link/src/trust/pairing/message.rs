//! What the two sides of a pairing say.
//!
//! ```text
//! ┌───────────┬─────────┬──────┬────────┬──────────────────────────────────────────────┐
//! │ 'A' 'P'   │ version │ kind │ length │ body                                         │
//! │  2        │    1    │  1   │ 2      │ greeting: session 16, share 32, key 32, name │
//! └───────────┴─────────┴──────┴────────┤ answer: share 32, key 32, name               │
//!                                       │ proof: MAC 64, signature 64                  │
//!                                       │ refusal: reason 1                            │
//!                                       └──────────────────────────────────────────────┘
//! ```
//!
//! A name is a length of two bytes and the name. The head says how much to read before anything is
//! kept for it.

use std::fmt;

use engine::is_name;

use super::VERSION;
use crate::{
    trust::{PeerKey, peers::NAME_MAX},
    wire::{
        WireError,
        bytes::{Cursor, put_text},
    },
};

/// Bytes before a body.
pub(super) const HEAD: usize = 6;
const MAGIC: [u8; 2] = *b"AP";
const GREETING_MAX: usize = 16 + 32 + 32 + 2 + NAME_MAX;
/// Longest message, head included.
pub const MESSAGE_MAX: usize = HEAD + GREETING_MAX;

/// A message of a pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The guest's first word.
    Greeting {
        /// Names this exchange.
        session: [u8; 16],
        /// Its half.
        half: Said,
    },
    /// The host's first word.
    Answer(Said),
    /// The guest knows the code and holds its key.
    GuestProof(Proof),
    /// The host knows the code and holds its key.
    HostProof(Proof),
    /// One side gives up.
    Refusal(Refusal),
}

/// A side's share of the exchange, and who it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub(super) share: [u8; 32],
    pub(super) key: PeerKey,
    pub(super) name: String,
}

/// That a side knows the code, and holds the private half of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub(super) tag: [u8; 64],
    pub(super) signature: [u8; 64],
}

/// Why a side gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The codes differ.
    WrongCode = 1,
    /// No code is waiting: used, burned, or its time is over.
    Closed,
    /// What it heard has no meaning to it.
    Protocol,
    /// It does not speak our version.
    Version,
    /// We have its key.
    OwnKey,
    /// It cannot write its list of peers.
    Failed,
}

impl Refusal {
    const ALL: [Self; 6] =
        [Self::WrongCode, Self::Closed, Self::Protocol, Self::Version, Self::OwnKey, Self::Failed];
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongCode => "the code is wrong, and worth nothing now",
            Self::Closed => "no code is waiting there: used, burned by a wrong one, or too old",
            Self::Protocol => "it did not understand us",
            Self::Version => "it speaks another version of pairing; update the older side",
            Self::OwnKey => {
                "both sides have the same key; each user of each host has one of its own"
            }
            Self::Failed => "it cannot write its list of peers",
        })
    }
}

impl Said {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.share);
        out.extend_from_slice(self.key.as_bytes());
        put_text(out, &self.name);
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let (share, key) = (cursor.array()?, PeerKey::from_bytes(cursor.array()?));
        let name = cursor.text(NAME_MAX)?;
        // Names are shown on terminals and written to files.
        if !is_name(name) {
            let is = name.bytes().next().unwrap_or(0).into();
            return Err(WireError::Unknown { what: "a name that begins with byte", is });
        }
        Ok(Self { share, key, name: name.to_owned() })
    }

    /// What goes into the exchange as data of this side.
    pub(super) fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        super::lv(&mut data, self.key.as_bytes());
        super::lv(&mut data, self.name.as_bytes());
        data
    }
}

impl Message {
    /// The message as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MESSAGE_MAX);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.kind(), 0, 0]);
        match self {
            Self::Greeting { session, half } => {
                out.extend_from_slice(session);
                half.put(&mut out);
            }
            Self::Answer(half) => half.put(&mut out),
            Self::GuestProof(proof) | Self::HostProof(proof) => {
                out.extend_from_slice(&proof.tag);
                out.extend_from_slice(&proof.signature);
            }
            Self::Refusal(refusal) => out.push(*refusal as u8),
        }
        let len = u16::try_from(out.len() - HEAD).expect("messages are short");
        out[4..HEAD].copy_from_slice(&len.to_le_bytes());
        out
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Greeting { .. } => 1,
            Self::Answer(_) => 2,
            Self::GuestProof(_) => 3,
            Self::HostProof(_) => 4,
            Self::Refusal(_) => 5,
        }
    }

    /// Bytes of the body behind a head.
    ///
    /// # Errors
    /// What no message begins with, another version, and a length beyond that of any message.
    pub fn body_len(head: [u8; HEAD]) -> Result<usize, WireError> {
        let [a, p, version, _, low, high] = head;
        if [a, p] != MAGIC {
            let [is, wanted] = [[a, p], MAGIC].map(|word| u16::from_le_bytes(word).into());
            return Err(WireError::Differs { what: "the first word", is, wanted });
        }
        if version != VERSION {
            return Err(WireError::Version { theirs: version, oldest: VERSION, newest: VERSION });
        }
        let len = u16::from_le_bytes([low, high]).into();
        if len > GREETING_MAX {
            let (is, max) = (len as u64, GREETING_MAX as u64);
            return Err(WireError::TooLong { what: "the length of a message", is, max });
        }
        Ok(len)
    }

    /// Reads one message, which the bytes must be to the end.
    ///
    /// # Errors
    /// What has no meaning.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new("a message of a pairing", bytes);
        let head: [u8; HEAD] = cursor.array()?;
        let (len, left) = (Self::body_len(head)?, cursor.rest().len());
        if left != len {
            let (is, wanted) = (left as u64, len as u64);
            return Err(WireError::Differs { what: "the length of a message", is, wanted });
        }
        let message = match head[3] {
            1 => Self::Greeting { session: cursor.array()?, half: Said::read(&mut cursor)? },
            2 => Self::Answer(Said::read(&mut cursor)?),
            kind @ (3 | 4) => {
                let proof = Proof { tag: cursor.array()?, signature: cursor.array()? };
                if kind == 3 { Self::GuestProof(proof) } else { Self::HostProof(proof) }
            }
            5 => {
                let number = cursor.u8()?;
                let refusal = Refusal::ALL.get(usize::from(number).wrapping_sub(1)).copied();
                let unknown = WireError::Unknown { what: "a refusal", is: number.into() };
                Self::Refusal(refusal.ok_or(unknown)?)
            }
            kind => {
                return Err(WireError::Unknown { what: "the kind of a message", is: kind.into() });
            }
        };
        cursor.end()?;
        Ok(message)
    }
}
