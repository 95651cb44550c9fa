//! [`Pace`]: how long finals take of late, and pauses before turns end, so that a final that is begun for nobody yet is
//! begun no sooner than it must be.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::budget::positions;

/// Ends of turns that count, of all sessions.
const ENDS: usize = 64;

/// What finals take from the moment they are asked for, waiting included: by positions of the encoder, as most of it goes
/// by these. And how long pauses are that end turns.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rate: Option<Rate>,
    pauses_s: VecDeque<f64>,
}

/// Seconds per position: the mean and how far it is off, by the rule of RFC 6298 (section 2) for round trips.
#[derive(Clone, Copy, Debug)]
struct Rate {
    mean: f64,
    deviation: f64,
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of so many seconds has taken that long, with a model that has at least `floor` positions.
    pub fn learn(&self, seconds: f64, floor: usize, took_s: f64) {
        let one = took_s / units(seconds, floor);
        let mut known = self.lock();
        known.rate = Some(match known.rate {
            None => Rate { mean: one, deviation: one / 2.0 },
            Some(Rate { mean, deviation }) => Rate {
                deviation: deviation + ((one - mean).abs() - deviation) / 4.0,
                mean: mean + (one - mean) / 8.0,
            },
        });
    }

    /// How long such a piece hardly exceeds, in seconds; nothing before the first was learned of.
    pub fn enough_s(&self, seconds: f64, floor: usize) -> Option<f64> {
        let Rate { mean, deviation } = self.lock().rate?;
        Some((mean + 4.0 * deviation) * units(seconds, floor))
    }

    /// A turn has ended after such a pause, in seconds.
    pub fn ended(&self, pause_s: f64) {
        let mut known = self.lock();
        if known.pauses_s.len() == ENDS {
            known.pauses_s.pop_front();
        }
        known.pauses_s.push_back(pause_s.max(0.0));
    }

    /// The shortest pause that ended one of the last turns; nothing before the first.
    pub fn pause_s(&self) -> Option<f64> {
        self.lock().pauses_s.iter().copied().min_by(f64::total_cmp)
    }
}

/// Positions, also of those windows that come after the first.
fn units(seconds: f64, floor: usize) -> f64 {
    positions(seconds, floor, usize::MAX).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::budget::FLOOR;

    #[test]
    fn the_shortest_pause_of_late_counts() {
        let pace = Pace::default();
        assert_eq!(pace.pause_s(), None);
        [0.7, 0.5, 0.6].into_iter().for_each(|pause_s| pace.ended(pause_s));
        assert_eq!(pace.pause_s(), Some(0.5));
        (0..ENDS - 1).for_each(|_| pace.ended(0.8));
        assert_eq!(pace.pause_s(), Some(0.6));
        pace.ended(-0.1);
        assert_eq!(pace.pause_s(), Some(0.0), "time does not run back");
    }

    #[test]
    fn what_is_enough_follows_what_finals_take() {
        let pace = Pace::default();
        assert_eq!(pace.enough_s(1.0, FLOOR), None);
        pace.learn(1.0, FLOOR, 0.1);
        // The first may be off by half: 1 + 4 / 2.
        assert!((pace.enough_s(1.0, FLOOR).unwrap() - 0.3).abs() < 1e-12);
        for _ in 0..60 {
            pace.learn(1.0, FLOOR, 0.1);
        }
        let enough = pace.enough_s(1.0, FLOOR).unwrap();
        assert!((0.1..0.101).contains(&enough), "always the same: {enough}");
        // 10 s have 640 positions, 1 s has 256.
        let long = pace.enough_s(10.0, FLOOR).unwrap();
        assert!((long / enough - 2.5).abs() < 1e-9, "{long}");
        // They come to wait.
        for _ in 0..60 {
            pace.learn(1.0, FLOOR, 0.1);
            pace.learn(1.0, FLOOR, 0.4);
        }
        let enough = pace.enough_s(1.0, FLOOR).unwrap();
        assert!((0.6..1.2).contains(&enough), "mean 0.25, off by 0.15: {enough}");
    }
}
