//! What it costs to bring thirty streams from a microphone to where a speech model listens.
//!
//! From 48 kHz to 16, without rumble, evenly loud, as Whisper's eighty bands; and the same behind noise
//! suppression, which costs more than the rest. A session per stream on one core, in frames of 20 ms.

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
