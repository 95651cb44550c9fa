//! `hrv`: heart-rate variability over a sliding window.
//!
//! Time domain (Task Force 1996): with the intervals RR of the window and the
//! differences d of neighbours that share a beat,
//!
//! ```text
//! sdnn  = √( Σ (RR − mean)² / (n − 1) )
//! rmssd = √( Σ d² / m )
//! pnn50 = 100 · |{ d : |d| > 50 ms }| / m
//! ```
//!
//! | port  | carries                              |
//! |-------|--------------------------------------|
//! | `in`  | beats, as from `qrs`                 |
//! | `out` | one event every `every_s`            |
//!
//! Exact: sums are whole nanoseconds, so values equal a fresh computation bit for bit. A beat
//! costs some 30 ns.

use engine::{
    Body, BuildError, Fault, Field, Format, GapNotice, Io, Kind, Operator, Outline, Param, Port,
    Timestamp,
};

use crate::math::hrv::{Hrv, HrvParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hrv",
    summary: "Heart-rate variability over a sliding window.",
    doc: "Mean interval, SDNN (ddof 1), RMSSD and pNN50 (strictly more than 50 ms) of the beats in the \
          last `window_s`, every `every_s` of event time, after Task Force 1996. An interval outside \
          rr_min_ms to rr_max_ms is not believed, and no difference is taken across it. Values equal a \
          fresh computation bit for bit. pNN50 divides by the number of differences (neurokit2 by one \
          more). Delay: none; look-back: none. Cost: about 30 ns a beat.",
    example: "window_s = 60.0\nevery_s = 5.0",
    inputs: &[Port::event("in")],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_S, &EVERY_S, &RR_MIN_MS, &RR_MAX_MS],
    timers: true,
    plan: |node| {
        let fields = vec![
            Field::i64("beats"),
            Field::f64("mean_nn_ms"),
            Field::f64("heart_rate_bpm"),
            Field::f64("sdnn_ms"),
            Field::f64("rmssd_ms"),
            Field::f64("pnn50_pct"),
        ];
        Ok(Outline::of([Format::event(fields, 1.0 / node.get(&EVERY_S)?)]))
    },
    build: |node| {
        let parameters = HrvParameters {
            window_s: node.get(&WINDOW_S)?,
            rr_min_ms: node.get(&RR_MIN_MS)?,
            rr_max_ms: node.get(&RR_MAX_MS)?,
        };
        let hrv = Hrv::new(parameters)
            .map_err(|error| BuildError::Fault(Fault::new(error.to_string())))?;
        let every_ns = (node.get(&EVERY_S)? * 1e9).round() as i64;
        Ok(Body::operator(Variability { hrv, every_ns, due: Timestamp::from_nanos(every_ns) }))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 60.0, "Length of the window.").within(1.0, 86_400.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 5.0, "Time between two values.").within(0.1, 86_400.0);
const RR_MIN_MS: Param<f64> =
    Param::with_default("rr_min_ms", 300.0, "Shorter intervals are not believed.")
        .within(100.0, 10_000.0);
const RR_MAX_MS: Param<f64> =
    Param::with_default("rr_max_ms", 2_000.0, "Longer intervals are not believed.")
        .within(200.0, 60_000.0);

struct Variability {
    hrv: Hrv,
    every_ns: i64,
    due: Timestamp,
}

impl Variability {
    fn tell(&mut self, time: Timestamp, io: &mut Io<'_>) {
        self.hrv.advance(time.nanos());
        let Some(values) = self.hrv.values() else { return };
        let event = io
            .event_for(0)
            .i64(0, values.intervals as i64)
            .f64(1, values.mean_ms)
            .f64(2, values.heart_rate_bpm)
            .f64_or_absent(3, values.sdnn_ms)
            .f64_or_absent(4, values.rmssd_ms)
            .f64_or_absent(5, values.pnn50_pct);
        io.send_event(0, time, event);
    }
}

impl Operator for Variability {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.hrv.push(io.frame().header.time.nanos(), true);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.tell(due, io);
        self.due = due.plus_nanos(self.every_ns);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The interval across the gap does not count; those before it still do.
        self.hrv.gap();
        Ok(())
    }

    fn reset(&mut self) {
        self.hrv.reset();
        self.due = Timestamp::from_nanos(self.every_ns);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.due.nanos().to_le_bytes());
        self.hrv.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let wrong = || Fault::new("is no state of `hrv`");
        let state = from.strip_prefix(&[1]).ok_or_else(wrong)?;
        let (due, state) = state.split_first_chunk::<8>().ok_or_else(wrong)?;
        self.hrv.load(state).map_err(|error| wrong().because(error))?;
        self.due = Timestamp::from_nanos(i64::from_le_bytes(*due));
        Ok(())
    }
}
