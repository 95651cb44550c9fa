//! Intervals between normal beats over a sliding window: what the `hrv` kinds share.
//!
//! They take beats, keep a window of intervals up to date, and tell its values at the whole
//! multiples of `every_s`.

use engine::{
    Body, BuildError, Code, Diagnostic, Diagnostics, EventReader, EventWriter, Fault, Field,
    FieldValue, Format, GapNotice, Io, Node, Operator, Outline, Param, Timestamp,
};

use crate::math::hrv::{Hrv, HrvParameters, HrvValues, Measures};

pub(super) const EVERY_S: Param<f64> =
    Param::with_default("every_s", 5.0, "Time between two values.").within(0.1, 86_400.0);
pub(super) const RR_MIN_MS: Param<f64> =
    Param::with_default("rr_min_ms", 300.0, "Shorter intervals are not believed.")
        .within(100.0, 10_000.0);
pub(super) const RR_MAX_MS: Param<f64> =
    Param::with_default("rr_max_ms", 2_000.0, "Longer intervals are not believed.")
        .within(200.0, 60_000.0);
pub(super) const RR_CHANGE_MAX_PCT: Param<f64> = Param::with_default(
    "rr_change_max_pct",
    20.0,
    "Intervals further off the last counted one are not believed.",
)
.within(1.0, 1_000.0);

/// What intervals are believed, over a window of this length.
pub(super) fn parameters(
    node: &Node<'_>,
    window_s: &Param<f64>,
) -> Result<HrvParameters, Diagnostic> {
    Ok(HrvParameters {
        window_s: node.get(window_s)?,
        rr_min_ms: node.get(&RR_MIN_MS)?,
        rr_max_ms: node.get(&RR_MAX_MS)?,
        rr_change_max_pct: node.get(&RR_CHANGE_MAX_PCT)?,
    })
}

/// What every event of these kinds begins with.
pub(super) const COMMON_FIELDS: usize = 3;

/// An event every `every_s`: what is common, and these numbers.
pub(super) fn outline(
    node: &Node<'_>,
    window_s: &Param<f64>,
    numbers: impl IntoIterator<Item = &'static str>,
) -> Result<Outline, Diagnostics> {
    if let Err(error) = Hrv::new(parameters(node, window_s)?) {
        let problem = node.problem(Code::OutOfRange, RR_MIN_MS.name(), error.to_string());
        return Err(problem.hint("choose rr_min_ms below rr_max_ms").into());
    }
    let mut fields = vec![Field::i64("intervals"), Field::i64("removed"), Field::f64("span_s")];
    fields.extend(numbers.into_iter().map(Field::f64));
    Ok(Outline::of([Format::event(fields, 1.0 / node.get(&EVERY_S)?)]))
}

/// Writes the numbers of a window behind what is common.
pub(super) type Tell<M> = fn(&mut Hrv<M>, &HrvValues, EventWriter) -> EventWriter;

/// A body that keeps `measures`, made for so many intervals at most, and tells them.
pub(super) fn body<M: Measures + Send + 'static>(
    node: &Node<'_>,
    window_s: &Param<f64>,
    measures: impl FnOnce(usize) -> M,
    tell: Tell<M>,
) -> Result<Body, BuildError> {
    let hrv = Hrv::with(parameters(node, window_s)?, measures)
        .map_err(|error| BuildError::Fault(Fault::new(error.to_string())))?;
    let every_ns = (node.get(&EVERY_S)? * 1e9).round() as i64;
    let beats = node.input("in").as_event().expect("the port takes events");
    let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
    let (class, is_beat, rr_ms) = (field("class"), field("is_beat"), field("rr_ms"));
    Ok(Body::operator(Window { hrv, every_ns, due: None, class, is_beat, rr_ms, tell }))
}

/// Bytes of a saved state without its intervals, rounded up, and of one of those.
const STATE_BYTES: usize = 192;
const INTERVAL_BYTES: usize = 40;

/// Beats that begin in the sinus node or near it (AAMI EC57, class N).
const NORMAL: [&str; 5] = ["N", "L", "R", "e", "j"];

struct Window<M> {
    hrv: Hrv<M>,
    every_ns: i64,
    /// When the next values are due: not before there was a beat.
    due: Option<Timestamp>,
    /// Fields of the input that say what a beat is.
    class: Option<usize>,
    is_beat: Option<usize>,
    rr_ms: Option<usize>,
    tell: Tell<M>,
}

impl<M: Measures> Window<M> {
    /// Whether an event is a beat, whether a normal one, and whether it goes on from the last.
    fn look(&self, event: &EventReader<'_>) -> (bool, bool, bool) {
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        let is_beat = field(self.is_beat) != Some(FieldValue::Bool(false));
        let is_normal = match field(self.class) {
            Some(FieldValue::Text(class)) => NORMAL.contains(&class),
            _ => true,
        };
        let goes_on = match field(self.rr_ms) {
            Some(FieldValue::F64(rr_ms)) => rr_ms.is_finite(),
            rr_ms => self.rr_ms.is_none() || rr_ms.is_some(),
        };
        (is_beat, is_normal, goes_on)
    }

    fn tell(&mut self, time: Timestamp, io: &mut Io<'_>) {
        let Some(values) = self.hrv.values() else { return };
        let event = io
            .event_for(0)
            .i64(0, values.intervals as i64)
            .i64(1, values.left_out as i64)
            .f64(2, values.span_s);
        let event = (self.tell)(&mut self.hrv, &values, event);
        io.send_event(0, time, event);
    }
}

impl<M: Measures + Send + 'static> Operator for Window<M> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time_ns = io.frame().header.time.nanos();
        let (is_beat, is_normal, goes_on) = self.look(&io.event());
        if is_beat {
            if !goes_on {
                self.hrv.gap();
            }
            self.hrv.push(time_ns, is_normal);
            let next_ns = (time_ns.div_euclid(self.every_ns) + 1).saturating_mul(self.every_ns);
            self.due.get_or_insert(Timestamp::from_nanos(next_ns));
        }
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.hrv.advance(due.nanos());
        self.tell(due, io);
        // An empty window has nothing to say until there is a beat again.
        self.due = self.hrv.values().map(|_| due.plus_nanos(self.every_ns));
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (Some(last_ns), Some(values)) = (self.hrv.last_beat_ns(), self.hrv.values()) else {
            return Ok(());
        };
        let end_ns = last_ns.saturating_add((values.mean_ms * 1e6) as i64);
        while let Some(due) = self.due.filter(|due| due.nanos() <= end_ns) {
            self.on_due(due, io)?;
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The interval across the gap does not count; those before it still do.
        self.hrv.gap();
        Ok(())
    }

    fn reset(&mut self) {
        self.hrv.reset();
        self.due = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        // For a full window at once: it must not grow while the window fills.
        into.reserve(STATE_BYTES + INTERVAL_BYTES * self.hrv.capacity());
        into.push(2);
        into.extend_from_slice(&self.due.unwrap_or(Timestamp::MIN).nanos().to_le_bytes());
        self.hrv.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let wrong = || Fault::new("is no state of a window of beats");
        let state = from.strip_prefix(&[2]).ok_or_else(wrong)?;
        let (due, state) = state.split_first_chunk().ok_or_else(wrong)?;
        self.hrv.load(state).map_err(|error| wrong().because(error))?;
        let due = Timestamp::from_nanos(i64::from_le_bytes(*due));
        self.due = Some(due).filter(|&due| due > Timestamp::MIN);
        Ok(())
    }
}
