//! A page and those who look at it in one process, over loopback.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Catalog, Disk, GraphSpec, Plan, PlanOptions, RunOptions, Running, SourceText};
use serde_json::{Value, json};

use super::{Web, open};
use crate::{followers::Followers, interrupt::Wish, local::About};

/// Anything takes a fraction of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "0123456789abcdef";

const HEART: &str = r#"
[graph]
name = "heart"
deadline_ms = 500
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
[node.loud]
op = "lowpass"
from = "ecg"
cutoff_hz = 40.0
[node.out]
op = "null"
from = "beats"
[node.out2]
op = "null"
from = "loud"
"#;

/// A running graph with a page.
struct Ran {
    running: Arc<Running>,
    address: SocketAddr,
    web: Option<Web>,
}

impl Ran {
    fn new(speed: Option<f64>, may_control: bool) -> Self {
        let spec = GraphSpec::parse(&SourceText::new("heart.toml", HEART)).expect("it is one");
        let options = PlanOptions::new(Arc::new(Disk));
        let plan = spec.plan(&Catalog::new(&[operators::CATALOG]), &options);
        let plan: Arc<Plan> = Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")));
        let options = RunOptions { speed, cores: 1, sessions: 2 };
        let running = Arc::new(plan.start(&options).expect("bodies can be built"));
        let opened = open("127.0.0.1:0", Some(TOKEN), may_control);
        let opened = opened.unwrap_or_else(|failure| panic!("{}", failure.text()));
        assert!(!opened.url.contains(TOKEN), "who gave it knows it");
        let address = opened.address;
        let about = About { file: "heart.toml".to_owned(), host: None, cores: 1, speed };
        let followers = Followers::of(&running, false);
        let web = Web::start(opened, about, &running, None, &followers).expect("there is room");
        Self { running, address, web: Some(web) }
    }

    fn web(&self) -> &Web {
        self.web.as_ref().expect("it is served")
    }

    /// Status, head and body.
    fn ask(&self, request: &str, heads: &str, body: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        let length = body.len();
        let asked = format!(
            "{request} HTTP/1.1\r\n{heads}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(asked.as_bytes()).expect("it is heard");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, head.to_owned(), body.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let (status, _, said) = self.ask(&format!("POST {path}"), &own(), &body.to_string());
        (status, said)
    }

    /// A connection whose reader does not wait for ever.
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    fn viewer(&self) -> Viewer {
        let mut stream = self.connect();
        let asked = format!("GET /api/events HTTP/1.1\r\n{}\r\n", own());
        stream.write_all(asked.as_bytes()).expect("it is heard");
        let mut viewer = Viewer { said: BufReader::new(stream), hello: Value::Null };
        viewer.hello = viewer.until("hello", |_| true);
        viewer
    }

    /// Lets a viewer see these outputs of session 0.
    fn watch(&self, viewer: &Viewer, outputs: &[&str]) {
        let outputs: Vec<Value> =
            outputs.iter().map(|output| json!({ "session": 0, "output": output })).collect();
        let path = format!("/api/viewers/{}", viewer.hello["viewer"]);
        assert_eq!(self.post(&path, &json!({ "outputs": outputs })).0, 200);
    }

    fn end(&mut self) {
        self.web.take().expect("not yet").end("done", 4.2, None);
    }
}

fn own() -> String {
    format!("Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n")
}

/// Somebody who looks.
struct Viewer {
    said: BufReader<TcpStream>,
    hello: Value,
}

impl Viewer {
    /// The next event, with its name; none once the stream is over.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.said.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            // Lengths of chunks stand on lines of their own, and are passed over.
            if let Some(said) = line.strip_prefix("event: ") {
                said.trim_end().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).expect("JSON")));
            }
        }
    }

    /// The next event of a name of which something is so.
    fn until(&mut self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "no such `{name}` comes");
            let (of, said) = self.next().unwrap_or_else(|| panic!("over before `{name}`"));
            if of == name && is_so(&said) {
                return said;
            }
        }
    }
}

/// What a tick tells of an output.
fn told<'a>(tick: &'a Value, output: &str) -> Option<&'a Value> {
    tick["taps"].as_array().expect("a list").iter().find(|told| told["output"] == output)
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not come to that");
        std::thread::yield_now();
    }
}

