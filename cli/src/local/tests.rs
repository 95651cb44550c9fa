//! A server and its clients in one process, over a socket in a folder of the test's own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    Catalog, Disk, GraphSpec, Looking, Plan, PlanOptions, RunOptions, Running, SourceText,
};

use super::{
    About, Client, Server, Trouble,
    message::{Asked, Look, Said},
};
use crate::followers::Followers;

/// Anything takes a fraction of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const HEART: &str = r#"
[graph]
name = "heart"
[node.ecg]
op = "ecg"
rate_hz = 250.0
frame_ms = 20.0
[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0
[node.beats]
op = "qrs"
from = "clean"
[node.out]
op = "null"
from = "beats"
deadline_ms = 500.0
stage = "sinks"
"#;

fn planned(graph: &str) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("heart.toml", graph)).expect("it is one");
    let options = PlanOptions::new(Arc::new(Disk));
    let plan = spec.plan(&Catalog::new(&[operators::CATALOG]), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

/// A running graph with a socket.
struct Ran {
    folder: tempfile::TempDir,
    running: Arc<Running>,
    server: Option<Server>,
}

impl Ran {
    fn new(speed: Option<f64>) -> Self {
        Self::of(HEART, speed)
    }

    fn of(graph: &str, speed: Option<f64>) -> Self {
        let plan = planned(graph);
        let options = RunOptions { speed, cores: 1, sessions: 2 };
        let running = Arc::new(plan.start(&options).expect("bodies can be built"));
        let folder = tempfile::tempdir().expect("there is room");
        let about = About { file: "heart.toml".to_owned(), host: None, cores: 1, speed };
        let followers = Followers::of(&running, false);
        let path = folder.path().join("1.sock");
        let server = Server::at(path, about, &plan, &running, None, &followers);
        Self { folder, running, server: Some(server.expect("there is room")) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("1.sock")
    }

    fn client(&self) -> Client {
        Client::open(&self.path()).expect("it answers")
    }

    fn end(&mut self) {
        self.server.take().expect("not yet").end("done", 4.2, None);
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not come to that");
        std::thread::yield_now();
    }
}

#[test]
fn a_look_tells_what_is_counted() {
    let ran = Ran::new(None);
    let mut client = ran.client();
    assert_eq!((client.hello.graph.as_str(), client.hello.file.as_str()), ("heart", "heart.toml"));
    let shape = client.shape().expect("it answers");
    let names: Vec<&str> = shape.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["ecg", "clean", "beats", "out"]);
    assert_eq!(shape.nodes[0].rate_hz, Some(250.0));
    let low = shape.nodes[1].params.iter().find(|param| param.name == "low_hz");
    let low = low.expect("it has one");
    assert_eq!((low.value.as_str(), low.is_written), ("5.0", true));
    assert!(shape.nodes[1].params.iter().any(|param| !param.is_written), "defaults, too");
    let rings: Vec<_> = shape.edges.iter().map(|edge| edge.capacity.is_some()).collect();
    assert_eq!(rings, [false, false, true], "`out` has a stage of its own");
    assert_eq!(shape.edges[2].on_full.as_deref(), Some("block"));
    assert_eq!((shape.nodes[0].stage, shape.nodes[3].stage), (Some(0), Some(1)));
    assert_eq!(shape.stages[1].name, "sinks");

    let mut look = client.look().expect("it answers");
    until(|| {
        look = client.look().expect("it answers");
        look.sinks[0].latency.p50_ns.is_some()
    });
    assert_eq!((look.sessions_open, look.sessions_opened), (2, 2));
    let entered = look.nodes[0].entered.as_ref().expect("a source");
    assert!(entered.frames > 0 && entered.samples >= entered.frames, "{entered:?}");
    for edge in &look.edges {
        let dropped: u64 = edge.dropped.iter().sum();
        assert!(edge.sent >= edge.taken + dropped, "{edge:?}");
    }
    let latency = &look.sinks[0].latency;
    assert!(latency.steps.iter().map(|(_, count)| count).sum::<u64>() > 0);
    assert_eq!(look.sinks[0].deadline_ns, Some(500_000_000));
}

#[test]
fn gaps_of_a_source_are_counted() {
    let folder = tempfile::tempdir().expect("there is room");
    let table = folder.path().join("gaps.csv");
    let row = |n: i32| format!("{:.3},{n}\n", f64::from(n + 100 * (n / 50)) * 0.01);
    let rows: String = (0..150).map(row).collect();
    std::fs::write(&table, format!("t_s,x\n{rows}")).expect("there is room");
    let graph = format!(
        "[node.table]\nop = \"csv\"\nfile = {:?}\n[node.out]\nop = \"null\"\nfrom = \"table\"\n",
        table.display().to_string()
    );
    let ran = Ran::of(&graph, None);
    let mut client = ran.client();
    let mut gaps = 0;
    until(|| {
        let look = client.look().expect("it answers");
        gaps = look.nodes[0].entered.as_ref().expect("a source").gaps;
        look.sessions_open == 0
    });
    assert_eq!(gaps, 2 * 2, "two gaps in each of two sessions");
}

#[test]
fn frames_are_followed_while_somebody_asks_where_time_goes() {
    let ran = Ran::new(None);
    let (mut one, mut two) = (ran.client(), ran.client());
    assert_eq!(one.look().expect("it answers").time, None, "nobody asked for it");
    assert!(!ran.running.is_followed());

    let mut look = Look::default();
    until(|| {
        look = one.look_with_time().expect("it answers");
        let time = look.time.as_ref().expect("it was asked for");
        time.limit.is_some() && time.sinks.first().is_some_and(|sink| sink.frames > 0)
    });
    let time = look.time.expect("just seen");
    let sink = &time.sinks[0];
    assert_eq!(sink.node, "out");
    for way in [&sink.mean, &sink.slowest] {
        let of_nodes: f64 = way.nodes.iter().map(|leg| leg.parts.all()).sum();
        for parts in [way.parts.all(), of_nodes] {
            // Tenths of nanoseconds are told, of as many parts as there are nodes; and there are two clocks.
            let off = (parts - way.latency_ns).abs();
            assert!(off <= 0.01 * way.latency_ns + 3.0, "{parts} of {}", way.latency_ns);
        }
        assert!(way.nodes.iter().any(|leg| leg.parts.computing_ns > 0.0), "{way:?}");
        assert!(way.nodes.is_sorted_by(|a, b| a.share >= b.share), "{way:?}");
    }

    // One goes, the other stays; the last one ends it.
    two.look_with_time().expect("it answers");
    drop(one);
    until(|| two.look_with_time().expect("it answers").time.is_some());
    assert!(ran.running.is_followed());
    assert_eq!(two.look().expect("it answers").time, None);
    until(|| !ran.running.is_followed());
    two.look_with_time().expect("it answers");
    assert!(ran.running.is_followed(), "and it begins anew");
    drop(two);
    until(|| !ran.running.is_followed());
}

#[test]
fn of_every_frame_that_is_followed_the_way_is_known_and_as_long_as_the_sink_says() {
    // One sink in the same stage and one behind a ring, on the machine's clock.
    let graph = "[graph]\nname = \"ways\"\n[node.ecg]\nop = \"ecg\"\nseconds = 6.0\nframe_ms = 20.0\n\
                 [node.clean]\nop = \"bandpass\"\nfrom = \"ecg\"\nlow_hz = 5.0\nhigh_hz = 15.0\n\
                 [node.near]\nop = \"null\"\nfrom = \"clean\"\n\
                 [node.far]\nop = \"null\"\nfrom = \"clean\"\nstage = \"sinks\"\n";
    let options = RunOptions { speed: Some(10.0), cores: 1, sessions: 1 };
    let all = Looking { follow: Some(Duration::ZERO), ..Looking::default() };
    let running = planned(graph).start_looking(&options, all).expect("bodies can be built");
    running.wait();
    let (report, told) = (running.report(), running.attribution());

    assert_eq!((told.lost, told.broken, told.sinks.len()), (0, 0, 2));
    for sink in &told.sinks {
        let measured =
            report.sinks.iter().find(|other| other.name == sink.name).expect("it is one");
        assert_eq!((sink.journeys, measured.frames), (300, 300), "{}", sink.name);
        // That of the sink is counted in steps of 3 %, this to the nanosecond that is the mark.
        let longest = sink.recent.iter().map(|way| way.latency_ns).max().expect("there are ways");
        let max = measured.latency.max().expect("it got something");
        assert!((longest - max).abs() <= max / 30 + 2, "{}: {longest} and {max}", sink.name);
        let sum: i64 = sink.recent.iter().map(|way| way.latency_ns).sum();
        assert_eq!(sink.latency_ns, sum, "{}: of all that came", sink.name);
        assert!((sink.covered() - 1.0).abs() < 0.01, "{}: {}", sink.name, sink.covered());
    }
}

#[test]
fn for_one_that_asks_nothing_any_more_nobody_is_followed() {
    let ran = Ran::new(Some(1.0));
    let mut stopped = ran.client();
    stopped.look_with_time().expect("it answers");
    until(|| !ran.running.is_followed());
    let look = stopped.look_with_time().expect("it goes on as if nothing had been");
    assert!(look.time.is_some() && ran.running.is_followed());
}

#[test]
fn who_comes_and_goes_disturbs_no_profile() {
    let ran = Ran::new(Some(1.0));
    ran.running.follow(Some(Running::FOLLOW_EVERY));
    let followers = Followers::of(&ran.running, true);
    let whole = |ran: &Ran| ran.running.workload().expect("frames are followed").lasted_ns;
    let before = whole(&ran);
    drop((followers.ask(), followers.ask()));
    assert!(ran.running.is_followed());
    assert!(whole(&ran) > before, "it goes on and does not begin anew");
}

#[test]
fn the_socket_is_ours_alone_and_goes_with_the_run() {
    let mut ran = Ran::new(Some(1.0));
    let mode = std::fs::metadata(ran.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = ran.client();
    ran.end();
    assert!(!ran.path().exists());
    let Err(Trouble::Ended(end)) = client.look() else { panic!("it tells its end") };
    assert_eq!((end.how.as_str(), end.after_s), ("done", 4.2));
    assert!(matches!(Client::open(&ran.path()), Err(Trouble::Gone)));
}

#[test]
fn who_looks_in_keeps_no_run_from_its_end() {
    let mut ran = Ran::new(Some(1.0));
    let (_one, two) = (ran.client(), ran.client());
    let mut frames = two.tap("ecg", None).expect("there is one");
    until(|| frames.next(Duration::from_millis(10)).expect("it runs").is_some());
    let weak = Arc::downgrade(&ran.running);
    let server = ran.server.take();
    ran.running.stop();
    drop(ran);
    drop(server);
    until(|| weak.strong_count() == 0);
}

#[test]
fn what_a_tap_shows_is_what_passes() {
    let ran = Ran::new(Some(1.0));
    let mut frames = ran.client().tap("ecg", Some(1)).expect("there is one");
    assert_eq!((frames.label.as_str(), frames.session), ("ecg", 1));
    let mut seen = Vec::new();
    while seen.len() < 20 {
        seen.extend(frames.next(Duration::from_millis(100)).expect("it runs"));
    }
    for (one, next) in seen.iter().zip(&seen[1..]) {
        assert_eq!(next.told.seq, one.told.seq + 1);
        assert_eq!(next.told.t_ns - one.told.t_ns, 20_000_000);
        assert_eq!(next.frame.as_ref().expect("short").len(), 5);
    }
}

#[test]
fn what_there_is_not_is_refused_with_what_there_is() {
    let ran = Ran::new(Some(1.0));
    let Err(Trouble::Refused(refused)) = ran.client().tap("beatz", None) else {
        panic!("there is none")
    };
    assert_eq!(refused.message, "the graph has no output `beatz`");
    let labels: Vec<_> = refused.outputs.iter().map(|output| output.label.as_str()).collect();
    assert_eq!(labels, ["ecg", "ecg.truth", "clean", "beats"]);
    let Err(Trouble::Refused(refused)) = ran.client().tap("beats", Some(7)) else {
        panic!("there is none")
    };
    assert_eq!(refused.sessions, [0, 1]);
}

#[test]
fn one_that_never_reads_misses_frames_and_holds_nobody_up() {
    let ran = Ran::new(None);
    let mut idle = ran.client().tap("ecg", None).expect("there is one");
    let mut other = ran.client();
    let entered = |client: &mut Client| {
        let look = client.look().expect("it answers whoever else is there");
        look.nodes[0].entered.as_ref().expect("a source").frames
    };
    // Far more than the tap and both ends of the socket have room for.
    let began = entered(&mut other);
    until(|| entered(&mut other) > began + 1_000_000);
    let mut missed = 0;
    until(|| {
        let came = idle.next(Duration::from_millis(100)).expect("it goes on as soon as he reads");
        missed += came.map_or(0, |came| came.told.missed);
        missed > 0
    });
}

#[test]
fn nonsense_is_refused_and_hung_up_on() {
    let ran = Ran::new(Some(1.0));
    let long = "x".repeat(100_000);
    for nonsense in ["{}\n", "look\n", "{\"look\":\n", long.as_str()] {
        let mut stream = UnixStream::connect(ran.path()).expect("it listens");
        // It may hang up in the middle of this.
        let _ = stream.write_all(nonsense.as_bytes());
        let mut said = BufReader::new(stream);
        let mut line = String::new();
        said.read_line(&mut line).expect("a hello");
        line.clear();
        if said.read_line(&mut line).is_ok() && !line.is_empty() {
            let refused: Said = serde_json::from_str(&line).expect("of the protocol");
            assert!(matches!(refused, Said::Refused(_)), "{line}");
        }
        let mut rest = Vec::new();
        let _ = said.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
    ran.client().look().expect("others are answered");
}

#[test]
fn there_is_room_for_a_few() {
    let ran = Ran::new(Some(1.0));
    let clients: Vec<Client> = (0..8).map(|_| ran.client()).collect();
    let Err(Trouble::Refused(refused)) = Client::open(&ran.path()) else { panic!("no room") };
    assert!(refused.message.contains("8 look"), "{}", refused.message);
    drop(clients);
    until(|| Client::open(&ran.path()).is_ok());
}

#[test]
fn questions_are_objects_of_one_key() {
    let asked = Asked::Tap { output: "beats".to_owned(), session: None };
    assert_eq!(
        serde_json::to_string(&asked).expect("it can"),
        r#"{"tap":{"output":"beats","session":null}}"#
    );
    for (asked, text) in [(false, r#"{"look":{}}"#), (true, r#"{"look":{"time":true}}"#)] {
        let asked = Asked::Look { time: asked };
        assert_eq!(serde_json::to_string(&asked).expect("it can"), text);
        assert_eq!(serde_json::from_str::<Asked>(text).expect("it is one"), asked);
    }
    let asked: Asked =
        serde_json::from_str(r#"{"tap":{"output":"x"}}"#).expect("a session may lack");
    assert_eq!(asked, Asked::Tap { output: "x".to_owned(), session: None });
}
