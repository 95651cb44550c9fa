//! The four bodies: [`Source`], [`Operator`], [`Call`] and [`Sink`], and what they see.
//!
//! An operator computes and never waits; most are even simpler, a [`Map`] from
//! the samples of a channel to as many samples, and need to know nothing of
//! frames. Sources that generate (files, synthetic signals) are called by the
//! core's loop and paced by the runtime; sources that wait for a device are
//! [`LiveSource`]s and run on the I/O runtime.

mod apart;

use std::{future::Future, pin::Pin, task::Waker, time::Duration};

use crate::{
    call::Call,
    fault::Fault,
    frame::{Frame, Gap},
    io::Io,
    kind::Node,
    live::LiveIo,
    time::Timestamp,
};

use apart::Apart;

/// What a kind's `build` returns.
pub enum Body {
    /// Generates frames when asked.
    Source(Box<dyn Source>),
    /// Waits for frames on the I/O runtime.
    Live(Box<dyn LiveSource>),
    /// Computes frames from frames.
    Operator(Box<dyn Operator>),
    /// Computes as many samples as it is given.
    Block(Box<dyn Block>),
    /// Asks something asynchronous.
    Call(Box<dyn Call>),
    /// Takes frames out.
    Sink(Box<dyn Sink>),
}

impl Body {
    /// A source that generates.
    pub fn source(source: impl Source + 'static) -> Self {
        Self::Source(Box::new(Apart(source)))
    }

    /// A source that waits.
    pub fn live(source: impl LiveSource + 'static) -> Self {
        Self::Live(Box::new(source))
    }

    /// An operator.
    pub fn operator(operator: impl Operator + 'static) -> Self {
        Self::Operator(Box::new(Apart(operator)))
    }

    /// An operator on all channels at once that gives as many samples as it takes.
    pub fn block(block: impl Block + 'static) -> Self {
        Self::Block(Box::new(Apart(block)))
    }

    /// An operator on one channel that gives as many samples as it takes; each
    /// channel gets a clone.
    pub fn map(map: impl Map + 'static) -> Self {
        Self::block(EachChannel { fresh: map, channels: Vec::new() })
    }

    /// A sink.
    pub fn sink(sink: impl Sink + 'static) -> Self {
        Self::Sink(Box::new(Apart(sink)))
    }

    /// A call.
    pub fn call(call: impl Call + 'static) -> Self {
        Self::Call(Box::new(call))
    }
}

/// A place where content is missing, told to an operator before the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapNotice {
    /// Why.
    pub reason: Gap,
    /// The first moment that is there again.
    pub until: Timestamp,
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Ask again.
    More,
    /// Nothing will follow what was sent.
    End,
}

/// Brings frames in by generating them: a file, a synthetic signal.
///
/// Times are on the session's line, from zero; the runtime paces, stamps
/// `entered`, and stops. It never asks while what was sent has no room.
pub trait Source: Send {
    /// Sends the next frames, in order of time on each port, and says whether more will follow. A promise
    /// ([`Io::promise`]) holds behind what is sent with it; one without a frame is due at its moment.
    ///
    /// # Errors
    /// A [`Fault`] where the content cannot be had. Whatever `on_fault` says, what was sent before
    /// is finished and the run ends with the fault: what is generated cannot be taken up in the
    /// middle. `on_fault` is about calls that never return.
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault>;

    /// Starts again from the first frame.
    ///
    /// # Errors
    /// As `next`.
    fn reset(&mut self) -> Result<(), Fault>;

    /// Changes live parameters between frames.
    ///
    /// # Errors
    /// If the parameter cannot be changed to that; nothing has changed then.
    fn retune(&mut self, _node: &Node<'_>) -> Result<(), Fault> {
        Err(Fault::new("none of its parameters can change while it runs"))
    }

    /// By how many nanoseconds a signal's next frame may begin before the one before it ends by its
    /// rate: 0 unless times are measured ones. Asked once, when the body is put in; whoever joins
    /// the signal with others waits so much longer.
    fn may_be_early_ns(&self) -> i64 {
        0
    }

