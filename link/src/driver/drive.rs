//! [`Driver`]: brings a session what comes, and does what it asks.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use engine::{Clock, Timestamp};
use tokio::time::{Instant, Sleep};

use super::{
    hand::Hand,
    parting::Parting,
    ports::{Ends, Ports},
    status::{EdgeStatus, Status},
    transport::{Calls, Connection, Event},
};
use crate::{
    session::{Delivery, Input, Output, Session},
    wire::ByeReason,
};

/// What comes on a connection before the session may send again.
const EVENTS_TURN: usize = 128;
/// Events that are taken to have come at one time.
const EVENTS_CLOCK: usize = 8;
/// How often that goes on before others have their turn; who sends the packets is one of them.
const ROUNDS_TURN: usize = 4;
/// Between two snapshots.
const STATUS_NS: i64 = 100_000_000;

/// How a driver works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's monotonic clock, the same that stamps the frames' `entered`.
    pub clock: Clock,
    /// Once all that this side sends has ended: how long without a connection, or without progress, it
    /// waits for durable frames to be acknowledged.
    pub flush: Duration,
    /// How long the other side may take to hear our farewell.
    pub farewell: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            flush: Duration::from_secs(5),
            farewell: Duration::from_secs(1),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What a program looks at.
    pub reason: ByeReason,
    /// What a person reads.
    pub text: String,
    /// Frames of durable edges that the other side has not acknowledged.
    pub left: u64,
}

/// A session with the graph's ends of it; see the [module](super).
pub struct Driver {
    pub(super) session: Session,
    pub(super) settings: Settings,
    pub(super) ends: Ends,
    hands: Vec<Option<Hand>>,
    pub(super) connection: Option<Box<dyn Connection>>,
    pub(super) parting: Parting,
    /// Whether each outlet has ended and all it held was handed in.
    pub(super) emptied: Vec<bool>,
    pub(super) refused: Option<(ByeReason, String)>,
    status: Status,
    timer: Pin<Box<Sleep>>,
    timer_at: Timestamp,
}

impl Driver {
    /// A driver of a session that has no connection yet, and the graph's ends. Within a tokio runtime.
    pub fn new(session: Session, settings: Settings) -> (Self, Ports) {
        let (ends, ports) = Ends::new(session.config());
        session.on_news(&Waker::from(ends.bell.clone()));
        let edges = &session.config().edges;
        let hands = edges.iter().map(|edge| edge.receives.then(|| Hand::new(edge))).collect();
        let named = edges
            .iter()
            .map(|edge| EdgeStatus { name: edge.name.clone(), ..EdgeStatus::default() });
        let status = Status { edges: named.collect(), ..Status::default() };
        let driver = Self {
            settings,
            hands,
            connection: None,
            parting: Parting::default(),
            emptied: edges.iter().map(|edge| edge.receives).collect(),
            refused: None,
            status,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: Timestamp::MIN,
            ends,
            session,
        };
        (driver, ports)
    }

    /// Runs to the end. Dropped earlier, it leaves without a word.
    pub async fn run(mut self, mut calls: impl Calls) -> Ended {
        self.note_status(self.now(), true);
        let ended = poll_fn(|context| self.turn(&mut calls, context)).await;
        self.note_status(self.now(), true);
        ended
    }

