//! Two hosts of one graph in one process, over QUIC on the loopback: what a device on the one brings to
//! the other, and when it happened there.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use afferent_suite::{
    kinds::{self, tally},
    waiting,
};
use engine::{
    Body, Catalog, Disk, Fault, Frame, GraphSpec, Kind, Placement, Plan, PlanOptions, Port,
    RunOptions, Running, Sink, SourceText,
};
use link::{
    carrier::{LinkCarrier, graph_hash, hosts},
    driver::{Calls, Connection, Driver, Event, Settings},
    host::{Dialing, Keys, Part, ServeSettings, Serving, Tell},
    quic,
    session::{Session, SessionConfig, StreamKey, Timing},
    trust::{Expected, Identity, Peers, Reason, SERVER_NAME, client_config},
    wire::{Hello, Message, NEWEST, OLDEST, put_preamble},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// One host's part of a graph, started without a session.
struct Host {
    part: Part,
    carrier: LinkCarrier,
    running: Running,
}

impl Host {
    fn start(graph: &str, name: &str) -> Self {
        let spec = GraphSpec::parse(&SourceText::new("links.toml", graph)).expect("a graph");
        let carrier = LinkCarrier::default();
        let mut options = PlanOptions::new(Arc::new(Disk));
        options.host = Some(name.to_owned());
        options.carrier = Some(Arc::new(carrier.clone()));
        let doubles: &[&Kind] = &[&waiting::DEVICE, &engine::testing::MOCK_CALL, &KEEPER];
        let catalog = Catalog::new(&[operators::CATALOG, kinds::KINDS, doubles]);
        let plan = spec.plan(&catalog, &options).unwrap_or_else(|why| panic!("{why}"));
        let all = hosts(&spec, None).unwrap_or_else(|why| panic!("{why}"));
        let part = Part::new(&plan, name, &all, graph_hash("links"));
        let part = part.unwrap_or_else(|why| panic!("{why}"));
        let plan: Arc<Plan> = Arc::new(plan);
        let options = RunOptions { sessions: 0, ..RunOptions::default() };
        let running = plan.start(&options).expect("nothing is built yet");
        Self { part, carrier, running }
    }
}

/// A folder for keys, gone with the test.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("afferent-{name}-{}", std::process::id())))
    }

    fn keys(&self) -> Keys {
        Keys::open_in(&self.0).expect("there is room for a key")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a graph on `edge` and `cloud` to its end.
fn run(name: &str, graph: impl Fn(&str) -> String) {
    run_each(name, |address, _| graph(address));
}

/// As [`run`], with a graph that differs from host to host.
fn run_each(name: &str, graph: impl Fn(&str, &str) -> String) {
    let home = Home::new(name);
    let silent: Tell = Arc::new(|_| ());
    let cloud = Host::start(&graph("127.0.0.1:1", "cloud"), "cloud");
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let settings = ServeSettings { listen, sessions_max: 4, quic: quic::Settings::default() };
    let Host { part, carrier, running: far } = cloud;
    let serving = Serving::start(part, &home.keys(), &settings, &far, &carrier, silent.clone());
    let serving = serving.expect("a free port");
    // The clocks of the two count from moments that lie apart.
    assert_eq!(far.wait_for(Duration::from_millis(300)), None);

    let edge = Host::start(&graph(&serving.address().to_string(), "edge"), "edge");
    let dialing = Dialing::start(&edge.part, home.keys(), &edge.running, &edge.carrier, 1, silent);
    let dialing = dialing.unwrap_or_else(|why| panic!("{why}"));
    let outcome = edge.running.wait_for(LIMIT).expect("the device ends");
    assert_eq!(outcome.fault, None);
    assert_eq!(dialing.close(false, || false).frames, 0, "nothing is left behind");
    far.drain();
    assert_eq!(far.wait_for(LIMIT).expect("its sessions have ended").fault, None);
    serving.close();
    for report in [edge.running.report(), far.report()] {
        assert!(report.is_balanced(), "{:?}", report.edges);
    }
}

/// What sinks called `keeper` have taken: the first sample of each frame, and `None` for a flush.
static KEPT: Mutex<BTreeMap<String, Vec<Option<f32>>>> = Mutex::new(BTreeMap::new());

/// Takes signals, and says when what it took is void.
static KEEPER: Kind = Kind {
    name: "keeper",
    inputs: &[Port::signal("in")],
    placement: Placement::Waits,
    build: |node| Ok(Body::Sink(Box::new(Keeper(node.name().to_owned())))),
    ..Kind::BASE
};

struct Keeper(String);

impl Keeper {
    fn keep(&self, what: Option<f32>) {
        KEPT.lock().expect("whole").entry(self.0.clone()).or_default().push(what);
    }
}

impl Sink for Keeper {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.keep(Some(frame.samples()[0]));
        Ok(())
    }

    fn flush(&mut self, _: usize) -> Result<(), Fault> {
        self.keep(None);
        Ok(())
    }
}

