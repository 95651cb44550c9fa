//! Filters of constant delay that say exactly what their input spans.
//!
//! What a filter says first is about a time before its input began, and what it would say of the
//! last samples is still inside it when the input ends. This leaves the first out and brings the
//! last: beyond both ends of the input there are zeros.

use engine::{Fault, Io, Operator};

use crate::{kernels::Kernel, math::state::StateError};

/// A filter, and what is left to do at both ends of its input.
pub(crate) struct Spanned<K> {
    kernel: K,
    /// Whole samples of the input by which outputs are late, rounded up.
    delay: usize,
    /// Outputs still to leave out: they lie before the input.
    early: usize,
    /// Length of the last frame.
    last: Option<usize>,
}

impl<K: Kernel> Spanned<K> {
    /// At rest; outputs are late by `delay` samples of the input.
    pub(crate) fn new(kernel: K, delay: f64) -> Self {
        // Half a sample late: the first output lies half a sample before the input.
        let delay = (delay - 1e-9).ceil().max(0.0) as usize;
        let early = delay.div_ceil(kernel.factor());
        Self { kernel, delay, early, last: None }
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
}

impl<K: Kernel> Operator for Spanned<K> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        self.last = Some(frame.len());
        self.send(io, 0, frame.samples(), frame.len());
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(mut at) = self.last.take() else { return Ok(()) };
        let signal = io.input_format(0).as_signal().expect("a filter takes signals");
        let (channels, longest) = (signal.channels.len(), signal.frame_len);
        let end = at + self.delay;
        while at < end {
            let len = longest.min(end - at);
            let mut zeros = engine::Buffer::signal(channels, len);
            zeros.floats_mut().expect("a fresh buffer has one holder").fill(0.0);
            self.send(io, at, zeros.floats(), len);
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
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.kernel.save(into);
        into.extend((self.early as u32).to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let told = |error| Fault::new("is no state of this filter").because(error);
        let (state, early) = from.split_last_chunk().ok_or(told(StateError::Length))?;
        let early = u32::from_le_bytes(*early) as usize;
        if early > self.delay.div_ceil(self.kernel.factor()) {
            return Err(told(StateError::Content));
        }
        self.kernel.load(state).map_err(told)?;
        self.early = early;
        Ok(())
    }
}
