//! Signals cut into overlapping segments, and operators that make values of each.
//!
//! Segment m lies around sample m · `hop` of the input, wherever frames end: it begins `len / 2`
//! samples before that (SciPy's `stft` with its `boundary`). Before the input and behind it there
//! are zeros, so every moment of the input has its segment.

use std::ops::Range;

use engine::{Fault, Io, Operator};

use crate::math::state::{State, StateError, StateReader, put_u64};

/// Inputs whose channels stand side by side.
const INPUTS_MAX: usize = 2;

/// Collects the samples of each segment.
pub(crate) struct Segments {
    channels: usize,
    len: usize,
    hop: usize,
    /// Plane after plane, each with room for two segments.
    samples: Box<[f32]>,
    /// Where in each plane the segment begins and how far it is filled.
    from: usize,
    filled: usize,
    /// Samples to pass over before the segment begins, where the hop is longer than a segment.
    skip: usize,
    /// Zeros in front of the input, from where the segment begins.
    before: usize,
    /// Zeros behind the input.
    after: usize,
    /// Zeros in front of the input where it begins.
    lead: usize,
}

impl Segments {
    /// The first of which lies around the first sample.
    pub(crate) fn new(channels: usize, len: usize, hop: usize) -> Self {
        Self::led(channels, len, hop, len / 2)
    }

    /// The first of which begins with the first sample.
    pub(crate) fn from_first(channels: usize, len: usize, hop: usize) -> Self {
        Self::led(channels, len, hop, 0)
    }

    fn led(channels: usize, len: usize, hop: usize, lead: usize) -> Self {
        let samples = vec![0.0; channels * 2 * len].into();
        let mut this = Self {
            channels,
            len,
            hop,
            samples,
            from: 0,
            filled: 0,
            skip: 0,
            before: 0,
            after: 0,
            lead,
        };
        this.reset();
        this
    }

    /// The samples of a channel, once the segment is whole.
    pub(crate) fn of(&self, channel: usize) -> &[f32] {
        &self.samples[channel * 2 * self.len + self.from..][..self.len]
    }

    /// Which of them are the input's: the others are zeros around it.
    pub(crate) fn inside(&self) -> Range<usize> {
        let from = self.before.min(self.len);
        from..(self.len - self.after.min(self.len)).max(from)
    }

    /// Number of channels.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.skip == 0 && self.filled == self.from + self.len
    }

    /// Takes samples from the `at`-th of planes of `len` on, up to the end of the segment. Says how
    /// many.
    pub(crate) fn push(&mut self, frames: [&[f32]; INPUTS_MAX], len: usize, at: usize) -> usize {
        let (skipped, taken) = self.wanted(len - at);
        let at = at + skipped;
        let rooms = self.samples.chunks_exact_mut(2 * self.len);
        let planes = frames.into_iter().flat_map(|frame| frame.chunks_exact(len));
        for (room, plane) in rooms.zip(planes) {
            room[self.filled..][..taken].copy_from_slice(&plane[at..at + taken]);
        }
        self.filled += taken;
        skipped + taken
    }

    /// The same with at most `count` zeros behind the input.
    fn push_zeros(&mut self, count: usize) -> usize {
        let (skipped, taken) = self.wanted(count);
        for room in self.samples.chunks_exact_mut(2 * self.len) {
            room[self.filled..][..taken].fill(0.0);
        }
        self.filled += taken;
        self.after += skipped + taken;
        skipped + taken
    }

    /// Of `given` samples, how many are passed over and how many of the rest the segment lacks.
    fn wanted(&mut self, given: usize) -> (usize, usize) {
        let skipped = self.skip.min(given);
        self.skip -= skipped;
        (skipped, (self.from + self.len - self.filled).min(given - skipped))
    }

    /// Goes on to the next segment.
    pub(crate) fn advance(&mut self) {
        self.before = self.before.saturating_sub(self.hop);
        self.from += self.hop;
        if self.from > self.filled {
            self.skip = self.from - self.filled;
            (self.from, self.filled) = (0, 0);
        } else if self.from > self.len {
            for room in self.samples.chunks_exact_mut(2 * self.len) {
                room.copy_within(self.from..self.filled, 0);
            }
            (self.from, self.filled) = (0, self.filled - self.from);
        }
    }

    pub(crate) fn reset(&mut self) {
        let lead = self.lead;
        (self.from, self.filled, self.before) = (0, lead, lead);
        (self.skip, self.after) = (0, 0);
        for room in self.samples.chunks_exact_mut(2 * self.len) {
            room[..lead].fill(0.0);
        }
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        for number in [self.filled - self.from, self.skip, self.before] {
            put_u64(into, number as u64);
        }
        for room in self.samples.chunks_exact(2 * self.len) {
            let held = &room[self.from..self.filled];
            into.extend(held.iter().flat_map(|sample| sample.to_le_bytes()));
        }
    }

    pub(crate) fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let [mut held, mut skip, mut before] = [0; 3];
        for number in [&mut held, &mut skip, &mut before] {
            state.u64(number)?;
        }
        let (len, hop) = (self.len as u64, self.hop as u64);
        state.demand(held < len && skip <= hop && before <= self.lead as u64)?;
        (self.from, self.filled, self.skip) = (0, held as usize, skip as usize);
        (self.before, self.after) = (before as usize, 0);
        let rooms = self.samples.chunks_exact_mut(2 * self.len);
        rooms.map(|room| &mut room[..self.filled]).try_for_each(|held| state.f32s(held))
    }
}

