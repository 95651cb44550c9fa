//! QUIC between hosts that know each other, and others: over real sockets, with keys of their own.

use std::{net::SocketAddr, sync::Arc, time::Duration, time::UNIX_EPOCH};

use link::{
    driver::{Calls, Connection},
    quic::{Arrival, Dialer, Endpoint, Listener, Settings, TurnedAway},
    session::StreamKey,
    testing::Random,
    trust::{
        Expected, Identity, Limits, Peers, Reach, Reason, SERVER_NAME, client_config, peer_key,
        server_config,
    },
    wire::{Hello, Message, NEWEST, OLDEST, put_preamble},
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// Guards against a test that hangs; nothing is measured with it.
const LONG: Duration = Duration::from_secs(60);
const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

/// The host that is called: it trusts host 1.
struct Cloud {
    _home: TempDir,
    peers: Arc<Peers>,
    endpoint: Endpoint,
}

impl Cloud {
    fn new(limits: Limits) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let peers = Arc::new(Peers::at(home.path()));
        peers.add("edge", identity(1).key(), UNIX_EPOCH, "by hand").expect("added");
        let server = server_config(&identity(2), peers.clone(), Reach::Network);
        let settings = Settings { limits, ..Settings::default() };
        let endpoint = Endpoint::bind(LOOPBACK.into(), Some(server), settings).expect("free");
        Self { _home: home, peers, endpoint }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().expect("bound")
    }
}

/// Host `n`, who expects host `expected`, calls.
fn dialer(n: u8, expected: u8, address: SocketAddr) -> Dialer {
    let endpoint = Endpoint::bind(LOOPBACK.into(), None, Settings::default()).expect("free");
    let client = client_config(&identity(n), Expected::key(identity(expected).key()));
    endpoint.dialer(address, SERVER_NAME, client).expect("usable")
}

async fn call(dialer: &mut Dialer) -> Result<Box<dyn Connection>, String> {
    dialer.call();
    std::future::poll_fn(|context| dialer.poll_connection(context)).await
}

/// Says hello, as who calls does first.
fn greets(connection: &mut dyn Connection) {
    let (graph, session) = ([1; 16], [2; 16]);
    let hello =
        Hello { newest: NEWEST, oldest: OLDEST, graph, session, life: 1, edges: Vec::new() };
    let mut bytes = Vec::new();
    put_preamble(&mut bytes, OLDEST);
    Message::Hello(Box::new(hello)).put(&mut bytes, 0);
    connection.stream(StreamKey::Control, bytes.into(), 3, false);
}

/// Waits until the other side has closed it.
async fn is_closed(connection: &mut dyn Connection) {
    loop {
        let down = std::future::poll_fn(|context| {
            connection
                .poll_event(context)
                .map(|event| matches!(event, link::driver::Event::Down(_)))
        });
        if down.await {
            return;
        }
    }
}

/// Calls and greets until somebody arrives.
async fn arrives(listener: &mut Listener, dialer: &mut Dialer) -> (Box<dyn Connection>, Arrival) {
    let calls = async {
        let mut connection = call(dialer).await.expect("they know each other");
        greets(&mut *connection);
        connection
    };
    let (connection, arrival) = tokio::join!(calls, listener.accept());
    (connection, arrival.expect("the endpoint is open"))
}

async fn guarded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("it ends")
}

#[tokio::test]
async fn who_is_listed_gets_in_and_shows_its_key() {
    let cloud = Cloud::new(Limits::default());
    let mut listener = cloud.endpoint.listener();
    let mut edge = dialer(1, 2, cloud.address());

    let (_connection, arrival) = guarded(arrives(&mut listener, &mut edge)).await;

    let shown = CertificateDer::from(arrival.peer.expect("it was asked for"));
    assert_eq!(peer_key(&shown), Some(identity(1).key()));
}

#[tokio::test]
async fn strangers_do_not_get_in_and_keep_nobody_out() {
    let cloud = Cloud::new(Limits { handshakes_max: 8, ..Limits::default() });
    let mut listener = cloud.endpoint.listener();
    let address = cloud.address();
    guarded(async {
        let accepts = async { listener.accept().await };
        let strangers = async {
            for n in 3..40 {
                // To the client the handshake may look done before the server has seen its key.
                if let Ok(mut connection) = call(&mut dialer(n, 2, address)).await {
                    greets(&mut *connection);
                    is_closed(&mut *connection).await;
                }
            }
            // Whoever expects another host than this one does not talk to it.
            assert!(call(&mut dialer(1, 9, address)).await.is_err());
        };
        tokio::select! {
            arrival = accepts => panic!("{:?} got in", arrival.map(|arrival| arrival.peer)),
            () = strangers => {}
        }
    })
    .await;
    guarded(arrives(&mut listener, &mut dialer(1, 2, address))).await;
}

