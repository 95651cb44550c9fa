//! What it costs to bring thirty streams from a microphone to where a speech model listens.
//!
//! From 48 kHz to 16, without rumble, evenly loud, as Whisper's eighty bands; and the same behind noise
//! suppression, which costs more than the rest. A session per stream on one core, in frames of 20 ms.
//!
//! And how old such a frame is behind eleven operators, beside eleven processors of Pipecat: `PIPECAT` names a Python
//! that has `pipecat-ai`, and `uvloop` if it is to be at its best. Its processors hand frames on, ours add to every sample.
//!
//! And how long it takes from an event that interrupts until a voice behind `barge_in` is told to be silent, while more than
//! it has taken waits before it: on one core, and with operators on another in between.

mod support;

use std::{path::Path, process::Command, time::Duration};

use engine::{RunOptions, testing};
use support::{
    Bench,
    graph::{
        Chain, Step, assert_whole, at_max, clock_offset, planned, run_to_end, sound_through, uncut,
    },
    kinds::{
        ends::{ran, seen, sound},
        talk::talk,
    },
    quantile,
};

const STREAMS: u32 = 30;
const RATE_HZ: f64 = 48_000.0;
const FRAME_LEN: usize = 960;

const DENOISE: Step = ("denoise", &operators::audio::denoise::KIND, "");
const CHAIN: [Step; 4] = [
    ("resample", &operators::rate::resample::KIND, "rate_hz = 16000.0"),
    ("highpass", &operators::filter::highpass::KIND, "cutoff_hz = 80.0\norder = 2"),
    ("agc", &operators::audio::agc::KIND, "target_dbfs = -20.0"),
    (
        "log_mel",
        &operators::spectrum::log_mel::KIND,
        "bands = 80\nwindow_samples = 400\nhop_samples = 160",
    ),
];

fn main() {
    let bench = Bench::start("front_end");
    let seconds = bench.scale(20, 1);
    let plain = CHAIN.to_vec();
    let denoised: Vec<Step> = std::iter::once(DENOISE).chain(CHAIN).collect();
    let pct = |chain: &[Step]| 100.0 * graph(chain, seconds) / seconds as f64;
    let [plain, denoised] =
        bench.interleaved([("plain", &mut || pct(&plain)), ("denoised", &mut || pct(&denoised))]);
    let [plain, denoised] = [plain, denoised].map(|cost| cost.of(|&pct| pct));
    bench.report("front_end30", &[("variant", "plain")], &[("core_pct", &plain)]);
    bench.report("front_end30", &[("variant", "denoised")], &[("core_pct", &denoised)]);
    bench.verdict("front end, 30 streams, per cent of a core", &plain, 25.0);
    path(&bench);
    interruption(&bench);
}

/// From one interruption to the next.
const PERIOD_MS: usize = 50;

/// From an event that interrupts to the voice's silence.
fn interruption(bench: &Bench) {
    let count = bench.scale(60, 5);
    let [near, far] = bench.interleaved([
        ("flush, one core", &mut || silenced(count, 1)),
        ("flush, two cores", &mut || silenced(count, 2)),
    ]);
    for (cores, runs) in [("1", &near), ("2", &far)] {
        let [p50, p99] = [runs.of(|ages| ages.p50), runs.of(|ages| ages.p99)];
        bench.report("voice_flush", &[("cores", cores)], &[("p50_us", &p50), ("p99_us", &p99)]);
    }
}

/// Interrupts a voice that speaks at the pace of life, so often.
fn silenced(count: usize, cores: usize) -> Ages {
    let frames = (count + 2) * PERIOD_MS / 10;
    let place = if cores > 1 { "stage = \"far\"\ncore = 1\n" } else { "" };
    let text = format!(
        "[graph]\nname = \"flush\"\n\
         [node.machine]\nop = \"bench_ramp\"\nrate_hz = 16e3\nframe_len = 160\nframes = {frames}\n\
         [node.person]\nop = \"bench_person\"\nperiod_ms = {PERIOD_MS}.0\ncount = {count}\n\
         [node.reply]\nop = \"barge_in\"\nfrom = {{ in = \"machine\", on = \"person\" }}\n\
         [node.one]\nop = \"bench_add\"\nfrom = \"reply\"\n{place}\
         [node.other]\nop = \"bench_add\"\nfrom = \"one\"\n{place}\
         [node.voice]\nop = \"bench_voice\"\nfrom = \"other\"\ncount = {count}\n\
         [node.heard]\nop = \"bench_heard\"\nfrom = \"person\"\n"
    );
    drop(talk());
    let running = planned(&text, cores)
        .start(&RunOptions { speed: Some(1.0), cores, sessions: 1 })
        .expect("bodies can be built");
    let offset = clock_offset(&running);
    running.wait_for(Duration::from_secs(120)).expect("the graph ends");
    let (talk, report) = (talk(), running.report());
    assert_eq!((talk.interrupted.len(), talk.silenced.len()), (count, count));
    assert_eq!(talk.unmarked, 0, "what comes behind a silence says that something is missing");
    let void = report.dropped().iter().map(|(_, frames)| frames).sum::<u64>();
    // Two of five frames at least waited at each, and nothing else is missing.
    assert!(void as usize >= count, "{void} of {frames}");
    assert_eq!(talk.spoken + void as usize, frames);
    let pairs = talk.interrupted.iter().zip(&talk.silenced);
    let mut ages: Vec<f64> = pairs.map(|(from, to)| (to - from - offset) as f64 / 1e3).collect();
    ages.sort_by(f64::total_cmp);
    assert!(ages[0] > 0.0, "each is silenced by its own interruption");
    Ages { p50: quantile(&ages, 0.5), p99: quantile(&ages, 0.99) }
}