    pub(super) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    fn turn(&mut self, calls: &mut dyn Calls, context: &mut Context<'_>) -> Poll<Ended> {
        self.ends.bell.listen(context.waker());
        for _ in 0..ROUNDS_TURN {
            self.ends.bell.take();
            self.connect(calls, context);
            let has_more = self.hear(context);
            let now = self.now();
            self.take_in(now);
            self.put_out(calls, now);
            self.hand_over();
            self.look_for_room();
            if let Some(ended) = self.look_for_end(now, context) {
                self.put_out(calls, now);
                return Poll::Ready(ended);
            }
            self.note_status(now, false);
            if !has_more && !self.ends.bell.has_rung() && self.sleep(now, context) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes a connection up.
    fn connect(&mut self, calls: &mut dyn Calls, context: &mut Context<'_>) {
        let Poll::Ready(called) = calls.poll_connection(context) else { return };
        // There may be another.
        self.ends.bell.ring();
        let now = self.now();
        match called {
            Ok(mut connection) => {
                self.session.handle(now, Input::Up(connection.path()));
                if let Some(mut old) = self.connection.replace(connection) {
                    old.close();
                }
                (self.status.is_up, self.status.since) = (true, now);
                self.note_status(now, true);
            }
            // The session calls on: it hears of connections alone.
            Err(error) => self.status.trouble = Some(error),
        }
    }

    /// Tells the session what came; whether there may be more.
    fn hear(&mut self, context: &mut Context<'_>) -> bool {
        // Who does not take what it was given gets no more.
        if self.hands_are_full() {
            return false;
        }
        let mut now = self.now();
        for n in 0..EVENTS_TURN {
            let Some(connection) = &mut self.connection else { return false };
            let Poll::Ready(event) = connection.poll_event(context) else { return false };
            if n % EVENTS_CLOCK == EVENTS_CLOCK - 1 {
                now = self.settings.clock.now();
            }
            let input = match event {
                Event::Datagram(bytes) => Input::Datagram(bytes),
                Event::Stream { stream, bytes, end } => Input::Stream { stream, bytes, end },
                Event::StreamReset { stream } => Input::StreamReset { stream },
                Event::Room => continue,
                Event::Down(why) => {
                    self.status.trouble = Some(why.to_owned());
                    self.connection = None;
                    self.session.handle(now, Input::Down);
                    self.went_down(now);
                    return true;
                }
            };
            // What follows from it is asked for when all is told.
            self.session.hear(now, input);
        }
        true
    }

    fn went_down(&mut self, now: Timestamp) {
        (self.status.is_up, self.status.since) = (false, now);
        self.note_status(now, true);
    }

    fn hands_are_full(&self) -> bool {
        self.hands.iter().flatten().any(Hand::is_full)
    }

    /// Takes what the graph hands in.
    fn take_in(&mut self, now: Timestamp) {
        for n in 0..self.ends.outs.len() {
            let Some(end) = &mut self.ends.outs[n] else { continue };
            if self.emptied[n] {
                continue;
            }
            let edge = n as u16;
            // Read before the ring is: they hold behind what is in it.
            let bound = end.shared.bound.load(Ordering::Acquire);
            let has_ended = end.shared.has_ended.load(Ordering::Acquire);
            let mut taken = 0;
            let voids = self.session.voids(edge);
            if voids {
                let epoch = end.shared.epoch.load(Ordering::Acquire);
                while end.ring.peek().is_ok_and(|frame| frame.header.epoch < epoch) {
                    drop(end.ring.pop());
                    taken += 1;
                }
                self.session.flush(edge, epoch, taken);
            }
            while let Ok(frame) = end.ring.peek()
                && self.session.has_room(edge, frame.buffer().bytes_len())
            {
                let frame = end.ring.pop().expect("just seen");
                if voids {
                    // It may have been flushed since we looked.
                    self.session.flush(edge, frame.header.epoch, 0);
                }
                drop(self.session.send(now, edge, frame));
                taken += 1;
            }
            if taken > 0 {
                end.tell_room();
            }
            if end.ring.is_empty() {
                if bound > i64::MIN {
                    self.session.bound(edge, Timestamp::from_nanos(bound));
                }
                if has_ended {
                    self.session.end(edge);
                    self.emptied[n] = true;
                }
            }
        }
        for n in 0..self.ends.ins.len() {
            let Some(end) = &self.ends.ins[n] else { continue };
            let consumed = end.shared.consumed.swap(0, Ordering::AcqRel);
            if consumed > 0 {
                self.session.consumed(now, n as u16, consumed as usize);
            }
        }
    }

    /// What was acknowledged or written meanwhile may have made room for what waits.
    fn look_for_room(&mut self) {
        for (n, end) in self.ends.outs.iter_mut().enumerate() {
            if let Some(end) = end
                && !self.emptied[n]
                && let Ok(frame) = end.ring.peek()
                && self.session.has_room(n as u16, frame.buffer().bytes_len())
            {
                return self.ends.bell.ring();
            }
        }
    }

    /// Does what the session asks.
    fn put_out(&mut self, calls: &mut dyn Calls, now: Timestamp) {
        loop {
            match &mut self.connection {
                Some(connection) => self.session.handle(now, Input::Path(connection.path())),
                None => self.session.handle(now, Input::Tick),
            }
            let mut has_streamed = false;
            while let Some(output) = self.session.poll(now) {
                has_streamed |= matches!(output, Output::Stream { .. });
                self.put(calls, now, output);
            }
            // What was taken leaves room for more; what was not will be told.
            if !has_streamed {
                break;
            }
        }
        self.tell_queued();
    }

    fn put(&mut self, calls: &mut dyn Calls, now: Timestamp, output: Output) {
        match output {
            Output::Datagram(bytes) => {
                if let Some(connection) = &mut self.connection {
                    connection.datagram(bytes);
                }
            }
            Output::Stream { stream, bytes, priority, end } => {
                if let Some(connection) = &mut self.connection {
                    connection.stream(stream, bytes, priority, end);
                }
            }
            Output::Reset(stream) => {
                if let Some(connection) = &mut self.connection {
                    connection.reset(stream);
                }
            }
            Output::Call => {
                calls.call();
                // What becomes of it is asked for at once.
                self.ends.bell.ring();
            }
            Output::Close => {
                if let Some(connection) = self.connection.take() {
                    self.parting.add(connection, now + self.settings.farewell);
                    self.went_down(now);
                }
            }
            Output::Flush { edge } => {
                let n = usize::from(edge);
                if let (Some(hand), Some(end)) = (&self.hands[n], &self.ends.ins[n]) {
                    hand.flush(end);
                }
            }
            Output::Refused { reason, text } => self.refused = Some((reason, text)),
            given => self.give(given),
        }
    }

    /// Gives the graph what came for it.
    fn give(&mut self, output: Output) {
        let (edge, arrived) = match Hand::arrived(output) {
            Some(arrived) => arrived,
            None => return,
        };
        let n = usize::from(edge);
        if let (Some(hand), Some(end)) = (&mut self.hands[n], &mut self.ends.ins[n]) {
            hand.give(end, arrived);
        }
    }

    /// Wakes whoever was given something, once.
    fn hand_over(&mut self) {
        for (hand, end) in self.hands.iter_mut().zip(&mut self.ends.ins) {
            if let (Some(hand), Some(end)) = (hand, end) {
                hand.over(end);
            }
        }
    }

    /// Says how much of what was handed in is still here.
    fn tell_queued(&mut self) {
        for (n, end) in self.ends.outs.iter().enumerate() {
            if let Some(end) = end {
                let inside = self.session.queued(n as u16);
                end.shared.inside.store(inside, Ordering::Relaxed);
            }
        }
    }

    /// Sets the timer; whether there is nothing to do before it.
    fn sleep(&mut self, now: Timestamp, context: &mut Context<'_>) -> bool {
        let wakes = [self.session.wake(now), self.wake_for_end()];
        let wake = wakes.into_iter().flatten().min().unwrap_or(Timestamp::MAX);
        if wake <= now {
            return false;
        }
        // One that rings too early does no harm, and sets it anew.
        let is_set = now < self.timer_at && self.timer_at <= wake;
        if !is_set && wake < Timestamp::MAX {
            let left = Duration::from_nanos(wake.since(now).unsigned_abs());
            // Beyond any run, and what the timer can count.
            let left = left.min(Duration::from_secs(3_600));
            self.timer.as_mut().reset(Instant::now() + left);
            self.timer_at = now + left;
        }
        if self.timer_at <= now {
            return true;
        }
        let is_due = self.timer.as_mut().poll(context).is_ready();
        if is_due {
            self.timer_at = Timestamp::MIN;
        }
        !is_due
    }

    /// Renews the snapshot, if it is old or `now_or_never`.
    fn note_status(&mut self, now: Timestamp, must: bool) {
        if !must && now.since(self.status.at) < STATUS_NS {
            return;
        }
        let (status, session) = (&mut self.status, &self.session);
        status.at = now;
        if let Some(connection) = &mut self.connection {
            let path = connection.path();
            (status.rtt_ns, status.bytes_per_s) = (path.rtt_ns, path.bytes_per_s);
            status.figures = connection.figures();
        }
        status.clock = session.clock(now);
        status.clock_jumps = session.clock_jumps();
        status.totals = session.totals();
        status.refused.clone_from(&self.refused);
        for (n, edge) in status.edges.iter_mut().enumerate() {
            edge.sent = session.sent(n as u16);
            edge.received = session.received(n as u16);
            edge.waiting = self.ends.waiting(n);
            edge.spool = session.spool(n as u16).map(|(spool, _)| spool);
            edge.overflown = self.hands[n].as_ref().map_or(0, Hand::overflown);
        }
        let mut shared = self.ends.handle.status.lock().unwrap_or_else(PoisonError::into_inner);
        shared.clone_from(&self.status);
    }

    /// Frames of durable edges that nobody has acknowledged.
    pub(super) fn left(&self) -> u64 {
        let edges = self.session.config().edges.iter().enumerate();
        let durable =
            edges.filter(|(_, edge)| edge.delivery == Delivery::Durable && !edge.receives);
        durable
            .map(|(n, _)| {
                let inside = self.session.sent(n as u16).map_or(0, |sent| sent.inside);
                inside + self.ends.waiting(n) as u64
            })
            .sum()
    }
}
