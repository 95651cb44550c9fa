//! `qrs`: heart beats in an electrocardiogram.
//!
//! Causal, one pass; see [`crate::math::qrs`] for the method. Looks at the first
//! channel unless `from` picks one (`from = "ecg[V5]"`).
//!
//! | port  | carries                                                       |
//! |-------|---------------------------------------------------------------|
//! | `in`  | an ECG, best behind `bandpass` with 5 to 15 Hz; any unit      |
//! | `out` | one event per beat, stamped with the R peak of the recording  |

use engine::{
    Body, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use crate::math::qrs::{Beat, Qrs};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "qrs",
    summary: "Find heart beats in an ECG.",
    doc: "Causal detector in one pass: envelope of slope and curvature, candidates judged by a \
          logarithm of odds from their level, noise, form and distance, with search-back. Expects \
          the ECG behind `bandpass` with low_hz = 5, high_hz = 15, order = 2 (`input = \"filtered\"`), \
          whose shape it inverts, or as recorded (`input = \"raw\"`); `auto` takes an input without \
          delay as raw. Decides about 0.23 s after R; the first three seconds are for learning and \
          their beats come after. t_s is the R peak itself. NaN is taken as the last good sample. \
          Cost: about 20 ns a sample, 4 KiB.",
    example: "",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out")],
    params: &[&INPUT],
    plan: |node| {
        let rate_hz = node.rate_hz("in");
        if rate_hz < RATE_HZ_MIN {
            let message = format!("{rate_hz} samples per second are too few to find beats in");
            return Err(node
                .problem(engine::Code::OutOfRange, "input", message)
                .hint(format!("bring a signal of at least {RATE_HZ_MIN} Hz"))
                .into());
        }
        let fields = vec![
            Field::f64("rr_ms"),
            Field::f64("heart_rate_bpm"),
            Field::f64("amplitude"),
            Field::bool("searched_back"),
        ];
        Ok(Outline::of([Format::event(fields, crate::BEATS_PER_SECOND_MAX)])
            .looking_back(LOOK_BACK_NS))
    },
    build: |node| {
        let rate_hz = node.rate_hz("in");
        let qrs = if is_raw(node)? { Qrs::raw(rate_hz) } else { Qrs::new(rate_hz) };
        Ok(Body::operator(Detector { qrs, taken: 0, start: 0, last: None }))
    },
    ..Kind::BASE
};

const INPUT: Param<&str> =
    Param::with_default("input", "auto", "What the ECG has been through.")
        .one_of(&["auto", "filtered", "raw"]);

/// Below, a QRS complex has no form left.
const RATE_HZ_MIN: f64 = 100.0;
/// Learning and silence last at most 3.2 s, and what they go back to may lie 0.8 s before.
const LOOK_BACK_NS: i64 = 4_000_000_000;
/// No beat follows another sooner; the detector's own refractory time is longer by what its
/// choice of the R peak may shift.
const REFRACTORY_NS: i64 = 100_000_000;

fn is_raw(node: &Node<'_>) -> Result<bool, engine::Diagnostic> {
    Ok(match node.get(&INPUT)? {
        "raw" => true,
        "filtered" => false,
        _ => node.inputs()[0].delay_ns == 0,
    })
}

struct Detector {
    qrs: Qrs,
    /// Samples taken since the detector was fresh.
    taken: u64,
    /// Number of the first sample of the frame taken last, from which `Io` tells times.
    start: u64,
    last: Option<Timestamp>,
}

impl Detector {
    fn tell(&mut self, beat: &Beat, io: &mut Io<'_>) {
        let offset = beat.sample as i64 - self.start as i64;
        let time = io.time_between(offset, f64::from(beat.offset_samples));
        let rr_ms = self.last.map(|last| time.since(last) as f64 / 1e6).filter(|&rr_ms| rr_ms > 0.0);
        let event = io
            .event_for(0)
            .f64_or_absent(0, rr_ms)
            .f64_or_absent(1, rr_ms.map(|rr_ms| 60_000.0 / rr_ms))
            .f64(2, f64::from(beat.amplitude))
            .bool(3, beat.searched_back);
        io.send_event(0, time, event);
        io.promise(0, time.plus_nanos(REFRACTORY_NS));
        self.last = Some(time);
    }
}

impl Operator for Detector {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.start = self.taken;
        for n in 0..io.frame().len() {
            let sample = io.frame().channel(0)[n];
            if let Some(beat) = self.qrs.push(sample) {
                self.tell(&beat, io);
            }
        }
        self.taken += io.frame().len() as u64;
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        while let Some(beat) = self.qrs.flush() {
            self.tell(&beat, io);
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.reset();
        Ok(())
    }

    fn reset(&mut self) {
        self.qrs.reset();
        (self.taken, self.start) = (0, 0);
        self.last = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.taken.to_le_bytes());
        into.extend_from_slice(&self.last.map_or(i64::MIN, Timestamp::nanos).to_le_bytes());
        self.qrs.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let wrong = || Fault::new("is no state of `qrs`");
        let state = from.strip_prefix(&[1]).ok_or_else(wrong)?;
        let (taken, state) = state.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (last, state) = state.split_first_chunk::<8>().ok_or_else(wrong)?;
        self.qrs.load(state).map_err(|error| wrong().because(error))?;
        self.taken = u64::from_le_bytes(*taken);
        let last = i64::from_le_bytes(*last);
        self.last = (last != i64::MIN).then(|| Timestamp::from_nanos(last));
        Ok(())
    }
}
