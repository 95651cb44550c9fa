//! `interpolate`: a signal through the numbers that events carry.
//!
//! At the whole multiples of 1 / `rate_hz` of event time, between the events on both sides:
//!
//! ```text
//! linear   y(t) = v₀ + (v₁ − v₀) · (t − t₀) / (t₁ − t₀)
//! hold     y(t) = v₀
//! ```
//!
//! Of intervals between heart beats it makes the tachogram that spectra and `coherence` take (Task
//! Force 1996 has it at 4 Hz or so).
//!
//! | port  | carries                                              |
//! |-------|------------------------------------------------------|
//! | `in`  | events with a number                                 |
//! | `out` | a signal of one channel, named like the number       |
//!
//! **Delay**: none, but a value waits for the event behind it, at most `max_gap_s`, the look-back.
//! Events further apart have NaN between them, and so has what comes within `max_gap_s` of no event
//! after the first. An event whose number is absent, NaN or infinite is none. Of two at one moment
//! the later counts. **Gap**: the signal begins anew with the next event. **Cost**: a few
//! operations a value.

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Format, GapNotice, Io, Kind, Node, Operator, Outline,
    Param, Port, Rate, SignalFormat, Timestamp, Unit,
};

use crate::{
    bodies::load,
    feedback::value::{self, Intake},
    math::state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "interpolate",
    summary: "A signal through the numbers that events carry.",
    doc: "Values at the whole multiples of 1 / rate_hz of event time between events with a number in \
          `field`: method = \"linear\" on the straight line from one to the next, \"hold\" the last one. Of \
          intervals between heart beats it makes the tachogram that spectra and `coherence` take (Task Force \
          1996). Events further apart than max_gap_s have NaN between them. An event whose number is absent, \
          NaN or infinite is none. Delay: none; a value waits for the event behind it, at most max_gap_s, \
          which is the look-back. A gap is a fresh start with the next event. Cost: a few operations a \
          value.",
    example: "rate_hz = 4.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &value::FIELD, &METHOD, &MAX_GAP_S],
    timers: true,
    plan: |node| {
        let (rate, max_gap_ns) = (rate(node)?, max_gap_ns(node)?);
        let frame_len = frame_len(rate, max_gap_ns);
        if frame_len > VALUES_MAX {
            let message = format!("up to {frame_len} values may wait for an event");
            let problem = node.problem(Code::OutOfRange, RATE_HZ.name(), message);
            return Err(problem.hint("choose a lower `rate_hz` or a shorter `max_gap_s`").into());
        }
        let events = node.input("in").as_event().expect("the port takes events");
        let name = events.fields[field(node)?].name.to_owned();
        let channels = vec![Channel { name, unit: Unit::UNKNOWN }];
        let format = SignalFormat { channels, rate, frame_len };
        // Times are rounded to nanoseconds, and a timer is one beyond.
        Ok(Outline::of([Format::Signal(format.into())]).looking_back(max_gap_ns + 2))
    },
    build: |node| {
        let (rate, max_gap_ns) = (rate(node)?, max_gap_ns(node)?);
        Ok(Body::operator(Interpolate {
            rate,
            field: field(node)?,
            holds: node.get(&METHOD)? == "hold",
            max_gap_ns,
            last: None,
            next: None,
            values: Vec::with_capacity(frame_len(rate, max_gap_ns)),
        }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 4.0, "Samples per second of the signal.").within(1e-3, 1e5);
const METHOD: Param<&str> =
    Param::with_default("method", "linear", "How values between events are found.")
        .one_of(&["hold", "linear"]);
const MAX_GAP_S: Param<f64> =
    Param::with_default("max_gap_s", 3.0, "Between events further apart nothing is known.")
        .within(1e-3, 3_600.0);

/// Values that may wait for an event.
const VALUES_MAX: usize = 1 << 20;

fn rate(node: &Node<'_>) -> Result<Rate, Diagnostic> {
    Ok(Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower"))
}

fn max_gap_ns(node: &Node<'_>) -> Result<i64, Diagnostic> {
    Ok((node.get(&MAX_GAP_S)? * 1e9).round() as i64)
}

fn field(node: &Node<'_>) -> Result<usize, Diagnostic> {
    match value::intake(node)? {
        Intake::Field(field) => Ok(field),
        Intake::Signal => unreachable!("the port takes events"),
    }
}

/// Most values of a call.
fn frame_len(rate: Rate, max_gap_ns: i64) -> usize {
    (max_gap_ns as f64 * 1e-9 * rate.hz()).ceil() as usize + 2
}

struct Interpolate {
    rate: Rate,
    field: usize,
    holds: bool,
    max_gap_ns: i64,
    /// The last event, unless it is too long ago.
    last: Option<(Timestamp, f64)>,
    /// Number of the grid's next moment, from the first event on.
    next: Option<i64>,
    values: Vec<f32>,
}

impl Interpolate {
    fn moment(&self, number: i64) -> Timestamp {
        Timestamp::from_nanos(self.rate.span_ns(number))
    }

    fn first_not_before(&self, time: Timestamp) -> i64 {
        let mut number = (time.nanos() as f64 * self.rate.hz() / 1e9).floor() as i64 - 1;
        while self.moment(number) < time {
            number += 1;
        }
        number
    }

    /// Sends the values of all moments before `end`, each as `value` has it.
    fn send_before(&mut self, end: Timestamp, io: &mut Io<'_>, value: impl Fn(Timestamp) -> f64) {
        let Some(first) = self.next else { return };
        let mut number = first;
        self.values.clear();
        while self.moment(number) < end {
            self.values.push(value(self.moment(number)) as f32);
            number += 1;
        }
        self.next = Some(number);
        if !self.values.is_empty() {
            let mut output = io.signal(0, self.values.len());
            output.floats_mut().expect("a fresh buffer").copy_from_slice(&self.values);
            io.send_buffer(0, self.moment(first), output);
        }
    }
}

impl Operator for Interpolate {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        let Some(value) = value::number(&io.event(), self.field) else { return Ok(()) };
        match self.last {
            Some((from, before)) => {
                let span_ns = time.since(from) as f64;
                let rise = if self.holds { 0.0 } else { value - before };
                self.send_before(time, io, |at| before + rise * (at.since(from) as f64 / span_ns));
            }
            None => self.send_before(time, io, |_| f64::NAN),
        }
        self.next.get_or_insert(self.first_not_before(time));
        self.last = Some((time, value));
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        let since = self.last.map(|(time, _)| time).or(self.next.map(|next| self.moment(next)))?;
        // An event at the very end of the span is near enough.
        Some(since.plus_nanos(self.max_gap_ns + 1))
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.last = None;
        self.send_before(due, io, |_| f64::NAN);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.reset();
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some((time, value)) = self.last.take() {
            self.send_before(time.plus_nanos(1), io, |_| value);
        }
        self.reset();
        Ok(())
    }

    fn reset(&mut self) {
        (self.last, self.next) = (None, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut saved = (self.last, self.next);
        visit(&mut saved, &mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let mut saved = (None, None);
        load("is no state of `interpolate`", 1, from, |state| {
            visit(&mut saved, state)?;
            let (last, next) = saved;
            let follows = |(time, _)| next.is_some_and(|next| self.moment(next) >= time);
            state.demand(last.is_none_or(follows))
        })?;
        (self.last, self.next) = saved;
        Ok(())
    }
}

type Saved = (Option<(Timestamp, f64)>, Option<i64>);

/// Passes over the state in a fixed order.
fn visit((last, next): &mut Saved, state: &mut State<'_>) -> Result<(), StateError> {
    let mut numbers = last.map(|(time, value)| (time.nanos(), value));
    state.optional(&mut numbers, |state, (time_ns, value)| {
        state.i64(time_ns)?;
        state.f64(value)
    })?;
    *last = numbers.map(|(time_ns, value)| (Timestamp::from_nanos(time_ns), value));
    state.optional(next, State::i64)
}

#[cfg(test)]
mod tests {
    use engine::{EventFormat, EventWriter, Field, Frame, Header, testing::Bench};

    use super::*;

    const MS: i64 = 1_000_000;

    /// A bench, and what makes an event for it.
    fn bench(params: &str) -> Bench {
        let events = Format::event(vec![Field::f64("rr_ms")], 10.0);
        Bench::with(&KIND, &[("in", events)], params).expect("valid")
    }

    fn event(ms: i64, value: f64) -> Frame {
        let format = EventFormat { fields: vec![Field::f64("rr_ms")], rate_max: 10.0 };
        let header = Header::at(Timestamp::from_nanos(ms * MS));
        Frame::new(header, EventWriter::new(&format).f64(0, value).finish())
    }

    /// Milliseconds and value of everything that comes of the events.
    fn signal(params: &str, events: &[(i64, f64)]) -> Vec<(i64, f32)> {
        let mut interpolate = bench(params);
        events.iter().for_each(|&(ms, value)| interpolate.push(0, event(ms, value)));
        interpolate.flush();
        assert_eq!(interpolate.late(), 0);
        heard(&mut interpolate)
    }

    fn heard(interpolate: &mut Bench) -> Vec<(i64, f32)> {
        let mut samples = Vec::new();
        for seen in interpolate.take() {
            let rate = seen.format.rate().expect("a signal");
            for (n, sample) in seen.frame.samples().iter().enumerate() {
                samples.push(((seen.time().nanos() + rate.span_ns(n as i64)) / MS, *sample));
            }
        }
        samples
    }

    #[test]
    fn values_lie_on_the_line_between_events() {
        // value = milliseconds, so all divisions are exact enough for f32.
        let events = [(300, 300.0), (1_000, 1_000.0), (1_100, 1_100.0), (2_500, 2_500.0)];
        let got = signal("rate_hz = 4.0", &events);
        let want: Vec<(i64, f32)> = (2..=10).map(|n| (250 * n, 250.0 * n as f32)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn a_held_value_lasts_until_the_next() {
        let got = signal("method = \"hold\"", &[(0, 1.0), (600, 2.0), (1_000, 3.0)]);
        assert_eq!(got, [(0, 1.0), (250, 1.0), (500, 1.0), (750, 2.0), (1_000, 3.0)]);
    }

    #[test]
    fn events_too_far_apart_have_nothing_between_them() {
        let got = signal("max_gap_s = 1.0", &[(0, 1.0), (1_000, 2.0), (2_001, 3.0), (2_500, 4.0)]);
        let missing: Vec<i64> = got.iter().filter(|(_, x)| x.is_nan()).map(|(ms, _)| *ms).collect();
        assert_eq!(missing, [1_000, 1_250, 1_500, 1_750, 2_000]);
        assert_eq!(got.len(), 11);
    }

    #[test]
    fn silence_is_told_as_it_lasts() {
        let mut interpolate = bench("max_gap_s = 1.0");
        interpolate.push(0, event(0, 1.0));
        interpolate.promise(0, Timestamp::from_nanos(3_500 * MS));
        interpolate.run();
        let got = heard(&mut interpolate);
        assert!(got.len() >= 10 && got.iter().all(|(_, x)| x.is_nan()), "{got:?}");
        assert!(got.windows(2).all(|two| two[1].0 - two[0].0 == 250), "{got:?}");
        assert_eq!(interpolate.late(), 0);
    }

    #[test]
    fn a_number_that_is_none_is_no_event() {
        let got = signal("", &[(0, 0.0), (500, f64::NAN), (750, f64::INFINITY), (1_000, 1_000.0)]);
        assert_eq!(got, [0, 250, 500, 750, 1_000].map(|ms| (ms, ms as f32)));
    }

    #[test]
    fn what_would_not_fit_is_refused() {
        let events = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let refused = |params: &str| {
            let inputs = [("in", events.clone())];
            Bench::with(&KIND, &inputs, params).err().expect("refused").to_string()
        };
        let told = refused("rate_hz = 100000.0\nmax_gap_s = 3600.0");
        assert!(told.contains("values may wait for an event"), "{told}");
        let told = refused("field = \"amplitude\"");
        assert!(told.contains("no field `amplitude`"), "{told}");
    }
}