#[tokio::test]
async fn who_was_removed_is_a_stranger_from_its_next_connection_on() {
    let cloud = Cloud::new(Limits::default());
    let mut listener = cloud.endpoint.listener();
    let mut edge = dialer(1, 2, cloud.address());
    guarded(arrives(&mut listener, &mut edge)).await;

    cloud.peers.remove("edge").expect("there");

    guarded(async {
        let again = async {
            if let Ok(mut connection) = call(&mut edge).await {
                greets(&mut *connection);
                is_closed(&mut *connection).await;
            }
        };
        tokio::select! {
            _ = listener.accept() => panic!("it got in"),
            () = again => {}
        }
    })
    .await;
}

#[tokio::test]
async fn under_load_addresses_are_proved_first() {
    let cloud = Cloud::new(Limits { retry_above: 0, ..Limits::default() });
    let mut listener = cloud.endpoint.listener();

    guarded(arrives(&mut listener, &mut dialer(1, 2, cloud.address()))).await;

    let refused = listener.refused();
    assert_eq!(
        (refused.retried, refused.of(Reason::Source)),
        (1, 0),
        "it came back with its token"
    );
}

#[tokio::test]
async fn a_peer_has_its_share_of_connections_and_no_more() {
    let cloud = Cloud::new(Limits { connections_per_peer: 2, ..Limits::default() });
    let mut listener = cloud.endpoint.listener();
    let mut edge = dialer(1, 2, cloud.address());
    let first = guarded(arrives(&mut listener, &mut edge)).await;
    let _second = guarded(arrives(&mut listener, &mut edge)).await;

    guarded(async {
        let third = async {
            let mut connection = call(&mut edge).await.expect("it is known");
            greets(&mut *connection);
            is_closed(&mut *connection).await;
        };
        tokio::select! {
            _ = listener.accept() => panic!("a third"),
            () = third => {}
        }
    })
    .await;
    assert_eq!(listener.refused().of(Reason::Quota), 1);

    drop(first);
    guarded(arrives(&mut listener, &mut edge)).await;
}

#[tokio::test]
async fn who_says_nothing_is_given_up() {
    let limits = Limits { handshake_timeout: Duration::from_millis(50), ..Limits::default() };
    let cloud = Cloud::new(limits);
    let mut listener = cloud.endpoint.listener();
    let mut edge = dialer(1, 2, cloud.address());

    guarded(async {
        let silent = async {
            let mut connection = call(&mut edge).await.expect("it is known");
            is_closed(&mut *connection).await;
        };
        tokio::select! {
            _ = listener.accept() => panic!("it has not said who it is"),
            () = silent => {}
        }
    })
    .await;
    assert_eq!(listener.refused().of(Reason::Silent), 1);
}

#[tokio::test]
async fn noise_keeps_nobody_out() {
    let cloud = Cloud::new(Limits { handshakes_max: 8, ..Limits::default() });
    let mut listener = cloud.endpoint.listener();
    let noise = tokio::net::UdpSocket::bind(SocketAddr::from(LOOPBACK)).await.expect("free");
    let mut random = Random::new(7);
    for _ in 0..2_000 {
        let len = 1 + random.below(1_400) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| random.next_u64() as u8).collect();
        // Every other one looks like the first packet of a connection of version 1.
        if random.happens(0.5) && len > 5 {
            bytes[..5].copy_from_slice(&[0xc3, 0, 0, 0, 1]);
        }
        noise.send_to(&bytes, cloud.address()).await.expect("loopback");
    }

    guarded(arrives(&mut listener, &mut dialer(1, 2, cloud.address()))).await;
}

#[tokio::test]
async fn first_packets_of_forged_calls_keep_nobody_out_where_few_may_come() {
    let cloud = Cloud::new(Limits::for_connections(16));
    let mut listener = cloud.endpoint.listener();
    // Of real calls, which get no answer.
    let silent = tokio::net::UdpSocket::bind(SocketAddr::from(LOOPBACK)).await.expect("free");
    let mut callers: Vec<Dialer> =
        (0..64).map(|_| dialer(3, 2, silent.local_addr().expect("bound"))).collect();
    let forges = tokio::net::UdpSocket::bind(SocketAddr::from(LOOPBACK)).await.expect("free");
    let mut bytes = [0; 2_048];
    guarded(async {
        for caller in &mut callers {
            caller.call();
            let (len, _) = silent.recv_from(&mut bytes).await.expect("loopback");
            forges.send_to(&bytes[..len], cloud.address()).await.expect("loopback");
        }
        // Until all of them have been looked at.
        let looked =
            async { tokio::time::timeout(Duration::from_millis(200), listener.accept()).await };
        assert!(looked.await.is_err(), "nobody has proved anything");
        arrives(&mut listener, &mut dialer(1, 2, cloud.address())).await;
    })
    .await;
    assert_eq!(listener.refused().of(Reason::Connections), 0);
    assert!(listener.refused().retried > 32, "{:?}", listener.refused());
}

