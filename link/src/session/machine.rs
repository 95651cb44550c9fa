//! The state of a session, and what its owner calls.

use std::{collections::VecDeque, fmt};

use engine::{Frame, MaybeGap, Timestamp};

use super::{
    config::{Delivery, EdgeConfig, Priority, SessionConfig},
    connection::Connection,
    counters::{Received, Sent, Totals},
    droppable_in::DroppableIn,
    droppable_out::DroppableOut,
    durable_in::DurableIn,
    durable_out::DurableOut,
    flush::Epoch,
    io::{Input, Output, Path},
};
use crate::{
    clock::{ClockFilter, Estimate},
    translate::Translation,
    wire::{ByeReason, FrameWriter, Message, NEWEST, OLDEST},
};

/// See the [module](super).
#[derive(Debug)]
pub struct Session {
    pub(super) config: SessionConfig,
    pub(super) edges: Vec<Edge>,
    pub(super) connection: Option<Connection>,
    /// While there is no connection: when to call next, and how long to wait then.
    pub(super) next_call: Timestamp,
    pub(super) call_ns: i64,
    /// Connections in a row that have come and gone without a hello that suits.
    pub(super) vain: u32,
    /// Calling again would change nothing.
    pub(super) is_over: bool,
    /// Life of the other side that we have agreed with.
    pub(super) agreed: Option<u64>,
    /// The other side is ready for frames.
    pub(super) is_open: bool,
    /// The newest version we read: tests know older ones.
    pub(super) newest: u8,
    /// What we write.
    pub(super) version: u8,
    pub(super) clock: ClockFilter,
    pub(super) translation: Translation,
    pub(super) probes: u32,
    pub(super) answers: u32,
    pub(super) out: VecDeque<Output>,
    /// What each edge's next frame says is missing before it.
    pub(super) owed: Vec<MaybeGap>,
    /// The flushes of each edge.
    pub(super) epochs: Vec<Epoch>,
    pub(super) bulk_bytes: u64,
    /// The edge whose turn it is.
    pub(super) turn: usize,
    pub(super) totals: Totals,
}

/// One end of an edge.
#[derive(Debug)]
pub(super) enum Edge {
    DurableOut(Box<DurableOut>, FrameWriter),
    DroppableOut(DroppableOut, FrameWriter),
    DurableIn(DurableIn),
    DroppableIn(DroppableIn),
}

/// A frame that there is no room for now; offer it again when [`Session::has_room`].
#[derive(Debug)]
pub struct NotTaken(pub Frame);

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the link has no room, as the other side has not consumed what was sent")
    }
}

impl std::error::Error for NotTaken {}

impl Session {
    /// A session that has no connection yet.
    ///
    /// # Panics
    /// With more edges than a hello can name.
    pub fn new(config: SessionConfig) -> Self {
        assert!(config.edges.len() <= crate::wire::EDGES_MAX, "too many cut edges");
        let edges = config.edges.iter().enumerate();
        let edges = edges.map(|(n, edge)| Edge::new(n as u16, edge, &config)).collect();
        Self {
            edges,
            connection: None,
            next_call: Timestamp::MIN,
            call_ns: config.timing.call_ns[0],
            vain: 0,
            is_over: false,
            agreed: None,
            is_open: false,
            newest: NEWEST,
            version: OLDEST,
            clock: ClockFilter::default(),
            translation: Translation::default(),
            probes: 0,
            answers: 0,
            out: VecDeque::new(),
            owed: vec![MaybeGap::NONE; config.edges.len()],
            epochs: vec![Epoch::default(); config.edges.len()],
            bulk_bytes: 0,
            turn: 0,
            totals: Totals::default(),
            config,
        }
    }