/// A frame every 10 ms of its time line.
const EVERY_NS: i64 = 10_000_000;
const FRAMES: i64 = 100;

#[test]
fn times_of_a_device_are_those_of_its_own_line_on_the_other_host() {
    run("times", |address| {
        format!(
            r#"
            [host.edge]
            [host.cloud]
            address = ["{address}"]
            [node.device]
            op = "device"
            frames = {FRAMES}
            on = "edge"
            [node.kept]
            op = "tally"
            from = {{ node = "device", on_full = "block" }}
            on = "cloud"
            key = "links_kept"
            [node.fresh]
            op = "tally"
            from = {{ node = "device", on_full = "drop_oldest" }}
            on = "cloud"
            key = "links_fresh"
            "#
        )
    });

    let kept = tally("links_kept");
    assert_eq!(kept.len() as i64, FRAMES, "what blocks loses nothing");
    for (n, (_, frame)) in (0..).zip(&kept) {
        assert_eq!(frame.samples()[0], (10 * n) as f32, "each once, in order");
        let header = frame.header;
        assert!(header.uncertainty_ns > 0, "nobody knows another's clock to the nanosecond");
        // Zero of the line was found with as much error again. Were the lines not aligned, they would be
        // 300 ms apart.
        let off_ns = (header.time.nanos() - n * EVERY_NS).abs();
        assert!(off_ns < 50_000_000, "frame {n} is off by {off_ns} ns");
    }
    // Datagrams may be lost, but not in silence, and never come twice or late.
    let fresh = tally("links_fresh");
    assert!(fresh.windows(2).all(|pair| {
        let [before, after] = [&pair[0].1, &pair[1].1];
        let step = after.samples()[0] - before.samples()[0];
        step == 10.0 || (step > 10.0 && after.header.gap.is_some())
    }));
    assert!(!fresh.is_empty());
}

#[test]
fn what_is_taken_back_on_one_host_is_void_on_the_other() {
    run("barge_in", |address| {
        format!(
            r#"
            [host.edge]
            [host.cloud]
            address = ["{address}"]
            [node.device]
            op = "device"
            frames = 200
            on = "edge"
            [node.interrupts]
            op = "threshold"
            from = "device"
            level = 1000.0
            [node.answer]
            op = "barge_in"
            from = {{ in = "device", on = "interrupts" }}
            [node.copied]
            op = "copy"
            from = {{ node = "answer", on_full = "block" }}
            on = "cloud"
            [node.barge_in_kept]
            op = "keeper"
            from = "copied"
            [node.barge_in_fresh]
            op = "keeper"
            from = {{ node = "answer", on_full = "drop_oldest" }}
            on = "cloud"
            "#
        )
    });
    let kept = std::mem::take(&mut *KEPT.lock().expect("whole"));
    for name in ["barge_in_kept", "barge_in_fresh"] {
        let kept = &kept[name];
        let at = kept.iter().position(Option::is_none).expect("it was told");
        assert_eq!(kept.iter().filter(|what| what.is_none()).count(), 1, "{name}: told once");
        let number = |what: &Option<f32>| (what.expect("a frame") / 10.0) as i64;
        let [before, behind] = [&kept[..at], &kept[at + 1..]].map(|part| part.iter().map(number));
        // The crossing is in frame 100; what is under way then may be lost or have come.
        let (before, behind): (Vec<_>, Vec<_>) = (before.collect(), behind.collect());
        assert!((90..=110).contains(&before.len()), "{name}: {before:?}");
        assert!(before.iter().copied().eq(0..before.len() as i64), "{name}: {before:?}");
        let first = behind[0];
        assert!((100..=110).contains(&first), "{name}: {behind:?}");
        assert!(behind.iter().copied().eq(first..200), "{name}: all behind it: {behind:?}");
    }
}

#[test]
fn a_join_fires_with_what_comes_from_two_hosts() {
    run("join", |address| {
        format!(
            r#"
            [host.edge]
            [host.cloud]
            address = ["{address}"]
            [node.device]
            op = "device"
            frames = {FRAMES}
            on = "edge"
            [node.count]
            op = "count"
            samples = 600
            on = "cloud"
            [node.sum]
            op = "sum"
            from = {{ in = "count", other = {{ node = "device", on_full = "block" }} }}
            on = "cloud"
            [node.sums]
            op = "tally"
            from = "sum"
            on = "cloud"
            key = "links_sum"
            "#
        )
    });

    let samples: usize = tally("links_sum").iter().map(|(_, frame)| frame.len()).sum();
    assert_eq!(samples, 600, "every sample of the one has met one of the other");
}

