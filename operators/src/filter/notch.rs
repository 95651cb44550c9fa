//! `notch`: remove one frequency, and its multiples.
//!
//! A second-order section for each frequency, SciPy's `iirnotch(notch_hz, q, fs=rate)`:
//!
//! ```text
//!                  1 − 2 cos(w) z⁻¹ + z⁻²
//! H(z) = g · ───────────────────────────────────,   g = 1 / (1 + tan(w / 2Q)),  w = 2π hz / rate
//!             1 − 2 g cos(w) z⁻¹ + (2g − 1) z⁻²
//! ```
//!
//! Multiples up to `harmonics` have a section each, of the same width in hertz.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, filtered |
//!
//! **Delay**: the group delay of constants, near nothing; the runtime subtracts it from the times.
//! What is near the notch is delayed more, by up to `q / (π · notch_hz)` seconds. **Start**: from
//! zeros; with `settle` as if the first finite sample had been there for ever, and again after each
//! gap; either way the notch needs some `q / notch_hz` seconds to find what it removes. **NaN**: a
//! sample that is not finite comes out as NaN while the filter sees the last finite one. **Cost**:
//! about 0.4 ns a sample, channel and frequency with 8 channels. **Source**: Orfanidis, *Introduction
//! to Signal Processing*, section 11.3.

use std::sync::Arc;

use engine::{Code, Diagnostic, Kind, Node, Param, Port};

use super::recursive::{self, SETTLE};
use crate::{
    designs::{Designs, refused},
    math::{band::Band, notch, sos::Section},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "notch",
    summary: "Remove one frequency, such as the mains, and its multiples.",
    doc: "Second-order notch, SciPy's iirnotch(notch_hz, q_ratio): H(z) = g (1 - 2 cos(w) z^-1 + z^-2) / \
          (1 - 2 g cos(w) z^-1 + (2 g - 1) z^-2), g = 1 / (1 + tan(w / 2Q)). The power is halved at two \
          frequencies notch_hz / q_ratio apart. `harmonics` = 3 removes 2 and 3 times notch_hz as well, as \
          wide in hertz. Delay: the group delay of constants, near nothing, subtracted from the times \
          by the runtime; close to the notch it is more. Starts from zeros, or with settle = true as if \
          the first finite sample had been there for ever, and so again after each gap; the notch takes \
          some q_ratio / notch_hz seconds to close. NaN: a sample that is not finite comes out as NaN \
          while the filter sees the last finite one. Cost: about 0.4 ns a sample, channel and frequency \
          with 8 channels. Source: Orfanidis, Introduction to Signal Processing, section 11.3.",
    example: "notch_hz = 50.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&NOTCH_HZ, &Q_RATIO, &HARMONICS, &SETTLE],
    plan: |node| {
        let (sections, hz) = (sections(node)?, node.get(&NOTCH_HZ)?);
        // What is removed besides is not asked for.
        let band = Band::BandStop { low_hz: hz, high_hz: hz };
        recursive::outline_of(node, &sections, 0.0, (band, NOTCH_HZ.name()))
    },
    build: |node| recursive::body(node, sections(node)?),
    ..Kind::BASE
};

const NOTCH_HZ: Param<f64> =
    Param::required("notch_hz", "The frequency that is removed.").within(1e-4, 1e6);
const Q_RATIO: Param<f64> =
    Param::with_default("q_ratio", 30.0, "SciPy's Q: the frequency over the width of the notch.")
        .within(0.1, 1e4);
const HARMONICS: Param<i64> = Param::with_default(
    "harmonics",
    1,
    "How many multiples are removed; 1 is the frequency alone.",
)
.within(1.0, 20.0);

fn sections(node: &Node<'_>) -> Result<Arc<[Section]>, Diagnostic> {
    static DESIGNED: Designs<(u64, u64, u64, i64), Section> = Designs::new();

    let (notch_hz, q, harmonics) =
        (node.get(&NOTCH_HZ)?, node.get(&Q_RATIO)?, node.get(&HARMONICS)?);
    let rate_hz = node.rate_hz("in");
    node.check_below_nyquist(&NOTCH_HZ, notch_hz, "in")?;
    let highest_hz = notch_hz * harmonics as f64;
    if harmonics > 1 && highest_hz >= 0.5 * rate_hz {
        let name = HARMONICS.name();
        let message = format!("{harmonics} times {notch_hz} Hz is not below half the sample rate");
        let most = (0.5 * rate_hz / notch_hz).ceil() as i64 - 1;
        let hint = format!("write {name} = {}", most.max(1));
        return Err(node.problem(Code::OutOfRange, name, message).hint(hint));
    }
    let key = (notch_hz.to_bits(), q.to_bits(), rate_hz.to_bits(), harmonics);
    let design = |multiple| {
        let multiple = multiple as f64;
        notch::design(multiple * notch_hz, multiple * q, rate_hz)
    };
    DESIGNED
        .find_or(key, || (1..=harmonics).map(design).collect())
        .map_err(|error| refused(node, NOTCH_HZ.name(), error))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::Bench;

    use super::*;

    fn loudest(params: &str, hz: f64) -> f32 {
        let mut notch = Bench::build(&KIND, 1_000.0, params).expect("valid");
        let tone: Vec<f32> = (0..8_000).map(|n| (TAU * hz * n as f64 / 1e3).sin() as f32).collect();
        notch.feed(&tone)[7_000..].iter().fold(0.0f32, |top, y| top.max(y.abs()))
    }

    #[test]
    fn the_frequency_is_gone_and_its_neighbours_stay() {
        let params = "notch_hz = 50.0\nharmonics = 3";
        for hz in [50.0, 100.0, 150.0] {
            // Time constant Q / (π · 50 Hz) = 0.19 s: exp(−7 / 0.19) is 1e-16; the rest is f32.
            assert!(loudest(params, hz) < 1e-6, "{hz} Hz");
            // The power is halved half a width off, 50 / 30 / 2 Hz, but for the other notches (1e-3)
            // and where samples miss the top of a tone.
            let beside = loudest(params, hz + 50.0 / 60.0);
            assert!((beside - 0.5f32.sqrt()).abs() < 0.02, "beside {hz} Hz: {beside}");
        }
        assert!(loudest(params, 20.0) > 0.99 && loudest("notch_hz = 50.0", 100.0) > 0.95);
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("notch_hz = 50.0\nharmonics = 3", "hint: write harmonics = 2"),
            ("notch_hz = 126.0", "is above half the sample rate"),
            ("notch_hz = 100.0\nq_ratio = 0.5", "a quality of 0.5 is not above 0.8"),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
