//! Two hosts of one process, over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use engine::{EventWriter, Field, Format, Frame, Header, Rate, Timestamp, Unit};
use link::{
    driver::{Arrived, Connection, Driver, Ended, Inlet, Outlet, Ports, Settings},
    quic::{self, Dialer, Endpoint},
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

pub(crate) const MS: i64 = 1_000_000;
/// Guards against a test that hangs; nothing is measured with it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Edges in the order of their numbers: what the first host sends to the second, and one back.
pub(crate) const SENSOR: u16 = 0;
pub(crate) const EVENTS: u16 = 1;
pub(crate) const BULK: u16 = 2;
pub(crate) const BACK: u16 = 3;

pub(crate) fn config(side: usize, life: u64) -> SessionConfig {
    let rate = Rate::new(250.0).expect("possible");
    let droppable = |deadline_ms| Delivery::Droppable { deadline_ns: deadline_ms * MS };
    let edge = |name: &str, format: Format, delivery, priority, sender: usize| EdgeConfig {
        name: name.to_owned(),
        format,
        receives: side != sender,
        delivery,
        priority,
        line: TimeLine::Shared,
        packed: true,
        may_void: false,
        frames_max: 256,
        bytes_max: 8 << 20,
    };
    let signal = Format::signal(1, Unit::MILLIVOLT, rate, 10);
    let picture = Format::signal(1, Unit::UNKNOWN, rate, 20_000);
    let event = Format::event(vec![Field::i64("n")], 100.0);
    let edges = vec![
        edge("ecg -> clean", signal, droppable(2_000), Priority::Sensor, 0),
        edge("beats -> store", event.clone(), Delivery::Durable, Priority::Sensor, 0),
        edge("camera -> see", picture, droppable(5_000), Priority::Bulk, 0),
        edge("see -> show", event, Delivery::Durable, Priority::Sensor, 1),
    ];
    let (graph, session) = ([1; 16], [2; 16]);
    SessionConfig { graph, session, life, calls: side == 0, edges, timing: Timing::default() }
}

/// A signal of ten samples, numbered by its tag.
pub(crate) fn signal(number: u64) -> Frame {
    let samples: Vec<f32> = (0..10).map(|n| (number as f32 * 10.0 + n as f32) / 200.0).collect();
    tagged(Frame::signal(at(number), 1, &samples), number)
}

/// An event with its number.
pub(crate) fn event(number: u64) -> Frame {
    let format = config(0, 0).edges[1].format.clone();
    let format = format.as_event().expect("an event");
    let event = EventWriter::new(format).i64(0, number as i64).finish();
    tagged(Frame::new(Header::at(at(number)), event), number)
}

/// Something large that cannot be packed away.
pub(crate) fn bulk(number: u64) -> Frame {
    let noise = |n: u32| f32::from_bits((n ^ number as u32).wrapping_mul(2_654_435_761) >> 2);
    tagged(Frame::signal(at(number), 1, &(0..20_000).map(noise).collect::<Vec<_>>()), number)
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_nanos(number as i64 * MS)
}

fn tagged(mut frame: Frame, number: u64) -> Frame {
    frame.header.tag = number;
    frame
}

/// Certificates made for one test.
pub(crate) struct Trust {
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
}

pub(crate) fn trust() -> Trust {
    let made = rcgen::generate_simple_self_signed(vec!["cloud".to_owned()]).expect("a name");
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows it")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .expect("they fit");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows it")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Trust { server: Arc::new(server), client: Arc::new(client) }
}

pub(crate) const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// An endpoint that can be called, on a free port.
pub(crate) fn server(trust: &Trust) -> Endpoint {
    Endpoint::bind(
        SocketAddr::from(LOOPBACK),
        Some(trust.server.clone()),
        quic::Settings::default(),
    )
    .expect("a free port")
}

/// An endpoint that only calls, on a free port.
pub(crate) fn client() -> Endpoint {
    Endpoint::bind(SocketAddr::from(LOOPBACK), None, quic::Settings::default())
        .expect("a free port")
}

/// Who calls `address`.
pub(crate) fn dialer(trust: &Trust, address: SocketAddr) -> Dialer {
    dial(&client(), trust, address)
}

