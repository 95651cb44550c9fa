//! `agc`: an even loudness, whatever the distance from the microphone.
//!
//! The power P of the loudest channel, averaged over 50 ms, decides about a gain G in decibels, which
//! follows it with one time constant when it must fall and another when it may rise:
//!
//! ```text
//! P[n] = P[n−1] + a (max x²[n] − P[n−1])                    a = 1 − exp(−1 / (0.05 · rate))
//! D    = target_dbfs − 10 log10 P                           limited to −40 … max_gain_db
//!        min(G, 0)                                          where 10 log10 P < silence_dbfs
//! G    → D with attack_s where D < G, with release_s where D > G
//! y[n] = x[n] · 10^(G / 20)
//! ```
//!
//! | port  | carries                                         |
//! |-------|-------------------------------------------------|
//! | `in`  | any signal, full scale being 1.0                |
//! | `out` | the same at target_dbfs, all channels alike     |
//!
//! G is looked at 1 000 times a second, counted in samples, and glides in between. A sample that would
//! leave full scale takes the gain down at once. Silence is never amplified: below silence_dbfs, G
//! falls to 0 dB, or stays where it is below that. **Delay**: none. **NaN**: comes out as NaN, and the level forgets nothing
//! for it. **Cost**: about 2 ns a sample and channel. **Source**: Zölzer, *DAFX*, chapter 4.

use engine::{Block, Body, Fault, Kind, Node, Outline, Param, Port};

use crate::{bodies::load, math::state::put_f64};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "agc",
    summary: "An even loudness: automatic gain.",
    doc: "y = x 10^(G / 20). The power P of the loudest channel, averaged with a time constant of 50 ms, \
          asks for D = target_dbfs - 10 log10 P, limited to -40 and max_gain_db; G follows it, \
          with the time constant attack_s where it must fall and release_s where it may rise. Where P is \
          below silence_dbfs, silence is not amplified: G falls to 0 dB with attack_s, or stays where it \
          is below that. A sample that would leave full scale takes G down at once, so that nothing clips that was \
          not too loud before. All channels have one gain. G is looked at a thousand times a second and glides in \
          between. Delay: none. NaN: comes out as NaN while the level waits. Cost: about 2 ns a sample and \
          channel. Source: Zoelzer, DAFX, chapter 4.",
    example: "max_gain_db = 20.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&TARGET_DBFS, &MAX_GAIN_DB, &ATTACK_S, &RELEASE_S, &SILENCE_DBFS],
    plan: Outline::like_ports,
    build: |node| Ok(Body::block(Agc::new(Settings::of(node)?))),
    ..Kind::BASE
};

const TARGET_DBFS: Param<f64> =
    Param::with_default("target_dbfs", -20.0, "Root mean square to reach, below full scale.")
        .within(-60.0, 0.0);
const MAX_GAIN_DB: Param<f64> =
    Param::with_default("max_gain_db", 30.0, "Most it amplifies.").within(0.0, 60.0);
const ATTACK_S: Param<f64> =
    Param::with_default("attack_s", 0.02, "Time constant of a falling gain.").within(1e-3, 10.0);
const RELEASE_S: Param<f64> =
    Param::with_default("release_s", 0.5, "Time constant of a rising gain.").within(1e-3, 100.0);
const SILENCE_DBFS: Param<f64> =
    Param::with_default("silence_dbfs", -60.0, "What is quieter is not amplified.")
        .within(-120.0, 0.0);

/// How long power is averaged.
const LEVEL_S: f64 = 0.05;
/// Least gain.
const MIN_GAIN_DB: f64 = -40.0;
/// How often the gain is looked at.
const LOOKS_HZ: f64 = 1_000.0;
/// No sample counts for more: its square is a number.
const LOUDEST: f64 = 1e6;

#[derive(Clone, Copy)]
struct Settings {
    target_db: f64,
    max_gain_db: f64,
    silence_db: f64,
    /// Share of a step to a new power in one sample.
    level_share: f64,
    /// Share of a step to a new gain from one look to the next.
    attack_share: f64,
    release_share: f64,
    /// Samples from one look to the next.
    period: u32,
}

