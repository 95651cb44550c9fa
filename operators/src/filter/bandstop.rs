//! `bandstop`: remove what lies between two frequencies.
//!
//! A recursive filter of one of five families as second-order sections, designed as SciPy's
//! `iirfilter(order, [low_hz, high_hz], rp, rs, "bandstop", ftype=family, fs=rate, output="sos")` and
//! run forward, with coefficients and state in f64; see [`iir`](crate::math::iir) for the families,
//! and [`notch`](super::notch) for a single frequency.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, filtered |
//!
//! **Delay**: the group delay of constants, near nothing for a narrow band; the runtime subtracts it
//! from the times. What is near the edges is delayed more. **Start**: from zeros; with `settle` as if
//! the first finite sample had been there for ever, and again after each gap. **NaN**: a sample that
//! is not finite comes out as NaN while the filter sees the last finite one. **Cost**: about 0.4 ns a
//! sample, channel and section with 8 channels. **Source**: Oppenheim and Schafer, *Discrete-Time
//! Signal Processing*, chapter 7.

use engine::{Diagnostic, Kind, Node, Param, Port};

use super::recursive::{self, ATTENUATION_DB, FAMILY, ORDER, RIPPLE_DB, SETTLE};
use crate::math::band::Band;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "bandstop",
    summary: "Remove what lies between two frequencies.",
    doc: "Recursive band-stop filter as second-order sections, SciPy's iirfilter(order, [low_hz, \
          high_hz], rp, rs, 'bandstop', ftype=family), run forward, coefficients and state in f64. At \
          both edges the gain is -3 dB (butterworth), -ripple_db (chebyshev1, elliptic) or \
          -attenuation_db (chebyshev2). Delay: the group delay of constants, near nothing for a narrow \
          band, subtracted from the times by the runtime; near the edges it is more. Starts from zeros, \
          or with settle = true as if the first finite sample had been there for ever, and so again \
          after each gap. NaN: a sample that is not finite comes out as NaN while the filter sees the \
          last finite one. Cost: about 0.4 ns a sample, channel and section with 8 channels. Source: \
          Oppenheim and Schafer, Discrete-Time Signal Processing, chapter 7.",
    example: "low_hz = 45.0\nhigh_hz = 55.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&LOW_HZ, &HIGH_HZ, &ORDER, &FAMILY, &RIPPLE_DB, &ATTENUATION_DB, &SETTLE],
    plan: |node| {
        let sections = recursive::sections(node, band(node)?, HIGH_HZ.name())?;
        recursive::outline_of(node, &sections, 0.0, (band(node)?, HIGH_HZ.name()))
    },
    build: |node| recursive::body(node, recursive::sections(node, band(node)?, HIGH_HZ.name())?),
    ..Kind::BASE
};

const LOW_HZ: Param<f64> =
    Param::required("low_hz", "Lower edge of what is removed.").within(1e-4, 1e6);
const HIGH_HZ: Param<f64> =
    Param::required("high_hz", "Upper edge of what is removed.").within(1e-4, 1e6);

fn band(node: &Node<'_>) -> Result<Band, Diagnostic> {
    let (low_hz, high_hz) = (node.get(&LOW_HZ)?, node.get(&HIGH_HZ)?);
    node.check_below_nyquist(&LOW_HZ, low_hz, "in")?;
    node.check_below_nyquist(&HIGH_HZ, high_hz, "in")?;
    Ok(Band::BandStop { low_hz, high_hz })
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::Bench;

    use super::*;

    #[test]
    fn the_middle_is_gone_and_what_is_far_from_it_stays() {
        let loudest = |hz: f64| {
            let mut bandstop = Bench::build(&KIND, 1_000.0, KIND.example).expect("valid");
            let tone: Vec<f32> =
                (0..4_000).map(|n| (TAU * hz * n as f64 / 1e3).sin() as f32).collect();
            bandstop.feed(&tone)[3_000..].iter().fold(0.0f32, |top, y| top.max(y.abs()))
        };
        // The zeros lie at the geometric middle of the bent edges, 49.75 Hz.
        let bent = |hz: f64| (TAU / 2.0 * hz / 1e3).tan();
        let middle_hz = (bent(45.0) * bent(55.0)).sqrt().atan() * 1e3 / (TAU / 2.0);
        assert!(loudest(middle_hz) < 1e-6);
        // |H|² = 1 / (1 + (w b / (w² − m²))⁴), 0.9998 at 5 Hz and 0.9996 at 200 Hz.
        assert!((loudest(5.0) - 1.0).abs() < 1e-3 && (loudest(200.0) - 1.0).abs() < 1e-1);
    }

    #[test]
    fn edges_that_do_not_rise_are_explained() {
        let refused = Bench::build(&KIND, 250.0, "low_hz = 55.0\nhigh_hz = 45.0").err();
        let told = refused.expect("refused").to_string();
        assert!(told.contains("hint: choose 0 < low_hz < high_hz"), "{told}");
    }
}