#[test]
fn the_page_is_open_and_what_it_asks_for_is_not() {
    let ran = Ran::new(Some(1.0), false);
    let (status, head, page) = ran.ask("GET /", "Host: localhost:1\r\n", "");
    assert_eq!(status, 200);
    assert!(page.starts_with("<!doctype html>") && page.contains("lang=\"en\""), "{page}");
    for said in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(said), "{said}: {head}");
    }
    assert!(!head.contains("access-control-allow"), "{head}");
    assert_eq!(ran.ask("POST /", &own(), "").0, 405);
    assert_eq!(ran.ask("GET /etc/passwd", &own(), "").0, 404);

    let bare = "Host: 127.0.0.1\r\n".to_owned();
    let wrong = format!("{bare}Authorization: Bearer 0123456789abcdeg\r\n");
    for heads in [&bare, &wrong] {
        for request in ["GET /api/events", "POST /api/viewers/1", "POST /api/control"] {
            let (status, head, said) = ran.ask(request, heads, "{}");
            assert_eq!(status, 401, "{request}");
            assert!(head.contains("www-authenticate: Bearer"), "{head}");
            assert!(said.contains("the token is missing or wrong"), "{said}");
        }
        assert_eq!(ran.ask(&format!("GET /api/events?token={TOKEN}"), heads, "").0, 401);
    }
}

#[test]
fn who_shows_no_token_keeps_no_place_however_often_he_asks() {
    let ran = Ran::new(Some(1.0), false);
    let mut known = ran.viewer();
    let stranger = ran.connect();
    let mut read = BufReader::new(stranger.try_clone().expect("a handle"));
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "he is still here");
        // Sooner than a head is waited for, again and again.
        let asked =
            (&stranger).write_all(b"GET /assets/icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut head = String::new();
        if asked.is_err() || read.read_line(&mut head).unwrap_or(0) == 0 {
            break;
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut length = 0;
        loop {
            head.clear();
            if read.read_line(&mut head).unwrap_or(0) < 3 {
                break;
            }
            if let Some(said) = head.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = said.trim_end().parse().expect("a number");
            }
        }
        let _ = read.read_exact(&mut vec![0; length]);
    }
    // Who has shown it came before him, and stays.
    known.until("tick", |tick| tick["now"].is_object());
}

#[test]
fn a_name_that_others_gave_our_address_is_turned_away() {
    let ran = Ran::new(Some(1.0), true);
    for host in ["evil.example", "evil.example:8080", "10.0.0.1:8080"] {
        let heads = format!("Host: {host}\r\nAuthorization: Bearer {TOKEN}\r\n");
        for request in ["GET /", "GET /api/events", "POST /api/control"] {
            assert_eq!(ran.ask(request, &heads, "{}").0, 421, "{request} {host}");
        }
    }
    assert_eq!(ran.ask("GET /", "", "").0, 421, "no name at all");
}

#[test]
fn a_viewer_sees_figures_move_and_what_passes() {
    let ran = Ran::new(Some(1.0), false);
    let mut viewer = ran.viewer();
    let hello = viewer.hello.clone();
    assert_eq!(hello["process"]["graph"], "heart");
    assert_eq!(hello["may_control"], false);
    assert_eq!(hello["shape"]["nodes"][0]["name"], "ecg");
    assert_eq!(hello["offer"]["signals"], json!(["ecg"]));
    let heart = &hello["offer"]["events"][0];
    assert_eq!((&heart["label"], &heart["made_of"]), (&json!("beats"), &json!(["ecg"])));
    assert_eq!(heart["is_heart"], true);

    let first = viewer.until("tick", |tick| tick["now"]["frames_in_per_s"].as_f64() > Some(0.0));
    let at = first["now"]["at_s"].as_f64().expect("a time");
    viewer.until("tick", |tick| tick["now"]["at_s"].as_f64() > Some(at));
    let all = viewer.until("tick", |tick| tick["all"].is_object());
    assert_eq!(all["all"]["sessions"], json!([0, 1]));
    assert!(all["all"]["counts"]["sinks"][0]["latency"]["steps"].is_array());

    ran.watch(&viewer, &["ecg", "beats", "nothing"]);
    let tick = viewer.until("tick", |tick| told(tick, "ecg").is_some());
    let signal = &told(&tick, "ecg").expect("just seen")["signal"];
    assert_eq!((signal["step_s"].as_f64(), signal["pairs"].as_bool()), (Some(0.004), Some(false)));
    assert!(signal["parts"][0]["channels"][0].as_str().expect("base64").len() >= 4);
    let tick = viewer.until("tick", |tick| told(tick, "beats").is_some());
    let beat = &told(&tick, "beats").expect("just seen")["events"]["lines"][0];
    assert!(beat["t_s"].is_number(), "{beat}");
    ran.watch(&viewer, &["no.such"]);
    let tick = viewer.until("tick", |tick| told(tick, "no.such").is_some());
    let why = told(&tick, "no.such").expect("just seen")["refused"].as_str().expect("words");
    assert!(why.contains("no output `no.such`"), "{why}");
}

