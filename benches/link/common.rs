//! What both rivals share: certificates, runtimes, quantiles.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// Bytes of a socket's buffers, both ways.
pub(crate) const SOCKET_BYTES: usize = 4 << 20;

/// Runs one side on this thread.
pub(crate) fn side<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(work)
}

/// Certificates made for one measurement.
pub(crate) struct Certificates {
    pub(crate) server: Arc<rustls::ServerConfig>,
    pub(crate) client: Arc<rustls::ClientConfig>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["cloud".to_owned()]).expect("a name");
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = &[&rustls::version::TLS13];
        let server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .expect("ring knows it")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .expect("they fit");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("ring knows it")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: Arc::new(server), client: Arc::new(client) }
    }
}

/// p50 and p99 in microseconds.
pub(crate) fn latencies(mut ns: Vec<f64>) -> [f64; 2] {
    ns.sort_by(f64::total_cmp);
    [0.5, 0.99].map(|share| super::support::quantile(&ns, share) / 1e3)
}
