//! Ours: frames from an outlet on one host to an inlet on another, each side on a thread of its own with a
//! current-thread runtime.

use std::{
    net::SocketAddr,
    sync::mpsc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use engine::{Format, Frame, Rate, Timestamp, Unit};
use link::{
    driver::{Arrived, Calls, Connection, Driver, Inlet, Outlet, Ports},
    quic::{self, Endpoint},
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
};

use super::common::{Certificates, SOCKET_BYTES, latencies, side};

/// An edge from the caller (0) or to it (1), of signals of one channel, not packed.
pub(crate) fn edge(
    sender: usize,
    samples: usize,
    delivery: Delivery,
    priority: Priority,
) -> (usize, EdgeConfig) {
    let rate = Rate::new(1_000.0).expect("possible");
    let edge = EdgeConfig {
        name: format!("from {sender}, {samples} samples"),
        format: Format::signal(1, Unit::UNKNOWN, rate, samples),
        receives: false,
        delivery,
        priority,
        line: TimeLine::Shared,
        packed: false,
        may_void: false,
        frames_max: 1_024,
        bytes_max: 8 << 20,
    };
    (sender, edge)
}

/// A droppable edge of sensors.
pub(crate) fn sensor(sender: usize, samples: usize) -> (usize, EdgeConfig) {
    let delivery = Delivery::Droppable { deadline_ns: 1_000_000_000 };
    edge(sender, samples, delivery, Priority::Sensor)
}

/// The session of one side.
pub(crate) fn config(side: usize, edges: &[(usize, EdgeConfig)]) -> SessionConfig {
    let edges =
        edges.iter().map(|(sender, edge)| EdgeConfig { receives: *sender != side, ..edge.clone() });
    SessionConfig {
        graph: [1; 16],
        session: [2; 16],
        life: side as u64 + 1,
        calls: side == 0,
        edges: edges.collect(),
        timing: Timing::default(),
    }
}

/// Whoever calls, for the one session there is.
pub(crate) struct Server(tokio::sync::mpsc::Receiver<Box<dyn Connection>>);

impl Server {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let (into, out) = tokio::sync::mpsc::channel(8);
        let mut listener = endpoint.listener();
        tokio::spawn(async move {
            while let Some(arrival) = listener.accept().await {
                if into.send(arrival.connection).await.is_err() {
                    break;
                }
            }
        });
        Self(out)
    }
}

impl Calls for Server {
    fn call(&mut self) {}

    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>> {
        match self.0.poll_recv(context) {
            Poll::Ready(Some(connection)) => Poll::Ready(Ok(connection)),
            _ => Poll::Pending,
        }
    }
}

fn settings() -> quic::Settings {
    quic::Settings { socket_bytes: SOCKET_BYTES, ..quic::Settings::default() }
}

/// Runs both sides to their ends; gives what the caller's gives. The caller is told `via` what address
/// to call instead of the other side's own.
pub(crate) fn run<T, S, C>(
    edges: &[(usize, EdgeConfig)],
    via: impl FnOnce(SocketAddr) -> SocketAddr,
    server: impl FnOnce(Ports) -> S + Send + 'static,
    client: impl FnOnce(Ports) -> C,
) -> T
where
    S: Future<Output = ()>,
    C: Future<Output = T>,
{
    let certificates = Certificates::new();
    let (server_tls, client_tls) = (certificates.server, certificates.client);
    let (tell, hear) = mpsc::channel::<SocketAddr>();
    let (there_config, here_config) = (config(1, edges), config(0, edges));
    let there = std::thread::spawn(move || {
        side(async move {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let endpoint = Endpoint::bind(any, Some(server_tls), settings()).expect("a port");
            tell.send(endpoint.local_addr().expect("bound")).expect("the caller waits");
            let calls = Server::new(&endpoint);
            let (driver, ports) = Driver::new(Session::new(there_config), driver_settings());
            let driver = tokio::spawn(driver.run(calls));
            server(ports).await;
            driver.await.expect("no panic");
        });
    });
    let address = via(hear.recv().expect("the other side runs"));
    let got = side(async move {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = Endpoint::bind(any, None, settings()).expect("a port");
        let dialer = endpoint.dialer(address, "cloud", client_tls).expect("usable");
        let (driver, ports) = Driver::new(Session::new(here_config), driver_settings());
        let handle = ports.handle.clone();
        let driver = tokio::spawn(driver.run(dialer));
        let got = client(ports).await;
        driver.await.expect("no panic");
        drop(handle);
        endpoint.close(Duration::from_secs(1)).await;
        got
    });
    there.join().expect("no panic");
    got
}

fn driver_settings() -> link::driver::Settings {
    link::driver::Settings::default()
}

pub(crate) fn frame(number: u64, content: &[f32]) -> Frame {
    let mut frame = Frame::signal(Timestamp::from_nanos(number as i64), 1, content);
    frame.header.tag = number;
    frame
}

