//! `emg`: the envelope of an electromyogram, and when a muscle works.
//!
//! Causal, one pass; see [`crate::math::emg`] for the method. Looks at the first channel unless
//! `from` picks one.
//!
//! | port       | carries                                                              |
//! |------------|----------------------------------------------------------------------|
//! | `in`       | an electromyogram as recorded, in any unit                           |
//! | `out`      | an event where work begins (`cue` is `onset`) and ends (`offset`)    |
//! | `envelope` | rectified and smoothed, in the input's unit                          |
//!
//! **Losses.** A sample that is not finite, or 1e10 and more, is taken as the last good one; 0.3 s
//! of them, or 0.5 s without any change, are a gap: work under way ends, and rest is learnt anew.
//!
//! **Delay.** That of the low-pass at 0 Hz, 28 ms with 8 Hz, which the runtime subtracts. An event
//! comes `work_ms` or `rest_ms` after what it is about.

use engine::{
    Body, Channel, EventWriter, Field, Format, Kind, Node, Outline, Param, Port, SignalFormat,
    Timestamp,
};

use super::watch::{Detect, Spans, Watch, in_unit, rounded};
use crate::math::{
    emg::{Change, Emg, EmgParameters},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "emg",
    summary: "The envelope of an electromyogram, and when a muscle works.",
    doc: "The envelope: Butterworth high-pass of order 4 at low_hz, rectified, Butterworth \
          low-pass of order 2 at envelope_hz, not below 0. Work is where the envelope lies above \
          mean + threshold_sd_ratio * deviation of rest for work_ms on end (Hodges and Bui 1996, \
          with the double threshold of Bonato et al. 1998); it ends where it lies below for \
          rest_ms. t_s is where it crossed. Rest is the quietest second of the last 16, looked \
          for every fifth of a second, and known after 1.2 to 1.4 s; work that lasts longer \
          becomes rest. `offset` events tell duration_s and amplitude, the largest envelope. NaN, \
          infinities and samples of 1e10 and more count as the last good sample; 0.3 s of them, \
          or 0.5 s without any change, are a gap: work ends and rest is learnt anew. Delay: that \
          of the low-pass at 0 Hz, sqrt(2) / (2 pi envelope_hz) s, subtracted by the runtime; \
          events look back by work_ms or rest_ms. Differs from neurokit2's emg_amplitude and \
          emg_activation: forwards only, 20 Hz where BioSPPy has 100 Hz, no Teager-Kaiser energy, \
          and a threshold from rest, not from the whole recording. Cost: three second-order \
          sections and one sliding window a sample.",
    example: "envelope_hz = 8.0",
    inputs: &[Port::signal("in").of_one_channel().fed_by(&["muscle"])],
    outputs: &[Port::event("out"), Port::signal("envelope")],
    params: &[&LOW_HZ, &ENVELOPE_HZ, &THRESHOLD_SD_RATIO, &WORK_MS, &REST_MS],
    plan: |node| {
        node.check_below_nyquist(&LOW_HZ, node.get(&LOW_HZ)?, "in")?;
        node.check_below_nyquist(&ENVELOPE_HZ, node.get(&ENVELOPE_HZ)?, "in")?;
        let input = node.signal("in");
        let unit = input.channels[0].unit;
        let fields = vec![
            Field::text("cue", 6),
            Field::f64("duration_s"),
            Field::f64(in_unit("amplitude", unit)),
        ];
        let channels = vec![Channel { name: "envelope".to_owned(), unit }];
        let envelope = Format::Signal(SignalFormat { channels, ..input.clone() }.into());
        let Spans { look_back_ns, delay_ns, .. } = spans(node, &emg(node)?)?;
        let shortest_ms = node.get(&WORK_MS)? + node.get(&REST_MS)?;
        let events = Format::event(fields, (2e3 / shortest_ms).clamp(1.0, 100.0));
        Ok(Outline::of([events, envelope]).looking_back(look_back_ns).delayed(delay_ns))
    },
    build: |node| {
        let emg = emg(node)?;
        let spans = spans(node, &emg)?;
        Ok(Body::operator(Watch::new(node, ["in"], EmgDetector(emg), spans)))
    },
    ..Kind::BASE
};

const LOW_HZ: Param<f64> =
    Param::with_default("low_hz", 20.0, "Slower is no muscle.").within(1.0, 500.0);
const ENVELOPE_HZ: Param<f64> =
    Param::with_default("envelope_hz", 8.0, "The envelope is smoothed to this.").within(0.5, 50.0);
const THRESHOLD_SD_RATIO: Param<f64> = Param::with_default(
    "threshold_sd_ratio",
    5.0,
    "Deviations of the envelope above its mean at rest from which on a muscle works.",
)
.within(0.5, 100.0);
const WORK_MS: Param<f64> =
    Param::with_default("work_ms", 50.0, "Shorter is no work.").within(1.0, 5_000.0);
const REST_MS: Param<f64> =
    Param::with_default("rest_ms", 100.0, "Shorter is no rest.").within(1.0, 5_000.0);

fn emg(node: &Node<'_>) -> Result<Emg, engine::Diagnostic> {
    let parameters = EmgParameters {
        low_hz: node.get(&LOW_HZ)?,
        envelope_hz: node.get(&ENVELOPE_HZ)?,
        deviations: node.get(&THRESHOLD_SD_RATIO)?,
        work_s: node.get(&WORK_MS)? / 1e3,
        rest_s: node.get(&REST_MS)? / 1e3,
    };
    let refused = |error: crate::math::band::DesignError| {
        node.problem(engine::Code::OutOfRange, LOW_HZ.name(), error.to_string())
            .hint("choose frequencies well below half the rate")
    };
    Emg::new(node.rate_hz("in"), parameters).map_err(refused)
}

fn spans(node: &Node<'_>, emg: &Emg) -> Result<Spans, engine::Diagnostic> {
    let held_ms = node.get(&WORK_MS)?.max(node.get(&REST_MS)?);
    // Counted in whole samples, so up to two more.
    let look_back_ns = (held_ms * 1e6) as i64 + node.signal("in").rate.span_ns(3);
    let delay_ns = (emg.delay_s() * 1e9).round() as i64;
    Ok(Spans { missing_s: 0.3, flat_s: 0.5, look_back_ns, delay_ns })
}

#[derive(Clone)]
struct EmgDetector(Emg);

impl Detect<1, 1> for EmgDetector {
    type Found = Change;
    const VERSION: u8 = 1;
    const WHAT: &'static str = "work of a muscle";

    fn begin(&mut self, time: Timestamp) {
        self.0.begin(time.nanos());
    }

    fn push(&mut self, [sample]: [f32; 1], _: bool) -> ([f32; 1], Option<Change>) {
        let (envelope, change) = self.0.push(sample);
        ([envelope as f32], change)
    }

    fn flush(&mut self) -> Option<Change> {
        self.0.flush()
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

    fn place(change: &Change) -> (u64, f64) {
        (change.sample, 0.0)
    }

    fn describe(&self, change: &Change, event: EventWriter) -> EventWriter {
        event
            .text(0, if change.ended.is_some() { "offset" } else { "onset" })
            .f64_or_absent(1, change.ended.map(|work| rounded(work.duration_s)))
            .f64_or_absent(2, change.ended.map(|work| rounded(work.amplitude)))
    }
}

#[cfg(test)]
mod tests;
