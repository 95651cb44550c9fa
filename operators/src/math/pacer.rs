//! A breathing pacer: how full the lungs should be, at any instant.
//!
//! A breath is an inhalation and an exhalation, each half a period of a cosine, so that the target
//! moves smoothly and rests at both ends:
//!
//! ```text
//! 1       ╭─╮         p: phase of the breath, 0 ≤ p < 1;  i: share of inhaling
//!       ╭╯   ╰╮
//!      ╭╯     ╰─╮     p < i:  target = (1 − cos(π p / i)) / 2
//! 0 ───╯        ╰──   p ≥ i:  target = (1 + cos(π (p − i) / (1 − i))) / 2
//! ```
//!
//! A pure function of event time: phase is computed in integers, so it never drifts.

use std::error::Error;
use std::f64::consts::PI;
use std::fmt;

/// A way to breathe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacer {
    /// Millionths of a breath per minute.
    rate_ubpm: i64,
    inhale_share: f64,
    /// The same in units of 2^-64, below by a few units of its rounding: where the turn falls on a
    /// whole nanosecond, that nanosecond is behind it. Too early by less than one for any breath.
    inhale_turns: u64,
    /// When a breath began.
    origin_ns: i64,
    /// How far the breath was at `origin_ns`, in units of 2^-64.
    origin_phase: u64,
}

/// Where in a breath an instant is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breath {
    /// Share of the breath that has passed, 0 ≤ phase < 1.
    pub phase: f64,
    /// How full the lungs should be, 0 to 1.
    pub target: f64,
    /// Whether it is time to breathe in.
    pub is_inhaling: bool,
}

/// Why a way to breathe was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PacerError {
    /// Not within 0.1 and 120 breaths per minute.
    Rate(f64),
    /// A part of the ratio is not within 0.01 and 100.
    Ratio {
        /// Part of inhaling.
        inhale: f64,
        /// Part of exhaling.
        exhale: f64,
    },
}

impl fmt::Display for PacerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate_bpm) => {
                write!(f, "{rate_bpm} breaths per minute are not within 0.1 and 120")
            }
            Self::Ratio { inhale, exhale } => {
                write!(f, "inhale {inhale} to exhale {exhale}: both must be 0.01 to 100")
            }
        }
    }
}

impl Error for PacerError {}

/// Nanoseconds in a minute, times the millionths of `rate_ubpm`.
const BREATH: i128 = 60_000_000_000 * 1_000_000;

impl Pacer {
    /// Breaths that begin at time 0, `rate_bpm` a minute, to a millionth; `inhale` to `exhale` is
    /// the ratio of their parts.
    pub fn new(rate_bpm: f64, inhale: f64, exhale: f64) -> Result<Self, PacerError> {
        if !(0.1..=120.0).contains(&rate_bpm) {
            return Err(PacerError::Rate(rate_bpm));
        }
        let range = 0.01..=100.0;
        if !(range.contains(&inhale) && range.contains(&exhale)) {
            return Err(PacerError::Ratio { inhale, exhale });
        }
        let inhale_share = inhale / (inhale + exhale);
        Ok(Self {
            rate_ubpm: (rate_bpm * 1e6).round() as i64,
            inhale_share,
            inhale_turns: ((inhale_share * (1u64 << 52) as f64) as u64 - 1) << 12,
            origin_ns: 0,
            origin_phase: 0,
        })
    }

    /// Where in a breath `time_ns` is.
    pub fn at(&self, time_ns: i64) -> Breath {
        let turns = self.turns(time_ns);
        let phase = (turns >> 11) as f64 / (1u64 << 53) as f64;
        let share = self.inhale_share;
        let is_inhaling = turns < self.inhale_turns;
        let target = if is_inhaling {
            0.5 - 0.5 * (PI * phase / share).cos()
        } else {
            0.5 + 0.5 * (PI * (phase - share) / (1.0 - share)).cos()
        };
        Breath { phase, target, is_inhaling }
    }

    /// The first instant after `time_ns` at which breathing in or out begins, and whether it is in.
    pub fn next_turn(&self, time_ns: i64) -> (i64, bool) {
        let Breath { phase, is_inhaling, .. } = self.at(time_ns);
        let breath_ns = BREATH as f64 / self.rate_ubpm as f64;
        let left = if is_inhaling { self.inhale_share } else { 1.0 } - phase;
        // Near by rounding of f64; the instant itself is the first at which `at` says so.
        let mut turn_ns =
            time_ns.saturating_add((left * breath_ns).round() as i64).max(time_ns + 1);
        while turn_ns > time_ns + 1 && self.at(turn_ns - 1).is_inhaling != is_inhaling {
            turn_ns -= 1;
        }
        while self.at(turn_ns).is_inhaling == is_inhaling {
            turn_ns += 1;
        }
        (turn_ns, !is_inhaling)
    }