impl Settings {
    fn of(node: &Node<'_>) -> Result<Self, engine::Diagnostic> {
        let rate_hz = node.rate_hz("in");
        let period = (rate_hz / LOOKS_HZ).round().clamp(1.0, 1e6);
        let share = |samples: f64, span_s: f64| 1.0 - (-samples / (span_s * rate_hz)).exp();
        Ok(Self {
            target_db: node.get(&TARGET_DBFS)?,
            max_gain_db: node.get(&MAX_GAIN_DB)?,
            silence_db: node.get(&SILENCE_DBFS)?,
            level_share: share(1.0, LEVEL_S),
            attack_share: share(period, node.get(&ATTACK_S)?),
            release_share: share(period, node.get(&RELEASE_S)?),
            period: period as u32,
        })
    }
}

struct Agc {
    settings: Settings,
    power: f64,
    gain_db: f64,
    /// The gain as a factor, and what a sample adds to it.
    gain: f64,
    slope: f64,
    /// Samples until the next look.
    left: u32,
}

impl Agc {
    fn new(settings: Settings) -> Self {
        Self { settings, power: 0.0, gain_db: 0.0, gain: 1.0, slope: 0.0, left: settings.period }
    }

    /// Decides where the gain glides until the next look.
    fn look(&mut self) {
        let Settings {
            target_db,
            max_gain_db,
            silence_db,
            attack_share,
            release_share,
            period,
            ..
        } = self.settings;
        let level_db = 10.0 * self.power.max(1e-30).log10();
        let wanted_db = match level_db < silence_db {
            true => self.gain_db.min(0.0),
            false => (target_db - level_db).clamp(MIN_GAIN_DB, max_gain_db),
        };
        let share = if wanted_db < self.gain_db { attack_share } else { release_share };
        self.gain_db += share * (wanted_db - self.gain_db);
        self.slope = (factor(self.gain_db) - self.gain) / f64::from(period);
        self.left = period;
    }

    /// Takes the gain down so that a sample of this height fits.
    fn limit(&mut self, height: f64) {
        if height * self.gain > 1.0 && height <= LOUDEST && self.gain > factor(MIN_GAIN_DB) {
            self.gain = (1.0 / height).max(factor(MIN_GAIN_DB));
            self.gain_db = 20.0 * self.gain.log10();
            self.slope = 0.0;
        }
    }

    /// The gain for samples of which the loudest is so high; nothing if none is a number.
    fn gain_for(&mut self, height: Option<f64>) -> f64 {
        if let Some(height) = height {
            let power = height.min(LOUDEST).powi(2);
            self.power += self.settings.level_share * (power - self.power);
            // A decaying tail must not become endless subnormals.
            if self.power < 1e-30 {
                self.power = 0.0;
            }
        }
        self.gain += self.slope;
        if let Some(height) = height {
            self.limit(height);
        }
        self.left -= 1;
        if self.left == 0 {
            self.look();
        }
        self.gain
    }
}

