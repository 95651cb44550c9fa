//! `log_mel`: what speech models look at.
//!
//! The logarithm of what [`super::mel`] gives, not below a floor:
//!
//! ```text
//! L[b] = log10(max(M[b], floor))            log = "log10"   Whisper, before it takes off the maximum
//!        ln(max(M[b], floor))               log = "ln"      Kaldi, HTK
//!        10 · log10(max(M[b], floor))       log = "db"      librosa's power_to_db with top_db=None
//! ```
//!
//! | port  | carries                                                         |
//! |-------|-----------------------------------------------------------------|
//! | `in`  | any signal                                                      |
//! | `out` | the logarithm of every band of every channel, once a hop        |
//!
//! Delay, ends, NaN and cost are those of `mel`, and a logarithm a band.

use engine::{Kind, Node, Param, Port};

use super::{
    cut::{FFT_SAMPLES, HOP_S, HOP_SAMPLES, WINDOW, WINDOW_S, WINDOW_SAMPLES},
    estimate::{self, Averaging, Reduce, Scaling},
    mel::{self, BANDS, HIGH_HZ, LOW_HZ, NORM, SCALE},
};
use crate::math::mel::MelBank;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "log_mel",
    summary: "The logarithm of power in bands as far apart as they sound.",
    doc: "What speech models look at: the logarithm of what `mel` gives, of at least `floor_power`. log = \
          \"log10\" is Whisper's (before it takes off the maximum of 30 s), \"ln\" Kaldi's and HTK's, \
          \"db\", 10 log10, is librosa's power_to_db with top_db = None. Whisper's own front end at \
          16 kHz is bands = 80, window_samples = 400, hop_samples = 160. Delay and ends: as `mel`. \
          NaN: as `mel`. Cost: as `mel`, and a logarithm a band. Source: Young et al., The HTK Book, \
          section 5.6.",
    example: "bands = 20\nwindow_samples = 256\nhop_samples = 50",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[
        &BANDS,
        &LOW_HZ,
        &HIGH_HZ,
        &SCALE,
        &NORM,
        &LOG,
        &FLOOR_POWER,
        &WINDOW_S,
        &WINDOW_SAMPLES,
        &HOP_S,
        &HOP_SAMPLES,
        &WINDOW,
        &FFT_SAMPLES,
    ],
    plan: |node| mel::outline(node, node.get(&BANDS)? as usize, "mel"),
    build: |node| {
        let (cut, bank) = mel::bank(node)?;
        let log = Log::read(node)?;
        let reduce = LogMel { sums: vec![0.0; node.get(&BANDS)? as usize], bank, log };
        estimate::body(node, cut, Averaging::Last(1), Scaling::Plain, reduce)
    },
    ..Kind::BASE
};

pub(super) const LOG: Param<&str> =
    Param::with_default("log", "log10", "Which logarithm; \"db\" is ten times that of ten.")
        .one_of(&["db", "ln", "log10"]);
pub(super) const FLOOR_POWER: Param<f64> =
    Param::with_default("floor_power", 1e-10, "Less power than this counts as this.")
        .within(1e-30, 1e30);

/// A logarithm with a floor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    /// What the natural logarithm is multiplied by.
    factor: f64,
    floor: f64,
}

impl Log {
    fn read(node: &Node<'_>) -> Result<Self, engine::Diagnostic> {
        let factor = match node.get(&LOG)? {
            "ln" => 1.0,
            "db" => 10.0 / std::f64::consts::LN_10,
            _ => 1.0 / std::f64::consts::LN_10,
        };
        Ok(Self { factor, floor: node.get(&FLOOR_POWER)? })
    }

    /// In decibels of 1, from `floor` on.
    pub(super) fn decibels(floor: f64) -> Self {
        Self { factor: 10.0 / std::f64::consts::LN_10, floor }
    }

    /// NaN stays NaN.
    pub(super) fn of(self, power: f64) -> f64 {
        let power = if power < self.floor { self.floor } else { power };
        self.factor * power.ln()
    }
}

struct LogMel {
    bank: MelBank,
    log: Log,
    sums: Vec<f64>,
}

impl Reduce for LogMel {
    fn reduce(&mut self, spectrum: &[f64], values: &mut [f32]) {
        self.bank.apply(spectrum, &mut self.sums);
        for (value, sum) in values.iter_mut().zip(&self.sums) {
            *value = self.log.of(*sum) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::testing::{assert_near, golden, said, sound};

    const PARAMS: &str = "bands = 20\nlow_hz = 100.0\nhigh_hz = 7000.0\nwindow_samples = 256\n\
                          hop_samples = 100\n";

    /// Decibels of up to 32 in 24 bits; what is off by 1e-10 of a power is off by 5e-10 here.
    const ROUNDED: f64 = 32.0 / (1 << 25) as f64 + 5e-10;

    #[test]
    fn the_logarithms_are_librosas() {
        for (scale, norm) in [("slaney", "slaney"), ("htk", "none")] {
            let params = format!("{PARAMS}log = \"db\"\nscale = {scale:?}\nnorm = {norm:?}");
            let got = said(&KIND, 16_000.0, &params, &sound(430, 3));
            assert_near(&got, &golden("log_mel", "scale", scale), 0.0, ROUNDED);
        }
    }

    #[test]
    fn logarithms_differ_by_a_factor_and_silence_is_the_floor() {
        let of = |log: &str, samples: &[f32]| {
            said(&KIND, 16_000.0, &format!("{PARAMS}floor_power = 1e-5\nlog = {log:?}"), samples)
        };
        let decibels = of("db", &sound(430, 3));
        for (log, factor) in [("log10", 0.1), ("ln", 0.1 * std::f64::consts::LN_10)] {
            let want: Vec<f64> = decibels.iter().map(|db| factor * db).collect();
            assert_near(&of(log, &sound(430, 3)), &want, 0.0, 2.0 * ROUNDED);
        }
        assert!(of("db", &[0.0; 430]).iter().all(|db| *db == -50.0));
        let lost = of("db", &[f32::NAN; 430]);
        assert!(lost.iter().all(|db| db.is_nan()), "a floor is no cover for NaN");
    }
}
