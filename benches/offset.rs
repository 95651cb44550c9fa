//! How well a host knows the clock of another: two processes on this machine, so that the truth is known.
//!
//! Both clocks count nanoseconds of the system's monotonic clock, each from its own zero, which each process
//! reads from the system as well. `PYLSL` names a Python that has liblsl's `pylsl` (see
//! `benches/peers/offset.py`): there both clocks are the same one, and what its `time_correction` differs from
//! zero is its error. Without it only ours is measured.

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use engine::{Clock, Format, Rate, Timestamp, Unit};
use link::{
    driver::{Calls, Connection, Driver, Settings},
    quic::{self, Endpoint},
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use support::{Bench, quantile};

/// The word by which this program knows that it is the other host.
const THERE: &str = "--there";
/// Between two looks at the estimate.
const LOOK: Duration = Duration::from_millis(50);

fn main() {
    if std::env::args().any(|word| word == THERE) {
        return there();
    }
    let bench = Bench::start("offset");
    let rival = std::env::var("PYLSL").ok();
    if rival.is_none() {
        eprintln!("  SKIPPED the rival: PYLSL names no Python with pylsl");
    }
    let span = Duration::from_millis(bench.scale(12_000, 1_500) as u64);
    let nothing = || Errors { us: vec![f64::NAN] };
    let [ours, its] = bench.interleaved([
        ("offset, ours", &mut || ours(span)),
        ("offset, liblsl", &mut || rival.as_ref().map_or_else(nothing, |python| ask(python, span))),
    ]);
    for (name, runs) in [("ours", &ours), ("liblsl", &its)] {
        if name == "ours" || rival.is_some() {
            let [p50, p95, most] = [0.5, 0.95, 1.0].map(|q| runs.of(|errors| errors.at(q)));
            let metrics = [("p50_us", &p50), ("p95_us", &p95), ("max_us", &most)];
            bench.report("error of the offset", &[("of", name)], &metrics);
        }
    }
    if rival.is_some() {
        for (name, q) in [("p50", 0.5), ("p95", 0.95)] {
            let times = ours.of(|errors| errors.at(q)).over(&its.of(|errors| errors.at(q)));
            bench.verdict(
                &format!("error of the offset, {name}, times liblsl's"),
                &times,
                1.0 / 3.0,
            );
        }
    }
}

/// How far off an estimate was, at each look, in microseconds.
struct Errors {
    us: Vec<f64>,
}

impl Errors {
    fn at(&self, q: f64) -> f64 {
        let mut us = self.us.clone();
        us.sort_by(f64::total_cmp);
        quantile(&us, q)
    }
}

/// What the rival's script prints: an error in microseconds a line.
fn ask(python: &str, span: Duration) -> Errors {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/offset.py");
    let seconds = span.as_secs_f64().to_string();
    let out = Command::new(python).arg(script).arg(seconds).output().expect("a Python");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("numbers");
    let us: Vec<f64> = text.lines().map(|line| line.parse().expect("a number")).collect();
    assert!(!us.is_empty(), "it gave no estimate");
    Errors { us }
}

/// Nanoseconds of the system's clock at zero of ours: the closest of many looks.
fn zero_of(clock: &Clock) -> i64 {
    let system = || {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec * 1_000_000_000 + now.tv_nsec
    };
    let looks = (0..2_000).map(|_| {
        let (before, ours, after) = (system(), clock.now().nanos(), system());
        (after - before, before + (after - before) / 2 - ours)
    });
    looks.min().expect("there are many").1
}

fn config(side: usize) -> SessionConfig {
    let rate = Rate::new(250.0).expect("a rate");
    let edge = EdgeConfig {
        name: "ecg -> beats".to_owned(),
        format: Format::signal(1, Unit::UNKNOWN, rate, 10),
        receives: side == 1,
        delivery: Delivery::Droppable { deadline_ns: 1_000_000_000 },
        priority: Priority::Sensor,
        line: TimeLine::Clock,
        packed: false,
        may_void: false,
        frames_max: 64,
        bytes_max: 1 << 20,
    };
    SessionConfig {
        graph: [1; 16],
        session: [2; 16],
        life: side as u64 + 1,
        calls: side == 0,
        edges: vec![edge],
        timing: Timing::default(),
    }
}

fn bound(server: Option<Arc<rustls::ServerConfig>>) -> Endpoint {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Endpoint::bind(any, server, quic::Settings::default()).expect("a port")
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(work)
}

/// The other host: says where it is, its certificate and its zero in a line, and ends with its stdin.
fn there() {
    let made = rcgen::generate_simple_self_signed(vec!["cloud".to_owned()]).expect("a name");
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows it")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .expect("they fit");
    on_a_runtime(async move {
        let endpoint = bound(Some(Arc::new(server)));
        let clock = Clock::system();
        let hex: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
        let port = endpoint.local_addr().expect("bound").port();
        println!("{port} {} {hex}", zero_of(&clock));
        std::io::stdout().flush().expect("somebody reads");
        let settings = Settings { clock, ..Settings::default() };
        let (driver, _ports) = Driver::new(Session::new(config(1)), settings);
        let mut listener = endpoint.listener();
        let (into, out) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(arrival) = listener.accept().await {
                if into.send(arrival.connection).await.is_err() {
                    break;
                }
            }
        });
        let (gone, ends) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_line(&mut String::new());
            let _ = gone.send(());
        });
        tokio::select! {
            _ = driver.run(Called(out)) => {}
            _ = ends => {}
        }
    });
}

struct Called(tokio::sync::mpsc::Receiver<Box<dyn Connection>>);

impl Calls for Called {
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

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Ends with whoever has it.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Errors of our estimate, from the first there is.
fn ours(span: Duration) -> Errors {
    let program = std::env::current_exe().expect("it runs");
    let mut child = Command::new(program);
    child.arg(THERE).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut other = Other(child.spawn().expect("this program starts"));
    let mut line = String::new();
    let out = other.0.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("it says where it is");
    let [port, zero, hex] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("it says {line:?}")
    };
    let byte = |n: usize| u8::from_str_radix(&hex[n..n + 2], 16).expect("hex");
    let certificate: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.into()).expect("a certificate");
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows it")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
    let zero: i64 = zero.parse().expect("nanoseconds");
    let us = on_a_runtime(async move {
        let endpoint = bound(None);
        let dialer = endpoint.dialer(address, "cloud", Arc::new(client)).expect("usable");
        let clock = Clock::system();
        // The other clock less ours, as the estimate has it.
        let truth = zero_of(&clock) - zero;
        let settings = Settings { clock, ..Settings::default() };
        let (driver, ports) = Driver::new(Session::new(config(0)), settings);
        let driver = tokio::spawn(driver.run(dialer));
        let (mut us, mut looks) = (Vec::new(), tokio::time::interval(LOOK));
        let ends = tokio::time::sleep(span);
        tokio::pin!(ends);
        loop {
            tokio::select! {
                () = &mut ends => break,
                _ = looks.tick() => {}
            }
            if let Some(estimate) = ports.handle.status().clock {
                let off = (estimate.offset_ns - truth).abs();
                let within =
                    Timestamp::from_nanos(off).nanos() <= i64::from(estimate.uncertainty_ns);
                assert!(within, "{off} ns off, and said to be within {}", estimate.uncertainty_ns);
                us.push(off as f64 / 1e3);
            }
        }
        ports.handle.stop();
        drop(driver.await);
        us
    });
    assert!(!us.is_empty(), "there was an estimate");
    Errors { us }
}
