//! Speech to text: how soon the final is there when a turn has ended, how much is understood in a second, how soon
//! what runs stops, and whether anything leaks. Built with `--features whisper`.
//!
//! The models are whisper.cpp's `tiny` without weights (its architecture and cost; one token, whatever it hears) and
//! `ggml-micro-random`, from the test data; without it everything is skipped. The rival is whisper.cpp itself through
//! pywhispercpp: `AFFERENT_PYWHISPERCPP` names a Python that has it (`peers/transcribe.py`).
//!
//! *Speculation.* 30 streams in real time, each speaking a fifth of it. Where they pause is taken from the speech that
//! Silero found in the recordings (`reference/vad.json`): after a pause of 120 ms the final may begin, one of 500 ms ends
//! the turn, a shorter one takes it back. The other arm does not begin before the end. Both play the same schedule and must
//! tell the same texts; what speculation wastes is what it computes beyond that arm. Every final has the same count of tokens, 16: the model has no
//! weights, and would say nothing or go on for ever.
//!
//! A final cannot be there sooner than it takes to compute: what one costs alone is measured first, and told beside the load,
//! which is what all finals of the schedule cost of what the cores can do.
//!
//! Promises: p50 ≤ 5 ms, p95 ≤ 45 ms, ten times sooner, at most 35 % wasted; at least as much a second as the rival; stopped
//! within 15 ms (p99); at most 1 MB more after 20 000 decodes than after 2 000.

mod support;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use afferent_suite::data;
use engine::{Answer, Fault, Relay, Reply};
use model::{
    transcription::{
        Cascade, Class, Decoder, Outcome, Pool, Task, Way,
        listener::{Asks, Event, Listener, Manner, Says},
        model_file::ModelFile,
    },
    whisper::Whisper,
};
use operators::math::random::Random;
use support::{Bench, Runs, Spread};

const TINY: &str = "ggml-org+whisper.cpp/models/for-tests-ggml-tiny.bin";
const MICRO: &str = "derived-models/ggml-micro-random.en.bin";
const RATE: f64 = 16_000.0;

fn main() {
    let bench = Bench::start("transcribe");
    let Some(data) = data::folder() else { return };
    if bench.runs("speculation") {
        speculation(&bench, &data);
    }
    if bench.runs("throughput") {
        throughput(&bench, &data);
    }
    if bench.runs("products") {
        products(&bench, &data);
    }
    if bench.runs("abort") {
        abort(&bench, &data);
    }
    if bench.runs("memory") {
        memory(&bench, &data);
    }
}

fn load(path: &Path) -> Arc<Whisper> {
    let file = ModelFile::read(fs::File::open(path).expect("a model")).expect("a whole model");
    Arc::new(Whisper::load("model", path, file.content).expect("whisper.cpp takes it"))
}

fn jfk(data: &Path) -> Vec<f32> {
    let bytes = fs::read(data.join("ggml-org+whisper.cpp/samples/jfk.wav")).expect("a recording");
    let at = bytes.windows(4).position(|four| four == b"data").expect("samples") + 8;
    let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
    bytes[at..].chunks_exact(2).map(sample).collect()
}

fn english() -> Way {
    Way { language: Some("en".into()), ..Way::default() }
}

/// Of a final of the speculation.
fn counted() -> Way {
    Way { tokens: Some(TOKENS), ..english() }
}

// Speculation.

const STREAMS: usize = 30;
const CANDIDATE_S: f64 = 0.12;
const END_S: f64 = 0.5;
/// Audio comes in frames of that.
const FRAME_S: f64 = 0.032;
/// Tokens of every final.
const TOKENS: usize = 16;

/// Speech and pauses of the recordings, in seconds: how long people speak without a pause, and how long they pause.
struct Habits {
    runs: Vec<f64>,
    pauses: Vec<f64>,
}

