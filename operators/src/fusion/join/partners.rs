//! What may belong to an event: events, or samples, around its moment.

use std::collections::VecDeque;

use engine::{Buffer, EventFormat, EventReader, Frame, Grid, Header, Io, Rate, Timestamp};

use crate::math::state::{State, StateError};

/// Events that may still belong to one.
pub(super) struct Events {
    /// Numbers of the key in both streams.
    keys: Option<[usize; 2]>,
    /// How far before an event and behind it the other may be.
    reach_ns: [i64; 2],
    frames: VecDeque<Frame>,
}

impl Events {
    pub(super) const fn new(keys: Option<[usize; 2]>, reach_ns: [i64; 2]) -> Self {
        Self { keys, reach_ns, frames: VecDeque::new() }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
    }

    pub(super) fn forget_before(&mut self, time_ns: i64) {
        while self.frames.front().is_some_and(|frame| frame.header.time.nanos() < time_ns) {
            self.frames.pop_front();
        }
    }

    /// The nearest to an event at `time_ns`; the earlier of two.
    pub(super) fn nearest(
        &self,
        event: &EventReader<'_>,
        time_ns: i64,
        format: &EventFormat,
    ) -> Option<&Frame> {
        let [before_ns, after_ns] = self.reach_ns;
        let off_ns = |frame: &Frame| frame.header.time.nanos() - time_ns;
        let fits = |frame: &&Frame| {
            let is_same = self.keys.is_none_or(|[ours, theirs]| {
                let key = event.field(ours);
                key.is_some() && key == EventReader::new(format, frame).field(theirs)
            });
            is_same && (-before_ns..=after_ns).contains(&off_ns(frame))
        };
        self.frames.iter().filter(fits).min_by_key(|frame| off_ns(frame).abs())
    }

    pub(super) fn save(&self, state: &mut State<'_>) {
        state.u64(&mut (self.frames.len() as u64)).expect("only loading can fail");
        self.frames.iter().for_each(|frame| put_frame(state, frame));
    }

    pub(super) fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut count = 0;
        state.u64(&mut count)?;
        for _ in 0..count {
            self.frames.push_back(read_frame(state)?);
        }
        Ok(())
    }
}

/// Samples around the moments of events.
pub(super) struct Samples {
    is_linear: bool,
    /// Of the frames that were merged: others may have come in since.
    grid: Grid,
    channels: usize,
    times: VecDeque<i64>,
    /// Those of one moment side by side.
    values: VecDeque<f32>,
}

impl Samples {
    pub(super) fn new(is_linear: bool, rate: Rate) -> Self {
        let grid = Grid::new(rate);
        Self { is_linear, grid, channels: 0, times: VecDeque::new(), values: VecDeque::new() }
    }

