//! Rhythms and artefacts in electroencephalograms.

use std::{
    f64::consts::{PI, TAU},
    path::Path,
};

use afferent_suite::data::folder;
use engine::{
    Format, Rate, Unit,
    testing::{Bench, Seen},
};
use operators::{
    eeg::{reject, rhythm},
    source::eeg,
};

use crate::tables::column;

const ALPHA_HZ: [f64; 2] = [8.0, 13.0];
const THETA_HZ: [f64; 2] = [4.0, 8.0];

/// The amplitude of a band by a filter that sees the future: 4 s of the ideal one's taps under a Hann
/// window, in the middle of which its output lies. The first and last 2 s are left as they are.
fn zero_phase(signal: &[f64], rate_hz: f64, [low_hz, high_hz]: [f64; 2]) -> Vec<f64> {
    let side = (2.0 * rate_hz) as i64;
    let tap = |m: i64| {
        let window = 0.5 + 0.5 * (PI * m as f64 / (side + 1) as f64).cos();
        let (middle_hz, half_hz) = (0.5 * (low_hz + high_hz), 0.5 * (high_hz - low_hz));
        let x = TAU * half_hz * m as f64 / rate_hz;
        let size = 4.0 * half_hz / rate_hz * if m == 0 { 1.0 } else { x.sin() / x };
        let (sin, cos) = (TAU * middle_hz * m as f64 / rate_hz).sin_cos();
        [window * size * cos, window * size * sin]
    };
    let taps: Vec<[f64; 2]> = (-side..=side).map(tap).collect();
    let mean = signal.iter().sum::<f64>() / signal.len() as f64;
    let amplitude = |part: &[f64]| {
        let sum = part.iter().rev().zip(&taps).fold([0.0; 2], |sum, (x, tap)| {
            [sum[0] + tap[0] * (x - mean), sum[1] + tap[1] * (x - mean)]
        });
        sum[0].hypot(sum[1])
    };
    signal.windows(taps.len()).map(amplitude).collect()
}

/// Samples between a window of `zero_phase` and the first of the signal.
fn offset(rate_hz: f64) -> usize {
    (2.0 * rate_hz) as usize
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sums = a.iter().zip(b).fold([0.0; 3], |[ab, aa, bb], (x, y)| {
        let (x, y) = (x - ma, y - mb);
        [ab + x * y, aa + x * x, bb + y * y]
    });
    sums[0] / (sums[1] * sums[2]).sqrt()
}

/// At how many milliseconds what `rhythm` said resembles the truth most, and how much.
fn lag(said: &[f64], truth: &[f64], rate_hz: f64) -> (f64, f64) {
    let from = offset(rate_hz);
    let at = |lag: usize| {
        let late = &said[from + lag..];
        let len = late.len().min(truth.len());
        (lag as f64 * 1e3 / rate_hz, correlation(&late[..len], &truth[..len]))
    };
    let lags = (0..(0.3 * rate_hz) as usize).map(at);
    lags.max_by(|a, b| a.1.total_cmp(&b.1)).expect("some lags")
}

/// What comes by a port, channel 0.
fn port(seen: &[Seen], port: usize) -> Vec<f64> {
    let frames = seen.iter().filter(|seen| seen.port == port);
    frames.flat_map(|seen| seen.frame.channel(0).iter().map(|&x| f64::from(x))).collect()
}

/// What `rhythm` says of a signal, sample by sample as it comes.
fn said(signal: &[f64], rate_hz: f64, params: &str) -> Vec<f64> {
    let mut bench = Bench::build(&rhythm::KIND, rate_hz, params).expect("valid");
    for part in signal.chunks(1 << 14) {
        let part: Vec<f32> = part.iter().map(|&x| x as f32).collect();
        bench.push_samples(0, &part);
        bench.run();
    }
    port(&bench.take(), 0)
}

#[test]
fn alpha_and_theta_are_told_within_a_tenth_of_a_second() {
    let params = "seconds = 300.0\nchannels = 6\nnoise_uv = 8.0\nalpha_uv = 20.0\ntheta_uv = 16.0";
    let mut source = Bench::build(&eeg::KIND, 0.0, params).expect("valid");
    while !source.pull(1_000) {}
    let seen = source.take();
    println!("pink noise and spindles        lag ms  correlation");
    // Each where it is whole and trained: Pz and Fz.
    for (band, channel, edges) in [("alpha", 0, ALPHA_HZ), ("theta", 5, THETA_HZ)] {
        let frames = seen.iter().filter(|seen| seen.port == 0);
        let signal: Vec<f64> = frames
            .flat_map(|seen| seen.frame.channel(channel).iter().map(|&x| f64::from(x)))
            .collect();
        let truth = zero_phase(&signal, 250.0, edges);
        for lag_ms in [75, 90, 100, 150] {
            let params = format!("band = {band:?}\nover = \"alpha\"\nlag_ms = {lag_ms}.0");
            let (late_ms, likeness) = lag(&said(&signal, 250.0, &params), &truth, 250.0);
            println!("{band}, lag_ms = {lag_ms:<12} {late_ms:9.0}  {likeness:11.3}");
            // What is promised, and that the lag is what was asked for: spindles shift it by a few
            // samples of 4 ms.
            assert!((late_ms - f64::from(lag_ms)).abs() <= 16.0, "{band} {lag_ms}: {late_ms} ms");
            let is_promised = (90..=100).contains(&lag_ms);
            assert!(!is_promised || late_ms <= 100.0 && likeness >= 0.8, "{band}: {likeness}");
        }
    }
}

