//! What goes over a local socket: one object of JSON per line, named by its only key.
//!
//! ```text
//! server                                   client
//!   {"hello":{"protocol":1,"pid":…}}   ──▶
//!                                      ◀──  {"shape":{}}
//!   {"shape":{"nodes":[…],…}}          ──▶
//!                                      ◀──  {"look":{"time":true}} as often as it likes
//!   {"look":{"at_s":4.2,…}}            ──▶
//!                                      ◀──  {"tap":{"output":"beats","session":0}}
//!   {"tapped":{"label":"beats",…}}     ──▶                         frames from now on
//!   {"frame":{"t_ns":…,"data":"…"}}    ──▶
//!   {"end":{"how":"done",…}}           ──▶                         the run is over
//! ```

use serde::{Deserialize, Serialize};

pub(crate) use super::times::{LegLook, LimitLook, PartsLook, SinkTimeLook, TimeLook, WayLook};

/// Raised when what was said before would be misunderstood; what is new and may be ignored leaves it.
pub(crate) const PROTOCOL: u32 = 1;

/// Bytes of a line that a client may say.
pub(crate) const ASKED_BYTES_MAX: usize = 4 << 10;

/// Bytes of a line that a server says.
pub(crate) const SAID_BYTES_MAX: usize = 16 << 20;

/// Bytes of a frame whose content is told; that of longer ones is left out.
pub(crate) const CONTENT_BYTES_MAX: usize = 8 << 20;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// What does not change while it runs.
    Shape {},
    /// What is counted, as of now, or of up to two seconds ago where thousands of sessions run; with `time`, where the time of frames goes as well. These are followed from the
    /// first such question on, until the last client that asked one hangs up or looks without.
    Look {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        time: bool,
    },
    /// What passes at an output from now on; the last that a client asks.
    /// Without a session that of the lowest number.
    Tap { output: String, session: Option<u32> },
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// First of all.
    Hello(Hello),
    /// Answers [`Asked::Shape`].
    Shape(Shape),
    /// Answers [`Asked::Look`].
    Look(Look),
    /// Answers [`Asked::Tap`]; frames follow.
    Tapped(Tapped),
    /// A frame.
    Frame(TapFrame),
    /// What was asked cannot be done.
    Refused(Refused),
    /// The run, or what is tapped, is over.
    End(End),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) graph: String,
    /// The graph file as it was named.
    pub(crate) file: String,
    /// The host of the graph that it is, if it runs a part.
    pub(crate) host: Option<String>,
    pub(crate) running_s: f64,
}