impl Habits {
    fn of(data: &Path) -> Self {
        let text = fs::read_to_string(data.join("reference/vad.json")).expect("reference segments");
        let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let (mut runs, mut pauses) = (Vec::new(), Vec::new());
        for known in all.as_object().expect("by file").values() {
            let segments: Vec<(f64, f64)> = known["segments"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|pair| Some((pair[0].as_f64()? / RATE, pair[1].as_f64()? / RATE)))
                .collect();
            runs.extend(segments.iter().map(|(from, to)| to - from).filter(|run| *run < 20.0));
            pauses.extend(segments.windows(2).map(|pair| pair[1].0 - pair[0].1));
        }
        assert!(
            runs.len() > 50 && pauses.len() > 30,
            "{} runs, {} pauses",
            runs.len(),
            pauses.len()
        );
        Self { runs, pauses }
    }
}

/// What happens in one stream: when, in seconds, and what.
fn schedule(habits: &Habits, seed: u64, lasts_s: f64) -> Vec<(f64, Event)> {
    let mut random = Random::new(seed);
    let mut pick = |all: &[f64]| all[(random.uniform() * all.len() as f64) as usize % all.len()];
    let mut events = Vec::new();
    // Begins anywhere within what is about a turn and its silence.
    let mut at = 10.0 * pick(&habits.runs).fract();
    loop {
        let start = at;
        let mut spoken = 0.0;
        events.push((at + 0.06, Event::Start((start - 0.1).max(0.0))));
        loop {
            let run = pick(&habits.runs).clamp(0.3, 8.0);
            spoken += run;
            at += run;
            let pause = pick(&habits.pauses);
            if pause < CANDIDATE_S {
                at += pause;
                continue;
            }
            events.push((at + CANDIDATE_S, Event::Speculate(at)));
            if pause >= END_S || spoken > 10.0 {
                events.push((at + END_S, Event::End(at)));
                break;
            }
            events.push((at + pause, Event::Resume));
            at += pause;
        }
        if at > lasts_s {
            // The last turn has ended, too, unless it would end too late.
            events.retain(|(when, _)| *when < lasts_s);
            let last = events.iter().rposition(|(_, event)| matches!(event, Event::End(_)));
            events.truncate(last.map_or(0, |last| last + 1));
            return events;
        }
        // Silent four times as long as it spoke.
        at += 4.0 * spoken;
    }
}

/// When an answer came, counted from when it was asked for.
struct Clock {
    asked: Instant,
    took: Arc<Mutex<Vec<f64>>>,
    open: Arc<AtomicUsize>,
}

impl Relay for Clock {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        answer.expect("every final is told");
        let took = 1e3 * self.asked.elapsed().as_secs_f64();
        self.took.lock().expect("sound").push(took);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

/// Takes what nobody waits for.
struct Nobody;

impl Relay for Nobody {
    fn pass_on(&self, _: Result<Answer, Fault>) {}

