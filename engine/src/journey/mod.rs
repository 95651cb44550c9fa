//! Where the time goes: the latency of what sinks got, attributed to waiting, computing and moving at
//! each node of its way.
//!
//! ```text
//! steps of followed frames ──▶ Collector: from each sink back to the source ──▶ Attribution
//! ```
//!
//! A frame has one cause: the frame (or answer) that let it out. So the way of what a sink got is a line, and
//! every moment between the host's door and the sink lies in one part of it: parts add up to the latency that
//! the sink itself has measured.

mod collector;
mod pace;
mod slice;
mod sums;
mod traces;
mod way;

use std::{collections::VecDeque, sync::Arc};

pub(crate) use collector::Collector;
pub(crate) use sums::Sums;

use crate::time::Timestamp;

/// What a frame waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// In a ring: the consumer's core was at work on something else, or there was no room further down.
    Ring,
    /// At a join, or within a body, for what came by another input.
    Join,
    /// For other bodies of its stage.
    Turn,
    /// Of a call: for the answer.
    Answer,
}

impl Wait {
    /// Everything a frame may wait for, in the order of [`Parts::waiting`].
    pub const ALL: [Self; 4] = [Self::Ring, Self::Join, Self::Turn, Self::Answer];

    /// The word used in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Join => "join",
            Self::Turn => "turn",
            Self::Answer => "answer",
        }
    }
}

/// Nanoseconds at one node, or on a whole way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Waiting before the node, in the order of [`Wait::ALL`].
    pub waiting: [f64; Wait::ALL.len()],
    /// In its body.
    pub computing: f64,
    /// On the way to it: handed over, woken up for, passed on by the runtime.
    pub moving: f64,
}

impl Parts {
    /// Waiting for anything.
    pub fn waiting_in_all(&self) -> f64 {
        self.waiting.iter().sum()
    }

    /// Everything together.
    pub fn all(&self) -> f64 {
        self.waiting_in_all() + self.computing + self.moving
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.waiting.iter_mut().zip(other.waiting) {
            *sum += more;
        }
        self.computing += other.computing;
        self.moving += other.moving;
    }

    /// What has come since `then`: as both are sums, rounding leaves nothing below zero.
    fn since(mut self, then: &Self) -> Self {
        for (now, then) in self.waiting.iter_mut().zip(then.waiting) {
            *now = (*now - then).max(0.0);
        }
        self.computing = (self.computing - then.computing).max(0.0);
        self.moving = (self.moving - then.moving).max(0.0);
        self
    }

    fn over(mut self, count: f64) -> Self {
        self.waiting.iter_mut().for_each(|part| *part /= count);
        self.computing /= count;
        self.moving /= count;
        self
    }
}

/// One node on a way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leg {
    /// Number of the node in [`Attribution::nodes`].
    pub node: usize,
    /// Where the time went there, and on the way to it.
    pub parts: Parts,
    /// The number of the input for which it waited at a join, if it did.
    pub late: Option<usize>,
}

/// The way of one frame to a sink.
#[derive(Clone, Debug)]
pub struct Journey {
    /// The latency that the sink has measured.
    pub latency_ns: i64,
    /// When it got there, on the run's clock.
    pub arrived: Timestamp,
    /// Nodes from the source's first consumer to the sink.
    pub legs: Vec<Leg>,
}

/// Where the time of the frames that one sink got has gone.
#[derive(Clone, Debug, Default)]
pub struct SinkTime {
    /// Its number in [`Attribution::nodes`].
    pub node: usize,
    /// The sink.
    pub name: String,
    /// Frames whose way is known.
    pub journeys: u64,
    /// Frames that were followed to it as well and are left out, as some step of theirs is not known.
    pub broken: u64,
    /// The latencies that the sink measured for those whose way is known, together.
    pub latency_ns: i64,
    /// What each node had of that, the least number first; nodes that were on no way are not there.
    pub nodes: Vec<(usize, Parts)>,
    /// The newest ways, the newest last: fewer where they are long or sinks are many.
    pub recent: VecDeque<Arc<Journey>>,
}

