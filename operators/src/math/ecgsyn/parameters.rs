//! What can be said about a synthetic heart, and what cannot be.

use std::error::Error;
use std::fmt;

/// What a synthetic heart, and the wires to it, are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EcgParameters {
    /// Mean heart rate, 20 to 220.
    pub heart_rate_bpm: f64,
    /// Standard deviation of the RR intervals of normal beats, 0 to 300; less than a third of the
    /// mean interval.
    pub hrv_sdnn_ms: f64,
    /// Power of the variability around 0.1 Hz, divided by that around the rate of respiration.
    pub lf_hf_ratio: f64,
    /// Breaths per second, 0.05 to 1.
    pub respiration_hz: f64,
    /// Premature ventricular beats per minute; every second beat at most.
    pub ectopic_per_min: f64,
    /// Premature supraventricular beats per minute; with the ventricular ones every second beat at most.
    pub supraventricular_per_min: f64,
    /// Deviation of single intervals from those of the rhythm, over their mean, 0 to 0.3: the atria
    /// fibrillate.
    pub irregular_share: f64,
    /// How far waves, premature beats and their pauses differ from the textbook's, as drawn from the
    /// seed: 0 not at all, 1 as those of people and leads do.
    pub variety_share: f64,
    /// Height of a normal R peak above the baseline.
    pub amplitude_mv: f64,
    /// Amplitude of baseline wander: 0.6 of it respiration, 0.4 slow drift.
    pub wander_mv: f64,
    /// Amplitude of mains hum.
    pub mains_mv: f64,
    /// Its frequency, below half the sample rate.
    pub mains_hz: f64,
    /// Standard deviation of white noise, per sample.
    pub noise_mv: f64,
    /// Root mean square of electrode motion: bursts of 1 to 8 Hz that resemble waves of the heart.
    pub electrode_mv: f64,
    /// Root mean square of muscle noise: white noise in bursts of some seconds.
    pub muscle_mv: f64,
    /// Jumps of the baseline per minute, as of an electrode that is touched, 0 to 60.
    pub jumps_per_min: f64,
    /// Deviation of their heights; each decays within 0.05 to 1 s.
    pub jump_mv: f64,
    /// The same seed gives the same signal.
    pub seed: u64,
}

impl EcgParameters {
    /// A resting heart without anything in its way.
    pub const REST: Self = Self {
        heart_rate_bpm: 70.0,
        hrv_sdnn_ms: 40.0,
        lf_hf_ratio: 0.5,
        respiration_hz: 0.25,
        ectopic_per_min: 0.0,
        supraventricular_per_min: 0.0,
        irregular_share: 0.0,
        variety_share: 0.0,
        amplitude_mv: 1.0,
        wander_mv: 0.0,
        mains_mv: 0.0,
        mains_hz: 50.0,
        noise_mv: 0.0,
        electrode_mv: 0.0,
        muscle_mv: 0.0,
        jumps_per_min: 0.0,
        jump_mv: 0.0,
        seed: 1,
    };
}

impl Default for EcgParameters {
    fn default() -> Self {
        Self::REST
    }
}

/// Why parameters were refused.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EcgError {
    /// A parameter is outside its range.
    Range {
        /// Its name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The least value allowed.
        least: f64,
        /// The greatest value allowed.
        most: f64,
    },
}

impl fmt::Display for EcgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Range { name, value, least, most } = self;
        write!(f, "`{name}` = {value} is not within {least} and {most}")
    }
}

impl Error for EcgError {}

impl EcgParameters {
    /// Checks every range.
    pub(super) fn check(&self, rate_hz: f64) -> Result<(), EcgError> {
        let mean_ms = 60_000.0 / self.heart_rate_bpm;
        let hum_hz = if self.mains_mv > 0.0 { rate_hz / 2.0 } else { 1e6 };
        for (name, value, least, most) in [
            ("rate_hz", rate_hz, 50.0, 1e6),
            ("heart_rate_bpm", self.heart_rate_bpm, 20.0, 220.0),
            ("hrv_sdnn_ms", self.hrv_sdnn_ms, 0.0, 300.0_f64.min(mean_ms / 3.0)),
            ("lf_hf_ratio", self.lf_hf_ratio, 0.0, 100.0),
            ("respiration_hz", self.respiration_hz, 0.05, 1.0),
            ("ectopic_per_min", self.ectopic_per_min, 0.0, self.heart_rate_bpm / 2.0),
            (
                "supraventricular_per_min",
                self.supraventricular_per_min,
                0.0,
                self.heart_rate_bpm / 2.0 - self.ectopic_per_min,
            ),
            ("irregular_share", self.irregular_share, 0.0, 0.3),
            ("variety_share", self.variety_share, 0.0, 1.0),
            ("amplitude_mv", self.amplitude_mv, 0.0, 1e3),
            ("wander_mv", self.wander_mv, 0.0, 1e3),
            ("mains_mv", self.mains_mv, 0.0, 1e3),
            ("mains_hz", self.mains_hz, 1.0, hum_hz),
            ("noise_mv", self.noise_mv, 0.0, 1e3),
            ("electrode_mv", self.electrode_mv, 0.0, 1e3),
            ("muscle_mv", self.muscle_mv, 0.0, 1e3),
            ("jumps_per_min", self.jumps_per_min, 0.0, 60.0),
            ("jump_mv", self.jump_mv, 0.0, 1e3),
        ] {
            if !(least..=most).contains(&value) {
                return Err(EcgError::Range { name, value, least, most });
            }
        }
        Ok(())
    }
}
