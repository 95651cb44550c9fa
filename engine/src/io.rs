//! [`Io`]: what a body sees of the graph during one call.
//!
//! What frames write here begins with a cache line, as in [`Stage`](crate::stage::Stage).

use crate::{
    buffer::Buffer,
    event::{EventReader, EventWriter},
    format::Format,
    frame::{Frame, Header},
    time::{Grid, Timestamp},
};

/// One input edge of a node, as its body sees it.
#[repr(align(128))]
pub(crate) struct Line {
    pub(crate) port: u16,
    pub(crate) format: Format,
    /// Counts samples of signals, so that times do not depend on frame borders.
    pub(crate) grid: Option<Grid>,
}

/// One output port of a node.
#[repr(align(128))]
pub(crate) struct Outlet {
    pub(crate) format: Format,
    /// Nothing older than this will be sent, by the body's own word.
    pub(crate) promise: Timestamp,
}

/// What a node keeps for its body between calls.
pub(crate) struct Ports {
    pub(crate) lines: Box<[Line]>,
    pub(crate) outlets: Box<[Outlet]>,
    /// The line of the frame being processed; for aligned frames the first.
    pub(crate) line: usize,
    /// One frame per line where the runtime aligns.
    pub(crate) aligned: Vec<Option<Frame>>,
    /// The header that caused the call.
    pub(crate) cause: Header,
    pub(crate) flush: MayFlush,
}

/// Whether a body may flush, and has asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayFlush {
    /// Its kind does not.
    Never,
    /// It may.
    May,
    /// It has, in this call.
    Asked,
}

/// A frame on its way out of a node.
#[repr(align(128))]
pub(crate) struct Sent {
    pub(crate) port: usize,
    pub(crate) frame: Frame,
}

impl Sent {
    /// Takes the last one out, field by field: moved as a whole just after its parts were written,
    /// it would wait for the writes.
    #[inline(always)]
    pub(crate) fn pop(from: &mut Vec<Self>) -> Option<Self> {
        let Self { port, frame } = from.last()?;
        let (port, header) = (*port, frame.header);
        let (_, buffer) = from.pop()?.frame.into_parts();
        Some(Self { port, frame: Frame::new(header, buffer) })
    }
}

/// What a body sees of the graph during one call: the frame to process, when
/// its samples happened, and where to send.
///
/// Times are those of the input; the runtime subtracts the delay that the kind
/// declared, numbers the frames and passes gaps on.
pub struct Io<'a> {
    pub(crate) ports: &'a mut Ports,
    /// The frame being processed, if there is one.
    pub(crate) frame: Option<&'a Frame>,
    pub(crate) out: &'a mut Vec<Sent>,
}

impl Io<'_> {
    /// The frame to process.
    ///
    /// # Panics
    /// In a call that has none (`on_due`, `flush`, a source).
    pub fn frame(&self) -> &Frame {
        self.frame.expect("`process` is called with a frame")
    }

    /// Another handle on the frame to process, to keep it or send it on. The runtime holds
    /// its own until the call returns, so that a frame a body dies on can be shown.
    ///
    /// # Panics
    /// As [`Io::frame`].
    pub fn take(&self) -> Frame {
        self.frame().clone()
    }

    /// The number of the edge the frame came by, in the order of `from`.
    pub const fn line(&self) -> usize {
        self.ports.line
    }

    /// The number of the input port the frame came by.
    pub fn port(&self) -> usize {
        usize::from(self.ports.lines[self.ports.line].port)
    }

    /// The aligned frame of another edge, for kinds whose inputs the runtime aligns.
    pub fn aligned(&self, line: usize) -> Option<&Frame> {
        self.ports.aligned.get(line)?.as_ref()
    }

    /// The format of an input edge.
    pub fn input_format(&self, line: usize) -> &Format {
        &self.ports.lines[line].format
    }

    /// The format of an output port.
    pub fn output_format(&self, port: usize) -> &Format {
        &self.ports.outlets[port].format
    }

    /// The event being processed, to read its fields.
    pub fn event(&self) -> EventReader<'_> {
        let format = self.ports.lines[self.ports.line].format.as_event().expect("an event input");
        EventReader::new(format, self.frame())
    }

    /// When the sample `offset` samples after the frame's first happened; earlier
    /// frames are reached by negative offsets.
    pub fn time_of(&self, offset: i64) -> Timestamp {
        self.grid().time_of(offset)
    }

    /// As [`Io::time_of`], `part` of a sample later.
    pub fn time_between(&self, offset: i64, part: f64) -> Timestamp {
        self.grid().time_between(offset, part)
    }

    /// The moment just after the frame.
    pub fn end(&self) -> Timestamp {
        self.grid().end()
    }

    /// Sends a frame as it is.
    pub fn send(&mut self, port: usize, frame: Frame) {
        self.out.push(Sent { port, frame });
    }

    /// Sends a buffer whose content happened at `time`.
    pub fn send_buffer(&mut self, port: usize, time: Timestamp, buffer: Buffer) {
        let cause = &self.ports.cause;
        // Put together where it will lie: `push` would move it there at once, and whoever reads
        // what was just written in parts waits for the writes.
        self.out.extend(std::iter::once_with(|| Sent {
            port,
            frame: Frame::new(cause.causes(time), buffer),
        }));
    }

    /// A buffer for `len` samples of each channel of a signal output.
    pub fn signal(&self, port: usize, len: usize) -> Buffer {
        let channels = self.ports.outlets[port].format.as_signal().map_or(1, |s| s.channels.len());
        Buffer::signal(channels, len)
    }

    /// An event of the port's format, to be filled and sent.
    pub fn event_for(&self, port: usize) -> EventWriter {
        EventWriter::new(self.ports.outlets[port].format.as_event().expect("an event output"))
    }

    /// Sends an event that happened at `time`.
    pub fn send_event(&mut self, port: usize, time: Timestamp, event: EventWriter) {
        self.send_buffer(port, time, event.finish());
    }

    /// Promises that nothing older than `bound` will be sent on `port`, earlier than the
    /// runtime could conclude it from the inputs: whoever waits for this output waits less.
    pub fn promise(&mut self, port: usize, bound: Timestamp) {
        let promise = &mut self.ports.outlets[port].promise;
        *promise = bound.max(*promise);
    }

    /// Sets the tag that the runtime copies to whatever the frames sent from now on cause.
    /// For sources.
    pub fn tag(&mut self, tag: u64) {
        self.ports.cause.tag = tag;
    }

    /// Takes back everything this node has sent in calls before, and all that this has caused further
    /// down: it is void at once, in rings and behind them, at joins, in open questions and in what sinks
    /// hold ([`Sink::flush`](crate::Sink::flush)), on other hosts too. Bodies there forget what they know;
    /// void frames count as `dropped(flush)`, and what comes next says so. What is sent in this very call
    /// is not void, whether before or after this. Costs a wake for each stage and sink behind, and what
    /// is dropped.
    ///
    /// # Panics
    /// If the kind does not say that it flushes ([`Kind::flushes_on`](crate::Kind::flushes_on)), or in a call
    /// other than `process`.
    pub fn flush(&mut self) {
        assert!(self.frame.is_some(), "a flush belongs to the frame that `process` is given");
        assert!(self.ports.flush != MayFlush::Never, "the kind must say on which port it flushes");
        self.ports.flush = MayFlush::Asked;
    }

    fn grid(&self) -> &Grid {
        self.ports.lines[self.ports.line]
            .grid
            .as_ref()
            .expect("times of samples need a signal input")
    }
}
