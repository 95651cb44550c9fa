//! [`Steered`]: from a card's clock to the session's.
//!
//! A card says 48 000 samples per second and means 48 002. Each callback's stamp says how many samples had
//! come by when; a delay-locked loop (Adriaensen 2005) smooths what the system made of the stamps:
//!
//! ```text
//! e  = stamp − t₁        t₁ += b e + p        p += c e        b = √2 ω,  c = ω²,  ω = 2π · 0.05 Hz · span
//! ```
//!
//! with p how long the card takes for a callback's samples. A resampler between interpolated phases
//! then makes (1 + ε) outputs / sample of the two rates, which need not be the same, of each sample, where ε follows p
//! and what the outputs are off by all the same:
//!
//! ```text
//! ε = p · rate / len − 1 + (t₁ − t₀ − outputs / rate) / 10 s         within ±0.1 %
//! ```
//!
//! so that output k lies at t₀ + k / rate on the session's time line for as long as the card plays. t₀ is set to the
//! median of what the stamps of the first second say once that is over, as the first one may be late. A card that leaves samples out without a word is found by
//! stamps that stay off: by 15 ms for a quarter of a second, from a second after its beginning on.

use std::f64::consts::TAU;

use engine::Timestamp;

use super::varied::Varied;

/// Bandwidth of the loop: what stamps tremble faster than this is smoothed.
const BANDWIDTH_HZ: f64 = 0.05;
/// How quickly outputs that are off are brought back.
const PULL_S: f64 = 10.0;
/// No clock is so bad.
const STRAY_MAX: f64 = 1e-3;
/// Six times the loop's own 1 / ω: what it does not know of the card by then is a thousandth.
const SETTLED_S: f64 = 20.0;
/// How long a clock is looked at before it is judged.
const MEASURED_S: f64 = 20.0;
/// A stamp that is further off than this tells that the card did not play on.
const JUMP_S: f64 = 0.2;
/// So do stamps that are off by this, to the same side, for so long: one that is late alone tells of a thread that waited.
const ASIDE_S: f64 = 0.015;
const ASIDE_FOR_S: f64 = 0.25;
const ASIDE_STAMPS: u32 = 5;
/// When outputs began is the median of what the stamps of so long say.
const FIRST_S: f64 = 1.0;
/// Stamps of which the median is taken, at most.
const FIRST_STAMPS: usize = 1_000;

/// A card's samples on the session's time line.
pub struct Steered {
    /// Of the card, and of what is made of it.
    card_hz: f64,
    rate_hz: f64,
    varied: Varied,
    /// How many more outputs than the rates say are made, as a part.
    stray: f64,
    follows: Option<Follows>,
    outputs: u64,
}

/// The delay-locked loop.
#[derive(Clone)]
struct Follows {
    /// When the first output happened.
    start: Timestamp,
    /// When the newest sample happened by what the loop knows, in seconds from `start`.
    reached_s: f64,
    /// How much longer than it should the card takes for a second.
    slow: f64,
    /// How long the samples are by the card's clock.
    heard_s: f64,
    /// What that and `reached_s` were when the loop had settled.
    settled: Option<(f64, f64)>,
    /// How far off the first stamps were from the card's own count.
    first: Vec<f64>,
    /// How long stamps have been off to one side, how many of them, and whether they are late.
    aside: (f64, u32, bool),
}

impl Steered {
    /// At rest, for a card that says it has `card_hz`, from which samples of `rate_hz` are made.
    ///
    /// # Panics
    /// If there is no channel, or a rate is not between 1 Hz and 1 MHz.
    pub fn new(card_hz: f64, rate_hz: f64, channels: usize) -> Self {
        let varied = Varied::new(card_hz, rate_hz, channels);
        Self { card_hz, rate_hz, varied, stray: 0.0, follows: None, outputs: 0 }
    }

    /// Begins anew with the next samples.
    pub fn reset(&mut self) {
        self.varied.reset();
        (self.stray, self.follows, self.outputs) = (0.0, None, 0);
    }

