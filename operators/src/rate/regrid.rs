//! `regrid`: a signal at the moments of a common clock.
//!
//! Its values at the whole multiples of 1 / `rate_hz` of event time, between the samples on both
//! sides:
//!
//! ```text
//! linear   y(t) = x₀ + u · (x₁ − x₀),    u = (t − t₀) / (t₁ − t₀)
//! cubic    y(t) = x₀ + ½ u · (x₁ − x₋₁ + u · (2x₋₁ − 5x₀ + 4x₁ − x₂ + u · (3 (x₀ − x₁) + x₂ − x₋₁)))
//! ```
//!
//! Signals that were put on one grid, whatever their clocks and rates, have samples at the very same
//! nanoseconds, so `join` and `align` find each other's partners without a tolerance. Times are those
//! that frames carry: where a source's clock drifts, so do its samples against the grid.
//!
//! | port  | carries                                          |
//! |-------|--------------------------------------------------|
//! | `in`  | any signal                                       |
//! | `out` | the same at the multiples of 1 / `rate_hz`       |
//!
//! Cubic is the Catmull–Rom spline: it passes through the samples with a steady slope and is exact for
//! parabolas; where a neighbour is missing (at the ends), it is taken from the straight line. There is no filter against aliases: for a lower rate put `resample` or a low-pass
//! in front. **Delay**: none, but a value waits for the sample behind it (cubic: the second), which
//! is its look-back. Beyond the last sample its value holds for one period. After a gap there are
//! values again from the first multiple on. **NaN** reaches the values between it and its neighbours
//! (cubic: and the next ones). **Cost**: some ten operations a value and channel.

use engine::{
    Body, Fault, Format, Io, Kind, Operator, Outline, Param, Port, Rate, SignalFormat, Timestamp,
};

