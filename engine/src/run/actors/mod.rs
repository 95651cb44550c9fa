//! The actors around stages, sinks and live sources. They carry control; frames never
//! travel in a mailbox.

mod future;
mod sink;
mod stage;

pub(crate) use future::{FutureActor, FutureArgs, PauseSource};
pub(crate) use sink::{RewireSink, SinkActor, SucceedSink};
pub(crate) use stage::{LoadNode, Order, SaveStage, SetParams, StageActor, ask_stage};
