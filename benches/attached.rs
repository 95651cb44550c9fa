//! What it costs a graph to be looked at.
//!
//! 100 000 frames a second of 64 samples through eight operators on one core, in a process of its own: one stream
//! whose sink is off the data cores, as what writes to a disk is; 2 000 sessions, one of which is tapped; and one stream
//! that never leaves its core, where a frame takes a tenth of a microsecond and any handle on it is seen. Each is
//! run with a socket and a page that nobody opens; and with `top` at its default interval, a `tap` in the middle that writes every
//! frame as JSON, the page with figures and two signals for one viewer, and `--metrics` scraped once a second; the first without
//! a socket and a page, too; and where cores are few, whoever looks takes them from the graph as any program would: so
//! each is run beside a stranger as well, a thread of another process that takes as much processor time in a thousand turns a second
//! and knows nothing of the graph. These three are seconds of one process, which is another in each round: how sessions happen to
//! lie in memory makes more of a difference than who looks. Throughput and
//! latency are those of the seconds between two looks, from the counters that anybody can read; a quantile is
//! interpolated inside its step of 3 %. This program is what it measures: it calls itself as `afferent`.

mod support;

use std::{
    cell::{Cell, RefCell},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use support::{
    Bench, Runs,
    graph::{Chain, uncut},
    kinds::KINDS,
    process,
    program::{AS_PROGRAM, Counts, Helper, counted, program, quantile},
};

const FRAMES_PER_S: f64 = 100_000.0;
const SAMPLES: f64 = 64.0;
const OPERATORS: usize = 8;

fn main() -> ExitCode {
    if std::env::var_os(AS_PROGRAM).is_some() {
        return afferent::main(KINDS);
    }
    let bench = Bench::start("attached");
    let folder = std::env::temp_dir().join(format!("afferent-attached-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the graph");
    let span = Duration::from_millis(bench.scale(4_000, 300) as u64);
    let cases = [
        Case { name: "off", sessions: 1, sink: "bench_taken_off", is_promised: true },
        Case { name: "many", sessions: 2_000, sink: "bench_taken", is_promised: true },
        Case { name: "fused", sessions: 1, sink: "bench_taken", is_promised: false },
    ];
    for (n, case) in cases.iter().enumerate() {
        let graph = folder.join("chain.toml");
        std::fs::write(&graph, case.text()).expect("the graph can be written");
        measure(&bench, case, &folder, span, n == 0);
    }
    let _ = std::fs::remove_dir_all(&folder);
    ExitCode::SUCCESS
}

/// A graph that is looked at.
struct Case {
    name: &'static str,
    sessions: u32,
    sink: &'static str,
    /// Whether what it costs is a promise.
    is_promised: bool,
}

impl Case {
    fn text(&self) -> String {
        let rate_hz = FRAMES_PER_S * SAMPLES / f64::from(self.sessions);
        let chain = Chain {
            source: &format!(
                "op = \"bench_ramp\"\nrate_hz = {rate_hz:?}\nframes = 1_000_000_000_000"
            ),
            node: "op = \"bench_add\"",
            count: OPERATORS,
            sink: &format!("op = {:?}", self.sink),
            stage: uncut,
        };
        chain.text()
    }
}

fn measure(bench: &Bench, case: &Case, folder: &Path, span: Duration, with_none: bool) {
    let variants = ["no socket", "nobody looks", "top, tap, page and metrics", "beside a stranger"];
    let names = variants.map(|variant| format!("{}, {variant}", case.name));
    let sessions = case.sessions.to_string();
    let start = |more: &[&str]| Graph::start(folder, &[&["--sessions", &sessions], more].concat());
    // The one of this round.
    let graph = RefCell::new(None);
    let seen = |is_looked_at: bool, share: f64| {
        let mut graph = graph.borrow_mut();
        let graph = graph.get_or_insert_with(|| start(&[]));
        let _stranger = Stranger::start(share);
        graph.seen(span, is_looked_at)
    };
    // What whoever looked took of the processors in the run before.
    let taken = Cell::new(0.0);
    let rate = |runs: &Runs<Ran>| runs.of(|run| run.frames_per_s);
    let p99 = |runs: &Runs<Ran>| runs.of(|run| run.p99_us);
    let cpu = |runs: &Runs<Ran>| runs.of(|run| run.cpu_pct);
    let report = |variant, runs: &Runs<Ran>| {
        bench.report(
            "attached",
            &[("graph", case.name), ("variant", variant)],
            &[
                ("frames_per_s", &rate(runs)),
                ("p50_us", &runs.of(|run| run.p50_us)),
                ("p99_us", &p99(runs)),
                ("cpu_pct", &cpu(runs)),
                ("lookers_pct", &runs.of(|run| run.lookers_pct)),
                ("tapped_per_s", &runs.of(|run| run.tapped_per_s)),
            ],
        );
    };
    let [idle, looked, beside] = bench.interleaved([
        (&names[1], &mut || {
            let ran = seen(false, 0.0);
            taken.set(-ran.cpu_pct);
            ran
        }),
        (&names[2], &mut || {
            let ran = seen(true, 0.0);
            taken.set((taken.get() + ran.cpu_pct + ran.lookers_pct).max(0.0) / 100.0);
            ran
        }),
        (&names[3], &mut || {
            let ran = seen(false, taken.get());
            *graph.borrow_mut() = None;
            ran
        }),
    ]);
    report(variants[1], &idle);
    report(variants[2], &looked);
    report(variants[3], &beside);
    if case.is_promised {
        let promise = |what: &str| format!("{}: {what}", case.name);
        let share = rate(&looked).over(&rate(&idle));
        bench.verdict_least(&promise("throughput looked at, to that without"), &share, 0.99);
        let ratio = p99(&looked).over(&p99(&idle));
        bench.verdict(&promise("p99 looked at, to that without"), &ratio, 1.03);
        let ratio = p99(&beside).over(&p99(&idle));
        bench.report("p99 beside a stranger, to that without", &[], &[("times", &ratio)]);
        let ratio = p99(&looked).over(&p99(&beside));
        bench.report("p99 looked at, to that beside a stranger", &[], &[("times", &ratio)]);
    }
    if with_none {
        let [none, idle] = bench.interleaved([
            (&names[0], &mut || start(&["--no-attach"]).seen(span, false)),
            (&names[1], &mut || start(&[]).seen(span, false)),
        ]);
        let (rates, times) = (rate(&none), cpu(&none));
        bench.report(
            "attached",
            &[("graph", case.name), ("variant", variants[0])],
            &[("frames_per_s", &rates), ("cpu_pct", &times)],
        );
        let share = rate(&idle).over(&rates);
        bench.verdict_least("throughput with a socket, to that without", &share, 0.99);
        bench.verdict(
            "processor time with a socket, to that without",
            &cpu(&idle).over(&times),
            1.03,
        );
    }
}

#[derive(Clone, Copy)]
struct Ran {
    frames_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// Of the process that runs the graph, while it is looked at.
    cpu_pct: f64,
    /// Of those who look, this process included.
    lookers_pct: f64,
    tapped_per_s: f64,
}

/// Takes a share of a core in a thousand turns a second.
struct Stranger {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn start(share: f64) -> Self {
        let turn = Duration::from_millis(1);
        let is_over = Arc::<AtomicBool>::default();
        let over = is_over.clone();
        let takes = move || {
            let (began, before) = (Instant::now(), process::thread_cpu_s());
            while !over.load(Ordering::Relaxed) {
                let taken = process::thread_cpu_s() - before;
                let due = (share * began.elapsed().as_secs_f64() - taken).clamp(0.0, 0.1);
                let turns = Instant::now();
                while turns.elapsed().as_secs_f64() < due {
                    std::hint::spin_loop();
                }
                process::let_run(turn);
            }
        };
        let thread = (share > 0.0).then(|| std::thread::spawn(takes));
        Self { is_over, thread }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// A process that runs the graph.
struct Graph {
    folder: PathBuf,
    child: Helper,
    id: String,
    /// Where its metrics are, and its page if it has a socket.
    metrics: String,
    page: Option<String>,
}

impl Graph {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let has_socket = !more.contains(&"--no-attach");
        let mut words = vec!["run", "chain.toml", "--cores", "1", "--metrics", "127.0.0.1:0"];
        words.extend(more);
        if has_socket {
            words.extend(["--web", "127.0.0.1:0", "--web-token", TOKEN]);
        }
        let mut child = program(folder, &words);
        let child = child.stderr(Stdio::piped()).spawn().expect("the program can be run");
        let mut child = Helper(child);
        let id = child.0.id().to_string();
        let mut said = BufReader::new(child.0.stderr.take().expect("piped"));
        let metrics = told(&mut said, "metrics at http://", "/metrics");
        let page = has_socket.then(|| told(&mut said, "the page is at http://", "/"));
        process::let_run(Duration::from_millis(200));
        Self { folder: folder.to_owned(), child, id, metrics, page }
    }

    /// What the counters say after some time, and some more; without a socket those of `--metrics`.
    fn seen(&mut self, span: Duration, is_looked_at: bool) -> Ran {
        let tapped = self.folder.join("tapped.jsonl");
        let mut helpers = Vec::new();
        let (mut scraper, mut viewer) = (None, None);
        if is_looked_at {
            let top = self.program(&["top", &self.id, "--json", "--every", "1"]).spawn();
            helpers.push(Helper(top.expect("the program can be run")));
            let counts = std::fs::File::create(&tapped).expect("there is room");
            let tap = self
                .program(&["tap", "n3", &self.id, "--json", "--out", "/dev/null"])
                .stderr(counts)
                .spawn();
            helpers.push(Helper(tap.expect("the program can be run")));
            scraper = Some(Scraper::start(&self.metrics));
            viewer = self.page.as_deref().map(Viewer::start);
        }
        process::let_run(span / 4);
        let before = self.look();
        let lookers_s = |helpers: &[Helper]| {
            let of = |helper: &Helper| process::cpu_s(&helper.0.id().to_string());
            helpers.iter().map(of).sum::<f64>() + process::cpu_s("self")
        };
        let (cpu_before, began) = (process::cpu_s(&self.id), Instant::now());
        let looked_before = lookers_s(&helpers);
        process::let_run(span);
        let cpu_s = process::cpu_s(&self.id) - cpu_before;
        let looked_s = lookers_s(&helpers) - looked_before;
        let lasted_s = began.elapsed().as_secs_f64();
        let after = self.look();
        assert!(self.child.0.try_wait().expect("a child").is_none(), "the graph runs");
        for helper in &mut helpers {
            assert!(helper.0.try_wait().expect("a child").is_none(), "they look to the end");
        }
        let tapped_per_s = helpers.pop().map_or(0.0, |tap| tapped_per_s(tap, &tapped));
        drop(scraper);
        if let Some(viewer) = viewer {
            assert!(viewer.ticks() > 0, "the page shows something");
        }
        let frames = after.frames - before.frames;
        assert!(frames > 0.0, "frames arrive");
        Ran {
            frames_per_s: frames / (after.at_s - before.at_s),
            p50_us: quantile(&before.steps, &after.steps, 0.5) / 1e3,
            p99_us: quantile(&before.steps, &after.steps, 0.99) / 1e3,
            cpu_pct: 100.0 * cpu_s / lasted_s,
            lookers_pct: 100.0 * looked_s / lasted_s,
            tapped_per_s,
        }
    }

    fn program(&self, words: &[&str]) -> std::process::Command {
        program(&self.folder, words)
    }

    fn look(&self) -> Counts {
        match self.page {
            Some(_) => counted(&self.folder, &self.id),
            None => from_metrics(&scrape(&self.metrics)),
        }
    }
}

/// Ends a tap and reads how many frames it has written a second: `` `n3`: 600000 frames in 6.0 s, … ``.
fn tapped_per_s(mut tap: Helper, told: &PathBuf) -> f64 {
    let id = i32::try_from(tap.0.id()).ok().and_then(rustix::process::Pid::from_raw);
    let id = id.expect("it runs");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is ours");
    tap.0.wait().expect("a child");
    let text = std::fs::read_to_string(told).expect("it tells at its end");
    let numbers = text.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    let numbers: Vec<f64> = numbers.collect();
    let [frames, seconds, ..] = numbers[..] else { panic!("no count in {text:?}") };
    assert!(frames > 0.0, "frames came by");
    frames / seconds
}

/// The address between these, once it is said.
fn told(said: &mut impl BufRead, before: &str, behind: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(said.read_line(&mut line).expect("text") > 0, "it says: {before}");
        let address = line.trim().strip_prefix(before);
        if let Some(address) = address.and_then(|at| at.strip_suffix(behind)) {
            return address.to_owned();
        }
    }
}

/// Where there is no socket: without the steps, which are coarser there.
fn from_metrics(page: &str) -> Counts {
    let value = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {name} in {page}"))
    };
    Counts {
        at_s: value("afferent_run_seconds"),
        frames: value("afferent_sink_latency_seconds_count"),
        steps: Vec::new(),
    }
}

/// Asks for the metrics once a second.
struct Scraper {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scraper {
    fn start(address: &str) -> Self {
        let (address, is_over) = (address.to_owned(), Arc::<AtomicBool>::default());
        let over = is_over.clone();
        let scrapes = move || {
            while !over.load(Ordering::Relaxed) {
                assert!(scrape(&address).contains("afferent_run_seconds"));
                std::thread::park_timeout(Duration::from_secs(1));
            }
        };
        Self { is_over, thread: Some(std::thread::spawn(scrapes)) }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join().expect("no panic");
        }
    }
}

/// What the page asks for.
const TOKEN: &str = "0123456789abcdef";

/// Somebody who has the page open: figures, and two signals from the middle of the chain.
struct Viewer {
    stream: TcpStream,
    ticks: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Viewer {
    fn start(address: &str) -> Self {
        let stream = asked(address, "GET /api/events", "");
        let mut said = BufReader::new(stream.try_clone().expect("a handle"));
        let hello = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).expect("text") > 0, "it says hello");
            if let Some(hello) = line.strip_prefix("data: ") {
                break serde_json::from_str::<serde_json::Value>(hello).expect("JSON");
            }
        };
        let outputs = ["n3", "n5"].map(|output| format!("{{\"session\":0,\"output\":{output:?}}}"));
        let body = format!("{{\"outputs\":[{}]}}", outputs.join(","));
        let mut answer = [0; 12];
        let mut asks = asked(address, &format!("POST /api/viewers/{}", hello["viewer"]), &body);
        asks.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        let ticks = Arc::<AtomicU64>::default();
        let counts = ticks.clone();
        let thread = std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                counts.fetch_add(u64::from(line == "event: tick"), Ordering::Relaxed);
            }
        });
        Self { stream, ticks, thread: Some(thread) }
    }

    fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// A connection on which something was asked of the page.
fn asked(address: &str, request: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let heads = format!("Host: {address}\r\nAuthorization: Bearer {TOKEN}\r\n");
    let text = format!("{request} HTTP/1.1\r\n{heads}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("it is heard");
    stream
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is heard");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("the page is text");
    page
}
