//! The rival: quinn as it is, with the same socket buffers, each side on a thread of its own with a
//! current-thread runtime.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::common::{Certificates, SOCKET_BYTES, latencies, side};

fn transport() -> Arc<quinn::TransportConfig> {
    let mut config = quinn::TransportConfig::default();
    config.datagram_send_buffer_size(8 << 20).datagram_receive_buffer_size(Some(8 << 20));
    Arc::new(config)
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    let buffers = socket2::SockRef::from(&socket);
    drop(buffers.set_recv_buffer_size(SOCKET_BYTES));
    drop(buffers.set_send_buffer_size(SOCKET_BYTES));
    socket
}

fn endpoint(server: Option<quinn::ServerConfig>) -> quinn::Endpoint {
    let config = quinn::EndpointConfig::default();
    quinn::Endpoint::new(config, server, socket(), Arc::new(quinn::TokioRuntime)).expect("a socket")
}

/// Runs both sides to their ends, each with its connection; gives what the caller's gives.
fn run<T, S, C>(
    server: impl FnOnce(quinn::Connection) -> S + Send + 'static,
    client: impl FnOnce(quinn::Connection) -> C,
) -> T
where
    S: Future<Output = ()>,
    C: Future<Output = T>,
{
    let certificates = Certificates::new();
    let (server_tls, client_tls) = (certificates.server, certificates.client);
    let (tell, hear) = mpsc::channel::<SocketAddr>();
    let there = std::thread::spawn(move || {
        side(async move {
            let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(server_tls);
            let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto.expect("TLS 1.3")));
            config.transport_config(transport());
            let endpoint = endpoint(Some(config));
            tell.send(endpoint.local_addr().expect("bound")).expect("the caller waits");
            let incoming = endpoint.accept().await.expect("open");
            server(incoming.await.expect("the caller is known")).await;
        });
    });
    let address = hear.recv().expect("the other side runs");
    let got = side(async move {
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(client_tls);
        let mut config = quinn::ClientConfig::new(Arc::new(crypto.expect("TLS 1.3")));
        config.transport_config(transport());
        let endpoint = endpoint(None);
        let call = endpoint.connect_with(config, address, "cloud").expect("possible");
        let connection = call.await.expect("the other side answers");
        let got = client(connection.clone()).await;
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        got
    });
    there.join().expect("no panic");
    got
}

/// Round trips of a datagram, one at a time: p50 and p99 in microseconds.
pub(crate) fn echo(count: usize, bytes: usize) -> [f64; 2] {
    let serve = async |connection: quinn::Connection| {
        while let Ok(datagram) = connection.read_datagram().await {
            drop(connection.send_datagram(datagram));
        }
    };
    run(serve, async move |connection| {
        // As a graph does, each message is made anew.
        let content = vec![7; bytes];
        let mut ns = Vec::with_capacity(count);
        for n in 0..count + count / 10 {
            let began = Instant::now();
            connection.send_datagram(Bytes::copy_from_slice(&content)).expect("it fits");
            let back = tokio::time::timeout(Duration::from_millis(200), connection.read_datagram());
            if let Ok(back) = back.await {
                assert_eq!(back.expect("connected").len(), bytes);
                if n >= count / 10 {
                    ns.push(began.elapsed().as_nanos() as f64);
                }
            }
        }
        latencies(ns)
    })
}

/// Datagrams that arrive a second, sent as fast as they are taken, for so long.
pub(crate) fn rate(span: Duration, bytes: usize) -> f64 {
    let (tell, hear) = mpsc::channel();
    let serve = async move |connection: quinn::Connection| {
        let (mut count, mut first, mut last) = (0u64, None, Instant::now());
        while let Ok(datagram) = connection.read_datagram().await {
            assert_eq!(datagram.len(), bytes);
            last = Instant::now();
            first.get_or_insert(last);
            count += 1;
        }
        let took = first.map_or(f64::NAN, |first| (last - first).as_secs_f64());
        tell.send(count as f64 / took).expect("somebody waits");
    };
    run(serve, async move |connection| {
        let content = vec![7; bytes];
        let began = Instant::now();
        while began.elapsed() < span {
            for _ in 0..32 {
                let datagram = Bytes::copy_from_slice(&content);
                connection.send_datagram_wait(datagram).await.expect("it fits");
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    hear.recv().expect("it was measured")
}

/// Bytes a second on one stream.
pub(crate) fn bulk(total: usize, piece: usize) -> f64 {
    let (tell, hear) = mpsc::channel();
    let serve = async move |connection: quinn::Connection| {
        let mut stream = connection.accept_uni().await.expect("one is opened");
        let (mut buffer, mut read) = (vec![0; piece], 0);
        let began = Instant::now();
        while stream.read_exact(&mut buffer).await.is_ok() {
            read += piece;
        }
        assert_eq!(read, total / piece * piece);
        tell.send(read as f64 / began.elapsed().as_secs_f64()).expect("somebody waits");
        connection.closed().await;
    };
    run(serve, async move |connection| {
        let content = vec![7; piece];
        let mut stream = connection.open_uni().await.expect("allowed");
        for _ in 0..total / piece {
            stream.write_all(&content).await.expect("connected");
        }
        stream.finish().expect("open");
        drop(stream.stopped().await);
    });
    hear.recv().expect("it was measured")
}
