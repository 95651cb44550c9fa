//! Three hundred voices on one core: chunks of Silero, all streams' in one run, against one by one.
//!
//! Each session plays a recording of 60 s in frames of a chunk (32 ms), from another place and in another phase: the
//! phases are spread evenly. The process is bound to one processor, on which all of it runs: sources, `speech`, the model and
//! the sinks. An answer's age is from the moment the last sample of its chunk was due: two sinks of a session, one behind the source
//! and one behind `speech`, and the least age at the first is zero. What a chunk costs is the processor time of the whole process, which for streams one by one
//! is taken with as many as fit on the core. Each repetition is a process of its own: this program calls itself with `once`.
//!
//! Beside it the model alone, by a loop in one thread with bound buffers: one chunk a run, and 32.

mod support;

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use afferent_suite::{NoFiles, data, sound};
use engine::{
    Body, Buffer, Catalog, Fault, Flow, Format, Frame, GraphSpec, Histogram, Io, Kind, Outline,
    Plan, PlanOptions, Port, Rate, RunOptions, Service, Services, Sink, Source, SourceText,
    Timestamp, Unit,
};
use model::{
    backend::{Array, Loaded, Options, Values, load},
    host::{Model, ModelService, Workers},
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use support::{Bench, kinds::ends::bench_ns, process};

/// Samples of a chunk, and what stands in front of it.
const CHUNK: usize = 512;
const CONTEXT: usize = 64;
const CHUNK_NS: i64 = 32_000_000;
const SESSIONS_MAX: usize = 1_024;

const GRAPH: &str = r#"
[graph]
name = "speech"
[node.sound]
op = "bench_sound"
[node.due]
op = "bench_due"
from = "sound"
[node.speech]
op = "speech"
from = "sound"
model = "silero"
[node.heard]
op = "bench_heard"
from = "speech.probability"
[node.turns]
op = "bench_turns"
from = "speech.turns"
[node.segments]
op = "bench_turns"
from = "speech.out"
"#;

/// What one repetition finds, by the names of its figures.
const FIGURES: [&str; 7] = [
    "age_p50_ms",
    "age_p99_ms",
    "age_max_ms",
    "core_share",
    "us_per_chunk",
    "chunks_per_run",
    "events",
];

fn main() {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == "once") {
        let words: Vec<String> = words.collect();
        let number = |at: usize| words[at].parse().expect("this program says numbers");
        let figures = match &*words[0] {
            "bare" => vec![bare(number(1) as usize, number(2) as usize)],
            _ => once(&words[0], number(1), number(2), number(3) as usize).to_vec(),
        };
        let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
        println!("{}", figures.join(" "));
        return;
    }
    let bench = Bench::start("speech");
    if model_file().is_none() {
        return;
    }
    let sessions = bench.scale(300, 20).to_string();
    // As many as one processor hears one by one.
    let fewer = bench.scale(60, 4).to_string();
    let seconds = bench.scale(6, 1).to_string();
    let runs = bench.scale(3_000, 50).to_string();
    let [together, apart, own, one, many] = bench.interleaved([
        ("together", &mut || in_a_process(&["silero", &sessions, &seconds, "32"])),
        ("one by one", &mut || in_a_process(&["silero", &fewer, &seconds, "1"])),
        ("the net in the program", &mut || in_a_process(&["own", &sessions, &seconds, "1"])),
        ("the model alone, one a run", &mut || in_a_process(&["bare", "1", &runs])),
        ("the model alone, 32 a run", &mut || in_a_process(&["bare", "32", &runs])),
    ]);
    let cases = [("together", &together), ("one by one", &apart), ("the net in the program", &own)];
    for (name, runs) in cases {
        let figures: Vec<_> = (0..FIGURES.len()).map(|at| runs.of(|run| run[at])).collect();
        let metrics: Vec<_> = FIGURES.into_iter().zip(&figures).collect();
        let streams = if name == "one by one" { &fewer } else { &sessions };
        bench.report("speech", &[("chunks", name), ("streams", streams)], &metrics);
    }
    let [one, many] = [one, many].map(|runs| runs.of(|run| run[0]));
    bench.report("speech", &[("chunks", "the model alone, one a run")], &[("us_per_chunk", &one)]);
    bench.report("speech", &[("chunks", "the model alone, 32 a run")], &[("us_per_chunk", &many)]);
    if together.0.is_empty() || apart.0.is_empty() {
        return;
    }
    bench.verdict("p99 from chunk to answer, ms", &together.of(|run| run[1]), 8.0);
    bench.verdict("share of one core", &together.of(|run| run[3]), 0.6);
    let [whole, single] = [&together, &apart].map(|runs| runs.of(|run| run[4]));
    bench.verdict(
        "a chunk together, times one by one, all of the process",
        &whole.over(&single),
        0.45,
    );
    bench.verdict("a run of 32, times 32 runs of one, the model alone", &many.over(&one), 0.45);
}

