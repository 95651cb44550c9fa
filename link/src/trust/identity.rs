//! [`Identity`]: the key of this host and user, made on first run.

use std::{fmt, path::Path, sync::Arc};

use data_encoding::BASE64;
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};
use rustls::{
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use zeroize::{Zeroize, Zeroizing};

use super::{PeerKey, TrustError, files};

/// Name of its file.
const FILE: &str = "identity.key";
/// Twenty times what is written.
const FILE_BYTES_MAX: usize = 4_096;
/// An Ed25519 private key in PKCS #8, up to the seed itself (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const SEED_BYTES: usize = 32;
const PKCS8_BYTES: usize = PKCS8_HEAD.len() + SEED_BYTES;

/// The key of this host and user. All processes of one user share it.
pub struct Identity {
    pair: Ed25519KeyPair,
    key: PeerKey,
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads the key from the folder, and makes folder and key if they are not there. Processes that
    /// start at once get the same key.
    ///
    /// The file is PEM, as `openssl pkey` reads it.
    ///
    /// # Errors
    /// What the system says; a key that others may read or that belongs to another user, a folder that others may write to, a file
    /// that is no key. None of them is ever replaced.
    pub fn open(folder: &Path) -> Result<Self, TrustError> {
        files::make_folder(folder)?;
        let path = folder.join(FILE);
        if let Some(identity) = Self::read(&path)? {
            return Ok(identity);
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        fill(&mut *seed);
        files::create(&path, pem(&seed).as_bytes())?;
        // What is in the file counts, by whomever it was made.
        let read = Self::read(&path)?;
        read.ok_or_else(|| TrustError::io("read", &path)(std::io::ErrorKind::NotFound.into()))
    }

    fn read(path: &Path) -> Result<Option<Self>, TrustError> {
        let Some(text) = files::read(path, FILE_BYTES_MAX, 0o077)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let broken = |why: &str| TrustError::Broken {
            path: path.to_owned(),
            line: None,
            why: why.to_owned(),
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text)
            .map_err(|_| broken("this is no private key in PEM"))?;
        let seed = der.secret_pkcs8_der().strip_prefix(&PKCS8_HEAD);
        let seed = seed.and_then(|seed| <&[u8; SEED_BYTES]>::try_from(seed).ok());
        seed.map(Self::from_seed)
            .ok_or_else(|| broken("this is no Ed25519 key without extras (PKCS #8, version 1)"))
            .map(Some)
    }

    /// The key that belongs to a seed. For tests: an identity on disk is made by [`Identity::open`].
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        let key = pair.public_key().as_ref().try_into().expect("Ed25519 keys have 32 bytes");
        let key = PeerKey::from_bytes(key);
        let der = pkcs8(seed);
        let der = PrivatePkcs8KeyDer::from(&der[..]);
        let signing = rustls::crypto::ring::sign::any_eddsa_type(&der).expect("as ring read it");
        let raw = CertificateDer::from(key.to_spki());
        Self { pair, key, certified: Arc::new(CertifiedKey::new(vec![raw], signing)) }
    }

    /// The public half.
    pub const fn key(&self) -> PeerKey {
        self.key
    }

    /// Signs a message, 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().expect("Ed25519 signatures have 64 bytes")
    }

    /// A secret for one purpose, the same each time. What is signed for it can be no signature of TLS, whose
    /// messages begin with 64 blanks.
    pub(crate) fn secret(&self, purpose: &str) -> [u8; 32] {
        let signed = self.pair.sign(format!("afferent secret: {purpose}").as_bytes());
        let hash = ring::digest::digest(&ring::digest::SHA256, signed.as_ref());
        hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// What TLS shows and signs with.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

/// Random bytes from the system.
pub(super) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the system has random bytes");
}

fn pkcs8(seed: &[u8; SEED_BYTES]) -> Zeroizing<[u8; PKCS8_BYTES]> {
    let mut der = Zeroizing::new([0; PKCS8_BYTES]);
    der[..PKCS8_HEAD.len()].copy_from_slice(&PKCS8_HEAD);
    der[PKCS8_HEAD.len()..].copy_from_slice(seed);
    der
}

fn pem(seed: &[u8; SEED_BYTES]) -> Zeroizing<String> {
    // 48 bytes are one line of 64 letters.
    let mut line = BASE64.encode(&*pkcs8(seed));
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    line.zeroize();
    Zeroizing::new(pem)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The private half is never shown.
        f.debug_struct("Identity").field("key", &self.key).finish_non_exhaustive()
    }
}