    /// When a breath was how far, for saving: see [`Pacer::with_origin`].
    pub(crate) fn origin(&self) -> (i64, u64) {
        (self.origin_ns, self.origin_phase)
    }

    /// The same rate and ratio, with the breath at `phase` (in units of 2^-64) at `time_ns`.
    pub(crate) fn with_origin(self, time_ns: i64, phase: u64) -> Self {
        Self { origin_ns: time_ns, origin_phase: phase, ..self }
    }

    /// This pacer until `time_ns`, and `next`'s rate and ratio from then on, without a jump in
    /// phase.
    pub fn followed_by(&self, time_ns: i64, next: Self) -> Self {
        Self { origin_ns: time_ns, origin_phase: self.turns(time_ns), ..next }
    }

    /// The phase in units of 2^-64.
    fn turns(&self, time_ns: i64) -> u64 {
        let elapsed_ns = i128::from(time_ns) - i128::from(self.origin_ns);
        let part = (elapsed_ns * i128::from(self.rate_ubpm)).rem_euclid(BREATH);
        // BREATH is below 2^56, so the shift leaves eight bits free.
        let turns = ((part as u128) << 64) / BREATH as u128;
        (turns as u64).wrapping_add(self.origin_phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn six_breaths_a_minute_take_ten_seconds_each() {
        let pacer = Pacer::new(6.0, 4.0, 6.0).expect("valid");

        assert_eq!(pacer.at(0), Breath { phase: 0.0, target: 0.0, is_inhaling: true });
        // Phase is exact to 2^-53, and so is the cosine near its extremes.
        let top = pacer.at(4 * SECOND);
        assert!((top.phase - 0.4).abs() < 1e-15 && (top.target - 1.0).abs() < 1e-15);
        assert!((pacer.at(2 * SECOND).target - 0.5).abs() < 1e-15);
        assert!((pacer.at(7 * SECOND).target - 0.5).abs() < 1e-15);
        assert_eq!(pacer.at(10 * SECOND).phase, 0.0);
        assert!(pacer.at(-SECOND).phase > 0.8);
    }

    #[test]
    fn turns_are_the_first_instants_of_what_begins() {
        let pacer = Pacer::new(6.0, 4.0, 6.0).expect("valid");

        assert_eq!(pacer.next_turn(0), (4 * SECOND, false));
        assert_eq!(pacer.next_turn(4 * SECOND), (10 * SECOND, true));
        assert_eq!(pacer.next_turn(-1), (0, true));

        let odd = Pacer::new(7.3, 0.37, 0.63).expect("valid");
        let mut turn_ns = 0;
        for n in 0..1_000 {
            let (next_ns, is_inhale) = odd.next_turn(turn_ns);
            assert_eq!(is_inhale, n % 2 == 1);
            assert!(odd.at(next_ns).is_inhaling != odd.at(next_ns - 1).is_inhaling);
            turn_ns = next_ns;
        }
        // 500 breaths of 60 / 7.3 s, each instant rounded up to a nanosecond.
        assert_eq!(turn_ns, (500 * 60 * SECOND * 10 + 72) / 73);
    }

    #[test]
    fn phase_does_not_drift_over_years() {
        let pacer = Pacer::new(5.5, 1.0, 1.0).expect("valid");
        // 120 s are eleven breaths, so after any number of them the phase is the same.
        let later = 120 * SECOND * 10_000_000;
        for time_ns in [0, 1, 3 * SECOND + 7, 119 * SECOND] {
            assert_eq!(pacer.at(time_ns), pacer.at(time_ns + later));
        }
    }

    #[test]
    fn a_new_rate_goes_on_from_the_phase_of_the_old_one() {
        let slow = Pacer::new(6.0, 1.0, 1.0).expect("valid");
        let fast = slow.followed_by(1_003 * SECOND, Pacer::new(12.0, 1.0, 1.0).expect("valid"));

        assert_eq!(fast.at(1_003 * SECOND), slow.at(1_003 * SECOND));
        assert!((fast.at(1_004 * SECOND).phase - 0.5).abs() < 1e-15);
    }

    #[test]
    fn the_target_is_continuous_and_between_0_and_1() {
        let pacer = Pacer::new(7.3, 1.0, 2.0).expect("valid");
        let targets: Vec<f64> = (0..60_000).map(|ms| pacer.at(ms * 1_000_000).target).collect();

        assert!(targets.iter().all(|target| (0.0..=1.0).contains(target)));
        // The steepest slope is π/2 over the time of inhaling, a third of 8.2 s: 0.57 a second.
        assert!(targets.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.58e-3));
    }

    #[test]
    fn impossible_breaths_are_refused() {
        assert_eq!(Pacer::new(0.0, 1.0, 1.0), Err(PacerError::Rate(0.0)));
        assert!(matches!(Pacer::new(f64::NAN, 1.0, 1.0), Err(PacerError::Rate(_))));
        assert!(matches!(Pacer::new(6.0, 0.0, 1.0), Err(PacerError::Ratio { .. })));
    }
}