/// Channels of a recording in microvolts, and their rate.
struct Recording {
    name: &'static str,
    rate_hz: f64,
    channels: Vec<Vec<f32>>,
}

fn recordings(data: &Path) -> [Recording; 3] {
    let muse = data.join("mad-lab-fau+BioPsyKit/example_data/eeg_muse_example.csv");
    let biosppy = data.join("PIA-Group+BioSPPy/examples/eeg_ec.txt");
    let eeglab = data.join("sccn+eeglab/sample_data/eeglab_data.fdt");
    let bytes =
        std::fs::read(&eeglab).unwrap_or_else(|error| panic!("{}: {error}", eeglab.display()));
    let (numbers, _) = bytes.as_chunks::<4>();
    let plane = |channel: usize| {
        let samples = numbers.iter().skip(channel).step_by(32);
        samples.map(|sample| f32::from_le_bytes(*sample)).collect()
    };
    [
        Recording {
            name: "muse",
            rate_hz: 256.0,
            channels: (1..5).map(|number| column(&muse, number, 1)).collect(),
        },
        Recording { name: "biosppy", rate_hz: 125.0, channels: vec![column(&biosppy, 0, 5)] },
        Recording { name: "eeglab", rate_hz: 128.0, channels: (0..32).map(plane).collect() },
    ]
}

#[test]
fn in_recordings_alpha_is_told_within_a_tenth_of_a_second() {
    let Some(data) = folder() else { return };
    println!("record   channel  lag ms  correlation with the zero-phase amplitude");
    for Recording { name, rate_hz, channels } in recordings(&data) {
        for (number, samples) in channels.iter().enumerate() {
            let signal: Vec<f64> = samples.iter().map(|&x| f64::from(x)).collect();
            let truth = zero_phase(&signal, rate_hz, ALPHA_HZ);
            let (late_ms, likeness) = lag(&said(&signal, rate_hz, ""), &truth, rate_hz);
            println!("{name:8} {number:7} {late_ms:7.0}  {likeness:.3}");
            assert!(late_ms <= 100.0 && likeness >= 0.8, "{name} {number}: {late_ms} {likeness}");
        }
    }
}

/// Lists of numbers in order: `[[1, 2], []]` behind a key.
fn lists(case: &str, key: &str) -> Vec<Vec<usize>> {
    let (_, rest) = case.split_once(&format!("\"{key}\": [[")).expect("the script writes it");
    let (lists, _) = rest.split_once("]]").expect("lists end");
    let number = |word: &str| word.trim().parse().ok();
    lists.split("], [").map(|list| list.split(',').filter_map(number).collect()).collect()
}

#[test]
fn half_seconds_are_dropped_that_mne_drops() {
    let Some(data) = folder() else { return };
    let golden = include_str!("../golden/eeg_artefacts.json");
    for Recording { name, rate_hz, channels } in recordings(&data) {
        let case = golden.lines().find(|case| case.contains(&format!("\"record\": \"{name}\"")));
        let Some(case) = case else { continue };
        for (word, mark, params) in [
            ("swing", 4.0, "peak_to_peak_uv = 100.0\nflat_uv = 0.0"),
            ("flat", 1.0, "peak_to_peak_uv = 0.0\nflat_uv = 20.0"),
        ] {
            let params = format!(
                "{params}\nwindow_s = 0.5\nflat_s = 0.5\nafter_ms = 0.0\ngradient_uv_per_ms = 0.0\n\
                 mains_uv = 0.0\nmuscle_uv = 0.0\nblink_uv = 0.0"
            );
            let rate = Rate::new(rate_hz).expect("a rate");
            let format = Format::signal(channels.len(), Unit::named("uV"), rate, 1 << 16);
            let mut bench = Bench::with(&reject::KIND, &[("in", format)], &params).expect("valid");
            bench.push_samples(0, &channels.concat());
            bench.run();
            let seen = bench.take();
            let marks = seen.iter().find(|seen| seen.port == 1).expect("marks");

            let (epoch, golden) = ((0.5 * rate_hz) as usize, lists(case, word));
            let epochs = channels[0].len() / epoch;
            let mut dropped = 0;
            for (channel, golden) in golden.iter().enumerate() {
                // The window that ends with an epoch is that epoch.
                let marks = marks.frame.channel(channel);
                let is_bad = |n: &usize| marks[(n + 1) * epoch - 1] == mark;
                let ours: Vec<usize> = (0..epochs).filter(is_bad).collect();
                dropped += ours.len();
                assert_eq!(&ours, golden, "{name} {word} {channel}");
            }
            println!("{name}, {word}: {dropped} of {} dropped, as by MNE", epochs * channels.len());
        }
    }
}