/// A call that may move; each host's mock answers as `edge` and `cloud` say, with a gain of 1 on the edge
/// and 2 in the cloud. The gains of the answers, in order.
fn moved(key: &str, edge: &str, cloud: &str) -> Vec<f32> {
    run_each(key, |address, host| {
        let mock = if host == "edge" { edge } else { cloud };
        let gain = if host == "edge" { 1.0 } else { 2.0 };
        format!(
            r#"
            [host.edge]
            [host.cloud]
            address = ["{address}"]
            [node.device]
            op = "device"
            frames = {FRAMES}
            on = "edge"
            [node.ask]
            op = "mock_call"
            on = ["edge", "cloud"]
            from = {{ node = "device", on_full = "block", capacity_ms = 5_000 }}
            {mock}
            gain = {gain:?}
            in_flight = 8
            within_ms = 1_000.0
            [node.answers]
            op = "tally"
            from = "ask"
            key = "{key}"
            "#
        )
    });
    let said = tally(key);
    // Before the two know each other home answers alone, if it can; from then on all is answered, once.
    let number = |frame: &engine::Frame| frame.header.time.nanos() / EVERY_NS;
    let first = said.first().map_or(FRAMES, |(_, frame)| number(frame));
    let numbers: Vec<i64> = said.iter().map(|(_, frame)| number(frame)).collect();
    assert!(first < FRAMES / 2, "{key}: the first is {first}");
    assert_eq!(numbers, (first..FRAMES).collect::<Vec<_>>(), "{key}");
    // The first sample is 0 whoever has it.
    said.iter().map(|(_, frame)| frame.samples()[1] / (10 * number(frame) + 1) as f32).collect()
}

#[test]
fn what_takes_long_here_is_asked_there() {
    let gains = moved("moved_slow", "after_ms = [400.0]", "after_ms = [1.0]");
    assert!(gains.iter().all(|gain| [1.0, 2.0].contains(gain)), "{gains:?}");
    let there = gains.iter().filter(|gain| **gain == 2.0).count();
    assert!(there > gains.len() / 2, "{gains:?}");
}

#[test]
fn what_is_quick_here_stays_here() {
    let gains = moved("moved_quick", "after_ms = [2.0]", "after_ms = [0.0]");
    assert_eq!(gains.iter().filter(|gain| **gain == 2.0).count(), 0, "{gains:?}");
}

#[test]
fn a_side_that_fails_or_never_answers_is_made_up_for_by_the_other() {
    for (key, edge, cloud, by) in [
        ("moved_fails", "after_ms = [400.0]", "after_ms = [1.0]\nfails_every = 1", 1.0),
        ("moved_failed", "after_ms = [1.0]\nfails_every = 1", "after_ms = [1.0]", 2.0),
        ("moved_never", "after_ms = [-1.0]", "after_ms = [1.0]", 2.0),
        ("moved_silent", "after_ms = [400.0]", "after_ms = [-1.0]", 1.0),
    ] {
        let gains = moved(key, edge, cloud);
        assert!(gains.iter().all(|gain| *gain == by), "{key}: {gains:?}");
    }
}

#[test]
fn what_home_doubts_is_asked_there_and_told_in_any_case() {
    let doubts = "after_ms = [2.0]\ndoubts = \"some\"";
    let gains = moved("doubt_better", doubts, "after_ms = [1.0]");
    assert!(gains.iter().rev().take(50).all(|gain| *gain == 2.0), "{gains:?}");
    // Nobody knows better in time: what home has said counts.
    let gains = moved("doubt_silent", doubts, "after_ms = [-1.0]");
    assert!(gains.iter().all(|gain| *gain == 1.0), "{gains:?}");
    // Who is asked first falls silent: home is late by then, in doubt, and all there is.
    let first = ["1.0"; 60].join(", ") + ", " + &["-1.0"; 100].join(", ");
    let slow = "after_ms = [400.0]\ndoubts = \"some\"";
    let gains = moved("doubt_falls_silent", slow, &format!("after_ms = [{first}]"));
    assert!(gains.contains(&1.0) && gains.contains(&2.0), "{gains:?}");
}

#[test]
fn who_knows_nothing_is_no_help() {
    let nothing = "after_ms = [0.0]\ndoubts = \"all\"";
    // Home has no model.
    let gains = moved("nothing_here", nothing, "after_ms = [5.0]");
    assert!(gains.iter().rev().take(50).all(|gain| *gain == 2.0), "{gains:?}");
    // The other host has none, and is quick to say so.
    let slow = "after_ms = [400.0]\ndoubts = \"some\"";
    let gains = moved("nothing_there", slow, nothing);
    assert!(gains.iter().all(|gain| *gain == 1.0), "{gains:?}");
}