fn in_a_process(words: &[&str]) -> Vec<f64> {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).arg("once").args(words).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a repetition failed: {said}");
    let figures = String::from_utf8_lossy(&output.stdout);
    figures.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

/// All of this process goes to one processor, the last it may have.
fn bind() {
    let all = sched_getaffinity(None).expect("this process is somewhere");
    let last = (0..CpuSet::MAX_CPU).rev().find(|&cpu| all.is_set(cpu)).expect("a processor");
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).expect("one of its own");
}

fn model_file() -> Option<PathBuf> {
    let path = data::folder()?.join("snakers4+silero-vad/src/silero_vad/data/silero_vad.onnx");
    path.exists().then_some(path)
}

fn silero() -> Arc<dyn Loaded> {
    let bytes = std::fs::read(model_file().expect("found before")).expect("readable");
    load("auto", bytes, &Options::default()).expect("Silero")
}

/// Microseconds a chunk of the model alone.
fn bare(rows: usize, chunks: usize) -> f64 {
    bind();
    let loaded = silero();
    let mut runner = loaded.runner().expect("a runner");
    let sound = &*SOUND;
    let inputs = |run: usize| {
        let samples = (0..rows).flat_map(|row| {
            let at = (row * 997 + run) % (sound.len() - 2);
            sound[at].iter().chain(&sound[at + 1]).copied().take(CONTEXT + CHUNK)
        });
        let array = |shape: &[usize], values| Array { shape: shape.to_vec(), values };
        [
            array(&[rows, CONTEXT + CHUNK], Values::F32(samples.collect())),
            array(&[2, rows, 128], Values::F32(vec![0.0; 2 * rows * 128])),
            array(&[], Values::Whole(vec![16_000])),
        ]
    };
    let mut outputs = vec![Vec::new(); 2];
    let mut took = Duration::ZERO;
    for run in 0..chunks / rows + 20 {
        let inputs = inputs(run);
        let began = Instant::now();
        runner.run(&inputs, &mut outputs).expect("runs");
        if run >= 20 {
            took += began.elapsed();
        }
        assert_eq!((outputs[0].len(), outputs[1].len()), (rows, 2 * rows * 128));
    }
    1e6 * took.as_secs_f64() / (chunks / rows * rows) as f64
}

fn planned(hears: &str, batch_max: usize) -> (Arc<Plan>, Option<Arc<Model>>) {
    let text = if hears == "own" { GRAPH.replace("model = \"silero\"", "") } else { GRAPH.into() };
    let spec = GraphSpec::parse(&SourceText::new("speech.toml", text)).expect("a graph");
    let model =
        (hears != "own").then(|| Model::new("silero", silero(), batch_max, &Workers::new(1)));
    let services = model.iter().map(|model| {
        let service: Arc<dyn Service> = Arc::new(ModelService::new(model.clone(), Vec::new()));
        ("silero".to_owned(), service)
    });
    let services = Services::new(services);
    let mut options = PlanOptions { services, ..PlanOptions::new(Arc::new(NoFiles)) };
    options.cores = 1;
    let catalog = Catalog::new(&[&KINDS, operators::CATALOG, model::CATALOG]);
    let plan = spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}"));
    (Arc::new(plan), model)
}

fn once(hears: &str, sessions: u64, seconds: u64, batch_max: usize) -> [f64; FIGURES.len()] {
    bind();
    SESSIONS.store(sessions as i64, Ordering::Relaxed);
    let (plan, model) = planned(hears, batch_max);
    let options = RunOptions { speed: Some(1.0), cores: 1, sessions: sessions as u32 };
    let running = plan.start(&options).expect("bodies can be built");
    // Until all is warm.
    let _ = running.wait_for(Duration::from_secs(2));
    IS_COUNTED.store(1, Ordering::Relaxed);
    let asked =
        || model.as_ref().map_or((0, 1), |model| (model.tally().answered, model.tally().runs));
    let (before, began, cpu) = (asked(), bench_ns(), process::cpu_s("self"));
    let heard = HEARD.load(Ordering::Relaxed);
    let _ = running.wait_for(Duration::from_secs(seconds));
    let (cpu, after) = (process::cpu_s("self") - cpu, asked());
    let lasted_s = (bench_ns() - began) as f64 / 1e9;
    let chunks = (HEARD.load(Ordering::Relaxed) - heard) as f64;
    let ms = |share: f64| AGES.quantile(share).unwrap_or(0) as f64 / 1e6;
    let ages = [ms(0.5), ms(0.99), AGES.max().unwrap_or(0) as f64 / 1e6];
    running.drain();
    let outcome = running.wait_for(Duration::from_secs(60)).expect("a drained run ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    for edge in &report.edges {
        assert_eq!(edge.frames.dropped_in_all(), 0, "{} → {}", edge.from, edge.to);
        assert_eq!(edge.frames.sent, edge.frames.taken, "{} → {}", edge.from, edge.to);
    }
    let due = sessions as f64 * lasted_s / (CHUNK_NS as f64 / 1e9);
    let expected = if hears == "own" { 2.0 * due } else { due };
    assert!(chunks > 0.9 * expected, "{chunks} of {expected} chunks were heard");
    let per_run = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
    let events = TOLD.load(Ordering::Relaxed) as f64;
    assert!(events > 0.0 || lasted_s < 2.0, "somebody speaks");
    let us = 1e6 * cpu / due;
    [ages[0], ages[1], ages[2], cpu / lasted_s, us, per_run, events]
}

