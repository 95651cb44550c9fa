//! [`Pace`], [`Pauses`] and [`Frames`]: how long finals take of late, which pauses end turns, and in how long frames audio
//! comes, so that a final that is begun for nobody yet is begun no sooner than it must be.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::budget::positions;

/// Ends of turns that count.
const ENDS: usize = 64;
/// Frames that count, at least.
const FRAMES: usize = 64;

/// What finals take from the moment they are asked for, waiting included, of all sessions: by positions of the encoder, as
/// most of it goes by these.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Option<Rate>>);

/// How long the pauses are that end turns: of one session, as its rules and its speaker are its own.
#[derive(Debug, Default)]
pub struct Pauses(VecDeque<f64>);

/// How long the frames are in which audio comes.
#[derive(Debug, Default)]
pub struct Frames {
    /// The longest of those that are being counted, and of as many as count before.
    longest_s: [f64; 2],
    count: usize,
}

/// Seconds per position: the mean and how far it is off, by the rule of RFC 6298 (section 2) for round trips.
#[derive(Clone, Copy, Debug)]
struct Rate {
    mean: f64,
    deviation: f64,
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Option<Rate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of so many seconds has taken that long, with a model that has at least `floor` positions.
    pub fn learn(&self, seconds: f64, floor: usize, took_s: f64) {
        let one = took_s / units(seconds, floor);
        let mut rate = self.lock();
        *rate = Some(match *rate {
            None => Rate { mean: one, deviation: one / 2.0 },
            Some(Rate { mean, deviation }) => Rate {
                deviation: deviation + ((one - mean).abs() - deviation) / 4.0,
                mean: mean + (one - mean) / 8.0,
            },
        });
    }

    /// How long such a piece hardly exceeds, in seconds; nothing before the first was learned of.
    pub fn enough_s(&self, seconds: f64, floor: usize) -> Option<f64> {
        let Rate { mean, deviation } = (*self.lock())?;
        Some((mean + 4.0 * deviation) * units(seconds, floor))
    }
}

impl Pauses {
    /// A turn has ended after such a pause, in seconds.
    pub fn ended(&mut self, pause_s: f64) {
        if self.0.len() == ENDS {
            self.0.pop_front();
        }
        self.0.push_back(pause_s.max(0.0));
    }

    /// The shortest pause that ended one of the last turns; nothing before the first.
    pub fn shortest_s(&self) -> Option<f64> {
        self.0.iter().copied().min_by(f64::total_cmp)
    }
}

impl Frames {
    /// Another one has come.
    pub fn came(&mut self, seconds: f64) {
        if self.count == FRAMES {
            self.longest_s = [0.0, self.longest_s[0]];
            self.count = 0;
        }
        self.longest_s[0] = self.longest_s[0].max(seconds);
        self.count += 1;
    }

    /// The longest of the last 64, or of up to twice as many; 0 before the first.
    pub fn longest_s(&self) -> f64 {
        self.longest_s[0].max(self.longest_s[1])
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
        let mut pauses = Pauses::default();
        assert_eq!(pauses.shortest_s(), None);
        [0.7, 0.5, 0.6].into_iter().for_each(|pause_s| pauses.ended(pause_s));
        assert_eq!(pauses.shortest_s(), Some(0.5));
        (0..ENDS - 1).for_each(|_| pauses.ended(0.8));
        assert_eq!(pauses.shortest_s(), Some(0.6));
        pauses.ended(-0.1);
        assert_eq!(pauses.shortest_s(), Some(0.0), "time does not run back");
    }

    #[test]
    fn the_longest_frame_of_late_counts() {
        let mut frames = Frames::default();
        assert_eq!(frames.longest_s(), 0.0);
        frames.came(0.5);
        for _ in 0..FRAMES {
            frames.came(0.02);
            assert_eq!(frames.longest_s(), 0.5);
        }
        (0..FRAMES).for_each(|_| frames.came(0.02));
        assert_eq!(frames.longest_s(), 0.02, "it was long ago");
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