/// Makes the values of a segment.
pub(crate) trait Analyse: Send {
    /// Fills in the values of the segment of every channel, channel after channel.
    fn analyse(&mut self, segments: &Segments, values: &mut [f32]);

    /// Forgets everything.
    fn reset(&mut self) {}

    /// Appends the state.
    fn save(&self, _into: &mut Vec<u8>) {}

    /// Takes up what `save` wrote.
    fn load(&mut self, _state: &mut State<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// An operator that says its values once a hop.
pub(crate) struct Segmented<A> {
    segments: Segments,
    analysis: A,
    /// Samples by which values come later than the moment they are about, rounded up.
    delay: usize,
    /// Values about moments before the input: all of them, and those still to leave out.
    early: usize,
    to_leave_out: usize,
    /// Samples of the last frame.
    last: Option<usize>,
}

/// The version of what `save` writes.
const VERSION: u8 = 1;

impl<A: Analyse> Segmented<A> {
    /// At rest. Values are about moments `shift` samples before the middles of segments.
    pub(crate) fn new(segments: Segments, shift: f64, analysis: A) -> Self {
        let early = (shift / segments.hop as f64 - 1e-9).ceil().max(0.0) as usize;
        let delay = (delay(segments.len, shift) - 1e-9).ceil() as usize;
        Self { segments, analysis, delay, early, to_leave_out: early, last: None }
    }

    /// The segment that ends with the sample `at` samples behind the first of the last frame.
    fn end_segment(&mut self, io: &mut Io<'_>, at: i64) {
        let mut output = io.signal(0, 1);
        let values = output.floats_mut().expect("a fresh buffer has one holder");
        self.analysis.analyse(&self.segments, values);
        self.segments.advance();
        if self.to_leave_out > 0 {
            self.to_leave_out -= 1;
        } else {
            io.send_buffer(0, io.time_of(at), output);
        }
    }

    fn take_up(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(bytes, VERSION)?);
        let mut to_leave_out = 0;
        state.u64(&mut to_leave_out)?;
        state.demand(to_leave_out <= self.early as u64)?;
        self.to_leave_out = to_leave_out as usize;
        self.segments.load(&mut state)?;
        self.analysis.load(&mut state)?;
        state.end()
    }
}

/// Samples between the moment that values are about and the last sample they are made of, where
/// that moment is `shift` samples before the middle of a segment of `len`.
pub(crate) fn delay(len: usize, shift: f64) -> f64 {
    (len - 1 - len / 2) as f64 + shift
}

impl<A: Analyse> Operator for Segmented<A> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let other = io.aligned(1).cloned();
        let frames = [frame.samples(), other.as_ref().map_or(&[], |other| other.samples())];
        let (len, mut at) = (frame.len(), 0);
        self.last = Some(len);
        while at < len {
            at += self.segments.push(frames, len, at);
            if self.segments.is_whole() {
                self.end_segment(io, at as i64 - 1);
            }
        }
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(mut at) = self.last.take() else { return Ok(()) };
        let end = at + self.delay;
        while at < end {
            at += self.segments.push_zeros(end - at);
            if self.segments.is_whole() {
                self.end_segment(io, at as i64 - 1);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.segments.reset();
        self.analysis.reset();
        self.to_leave_out = self.early;
        self.last = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        put_u64(into, self.to_leave_out as u64);
        self.segments.save(into);
        self.analysis.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.take_up(from)
            .map_err(|error| Fault::new("is no state of this operator").because(error))
    }
}