/// Host 2 is called by `caller`, lets nobody in, and says why and what it has counted.
async fn turned_away(
    cloud: &Cloud,
    caller: impl Future<Output = String>,
) -> (TurnedAway, Vec<Reason>, String) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listener = cloud.endpoint.listener();
    let mut listener = listener.telling(move |turned| tell.send(turned).expect("it is heard"));
    let door = listener.door().clone();
    let turned = async {
        tokio::select! {
            _ = listener.accept() => panic!("it got in"),
            turned = told.recv() => turned.expect("the listener is there"),
        }
    };
    let (turned, said) = guarded(async { tokio::join!(turned, caller) }).await;
    let refused = door.refused();
    let counted = Reason::ALL.into_iter().filter(|reason| refused.of(*reason) > 0);
    (turned, counted.collect(), said)
}

/// Calls, says `bytes` on its first stream, and gives why that was in vain.
async fn says(mut dialer: Dialer, bytes: Vec<u8>) -> String {
    let mut connection = match call(&mut dialer).await {
        Ok(connection) => connection,
        Err(why) => return why,
    };
    connection.stream(StreamKey::Control, bytes.into(), 3, false);
    loop {
        let down = std::future::poll_fn(|context| {
            connection.poll_event(context).map(|event| match event {
                link::driver::Event::Down(why) => Some(why.to_owned()),
                _ => None,
            })
        });
        if let Some(why) = down.await {
            return why;
        }
    }
}

#[tokio::test]
async fn a_stranger_is_told_of_with_its_key_and_hears_what_would_help() {
    let cloud = Cloud::new(Limits::default());
    let stranger = dialer(3, 2, cloud.address());

    let (turned, counted, said) = turned_away(&cloud, says(stranger, Vec::new())).await;

    let key = identity(3).key();
    assert_eq!((turned.reason, turned.key), (Reason::Stranger, Some(key)));
    assert_eq!(counted, [Reason::Stranger]);
    assert!(said.contains(&format!("afferent peers add NAME {key}")), "{said}");
}

#[tokio::test]
async fn one_that_does_not_know_our_key_is_told_of() {
    let cloud = Cloud::new(Limits::default());
    let caller = dialer(1, 9, cloud.address());

    let (turned, counted, said) = turned_away(&cloud, says(caller, Vec::new())).await;

    assert!(said.contains("a key that this one does not know"), "{said}");
    assert_eq!((turned.reason, counted), (Reason::Mistrusts, vec![Reason::Mistrusts]));
}

#[tokio::test]
async fn a_copy_of_our_own_key_is_told_of_as_one() {
    let cloud = Cloud::new(Limits::default());
    let copy = dialer(2, 2, cloud.address());

    let (turned, counted, said) = turned_away(&cloud, says(copy, Vec::new())).await;

    assert_eq!((turned.reason, counted), (Reason::Copy, vec![Reason::Copy]));
    assert!(said.contains("the same key"), "{said}");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_told_here_and_its_place_not_to_who_calls() {
    let cloud = Cloud::new(Limits::default());
    std::fs::write(cloud.peers.path(), "[peer.").expect("writable");
    let edge = dialer(1, 2, cloud.address());

    let (turned, counted, said) = turned_away(&cloud, says(edge, Vec::new())).await;

    assert_eq!((turned.reason, counted), (Reason::List, vec![Reason::List]));
    assert!(said.contains("cannot read its list of peers"), "{said}");
    let folder = cloud.peers.path().parent().expect("a folder").display().to_string();
    assert!(!said.contains(&folder), "{said}");
}

#[tokio::test]
async fn who_speaks_another_version_or_something_else_is_told_of_and_hears_why() {
    let mut newer = Vec::new();
    put_preamble(&mut newer, NEWEST + 1);
    let mut farewell = Vec::new();
    put_preamble(&mut farewell, OLDEST);
    let reason = link::wire::ByeReason::Done;
    Message::Bye { reason, text: String::new() }.put(&mut farewell, 0);
    for (bytes, word) in [(newer, "version"), (farewell, "who it is"), (vec![b'G'; 64], "")] {
        let cloud = Cloud::new(Limits::default());
        let edge = dialer(1, 2, cloud.address());

        let (turned, counted, said) = turned_away(&cloud, says(edge, bytes)).await;

        assert_eq!((turned.reason, counted), (Reason::Protocol, vec![Reason::Protocol]));
        assert_eq!(turned.key, Some(identity(1).key()));
        assert!(turned.why.contains(word) && !turned.why.is_empty(), "{}", turned.why);
        assert!(said.contains(&turned.why), "{said} is not {}", turned.why);
    }
}