    /// Hands in a frame of an edge that this side sends, stamped with the number of its last
    /// [`flush`](Session::flush). A droppable edge always has room.
    ///
    /// # Errors
    /// A durable edge gives the frame back while it has no room; both do after their end.
    ///
    /// # Panics
    /// If this side does not send the edge.
    pub fn send(&mut self, now: Timestamp, edge: u16, frame: Frame) -> Result<(), NotTaken> {
        match &mut self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.take(frame).map_err(NotTaken),
            Edge::DroppableOut(out, _) => out.take(now, frame, self.bulk_bytes).map_err(NotTaken),
            _ => panic!("edge {edge} is received here"),
        }
    }

    /// Whether [`Session::send`] would take a frame of as many bytes.
    pub fn has_room(&self, edge: u16, bytes: usize) -> bool {
        match &self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.has_room(bytes),
            Edge::DroppableOut(out, _) => !out.has_ended(),
            _ => false,
        }
    }

    /// Promises that nothing older than `bound` will be sent on an edge any more.
    pub fn bound(&mut self, edge: u16, bound: Timestamp) {
        match &mut self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.raise(bound),
            Edge::DroppableOut(out, _) => out.raise(bound),
            _ => {}
        }
    }

    /// Nothing will be sent on an edge any more.
    pub fn end(&mut self, edge: u16) {
        match &mut self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.end(),
            Edge::DroppableOut(out, _) => out.end(),
            _ => {}
        }
    }

    /// The graph has consumed as many frames of a durable edge, in the order they were delivered: they
    /// are acknowledged, and as many more may come. What is never consumed holds the sender up.
    pub fn consumed(&mut self, now: Timestamp, edge: u16, frames: usize) {
        if let Edge::DurableIn(input) = &mut self.edges[usize::from(edge)] {
            input.consume(now, frames);
        }
    }

    /// Whether all that was handed in has come to where it goes, ends included.
    pub fn is_done(&self) -> bool {
        self.edges.iter().all(|edge| match edge {
            Edge::DurableOut(out, _) => out.is_done(),
            Edge::DroppableOut(out, _) => out.is_done(),
            _ => true,
        })
    }

    /// Whether the other side has said on this connection what it has.
    fn hears(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.hello_heard)
    }

    /// Whether everything has been sent and acknowledged, and everything that comes has come, was
    /// consumed and acknowledged: both sides may leave.
    pub fn is_finished(&self) -> bool {
        let acknowledged = self.edges.iter().all(|edge| match edge {
            Edge::DurableIn(input) => input.is_acknowledged(),
            _ => true,
        });
        self.hears() && acknowledged && self.is_done() && self.has_received_all()
    }

    /// Whether every edge that this side receives has ended.
    pub fn has_received_all(&self) -> bool {
        self.edges.iter().all(|edge| match edge {
            Edge::DurableIn(input) => input.has_ended(),
            Edge::DroppableIn(input) => input.has_ended(),
            _ => true,
        })
    }

    /// Whether every edge that this side receives and that may lose nothing has ended.
    pub fn has_received_all_durable(&self) -> bool {
        self.edges.iter().all(|edge| match edge {
            Edge::DurableIn(input) => input.has_ended(),
            _ => true,
        })
    }

    /// Tells the other side that we leave, and why.
    pub fn close(&mut self, reason: ByeReason, text: &str) {
        self.is_over |= reason.is_final() || reason == ByeReason::Stopped;
        if let Some(connection) = &mut self.connection {
            Message::Bye { reason, text: text.to_owned() }.put(&mut connection.control, 0);
        }
    }

    /// Tells the session what happened. [`Input::Tick`] is enough at [`Session::wake`].
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        self.hear(now, input);
        self.tick(now);
    }

    /// As [`Session::handle`], where more is to be told at once: what follows from it waits for that.
    pub fn hear(&mut self, now: Timestamp, input: Input<'_>) {
        match input {
            Input::Up(path) => self.connect(now, path),
            Input::Path(path) => {
                if let Some(connection) = &mut self.connection {
                    connection.path = path;
                }
            }
            Input::Down => self.lose(now),
            Input::Datagram(bytes) => self.read_datagram(now, bytes),
            Input::Stream { stream, bytes, end } => self.read_stream(now, stream, bytes, end),
            Input::StreamReset { stream } => {
                if let Some(connection) = &mut self.connection {
                    connection.heard = now;
                    connection.streams.remove(&stream);
                }
            }
            Input::Tick => {}
        }
    }

    /// What is to be done next; `None` until something happens or [`Session::wake`] has come.
    pub fn poll(&mut self, now: Timestamp) -> Option<Output> {
        self.out.pop_front().or_else(|| self.transmit(now))
    }

    /// When to come back at the latest.
    pub fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(connection) = &self.connection else {
            let call = (self.config.calls && !self.is_over).then_some(self.next_call);
            return call.into_iter().chain(self.edge_wakes(None)).min();
        };
        let timing = &self.config.timing;
        let own = [connection.next_probe(now, timing, self.knows_clock()), connection.ends(timing)];
        let path = &connection.path;
        let may = self.is_open && path.stream_room.min(path.bulk_room) > 0 && !self.sensor_waits();
        let past = (may && self.edges.iter().any(Edge::lags)).then(|| connection.pace.wake());
        own.into_iter().chain(past).chain(self.edge_wakes(Some(&connection.path))).min()
    }

    fn edge_wakes(&self, path: Option<&Path>) -> impl Iterator<Item = Timestamp> {
        let (ack_ns, hears) = (self.config.timing.ack_ns, self.hears());
        self.edges.iter().filter_map(move |edge| match edge {
            Edge::DurableOut(out, _) => {
                let copy = path.and_then(|path| out.copy_wake(path));
                copy.into_iter().chain(out.disk_wake()).min()
            }
            Edge::DroppableOut(out, _) => out.wake(path),
            Edge::DurableIn(input) if hears => {
                path.and(input.since).map(|since| since.plus_nanos(ack_ns))
            }
            Edge::DurableIn(_) => None,
            Edge::DroppableIn(input) => input.wake(),
        })
    }

    /// What it was told before it started.
    pub const fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// The other host's clock, if it was heard.
    pub fn clock(&self, now: Timestamp) -> Option<Estimate> {
        self.clock.at(now)
    }

    /// How often the other clock, or ours, has jumped, and how often translated times made a step.
    pub const fn clock_jumps(&self) -> (u64, u64) {
        (self.clock.jumps(), self.translation.steps())
    }

    /// Whether there is a connection.
    pub const fn is_up(&self) -> bool {
        self.connection.is_some()
    }

    /// Counts of the session.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Frames of an edge that this side sends that were handed in and are still here.
    pub fn queued(&self, edge: u16) -> u64 {
        match &self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.counts.inside,
            Edge::DroppableOut(out, _) => out.counts.inside,
            _ => 0,
        }
    }

    /// Counts of an edge that this side sends.
    pub fn sent(&self, edge: u16) -> Option<Sent> {
        match &self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => Some(out.counts),
            Edge::DroppableOut(out, _) => Some(out.counts),
            _ => None,
        }
    }

    /// Counts of an edge that this side receives.
    pub fn received(&self, edge: u16) -> Option<Received> {
        match &self.edges[usize::from(edge)] {
            Edge::DurableIn(input) => Some(input.counts),
            Edge::DroppableIn(input) => Some(input.counts),
            _ => None,
        }
    }

    /// Whether enough answers came to know the other clock well.
    pub(super) const fn knows_clock(&self) -> bool {
        self.answers >= 8
    }

    fn connect(&mut self, now: Timestamp, path: Path) {
        if self.connection.is_some() {
            self.forget(now);
        }
        self.totals.connections += 1;
        self.connection = Some(Connection::new(now, path));
        // Its uncertainty has grown in the meantime.
        if let Some(estimate) = self.clock.at(now) {
            self.translation.follow(estimate);
        }
        self.greet();
    }

    /// There is no connection any more, or a call was in vain.
    fn lose(&mut self, now: Timestamp) {
        if let Some(connection) = &mut self.connection {
            if let Some(text) = connection.farewell.take() {
                self.is_over = true;
                self.out.push_back(Output::Refused { reason: ByeReason::Done, text });
            }
            let (has_agreed, begun) = (connection.hello_heard, connection.begun);
            self.forget(now);
            // Whoever lets us in only to turn us away does so again: not as fast as we can call. A line
            // that was silent for as long has made up for it.
            self.next_call =
                if has_agreed { now } else { now.max(begun.plus_nanos(self.back_off())) };
        }
    }

    /// How long after a connection that was in vain began the next may be called for.
    fn back_off(&mut self) -> i64 {
        let timing = &self.config.timing;
        let after_ns = timing.call_ns[1].saturating_mul(1 << self.vain.min(16));
        self.vain = self.vain.saturating_add(1);
        after_ns.min(timing.silence_ns)
    }

    /// What was under way is lost with its connection.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.connection = None;
        self.lose_epochs();
        for edge in &mut self.edges {
            match edge {
                Edge::DurableOut(out, _) => out.lose(),
                Edge::DroppableOut(out, _) => out.lose(),
                Edge::DurableIn(input) => input.lose(now),
                Edge::DroppableIn(input) => input.lose(now),
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        let timing = self.config.timing;
        for edge in &mut self.edges {
            match edge {
                Edge::DurableOut(out, _) => out.poll(now),
                Edge::DurableIn(input) => input.poll(now),
                _ => {}
            }
        }
        let silent =
            self.connection.as_ref().is_some_and(|connection| now >= connection.ends(&timing));
        if silent {
            self.totals.silences += 1;
            self.out.push_back(Output::Close);
            self.lose(now);
        }
        if self.connection.is_none() && self.config.calls && !self.is_over && now >= self.next_call
        {
            self.totals.calls += 1;
            self.out.push_back(Output::Call);
            self.next_call = now.plus_nanos(self.call_ns);
            self.call_ns = (self.call_ns * 2).min(timing.call_ns[1]);
        }
        let path = self.connection.as_ref().map(|connection| connection.path);
        for edge in &mut self.edges {
            if let Edge::DroppableOut(out, _) = edge {
                let resets = out.expire(now, path.as_ref());
                if path.is_some() {
                    self.out.extend(resets.into_iter().map(Output::Reset));
                }
            }
        }
        self.give_out(now);
        self.let_go(now);
    }
}