    /// What to tell the user once at the end, such as a recording cut short.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// A future that borrows its body and I/O; the one box a waiting body costs, made at start.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// Brings frames in by waiting for them: a device, a socket.
///
/// Runs as one future on the I/O runtime, supervised. It must never block its
/// device: sending to its edges does not wait, a full edge drops and counts.
pub trait LiveSource: Send {
    /// Runs until the stream ends (`Ok`) or cannot go on. Dropped when the graph stops, at any
    /// `.await`. After a fault, or a panic, it is dropped and built anew; if that happens too often,
    /// also because it cannot be built, `on_fault` decides.
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a>;

    /// As [`Source::remark`]: what was counted on the way, such as how often its device was gone. Asked once its
    /// stream has ended, or was dropped.
    fn remark(&self) -> Option<String> {
        None
    }

    /// How long its stream may take to end by itself once the graph is asked to end; asked once. Without
    /// that it is dropped at once, as a device goes on for ever.
    fn ends_within(&self) -> Option<Duration> {
        None
    }
}

/// Computes frames from frames: synchronous, deterministic, told the time,
/// allocating nothing after warm-up.
pub trait Operator: Send {
    /// Takes one frame, or the aligned frames of one moment, and sends what follows from it.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot go on; the frame counts as poison, the body is rebuilt.
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault>;

    /// The next moment, in event time, at which `on_due` wants to be called.
    fn due(&self) -> Option<Timestamp> {
        None
    }