    fn is_wanted(&self) -> bool {
        true
    }
}

struct Arm {
    p50_ms: f64,
    p95_ms: f64,
    busy_s: f64,
    turns: usize,
    early: u64,
    /// What was told, by stream and turn.
    told: BTreeMap<(usize, i64), String>,
}

/// Plays all streams in real time.
fn play(model: &Arc<Whisper>, streams: &[Vec<(f64, Event)>], speculates: bool) -> Arm {
    let early = Arc::new(AtomicU64::new(0));
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let says = |stream: usize| -> Says {
        let (count, told) = (early.clone(), told.clone());
        Arc::new(move |news| {
            for news in news {
                count.fetch_add(u64::from(news.is_early), Ordering::Relaxed);
                told.lock().expect("sound").insert((stream, news.turn), news.told.text.clone());
            }
            Answer::nothing()
        })
    };
    let pool = Pool::of_machine();
    let cascade = Arc::new(Cascade::single(model.clone() as Arc<dyn Decoder>));
    let manner = Manner { way: counted(), step_s: None, speculates, ..Manner::default() };
    let listener = |stream| {
        let (pool, cascade, says) = (pool.clone(), cascade.clone(), says(stream));
        (Listener::new(manner.clone(), Asks { pool, cascade, cache: None, says }), 0, 0)
    };
    let mut listeners: Vec<(Listener, usize, i64)> = (0..streams.len()).map(listener).collect();
    warm(&pool, &cascade);
    let before = pool.done();
    let mut events: Vec<(f64, usize, Option<Event>)> = Vec::new();
    for (stream, own) in streams.iter().enumerate() {
        events.extend(own.iter().map(|(at, event)| (*at, stream, Some(*event))));
        // Frames of each in a phase of its own.
        let phase = stream as f64 / streams.len() as f64;
        let last = own.last().map_or(0.0, |(at, _)| *at);
        let frames = (0..(last / FRAME_S) as usize).map(|n| FRAME_S * (n as f64 + phase));
        events.extend(frames.map(|at| (at, stream, None)));
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (took, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let mut turns = 0;
    let silence = vec![0.0; RATE as usize];
    let began = Instant::now();
    for (at, stream, event) in events {
        while let Some(left) = Duration::from_secs_f64(at).checked_sub(began.elapsed()) {
            std::thread::park_timeout(left);
        }
        let (listener, heard, turn) = &mut listeners[stream];
        let to = (at * RATE) as usize;
        while *heard < to {
            let len = silence.len().min(to - *heard);
            for question in listener.hear(*heard as f64 / RATE, &silence[..len]) {
                listener.ask(question, Reply::through(Arc::new(Nobody)));
            }
            *heard += len;
        }
        let Some(event) = event else { continue };
        if matches!(event, Event::Start(_)) {
            *turn += 1;
        }
        let asked = Instant::now();
        let Some(question) = listener.tell(*turn, event) else { continue };
        if matches!(event, Event::End(_)) {
            turns += 1;
            open.fetch_add(1, Ordering::Relaxed);
            let clock = Clock { asked, took: took.clone(), open: open.clone() };
            listener.ask(question, Reply::through(Arc::new(clock)));
        } else {
            listener.ask(question, Reply::through(Arc::new(Nobody)));
        }
    }
    while open.load(Ordering::Relaxed) > 0 {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let mut took = took.lock().expect("sound").clone();
    took.sort_by(f64::total_cmp);
    assert_eq!(took.len(), turns, "every turn is told once");
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    Arm {
        p50_ms: at(0.5),
        p95_ms: at(0.95),
        busy_s: (pool.done().busy_ns - before.busy_ns) as f64 / 1e9,
        turns,
        early: early.load(Ordering::Relaxed),
        told: std::mem::take(&mut *told.lock().expect("sound")),
    }
}

/// Has every worker make its state.
fn warm(pool: &Pool, cascade: &Arc<Cascade>) {
    let (tell, told) = std::sync::mpsc::channel();
    let count = 4 * pool.threads();
    for _ in 0..count {
        let tell = tell.clone();
        let task = Task { audio: vec![0.0; 16_000].into(), prompt: "".into(), way: counted() };
        pool.submit(cascade, None, task, Class::Final, move |outcome| {
            assert!(matches!(outcome, Outcome::Said(_)));
            let _ = tell.send(());
        });
    }
    (0..count).for_each(|_| told.recv().expect("it is told"));
}

/// Seconds that the final of each turn takes alone, sorted; and of them all, and of those that are taken back if each were
/// done, what share of so many cores over so many seconds.
fn load_of(model: &Whisper, streams: &[Vec<(f64, Event)>], lasts_s: f64) -> (Vec<f64>, [f64; 2]) {
    let mut state = model.open().expect("memory");
    let mut cost_s = |seconds: f64| {
        let audio = vec![0.0; (seconds * RATE) as usize].into();
        let task = Task { audio, prompt: "".into(), way: counted() };
        let began = Instant::now();
        assert!(state.decode(&task, &|| false).expect("it runs").is_some());
        began.elapsed().as_secs_f64()
    };
    // By whole seconds, as the encoder takes blocks of 1.28 s.
    let mut known: BTreeMap<u64, f64> = BTreeMap::new();
    let (mut finals, mut tries) = (Vec::new(), Vec::new());
    for events in streams {
        let mut start_s = 0.0;
        for (_, event) in events {
            let (end_s, all) = match event {
                Event::Start(at_s) => {
                    start_s = *at_s;
                    continue;
                }
                Event::Speculate(end_s) => (*end_s, &mut tries),
                Event::End(end_s) | Event::Cut(end_s) => (*end_s, &mut finals),
                Event::Resume => continue,
            };
            let seconds = (end_s + 0.1 - start_s).ceil();
            all.push(*known.entry(seconds as u64).or_insert_with(|| cost_s(seconds)));
        }
    }
    finals.sort_by(f64::total_cmp);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let share = |all: &[f64]| all.iter().sum::<f64>() / (cores * lasts_s);
    let shares = [share(&finals), share(&tries)];
    (finals, shares)
}

fn speculation(bench: &Bench, data: &Path) {
    let model = load(&data.join(TINY));
    let habits = Habits::of(data);
    let lasts_s = if bench.test { 6.0 } else { 40.0 };
    let count = bench.scale(STREAMS, 4);
    let streams: Vec<_> = (0..count).map(|n| schedule(&habits, 1 + n as u64, lasts_s)).collect();
    if !bench.test {
        let (alone, [finals, tries]) = load_of(&model, &streams, lasts_s);
        let at = |share: f64| Spread::one(1e3 * alone[((alone.len() - 1) as f64 * share) as usize]);
        bench.report(
            "one final alone",
            &[],
            &[
                ("p50_ms", &at(0.5)),
                ("p95_ms", &at(0.95)),
                ("load_of_finals", &Spread::one(finals)),
                ("load_if_all_that_is_begun_were_done", &Spread::one(tries)),
            ],
        );
    }
    let [early, late] = bench.interleaved([
        ("speculation", &mut || play(&model, &streams, true)),
        ("speculation, none", &mut || play(&model, &streams, false)),
    ]);
    for (own, other) in early.0.iter().zip(&late.0) {
        assert_eq!(own.told, other.told, "both tell the same");
        assert_eq!(own.told.len(), own.turns, "of every turn");
    }
    let turns = early.of(|arm: &Arm| arm.turns as f64);
    let share = early.of(|arm| arm.early as f64 / arm.turns.max(1) as f64);
    let (p50, p95) = (early.of(|arm: &Arm| arm.p50_ms), early.of(|arm| arm.p95_ms));
    let busy = early.of(|arm| arm.busy_s);
    let (late50, late95) = (late.of(|arm: &Arm| arm.p50_ms), late.of(|arm| arm.p95_ms));
    let other = late.of(|arm| arm.busy_s);
    bench.report(
        "final after the end event",
        &[("arm", "begun after 120 ms of silence")],
        &[
            ("p50_ms", &p50),
            ("p95_ms", &p95),
            ("busy_s", &busy),
            ("turns", &turns),
            ("early", &share),
        ],
    );
    bench.report(
        "final after the end event",
        &[("arm", "begun at the end")],
        &[("p50_ms", &late50), ("p95_ms", &late95), ("busy_s", &other)],
    );
    bench.verdict("p50 in ms", &p50, 5.0);
    bench.verdict("p95 in ms", &p95, 45.0);
    bench.verdict_least("times sooner, p50", &late50.over(&p50), 10.0);
    let both = Runs(early.0.iter().zip(&late.0).collect());
    let wasted = both.of(|(own, other): &(&Arm, &Arm)| 100.0 * (1.0 - other.busy_s / own.busy_s));
    bench.verdict("wasted, per cent of the computation", &wasted, 35.0);
}

// Throughput.

fn throughput(bench: &Bench, data: &Path) {
    let audio = jfk(data);
    let raw = std::env::temp_dir().join(format!("afferent-transcribe-{}.f32", std::process::id()));
    let bytes: Vec<u8> = audio.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fs::write(&raw, bytes).expect("room for a recording");
    let python = std::env::var("AFFERENT_PYWHISPERCPP").ok();
    if python.is_none() {
        eprintln!("  SKIPPED the rival: AFFERENT_PYWHISPERCPP names no Python with pywhispercpp");
    }
    let count = bench.scale(4, 1);
    for (name, file) in [("tiny without weights", TINY), ("micro-random", MICRO)] {
        let path = data.join(file);
        let model = load(&path);
        let mut state = model.open().expect("memory");
        let task = Task { audio: audio.as_slice().into(), prompt: "".into(), way: english() };
        // 11 s and the margin, in blocks of 64.
        let context = model::transcription::budget::positions(task.seconds(), 256, 1_500);
        let mut ours = || {
            let began = Instant::now();
            let mut tokens = 0;
            for _ in 0..count {
                tokens +=
                    state.decode(&task, &|| false).expect("it runs").expect("all of it").tokens;
            }
            (began.elapsed().as_secs_f64() / count as f64, tokens as f64 / count as f64)
        };
        let mut theirs = || match &python {
            Some(python) => rival(python, &path, &raw, context, count),
            None => (f64::NAN, f64::NAN),
        };
        let [ours, theirs] = bench.interleaved([
            (&format!("throughput, {name}") as &str, &mut ours as &mut dyn FnMut() -> (f64, f64)),
            (&format!("throughput, {name}, rival"), &mut theirs),
        ]);
        let tell = |runs: &Runs<(f64, f64)>, labels: &[(&str, &str)]| {
            let rate = runs.of(|(s, _)| task.seconds() / s);
            let (tokens, each) =
                (runs.of(|(_, tokens)| *tokens), runs.of(|(s, tokens)| 1e3 * s / tokens));
            let told = [("audio_s_per_s", &rate), ("tokens", &tokens), ("ms_a_token", &each)];
            // A model without weights says nothing.
            let count = if tokens.max() > 0.0 { 3 } else { 2 };
            bench.report("throughput", labels, &told[..count]);
            (rate, tokens.median(), each)
        };
        let ours = tell(&ours, &[("model", name)]);
        if python.is_some() {
            let theirs = tell(&theirs, &[("model", name), ("rival", "pywhispercpp")]);
            bench.verdict_least(
                &format!("{name}, share of the rival's"),
                &ours.0.over(&theirs.0),
                1.0,
            );
            // A model of random weights says something else where a sum differs in its last digit.
            if ours.1 != theirs.1 {
                let each = theirs.2.over(&ours.2);
                bench.verdict_least(
                    &format!("{name}, a token of the rival's, times ours"),
                    &each,
                    1.0,
                );
            }
        }
    }
    drop(fs::remove_file(raw));
}

/// Seconds of a transcription, the median of some, and the tokens that it said.
fn rival(python: &str, model: &Path, raw: &Path, context: usize, count: usize) -> (f64, f64) {
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/transcribe.py"));
    let (context, count) = (context.to_string(), count.to_string());
    let said = Command::new(python)
        .arg(script)
        .args([model, raw])
        .args([&context, &count])
        .output()
        .expect("the rival's Python runs");
    let text = String::from_utf8_lossy(&said.stdout);
    let told = |line: &str| {
        let (took, tokens) = line.trim().split_once(' ')?;
        Some((took.parse().ok()?, tokens.parse().ok()?))
    };
    let mut took: Vec<(f64, f64)> = text.lines().filter_map(told).collect();
    assert!(!took.is_empty(), "the rival says: {}", String::from_utf8_lossy(&said.stderr));
    took.sort_by(|a, b| a.0.total_cmp(&b.0));
    took[took.len() / 2]
}

// Products of matrices.

/// What our own save of a decode, by its length.
fn products(bench: &Bench, data: &Path) {
    let audio = jfk(data);
    let model = load(&data.join(TINY));
    let mut state = model.open().expect("memory");
    let count = bench.scale(5, 1);
    for seconds in [2, 5, 11] {
        let audio = audio[..(16_000 * seconds).min(audio.len())].into();
        let task = Task { audio, prompt: "".into(), way: counted() };
        let state = RefCell::new(&mut state);
        let took = || {
            let began = Instant::now();
            for _ in 0..count {
                let said = state.borrow_mut().decode(&task, &|| false).expect("it runs");
                assert!(said.is_some());
            }
            1e3 * began.elapsed().as_secs_f64() / count as f64
        };
        let [ours, theirs] = bench.interleaved([
            ("products, ours", &mut || took()),
            ("products, whisper.cpp's", &mut || Whisper::by_itself(took)),
        ]);
        let [ours, theirs] = [ours, theirs].map(|runs| runs.of(|took| *took));
        let seconds = seconds.to_string();
        let of = |whose| [("seconds", seconds.as_str()), ("products", whose)];
        bench.report("decode", &of("ours"), &[("ms", &ours)]);
        bench.report("decode", &of("whisper.cpp's"), &[("ms", &theirs)]);
        bench.verdict_least("times as fast", &theirs.over(&ours), 1.0);
    }
}

// Stopping.

fn abort(bench: &Bench, data: &Path) {
    let audio = jfk(data);
    assert!(Whisper::stops_soon(), "this whisper.cpp is not the one that was read");
    for (name, file, seconds) in [
        ("tiny without weights, 2 s", TINY, 2),
        ("tiny without weights, 11 s", TINY, 11),
        ("micro-random, 11 s", MICRO, 11),
    ] {
        let model = load(&data.join(file));
        let mut state = model.open().expect("memory");
        let audio = audio[..(16_000 * seconds).min(audio.len())].into();
        let task = Task { audio, prompt: "".into(), way: english() };
        let began = Instant::now();
        assert!(state.decode(&task, &|| false).expect("it runs").is_some());
        let whole = began.elapsed();
        let count = bench.scale(200, 3);
        let mut random = Random::new(7);
        let mut late = Vec::new();
        for _ in 0..count {
            let began = Instant::now();
            let after = whole.mul_f64(0.9 * random.uniform());
            // As another thread would say it: at a moment, whatever runs.
            let stopped = state.decode(&task, &|| began.elapsed() >= after).expect("it runs");
            if stopped.is_none() {
                late.push(1e3 * began.elapsed().saturating_sub(after).as_secs_f64());
            }
        }
        assert!(late.len() * 2 > count, "{} of {count} were stopped", late.len());
        late.sort_by(f64::total_cmp);
        let at = |share: f64| Spread::one(late[((late.len() - 1) as f64 * share) as usize]);
        let (p50, p99) = (at(0.5), at(0.99));
        bench.report("abort", &[("model", name)], &[("p50_ms", &p50), ("p99_ms", &p99)]);
        bench.verdict(&format!("{name}, p99 in ms"), &p99, 15.0);
    }
}

// Memory.

/// Resident memory in bytes.
fn resident() -> u64 {
    let all = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    all.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn memory(bench: &Bench, data: &Path) {
    let audio = jfk(data);
    let model = load(&data.join(MICRO));
    let cascade = Arc::new(Cascade::single(model as Arc<dyn Decoder>));
    let pool = Pool::of_machine();
    let (count, warm) = (bench.scale(20_000, 40), bench.scale(2_000, 20));
    let way = Way { tokens: Some(4), floor: 64, ..english() };
    let (tell, told) = std::sync::mpsc::channel();
    let (mut before, mut open) = (0, 0);
    for n in 0..count {
        if n == warm {
            before = resident();
        }
        let from = n * 160 % 100_000;
        let task = Task {
            audio: audio[from..from + 16_000].into(),
            prompt: "my fellow".into(),
            way: way.clone(),
        };
        let tell = tell.clone();
        pool.submit(&cascade, None, task, Class::Final, move |outcome| {
            assert!(matches!(outcome, Outcome::Said(_)));
            let _ = tell.send(());
        });
        open += 1;
        // Some wait, so that no worker does.
        while open > 2 * pool.threads() {
            told.recv().expect("it is told");
            open -= 1;
        }
    }
    (0..open).for_each(|_| told.recv().expect("it is told"));
    let grown = Spread::one(resident().saturating_sub(before) as f64 / 1e6);
    let decodes = count.to_string();
    bench.report("memory", &[("decodes", &decodes)], &[("grown_mb", &grown)]);
    bench.verdict("grown in MB", &grown, 1.0);
}
