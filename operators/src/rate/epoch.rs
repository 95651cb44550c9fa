//! `epoch`: the piece of a signal around each event, such as a model takes or an average is made of.
//!
//! Piece m holds the samples from `tmin_s` to `tmax_s` around the sample nearest to event m, one row
//! for each channel, as MNE's `Epochs` cuts them:
//!
//! ```text
//! W[m][c, n] = x_c[k_m + round(tmin · rate) + n],    n = 0 … round(tmax · rate) − round(tmin · rate)
//! ```
//!
//! | port     | carries                                                        |
//! |----------|----------------------------------------------------------------|
//! | `in`     | any signal                                                     |
//! | `events` | events of any kind                                             |
//! | `out`    | a tensor of f32, channels × samples, for each event            |
//!
//! With `baseline = "mean"` the mean of each row before its event, the event's sample included, is taken off
//! (MNE's `baseline = (None, 0)`).
//!
//! A piece carries the moment of its event and comes when its last sample is there: that is its
//! look-back. An event too near to the start or the end of the signal, or to a gap, has no piece; how
//! many had none is told at the end. **Delay**: none. **NaN** passes as it is, and makes NaN of a row
//! whose baseline it is in. **Cost**: two copies of every sample, and one of a piece for each event.

use std::collections::VecDeque;

use engine::{
    Body, Buffer, Code, Diagnostic, Dimension, Element, Fault, Format, GapNotice, Io, Kind, Node,
    Operator, Outline, Param, Policy, Port, Rate, TensorFormat, Timestamp,
};

use crate::{
    bodies::{Seam, load},
    math::state::{put_i64, put_u64},
    spectrum::cut::LEN_MAX,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "epoch",
    summary: "The piece of a signal around each event.",
    doc: "A tensor of f32, channels x samples, for every event: the samples from tmin_s to tmax_s around \
          the one nearest to it, both ends included, as MNE's Epochs cuts them. baseline = \"mean\" takes \
          off the mean of each row up to the event. A piece carries the moment of its event and comes \
          when its last sample is there, which is its look-back. An event too near to the start or the \
          end of the signal, or to a gap, has no piece, and how many had none is told at the end. Delay: \
          none. NaN passes as it is. Cost: two copies of every sample, and one of a piece for each event. \
          Source: MNE 1.13, mne.Epochs.",
    example: "tmin_s = -0.2\ntmax_s = 0.5",
    inputs: &[Port::signal("in"), Port::event("events").fed_by(&["qrs", "peaks", "threshold"])],
    outputs: &[Port::tensor("out")],
    params: &[&TMIN_S, &TMAX_S, &BASELINE],
    policy: Policy::Merge,
    plan: |node| {
        let (from, to) = ends(node)?;
        let signal = node.signal("in");
        if node.get(&BASELINE)? == "mean" && from > 0 {
            let message = "`baseline` is the mean up to the event, which lies before `tmin_s`";
            let problem = node.problem(Code::NoEffect, BASELINE.name(), message);
            return Err(problem.hint("begin at tmin_s = 0.0 or before").into());
        }
        let len = (to - from + 1) as usize;
        let shape = vec![Dimension::Fixed(signal.channels.len()), Dimension::Fixed(len)];
        let format = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        // The sample nearest to the event may lie half a period behind it, the next a whole one.
        let reach_ns = signal.rate.span_ns(to.max(0) + 2);
        // The next event may be long in coming: the signal goes on to the end of the piece without it.
        let whole_ns = signal.rate.span_ns(to.max(0) + 1);
        let align = node.join(Policy::Merge, None).ahead(whole_ns);
        Ok(Outline::of([format]).looking_back(reach_ns).joining(align))
    },
    build: |node| {
        let (from, to) = ends(node)?;
        let signal = node.signal("in");
        let channels = signal.channels.len();
        let events = node.input("events").as_event().expect("the port takes events");
        // From the first sample of a piece to the last of the frame in which it ends.
        let behind = (to.max(0) - from.min(0)) as usize + 4;
        let room = behind + signal.frame_len;
        let span_s = room as f64 * signal.rate.period_ns() * 1e-9;
        let waiting = (events.rate_max * span_s).ceil() as usize + 2;
        Ok(Body::operator(Epoch {
            rate: signal.rate,
            from,
            len: (to - from + 1) as usize,
            takes_mean: node.get(&BASELINE)? == "mean",
            room,
            past: vec![0.0; channels * 2 * room].into(),
            channels,
            taken: 0,
            origin: None,
            seam: Seam::NONE,
            waiting: VecDeque::with_capacity(waiting),
            lost: 0,
        }))
    },
    ..Kind::BASE
};