#[test]
fn two_viewers_share_a_tap_which_goes_with_the_last_of_them() {
    let ran = Ran::new(Some(1.0), false);
    let taps = || ran.web().inside.taps.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(taps(), 0, "nobody looks");
    let (mut one, mut two) = (ran.viewer(), ran.viewer());
    ran.watch(&one, &["ecg", "clean"]);
    ran.watch(&two, &["ecg"]);
    one.until("tick", |tick| told(tick, "clean").is_some());
    two.until("tick", |tick| told(tick, "ecg").is_some());
    until(|| taps() == 2);
    one.said.get_ref().shutdown(Shutdown::Both).expect("it is open");
    until(|| taps() == 1);
    two.until("tick", |tick| told(tick, "ecg").is_some());
    drop(two);
    until(|| taps() == 0);
}

#[test]
fn a_page_tells_where_time_goes_until_nobody_looks() {
    let ran = Ran::new(None, false);
    assert!(!ran.running.is_followed(), "nobody looks");
    let (mut one, two) = (ran.viewer(), ran.viewer());
    let tick = one.until("tick", |tick| {
        let time = &tick["all"]["time"];
        time["limit"].is_object() && time["sinks"].as_array().is_some_and(|sinks| sinks.len() == 2)
    });
    let time = &tick["all"]["time"];
    assert!(tick["all"]["counts"].get("time").is_none(), "what is counted is so since the start");
    for sink in time["sinks"].as_array().expect("a list") {
        let of = |key: &str| sink["mean"][key].as_f64().expect("a number");
        let parts = of("waiting_ns") + of("computing_ns") + of("moving_ns");
        let latency_ns = of("latency_ns");
        // Tenths of nanoseconds are told; and there are two clocks.
        assert!((parts - latency_ns).abs() <= 0.01 * latency_ns + 3.0, "{sink}");
    }
    assert!(time["limit"]["said"].as_str().is_some_and(|said| !said.is_empty()), "{time}");
    drop(two);
    one.until("tick", |tick| tick["all"]["time"].is_object());
    assert!(ran.running.is_followed());
    drop(one);
    until(|| !ran.running.is_followed());
}

#[test]
fn there_is_room_for_a_few_and_what_they_ask_is_bounded() {
    let ran = Ran::new(Some(1.0), false);
    let viewers: Vec<Viewer> = (0..super::viewers::VIEWERS_MAX).map(|_| ran.viewer()).collect();
    let (status, _, said) = ran.ask("GET /api/events", &own(), "");
    assert_eq!(status, 503, "{said}");
    let path = format!("/api/viewers/{}", viewers[0].hello["viewer"]);
    let many: Vec<Value> = (0..17).map(|n| json!({ "session": n, "output": "ecg" })).collect();
    assert_eq!(ran.post(&path, &json!({ "outputs": many })).0, 400);
    assert_eq!(ran.post(&path, &json!({ "outputs": "x".repeat(20_000) })).0, 413);
    assert_eq!(ran.post(&path, &json!({ "nonsense": 1 })).0, 400);
    assert_eq!(ran.post("/api/viewers/999", &json!({ "outputs": [] })).0, 404);
    drop(viewers);
    let mut again = None;
    until(|| {
        let inside = &ran.web().inside;
        again = super::viewers::Place::take(inside, Arc::default());
        again.is_some()
    });
}

#[test]
fn one_who_does_not_read_loses_what_is_oldest_and_is_told() {
    // At full speed every tick is long, so that no socket holds many.
    let ran = Ran::new(None, false);
    let (mut slow, mut quick) = (ran.viewer(), ran.viewer());
    for viewer in [&slow, &quick] {
        ran.watch(viewer, &["ecg", "clean", "loud"]);
    }
    let at = |tick: &Value| tick["now"]["at_s"].as_f64();
    let first = at(&slow.until("tick", |tick| at(tick).is_some())).expect("just seen");
    // The other one is held up by nobody, and loses nothing.
    let began = Instant::now();
    let lost_by_slow = || {
        let inside = ran.web().inside.viewers.lost();
        inside.into_iter().max().unwrap_or(0)
    };
    while lost_by_slow() < 3 {
        assert!(began.elapsed() < PATIENCE, "the sockets hold no end of ticks");
        let (name, _) = quick.next().expect("it goes on");
        assert_ne!(name, "lost");
    }
    let lost = slow.until("lost", |_| true);
    assert!(lost["ticks"].as_u64() >= Some(1), "{lost}");
    let next = slow.until("tick", |tick| at(tick).is_some());
    assert!(at(&next) > Some(first), "what comes is newer");
}