impl Edge {
    /// Whether it could send something that it has to catch up with.
    pub(super) fn lags(&self) -> bool {
        matches!(self, Self::DurableOut(out, _) if out.is_behind() && out.is_ready())
    }

    fn new(number: u16, edge: &EdgeConfig, config: &SessionConfig) -> Self {
        let writer = FrameWriter::new(&edge.format, OLDEST, edge.packed);
        match (edge.receives, edge.delivery) {
            (false, Delivery::Durable) => {
                let out = DurableOut::new(number, edge, config.life);
                Self::DurableOut(Box::new(out), writer)
            }
            (false, Delivery::Droppable { deadline_ns }) => {
                Self::DroppableOut(DroppableOut::new(number, edge, deadline_ns), writer)
            }
            (true, Delivery::Durable) => Self::DurableIn(DurableIn::new(edge)),
            (true, Delivery::Droppable { deadline_ns }) => {
                // Streams overtake each other by far more than datagrams do.
                let patience_ns = match edge.priority {
                    Priority::Sensor => {
                        let least = config.timing.reorder_ns.min(deadline_ns);
                        [least, least.max(deadline_ns / 2)]
                    }
                    Priority::Bulk => [deadline_ns; 2],
                };
                Self::DroppableIn(DroppableIn::new(edge, patience_ns))
            }
        }
    }
}
