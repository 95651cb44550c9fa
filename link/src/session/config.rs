//! What a session is told before it starts.

use engine::Format;

/// Nanoseconds of a millisecond.
const MS: i64 = 1_000_000;

/// Both sides have the same edges in the same order, each from its own point of view.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Hash of the graph file: hosts that run different ones refuse each other.
    pub graph: [u8; 16],
    /// The session; equal on both sides.
    pub session: [u8; 16],
    /// Differs each time this process starts.
    pub life: u64,
    /// Whether this side calls the other when the connection is lost.
    pub calls: bool,
    /// The cut edges.
    pub edges: Vec<EdgeConfig>,
    /// Limits in time.
    pub timing: Timing,
}

/// One cut edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// `producer -> consumer`, in the graph's words.
    pub name: String,
    /// What it carries.
    pub format: Format,
    /// Whether this side takes the frames in.
    pub receives: bool,
    /// What may be lost.
    pub delivery: Delivery,
    /// What it goes before.
    pub priority: Priority,
    /// Which line its times are on.
    pub line: TimeLine,
    /// Whether signals are packed where that makes them shorter.
    pub packed: bool,
    /// Whether the graph may take back what it has carried: see [`Session::flush`](super::Session::flush).
    pub may_void: bool,
    /// Most frames that this side holds: those not sent or not acknowledged yet, or those that are
    /// not consumed or not in order yet.
    pub frames_max: usize,
    /// Most bytes of content it holds so; one frame may always be held.
    pub bytes_max: usize,
}

/// What may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing: frames are kept until the other side has consumed them. Who sends waits while there
    /// is no room.
    Durable,
    /// What cannot arrive this many nanoseconds after it was handed in, and the oldest where there is
    /// no room.
    Droppable {
        /// Nanoseconds that a frame may be under way.
        deadline_ns: i64,
    },
}

/// What goes before what; messages of the session go before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Small and urgent: samples, events, results.
    Sensor,
    /// Large, or for later: pictures, recordings.
    Bulk,
}

/// Which line the times of frames and bounds are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLine {
    /// One that both hosts share, such as a recording's: times travel as they are.
    Shared,
    /// The sender's clock: the receiver translates, and adds what it does not know to the frame's
    /// uncertainty.
    Clock,
}

/// Limits in time, all in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two questions for the other clock, which also show that the other side is there.
    pub probe_ns: i64,
    /// As long as there are few answers, or nothing has been heard for `doubt_ns`.
    pub probe_fast_ns: i64,
    /// Silence after which a side asks more often.
    pub doubt_ns: i64,
    /// Silence after which the connection is given up, and the time that a hello may take.
    pub silence_ns: i64,
    /// Between two calls while there is no connection, at first and at most: it doubles.
    pub call_ns: [i64; 2],
    /// How long a frame that came early waits at least for those before it, where these come as
    /// datagrams; where many come late, up to half of their deadline.
    pub reorder_ns: i64,
    /// How long acknowledgements and credit may be gathered.
    pub ack_ns: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe_ns: 500 * MS,
            probe_fast_ns: 50 * MS,
            doubt_ns: 700 * MS,
            silence_ns: 2_000 * MS,
            call_ns: [50 * MS, 150 * MS],
            reorder_ns: 15 * MS,
            ack_ns: 10 * MS,
        }
    }
}

#[cfg(test)]
impl EdgeConfig {
    /// An edge that may lose nothing, has little room and is received here.
    pub(crate) fn durable_example() -> Self {
        let rate = engine::Rate::new(1.0).expect("a rate");
        Self {
            name: "a -> b".to_owned(),
            format: Format::signal(1, engine::Unit::UNKNOWN, rate, 1),
            receives: true,
            delivery: Delivery::Durable,
            priority: Priority::Sensor,
            line: TimeLine::Shared,
            frames_max: 10,
            bytes_max: 1 << 20,
            packed: false,
            may_void: false,
        }
    }
}
