//! Filters of constant delay that say exactly what their input spans.
//!
//! What a filter says first is about a time before its input began, and what it would say of the
//! last samples is still inside it when the input ends. This leaves the first out and brings the
//! last. What lies beyond both ends of the input is a matter of choice: see [`Beyond`].

use engine::{Fault, Io, Operator};

use crate::{kernels::Kernel, math::state::StateError};

/// What lies before the first sample and behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// Zeros.
    Zeros,
    /// The first and the last sample for ever, as far as the filter looks: so many samples.
    Edge(usize),
    /// Nothing, for filters to which NaN is a missing sample and which begin without any.
    Nothing,
}

/// A filter, and what is left to do at both ends of its input.
pub(crate) struct Spanned<K> {
    kernel: K,
    /// Whole samples of the input by which outputs are late, rounded up.
    delay: usize,
    /// Outputs still to leave out: they lie before the input.
    early: usize,
    /// Length of the last frame.
    last: Option<usize>,
    beyond: Beyond,
    /// With `Beyond::Edge`, whether the input has begun, and the last sample of each channel.
    edge: (bool, Vec<f32>),
}

impl<K: Kernel> Spanned<K> {
    /// At rest, zeros beyond both ends; outputs are late by `delay` samples of the input.
    pub(crate) fn new(kernel: K, delay: f64) -> Self {
        // Half a sample late: the first output lies half a sample before the input.
        let delay = (delay - 1e-9).ceil().max(0.0) as usize;
        let early = delay.div_ceil(kernel.factor());
        let (beyond, edge) = (Beyond::Zeros, (false, Vec::new()));
        Self { kernel, delay, early, last: None, beyond, edge }
    }

    /// The same with something else beyond the ends of these channels.
    pub(crate) fn beyond(mut self, beyond: Beyond, channels: usize) -> Self {
        self.beyond = beyond;
        if let Beyond::Edge(_) = beyond {
            self.edge.1 = vec![0.0; channels];
        }
        self
    }

    /// Lets the filter see the first samples as if they had been there for ever.
    fn begin(&mut self, input: &[f32], len: usize) {
        const AT_ONCE: usize = 64;
        let Beyond::Edge(history) = self.beyond else { return };
        let (has_begun, edge) = &mut self.edge;
        if std::mem::replace(has_begun, true) {
            return;
        }
        let mut before = engine::Buffer::signal(edge.len(), AT_ONCE);
        let mut unheard = engine::Buffer::signal(edge.len(), AT_ONCE);
        let planes = before.floats_mut().expect("a fresh buffer has one holder");
        for (plane, first) in planes.chunks_exact_mut(AT_ONCE).zip(input.iter().step_by(len)) {
            plane.fill(*first);
        }
        let unheard = unheard.floats_mut().expect("a fresh buffer has one holder");
        for _ in 0..history.div_ceil(AT_ONCE) {
            self.kernel.run(planes, unheard);
        }
    }

    /// Filters and sends the samples that lie `at` behind the first of the last frame.
    fn send(&mut self, io: &mut Io<'_>, at: usize, input: &[f32], len: usize) {
        let (first, count) = (self.kernel.to_skip(), self.kernel.output_len(len));
        let mut output = io.signal(0, count);
        self.kernel.run(input, output.floats_mut().expect("a fresh buffer has one holder"));
        let early = self.early.min(count);
        self.early -= early;
        if early == count {
            return;
        }
        if early > 0 {
            let mut rest = io.signal(0, count - early);
            let planes = rest.floats_mut().expect("a fresh buffer has one holder");
            let all = output.floats().chunks_exact(count);
            for (to, from) in planes.chunks_exact_mut(count - early).zip(all) {
                to.copy_from_slice(&from[early..]);
            }
            output = rest;
        }
        let first = at + first + early * self.kernel.factor();
        io.send_buffer(0, io.time_of(first as i64), output);
    }

    /// The state of the edge as bytes.
    fn edge_len(&self) -> usize {
        if let Beyond::Edge(_) = self.beyond { 1 + 4 * self.edge.1.len() } else { 0 }
    }
}

impl<K: Kernel> Operator for Spanned<K> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let (samples, len) = (frame.samples(), frame.len());
        self.last = Some(len);
        self.begin(samples, len);
        for (edge, plane) in self.edge.1.iter_mut().zip(samples.chunks_exact(len)) {
            *edge = plane[len - 1];
        }
        self.send(io, 0, samples, len);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(mut at) = self.last.take() else { return Ok(()) };
        let signal = io.input_format(0).as_signal().expect("a filter takes signals");
        let (channels, longest) = (signal.channels.len(), signal.frame_len);
        let end = at + self.delay;
        while at < end {
            let len = longest.min(end - at);
            let mut behind = engine::Buffer::signal(channels, len);
            let planes = behind.floats_mut().expect("a fresh buffer has one holder");
            planes.fill(if self.beyond == Beyond::Nothing { f32::NAN } else { 0.0 });
            for (plane, edge) in planes.chunks_exact_mut(len).zip(&self.edge.1) {
                plane.fill(*edge);
            }
            self.send(io, at, behind.floats(), len);
            at += len;
        }
        Ok(())
    }

    // A gap is told as it is by default: what was inside is lost with what is missing. Ended with zeros
    // it would come long after a silent device's bound, and as samples like any other.

    fn reset(&mut self) {
        self.kernel.reset();
        self.early = self.delay.div_ceil(self.kernel.factor());
        self.last = None;
        self.edge.0 = false;
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.kernel.save(into);
        into.extend((self.early as u32).to_le_bytes());
        if let Beyond::Edge(_) = self.beyond {
            into.push(u8::from(self.edge.0));
            into.extend(self.edge.1.iter().flat_map(|sample| sample.to_le_bytes()));
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let told = |error| Fault::new("is no state of this filter").because(error);
        let at = from.len().checked_sub(self.edge_len()).ok_or(told(StateError::Length))?;
        let (rest, edge) = from.split_at(at);
        let (state, early) = rest.split_last_chunk().ok_or(told(StateError::Length))?;
        let early = u32::from_le_bytes(*early) as usize;
        let has_begun = edge.first().copied().unwrap_or(0);
        if early > self.delay.div_ceil(self.kernel.factor()) || has_begun > 1 {
            return Err(told(StateError::Content));
        }
        self.kernel.load(state).map_err(told)?;
        self.early = early;
        self.edge.0 = has_begun == 1;
        let samples = edge.get(1..).unwrap_or_default().as_chunks().0;
        for (to, from) in self.edge.1.iter_mut().zip(samples) {
            *to = f32::from_le_bytes(*from);
        }
        Ok(())
    }
}
