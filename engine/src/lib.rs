//! The engine of Afferent: graph file → spec → plan → running actor graph.
//!
//! ```text
//! graph file (TOML) ──parse──▶ GraphSpec ──plan──▶ Plan ──start──▶ Running
//!                              what it says        what will run    what is running
//! ```
//!
//! The engine is mechanism and knows no operator, socket or model; crates that
//! supply kinds build on it. Data moves through rings between stages, each a
//! loop over fused operators on a core of its own; actors carry control only.

mod align;
mod body;
mod buffer;
mod call;
mod carrier;
mod cell;
mod common;
mod core;
mod event;
mod fault;
mod figures;
mod files;
mod flush;
mod format;
mod frame;
mod graph;
mod io;
mod journey;
mod kind;
mod limit;
mod live;
mod losses;
mod param;
mod plan;
mod prefetch;
mod ring;
mod run;
mod service;
mod session;
mod stage;
mod stats;
mod steps;
mod supervise;
mod sync;
mod tap;
mod tasks;
mod ticks;
mod time;
mod words;

pub mod testing;

pub use align::{AlignSpec, AsTheyCome};
pub use body::{Block, Body, Flow, GapNotice, LiveSource, Map, Operator, Sink, Source, Waiting};
pub use buffer::Buffer;
pub use call::{Answer, Call, Doubt, Relay, Reply};
pub use carrier::{CallEdge, Carrier, CutEdge, MovingCall};
pub use event::{EventReader, EventWriter, FieldValue};
pub use fault::{Fault, FaultClass};
pub use figures::{Figures, Series};
pub use files::{Disk, Files, ReadSeek, WriteSeek, path_from};
pub use format::{
    Channel, Dimension, Element, EventFormat, Field, FieldKind, Format, ImageFormat, Pixel,
    SignalFormat, TensorFormat, Unit, describe, differences, parse_format,
};
pub use frame::{Frame, Gap, Header, MaybeGap};
pub use graph::{
    At, ChannelRef, Check, Code, Diagnostic, Diagnostics, Expectation, FILE_BYTES_MAX, Feed,
    Forgotten, GraphSpec, InletSpec, InputSpec, Key, KeyTable, Level, Loaded, NodeOptions,
    NodeSpec, OnFault, OnFull, OutletSpec, Override, ParamSpec, Place, RESERVED_KEYS, SectionSpec,
    SourceRef, SourceText, Spanned, Takes, TestEvent, TestInput, TestSpec, Value, Wanted, is_name,
    is_reserved, nearest, tables, tidied,
};
pub use io::Io;
pub use journey::{Attribution, Journey, Leg, Parts, SinkTime, Wait};
pub use kind::{
    BuildError, Catalog, Input, Kind, Node, OpenDoor, Outline, Passed, Placement, Policy, Port,
    Shape, Use, Used,
};
pub use limit::{Cause, EdgeLoad, Limit, Load, NodeLoad, RingLoad, Role, SinkLoad};
pub use live::{Entrance, LiveIo, Progress};
pub use param::{AnyParam, NameOrNumber, Param, ParamType, Params};
pub use plan::{
    Arrow, BoxOf, EdgePart, NodePart, Picture, PictureBox, PictureEdge, PictureNode, Plan,
    PlanOptions,
};
pub use run::{
    ControlError, EdgeReport, Entered, Health, LastFault, Looking, ManualRun, NodeReport, Opener,
    Outcome, ReloadError, ReloadReport, Renewed, Report, RolledBack, RunOptions, Running,
    SinkReport, Snapshot, StageReport, on_giving_up,
};
pub use service::{Service, ServiceKind, Services};
pub use session::{EdgeTotals, OpenError};
pub use stats::{Counter, EdgeCounts, Histogram, NodeCounts, StageCounts, StageState};
pub use steps::SlowCall;
pub use tap::{Onlooker, Output, Seen, Tap, TapEnd, TapLimits, Tapped, tap};
pub use time::{Clock, Grid, ManualClock, Rate, Timestamp};
pub use words::counted;