static SESSIONS: AtomicI64 = AtomicI64::new(1);
/// Ages of answers, in nanoseconds, once they are counted.
static AGES: LazyLock<Histogram> = LazyLock::new(Histogram::default);
static IS_COUNTED: AtomicI64 = AtomicI64::new(0);
static HEARD: AtomicU64 = AtomicU64::new(0);
static TOLD: AtomicU64 = AtomicU64::new(0);
/// Of each session how much later than its time, at least, a frame was there.
static ZEROS: [AtomicI64; SESSIONS_MAX] = [const { AtomicI64::new(i64::MAX) }; SESSIONS_MAX];

/// The recording, chunk by chunk, in memory that all sessions share.
static SOUND: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| {
    let folder = data::folder().expect("found before");
    let samples = sound::read(&folder.join("snakers4+silero-vad/tests/data/test.wav"));
    samples.chunks_exact(CHUNK).map(<[f32]>::to_vec).collect()
});
static CHUNKS: LazyLock<Vec<Buffer>> = LazyLock::new(|| {
    let buffer = |chunk: &Vec<f32>| {
        let mut buffer = Buffer::signal(1, CHUNK);
        buffer.floats_mut().expect("fresh").copy_from_slice(chunk);
        buffer
    };
    SOUND.iter().map(buffer).collect()
});

static KINDS: [&Kind; 4] = [&PLAYED, &DUE, &ANSWERED, &TURNS];

/// Plays the recording in the session's own phase, from a place of its own.
static PLAYED: Kind = Kind {
    name: "bench_sound",
    outputs: &[Port::signal("out")],
    plan: |_| {
        let rate = Rate::new(16_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, CHUNK)]))
    },
    build: |node| {
        let session = i64::from(node.session());
        Ok(Body::source(Played {
            phase_ns: phase_ns(session),
            first: session as usize * 37,
            next: 0,
        }))
    },
    ..Kind::BASE
};

fn phase_ns(session: i64) -> i64 {
    CHUNK_NS * session / SESSIONS.load(Ordering::Relaxed)
}

struct Played {
    phase_ns: i64,
    first: usize,
    next: usize,
}

impl Source for Played {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let time = Timestamp::from_nanos(self.phase_ns + self.next as i64 * CHUNK_NS);
        let chunks = &*CHUNKS;
        io.send_buffer(0, time, chunks[(self.first + self.next) % chunks.len()].clone());
        self.next += 1;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Learns from frames how far the clock is from their times.
static DUE: Kind = Kind {
    name: "bench_due",
    inputs: &[Port::signal("in")],
    build: |node| Ok(Body::sink(Due(node.session() as usize))),
    ..Kind::BASE
};

struct Due(usize);

impl Sink for Due {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let since = bench_ns() - frame.header.time.nanos();
        ZEROS[self.0].fetch_min(since, Ordering::Relaxed);
        Ok(())
    }
}

/// Notes how old answers are.
static ANSWERED: Kind = Kind {
    name: "bench_heard",
    inputs: &[Port::signal("in")],
    build: |node| Ok(Body::sink(Answered(node.session() as usize))),
    ..Kind::BASE
};

struct Answered(usize);

impl Sink for Answered {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let value = frame.samples()[0];
        if !(0.0..=1.0).contains(&value) {
            return Err(Fault::new(format!("{value} is no probability")));
        }
        HEARD.fetch_add(1, Ordering::Relaxed);
        if IS_COUNTED.load(Ordering::Relaxed) == 1 {
            // That of the frame the chunk is of: they begin together, or the chunk is its second half.
            let (time_ns, phase_ns) = (frame.header.time.nanos(), phase_ns(self.0 as i64));
            let since = bench_ns() - (time_ns - (time_ns - phase_ns) % CHUNK_NS);
            AGES.record((since - ZEROS[self.0].load(Ordering::Relaxed)).max(0));
        }
        Ok(())
    }
}

/// Counts what is told.
static TURNS: Kind = Kind {
    name: "bench_turns",
    inputs: &[Port::event("in")],
    build: |_| Ok(Body::sink(Told)),
    ..Kind::BASE
};

struct Told;

impl Sink for Told {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        TOLD.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