    /// Takes the samples of a callback and says when the last of them was heard. Where that is far
    /// from when it should have been, nothing is taken: the card did not play on, and whoever asks begins anew.
    #[must_use]
    pub fn take(&mut self, planes: &[Vec<f32>], at: Timestamp) -> bool {
        let len = planes.first().map_or(0, Vec::len);
        let span_s = len as f64 / self.card_hz;
        let follows = self.follows.get_or_insert_with(|| Follows {
            start: at.plus_nanos((-span_s * 1e9).round() as i64),
            reached_s: 0.0,
            slow: 0.0,
            heard_s: 0.0,
            settled: None,
            first: Vec::with_capacity(FIRST_STAMPS),
            aside: (0.0, 0, false),
        });
        let expected_s = follows.reached_s + span_s * (1.0 + follows.slow);
        let since_s = at.since(follows.start) as f64 * 1e-9;
        let off_s = since_s - expected_s;
        if off_s.abs() > JUMP_S || follows.is_aside(off_s, span_s) {
            return false;
        }
        if follows.heard_s < FIRST_S && follows.first.len() < FIRST_STAMPS {
            follows.first.push(since_s - follows.heard_s - span_s);
            if follows.heard_s + span_s >= FIRST_S || follows.first.len() == FIRST_STAMPS {
                let median_ns = (median(&mut follows.first) * 1e9).round() as i64;
                follows.start = follows.start.plus_nanos(median_ns);
                follows.heard_s += span_s;
                (follows.reached_s, follows.slow) = (follows.heard_s, 0.0);
                self.varied.push(planes);
                return true;
            }
        }
        let pull = TAU * BANDWIDTH_HZ * span_s;
        follows.reached_s = expected_s + (2f64.sqrt() * pull).min(1.0) * off_s;
        if span_s > 0.0 {
            follows.slow += pull * pull * off_s / span_s;
            follows.slow = follows.slow.clamp(-STRAY_MAX, STRAY_MAX);
        }
        follows.heard_s += span_s;
        if follows.heard_s >= SETTLED_S {
            follows.settled.get_or_insert((follows.heard_s, follows.reached_s));
        }
        self.varied.push(planes);
        // What has come, in outputs.
        let made_s = (self.outputs as f64 + self.varied.waiting(self.stray)) / self.rate_hz;
        let slow = follows.slow + (follows.reached_s - made_s) / PULL_S;
        self.stray = slow.clamp(-STRAY_MAX, STRAY_MAX);
        true
    }

    /// Outputs of each channel that can be made now.
    pub fn ready(&self) -> usize {
        self.varied.ready(self.stray)
    }

    /// When the next output happened.
    pub fn time(&self) -> Option<Timestamp> {
        let start = self.follows.as_ref()?.start;
        Some(start.plus_nanos((self.outputs as f64 / self.rate_hz * 1e9).round() as i64))
    }

    /// How much slower than it says the card is, in parts of a million: the mean since the loop was settled, once
    /// that is 20 s ago. Stamps that tremble by 1 ms make it tremble by 3.
    pub fn slow_ppm(&self) -> Option<f64> {
        let follows = self.follows.as_ref()?;
        let (heard_s, reached_s) = follows.settled?;
        let heard_s = follows.heard_s - heard_s;
        let slow = (follows.reached_s - reached_s) / heard_s - 1.0;
        (heard_s >= MEASURED_S).then_some(slow * 1e6)
    }

    /// Makes the next outputs, as many as each plane of `output` holds.
    ///
    /// # Panics
    /// If they are not [ready](Self::ready).
    pub fn make(&mut self, output: &mut [f32]) {
        self.varied.make(output, self.stray);
        self.outputs += (output.len() / self.varied.channels()) as u64;
    }
}