#[test]
fn nothing_can_be_changed_unless_it_is_allowed() {
    let ran = Ran::new(Some(1.0), false);
    for what in ["pause", "resume", "finish", "stop"] {
        let (status, said) = ran.post("/api/control", &json!({ "do": what }));
        assert_eq!(status, 403, "{said}");
        assert!(said.contains("--allow-control"), "{said}");
    }
    let set = json!({ "do": "set", "session": 0, "node": "ecg", "param": "heart_rate_bpm", "value": "90.0" });
    assert_eq!(ran.post("/api/control", &set).0, 403);
    assert_eq!(ran.web().wish(), None);
}

#[test]
fn what_is_allowed_is_done_and_told_to_all() {
    let ran = Ran::new(Some(1.0), true);
    let mut viewer = ran.viewer();
    assert_eq!(viewer.hello["may_control"], true);
    let set = |node: &str, param: &str, value: &str| {
        let set =
            json!({ "do": "set", "session": 0, "node": node, "param": param, "value": value });
        ran.post("/api/control", &set)
    };
    assert_eq!(set("ecg", "heart_rate_bpm", "90.0").0, 200);
    let told = viewer.until("set", |_| true);
    assert_eq!((&told["param"], &told["value"]), (&json!("heart_rate_bpm"), &json!("90.0")));
    assert_eq!(ran.viewer().hello["sets"][0]["value"], "90.0", "whoever comes later knows, too");
    for (node, param, value) in [
        ("ecg", "heart_rate_bpm", "loud"),
        ("ecg", "heart_rate_bpm", "900.0"),
        ("clean", "nothing", "1.0"),
        ("clean", "order", "3"),
        ("nobody", "gain", "1.0"),
    ] {
        let (status, said) = set(node, param, value);
        assert_eq!(status, 409, "{node}.{param}={value}: {said}");
        assert!(said.contains("error"), "{said}");
    }
    let paused = |tick: &Value| {
        let states = &tick["now"]["stages"][0]["states"];
        states.as_array().is_some_and(|states| states.iter().any(|state| state[0] == "paused"))
    };
    assert_eq!(ran.post("/api/control", &json!({ "do": "pause" })).0, 200);
    viewer.until("tick", paused);
    assert_eq!(ran.post("/api/control", &json!({ "do": "resume" })).0, 200);
    viewer.until("tick", |tick| tick["now"].is_object() && !paused(tick));
    assert_eq!(ran.post("/api/control", &json!({ "do": "finish" })).0, 200);
    assert_eq!(ran.web().wish(), Some(Wish::Drain));
    assert_eq!(ran.post("/api/control", &json!({ "do": "stop" })).0, 200);
    assert_eq!((ran.web().wish(), ran.web().wish()), (Some(Wish::Stop), None));
    assert_eq!(ran.post("/api/control", &json!({ "do": "explode" })).0, 400);
}

#[test]
fn the_end_of_the_run_reaches_everybody_and_nobody_holds_it_up() {
    let mut ran = Ran::new(Some(1.0), false);
    let (mut one, _stuck) = (ran.viewer(), ran.viewer());
    ran.watch(&one, &["ecg"]);
    one.until("tick", |tick| told(tick, "ecg").is_some());
    let address = ran.address;
    ran.end();
    let end = one.until("end", |_| true);
    assert_eq!((&end["how"], &end["after_s"]), (&json!("done"), &json!(4.2)));
    assert!(one.next().is_none(), "nothing comes behind it");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    let weak = Arc::downgrade(&ran.running);
    drop(ran);
    until(|| weak.strong_count() == 0);
}

#[test]
fn strangers_need_a_token_that_nobody_guesses() {
    for token in [None, Some("short")] {
        let failure = open("0.0.0.0:0", token, false).err().expect("refused");
        assert!(failure.text().contains("open to other machines"), "{}", failure.text());
        assert!(failure.text().contains("AFFERENT_WEB_TOKEN"), "{}", failure.text());
    }
    let here = open("127.0.0.1:0", None, false).unwrap_or_else(|why| panic!("{}", why.text()));
    let (_, made) = here.url.split_once("/#token=").expect("it is in the fragment");
    assert_eq!(made.len(), 32);
    let other = open("127.0.0.1:0", None, false).unwrap_or_else(|why| panic!("{}", why.text()));
    assert_ne!(
        other.url.split_once('#').expect("a token").1,
        here.url.split_once('#').expect("a token").1
    );
    let taken = here.address.to_string();
    let failure = open(&taken, None, false).err().expect("it is taken");
    assert!(failure.text().contains("another program has this port"), "{}", failure.text());
    assert!(open("nowhere", None, false).is_err());
    assert!(open("127.0.0.1:0", Some("two words"), false).is_err());
}