/// Operators that a frame passes.
const OPERATORS: usize = 11;
/// Frames that are not counted.
const WARM: usize = 50;

/// Ages in microseconds.
struct Ages {
    p50: f64,
    p99: f64,
}

/// A frame's way through eleven operators, ours and a rival's.
fn path(bench: &Bench) {
    let rival = std::env::var("PIPECAT").ok();
    if rival.is_none() {
        eprintln!("  SKIPPED the rival: PIPECAT names no Python with pipecat-ai");
    }
    let frames = bench.scale(500, 20);
    let nothing = || Ages { p50: f64::NAN, p99: f64::NAN };
    let [ours, its] = bench.interleaved([
        ("path, ours", &mut || passed(frames)),
        ("path, Pipecat", &mut || rival.as_ref().map_or_else(nothing, |it| theirs(it, frames))),
    ]);
    for (name, runs) in [("ours", &ours), ("pipecat", &its)] {
        if name == "ours" || rival.is_some() {
            let [p50, p99] = [runs.of(|ages| ages.p50), runs.of(|ages| ages.p99)];
            bench.report("voice_path", &[("of", name)], &[("p50_us", &p50), ("p99_us", &p99)]);
        }
    }
    if rival.is_some() {
        let times = ours.of(|ages| ages.p50).over(&its.of(|ages| ages.p50));
        bench.verdict(
            "a frame of 20 ms through eleven operators, p50, times Pipecat's",
            &times,
            0.02,
        );
    }
}

/// Frames of 20 ms at the pace of life through operators that add to each sample.
fn passed(frames: usize) -> Ages {
    let all = frames + WARM;
    let source = format!("op = \"bench_ramp\"\nrate_hz = 16e3\nframe_len = 320\nframes = {all}");
    let chain = Chain {
        source: &source,
        node: "op = \"bench_add\"",
        count: OPERATORS,
        sink: "op = \"bench_latency\"",
        stage: uncut,
    };
    let running = planned(&chain.text(), 1)
        .start(&RunOptions { speed: Some(1.0), cores: 1, sessions: 1 })
        .expect("bodies can be built");
    let offset = clock_offset(&running);
    running.wait_for(Duration::from_secs(120)).expect("the graph ends");
    assert_whole(&running.report());
    let seen = seen(0);
    assert_eq!(seen.len(), all);
    let ages =
        seen[WARM..].iter().map(|frame| (frame.arrived - frame.entered - offset) as f64 / 1e3);
    let mut ages: Vec<f64> = ages.collect();
    ages.sort_by(f64::total_cmp);
    Ages { p50: quantile(&ages, 0.5), p99: quantile(&ages, 0.99) }
}

/// The same in Pipecat.
fn theirs(python: &str, frames: usize) -> Ages {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/voice_pipecat.py");
    let out = Command::new(python).arg(script).arg(frames.to_string()).output();
    let out = out.expect("the Python that PIPECAT names");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).expect("a line of JSON");
    let of = |name: &str| told[name].as_f64().expect("a number");
    Ages { p50: of("p50_us"), p99: of("p99_us") }
}

/// Processor time of all streams.
fn graph(chain: &[Step], seconds: usize) -> f64 {
    let frames = seconds * RATE_HZ as usize / FRAME_LEN;
    let text = sound_through(chain, RATE_HZ, frames, FRAME_LEN);
    let options = RunOptions { sessions: STREAMS, ..at_max(1) };
    run_to_end(&planned(&text, 1), &options);
    let ran = ran();
    let spectra = (seconds * 16_000).div_ceil(160);
    assert_eq!(ran.frames, u64::from(STREAMS) * spectra as u64);
    // The sink keeps the first channel's.
    let want = last_feature(chain, frames);
    assert_eq!(ran.last.to_bits(), want.to_bits(), "node by node by hand it is the same");
    ran.cpu_s
}

/// The first band of the last spectrum, by the chain node by node, without a graph.
fn last_feature(chain: &[Step], frames: usize) -> f32 {
    let mut samples = sound(frames * FRAME_LEN);
    let mut rate_hz = RATE_HZ;
    let mut last = None;
    for (_, kind, params) in chain {
        let mut node = testing::Bench::build(kind, rate_hz, params).expect("valid");
        for part in samples.chunks(FRAME_LEN) {
            node.feed(part);
        }
        node.flush();
        let seen = node.take();
        rate_hz = node.output(0).rate().expect("a signal").hz();
        last = seen.last().map(|seen| seen.frame.samples()[0]);
        samples = seen.iter().flat_map(|seen| seen.frame.samples().to_vec()).collect();
    }
    last.expect("features")
}
