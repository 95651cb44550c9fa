//! Samples per second through four second-order sections of eight channels, on one core.
//!
//! The filter of the rivals: a Butterworth low-pass filter of order 8 at a tenth of the rate, state in
//! f64, samples in f32, its state carried from one block to the next. A sample is one number of one
//! channel. Blocks of 64 as a live stream brings them, and of 65 536.

mod support;

use std::{f64::consts::TAU, hint::black_box, time::Instant};

use operators::{
    kernels::biquad::Biquad,
    math::{band::Band, butterworth, sos},
};
use support::Bench;

const CHANNELS: usize = 8;
const RATE_HZ: f64 = 1_000.0;
const CUTOFF_HZ: f64 = 100.0;

fn main() {
    let bench = Bench::start("sos");
    let samples = bench.scale(200_000_000, 400_000);
    let name = |block: usize| format!("blocks of {block}");
    let [short, long] = bench.interleaved([
        (&name(64), &mut || filter(64, samples)),
        (&name(65_536), &mut || filter(65_536, samples)),
    ]);
    for (block, seconds) in [("64", short), ("65536", long)] {
        let seconds = seconds.of(|seconds| *seconds);
        bench.report(
            "sosfilt_4biquads_8ch",
            &[("block", block), ("channels", "8"), ("state", "f64")],
            &[("ns_per_sample", &seconds.times(1e9)), ("samples_per_s", &seconds.inverse())],
        );
    }
}

/// Seconds a sample.
fn filter(block: usize, samples: usize) -> f64 {
    let low_pass = Band::LowPass { cutoff_hz: CUTOFF_HZ };
    let sections = butterworth::design(8, low_pass, RATE_HZ).expect("valid");
    // A tone per channel, of whole periods within 64 samples.
    let tone_hz = |channel: usize| (channel + 1) as f64 * RATE_HZ / 64.0;
    let tone = |n: usize| (TAU * tone_hz(n / block) / RATE_HZ * (n % block) as f64).sin() as f32;
    let input: Vec<f32> = (0..CHANNELS * block).map(tone).collect();
    let mut output = vec![0.0; CHANNELS * block];
    let mut filter = Biquad::new(sections.clone(), CHANNELS);

    let blocks = samples / (CHANNELS * block) + 1;
    let began = Instant::now();
    for _ in 0..blocks {
        filter.run(black_box(&input), black_box(&mut output));
    }
    let seconds = began.elapsed().as_secs_f64();

    for channel in 0..CHANNELS {
        let last = &output[(channel + 1) * block - 64..(channel + 1) * block];
        let power: f64 = last.iter().map(|y| f64::from(*y) * f64::from(*y)).sum::<f64>() / 64.0;
        let gain = sos::magnitude(&sections, RATE_HZ, tone_hz(channel));
        // Whole periods have half the square of the gain; samples and outputs are rounded to f32, and
        // the beginning is gone after 5 000 samples: exp(−2π · 0.1 · 0.195 · 5 000) of it.
        assert!((power - 0.5 * gain * gain).abs() < 1e-6, "channel {channel}: {power}, {gain}");
    }
    seconds / (blocks * CHANNELS * block) as f64
}