impl Follows {
    /// Whether the card has left something out: stamps stay off.
    fn is_aside(&mut self, off_s: f64, span_s: f64) -> bool {
        let is_late = off_s > 0.0;
        if off_s.abs() < ASIDE_S || self.heard_s < FIRST_S {
            self.aside = (0.0, 0, is_late);
            return false;
        }
        let (for_s, stamps, was_late) = self.aside;
        let goes_on = was_late == is_late && stamps > 0;
        self.aside =
            if goes_on { (for_s + span_s, stamps + 1, is_late) } else { (span_s, 1, is_late) };
        self.aside.0 >= ASIDE_FOR_S && self.aside.1 >= ASIDE_STAMPS
    }
}

fn median(all: &mut [f64]) -> f64 {
    let middle = all.len() / 2;
    *all.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    /// A card that plays a sine of 1 kHz of the session's time, is so many ppm fast, and whose stamps come up to
    /// 2 ms late. Gives the outputs of the last ten seconds, the time of the first of them, and the most that
    /// outputs ever were behind what had come, in seconds, and how slow the card was found to be.
    fn played(
        card_hz: f64,
        rate_hz: f64,
        minutes: f64,
        fast_ppm: f64,
    ) -> (Vec<f32>, Timestamp, f64, Option<f64>) {
        let true_hz = card_hz * (1.0 + fast_ppm * 1e-6);
        let len = (0.01 * card_hz) as u64;
        let blocks = (minutes * 6_000.0) as u64;
        let mut steered = Steered::new(card_hz, rate_hz, 1);
        let mut random = Random::new(3);
        let (mut heard, mut first, mut behind_s) = (Vec::new(), None, 0.0f64);
        let keep_from = blocks - 1_000;
        for block in 0..blocks {
            let sample = |n: u64| (TAU * 1_000.0 * n as f64 / true_hz).sin() as f32;
            let planes = vec![(block * len..(block + 1) * len).map(sample).collect()];
            // The last sample of the block happened when the next one's turn came.
            let end_s = ((block + 1) * len) as f64 / true_hz;
            let late_s = 0.002 * random.uniform();
            let at = Timestamp::from_nanos(((end_s + late_s) * 1e9) as i64);
            assert!(steered.take(&planes, at));
            let mut outputs = vec![0.0; steered.ready()];
            if block >= keep_from {
                first = first.or(steered.time());
                heard.extend_from_slice(&outputs);
            }
            let from = heard.len().saturating_sub(outputs.len());
            steered.make(&mut outputs);
            if block >= keep_from {
                heard[from..].copy_from_slice(&outputs);
            }
            let now_s = steered.time().expect("it plays").secs_f64();
            behind_s = behind_s.max((end_s - now_s).abs());
        }
        (heard, first.expect("some"), behind_s, steered.slow_ppm())
    }

    #[test]
    fn outputs_stay_on_the_sessions_time_line() {
        for fast_ppm in [-100.0, 0.0, 100.0] {
            let (_, _, behind_s, slow_ppm) = played(8_000.0, 8_000.0, 10.0, fast_ppm);
            // Half a filter, 51 samples or 6 ms, and what stamps are late, 1 ms on average; at 100 ppm
            // and without steering it would be 60 ms.
            assert!(behind_s < 0.010, "{fast_ppm} ppm: {behind_s} s");
            // Both ends of 580 s tremble by √(0.31 / s · 0.01 s) of 0.6 ms, 0.03 ms; three of both are 0.25 ppm.
            let slow_ppm = slow_ppm.expect("it was heard for long");
            assert!((slow_ppm + fast_ppm).abs() < 0.25, "{fast_ppm} ppm: {slow_ppm}");
        }
    }

    #[test]
    fn what_was_a_sine_is_one() {
        for (card_hz, rate_hz) in [(48_000.0, 48_000.0), (44_100.0, 48_000.0), (48_000.0, 16_000.0)]
        {
            let (heard, first, ..) = played(card_hz, rate_hz, 1.0, 100.0);
            // The sine whose phase is that of the session's time, fitted over ten seconds.
            let angle = |n: usize| TAU * 1_000.0 * (first.secs_f64() + n as f64 / rate_hz);
            let (mut sine, mut cosine) = (0.0, 0.0);
            for (n, &sample) in heard.iter().enumerate() {
                sine += f64::from(sample) * angle(n).sin();
                cosine += f64::from(sample) * angle(n).cos();
            }
            let share = 2.0 / heard.len() as f64;
            let height = share * sine.hypot(cosine);
            // What stamps tremble, 0.6 ms, the loop smooths to √(4 · 0.05 Hz / 100 Hz) of it, 26 µs: a sine that
            // sways by 0.16 of an angle of 1 is 0.16² / 2 lower, 1.3 %.
            assert!((height - 1.0).abs() < 0.03, "{height}");
            let phase = cosine.atan2(sine);
            assert!(
                phase.abs() < 0.002 * TAU * 1_000.0,
                "within the 2 ms that stamps are late: {phase}"
            );
        }
    }

    #[test]
    fn a_card_that_stopped_is_told_apart() {
        let mut steered = Steered::new(48_000.0, 48_000.0, 1);
        let planes = vec![vec![0.0; 480]];
        let at = |ms: i64| Timestamp::from_nanos(ms * 1_000_000);
        assert!(steered.take(&planes, at(10)));
        assert!(steered.take(&planes, at(25)));
        assert!(!steered.take(&planes, at(500)), "nothing came for half a second");
        steered.reset();
        assert!(steered.take(&planes, at(510)));
        assert_eq!(steered.time(), Some(at(500)));
        assert_eq!(steered.slow_ppm(), None, "nobody knows yet");
    }

    /// Seconds after which a card is told to have left something out that leaves `left_out_s` out after 30 s, and by how
    /// much outputs are off at the worst then; stamps are late as `late_s` says of their number.
    fn left_out(left_out_s: f64, late_s: impl Fn(u64) -> f64) -> (Option<f64>, f64) {
        let mut steered = Steered::new(48_000.0, 16_000.0, 1);
        let mut told = None;
        let mut off_s = 0.0f64;
        for block in 0..6_000_u64 {
            let end_s = 0.01 * (block + 1) as f64 + if block >= 3_000 { left_out_s } else { 0.0 };
            let at = Timestamp::from_nanos(((end_s + late_s(block)) * 1e9) as i64);
            let planes = vec![vec![0.0; 480]];
            if !steered.take(&planes, at) {
                assert!(told.is_none(), "told twice");
                told = Some(end_s - 30.0);
                steered.reset();
                assert!(steered.take(&planes, at));
            }
            let mut outputs = vec![0.0; steered.ready()];
            steered.make(&mut outputs);
            if block > 3_100 {
                off_s = off_s.max((end_s - steered.time().unwrap().secs_f64()).abs());
            }
        }
        (told, off_s)
    }

    #[test]
    fn what_a_card_leaves_out_without_a_word_is_told_soon() {
        let mut random = Random::new(7);
        let trembles: Vec<f64> = (0..6_000).map(|_| 0.003 * random.uniform()).collect();
        for left_out_s in [0.02, 0.05, 0.15, 0.4] {
            let (told, off_s) = left_out(left_out_s, |block| trembles[block as usize]);
            let told_s = told.unwrap_or_else(|| panic!("{left_out_s} s are left out unseen"));
            assert!(told_s < left_out_s + 0.4, "{left_out_s} s: told after {told_s} s");
            // Half a filter, 3 ms, and what the first stamp behind it is late.
            assert!(off_s < 0.010, "{left_out_s} s: {off_s} s off");
        }
        // A thread that waited now and then, and stamps that tremble more, tell nothing.
        let waits =
            |block: u64| if block % 100 < 4 { 0.01 * (4 - block % 100) as f64 } else { 0.0 };
        assert_eq!(left_out(0.0, waits).0, None);
        assert_eq!(left_out(0.0, |block| 4.0 * trembles[block as usize]).0, None);
    }

    #[test]
    fn a_first_stamp_that_is_late_is_forgotten() {
        let late = |block: u64| if block == 0 { 0.1 } else { 0.0 };
        let (told, off_s) = left_out(0.0, late);
        assert_eq!(told, None);
        assert!(off_s < 0.010, "{off_s} s off after 30 s");
    }
}