    /// Takes the frame at hand; a moment at which not every sample is a number is none.
    pub(super) fn push(&mut self, io: &Io<'_>) {
        let frame = io.frame();
        let len = frame.len();
        self.channels = frame.samples().len() / len.max(1);
        self.grid.enter(frame.header.time, len);
        for n in 0..len {
            let moment = || frame.samples().iter().skip(n).step_by(len);
            if moment().all(|sample| sample.is_finite()) {
                self.times.push_back(self.grid.time_of(n as i64).nanos());
                self.values.extend(moment());
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.grid = Grid::new(self.grid.rate());
        self.times.clear();
        self.values.clear();
    }

    pub(super) fn forget_before(&mut self, time_ns: i64) {
        while self.times.front().is_some_and(|time| *time < time_ns) {
            self.times.pop_front();
            self.values.drain(..self.channels);
        }
    }

    /// What the signal is at `time_ns`, into `samples`; gives how much later the nearest sample is.
    pub(super) fn at(&self, time_ns: i64, reach_ns: i64, samples: &mut Vec<f32>) -> Option<i64> {
        let behind = self.times.partition_point(|time| *time <= time_ns);
        let off_ns = |n: usize| self.times.get(n).map(|time| time - time_ns);
        let before = behind.checked_sub(1).and_then(|n| Some((n, off_ns(n)?)));
        let after = off_ns(behind).map(|off_ns| (behind, off_ns));
        let near = |found: &(usize, i64)| found.1.abs() <= reach_ns;
        let (before, after) = (before.filter(near), after.filter(near));
        let nearest = match (before, after) {
            (Some(before), Some(after)) if after.1 < -before.1 => after,
            (one, other) => one.or(other)?,
        };
        samples.clear();
        let value = |n: usize, channel: usize| self.values[n * self.channels + channel];
        match (before, after) {
            (_, _) if nearest.1 == 0 || !self.is_linear => {
                samples.extend((0..self.channels).map(|channel| value(nearest.0, channel)));
            }
            (Some((one, early_ns)), Some((other, late_ns))) => {
                let part = -early_ns as f64 / (late_ns - early_ns) as f64;
                samples.extend((0..self.channels).map(|channel| {
                    let (a, b) = (f64::from(value(one, channel)), f64::from(value(other, channel)));
                    (a + part * (b - a)) as f32
                }));
            }
            // There is nothing to draw a line to.
            _ => return None,
        }
        Some(nearest.1)
    }

    pub(super) fn save(&self, state: &mut State<'_>) {
        let mut pass = || {
            state.u64(&mut (self.channels as u64))?;
            state.u64(&mut (self.times.len() as u64))?;
            self.times.iter().try_for_each(|time| state.i64(&mut { *time }))?;
            self.values.iter().try_for_each(|value| state.f32(&mut { *value }))
        };
        pass().expect("only loading can fail");
    }

    pub(super) fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let (mut channels, mut count) = (0, 0);
        state.u64(&mut channels)?;
        state.u64(&mut count)?;
        state.demand(channels <= 65_536)?;
        self.channels = channels as usize;
        for _ in 0..count {
            let mut time = 0;
            state.i64(&mut time)?;
            self.times.push_back(time);
        }
        for _ in 0..count.saturating_mul(channels) {
            let mut value = 0.0;
            state.f32(&mut value)?;
            self.values.push_back(value);
        }
        Ok(())
    }
}

/// Saves an event: what of its header what it causes will carry, and its bytes.
pub(super) fn put_frame(state: &mut State<'_>, frame: &Frame) {
    let Header { time, entered, tag, uncertainty_ns, source, .. } = frame.header;
    let bytes = frame.buffer().bytes();
    let mut pass = || {
        state.i64(&mut time.nanos())?;
        state.i64(&mut entered.nanos())?;
        state.u64(&mut { tag })?;
        state.u32(&mut { uncertainty_ns })?;
        state.u32(&mut { source })?;
        state.u64(&mut (bytes.len() as u64))?;
        bytes.iter().try_for_each(|byte| state.u8(&mut { *byte }))
    };
    pass().expect("only loading can fail");
}

/// Events have at most so many bytes.
const EVENT_BYTES_MAX: u64 = 1 << 24;

pub(super) fn read_frame(state: &mut State<'_>) -> Result<Frame, StateError> {
    let (mut time, mut entered, mut len) = (0, 0, 0);
    let mut header = Header::at(Timestamp::ZERO);
    state.i64(&mut time)?;
    state.i64(&mut entered)?;
    state.u64(&mut header.tag)?;
    state.u32(&mut header.uncertainty_ns)?;
    state.u32(&mut header.source)?;
    state.u64(&mut len)?;
    state.demand(len <= EVENT_BYTES_MAX)?;
    header.time = Timestamp::from_nanos(time);
    header.entered = Timestamp::from_nanos(entered);
    let mut buffer = Buffer::with_bytes(len as usize, 1);
    let bytes = buffer.bytes_mut().expect("a fresh buffer has one holder");
    bytes.iter_mut().try_for_each(|byte| state.u8(byte))?;
    Ok(Frame::new(header, buffer))
}