use crate::math::state::{State, StateError, StateReader, put_i64, put_u64};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "regrid",
    summary: "A signal at the moments of a common clock.",
    doc: "The values of a signal at the whole multiples of 1 / rate_hz of event time, so that signals of \
          different clocks have samples at the very same moments. method = \"linear\": on the straight \
          line between the samples on both sides; \"cubic\": on the Catmull-Rom spline through four \
          samples, exact for parabolas. No filter against aliases: for a lower rate put `resample` in \
          front. Delay: none; a value waits for the sample behind it (cubic: the second), which is the \
          look-back. Beyond the last sample its value holds for one period. NaN: reaches the values \
          between it and its neighbours (cubic: and the next ones). Cost: some ten operations a value \
          and channel. Source: Catmull and Rom 1974, in Computer Aided Geometric Design, 317-326.",
    example: "rate_hz = 100.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &METHOD],
    plan: |node| {
        let signal = node.signal("in");
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower");
        let frame_len = (signal.frame_len as f64 * rate.hz() / signal.rate.hz()).ceil() as usize + 2;
        let format = SignalFormat { channels: signal.channels.clone(), rate, frame_len };
        let ahead = if node.get(&METHOD)? == "cubic" { 2 } else { 1 };
        // Times are rounded to nanoseconds.
        let look_back_ns = signal.rate.span_ns(ahead) + 2;
        Ok(Outline::of([Format::Signal(format.into())]).looking_back(look_back_ns))
    },
    build: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower");
        let is_cubic = node.get(&METHOD)? == "cubic";
        let channels = node.signal("in").channels.len();
        Ok(Body::operator(Regrid {
            rate,
            is_cubic,
            channels,
            known: 0,
            times: [Timestamp::ZERO; POINTS],
            samples: vec![0.0; channels * POINTS].into(),
            next: 0,
            values: Vec::new(),
            last: None,
        }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::required("rate_hz", "Samples per second of the grid.").within(1e-3, 1e6);
const METHOD: Param<&str> =
    Param::with_default("method", "linear", "How values between samples are found.")
        .one_of(&["cubic", "linear"]);

/// Samples that a value is made of: one before, two around it, one behind.
const POINTS: usize = 4;
/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Regrid {
    rate: Rate,
    is_cubic: bool,
    channels: usize,
    /// How many of the last samples are known, the newest behind, and when they were.
    known: usize,
    times: [Timestamp; POINTS],
    /// The samples of each channel.
    samples: Box<[f32]>,
    /// Number of the grid's next moment.
    next: i64,
    /// Values of this call, moment after moment.
    values: Vec<f32>,
    /// Samples of the last frame.
    last: Option<usize>,
}

impl Regrid {
    /// Takes the sample of every channel at `time`.
    fn push(&mut self, time: Timestamp, sample: impl Fn(usize) -> f32) {
        if self.known == 0 {
            self.next = self.first_not_before(time);
        }
        self.times.rotate_left(1);
        self.times[POINTS - 1] = time;
        for (channel, samples) in self.samples.chunks_exact_mut(POINTS).enumerate() {
            samples.rotate_left(1);
            samples[POINTS - 1] = sample(channel);
        }
        self.known = (self.known + 1).min(POINTS);
    }

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

    /// Makes the values up to the sample `behind` places before the newest, which is included where
    /// nothing follows it.
    fn make(&mut self, behind: usize, is_last: bool) {
        let right = POINTS - 1 - behind;
        if self.known < POINTS - right + 1 {
            return;
        }
        let (from, to) = (self.times[right - 1], self.times[right]);
        let span = to.since(from) as f64;
        loop {
            let moment = self.moment(self.next);
            if moment > to || (moment == to && !is_last) {
                return;
            }
            let share = (moment.since(from) as f64 / span) as f32;
            for channel in 0..self.channels {
                let value = self.value(channel, right, share);
                self.values.push(value);
            }
            self.next += 1;
        }
    }

    /// The value of a channel between the samples before and at `right`.
    fn value(&self, channel: usize, right: usize, share: f32) -> f32 {
        let samples = &self.samples[channel * POINTS..][..POINTS];
        let (x0, x1) = (samples[right - 1], samples[right]);
        if share == 0.0 {
            // Also where the neighbour is NaN.
            return x0;
        }
        if !self.is_cubic {
            return x0 + share * (x1 - x0);
        }
        let has_before = right >= 2 && self.known >= POINTS - right + 2;
        let before = if has_before { samples[right - 2] } else { 2.0 * x0 - x1 };
        let behind = samples.get(right + 1).copied().unwrap_or(2.0 * x1 - x0);
        let curve = 3.0 * (x0 - x1) + behind - before;
        let bend = 2.0 * before - 5.0 * x0 + 4.0 * x1 - behind;
        x0 + 0.5 * share * (x1 - before + share * (bend + share * curve))
    }

    /// Sends the values that were made, the first of which lies at the grid's moment `from`.
    fn send(&mut self, io: &mut Io<'_>, from: i64) {
        let count = self.values.len() / self.channels;
        if count == 0 {
            return;
        }
        let mut output = io.signal(0, count);
        let planes = output.floats_mut().expect("a fresh buffer has one holder");
        for (channel, plane) in planes.chunks_exact_mut(count).enumerate() {
            let values = self.values.iter().skip(channel).step_by(self.channels);
            plane.iter_mut().zip(values).for_each(|(to, value)| *to = *value);
        }
        self.values.clear();
        io.send_buffer(0, self.moment(from), output);
    }

    /// How many samples a value waits for behind the one after it.
    fn ahead(&self) -> usize {
        usize::from(self.is_cubic)
    }

    /// What waits for samples that will not come.
    fn end(&mut self) {
        if self.is_cubic {
            // There is none behind the last one: the values before it are made as if on a line.
            self.make(0, false);
        }
    }

    fn take_up(&mut self, from: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(from, VERSION)?);
        let (mut known, mut next) = (0, 0);
        state.u64(&mut known)?;
        state.u64(&mut next)?;
        state.demand(known <= POINTS as u64)?;
        (self.known, self.next) = (known as usize, next.cast_signed());
        for time in &mut self.times {
            let mut ns = 0;
            state.u64(&mut ns)?;
            *time = Timestamp::from_nanos(ns.cast_signed());
        }
        state.f32s(&mut self.samples)?;
        state.end()
    }
}

impl Operator for Regrid {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let (samples, len) = (frame.samples(), frame.len());
        self.last = Some(len);
        let mut from = self.next;
        for n in 0..len {
            let is_first = self.known == 0;
            self.push(io.time_of(n as i64), |channel| samples[channel * len + n]);
            if is_first {
                from = self.next;
            }
            self.make(self.ahead(), false);
        }
        self.send(io, from);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(len) = self.last.take() else { return Ok(()) };
        let from = self.next;
        self.end();
        // The last sample holds until the next would come.
        let end = io.time_of(len as i64);
        while self.moment(self.next) < end {
            let newest = self.samples.chunks_exact(POINTS).map(|samples| samples[POINTS - 1]);
            self.values.extend(newest);
            self.next += 1;
        }
        self.send(io, from);
        Ok(())
    }

    fn reset(&mut self) {
        self.known = 0;
        self.values.clear();
        self.last = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        put_u64(into, self.known as u64);
        put_i64(into, self.next);
        self.times.iter().for_each(|time| put_i64(into, time.nanos()));
        into.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.take_up(from).map_err(|error| {
            self.reset();
            Fault::new("is no state of this grid").because(error)
        })
    }
}
