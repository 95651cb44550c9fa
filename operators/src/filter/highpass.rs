//! `highpass`: keep what is faster than a frequency.
//!
//! A recursive filter of one of five families as second-order sections, designed as SciPy's
//! `iirfilter(order, cutoff_hz, rp, rs, "highpass", ftype=family, fs=rate, output="sos")` and run
//! forward, with coefficients and state in f64; see [`iir`](crate::math::iir) for the families.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, filtered |
//!
//! **Delay**: the group delay at half the rate, near nothing for an edge far below; the runtime
//! subtracts it from the times. What is near the edge is delayed more. **Start**: from zeros, with a
//! swing as high as the first sample; with `settle` as if the first finite sample had been there for
//! ever, and again after each gap. **NaN**: a sample that is not finite comes out as NaN while the
//! filter sees the last finite one. **Cost**: about 0.4 ns a sample, channel and section with 8
//! channels. **Source**: Oppenheim and Schafer, *Discrete-Time Signal Processing*, chapter 7.

use engine::{Diagnostic, Kind, Node, Param, Port};

use super::recursive::{self, ATTENUATION_DB, FAMILY, ORDER, RIPPLE_DB, SETTLE};
use crate::math::band::Band;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "highpass",
    summary: "Keep what is faster than a frequency.",
    doc: "Recursive high-pass filter as second-order sections, SciPy's iirfilter(order, cutoff_hz, rp, \
          rs, 'highpass', ftype=family), run forward, coefficients and state in f64. At cutoff_hz the \
          gain is -3 dB (butterworth), -ripple_db (chebyshev1, elliptic) or -attenuation_db \
          (chebyshev2); of bessel, norm='phase', half of the phase is there. (order + 1) / 2 sections, \
          rounded down. Delay: the group delay at half the rate, near nothing for an edge far below it, \
          subtracted from the times by the runtime; near the edge it is more. Starts from zeros, or \
          with settle = true as if the first finite sample had been there for ever, and so again after \
          each gap. NaN: a sample that is not finite comes out as NaN while the filter sees the last \
          finite one. Cost: about 0.4 ns a sample, channel and section with 8 channels. Source: \
          Oppenheim and Schafer, Discrete-Time Signal Processing, chapter 7.",
    example: "cutoff_hz = 0.5\nsettle = true",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&CUTOFF_HZ, &ORDER, &FAMILY, &RIPPLE_DB, &ATTENUATION_DB, &SETTLE],
    plan: |node| {
        let sections = recursive::sections(node, band(node)?, CUTOFF_HZ.name())?;
        recursive::outline_of(
            node,
            &sections,
            0.5 * node.rate_hz("in"),
            (band(node)?, CUTOFF_HZ.name()),
        )
    },
    build: |node| recursive::body(node, recursive::sections(node, band(node)?, CUTOFF_HZ.name())?),
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::required("cutoff_hz", "Edge of what passes.").within(1e-4, 1e6);

fn band(node: &Node<'_>) -> Result<Band, Diagnostic> {
    let cutoff_hz = node.get(&CUTOFF_HZ)?;
    node.check_below_nyquist(&CUTOFF_HZ, cutoff_hz, "in")?;
    Ok(Band::HighPass { cutoff_hz })
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn alternating_samples_come_out_where_they_were_and_a_constant_not_at_all() {
        let params = "cutoff_hz = 10.0\nsettle = true";
        let mut highpass = Bench::build(&KIND, 1_000.0, params).expect("valid");
        let sign = |n: usize| if n.is_multiple_of(2) { 1.0 } else { -1.0 };
        let input: Vec<f32> = (0..1_000).map(|n| 5.0 + sign(n)).collect();
        let output = highpass.feed(&input);

        // The first sample, 6, is taken for the level: the step to 5 is gone 60 time constants on.
        for (n, y) in output.iter().enumerate().skip(900) {
            assert!((y - sign(n)).abs() < 1e-6, "sample {n}: {y}");
        }
        // Of order 2 with w = tan(π · 10 / 1000): (w √2 / 2) samples about, as the pole of the low-pass
        // filter of 490 Hz that this is when every other sample changes its sign.
        let w = (std::f64::consts::PI * 0.01).tan();
        let delay = highpass.delay_ns() as f64 / 1e6;
        assert!((delay - w * 0.5f64.sqrt()).abs() < 1e-4, "{delay} samples");
    }

    #[test]
    fn an_edge_above_half_the_rate_is_explained() {
        let refused = Bench::build(&KIND, 250.0, "cutoff_hz = 200.0").err().expect("refused");
        assert!(refused.to_string().contains("is above half the sample rate"), "{refused}");
    }
}
