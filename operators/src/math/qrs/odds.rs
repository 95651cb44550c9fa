//! Whether a candidate is a beat: the logarithm of the odds.
//!
//! Fitted by logistic regression on the candidates of MIT-BIH 100, 104, 106, 114, 123 and 118e24
//! and of one CPSC 2021 recording, clean and with synthetic noise, then rounded towards what keeps
//! small beats of clean recordings. Fits without one of the records give like factors. A later fit
//! on sixteen records halves the factor of the correlation; it finds as much, but invents more in
//! noise, so these were kept. What the crest counts, and that an early candidate as large as the
//! last beat is no T wave, was set by hand, from plain noise and from hearts of 150 to 220 beats a
//! minute.

/// Constant and factors.
const LOG_ODDS: f32 = -8.2;
const BY_LEVEL: f32 = -2.0;
const BY_LEVEL_AND_CORRELATION: f32 = 7.6;
const BY_NOISE: f32 = 1.75;
const BY_CORRELATION: f32 = 10.5;
const BY_T_WAVE: f32 = -5.3;
const BY_INTERVAL: f32 = 0.5;
const BY_CREST: f32 = 40.0;

/// Logarithm of how far beats stand above the floor, from which on they are no noise: candidates of
/// plain noise of any colour reach 0.2 to 1.1, beats 2 to 5, those of a bad lead 1.2. What is like
/// a known form is doubted less.
const CREST: f32 = 1.35;

/// What is seen of a candidate and of its past.
pub(super) struct Features {
    /// Levels of the candidate, of beats, of noise, of the last beat and of the floor.
    pub(super) level: f32,
    pub(super) signal: f32,
    /// Of beats of the same form, at most that of all.
    pub(super) usual: f32,
    pub(super) noise: f32,
    pub(super) last_level: f32,
    pub(super) floor: f32,
    /// With the best known form.
    pub(super) correlation: f32,
    pub(super) earliness: f32,
    pub(super) lateness: f32,
}

impl Features {
    pub(super) fn log_odds(&self) -> f32 {
        // Half against all beats, half against those of its form: ectopic ones may be much blunter.
        let level = 0.5 * (self.level / self.signal * (self.level / self.usual)).ln();
        let level = level.clamp(-3.0, 1.0);
        let noise = (self.level / self.noise.max(f32::MIN_POSITIVE)).ln().clamp(-1.0, 3.0);
        // A T wave is blunt: the less of the last beat's level, the more it counts to be early, and
        // below half of it all the more (Pan and Tompkins 1985). At its level it is a beat.
        let halves = (self.last_level / self.level).log2();
        let blunt =
            halves.clamp(0.0, 1.0) + (halves - 1.0).clamp(0.0, 3.0) * std::f32::consts::LN_2;
        let crest = (self.signal / self.floor).ln() - CREST;
        LOG_ODDS
            + (BY_LEVEL + BY_LEVEL_AND_CORRELATION * self.correlation) * level
            + BY_NOISE * noise
            + BY_CORRELATION * self.correlation
            + BY_T_WAVE * self.earliness * blunt
            + BY_INTERVAL * self.lateness
            + BY_CREST * (1.0 - self.correlation) * crest.clamp(-1.0, 0.0)
    }
}
