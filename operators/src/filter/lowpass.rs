//! `lowpass`: keep what is slower than a frequency.
//!
//! A recursive filter of one of five families as second-order sections, designed as SciPy's
//! `iirfilter(order, cutoff_hz, rp, rs, "lowpass", ftype=family, fs=rate, output="sos")` and run
//! forward, with coefficients and state in f64; see [`iir`](crate::math::iir) for the families.
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, filtered |
//!
//! **Delay**: the group delay of constants; the runtime subtracts it from the times, so what is slow
//! comes out where it was. **Start**: from zeros; with `settle` as if the first finite sample had been
//! there for ever, and again after each gap. **NaN**: a sample that is not finite comes out as NaN
//! while the filter sees the last finite one. **Cost**: about 0.4 ns a sample, channel and section
//! with 8 channels. **Source**: Oppenheim and Schafer, *Discrete-Time Signal Processing*, chapter 7.

use engine::{Diagnostic, Kind, Node, Param, Port};

use super::recursive::{self, ATTENUATION_DB, FAMILY, ORDER, RIPPLE_DB, SETTLE};
use crate::math::band::Band;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "lowpass",
    summary: "Keep what is slower than a frequency.",
    doc: "Recursive low-pass filter as second-order sections, SciPy's iirfilter(order, cutoff_hz, rp, \
          rs, 'lowpass', ftype=family), run forward, coefficients and state in f64. At cutoff_hz the \
          gain is -3 dB (butterworth), -ripple_db (chebyshev1, elliptic) or -attenuation_db \
          (chebyshev2); of bessel, norm='phase', half of the phase is there. (order + 1) / 2 sections, \
          rounded down. Delay: the group delay of constants, subtracted from the times by the runtime. \
          Starts from zeros, or with settle = true as if the first finite sample had been there for \
          ever, and so again after each gap. NaN: a sample that is not finite comes out as NaN while \
          the filter sees the last finite one. Cost: about 0.4 ns a sample, channel and section with 8 \
          channels. Source: Oppenheim and Schafer, Discrete-Time Signal Processing, chapter 7.",
    example: "cutoff_hz = 40.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&CUTOFF_HZ, &ORDER, &FAMILY, &RIPPLE_DB, &ATTENUATION_DB, &SETTLE],
    plan: |node| {
        let sections = recursive::sections(node, band(node)?, CUTOFF_HZ.name())?;
        recursive::outline_of(node, &sections, 0.0, (band(node)?, CUTOFF_HZ.name()))
    },
    build: |node| recursive::body(node, recursive::sections(node, band(node)?, CUTOFF_HZ.name())?),
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::required("cutoff_hz", "Edge of what passes.").within(1e-4, 1e6);

fn band(node: &Node<'_>) -> Result<Band, Diagnostic> {
    let cutoff_hz = node.get(&CUTOFF_HZ)?;
    node.check_below_nyquist(&CUTOFF_HZ, cutoff_hz, "in")?;
    Ok(Band::LowPass { cutoff_hz })
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn a_ramp_comes_out_where_it_was() {
        for family in ["butterworth", "bessel"] {
            let params = format!("cutoff_hz = 10.0\norder = 3\nfamily = {family:?}\nsettle = true");
            let mut lowpass = Bench::build(&KIND, 1_000.0, &params).expect("valid");
            let ramp: Vec<f32> = (0..2_000).map(|n| n as f32).collect();
            let output = lowpass.feed(&ramp);
            let late = 1_999.0 - f64::from(output[1_999]);
            // f32 resolves 1.2e-4 below 2 048; the beginning died down 100 time constants ago.
            assert!((late - lowpass.delay_ns() as f64 / 1e6).abs() < 1.3e-4, "{family}: {late}");
        }
    }

    #[test]
    fn an_edge_that_cannot_be_is_explained() {
        for (params, told) in [
            ("", "`cutoff_hz` is missing"),
            ("cutoff_hz = 125.0", "`cutoff_hz` = 125.0 is not below half the sample rate"),
            ("cutoff_hz = 126.0", "`cutoff_hz` = 126.0 is above half the sample rate"),
            ("cutoff_hz = 126.0", "choose below 125.0"),
            ("cutoff_hz = 10.0\norder = 11", "`order` = 11 is outside 1 to 10"),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told), "{params}: {problem}");
        }
    }
}
