//! How much of the rate of a bare realfft loop a graph of one `stft` keeps.
//!
//! Windows of 1 024 samples every 256, complex spectra in f32. The loop reads its windows from one
//! long stretch of samples and puts every spectrum into the same place.

mod support;

use std::{f64::consts::TAU, hint::black_box, time::Instant};

use engine::RunOptions;
use realfft::RealFftPlanner;
use support::{
    Bench,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::ends::{ran, sound},
};

const WINDOW: usize = 1_024;
const HOP: usize = 256;

fn main() {
    let bench = Bench::start("stft");
    for frame_len in [1_024, 4_096] {
        let frames = bench.scale(20_000_000, 100_000) / frame_len;
        let rate = |seconds: f64| (frames * frame_len) as f64 / seconds;
        let name = |what: &str| format!("{what}, {frame_len}");
        let [graph, bare] = bench.interleaved([
            (&name("graph"), &mut || rate(graph(frames, frame_len))),
            (&name("bare realfft"), &mut || rate(bare(frames, frame_len))),
        ]);
        let [graph, bare] = [graph, bare].map(|runs| runs.of(|&rate| rate));
        for (variant, rates) in [("graph", &graph), ("bare realfft", &bare)] {
            bench.report(
                "stft1024x256",
                &[("variant", variant), ("frame_len", &frame_len.to_string())],
                &[("samples_per_s", rates)],
            );
        }
        let promise = format!("stft, share of a bare realfft loop, frames of {frame_len}");
        bench.verdict_least(&promise, &graph.over(&bare), 0.9);
    }
}

fn graph(frames: usize, frame_len: usize) -> f64 {
    let chain = Chain {
        source: &format!(
            "op = \"bench_sound\"\nrate_hz = 48000.0\nframes = {frames}\nframe_len = {frame_len}"
        ),
        node: &format!(
            "op = \"stft\"\nwindow_samples = {WINDOW}\nhop_samples = {HOP}\nvalues = \"complex\"\n\
             scaling = \"none\""
        ),
        count: 1,
        sink: "op = \"bench_final\"",
        stage: uncut,
    };
    let options = RunOptions { sessions: 1, ..at_max(1) };
    run_to_end(&planned(&chain.text(), 1), &options);
    let ran = ran();
    assert_eq!(ran.frames, (frames * frame_len).div_ceil(HOP) as u64);
    check(frames * frame_len, ran.last);
    ran.seconds
}

/// The last spectrum lies around the last whole hop: the real part at frequency 0 is the sum of the
/// samples under its window, beyond the end of which there are zeros.
fn check(count: usize, got: f32) {
    let first = (count - 1) / HOP * HOP - WINDOW / 2;
    let samples = sound(65_536);
    let weighted = (first..count).map(|n| f64::from(samples[n % samples.len()]) * hann(n - first));
    let want: f64 = weighted.sum();
    // 1 024 products of at most 1, ten stages of additions, each rounded to 24 bits.
    assert!((f64::from(got) - want).abs() < 1_024.0 * 12.0 * 6e-8, "{got} is not {want}");
}

fn hann(n: usize) -> f64 {
    0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos()
}

fn bare(frames: usize, frame_len: usize) -> f64 {
    let window: Vec<f32> = (0..WINDOW).map(|n| hann(n) as f32).collect();
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let (mut input, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    let mut scratch = fft.make_scratch_vec();
    let samples = sound(65_536 + WINDOW);
    let spectra = (frames * frame_len).div_ceil(HOP);

    let began = Instant::now();
    for n in 0..spectra {
        let from = &black_box(&samples)[n * HOP % 65_536..][..WINDOW];
        for ((to, x), weight) in input.iter_mut().zip(from).zip(&window) {
            *to = x * weight;
        }
        fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch).expect("its own buffers");
        black_box(&mut spectrum);
    }
    let seconds = began.elapsed().as_secs_f64();
    assert!(spectrum.iter().all(|x| x.re.is_finite()));
    seconds
}
