//! `savgol`: a polynomial through each window, or its derivative: smooth, and keep heights.
//!
//! To the `window_length` samples around each, or up to it, the polynomial of degree `polyorder` that
//! fits best is found by least squares, and its value (or `deriv`-th derivative, per second to that
//! power) told at place `pos` of the window: SciPy's `savgol_coeffs(window_length, polyorder, deriv,
//! delta=1/rate, pos=pos)` as an FIR filter.
//!
//! | `pos` | |
//! |---|---|
//! | unless written | the middle: best smoothing, and no phase; with an even length between two samples |
//! | `window_length − 1` | the newest sample: nothing late, and more noise |
//!
//! | port  | carries                                                       |
//! |-------|---------------------------------------------------------------|
//! | `in`  | any signal                                                    |
//! | `out` | the same, smoothed; of a derivative in a unit that is left open |
//!
//! **Delay**: `window_length − 1 − pos` samples; the runtime subtracts it from the times. Beyond both
//! ends of the input, and after a gap, the first and the last sample stay: SciPy's
//! `savgol_filter(…, mode="nearest")`. **NaN** reaches the `window_length` outputs it is part of and no
//! other. **Cost**: `window_length` multiplications a sample and channel, 8 to 16 at a time. **Source**:
//! Savitzky and Golay, *Analytical Chemistry* 36, 1964.

use std::sync::Arc;

use engine::{Body, Code, Diagnostic, Kind, Node, Outline, Param, Port};

use super::{
    differentiate::per_second,
    span::{Beyond, Spanned},
};
use crate::{
    designs::{Designs, refused},
    kernels::fir::Fir,
    math::savgol::{self, Fit},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "savgol",
    summary: "A polynomial through each window, or its derivative: smooths, and keeps heights.",
    doc: "Savitzky-Golay: to each `window_length` samples the polynomial of degree `polyorder` is fitted by \
          least squares, and its value or `deriv`-th derivative (per second to that power) told at \
          place `pos`: SciPy's savgol_coeffs(window_length, polyorder, deriv, 1 / rate, pos) as an FIR \
          filter. Unless written, pos is the middle; pos = window_length - 1 is the newest sample, \
          nothing late but more noise. Delay: window_length - 1 - pos samples, subtracted from the times \
          by the runtime. Beyond both ends and a gap the first and the last sample stay, SciPy's \
          mode='nearest'. The unit of a derivative is left open. NaN: reaches the window_length outputs \
          it is part of and no other. Cost: window_length multiplications a sample and channel, 8 to 16 \
          at a time. Source: Savitzky and Golay, Analytical Chemistry 36, 1964.",
    example: "window_length = 11\npolyorder = 3",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&WINDOW_LENGTH, &POLYORDER, &DERIV, &POS],
    plan: |node| {
        let fit = fit(node)?;
        taps(node, fit)?;
        let format = if fit.deriv == 0 { node.input("in").clone() } else { per_second(node) };
        Ok(Outline::of([format]).delayed((delay(fit) * fit.delta * 1e9).round() as i64))
    },
    build: |node| {
        let (fit, channels) = (fit(node)?, node.signal("in").channels.len());
        let kernel = Fir::new(taps(node, fit)?, channels);
        let beyond = Beyond::Edge(fit.window_length - 1);
        Ok(Body::operator(Spanned::new(kernel, delay(fit)).beyond(beyond, channels)))
    },
    ..Kind::BASE
};

const WINDOW_LENGTH: Param<i64> =
    Param::required("window_length", "Samples that a polynomial is fitted to.")
        .within(1.0, 4_095.0);
const POLYORDER: Param<i64> =
    Param::required("polyorder", "Degree of the polynomial, less than the window's length.")
        .within(0.0, 15.0);
const DERIV: Param<i64> =
    Param::with_default("deriv", 0, "Which derivative is told; 0 is the value.").within(0.0, 4.0);
const POS: Param<i64> = Param::optional(
    "pos",
    "Where it is told, in samples from the oldest; unless written, the middle.",
)
.within(0.0, 4_094.0);