const TMIN_S: Param<f64> =
    Param::with_default("tmin_s", -0.2, "Where a piece begins, from its event.")
        .within(-86_400.0, 86_400.0);
const TMAX_S: Param<f64> =
    Param::with_default("tmax_s", 0.5, "Where it ends.").within(-86_400.0, 86_400.0);
const BASELINE: Param<&str> = Param::with_default(
    "baseline",
    "none",
    "What is taken off: the mean up to the event, or none.",
)
.one_of(&["mean", "none"]);

/// The first and the last sample of a piece, from that of its event.
fn ends(node: &Node<'_>) -> Result<(i64, i64), Diagnostic> {
    let rate_hz = node.rate_hz("in");
    let sample = |seconds: f64| (seconds * rate_hz).round_ties_even();
    let (from, to) = (sample(node.get(&TMIN_S)?), sample(node.get(&TMAX_S)?));
    let reach = to.max(0.0) - from.min(0.0);
    if to < from {
        let message = "`tmax_s` lies before `tmin_s`";
        let problem = node.problem(Code::OutOfRange, TMAX_S.name(), message);
        return Err(problem.hint("choose a later tmax_s"));
    }
    if reach >= LEN_MAX {
        let message = format!("{reach} samples lie between an event and the ends of its piece");
        let problem = node.problem(Code::OutOfRange, TMAX_S.name(), message);
        return Err(problem.hint(format!("choose less than {:.1} s", LEN_MAX / rate_hz)));
    }
    Ok((from as i64, to as i64))
}

/// Times of frames on one grid are rounded, each for itself.
const GRID_NS: u64 = 2;
/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Epoch {
    rate: Rate,
    /// Where a piece begins, from its event, and its length.
    from: i64,
    len: usize,
    takes_mean: bool,
    /// So many samples of each channel are kept, each twice, so that any piece is one slice.
    room: usize,
    past: Box<[f32]>,
    channels: usize,
    /// Samples taken since the signal began.
    taken: i64,
    /// Number and moment of a sample, from which events are counted: the first of the first frame, or of a
    /// later one that lay beside the grid.
    origin: Option<(i64, Timestamp)>,
    seam: Seam,
    /// Events whose piece is not whole: their samples and moments.
    waiting: VecDeque<(i64, Timestamp)>,
    /// Events without a piece.
    lost: u64,
}

impl Epoch {
    /// Whether the next sample is counted right from the origin. Where it is, the origin stays: which
    /// sample an event half-way between two is nearest to must not hang on where frames end.
    fn is_on_grid(&self, time: Timestamp) -> bool {
        self.origin.is_some_and(|(number, at)| {
            let due = at.plus_nanos(self.rate.span_ns(self.taken - number));
            time.since(due).unsigned_abs() <= GRID_NS
        })
    }

