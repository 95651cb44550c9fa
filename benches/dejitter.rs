//! How far times are off the truth behind `dejitter`, and behind liblsl's.
//!
//! A device whose clock is off by up to 200 ppm either way sends frames, which arrive with delays of
//! several shapes; both are given the same stamps from the first on. The error of every sample
//! against the moment it was taken is squared and averaged over ten minutes, the beginning included.
//! The figures are of that root, and of its ratio, over the seeds 1 to 21: the median, and all of them
//! in brackets. The rival is liblsl's published algorithm (its `time_postprocessor.cpp`: recursive
//! least squares, half-life 90 s, made monotonic), which gives the library's own times bit for bit.
//!
//! Promise: at most half of liblsl's error where delays are of one side or come in bursts, no more
//! where they are normal.

mod support;

use std::hint::black_box;

use operators::math::{
    dejitter::{Dejitter, DejitterParameters},
    random::Random,
};
use support::{Bench, Runs, Spread, seconds};

/// How a frame is late, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Delay {
    /// Early as often as late.
    Normal,
    /// Of one side, less and less likely.
    Exponential,
    /// Of one side, up to a limit.
    Uniform,
    /// Of one side, with a soft edge: two, or four exponential ones.
    Gamma(u32),
    /// Of one side, with a heavy tail.
    LogNormal,
    /// Short, but in stalls of up to 0.6 s everything waits.
    Stalls,
    /// As stalls, but what is short is normal.
    NormalStalls,
    /// In intervals of a radio of 30 ms, that wander against the device's clock.
    Radio,
}

const DELAYS: [(&str, Delay, f64); 9] = [
    ("normal", Delay::Normal, 1.0),
    ("exponential", Delay::Exponential, 0.5),
    ("uniform", Delay::Uniform, 0.5),
    ("gamma 2", Delay::Gamma(2), 0.5),
    ("gamma 4", Delay::Gamma(4), 0.5),
    ("log-normal", Delay::LogNormal, 0.5),
    ("stalls", Delay::Stalls, 0.5),
    ("stalls, normal between", Delay::NormalStalls, 0.5),
    ("radio intervals", Delay::Radio, 0.5),
];

/// Samples per second and per frame: a usual headset, a chest strap, a fast amplifier, single samples.
const DEVICES: [(f64, u64); 4] = [(250.0, 10), (130.0, 73), (1_000.0, 50), (50.0, 1)];
const JITTER_S: f64 = 0.01;

fn main() {
    let bench = Bench::start("dejitter");
    let seconds_long = bench.scale(600, 60) as f64;
    let seeds = bench.scale(21, 1) as u64;
    for (rate_hz, len) in DEVICES {
        for (name, delay, at_most) in DELAYS {
            let device = format!("{rate_hz} Hz by {len}");
            let case = format!("{device}, {name}");
            if !bench.runs(&case) {
                continue;
            }
            let errors = Runs(
                (1..=seeds)
                    .map(|seed| errors_ms(seed, rate_hz, len, delay, seconds_long))
                    .collect(),
            );
            let (ours, lsl) = (errors.of(|e: &Errors| e.ours_ms), errors.of(|e| e.lsl_ms));
            let covered = errors.of(|e| e.covered_pct);
            bench.report(
                "dejitter",
                &[("device", &device), ("delays", name)],
                &[("rms_ms", &ours), ("liblsl_rms_ms", &lsl), ("covered_pct", &covered)],
            );
            bench.verdict(&format!("{case}, share of liblsl's error"), &ours.over(&lsl), at_most);
        }
    }
    cost(&bench);
}

struct Errors {
    ours_ms: f64,
    lsl_ms: f64,
    /// Samples whose error is not beyond the uncertainty that was told.
    covered_pct: f64,
}

/// The delays of one device.
struct Sender {
    random: Random,
    delay: Delay,
    /// Samples a second over those of a frame.
    frames_hz: f64,
    stalled_until_s: f64,
    arrived_s: f64,
}

impl Sender {
    /// When a frame arrives whose last sample was taken at `taken_s`.
    fn arrival_s(&mut self, taken_s: f64) -> f64 {
        let delay_s = match self.delay {
            // A stamp that is early is a fault of the clock that made it: order means nothing.
            Delay::Normal => return taken_s + JITTER_S * self.random.normals().0,
            Delay::Exponential => self.gamma(1),
            Delay::Uniform => 3.0 * JITTER_S * self.random.uniform(),
            Delay::Gamma(k) => self.gamma(k) / f64::from(k),
            Delay::LogNormal => 0.6 * JITTER_S * self.random.normals().0.exp(),
            Delay::Stalls => self.stall_s(taken_s) + 0.1 * self.gamma(1),
            Delay::NormalStalls => {
                return taken_s + self.stall_s(taken_s) + 0.1 * JITTER_S * self.random.normals().0;
            }
            Delay::Radio => {
                let ready_s = taken_s + 0.2 * self.gamma(1);
                (ready_s / 0.03).ceil() * 0.03 - taken_s
            }
        };
        // Frames stay in order.
        self.arrived_s = (taken_s + delay_s).max(self.arrived_s + 1e-5);
        self.arrived_s
    }

    fn gamma(&mut self, k: u32) -> f64 {
        (0..k).map(|_| -JITTER_S * (1.0 - self.random.uniform()).ln()).sum()
    }

    /// A stall begins every 2.5 s.
    fn stall_s(&mut self, taken_s: f64) -> f64 {
        if taken_s > self.stalled_until_s && self.random.uniform() < 0.4 / self.frames_hz {
            self.stalled_until_s = taken_s + 0.1 + 0.5 * self.random.uniform();
        }
        (self.stalled_until_s - taken_s).max(0.0)
    }
}