fn fit(node: &Node<'_>) -> Result<Fit, Diagnostic> {
    let (length, polyorder) = (node.get(&WINDOW_LENGTH)?, node.get(&POLYORDER)?);
    if polyorder >= length {
        let name = POLYORDER.name();
        let message = format!("`{name}` = {polyorder} is not below `window_length` = {length}");
        let hint = "choose a longer window, or a lower degree";
        return Err(node.problem(Code::OutOfRange, name, message).hint(hint));
    }
    let pos = node.get_optional(&POS)?;
    if let Some(pos) = pos.filter(|pos| *pos >= length) {
        let message = format!("`{}` = {pos} is beyond `window_length` = {length}", POS.name());
        let hint = format!("write {} for the newest sample", length - 1);
        return Err(node.problem(Code::OutOfRange, POS.name(), message).hint(hint));
    }
    Ok(Fit {
        window_length: length as usize,
        polyorder: polyorder as usize,
        deriv: node.get(&DERIV)? as usize,
        delta: 1.0 / node.rate_hz("in"),
        pos: pos.map_or(0.5 * (length - 1) as f64, |pos| pos as f64),
    })
}

fn delay(fit: Fit) -> f64 {
    (fit.window_length - 1) as f64 - fit.pos
}

/// All sessions with the same fit share its taps.
fn taps(node: &Node<'_>, fit: Fit) -> Result<Arc<[f32]>, Diagnostic> {
    static DESIGNED: Designs<[u64; 5], f32> = Designs::new();
    let [length, polyorder, deriv] =
        [fit.window_length, fit.polyorder, fit.deriv].map(|whole| whole as u64);
    let key = [length, polyorder, deriv, fit.delta.to_bits(), fit.pos.to_bits()];
    DESIGNED
        .find_or(key, || Ok(savgol::design(fit)?.into_iter().map(|tap| tap as f32).collect()))
        .map_err(|error| refused(node, WINDOW_LENGTH.name(), error))
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::math::golden;

    #[test]
    fn a_derivative_is_scipys_from_the_first_sample_to_the_last() {
        let case = include_str!("../../../tests/golden/savgol_nearest.json");
        let read = |key| golden::numbers(case, key);
        let input: Vec<f32> = read("signal").into_iter().map(|x| x as f32).collect();
        let params = "window_length = 11\npolyorder = 3\nderiv = 1";
        let mut savgol = Bench::build(&KIND, 250.0, params).expect("valid");
        let output = [savgol.feed(&input), savgol.flush()].concat();

        assert_eq!(output.len(), 40);
        for (n, (got, want)) in output.iter().zip(read("nearest")).enumerate() {
            // Eleven products of samples up to 6.3 and taps up to 75, each rounded to 24 bits twice, and
            // their sums: 11 · 470 · 2⁻²⁴ · 3.
            assert!((f64::from(*got) - want).abs() < 1e-3, "{n}: {got} is not {want}");
        }
    }

    #[test]
    fn the_newest_sample_of_a_line_is_on_it_and_nothing_is_late() {
        let params = "window_length = 9\npolyorder = 1\npos = 8";
        let mut savgol = Bench::build(&KIND, 250.0, params).expect("valid");
        assert_eq!(savgol.delay_ns(), 0);
        let line: Vec<f32> = (0..50).map(|n| n as f32 * 0.5).collect();
        let output = savgol.feed(&line);
        assert_eq!(output.len(), 50);
        for n in 8..50 {
            // Nine products below 25 · 0.4, rounded to 24 bits.
            assert!((output[n] - line[n]).abs() < 1e-5, "{n}: {}", output[n]);
        }
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("window_length = 5\npolyorder = 5", "choose a longer window"),
            ("window_length = 5\npolyorder = 2\npos = 5", "write 4 for the newest sample"),
        ] {
            let problem = Bench::build(&KIND, 250.0, params).err().expect("refused").to_string();
            assert!(problem.contains(told), "{params}: {problem}");
        }
    }
}