pub(crate) fn outlet(ports: &mut Ports, edge: usize) -> Outlet {
    ports.outlets[edge].take().expect("sent here")
}

pub(crate) fn inlet(ports: &mut Ports, edge: usize) -> Inlet {
    ports.inlets[edge].take().expect("received here")
}

/// The next frame; none at the end.
pub(crate) async fn next(inlet: &mut Inlet) -> Option<Frame> {
    loop {
        match inlet.recv().await? {
            Arrived::Frame(frame) => return Some(frame),
            Arrived::End => return None,
            other => assert!(matches!(other, Arrived::Gap { .. } | Arrived::Bound(_))),
        }
    }
}

/// As [`bare::echo`](super::bare::echo).
pub(crate) fn echo(count: usize, bytes: usize) -> [f64; 2] {
    let samples = bytes / 4;
    let serve = async |mut ports: Ports| {
        let (mut from, mut to) = (inlet(&mut ports, 0), outlet(&mut ports, 1));
        while let Some(frame) = next(&mut from).await {
            drop(to.try_send(frame));
        }
    };
    let edges = [sensor(0, samples), sensor(1, samples)];
    run(
        &edges,
        |direct| direct,
        serve,
        async move |mut ports| {
            let (mut to, mut from) = (outlet(&mut ports, 0), inlet(&mut ports, 1));
            let content = vec![7.0; samples];
            let mut ns = Vec::with_capacity(count);
            for n in 0..count + count / 10 {
                let began = Instant::now();
                to.try_send(frame(n as u64, &content)).expect("there is room");
                let back = tokio::time::timeout(Duration::from_millis(200), next(&mut from));
                if let Ok(back) = back.await {
                    let back = back.expect("connected");
                    assert_eq!(back.samples().len(), samples);
                    if n >= count / 10 && back.header.tag == n as u64 {
                        ns.push(began.elapsed().as_nanos() as f64);
                    }
                }
            }
            to.end();
            while next(&mut from).await.is_some() {}
            latencies(ns)
        },
    )
}

/// As [`bare::rate`](super::bare::rate).
pub(crate) fn rate(span: Duration, bytes: usize) -> f64 {
    let (tell, hear) = mpsc::channel();
    let samples = bytes / 4;
    let serve = async move |mut ports: Ports| {
        let mut from = inlet(&mut ports, 0);
        let (mut count, mut began, mut last) = (0u64, None, Instant::now());
        while let Some(frame) = next(&mut from).await {
            assert_eq!(frame.samples().len(), samples);
            last = Instant::now();
            began.get_or_insert(last);
            count += 1;
        }
        let took = began.map_or(f64::NAN, |began| (last - began).as_secs_f64());
        tell.send(count as f64 / took).expect("somebody waits");
    };
    run(
        &[sensor(0, samples)],
        |direct| direct,
        serve,
        async move |mut ports| {
            let mut to = outlet(&mut ports, 0);
            let content = vec![7.0; samples];
            let (began, mut number) = (Instant::now(), 0);
            while began.elapsed() < span {
                for _ in 0..32 {
                    number += 1;
                    drop(to.try_send(frame(number, &content)));
                }
                // What is handed in beyond what leaves would be dropped.
                while to.queued() > 128 {
                    tokio::task::yield_now().await;
                }
            }
            to.end();
        },
    );
    hear.recv().expect("it was measured")
}

/// As [`bare::bulk`](super::bare::bulk): frames of `piece` bytes on a durable edge.
pub(crate) fn bulk(total: usize, piece: usize) -> f64 {
    let (tell, hear) = mpsc::channel();
    let samples = piece / 4;
    let serve = async move |mut ports: Ports| {
        let mut from = inlet(&mut ports, 0);
        let (mut read, mut began) = (0, None);
        while let Some(frame) = next(&mut from).await {
            // The first ends when the time begins; it was sent while the two got to know each other.
            match began {
                None => drop(began.insert(Instant::now())),
                Some(_) => read += frame.buffer().bytes_len(),
            }
            from.consumed(1);
        }
        assert_eq!(read + piece, total / piece * piece);
        let took = began.expect("frames came").elapsed().as_secs_f64();
        tell.send(read as f64 / took).expect("somebody waits");
    };
    let edges = [edge(0, samples, Delivery::Durable, Priority::Bulk)];
    run(
        &edges,
        |direct| direct,
        serve,
        async move |mut ports| {
            let mut to = outlet(&mut ports, 0);
            let content = vec![7.0; samples];
            for n in 0..total / piece {
                std::future::poll_fn(|context| to.poll_room(context)).await;
                to.try_send(frame(n as u64, &content)).expect("there is room");
            }
            to.end();
        },
    );
    hear.recv().expect("it was measured")
}