/// Calls as the host with this key.
fn dialer(key: u8, serving: &Serving, called: &Identity) -> quic::Dialer {
    let endpoint =
        quic::Endpoint::bind(([127, 0, 0, 1], 0).into(), None, quic::Settings::default());
    let client = client_config(&Identity::from_seed(&[key; 32]), Expected::key(called.key()));
    let dialer = endpoint.expect("a free port").dialer(serving.address(), SERVER_NAME, client);
    dialer.expect("usable")
}

/// Asks for the session of this name, and keeps the connection.
async fn asks_for(session: [u8; 16], mut dialer: quic::Dialer) -> Box<dyn Connection> {
    dialer.call();
    let mut connection = std::future::poll_fn(|context| dialer.poll_connection(context))
        .await
        .expect("its key is listed");
    let graph = graph_hash("links");
    let hello =
        Hello { newest: NEWEST, oldest: OLDEST, graph, session, life: 1, edges: Vec::new() };
    let mut bytes = Vec::new();
    put_preamble(&mut bytes, OLDEST);
    Message::Hello(Box::new(hello)).put(&mut bytes, 0);
    connection.stream(StreamKey::Control, bytes.into(), 3, false);
    connection
}

/// What is said on a connection until it is closed, or until something is.
async fn hears(connection: &mut dyn Connection) -> Option<Vec<u8>> {
    loop {
        let came = std::future::poll_fn(|context| {
            connection.poll_event(context).map(|event| match event {
                Event::Stream { bytes, .. } if !bytes.is_empty() => Some(Some(bytes.to_vec())),
                Event::Down(_) => Some(None),
                _ => None,
            })
        });
        if let Some(heard) = came.await {
            return heard;
        }
    }
}

async fn hear(news: &mut UnboundedReceiver<String>, words: &str) -> String {
    loop {
        let told = news.recv().await.expect("the host is there");
        if told.contains(words) {
            return told;
        }
    }
}

#[test]
fn who_knows_the_name_of_anothers_session_gets_nothing_of_it() {
    let home = Home::new("theft");
    let (own, keys) = (Identity::open(&home.0).expect("room for a key"), home.keys());
    for n in [1, 2] {
        let key = Identity::from_seed(&[n; 32]).key();
        let added =
            Peers::at(&home.0).add(&format!("edge_{n}"), key, std::time::UNIX_EPOCH, "by hand");
        added.expect("room for a peer");
    }
    let graph = r#"
        [host.edge]
        [host.cloud]
        address = ["127.0.0.1:1"]
        [node.device]
        op = "device"
        frames = 1
        on = "edge"
        [node.kept]
        op = "tally"
        from = "device"
        on = "cloud"
        key = "links_theft"
        "#;
    let (said, mut news) = unbounded_channel();
    let tell: Tell = Arc::new(move |news| drop(said.send(news.to_string())));
    let Host { part, carrier, running } = Host::start(graph, "cloud");
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let settings = ServeSettings { listen, sessions_max: 4, quic: quic::Settings::default() };
    let serving = Serving::start(part, &keys, &settings, &running, &carrier, tell);
    let serving = serving.expect("a free port");
    let edges = Host::start(graph, "edge").part.peers.remove(0).edges;
    let work = async {
        let config = SessionConfig {
            graph: graph_hash("links"),
            session: [7; 16],
            life: 1,
            calls: true,
            edges: edges.into_iter().map(|edge| edge.config).collect(),
            timing: Timing::default(),
        };
        let (driver, _ports) = Driver::new(Session::new(config), Settings::default());
        tokio::spawn(driver.run(dialer(1, &serving, &own)));
        hear(&mut news, "session 0: `edge` at").await;

        let mut thief = asks_for([7; 16], dialer(2, &serving, &own)).await;
        assert_eq!(hears(&mut *thief).await, None, "not a byte of it");
        let told = hear(&mut news, "was turned away").await;
        let key = Identity::from_seed(&[2; 32]).key().to_string();
        assert!(told.contains("a session that another key has opened"), "{told}");
        assert!(told.contains(&key), "{told}");
        let refused = serving.links().turned_away().expect("it can be called");
        assert_eq!(refused.of(Reason::Session), 1);
        // By another name it has one of its own, if only to hear that it runs something else.
        let mut honest = asks_for([8; 16], dialer(2, &serving, &own)).await;
        assert!(hears(&mut *honest).await.is_some());
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let limited = async { tokio::time::timeout(LIMIT, work).await };
    runtime.expect("a thread").block_on(limited).expect("it ends");
    running.stop();
    serving.close();
}
