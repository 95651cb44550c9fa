//! [`Endpoint`]: the socket, and how quinn is set up on it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    Dialer, Listener, Settings, Succession,
    control::Roomy,
    live::{DATAGRAMS_KEPT, URGENT_MAX},
};
use crate::{session::STREAMS_MAX, trust::ALPN};

/// One socket, for as many connections as one likes.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) inner: quinn::Endpoint,
    pub(super) settings: Settings,
}

/// Silence after which quinn forgets a connection that nobody has closed; sessions give up earlier.
const IDLE: Duration = Duration::from_secs(10);

/// Between two packets that tell callers of an endpoint before this one that it is gone: quinn's 20 ms would
/// keep the last of many waiting, and none is longer than the one that it answers.
const RESET_AFTER: Duration = Duration::from_millis(1);

/// Has packets of connections that an endpoint with the same secret had answered with a stateless reset
/// (RFC 9000, 10.3).
fn resets(config: &mut quinn::EndpointConfig, secret: &[u8; 32]) {
    let hash = |what: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        ring::hmac::sign(&key, what)
    };
    let ids = hash(b"connection ids");
    let ids = u64::from_le_bytes(ids.as_ref()[..8].try_into().expect("it has 32 bytes"));
    let tokens = hash(b"reset tokens");
    config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(ids)));
    let tokens = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, tokens.as_ref());
    config.reset_key(Arc::new(tokens)).min_reset_interval(RESET_AFTER);
}

impl Endpoint {
    /// Takes a socket at `address`, whose port may be 0. With `server`, others may call; its ALPN is set
    /// here. To be called within a tokio runtime, which drives the socket from then on.
    ///
    /// # Errors
    /// If the address cannot be had, or the configuration cannot be used with QUIC.
    pub fn bind(
        address: SocketAddr,
        server: Option<Arc<rustls::ServerConfig>>,
        settings: Settings,
    ) -> io::Result<Self> {
        let server = server.map(|server| server_config(server, &settings)).transpose()?;
        let socket = socket(address, settings.socket_bytes)?;
        let mut config = quinn::EndpointConfig::default();
        if let Some(Succession(secret)) = &settings.succession {
            resets(&mut config, secret);
        }
        let runtime = Arc::new(quinn::TokioRuntime);
        let inner = quinn::Endpoint::new(config, server, socket, runtime)?;
        Ok(Self { inner, settings })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Connections that are open, or closed and not forgotten yet.
    pub fn connections(&self) -> usize {
        self.inner.open_connections()
    }

    /// Accepts connections; to be asked for once.
    pub fn listener(&self) -> Listener {
        Listener::new(self.clone())
    }

    /// Calls `address`, where somebody must show a certificate that `client` accepts for `name`.
    ///
    /// # Errors
    /// If the configuration cannot be used with QUIC.
    pub fn dialer(
        &self,
        address: SocketAddr,
        name: &str,
        client: Arc<rustls::ClientConfig>,
    ) -> io::Result<Dialer> {
        let config = client_config(client, &self.settings)?;
        Ok(Dialer::new(self.clone(), address, name, config))
    }

    /// Ends all connections at once and waits until the other sides know, for as long as `most`.
    pub async fn close(&self, most: Duration) {
        self.inner.close(0u32.into(), b"closed");
        drop(tokio::time::timeout(most, self.inner.wait_idle()).await);
    }
}

/// A socket with room for what comes while nobody looks.
fn socket(address: SocketAddr, bytes: usize) -> io::Result<std::net::UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // The system may give less; it is no reason not to begin.
    let _ = socket.set_recv_buffer_size(bytes);
    let _ = socket.set_send_buffer_size(bytes);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn unusable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("cannot be used with QUIC: {error}"))
}

fn server_config(
    config: Arc<rustls::ServerConfig>,
    settings: &Settings,
) -> io::Result<quinn::ServerConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(config).map_err(unusable)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport(settings)));
    let limits = &settings.limits;
    config
        .max_incoming(limits.handshakes_max)
        .incoming_buffer_size(limits.handshake_bytes_max)
        .incoming_buffer_size_total(limits.handshake_bytes_total)
        .retry_token_lifetime(limits.retry_token_lifetime);
    Ok(config)
}

fn client_config(
    config: Arc<rustls::ClientConfig>,
    settings: &Settings,
) -> io::Result<quinn::ClientConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).map_err(unusable)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(settings)));
    Ok(config)
}

fn transport(settings: &Settings) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    config
        .max_idle_timeout(Some(IDLE.try_into().expect("short enough")))
        .max_concurrent_bidi_streams(0u32.into())
        .max_concurrent_uni_streams((STREAMS_MAX as u32).into())
        .stream_receive_window(settings.stream_bytes.into())
        .receive_window(settings.stream_bytes.into())
        .send_window(URGENT_MAX)
        .datagram_send_buffer_size(DATAGRAMS_KEPT)
        .datagram_receive_buffer_size(Some(settings.datagram_bytes))
        .congestion_controller_factory(Arc::new(Roomy))
        // What is lost of a handshake is sent again after three times this.
        .initial_rtt(Duration::from_millis(100));
    config
}
