//! [`PeerKey`]: who a host is, and [`Fingerprint`]: what of it people compare.

use std::{fmt, str::FromStr};

use ring::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

use super::letters;

/// An Ed25519 key as X.509 writes it, up to the key itself (RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Letters of a key: 32 bytes and two that check them.
const KEY_LETTERS: usize = 55;
const CHECK_BYTES: usize = 2;
const FINGERPRINT_BYTES: usize = 10;

/// The public key of a host, Ed25519.
///
/// As text it has 55 letters, of which the last tell a mistyped key from a right one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey([u8; 32]);

impl PeerKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        let [hash @ .., _] = self.hash();
        Fingerprint(*hash.first_chunk().expect("longer"))
    }

    /// As it stands in a handshake (RFC 7250).
    pub(super) fn to_spki(self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.0].concat()
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(b"afferent peer key\n");
        hash.update(&self.0);
        hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// The key that a finished handshake showed: quinn's `peer_identity` holds one certificate, which
/// is a raw public key (RFC 7250). `None` for whatever else.
pub fn peer_key(certificate: &CertificateDer<'_>) -> Option<PeerKey> {
    let key = certificate.as_ref().strip_prefix(&SPKI_HEAD)?;
    key.try_into().ok().map(PeerKey)
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = self.hash();
        f.write_str(&letters::write(&[&self.0[..], &check[..CHECK_BYTES]].concat()))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({})", self.fingerprint())
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTextError {
    /// A character that no key has.
    Letter(char),
    /// Too few or too many letters.
    Length,
    /// The last letters do not fit the others.
    Mistyped,
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter(letter) => write!(f, "no key has the character {letter:?}"),
            Self::Length => write!(f, "a key has {KEY_LETTERS} letters"),
            Self::Mistyped => f.write_str("the key is mistyped: its last letters do not fit"),
        }
    }
}

impl std::error::Error for KeyTextError {}

impl FromStr for PeerKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let plain = letters::plain(text, KEY_LETTERS);
        let plain = plain.map_err(|wrong| wrong.map_or(KeyTextError::Length, KeyTextError::Letter));
        let bytes = match plain? {
            plain if plain.len() == KEY_LETTERS => letters::read(&plain),
            _ => return Err(KeyTextError::Length),
        };
        let bytes = bytes.ok_or(KeyTextError::Mistyped)?;
        let key = Self(*bytes.first_chunk().expect("55 letters are 34 bytes"));
        let is_right = bytes[32..] == key.hash()[..CHECK_BYTES];
        is_right.then_some(key).ok_or(KeyTextError::Mistyped)
    }
}

/// 80 bits of a key's hash, as 16 letters in groups of four: short enough to read out, too many
/// for anybody to make another key that has the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&letters::grouped(&letters::write(&self.0)))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PeerKey {
        PeerKey::from_bytes(std::array::from_fn(|n| n as u8 * 7))
    }

    #[test]
    fn a_key_is_read_back_however_it_is_typed() {
        let text = key().to_string();
        assert_eq!(text.len(), KEY_LETTERS);

        assert_eq!(text.parse(), Ok(key()));
        assert_eq!(text.to_lowercase().replace('0', "o").parse(), Ok(key()));
        assert_eq!(letters::grouped(&text).parse(), Ok(key()));
    }

    #[test]
    fn a_mistyped_letter_is_noticed() {
        let text = key().to_string();
        for at in 0..text.len() {
            let mut typed = text.clone().into_bytes();
            typed[at] = if typed[at] == b'7' { b'8' } else { b'7' };
            let typed = String::from_utf8(typed).expect("ASCII");
            assert_eq!(typed.parse::<PeerKey>(), Err(KeyTextError::Mistyped), "letter {at}");
        }
        assert_eq!(text[1..].parse::<PeerKey>(), Err(KeyTextError::Length));
        assert_eq!(format!("{text}0").parse::<PeerKey>(), Err(KeyTextError::Length));
        assert_eq!("ü".parse::<PeerKey>(), Err(KeyTextError::Letter('ü')));
    }

    #[test]
    fn letters_of_keys_and_fingerprints_stay_as_they_are() {
        // People have written them down. Computed by hand from SHA-256 and Crockford's alphabet.
        assert_eq!(key().fingerprint().to_string(), "BCRF-9E34-YP94-MQ4X");
        assert_eq!(key().to_string(), "003GW58W4CN32E1Z8S6N8PV2D5R7EZM5HJ9SN8D8NYVBVH6BTBCNPC0");
    }

    #[test]
    fn a_handshake_shows_the_key_and_nothing_else_passes_for_one() {
        let spki = key().to_spki();
        assert_eq!(peer_key(&CertificateDer::from(spki.clone())), Some(key()));
        for len in 0..spki.len() {
            assert_eq!(peer_key(&CertificateDer::from(spki[..len].to_vec())), None);
        }
        assert_eq!(peer_key(&CertificateDer::from([&spki[..], &[0]].concat())), None);
    }
}
