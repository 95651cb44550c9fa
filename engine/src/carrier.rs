//! [`Carrier`]: takes an edge whose ends live on two hosts.
//!
//! The planner hands every cut edge to the carrier it was given. On the
//! producing host the carrier is a sink of the edge, on the consuming host a
//! source of it; protocol, clocks and loss are its business.

use crate::{
    body::{LiveSource, Sink},
    call::Call,
    fault::Fault,
    format::Format,
    graph::OnFull,
};

/// An edge between hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct CutEdge {
    /// `node` or `node.port` on the producing host.
    pub from: String,
    /// `node` and number of the line on the consuming host.
    pub to: (String, usize),
    /// The producing host and the consuming one.
    pub hosts: [String; 2],
    /// The session it belongs to; each has a stream of its own.
    pub session: u32,
    /// What it carries.
    pub format: Format,
    /// What happens when the link cannot keep up.
    pub on_full: OnFull,
    /// Room, in milliseconds of data, where the graph says so.
    pub capacity_ms: Option<f64>,
    /// Latency that what the consumer gives may have, where the graph says so.
    pub deadline_ns: Option<i64>,
    /// Whether a device is among the sources of what it carries: its times are those of a clock, and
    /// it cannot be made to wait.
    pub behind_device: bool,
    /// Of the edges of a call that moves: what they carry.
    pub call: Option<CallEdge>,
    /// Whether a node above it may flush: what it carried by then is void.
    pub may_void: bool,
    /// How far the bound of the last sink that it reaches is behind its own, by construction: a join on
    /// the way waits for the slower of its inputs.
    pub lag_ns: i64,
}

impl CutEdge {
    /// `from -> to`, the same on both hosts; a second line of one consumer from one producer says its
    /// number.
    pub fn name(&self) -> String {
        match self.to.1 {
            0 => format!("{} -> {}", self.from, self.to.0),
            line => format!("{} -> {}#{line}", self.from, self.to.0),
        }
    }
}

/// What an edge of a call that moves carries: see [`MovingCall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEdge {
    /// Answers, else questions.
    pub answers: bool,
    /// About how many bytes one of them has.
    pub bytes: usize,
}

/// A call that either of two hosts may answer.
#[derive(Clone, Debug, PartialEq)]
pub struct MovingCall {
    /// Its node.
    pub node: String,
    /// Its home, where its inputs and outputs are, and the other host that may answer.
    pub hosts: [String; 2],
    /// Carries questions from its home, as bytes.
    pub question: CutEdge,
    /// Carries answers back.
    pub answer: CutEdge,
    /// What the call gives, by port.
    pub outputs: Vec<Format>,
}

impl MovingCall {
    /// The same, of one session.
    pub(crate) fn of_session(&self, session: u32) -> Self {
        let mut this = self.clone();
        (this.question.session, this.answer.session) = (session, session);
        this
    }
}

/// Carries edges between hosts.
pub trait Carrier: Send + Sync {
    /// The producing end: takes frames off the graph.
    ///
    /// # Errors
    /// What keeps the link from opening.
    fn send(&self, edge: &CutEdge) -> Result<Box<dyn Sink>, Fault>;

    /// The consuming end: brings frames into the graph.
    ///
    /// # Errors
    /// What keeps the link from opening.
    fn receive(&self, edge: &CutEdge) -> Result<Box<dyn LiveSource>, Fault>;

    /// At home: a call that asks `call` or the other host, whichever suits a question.
    ///
    /// # Errors
    /// What keeps the link from opening; unless said otherwise that calls do not move.
    fn moves(&self, _call: Box<dyn Call>, moving: &MovingCall) -> Result<Box<dyn Call>, Fault> {
        Err(Fault::new(format!("`{}` cannot move on this link", moving.node)))
    }

    /// On the other host: a source without outputs that has `call` answer what comes.
    ///
    /// # Errors
    /// As [`Carrier::moves`].
    fn answers(
        &self,
        _call: Box<dyn Call>,
        moving: &MovingCall,
    ) -> Result<Box<dyn LiveSource>, Fault> {
        Err(Fault::new(format!("`{}` cannot move on this link", moving.node)))
    }
}
