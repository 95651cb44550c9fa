//! What sources of synthetic bodies have in common.

use engine::{EventWriter, Fault, Flow, Io, Node, Rate, Source, Timestamp};

use crate::math::synthetic::Model;

/// A model whose truth can be told.
pub(super) trait Told: Model + Send {
    /// What there is to say of a truth.
    fn describe(truth: &Self::Truth, event: EventWriter) -> EventWriter;
}

/// Samples on the first port, the truth about them on the second, if there is one.
pub(super) struct Synthetic<M> {
    model: M,
    rate: Rate,
    frame_len: usize,
    samples: Option<u64>,
    /// Whether there is a port for the truth.
    tells: bool,
}

impl<M: Told> Synthetic<M> {
    pub(super) fn new(node: &Node<'_>, model: M, seconds: Option<f64>) -> Self {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let (rate, frame_len) = (signal.rate, signal.frame_len);
        let samples = seconds.map(|seconds| (seconds * rate.hz()).round() as u64);
        let tells = node.kind().outputs.len() > 1;
        Self { model, rate, frame_len, samples, tells }
    }
}

impl<M: Told> Source for Synthetic<M> {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.model.position();
        let left = self.samples.map_or(u64::MAX, |samples| samples - first);
        let len = (self.frame_len as u64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let mut buffer = io.signal(0, len);
        self.model.fill(buffer.floats_mut().expect("a fresh buffer has one holder"));
        let time = Timestamp::from_nanos(self.rate.span_ns(first as i64));
        io.send_buffer(0, time, buffer);
        while let Some((time_ns, truth)) = self.model.pop() {
            if !self.tells {
                continue;
            }
            let event = M::describe(&truth, io.event_for(1));
            io.send_event(1, Timestamp::from_nanos(time_ns), event);
        }
        Ok(if left == len as u64 { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.model.reset();
        Ok(())
    }
}
