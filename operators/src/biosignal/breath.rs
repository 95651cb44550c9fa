//! `breath`: breaths in a respiration signal.
//!
//! Causal, one pass; see [`crate::math::breath`] for the method. Looks at the first channel unless
//! `from` picks one.
//!
//! | port  | carries                                                                        |
//! |-------|--------------------------------------------------------------------------------|
//! | `in`  | what rises while breathing in: a belt, impedance, volume; any unit             |
//! | `out` | one event per breath, at the moment it ends and the next breathing in begins   |
//!
//! **Losses.** A sample that is not finite, or 1e10 and more, is taken as the last good one; 2 s of
//! them, or 30 s without any change, are a gap: what follows is learnt anew. A breath across a gap
//! is not told.
//!
//! **Delay.** A breath is told when the signal has risen by 0.3 of the usual excursion behind it,
//! some 0.8 s later. While somebody breathes in, bounds are at the last high, and a merge need not
//! wait.

use engine::{Body, EventWriter, Field, Format, Kind, Outline, Port};

use super::watch::{Detect, Spans, Watch, check_rate, in_unit, rounded};
use crate::math::{
    breath::{Breath, Breaths, LOOK_BACK_S, RATES_HZ},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "breath",
    summary: "Find breaths in a respiration signal.",
    doc: "Causal detector in one pass. The signal, which rises while breathing in, is smoothed by \
          two moving averages of 0.2 s, which are made up for; a high or low counts when the \
          signal has come back by more than 0.3 of the mean excursion of the last eight half \
          breaths (the amplitude_min of neurokit2's rsp_findpeaks, after Khodadad et al. 2018), \
          or of all seen in 30 s where that is less. t_s is the low at which a breath ends and \
          the next breathing in begins; rate_bpm is 60 over its length, inspiration_s from low to \
          high, expiration_s from high to low, depth the high above the mean of both lows. A low \
          that lasts for more than 10 s ends with the newest sample: a pause belongs to the \
          breath before it. Breaths shorter than 0.5 s are none. NaN, infinities and samples of \
          1e10 and more count as the last good sample; 2 s of them, or 30 s without any change, \
          are a gap, and all is learnt anew. Delay: none, told some 0.8 s after it began. Differs \
          from neurokit2 in knowing no future: it has no high-pass, and the usual excursion is \
          that of the last breaths. Cost: three sliding windows a sample.",
    example: "",
    inputs: &[Port::signal("in").of_one_channel().fed_by(&["respiration"])],
    outputs: &[Port::event("out")],
    params: &[],
    plan: |node| {
        check_rate(node, "in", RATES_HZ, "breaths")?;
        let fields = vec![
            Field::f64("rate_bpm"),
            Field::f64("inspiration_s"),
            Field::f64("expiration_s"),
            Field::f64(in_unit("depth", node.signal("in").channels[0].unit)),
        ];
        Ok(Outline::of([Format::event(fields, 2.0)]).looking_back((LOOK_BACK_S * 1e9) as i64))
    },
    build: |node| {
        let detector = BreathDetector(Breaths::new(node.rate_hz("in")));
        Ok(Body::operator(Watch::new(node, ["in"], detector, SPANS)))
    },
    ..Kind::BASE
};

const SPANS: Spans =
    Spans { missing_s: 2.0, flat_s: 30.0, look_back_ns: (LOOK_BACK_S * 1e9) as i64, delay_ns: 0 };

#[derive(Clone)]
struct BreathDetector(Breaths);

impl Detect<1, 0> for BreathDetector {
    type Found = Breath;
    const VERSION: u8 = 1;
    const WHAT: &'static str = "breath";

    fn push(&mut self, [sample]: [f32; 1], _: bool) -> ([f32; 0], Option<Breath>) {
        ([], self.0.push(sample))
    }

    fn flush(&mut self) -> Option<Breath> {
        None
    }

    fn earliest(&self) -> u64 {
        self.0.earliest()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.0.visit(state)
    }

    fn place(breath: &Breath) -> (u64, f64) {
        (breath.sample, 0.0)
    }

    fn describe(&self, breath: &Breath, event: EventWriter) -> EventWriter {
        let Breath { inspiration_s, expiration_s, depth, .. } = *breath;
        event
            .f64(0, rounded(60.0 / (inspiration_s + expiration_s)))
            .f64(1, rounded(inspiration_s))
            .f64(2, rounded(expiration_s))
            .f64(3, rounded(depth))
    }
}

#[cfg(test)]
mod tests;