/// Where the time went, of frames that were followed.
#[derive(Clone, Debug, Default)]
pub struct Attribution {
    /// Names of the nodes, producers before consumers.
    pub nodes: Vec<String>,
    /// The sinks that got something.
    pub sinks: Vec<SinkTime>,
    /// Steps for which there was no room, since this was begun: their frames are left out.
    pub lost: u64,
    /// Frames that were followed to some sink and are left out, as some step of theirs is not known: of
    /// [`Attribution::followed`] in all. What was on its way for so long that there was no room to keep its steps is
    /// among them, so where they are many, those that are known are the faster ones.
    pub broken: u64,
    /// Of joins at which frames have waited: the node, the number of the input that was late, and for how many
    /// nanoseconds all of them together.
    pub late: Vec<(usize, usize, f64)>,
}

/// Where more than this share of what was followed is left out, the rest may be unlike it.
const LEFT_OUT: f64 = 0.2;

fn is_partial(known: u64, broken: u64) -> bool {
    broken as f64 > LEFT_OUT * (known + broken) as f64
}

impl SinkTime {
    /// The share of the measured latency that parts account for.
    pub fn covered(&self) -> f64 {
        let parts: f64 = self.nodes.iter().map(|(_, parts)| parts.all()).sum();
        if self.latency_ns > 0 { parts / self.latency_ns as f64 } else { 1.0 }
    }

    /// Whether so many of the frames that were followed to it are left out that the rest may be unlike them.
    pub fn is_partial(&self) -> bool {
        is_partial(self.journeys, self.broken)
    }

    /// The mean of each node on a way, by its number.
    pub fn mean(&self) -> Vec<(usize, Parts)> {
        over(&self.nodes, self.journeys as f64)
    }

    /// The mean of each node over those of the newest ways whose latency lies in a range of quantiles, such as
    /// 0.4 to 0.6 for the middle or 0.99 to 1 for the slowest: over one way at least.
    pub fn between(&self, low: f64, high: f64) -> Vec<(usize, Parts)> {
        let ways = slice::ways(self, low, high);
        let mut sums = Vec::new();
        for leg in ways.iter().flat_map(|journey| &journey.legs) {
            of_node(&mut sums, leg.node).add(&leg.parts);
        }
        over(&sums, ways.len() as f64)
    }
}

/// The sum of a node, which is put in its place if there is none yet.
fn of_node(sums: &mut Vec<(usize, Parts)>, node: usize) -> &mut Parts {
    let at = match sums.binary_search_by_key(&node, |(node, _)| *node) {
        Ok(at) => at,
        Err(at) => {
            sums.insert(at, (node, Parts::default()));
            at
        }
    };
    &mut sums[at].1
}

fn over(sums: &[(usize, Parts)], count: f64) -> Vec<(usize, Parts)> {
    let nodes = sums.iter().filter(|(_, parts)| parts.all() > 0.0);
    nodes.map(|(node, parts)| (*node, parts.over(count))).collect()
}

impl Attribution {
    /// A sink by name.
    pub fn sink(&self, name: &str) -> Option<&SinkTime> {
        self.sinks.iter().find(|sink| sink.name == name)
    }

    /// Frames whose way is known, at all sinks together.
    pub fn known(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.journeys).sum()
    }

    /// Frames that were followed to some sink: those that are known, and those that are left out.
    pub fn followed(&self) -> u64 {
        self.known() + self.broken
    }

    /// Whether so many of them are left out that the rest may be unlike them.
    pub fn is_partial(&self) -> bool {
        is_partial(self.known(), self.broken)
    }

    /// The mean of a node over the frames that a sink got.
    pub fn at(&self, sink: &str, node: &str) -> Option<Parts> {
        let number = self.nodes.iter().position(|name| name == node)?;
        let sink = self.sink(sink)?;
        let parts = sink.nodes.iter().find(|(node, _)| *node == number);
        let parts = parts.map(|(_, parts)| *parts).unwrap_or_default();
        Some(parts.over(sink.journeys.max(1) as f64))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