    /// Called when everything older than `due` has been processed, and nothing newer.
    ///
    /// # Errors
    /// As `process`.
    fn on_due(&mut self, _due: Timestamp, _io: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// Content is missing before the next frame. Forgets everything unless said otherwise. What it
    /// sends lies before the gap, and times of samples are those of the frame before it.
    ///
    /// # Errors
    /// As `process`.
    fn gap(&mut self, _gap: &GapNotice, _io: &mut Io<'_>) -> Result<(), Fault> {
        self.reset();
        Ok(())
    }

    /// The input has ended; sends what is left. Called once.
    ///
    /// # Errors
    /// As `process`.
    fn flush(&mut self, _io: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// Changes live parameters between frames.
    ///
    /// # Errors
    /// If the parameter cannot be changed to that; nothing has changed then.
    fn retune(&mut self, _node: &Node<'_>) -> Result<(), Fault> {
        Err(Fault::new("none of its parameters can change while it runs"))
    }

    /// As [`Source::remark`]: what was counted on the way, such as samples that were no numbers.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Forgets everything; equals a fresh build.
    fn reset(&mut self);

    /// Appends the state; begins with the kind's state version, little-endian. Nothing
    /// appended means that the kind has no state worth saving.
    fn save(&self, _into: &mut Vec<u8>) {}

    /// Takes up a state saved by a body of the same kind and parameters.
    ///
    /// # Errors
    /// If the bytes are of another version or length. The runtime calls `reset` then: what was half taken
    /// up is forgotten.
    fn load(&mut self, _from: &[u8]) -> Result<(), Fault> {
        Err(Fault::new("this kind saves no state"))
    }
}

/// Computes as many samples as it is given, all channels at once.
///
/// The runtime owns the frame: header, time, gaps and buffers need no thought.
pub trait Block: Send {
    /// Maps `channels` planes of equal length from `input` to `output`.
    fn block(&mut self, channels: usize, input: &[f32], output: &mut [f32]);

    /// Forgets everything.
    fn reset(&mut self);

    /// As [`Operator::retune`].
    ///
    /// # Errors
    /// As there.
    fn retune(&mut self, _node: &Node<'_>) -> Result<(), Fault> {
        Err(Fault::new("none of its parameters can change while it runs"))
    }

    /// As [`Operator::remark`].
    fn remark(&self) -> Option<String> {
        None
    }

    /// As [`Operator::save`].
    fn save(&self, _into: &mut Vec<u8>) {}

    /// As [`Operator::load`].
    ///
    /// # Errors
    /// As there.
    fn load(&mut self, _from: &[u8]) -> Result<(), Fault> {
        Err(Fault::new("this kind saves no state"))
    }
}

/// Computes as many samples as it is given, on one channel.
pub trait Map: Clone + Send {
    /// Maps samples to as many samples.
    fn map(&mut self, input: &[f32], output: &mut [f32]);

    /// Forgets everything.
    fn reset(&mut self);

    /// As [`Operator::retune`], on each channel.
    ///
    /// # Errors
    /// As there.
    fn retune(&mut self, _node: &Node<'_>) -> Result<(), Fault> {
        Err(Fault::new("none of its parameters can change while it runs"))
    }

    /// Appends the state of one channel: always the same number of bytes.
    fn save(&self, _into: &mut Vec<u8>) {}

    /// Takes up the state of one channel.
    ///
    /// # Errors
    /// As [`Operator::load`].
    fn load(&mut self, _from: &[u8]) -> Result<(), Fault> {
        Err(Fault::new("this kind saves no state"))
    }
}

/// A [`Map`] for every channel.
struct EachChannel<M> {
    fresh: M,
    channels: Vec<M>,
}

impl<M: Map> EachChannel<M> {
    /// As many channels as come. A state of another number of them, loaded before it was known
    /// how many come, is no state.
    fn ensure(&mut self, channels: usize) {
        if self.channels.len() > channels {
            self.channels.clear();
        }
        while self.channels.len() < channels {
            self.channels.push(self.fresh.clone());
        }
    }
}

impl<M: Map> Block for EachChannel<M> {
    fn block(&mut self, channels: usize, input: &[f32], output: &mut [f32]) {
        self.ensure(channels);
        let len = input.len() / channels.max(1);
        for (n, map) in self.channels.iter_mut().enumerate() {
            map.map(&input[n * len..(n + 1) * len], &mut output[n * len..(n + 1) * len]);
        }
    }

    fn reset(&mut self) {
        for map in &mut self.channels {
            map.reset();
        }
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        // All or none: what fails half-way has changed copies.
        let (mut fresh, mut channels) = (self.fresh.clone(), self.channels.clone());
        fresh.retune(node)?;
        channels.iter_mut().try_for_each(|map| map.retune(node))?;
        (self.fresh, self.channels) = (fresh, channels);
        Ok(())
    }

    /// The states of the channels, the first of which begins with the version, and their number.
    fn save(&self, into: &mut Vec<u8>) {
        let before = into.len();
        for map in &self.channels {
            map.save(into);
        }
        if into.len() > before {
            into.extend_from_slice(&(self.channels.len() as u16).to_le_bytes());
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let loaded = self.loaded(from);
        match loaded {
            Ok(channels) => {
                self.channels = channels;
                Ok(())
            }
            Err(fault) => {
                self.reset();
                Err(fault)
            }
        }
    }
}

impl<M: Map> EachChannel<M> {
    fn loaded(&self, from: &[u8]) -> Result<Vec<M>, Fault> {
        let wrong = || Fault::new("the saved state does not fit the channels");
        let (states, count) = from.split_last_chunk::<2>().ok_or_else(wrong)?;
        let count = usize::from(u16::from_le_bytes(*count));
        let fits = self.channels.is_empty() || count == self.channels.len();
        if count == 0 || !fits || states.is_empty() || states.len() % count != 0 {
            return Err(wrong());
        }
        let mut channels = vec![self.fresh.clone(); count];
        let states = states.chunks_exact(states.len() / count);
        channels.iter_mut().zip(states).try_for_each(|(map, state)| map.load(state))?;
        Ok(channels)
    }
}

/// Takes frames out.
///
/// Kinds whose placement is [`Placement::Fused`](crate::Placement::Fused) are called on the data
/// core and must not wait; others are called on the I/O runtime and may block briefly.
pub trait Sink: Send {
    /// Takes one frame; `line` is the number of the edge it came by.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot go on.
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault>;

    /// Whether it can take a frame now; asked before each. If not, frames wait where they are until it
    /// wakes `waker`: a link whose other end is behind. Not asked on a data core.
    fn has_room(&mut self, _waker: &Waker) -> bool {
        true
    }

    /// Nothing older than `bound` will come by this edge; told behind the frames before it to sinks
    /// that [want it](Sink::wants_bounds). Not told on a data core.
    ///
    /// # Errors
    /// As `take`.
    fn bound(&mut self, _line: usize, _bound: Timestamp) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether bounds are to be told, and by how many nanoseconds one must have risen to be worth it
    /// where no frame comes. Asked once.
    fn wants_bounds(&self) -> Option<i64> {
        None
    }

    /// Called when there is nothing to take for the moment: write out what is buffered.
    ///
    /// # Errors
    /// As `take`.
    fn idle(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// What it was given by this edge and still holds, in a buffer or on its way out, is void: a node
    /// above has taken it back. What is out is out. Does nothing unless said otherwise.
    ///
    /// # Errors
    /// As `take`.
    fn flush(&mut self, _line: usize) -> Result<(), Fault> {
        Ok(())
    }

    /// Everything has been taken; called once.
    ///
    /// # Errors
    /// As `take`.
    fn finish(&mut self) -> Result<(), Fault> {
        self.idle()
    }

    /// As [`Source::remark`]: what was counted on the way, such as samples that were too loud for
    /// their file.
    fn remark(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums up; its state is a version and the sum.
    #[derive(Clone)]
    struct Sum(f32);

    impl Map for Sum {
        fn map(&mut self, input: &[f32], output: &mut [f32]) {
            for (x, y) in input.iter().zip(output) {
                self.0 += x;
                *y = self.0;
            }
        }

        fn reset(&mut self) {
            self.0 = 0.0;
        }

        fn save(&self, into: &mut Vec<u8>) {
            into.push(7);
            into.extend_from_slice(&self.0.to_le_bytes());
        }

        fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
            let state = from.strip_prefix(&[7]).and_then(|state| state.try_into().ok());
            self.0 = f32::from_le_bytes(state.ok_or(Fault::new("is no sum"))?);
            Ok(())
        }
    }

    fn sums() -> EachChannel<Sum> {
        EachChannel { fresh: Sum(0.0), channels: Vec::new() }
    }

    fn fed(block: &mut impl Block, channels: usize) -> Vec<f32> {
        let mut output = vec![0.0; channels];
        block.block(channels, &vec![1.0; channels], &mut output);
        output
    }

    fn saved(block: &impl Block) -> Vec<u8> {
        let mut state = Vec::new();
        block.save(&mut state);
        state
    }

    #[test]
    fn the_state_of_a_map_begins_with_its_version_and_goes_on() {
        let mut first = sums();
        fed(&mut first, 3);
        let state = saved(&first);
        assert_eq!(state[0], 7);

        let mut second = sums();
        second.load(&state).expect("fits");
        assert_eq!(fed(&mut second, 3), [2.0; 3]);
    }

    #[test]
    fn a_state_of_other_channels_is_none() {
        let mut eight = sums();
        fed(&mut eight, 8);
        let state = saved(&eight);

        let mut two = sums();
        fed(&mut two, 2);
        assert!(two.load(&state).is_err());
        assert_eq!(fed(&mut two, 2), [1.0; 2], "as reset leaves it");

        // Before the first frame nobody knows how many channels come.
        let mut fresh = sums();
        fresh.load(&state).expect("may fit");
        assert_eq!(fed(&mut fresh, 2), [1.0; 2]);
    }

    #[test]
    fn a_state_that_is_wrong_at_its_end_changes_no_channel() {
        let mut first = sums();
        fed(&mut first, 2);
        let mut state = saved(&first);
        // The version of the second channel.
        state[5] = 8;
        assert!(first.load(&state).is_err());
        assert_eq!(fed(&mut first, 2), [1.0; 2], "as reset leaves it");
        for cut in 0..state.len() {
            assert!(first.load(&saved(&first)[..cut]).is_err(), "{cut} bytes");
        }
    }
}
