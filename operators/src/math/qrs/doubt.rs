//! Whether what seems to be a small beat is the P wave of a larger one.

use super::candidate::{CANDIDATES, Candidate};
use super::detector::{Beat, Qrs};

/// Below this part of a beat's level, a candidate may be the P wave of a beat that is so many times
/// larger. P waves may be as sharp as any ventricle's: nothing but what follows tells them apart.
const SMALL: f32 = 0.85;
const LARGER: f32 = 1.25;

impl Qrs {
    /// Whether it must wait for what follows it.
    pub(super) fn may_be_p_wave(&self, candidate: &Candidate) -> bool {
        candidate.level < SMALL * self.levels.signal
    }

    /// Whether a doubted candidate was a P wave, once that is known.
    pub(super) fn resolve(
        &mut self,
        now: u64,
        candidate: Candidate,
        log_odds: f32,
    ) -> Option<Beat> {
        if let Some(larger) = self.larger_after(&candidate) {
            self.doubted = None;
            self.levels.reject(candidate.level, 1.0);
            self.judged = larger;
            return None;
        }
        if now < candidate.peak + self.settings.doubt {
            return None;
        }
        self.doubted = None;
        Some(self.accept(now, candidate, log_odds, false))
    }

    /// The number of the beat that a small candidate is the P wave of, if there is one.
    fn larger_after(&self, small: &Candidate) -> Option<u64> {
        (self.judged..self.found).find(|number| {
            let candidate = &self.candidates[*number as usize % CANDIDATES];
            candidate.level > LARGER * small.level
                && self.rhythm.is_p_wave(candidate.r_at() - small.r_at())
                && self.features(candidate).log_odds() > 0.0
        })
    }
}
