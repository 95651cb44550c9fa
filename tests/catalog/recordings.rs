//! What kinds are fed with: a heart, a slow sine, and small recordings.

use std::{f64::consts::TAU, sync::OnceLock};

use engine::{
    Kind,
    testing::{Bench, MemoryFiles},
};
use operators::{math::random::Random, source};

/// Samples per second of the first signal.
pub(crate) const RATE_HZ: f64 = 250.0;
/// The same for kinds that hear.
const HEARD_HZ: f64 = 16_000.0;
/// Kinds that hear, and take no other rate.
const HEAR: &[&str] = &["speech"];
/// Samples per second of a second signal.
pub(crate) const SLOW_HZ: f64 = 100.0;
/// How long content is.
pub(crate) const SECONDS: usize = 40;

/// A heart with some noise, and the moments of its beats in nanoseconds.
pub(crate) fn heart() -> &'static (Vec<f32>, Vec<i64>) {
    static HEART: OnceLock<(Vec<f32>, Vec<i64>)> = OnceLock::new();
    HEART.get_or_init(|| {
        let params = format!("seconds = {SECONDS}.0\nnoise_mv = 0.02\nwander_mv = 0.2");
        let mut ecg = Bench::build(&operators::source::ecg::KIND, RATE_HZ, &params).expect("valid");
        while !ecg.pull(100) {}
        let (mut samples, mut beats) = (Vec::new(), Vec::new());
        for seen in ecg.take() {
            match seen.port {
                0 => samples.extend_from_slice(seen.frame.samples()),
                _ => beats.push(seen.time().nanos()),
            }
        }
        (samples, beats)
    })
}

/// What is recorded for kinds that are not about hearts: the source that makes it and its parameters.
static BODIES: [(&str, &Kind, &str); 5] = [
    ("pulse", &source::ppg::KIND, "noise_share = 0.02\nwander_share = 0.2"),
    ("spo2", &source::ppg::KIND, "noise_share = 0.02\nwander_share = 0.2"),
    ("breath", &source::respiration::KIND, "noise_share = 0.02"),
    ("eda", &source::skin::KIND, "responses_per_min = 12.0"),
    ("emg", &source::muscle::KIND, ""),
];

/// Samples per second of a kind's first signal.
pub(crate) fn rate_hz(kind: &str) -> f64 {
    if HEAR.contains(&kind) { HEARD_HZ } else { RATE_HZ }
}

/// Something like a voice, by turns 1.1 s of it and 0.9 s without: harmonics of a pitch that wanders around 120 Hz,
/// loudest around 500, 1500 and 2500 Hz, four syllables a second; noise 50 dB below.
fn voice() -> &'static [f32] {
    static VOICE: OnceLock<Vec<f32>> = OnceLock::new();
    VOICE.get_or_init(|| {
        let mut random = Random::new(7);
        let (mut phase, count) = (0.0_f64, SECONDS * HEARD_HZ as usize);
        let sample = |n: usize| {
            let t = n as f64 / HEARD_HZ;
            let pitch_hz = 120.0 + 25.0 * (TAU * 0.7 * t).sin();
            phase = (phase + pitch_hz / HEARD_HZ).fract();
            let harmonic = |k: i32| {
                let hz = f64::from(k) * pitch_hz;
                let near = |at: f64| 1.0 / (1.0 + ((hz - at) / 150.0).powi(2));
                let gain = near(500.0) + 0.5 * near(1_500.0) + 0.25 * near(2_500.0);
                gain * (TAU * f64::from(k) * phase).sin()
            };
            let is_on = t % 2.0 > 0.9;
            let syllables = (0.5 - 0.5 * (TAU * 4.0 * t).cos()).powi(2);
            let voice: f64 = if is_on { (1..24).map(harmonic).sum() } else { 0.0 };
            (0.15 * syllables * voice + 0.001 * (random.uniform() - 0.5)) as f32
        };
        (0..count).map(sample).collect()
    })
}

/// What a kind is about, at its rate: a heart with some noise unless said otherwise.
pub(crate) fn content(kind: &str) -> &'static [f32] {
    if HEAR.contains(&kind) {
        return voice();
    }
    static CONTENT: [OnceLock<Vec<f32>>; 5] = [const { OnceLock::new() }; 5];
    let Some(body) = BODIES.iter().position(|(name, ..)| *name == kind) else {
        return &heart().0;
    };
    CONTENT[body].get_or_init(|| {
        let (_, source, params) = BODIES[body];
        let params = format!("seconds = {SECONDS}.0\nrate_hz = {RATE_HZ:?}\n{params}");
        let mut source = Bench::build(source, RATE_HZ, &params).expect("valid");
        while !source.pull(100) {}
        let frames = source.take();
        let of_first = frames.iter().filter(|seen| seen.port == 0);
        of_first.flat_map(|seen| seen.frame.channel(0).to_vec()).collect()
    })
}

/// A slow sine.
pub(crate) fn slow() -> &'static Vec<f32> {
    static SLOW: OnceLock<Vec<f32>> = OnceLock::new();
    SLOW.get_or_init(|| (0..SECONDS * SLOW_HZ as usize).map(|n| (n as f32 * 0.05).sin()).collect())
}

/// A table, a WFDB record and a sound, as files.
pub(crate) fn files() -> MemoryFiles {
    static FILES: OnceLock<[(&str, Vec<u8>); 5]> = OnceLock::new();
    let files = FILES.get_or_init(make_files).clone();
    files.into_iter().fold(MemoryFiles::new(), |files, (path, content)| files.with(path, content))
}

fn make_files() -> [(&'static str, Vec<u8>); 5] {
    let samples = &heart().0;
    let table: String = samples
        .iter()
        .enumerate()
        .map(|(n, sample)| format!("{},{sample},{n}\n", n as f64 / RATE_HZ))
        .collect();
    let header = "100 2 250 10000\n100.dat 16 200 16 0 0 0 0 MLII\n100.dat 16 100 16 0 0 0 0 V5\n";
    let words = samples.iter().enumerate().flat_map(|(n, sample)| {
        let two = [(sample * 200.0) as i16, n as i16];
        two.into_iter().flat_map(i16::to_le_bytes)
    });
    // A normal beat (code 1) every 200 samples; the word 0 ends the list.
    let beats = std::iter::repeat_n((1 << 10) | 200_u16, 49).chain([0]);
    [
        ("table.csv", format!("t_s,ecg,count\n{table}").into_bytes()),
        ("100.hea", header.to_owned().into_bytes()),
        ("100.dat", words.collect()),
        ("100.atr", beats.flat_map(u16::to_le_bytes).collect()),
        ("speech.wav", sound()),
    ]
}

/// The heart as it sounds, as a WAV file of 16 bits.
fn sound() -> Vec<u8> {
    let rate_hz = RATE_HZ as u32;
    let samples = heart().0.iter().flat_map(|sample| ((sample * 8_192.0) as i16).to_le_bytes());
    let samples: Vec<u8> = samples.collect();
    let long = |number: usize| (number as u32).to_le_bytes();
    [
        b"RIFF",
        &long(36 + samples.len())[..],
        b"WAVEfmt ",
        &long(16),
        // Integers, one channel.
        &[1, 0, 1, 0],
        &rate_hz.to_le_bytes(),
        &(2 * rate_hz).to_le_bytes(),
        &[2, 0, 16, 0],
        b"data",
        &long(samples.len()),
        &samples,
    ]
    .concat()
}