/// Plays both against the truth.
fn errors_ms(seed: u64, rate_hz: f64, len: u64, delay: Delay, seconds_long: f64) -> Errors {
    let mut random = Random::new(7_919 * seed);
    let period_s = (1.0 + 200e-6 * (2.0 * random.uniform() - 1.0)) / rate_hz;
    let start_s = 1_000.0 + 10.0 * random.uniform();
    let frames_hz = rate_hz / len as f64;
    let (stalled_until_s, arrived_s) = (0.0, f64::MIN);
    let mut sender = Sender { random, delay, frames_hz, stalled_until_s, arrived_s };
    let (mut dejitter, mut lsl) = (Dejitter::new(parameters(rate_hz)), None);
    let (mut ours, mut theirs, mut covered, mut last_ns) = (0.0, 0.0, 0_u64, i64::MIN);
    let frames = (seconds_long * frames_hz) as u64;
    for frame in 0..frames {
        let taken_s = |k: u64| start_s + (frame * len + k) as f64 * period_s;
        let stamp_s = sender.arrival_s(taken_s(len - 1)) - (len - 1) as f64 / rate_hz;
        let lsl = lsl.get_or_insert_with(|| Lsl::new(stamp_s, rate_hz));
        let moment = dejitter.push((stamp_s * 1e9).round() as i64, len);
        let after_ns = |samples: u64| (samples as f64 * 1e9 / rate_hz) as i64;
        let mut k = 0;
        while k < len {
            let due_ns = moment.time_ns + after_ns(k);
            let (time_ns, together) = dejitter.place(due_ns, len - k);
            for n in 0..together {
                let told_ns = time_ns + after_ns(n);
                assert!(told_ns > last_ns, "times go back");
                last_ns = told_ns;
                let off_s = told_ns as f64 / 1e9 - taken_s(k + n);
                ours += off_s * off_s;
                let within_s = (moment.uncertainty_ns + (time_ns - due_ns) as f64) / 1e9;
                covered += u64::from(off_s.abs() <= within_s);
            }
            k += together;
        }
        for k in 0..len {
            let off_s = lsl.dejitter(stamp_s + k as f64 / rate_hz) - taken_s(k);
            theirs += off_s * off_s;
        }
    }
    let samples = (frames * len) as f64;
    let ms = |sum: f64| 1e3 * (sum / samples).sqrt();
    let covered_pct = 100.0 * covered as f64 / samples;
    Errors { ours_ms: ms(ours), lsl_ms: ms(theirs), covered_pct }
}

fn parameters(rate_hz: f64) -> DejitterParameters {
    // The defaults of the kind.
    DejitterParameters { rate_hz, drift_max_ppm: 300.0, step_s: 5.0, delay_max_s: 2.0 }
}

/// What a frame of ten samples costs.
fn cost(bench: &Bench) {
    let frames = bench.scale(200_000, 1_000);
    let stamp_s =
        |frame: usize| 1_000.0 + 0.04 * frame as f64 + (frame * 7_919 % 1_000) as f64 * 2e-5;
    let names = ["ours", "liblsl's"];
    let runs = bench.interleaved([
        (names[0], &mut || {
            let mut dejitter = Dejitter::new(parameters(250.0));
            seconds(|| {
                for frame in 0..frames {
                    let moment = dejitter.push((stamp_s(frame) * 1e9) as i64, 10);
                    black_box(dejitter.place(moment.time_ns, 10));
                }
            })
        }),
        (names[1], &mut || {
            let mut lsl = Lsl::new(stamp_s(0), 250.0);
            seconds(|| {
                for frame in 0..frames {
                    for sample in 0..10 {
                        black_box(lsl.dejitter(stamp_s(frame) + f64::from(sample) * 0.004));
                    }
                }
            })
        }),
    ]);
    for (name, runs) in names.into_iter().zip(runs) {
        let ns: Spread = runs.of(|seconds| seconds * 1e9 / frames as f64);
        bench.report("dejitter_cost", &[("of", name)], &[("ns_per_frame_of_10", &ns)]);
    }
}

/// liblsl's dejitter and monotonizer, as it is configured unless told otherwise.
struct Lsl {
    t0: f64,
    w: [f64; 2],
    p: [f64; 3],
    forget: f64,
    samples: f64,
    last: f64,
}

impl Lsl {
    fn new(first_s: f64, rate_hz: f64) -> Self {
        Self {
            t0: first_s.trunc(),
            w: [0.0, 1.0 / rate_hz],
            p: [1e10, 0.0, 1e10],
            forget: (-1.0 / (rate_hz * 90.0)).exp2(),
            samples: 0.0,
            last: f64::MIN,
        }
    }

    fn dejitter(&mut self, stamp_s: f64) -> f64 {
        let (t, u) = (stamp_s - self.t0, self.samples);
        self.samples += 1.0;
        let [p00, p01, p11] = self.p;
        let pi = [p00 + u * p01, p01 + u * p11];
        let off = t - (self.w[0] + u * self.w[1]);
        let g = 1.0 / (self.forget + pi[0] + pi[1] * u);
        let grown = |p: f64, product: f64| (1.0 / self.forget) * (p - product * g);
        self.p = [grown(p00, pi[0] * pi[0]), grown(p01, pi[0] * pi[1]), grown(p11, pi[1] * pi[1])];
        let [p00, p01, p11] = self.p;
        self.w[0] += off * (p00 + p01 * u);
        self.w[1] += off * (p01 + p11 * u);
        self.last = self.last.max(self.w[0] + u * self.w[1] + self.t0);
        self.last
    }
}