/// What does not change while a graph runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Shape {
    pub(crate) cores: usize,
    /// Seconds of content per second of clock; none at full speed.
    pub(crate) speed: Option<f64>,
    /// Seconds of content in all, where that is known.
    pub(crate) duration_s: Option<f64>,
    /// Producers before consumers.
    pub(crate) nodes: Vec<NodeShape>,
    /// In the order of their consumers.
    pub(crate) edges: Vec<EdgeShape>,
    pub(crate) stages: Vec<StageShape>,
    /// Why frames are dropped, in the order of [`EdgeLook::dropped`].
    pub(crate) reasons: Vec<String>,
    /// In the order of [`StageLook::states`].
    pub(crate) states: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NodeShape {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// What its kind does, in a sentence.
    pub(crate) summary: String,
    pub(crate) is_source: bool,
    pub(crate) is_sink: bool,
    /// Number of its stage; none where it waits for the world.
    pub(crate) stage: Option<usize>,
    /// The data core it asks for.
    pub(crate) core: Option<u32>,
    /// Samples per second that a source promises.
    pub(crate) rate_hz: Option<f64>,
    pub(crate) delay_ms: f64,
    pub(crate) deadline_ms: Option<f64>,
    pub(crate) on_fault: String,
    pub(crate) params: Vec<ParamShape>,
    pub(crate) outputs: Vec<PortShape>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ParamShape {
    pub(crate) name: String,
    /// As it would stand in a graph file.
    pub(crate) value: String,
    /// Whether it stands there, or is what is taken otherwise.
    pub(crate) is_written: bool,
    /// Whether it may change while the graph runs.
    pub(crate) is_live: bool,
    /// What it means.
    pub(crate) doc: String,
    /// Smallest and largest number; none where there is no limit.
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    /// The words it is restricted to; empty where any will do.
    pub(crate) choices: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PortShape {
    pub(crate) name: String,
    /// As it is written in `from`.
    pub(crate) label: String,
    pub(crate) format: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EdgeShape {
    pub(crate) from: String,
    pub(crate) producer: String,
    pub(crate) consumer: String,
    pub(crate) port: String,
    pub(crate) format: String,
    /// Frames that find room, in each session; none where both nodes are fused.
    pub(crate) capacity: Option<usize>,
    pub(crate) on_full: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StageShape {
    pub(crate) name: String,
    pub(crate) nodes: Vec<String>,
}

/// What is counted, since the start, over all sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Look {
    /// Seconds on the run's clock.
    pub(crate) at_s: f64,
    pub(crate) is_draining: bool,
    pub(crate) sessions_open: u64,
    pub(crate) sessions_opened: u64,
    pub(crate) nodes: Vec<NodeLook>,
    pub(crate) edges: Vec<EdgeLook>,
    pub(crate) stages: Vec<StageLook>,
    pub(crate) sinks: Vec<SinkLook>,
    /// How each data core is, in words; empty where it is well.
    pub(crate) cores: Vec<String>,
    /// What models, caches and others tell of themselves.
    pub(crate) services: Vec<ServiceLook>,
    pub(crate) links: Vec<LinkLook>,
    /// Links beyond those told one by one, and links that have ended.
    pub(crate) links_more: u64,
    pub(crate) links_ended: u64,
    /// What bodies have said at their end.
    pub(crate) remarks: Vec<Remark>,
    /// Where time goes, of the last seconds alone; only if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Box<TimeLook>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NodeLook {
    pub(crate) restarts: u64,
    pub(crate) poison: u64,
    pub(crate) late: u64,
    /// Mean nanoseconds of a call, since the start.
    pub(crate) mean_ns: Option<f64>,
    /// None where a program tells that did not count it yet.
    pub(crate) work: Option<WorkLook>,
    pub(crate) entered: Option<EnteredLook>,
    pub(crate) fault: Option<FaultLook>,
}

/// What a node was called with, and what was timed of its calls: what two looks differ by tells how much it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkLook {
    /// Frames that it was called with, or made.
    pub(crate) frames: u64,
    /// Calls that were timed, how long they took together, and the frames that they were about: timers, gaps and
    /// ends are about none.
    pub(crate) timed: u64,
    pub(crate) timed_ns: u64,
    pub(crate) timed_frames: u64,
}

/// What a source brought in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EnteredLook {
    pub(crate) frames: u64,
    pub(crate) samples: u64,
    pub(crate) gaps: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FaultLook {
    pub(crate) what: String,
    pub(crate) at_s: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EdgeLook {
    pub(crate) sent: u64,
    pub(crate) taken: u64,
    pub(crate) in_flight: u64,
    /// By reason.
    pub(crate) dropped: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StageLook {
    pub(crate) restarts: u64,
    /// Open sessions in which it is in each state.
    pub(crate) states: Vec<u64>,
    pub(crate) latency: LatencyLook,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SinkLook {
    pub(crate) node: String,
    pub(crate) frames: u64,
    pub(crate) deadline_ns: Option<i64>,
    pub(crate) latency: LatencyLook,
}

/// How long frames took from the host's door, since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LatencyLook {
    pub(crate) p50_ns: Option<i64>,
    pub(crate) p99_ns: Option<i64>,
    pub(crate) max_ns: Option<i64>,
    /// The end of each step in nanoseconds and how many fell into it; steps are 3 % wide.
    pub(crate) steps: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceLook {
    pub(crate) what: String,
    pub(crate) name: String,
    pub(crate) remark: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remark {
    pub(crate) node: String,
    pub(crate) text: String,
}

/// A link to another host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LinkLook {
    pub(crate) peer: String,
    pub(crate) session: u32,
    pub(crate) is_up: bool,
    pub(crate) was_up: bool,
    /// Since when it is or is not.
    pub(crate) for_s: f64,
    pub(crate) rtt_ns: i64,
    /// Share of packets lost, 0 to 1.
    pub(crate) loss: f64,
    pub(crate) bytes_per_s: f64,
    pub(crate) queued: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) trouble: Option<String>,
}

/// What is tapped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tapped {
    /// As it is written in `from`.
    pub(crate) label: String,
    pub(crate) session: u32,
    pub(crate) format: TapFormat,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TapFormat {
    Signal {
        /// Names and units.
        channels: Vec<(String, String)>,
        rate_hz: f64,
        frame_len: usize,
    },
    Image {
        width: usize,
        height: usize,
        /// Bytes of a pixel: one of brightness, or three of colours.
        pixel_bytes: usize,
        rate_hz: f64,
    },
    Tensor {
        /// `f32`, `i64` or `u8`.
        element: String,
        /// Lengths, each with whether it is always that.
        shape: Vec<(usize, bool)>,
    },
    Event {
        /// Names, types, and most bytes or samples of those that vary.
        fields: Vec<(String, String, usize)>,
        rate_max: f64,
    },
}

/// A frame on its way to who looks on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TapFrame {
    pub(crate) seq: u64,
    pub(crate) t_ns: i64,
    /// Why something is missing before it.
    #[serde(default)]
    pub(crate) gap: Option<String>,
    /// Frames before it that the tap had no room for.
    #[serde(default)]
    pub(crate) missed: u64,
    /// Samples per channel.
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    /// The buffer, little endian, as base64; empty where it is too long.
    pub(crate) data: String,
}

/// Why something that was asked is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) message: String,
    /// What there is, where something was asked for that there is not.
    #[serde(default)]
    pub(crate) outputs: Vec<PortShape>,
    /// Sessions that are open, where one was asked for that is not.
    #[serde(default)]
    pub(crate) sessions: Vec<u32>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// `done`, `drained`, `failed` or `stopped`; `session over` for a tap.
    pub(crate) how: String,
    pub(crate) after_s: f64,
    pub(crate) fault: Option<String>,
    /// What was missed since the last frame.
    #[serde(default)]
    pub(crate) missed: u64,
}