fn factor(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

impl Block for Agc {
    fn block(&mut self, channels: usize, input: &[f32], output: &mut [f32]) {
        let len = input.len() / channels.max(1);
        for n in 0..len {
            let mut height = None;
            for &sample in input[n..].iter().step_by(len) {
                if sample.is_finite() {
                    height = Some(f64::from(sample).abs().max(height.unwrap_or(0.0)));
                }
            }
            let gain = self.gain_for(height);
            let pairs = input[n..].iter().step_by(len).zip(output[n..].iter_mut().step_by(len));
            pairs.for_each(|(x, y)| *y = (f64::from(*x) * gain) as f32);
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.settings);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        for number in [self.power, self.gain_db, self.gain, self.slope, f64::from(self.left)] {
            put_f64(into, number);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let mut left = 0.0;
        let period = self.settings.period;
        load("is no state of `agc`", 1, from, |state| {
            state.f64(&mut self.power)?;
            state.f64(&mut self.gain_db)?;
            state.f64(&mut self.gain)?;
            state.f64(&mut self.slope)?;
            state.f64(&mut left)?;
            state.demand(left >= 1.0 && left <= f64::from(period) && left.fract() == 0.0)
        })?;
        self.left = left as u32;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::Bench;

    use super::*;

    const RATE_HZ: f64 = 16_000.0;

    fn agc(params: &str) -> Bench {
        Bench::build(&KIND, RATE_HZ, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// A sine whose root mean square lies so far below full scale.
    fn sine(seconds: f64, dbfs: f64) -> Vec<f32> {
        let height = 2f64.sqrt() * factor(dbfs);
        let sample = |n: usize| (height * (TAU * 440.0 * n as f64 / RATE_HZ).sin()) as f32;
        (0..(seconds * RATE_HZ) as usize).map(sample).collect()
    }

    /// Root mean square in decibels of the last half second.
    fn level(samples: &[f32]) -> f64 {
        let last = &samples[samples.len() - 8_000..];
        let power: f64 = last.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        10.0 * (power / last.len() as f64).log10()
    }

    #[test]
    fn quiet_and_loud_come_out_at_the_target() {
        for dbfs in [-45.0, -30.0, -20.0, -6.0] {
            let out = agc("target_dbfs = -20.0").feed(&sine(6.0, dbfs));
            // Power over 50 ms of a sine of 440 Hz trembles by 1 / (2 · 2π 440 · 0.05), 0.016 dB;
            // exp(−11) of 25 dB is left.
            assert!((level(&out) + 20.0).abs() < 0.03, "{dbfs}: {}", level(&out));
        }
        let out = agc("target_dbfs = -20.0\nmax_gain_db = 12.0").feed(&sine(6.0, -50.0));
        assert!((level(&out) + 38.0).abs() < 0.03, "12 dB and no more: {}", level(&out));
    }

    #[test]
    fn a_gain_rises_and_falls_with_its_time_constants() {
        // After the level has settled, a sine at −40 asks for 20 dB from 0 on; after release_s it has
        // 1 − 1/e of them, 12.64 dB.
        let gain_db = |agc: &mut Bench, samples: &[f32]| {
            let out = agc.feed(samples);
            let at = out.len() - 1_600;
            let power = |samples: &[f32]| samples.iter().map(|&x| f64::from(x * x)).sum::<f64>();
            10.0 * (power(&out[at..]) / power(&samples[at..])).log10()
        };
        let mut slow = agc("release_s = 2.0\nattack_s = 0.5\nmax_gain_db = 40.0");
        let gain = gain_db(&mut slow, &sine(2.05, -40.0));
        // Over the last 0.1 s, at 2.0 s in the middle: the level needed some 0.05 s to be known.
        let wanted = 20.0 * (1.0 - (-1.0f64).exp());
        assert!((gain - wanted).abs() < 0.4, "{gain} is not {wanted}");

        gain_db(&mut slow, &sine(30.0, -40.0));
        // Now −30, which asks for 10 dB instead of 20: after attack_s 10 + 10 / e are left.
        let gain = gain_db(&mut slow, &sine(0.55, -30.0));
        let wanted = 10.0 + 10.0 * (-1.0f64).exp();
        assert!((gain - wanted).abs() < 1.0, "{gain} is not {wanted}");
    }

    #[test]
    fn silence_is_not_amplified() {
        let mut agc = agc("silence_dbfs = -60.0\nmax_gain_db = 60.0");
        // Noise below the limit comes out as it was, also after a voice that was amplified.
        let quiet = sine(3.0, -65.0);
        assert!((level(&agc.feed(&quiet)) + 65.0).abs() < 1e-3);
        assert!(level(&agc.feed(&sine(5.0, -40.0))) > -21.0);
        assert!((level(&agc.feed(&quiet)) + 65.0).abs() < 1e-3);
        assert!(agc.feed(&[0.0; 16_000]).iter().all(|&sample| sample == 0.0));
    }

    #[test]
    fn nothing_clips_that_was_not_too_loud() {
        let mut agc = agc("target_dbfs = -10.0\nmax_gain_db = 40.0\nattack_s = 1.0");
        agc.feed(&sine(5.0, -40.0));
        let out = agc.feed(&sine(1.0, -3.1));
        // A sine at −3.1 dB is 0.99 high.
        assert!(out.iter().all(|sample| sample.abs() <= 1.0));
    }

    #[test]
    fn what_is_no_number_leaves_the_gain_alone() {
        let (mut with, mut without) = (agc(""), agc(""));
        let before = sine(1.0, -40.0);
        assert_eq!(with.feed(&before), without.feed(&before));
        assert!(with.feed(&[f32::NAN; 160]).iter().all(|sample| sample.is_nan()));
        with.feed(&[f32::INFINITY]);
        let out = with.feed(&before);
        assert!(out.iter().all(|sample| sample.is_finite()));
        assert!((level(&out) - level(&without.feed(&before))).abs() < 0.1);
    }
}
