//! [`Apart`]: a body in cache lines of its own.
//!
//! Bodies are small and written with every frame. Those of two sessions, allocated one after the
//! other, would share a line, for which their cores would contend: 100 ns a frame where that was
//! measured. Two lines, since processors fetch them in pairs.

use std::task::Waker;

use crate::{fault::Fault, frame::Frame, io::Io, kind::Node, time::Timestamp};

use super::{Block, Flow, GapNotice, Operator, Sink, Source};

/// What it holds, and nothing else in the same two cache lines. Passes every call on.
#[repr(align(128))]
pub(super) struct Apart<B>(pub(super) B);

impl<B: Source> Source for Apart<B> {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.0.next(io)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.0.reset()
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.0.retune(node)
    }

    fn may_be_early_ns(&self) -> i64 {
        self.0.may_be_early_ns()
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }
}

impl<B: Operator> Operator for Apart<B> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.process(io)
    }

    fn due(&self) -> Option<Timestamp> {
        self.0.due()
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.on_due(due, io)
    }

    fn gap(&mut self, gap: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.gap(gap, io)
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.flush(io)
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.0.retune(node)
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.0.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.0.load(from)
    }
}

impl<B: Block> Block for Apart<B> {
    fn block(&mut self, channels: usize, input: &[f32], output: &mut [f32]) {
        self.0.block(channels, input, output);
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.0.retune(node)
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.0.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.0.load(from)
    }
}

impl<B: Sink> Sink for Apart<B> {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        self.0.take(line, frame)
    }

    fn has_room(&mut self, waker: &Waker) -> bool {
        self.0.has_room(waker)
    }

    fn bound(&mut self, line: usize, bound: Timestamp) -> Result<(), Fault> {
        self.0.bound(line, bound)
    }

    fn wants_bounds(&self) -> Option<i64> {
        self.0.wants_bounds()
    }

    fn idle(&mut self) -> Result<(), Fault> {
        self.0.idle()
    }

    fn flush(&mut self, line: usize) -> Result<(), Fault> {
        self.0.flush(line)
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.0.finish()
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }
}

#[cfg(test)]
mod tests {
    /// A method added to a body with a default would be lost on the way to the body unseen.
    #[test]
    fn every_method_of_a_body_is_passed_on() {
        let names = |text: &str, from: &str| -> Vec<String> {
            let rest = text.split(from).nth(1).expect("stands there");
            let body = rest.split("\n}").next().expect("ends");
            let names = body.lines().filter_map(|line| line.strip_prefix("    fn "));
            let mut names: Vec<String> =
                names.map(|name| name.split('(').next().expect("a name").to_owned()).collect();
            names.sort();
            names
        };
        let (bodies, passed) = (include_str!("../body.rs"), include_str!("apart.rs"));
        for body in ["Source", "Operator", "Block", "Sink"] {
            let declared = names(bodies, &format!("pub trait {body}: Send {{"));
            assert!(declared.len() > 2, "{body}: {declared:?}");
            assert_eq!(names(passed, &format!("> {body} for Apart<B> {{")), declared, "{body}");
        }
    }
}