/// Who calls `address` by an endpoint that others use too.
pub(crate) fn dial(endpoint: &Endpoint, trust: &Trust, address: SocketAddr) -> Dialer {
    endpoint.dialer(address, "cloud", trust.client.clone()).expect("usable")
}

/// The only session of a host that is called, whoever calls.
pub(crate) struct Called(pub(crate) tokio::sync::mpsc::Receiver<Box<dyn Connection>>);

impl link::driver::Calls for Called {
    fn call(&mut self) {}

    fn poll_connection(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Box<dyn Connection>, String>> {
        match self.0.poll_recv(context) {
            std::task::Poll::Ready(Some(connection)) => std::task::Poll::Ready(Ok(connection)),
            _ => std::task::Poll::Pending,
        }
    }
}

/// Gives each connection to the session that its hello names: the last byte of its name counts them.
pub(crate) fn found(endpoint: &Endpoint, sessions: usize) -> Vec<Called> {
    let (into, out): (Vec<_>, Vec<_>) =
        (0..sessions).map(|_| tokio::sync::mpsc::channel(8)).map(|(i, o)| (i, Called(o))).unzip();
    let mut listener = endpoint.listener();
    tokio::spawn(async move {
        while let Some(arrival) = listener.accept().await {
            let number = usize::from(arrival.hello.session[15]);
            drop(into[number].send(arrival.connection).await);
        }
    });
    out
}

/// Gives each connection of an endpoint to one session.
pub(crate) fn called(endpoint: &Endpoint) -> Called {
    let (into, out) = tokio::sync::mpsc::channel(8);
    let mut listener = endpoint.listener();
    tokio::spawn(async move {
        while let Some(arrival) = listener.accept().await {
            if into.send(arrival.connection).await.is_err() {
                break;
            }
        }
    });
    Called(out)
}

/// A host that runs.
pub(crate) struct Host {
    pub(crate) ports: Ports,
    pub(crate) ended: tokio::task::JoinHandle<Ended>,
}

pub(crate) fn host(
    config: SessionConfig,
    settings: Settings,
    calls: impl link::driver::Calls + 'static,
) -> Host {
    let (driver, ports) = Driver::new(Session::new(config), settings);
    Host { ports, ended: tokio::spawn(driver.run(calls)) }
}

/// Hands frames in as fast as there is room, then ends.
pub(crate) async fn send(mut outlet: Outlet, count: u64, make: fn(u64) -> Frame) {
    for number in 0..count {
        std::future::poll_fn(|context| outlet.poll_room(context)).await;
        outlet.try_send(make(number)).expect("there is room");
    }
}

/// Hands a frame in every few milliseconds, then ends.
pub(crate) async fn pace(mut outlet: Outlet, count: u64, every_ms: u64, make: fn(u64) -> Frame) {
    let mut ticks = tokio::time::interval(Duration::from_millis(every_ms));
    for number in 0..count {
        ticks.tick().await;
        std::future::poll_fn(|context| outlet.poll_room(context)).await;
        outlet.try_send(make(number)).expect("there is room");
    }
}

impl Host {
    pub(crate) fn outlet(&mut self, edge: u16) -> Outlet {
        self.ports.outlets[usize::from(edge)].take().expect("sent here")
    }

    pub(crate) fn inlet(&mut self, edge: u16) -> Inlet {
        self.ports.inlets[usize::from(edge)].take().expect("received here")
    }
}

/// Takes and consumes all that comes until the end; the numbers of the frames, and of those missing.
pub(crate) async fn drain(mut inlet: Inlet) -> (Vec<u64>, u64) {
    let (mut numbers, mut missing) = (Vec::new(), 0);
    while let Some(arrived) = inlet.recv().await {
        match arrived {
            Arrived::Frame(frame) => {
                numbers.push(frame.header.tag);
                inlet.consumed(1);
            }
            Arrived::Gap { frames, .. } => missing += frames,
            Arrived::End => break,
            other => assert!(matches!(other, Arrived::Bound(_))),
        }
    }
    (numbers, missing)
}
