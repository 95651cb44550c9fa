//! What log-mel features of thirty streams cost: resample from 48 to 16 kHz, a high-pass, forty bands.
//!
//! A session per stream on one core, in frames of 20 ms. `--write FILE` writes the features of four
//! seconds instead, one frame a line, for `peers/logmel` to compare with SciPy's.

mod support;

use engine::{RunOptions, testing};
use support::{
    Bench,
    graph::{Step, at_max, planned, run_to_end, sound_through},
    kinds::ends::{ran, sound},
};

const STREAMS: u32 = 30;
const RATE_HZ: f64 = 48_000.0;
const FRAME_LEN: usize = 960;

const CHAIN: [Step; 3] = [
    ("resample", &operators::rate::resample::KIND, "rate_hz = 16000.0"),
    ("highpass", &operators::filter::highpass::KIND, "cutoff_hz = 60.0\norder = 2"),
    (
        "log_mel",
        &operators::spectrum::log_mel::KIND,
        "bands = 40\nwindow_samples = 400\nhop_samples = 160",
    ),
];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "--write") {
        let file = words.get(at + 1).expect("--write FILE");
        std::fs::write(file, lines(&features(200))).expect("the file can be written");
        return;
    }
    let bench = Bench::start("logmel");
    let seconds = bench.scale(20, 1);
    let [core] = bench.interleaved([("graph", &mut || 100.0 * graph(seconds) / seconds as f64)]);
    let core = core.of(|&pct| pct);
    bench.report("logmel30", &[("variant", "30 sessions")], &[("core_pct", &core)]);
    bench.verdict("logmel, 30 streams, per cent of a core", &core, 25.0);
}

/// Processor time of all streams.
fn graph(seconds: usize) -> f64 {
    let frames = seconds * RATE_HZ as usize / FRAME_LEN;
    let text = sound_through(&CHAIN, RATE_HZ, frames, FRAME_LEN);
    let options = RunOptions { sessions: STREAMS, ..at_max(1) };
    run_to_end(&planned(&text, 1), &options);
    let ran = ran();
    let spectra = (seconds * 16_000).div_ceil(160);
    assert_eq!(ran.frames, u64::from(STREAMS) * spectra as u64);
    // The sink keeps the first channel's.
    let want = features(frames).pop().and_then(|last| last.first().copied()).expect("features");
    assert_eq!(ran.last.to_bits(), want.to_bits(), "node by node by hand it is the same");
    ran.cpu_s
}

/// The chain node by node, without a graph.
fn features(frames: usize) -> Vec<Vec<f32>> {
    let mut samples = sound(frames * FRAME_LEN);
    let mut rate_hz = RATE_HZ;
    let mut rows = Vec::new();
    for (_, kind, params) in CHAIN {
        let mut node = testing::Bench::build(kind, rate_hz, params).expect("valid");
        for part in samples.chunks(FRAME_LEN) {
            node.feed(part);
        }
        node.flush();
        let seen = node.take();
        rate_hz = node.output(0).rate().expect("a signal").hz();
        rows = seen.iter().map(|seen| seen.frame.samples().to_vec()).collect();
        samples = rows.concat();
    }
    rows
}

fn lines(rows: &[Vec<f32>]) -> String {
    let line = |row: &Vec<f32>| {
        let values: Vec<String> = row.iter().map(f32::to_string).collect();
        values.join(" ") + "\n"
    };
    rows.iter().map(line).collect()
}
