//! TLS 1.3 in which both sides show their key and nothing but pinned keys pass.
//!
//! Keys are shown raw (RFC 7250): there is no certificate that could say more than the key does, and
//! none to read. No session is taken up again without a new handshake, so a peer that was removed is
//! a stranger from its next connection on.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};

use super::{Expected, Identity, PeerKey, Peers, Reach, TrustError, peer_key, refused::Unwelcome};

/// What both sides say first of all, so that no other protocol is taken for ours. Versions are agreed
/// later, by hello.
pub const ALPN: &[u8] = b"afferent";

/// The name to give to TLS for any host: keys say who a host is, names do not.
pub const SERVER_NAME: &str = "afferent";

/// How to call a host of which the key is known.
pub fn client_config(identity: &Identity, expected: Expected) -> Arc<ClientConfig> {
    let pins = Pins { who: Who::Expected(expected), provider: provider() };
    let mut config = ClientConfig::builder_with_provider(pins.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pins))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            identity.certified(),
        )));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Arc::new(config)
}

/// How to be called by the peers of a list, which is asked anew for each handshake; and, where only
/// this machine [reaches](Reach) us, by processes with our own key.
pub fn server_config(identity: &Identity, peers: Arc<Peers>, reach: Reach) -> Arc<ServerConfig> {
    let who = Who::Listed { peers, own: identity.key(), reach };
    let pins = Pins { who, provider: provider() };
    let mut config = ServerConfig::builder_with_provider(pins.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_client_cert_verifier(Arc::new(pins))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// ring, whatever else a program has installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Looks at keys alone.
struct Pins {
    who: Who,
    provider: Arc<CryptoProvider>,
}

enum Who {
    Expected(Expected),
    Listed { peers: Arc<Peers>, own: PeerKey, reach: Reach },
}

impl Pins {
    fn check(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !more.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        let key = peer_key(shown).ok_or(CertificateError::BadEncoding)?;
        let unwelcome = match &self.who {
            Who::Expected(expected) => match expected.contains(key) {
                Ok(true) => return Ok(()),
                // Where all that were listed are removed, nobody is expected.
                Ok(false) | Err(TrustError::NoSuchPeer { .. }) => {
                    return Err(CertificateError::ApplicationVerificationFailure.into());
                }
                Err(_) => Unwelcome::List,
            },
            Who::Listed { own, reach: Reach::Machine, .. } if *own == key => return Ok(()),
            Who::Listed { peers, own, .. } => match peers.with_key(key) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if *own == key => Unwelcome::Copy(key),
                Ok(None) => Unwelcome::Stranger(key),
                // What is wrong with it, and where, is for our own user and not for strangers.
                Err(_) => Unwelcome::List,
            },
        };
        Err(CertificateError::Other(OtherError(Arc::new(unwelcome))).into())
    }

    fn check_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pins").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Pins {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pins {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