    fn event(&mut self, time: Timestamp) {
        let Some((first, at)) = self.origin else {
            self.lost += 1;
            return;
        };
        // Halves go to the even one, as MNE's do.
        let samples = (time.since(at) as f64 / self.rate.period_ns()).round_ties_even() as i64;
        if self.waiting.len() == self.waiting.capacity() {
            // More events than their format allows.
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back((first + samples, time));
    }

    fn take(&mut self, samples: &[f32], len: usize) {
        for (room, plane) in
            self.past.chunks_exact_mut(2 * self.room).zip(samples.chunks_exact(len.max(1)))
        {
            for (number, &x) in (self.taken..).zip(plane) {
                let place = number as usize % self.room;
                (room[place], room[place + self.room]) = (x, x);
            }
        }
        self.taken += len as i64;
    }

    /// Sends the pieces that are whole.
    fn send_whole(&mut self, io: &mut Io<'_>) {
        while let Some(&(number, time)) = self.waiting.front() {
            let first = number + self.from;
            if first + self.len as i64 > self.taken {
                return;
            }
            self.waiting.pop_front();
            if first < (self.taken - self.room as i64).max(0) {
                self.lost += 1;
                continue;
            }
            let mut piece = Buffer::signal(self.channels, self.len);
            let rows = piece.floats_mut().expect("a fresh buffer has one holder");
            let place = first as usize % self.room;
            let before = (1 - self.from).clamp(0, self.len as i64) as usize;
            for (row, room) in
                rows.chunks_exact_mut(self.len).zip(self.past.chunks_exact(2 * self.room))
            {
                row.copy_from_slice(&room[place..place + self.len]);
                if self.takes_mean {
                    let sum: f64 = row[..before].iter().map(|x| f64::from(*x)).sum();
                    let mean = sum / before as f64;
                    row.iter_mut().for_each(|x| *x = (f64::from(*x) - mean) as f32);
                }
            }
            io.send_buffer(0, time, piece);
        }
    }

    /// The signal ends here: what waits will never be whole.
    fn cut(&mut self) {
        self.lost += self.waiting.len() as u64;
        self.waiting.clear();
        (self.taken, self.origin) = (0, None);
    }
}

impl Operator for Epoch {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        if io.port() == 1 {
            self.event(frame.header.time);
        } else {
            if !self.seam.is_followed(io) {
                self.cut();
            }
            self.seam.advance(io);
            if !self.is_on_grid(frame.header.time) {
                self.origin = Some((self.taken, frame.header.time));
            }
            self.take(frame.samples(), frame.len());
        }
        self.send_whole(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.port() == 0 {
            self.cut();
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Io<'_>) -> Result<(), Fault> {
        self.cut();
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let plural = if self.lost == 1 { "event has" } else { "events have" };
        (self.lost > 0).then(|| format!("{} {plural} no piece: too near to an end", self.lost))
    }

    fn reset(&mut self) {
        self.cut();
        (self.lost, self.seam) = (0, Seam::NONE);
    }

    fn save(&self, into: &mut Vec<u8>) {
        let kept = self.taken.min(self.room as i64);
        into.reserve(64 + 16 * self.waiting.capacity() + 4 * self.channels * self.room);
        into.push(VERSION);
        put_i64(into, self.taken);
        put_i64(into, self.origin.map_or(-1, |(first, _)| first));
        put_i64(into, self.origin.map_or(0, |(_, time)| time.nanos()));
        put_i64(into, self.seam.end.nanos());
        put_u64(into, self.lost);
        put_u64(into, self.waiting.len() as u64);
        for (number, time) in &self.waiting {
            put_i64(into, *number);
            put_i64(into, time.nanos());
        }
        for room in self.past.chunks_exact(2 * self.room) {
            for number in self.taken - kept..self.taken {
                into.extend_from_slice(&room[number as usize % self.room].to_le_bytes());
            }
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        load("is no state of `epoch`", VERSION, from, |state| {
            let (mut first, mut time_ns, mut end_ns, mut waiting) = (0, 0, 0, 0);
            state.i64(&mut self.taken)?;
            state.i64(&mut first)?;
            state.i64(&mut time_ns)?;
            state.i64(&mut end_ns)?;
            self.seam = Seam::loaded(Timestamp::from_nanos(end_ns));
            state.u64(&mut self.lost)?;
            state.u64(&mut waiting)?;
            state
                .demand((0..1 << 62).contains(&self.taken) && (-1..=self.taken).contains(&first))?;
            state.demand(waiting <= self.waiting.capacity() as u64)?;
            self.origin = (first >= 0).then_some((first, Timestamp::from_nanos(time_ns)));
            for _ in 0..waiting {
                let (mut number, mut time_ns) = (0, 0);
                state.i64(&mut number)?;
                state.i64(&mut time_ns)?;
                state.demand(number.unsigned_abs() < 1 << 62)?;
                self.waiting.push_back((number, Timestamp::from_nanos(time_ns)));
            }
            let kept = self.taken.min(self.room as i64);
            for room in self.past.chunks_exact_mut(2 * self.room) {
                for number in self.taken - kept..self.taken {
                    let place = number as usize % self.room;
                    state.f32(&mut room[place])?;
                    room[place + self.room] = room[place];
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{Frame, testing::Bench};

    use super::*;

    const MS: i64 = 1_000_000;

    /// Moment in milliseconds and samples of the pieces of two ramps of 60 samples at 100 Hz, the first of
    /// which rises by 1 a sample and the other falls, around events at these milliseconds.
    fn pieces(
        params: &str,
        frame: usize,
        events: &[i64],
    ) -> (Vec<(i64, Vec<f32>)>, Option<String>) {
        let inputs =
            [("in", Bench::channels(2, 100.0)), ("events", Format::event(Vec::new(), 100.0))];
        let mut epoch = Bench::with(&KIND, &inputs, params).expect("valid");
        for &ms in events {
            epoch.push(1, Bench::event_at(Timestamp::from_nanos(ms * MS)));
        }
        let ramp: Vec<f32> = (0..60).map(|n| n as f32).collect();
        for (number, part) in ramp.chunks(frame).enumerate() {
            let both: Vec<f32> = part.iter().copied().chain(part.iter().map(|x| -x)).collect();
            let time = Timestamp::from_nanos((number * frame) as i64 * 10 * MS);
            epoch.push(0, Frame::signal(time, 2, &both));
        }
        epoch.flush();
        assert_eq!(epoch.late(), 0);
        let seen = epoch.take();
        let pieces =
            seen.iter().map(|s| (s.time().nanos() / MS, s.frame.samples().to_vec())).collect();
        (pieces, epoch.remark())
    }

    #[test]
    fn a_piece_lies_around_its_event_wherever_frames_end() {
        for frame in [1, 7, 60] {
            let (got, told) = pieces("tmin_s = -0.02\ntmax_s = 0.01", frame, &[104, 126, 400]);
            let piece = |first: i64| {
                let ramp: Vec<f32> = (first..first + 4).map(|x| x as f32).collect();
                ramp.iter().copied().chain(ramp.iter().map(|x| -x)).collect::<Vec<_>>()
            };
            assert_eq!(got, [(104, piece(8)), (126, piece(11)), (400, piece(38))], "{frame}");
            assert_eq!(told, None);
        }
    }

    #[test]
    fn a_piece_comes_once_it_is_whole_however_long_the_next_event_takes() {
        for (tmin_s, tmax_s, whole) in [(-0.02, 0.01, 21), (-0.02, 0.3, 50), (-0.1, -0.05, 20)] {
            let inputs =
                [("in", Bench::channels(1, 100.0)), ("events", Format::event(Vec::new(), 100.0))];
            let params = format!("tmin_s = {tmin_s:?}\ntmax_s = {tmax_s:?}");
            let mut epoch = Bench::with(&KIND, &inputs, &params).expect("valid");
            let mut came = None;
            for n in 0..200_i64 {
                epoch.push(0, Frame::signal(Timestamp::from_nanos(n * 10 * MS), 1, &[n as f32]));
                if n == 25 {
                    // Found 50 ms after it was; none is known to come for a while.
                    epoch.push(1, Bench::event_at(Timestamp::from_nanos(200 * MS)));
                }
                epoch.run();
                if !epoch.take().is_empty() {
                    assert_eq!(came.replace(n), None, "once");
                }
            }
            let came = came.expect("without another event");
            let due = whole.max(25);
            assert!(
                (due..=due + 3).contains(&came),
                "{params}: at sample {came}, whole with {whole}"
            );
        }
    }

    #[test]
    fn pieces_that_stick_out_are_none_and_counted() {
        let (got, told) = pieces("tmin_s = -0.05\ntmax_s = 0.05", 10, &[40, 50, 540, 550]);
        assert_eq!(got.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(), [50, 540]);
        assert_eq!(told.as_deref(), Some("2 events have no piece: too near to an end"));
    }

    #[test]
    fn ends_between_samples_are_those_of_mne() {
        // What MNE 1.13.2 says of the same ramp, an event at sample 20 and these ends.
        let (got, _) = pieces("tmin_s = -0.025\ntmax_s = 0.015", 10, &[200]);
        assert_eq!(got[0].1[..5], [18.0, 19.0, 20.0, 21.0, 22.0]);
        assert_eq!(got[0].1.len(), 10);
    }

    #[test]
    fn the_baseline_is_the_mean_up_to_the_event() {
        let (got, _) = pieces("tmin_s = -0.02\ntmax_s = 0.01\nbaseline = \"mean\"", 10, &[200]);
        // As MNE's `baseline=(None, 0)`.
        assert_eq!(got[0].1, [-1.0, 0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0]);
    }

    #[test]
    fn a_piece_may_lie_beside_its_event() {
        let (got, _) = pieces("tmin_s = 0.1\ntmax_s = 0.11", 10, &[200]);
        assert_eq!(got[0].1[..2], [30.0, 31.0]);
        let (got, _) = pieces("tmin_s = -0.11\ntmax_s = -0.1", 10, &[200, 590]);
        assert_eq!((got[0].1[..2].to_vec(), got[1].1[0]), (vec![9.0, 10.0], 48.0));
    }

    #[test]
    fn an_event_between_two_samples_has_one_piece_wherever_frames_end() {
        // A sample of 1 024 a second is 976 562.5 ns: half-way between the first and the second one.
        let of = |frame: usize| {
            let inputs =
                [("in", Bench::channels(1, 1_024.0)), ("events", Format::event(Vec::new(), 100.0))];
            let params = "tmin_s = 0.0\ntmax_s = 0.0";
            let mut epoch = Bench::with(&KIND, &inputs, params).expect("valid");
            for n in 0..20 {
                let time = Timestamp::from_nanos((n as f64 * 976_562.5 + 488_281.0) as i64);
                epoch.push(1, Bench::event_at(time));
            }
            let ramp: Vec<f32> = (0..30).map(|n| n as f32).collect();
            for part in ramp.chunks(frame) {
                epoch.push_samples(0, part);
            }
            epoch.flush();
            epoch.take().iter().map(|seen| seen.frame.samples()[0]).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(30));
        assert_eq!(of(1), of(7));
    }

    #[test]
    fn a_state_older_than_the_frame_cuts_no_piece_across() {
        let inputs =
            [("in", Bench::channels(1, 100.0)), ("events", Format::event(Vec::new(), 100.0))];
        let params = "tmin_s = -0.1\ntmax_s = 0.1";
        let mut epoch = Bench::with(&KIND, &inputs, params).expect("valid");
        let ramp: Vec<f32> = (0..50).map(|n| n as f32).collect();
        epoch.push_samples(0, &ramp);
        epoch.push(1, Bench::event_at(Timestamp::from_nanos(450 * MS)));
        epoch.run();
        let state = epoch.save();
        epoch.restart(&state).expect("its own");
        epoch.push(0, Frame::signal(Timestamp::from_nanos(800 * MS), 1, &ramp));
        epoch.push(1, Bench::event_at(Timestamp::from_nanos(1_000 * MS)));
        epoch.flush();
        let firsts: Vec<f32> = epoch.take().iter().map(|seen| seen.frame.samples()[0]).collect();
        // That of the event at 450 ms would need samples that are lost.
        assert_eq!(firsts, [10.0]);
    }

    #[test]
    fn what_cannot_be_is_explained() {
        for (params, told) in [
            ("tmin_s = 0.5\ntmax_s = 0.1", "`tmax_s` lies before `tmin_s`"),
            ("tmax_s = 86400.0", "samples lie between an event and the ends of its piece"),
            ("tmin_s = 0.1\nbaseline = \"mean\"", "which lies before `tmin_s`"),
        ] {
            let inputs =
                [("in", Bench::channels(1, 100.0)), ("events", Format::event(Vec::new(), 1.0))];
            let problem = Bench::with(&KIND, &inputs, params).err().expect("refused").to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }
}
