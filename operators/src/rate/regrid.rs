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
//! parabolas; where a neighbour is missing (at the ends), it is taken from the straight line. There is
//! no filter against aliases: for a lower rate put `resample` or a low-pass in front. **Delay**: none, but a
//! value waits for the sample behind it (cubic: the second), four periods at most each, which are its
//! look-back. Beyond the last sample its value holds for one period. After a gap, which is also what lies
//! between samples more than four periods apart, there are values again from the first multiple on.
//! **NaN** reaches the values between it and its neighbours (cubic: and the next ones). **Cost**: some ten
//! operations a value and channel.

use engine::{
    Body, Fault, Format, GapNotice, Io, Kind, Operator, Outline, Param, Port, Rate, SignalFormat,
    Timestamp,
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
          front. Delay: none; a value waits for the sample behind it (cubic: the second), four periods \
          at most each, which are the look-back. Beyond the last sample its value holds for one period. \
          More than four periods from one sample to the next are a gap. NaN: reaches the values \
          between it and its neighbours (cubic: and the next ones). Cost: some ten operations a value \
          and channel. Source: Catmull and Rom 1974, in Computer Aided Geometric Design, 317-326.",
    example: "rate_hz = 100.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ, &METHOD],
    plan: |node| {
        let signal = node.signal("in");
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower");
        let frame_len = frame_len(signal, rate);
        let format = SignalFormat { channels: signal.channels.clone(), rate, frame_len };
        let ahead = if node.get(&METHOD)? == "cubic" { 2 } else { 1 };
        // Times are rounded to nanoseconds. Where samples come as their rate says, whoever waits for
        // values is told with each frame that they are not that late.
        let look_back_ns = signal.rate.span_ns(HOLE_PERIODS * ahead) + 2;
        Ok(Outline::of([Format::Signal(format.into())]).looking_back(look_back_ns))
    },
    build: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("the parameter's range is narrower");
        let is_cubic = node.get(&METHOD)? == "cubic";
        let signal = node.signal("in");
        let channels = signal.channels.len();
        Ok(Body::operator(Regrid {
            rate,
            period_ns: signal.rate.span_ns(1),
            hole_ns: signal.rate.span_ns(HOLE_PERIODS) + 1,
            is_cubic,
            channels,
            is_loaded: false,
            known: 0,
            times: [Timestamp::ZERO; POINTS],
            samples: vec![0.0; channels * POINTS].into(),
            next: 0,
            values: Vec::with_capacity(channels * frame_len(signal, rate).min(1 << 16)),
        }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::required("rate_hz", "Samples per second of the grid.").within(1e-3, 1e6);
const METHOD: Param<&str> =
    Param::with_default("method", "linear", "How values between samples are found.")
        .one_of(&["cubic", "linear"]);

/// Most values of a call.
fn frame_len(signal: &SignalFormat, rate: Rate) -> usize {
    // At the end those of the last two samples come together with a held one.
    let periods = signal.frame_len + 1 + HOLE_PERIODS as usize;
    (periods as f64 * rate.hz() / signal.rate.hz()).ceil() as usize + 1
}

/// So many periods from one sample to the next are a late or corrected clock; more are a gap, in which
/// nobody knows what the signal was.
const HOLE_PERIODS: i64 = 4;
/// Samples that a value is made of: one before, two around it, one behind.
const POINTS: usize = 4;
/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Regrid {
    rate: Rate,
    /// Of the input; and what is longer from one sample to the next is a gap.
    period_ns: i64,
    hole_ns: i64,
    is_cubic: bool,
    channels: usize,
    /// Taken up from a save, with no frame since: what lies behind it may have been told already.
    is_loaded: bool,
    /// How many of the last samples are known, the newest behind, and when they were.
    known: usize,
    times: [Timestamp; POINTS],
    /// The samples of each channel.
    samples: Box<[f32]>,
    /// Number of the grid's next moment.
    next: i64,
    /// Values of this call, moment after moment.
    values: Vec<f32>,
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

    /// Makes the values from the last sample but one to the last, where the last is taken to be the one
    /// `behind` places before the newest.
    fn make(&mut self, behind: usize) {
        let right = POINTS - 1 - behind;
        if self.known < POINTS - right + 1 {
            return;
        }
        let (from, to) = (self.times[right - 1], self.times[right]);
        let span = to.since(from) as f64;
        while self.moment(self.next) < to {
            let share = (self.moment(self.next).since(from) as f64 / span) as f32;
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

    /// Nothing follows the last sample: sends what is known, and forgets everything.
    fn finish(&mut self, io: &mut Io<'_>) {
        if self.known == 0 {
            return;
        }
        let from = self.next;
        if self.is_cubic {
            // There is no sample behind the last one.
            self.make(0);
        }
        // The last sample holds until the next would come.
        let end = self.times[POINTS - 1].plus_nanos(self.period_ns);
        while self.moment(self.next) < end {
            let newest = self.samples.chunks_exact(POINTS).map(|samples| samples[POINTS - 1]);
            self.values.extend(newest);
            self.next += 1;
        }
        self.send(io, from);
        self.known = 0;
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
        self.is_loaded = true;
        // Moments are made one after the other up to the newest sample.
        let newest = self.first_not_before(self.times[POINTS - 1]);
        state.demand(self.known == 0 || (newest - self.next).unsigned_abs() < 1 << 32)?;
        state.end()
    }
}

impl Operator for Regrid {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let (samples, len) = (frame.samples(), frame.len());
        if self.known > 0 && io.time_of(0).since(self.times[POINTS - 1]) > self.hole_ns {
            match self.is_loaded {
                true => self.known = 0,
                false => self.finish(io),
            }
        }
        self.is_loaded = false;
        let mut from = self.next;
        for n in 0..len {
            let is_first = self.known == 0;
            self.push(io.time_of(n as i64), |channel| samples[channel * len + n]);
            if is_first {
                from = self.next;
            }
            self.make(usize::from(self.is_cubic));
        }
        self.send(io, from);
        io.promise(0, self.moment(self.next));
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.finish(io);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.finish(io);
        Ok(())
    }

    fn reset(&mut self) {
        (self.known, self.is_loaded) = (0, false);
        self.values.clear();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        put_u64(into, self.known as u64);
        put_i64(into, self.next);
        self.times.iter().for_each(|time| put_i64(into, time.nanos()));
        into.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.take_up(from).map_err(|error| Fault::new("is no state of this grid").because(error))
    }
}

#[cfg(test)]
mod tests {
    use engine::{Frame, testing::Bench};

    use super::*;

    /// Time in nanoseconds and value of everything that comes of frames at these times.
    fn on_grid(rate_hz: f64, params: &str, frames: &[(i64, &[f32])]) -> Vec<(i64, f32)> {
        let mut regrid = Bench::build(&KIND, rate_hz, params).expect("valid");
        for (ns, samples) in frames {
            regrid.push(0, Frame::signal(Timestamp::from_nanos(*ns), 1, samples));
            regrid.run();
        }
        regrid.flush();
        assert_eq!(regrid.late(), 0);
        let mut samples = Vec::new();
        for seen in regrid.take() {
            let rate = seen.format.rate().expect("a signal");
            for (n, sample) in seen.frame.samples().iter().enumerate() {
                samples.push((seen.time().nanos() + rate.span_ns(n as i64), *sample));
            }
        }
        samples
    }

    const MS: i64 = 1_000_000;

    #[test]
    fn values_lie_on_the_line_between_samples_at_whole_multiples() {
        // 100 Hz from 3 ms on, value = milliseconds; on a grid of 4 ms.
        let samples: Vec<f32> = (0..5).map(|n| 3.0 + 10.0 * n as f32).collect();
        let got = on_grid(100.0, "rate_hz = 250.0", &[(3 * MS, &samples)]);
        let want: Vec<(i64, f32)> = (1..14)
            // From 43 ms on the last sample holds, to 53 ms.
            .map(|n| (4 * n * MS, (4.0 * n as f32).min(43.0)))
            .collect();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!(got.0 == want.0 && (got.1 - want.1).abs() < 1e-5, "{got:?} is not {want:?}");
        }
    }

    #[test]
    fn a_parabola_is_exact_on_the_spline_and_a_straight_line_at_its_ends() {
        let square = |ms: f64| (ms * ms * 0.01) as f32;
        let samples: Vec<f32> = (0..20).map(|n| square(10.0 * f64::from(n))).collect();
        let got = on_grid(100.0, "rate_hz = 1000.0\nmethod = \"cubic\"", &[(0, &samples)]);
        for (ns, value) in &got[10..=180] {
            let want = square(*ns as f64 / 1e6);
            // Values of up to 361, four products of each rounded to 24 bits.
            assert!((value - want).abs() < 361.0 * 4.0 * 2f32.powi(-24), "{ns}: {value} {want}");
        }
        assert_eq!(got.len(), 200);
        // Half-way between 0 and 1, with 4 behind and -1, on the line, before: (9 (0 + 1) - 3) / 16.
        assert_eq!(got[5].1, 0.375);
    }

    #[test]
    fn two_clocks_meet_at_the_same_nanoseconds() {
        let ramp: Vec<f32> = (0..100).map(|n| n as f32).collect();
        let one = on_grid(99.97, "rate_hz = 50.0", &[(1_234_567, &ramp)]);
        let other = on_grid(130.0, "rate_hz = 50.0", &[(9_999_999, &ramp)]);
        assert_eq!(one[0].0, 20 * MS);
        assert!(one.iter().zip(&other).all(|(one, other)| one.0 == other.0));
        assert!(one.iter().all(|(ns, _)| ns % (20 * MS) == 0));
    }

    #[test]
    fn a_jump_of_time_is_not_filled() {
        let frames: [(i64, &[f32]); 3] =
            [(0, &[1.0, 2.0, 3.0]), (65 * MS, &[4.0]), (3_600_000 * MS, &[7.0, 8.0])];
        let got = on_grid(100.0, "rate_hz = 100.0", &frames);
        let times: Vec<i64> = got.iter().map(|(ns, _)| ns / MS).collect();
        // 45 ms and an hour; the sample at 65 ms holds up to 75.
        assert_eq!(times, [0, 10, 20, 70, 3_600_000, 3_600_010]);
        let bridged: [(i64, &[f32]); 2] = [(0, &[1.0, 2.0, 3.0]), (60 * MS, &[7.0])];
        let got = on_grid(100.0, "rate_hz = 100.0", &bridged);
        assert_eq!(
            got.iter().map(|(_, x)| *x).collect::<Vec<_>>(),
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        );
    }

    #[test]
    fn frames_that_are_not_where_their_rate_says_are_taken_at_their_times() {
        // The second frame is 5 ms late: nine samples at 100 Hz, then a clock that was corrected.
        let ramp: Vec<f32> = (0..9).map(|n| 10.0 * n as f32).collect();
        let late: Vec<f32> = (0..9).map(|n| 95.0 + 10.0 * n as f32).collect();
        let got = on_grid(100.0, "rate_hz = 500.0", &[(0, &ramp), (95 * MS, &late)]);
        for (ns, value) in got {
            let want = (ns as f32 * 1e-6).min(175.0);
            assert!((value - want).abs() < 1e-4, "{ns} ns: {value}");
        }
    }
}
