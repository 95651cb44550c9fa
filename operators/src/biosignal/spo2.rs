//! `spo2`: oxygen saturation from red and infrared light.
//!
//! The ratio of ratios; see [`crate::math::spo2`]:
//!
//! ```text
//! R = (AC_red / DC_red) / (AC_ir / DC_ir)        SpO₂ = offset_pct − slope_pct · R
//! ```
//!
//! | port       | carries                                                      |
//! |------------|--------------------------------------------------------------|
//! | `red`      | a photoplethysmogram at 660 nm, with its mean                |
//! | `infrared` | the same moments at 940 nm, in the same unit                 |
//! | `out`      | an event with the last sample before every whole multiple of |
//! |            | `every_s`, about the `window_s` before it                    |
//!
//! **Losses.** A sample of either that is not finite, or 1e10 and more, is taken as the last good
//! one; 1 s of them, or 2 s without any change of both, are a gap: a new window begins. Without
//! light or pulse there is no `ratio` and no `spo2_pct`, and `quality` is 0.

use engine::{
    Body, Code, EventWriter, Field, Format, Kind, Node, Outline, Param, Policy, Port, Timestamp,
};

use super::watch::{Detect, Spans, Watch, check_rate, rounded};
use crate::math::{
    spo2::{RATE_HZ_MIN, Saturation, Spo2},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "spo2",
    summary: "Oxygen saturation from red and infrared light.",
    doc: "Ratio of ratios (Webster 1997): ratio = (AC_red / DC_red) / (AC_ir / DC_ir), spo2_pct = \
          offset_pct - slope_pct * ratio, at most 100. DC is the mean of the window; AC the band \
          0.5 to 5 Hz (Butterworth, order 2, causal), of which AC_red / AC_ir is the slope of \
          least squares, red over infrared, through all samples of the window. quality is the \
          correlation of both, 0 to 1: below 0.9 do not trust the number. perfusion_pct is from \
          lowest to highest of the infrared pulse over its mean, as of a sine of that power. 110 \
          and 25 are the usual straight line; a sensor has its own, and without a calibration on \
          people the number is for trends, not for medicine. t_s is the last sample before a \
          whole multiple of every_s, of which the window is a whole number. NaN, infinities and \
          samples of 1e10 and more count as the last good sample; 1 s of them, or 2 s without any \
          change, are a gap, and a new window begins. Delay: none; what is told is about the \
          window before. Cost: four second-order sections and six sums a sample of both.",
    example: "window_s = 5.0",
    inputs: &[
        Port::signal("red").fed_by(&["ppg[red]"]),
        Port::signal("infrared").fed_by(&["ppg[infrared]"]),
    ],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_S, &EVERY_S, &OFFSET_PCT, &SLOPE_PCT],
    policy: Policy::Exact,
    plan: |node| {
        check_rate(node, "red", [RATE_HZ_MIN, 5_000.0], "a pulse")?;
        let (window_s, every_s) = (node.get(&WINDOW_S)?, node.get(&EVERY_S)?);
        if window_s < every_s {
            let message =
                format!("`window_s` = {window_s:?} is shorter than `every_s` = {every_s:?}");
            let problem = node.problem(Code::OutOfRange, WINDOW_S.name(), message);
            return Err(problem.hint("choose `window_s` at least as long as `every_s`").into());
        }
        let fields = vec![
            Field::f64("spo2_pct"),
            Field::f64("ratio"),
            Field::f64("perfusion_pct"),
            Field::f64("quality"),
        ];
        Ok(Outline::of([Format::event(fields, 1.0 / every_s)]))
    },
    build: |node| {
        let detector = SaturationDetector {
            spo2: spo2(node)?,
            at: 0,
            every_s: node.get(&EVERY_S)?,
            rate_hz: node.rate_hz("red"),
            line: [node.get(&OFFSET_PCT)?, node.get(&SLOPE_PCT)?],
        };
        Ok(Body::operator(Watch::new(node, ["red", "infrared"], detector, SPANS)))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 5.0, "Length of the window.").within(1.0, 600.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two values.").within(0.2, 60.0);
const OFFSET_PCT: Param<f64> =
    Param::with_default("offset_pct", 110.0, "Saturation at a ratio of 0.").within(50.0, 200.0);
const SLOPE_PCT: Param<f64> =
    Param::with_default("slope_pct", 25.0, "Saturation lost per ratio of 1.").within(1.0, 100.0);

const SPANS: Spans = Spans { missing_s: 1.0, flat_s: 2.0, look_back_ns: 0, delay_ns: 0 };

fn spo2(node: &Node<'_>) -> Result<Spo2, engine::Diagnostic> {
    let (rate_hz, every_s) = (node.rate_hz("red"), node.get(&EVERY_S)?);
    let step = (every_s * rate_hz).round().max(1.0) as usize;
    let steps = (node.get(&WINDOW_S)? / every_s).round().max(1.0) as usize;
    Ok(Spo2::new(rate_hz, step, steps))
}

#[derive(Clone)]
struct SaturationDetector {
    spo2: Spo2,
    /// Number of the next sample.
    at: u64,
    every_s: f64,
    rate_hz: f64,
    /// Offset and slope.
    line: [f64; 2],
}

impl Detect<2, 0> for SaturationDetector {
    type Found = (u64, Saturation);
    const VERSION: u8 = 1;
    const WHAT: &'static str = "saturation";

    fn push(&mut self, [red, infrared]: [f32; 2], _: bool) -> ([f32; 0], Option<Self::Found>) {
        let at = self.at;
        self.at += 1;
        ([], self.spo2.push(red, infrared).map(|saturation| (at, saturation)))
    }

    /// Steps end at whole multiples of `every_s`, wherever samples begin.
    fn begin(&mut self, time: Timestamp) {
        let every_ns = (self.every_s * 1e9).round() as i64;
        let left_ns = every_ns - time.nanos().rem_euclid(every_ns);
        // Times are rounded to nanoseconds.
        let left = (left_ns as f64 / 1e9 * self.rate_hz - 1e-5).ceil();
        self.spo2.begin(left as u64);
    }

    fn flush(&mut self) -> Option<Self::Found> {
        None
    }

    fn earliest(&self) -> u64 {
        self.at
    }

    fn reset(&mut self) {
        self.spo2.reset();
        self.at = 0;
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u64(&mut self.at)?;
        state.demand(self.at < 1 << 62)?;
        self.spo2.visit(state)
    }

    fn place(found: &Self::Found) -> (u64, f64) {
        (found.0, 0.0)
    }

    fn describe(&self, (_, saturation): &Self::Found, event: EventWriter) -> EventWriter {
        let [offset, slope] = self.line;
        let percent = saturation.ratio.map(|ratio| (offset - slope * ratio).clamp(0.0, 100.0));
        event
            .f64_or_absent(0, percent.map(rounded))
            .f64_or_absent(1, saturation.ratio.map(rounded))
            .f64(2, rounded(saturation.perfusion_pct))
            .f64(3, rounded(saturation.quality))
    }
}

#[cfg(test)]
mod tests;
