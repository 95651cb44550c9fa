//! What goes into a session and what comes out.

use bytes::Bytes;
use engine::{Frame, Gap, Timestamp};

use crate::wire::ByeReason;

/// What happened below the session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// There is a connection, and what it can do. A new one takes the place of the last.
    Up(Path),
    /// What the connection can do has changed.
    Path(Path),
    /// The connection is gone, or a call was in vain.
    Down,
    /// A datagram came.
    Datagram(&'a [u8]),
    /// Bytes of a stream came, in order.
    Stream {
        /// Number of the stream on this connection.
        stream: u64,
        /// The next bytes.
        bytes: &'a [u8],
        /// Whether these are the last.
        end: bool,
    },
    /// The other side gave a stream up.
    StreamReset {
        /// Number of the stream on this connection.
        stream: u64,
    },
    /// Time went by.
    Tick,
}

/// What a connection can do now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Path {
    /// Smoothed round-trip time in nanoseconds.
    pub rtt_ns: i64,
    /// Bytes per second that get through; 0 where unknown.
    pub bytes_per_s: f64,
    /// Most bytes of a datagram; 0 where there are none.
    pub datagram_max: usize,
    /// Bytes of datagrams that it takes now.
    pub datagram_room: usize,
    /// Bytes of streams that it takes now.
    pub stream_room: usize,
    /// Of these, bytes of bulk: where less than of what is urgent, bulk waits outside.
    pub bulk_room: usize,
    /// Share of the packets sent that was lost lately, 0 to 1.
    pub loss: f64,
}

/// A stream that this side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKey {
    /// Messages of the session.
    Control,
    /// A durable edge.
    Edge(u16),
    /// One frame of a droppable edge, longer than a datagram.
    Frame {
        /// Number of the edge.
        edge: u16,
        /// Place of the frame.
        place: u64,
    },
}

/// What a session wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a datagram.
    Datagram(Vec<u8>),
    /// Send bytes on a stream, which begins with the first of them.
    Stream {
        /// Which.
        stream: StreamKey,
        /// The next bytes.
        bytes: Bytes,
        /// What a higher number goes before.
        priority: i32,
        /// Whether these are the last.
        end: bool,
    },
    /// Give a stream up: what it carries would come too late, or the other side cannot use it. One that
    /// is through already, or never began, needs nothing.
    Reset(StreamKey),
    /// Call the other side; a call that goes on is not to be disturbed.
    Call,
    /// Give the connection up, if there is one.
    Close,
    /// A frame for the graph.
    Deliver {
        /// Number of the edge.
        edge: u16,
        /// With times of this host, where the edge's line says so.
        frame: Frame,
    },
    /// Frames that will not come; told before the one that follows them.
    Gap {
        /// Number of the edge.
        edge: u16,
        /// Why.
        reason: Gap,
        /// How many; 0 where nobody knows, as the other side has started anew.
        frames: u64,
    },
    /// The other side has taken back what was delivered of the edge by now.
    Flush {
        /// Number of the edge.
        edge: u16,
    },
    /// Nothing older will come on the edge.
    Bound {
        /// Number of the edge.
        edge: u16,
        /// In this host's time, where the edge's line says so.
        bound: Timestamp,
    },
    /// The edge has ended.
    End {
        /// Number of the edge.
        edge: u16,
    },
    /// The session cannot go on, now or for good.
    Refused {
        /// What a program looks at.
        reason: ByeReason,
        /// What a person reads: what differs, on which side, and what to do.
        text: String,
    },
}
