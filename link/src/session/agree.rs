//! How two sides find out that they can work together.

use engine::{Timestamp, describe, differences};

use super::{
    config::{Delivery, TimeLine},
    durable_in::DurableIn,
    io::Output,
    machine::{Edge, Session},
};
use crate::printable::printable;
use crate::wire::{
    ByeReason, FrameWriter, Hello, HelloEdge, Message, NEWEST, OLDEST, WireError, put_preamble,
};

/// Differences that are told one by one.
const PROBLEMS_MAX: usize = 8;

impl Session {
    /// Says who we are, first thing on a connection.
    pub(super) fn greet(&mut self) {
        let hello = Message::Hello(Box::new(self.hello()));
        let Some(connection) = &mut self.connection else { return };
        // Every version reads a hello, so it stands under the oldest.
        put_preamble(&mut connection.control, OLDEST);
        hello.put(&mut connection.control, 0);
    }

    fn hello(&self) -> Hello {
        let edges = self.config.edges.iter().zip(&self.edges);
        let edges = edges.map(|(config, edge)| HelloEdge {
            name: config.name.clone(),
            receives: config.receives,
            durable: config.delivery == Delivery::Durable,
            next: match edge {
                Edge::DurableOut(out, _) => out.first(),
                // Whoever goes on for one that is gone tells what is missing from there on.
                Edge::DroppableOut(out, _) => out.known_next(),
                Edge::DurableIn(input) => input.acknowledgeable(),
                Edge::DroppableIn(input) => input.counts.next,
            },
            count: Some(match edge {
                Edge::DurableOut(out, _) => out.count(),
                Edge::DurableIn(input) => input.count(),
                _ => 0,
            }),
            format: describe(&config.format),
        });
        Hello {
            newest: self.newest,
            oldest: OLDEST,
            graph: self.config.graph,
            session: self.config.session,
            life: self.config.life,
            edges: edges.collect(),
        }
    }

    /// The other side has said who it is.
    pub(super) fn meet(&mut self, now: Timestamp, hello: &Hello) -> Result<(), WireError> {
        if let Err((reason, text)) = self.suits(hello) {
            self.refuse(now, reason, text);
            return Ok(());
        }
        let is_new = self.agreed != Some(hello.life);
        let has_restarted = is_new && self.agreed.is_some();
        self.agreed = Some(hello.life);
        self.is_open &= !is_new;
        let version = self.newest.min(hello.newest);
        let is_other = version != self.version;
        self.version = version;
        let mut ahead = Vec::new();
        for (n, theirs) in hello.edges.iter().enumerate() {
            let config = &self.config.edges[n];
            let fresh = || FrameWriter::new(&config.format, version, config.packed);
            match &mut self.edges[n] {
                Edge::DurableOut(out, writer) => {
                    if is_other {
                        *writer = fresh();
                    }
                    if is_new {
                        // What was written already may have come before it knew us, and what may be
                        // written the one before it has granted.
                        out.lose();
                        out.grant(0, 0);
                        self.out.push_back(Output::Reset(super::StreamKey::Edge(n as u16)));
                    }
                    let knows_us = match theirs.count {
                        Some(count) => count == out.count(),
                        // It does not say: places that a life before ours has given are not ours.
                        None => !is_new || theirs.next <= out.furthest(),
                    };
                    if knows_us && is_new && theirs.next > out.furthest() {
                        ahead.push(n);
                    } else if knows_us {
                        out.resume(theirs.next)?;
                    }
                }
                Edge::DroppableOut(out, writer) => {
                    if is_other {
                        *writer = fresh();
                    }
                    if is_new {
                        out.forget();
                    }
                }
                Edge::DurableIn(input) => {
                    let count = theirs.count.unwrap_or(hello.life);
                    if input.count() == count {
                        if is_new {
                            input.revive();
                        }
                    } else if input.restart(count, theirs.next) {
                        self.tell_gap(n as u16, DurableIn::RESTART, 0);
                    }
                }
                Edge::DroppableIn(input) if has_restarted => {
                    let waiting = input.restart(theirs.next);
                    for frame in waiting {
                        self.deliver(now, n as u16, frame);
                    }
                    self.tell_gap(n as u16, DurableIn::RESTART, 0);
                }
                // What a process before this one had got is no loss.
                Edge::DroppableIn(input) if is_new => input.begin(theirs.next),
                Edge::DroppableIn(_) => {}
            }
        }
        if !ahead.is_empty() {
            self.count_anew(now, &ahead);
            return Ok(());
        }
        if is_new {
            self.forget_epochs();
        }
        if has_restarted {
            // Behind what waited for the other life's clock.
            self.clock.forget();
            self.translation.forget();
            self.answers = 0;
        }
        let connection = self.connection.as_mut().expect("it has just spoken");
        connection.hello_heard = true;
        (self.call_ns, self.vain) = (self.config.timing.call_ns[0], 0);
        if has_restarted {
            connection.asked = None;
        }
        self.tell_ready();
        Ok(())
    }

    /// The other side has frames of these edges that we have forgotten to have sent, as after power
    /// loss. New ones must not have their places: we count anew, and say so on another connection.
    fn count_anew(&mut self, now: Timestamp, edges: &[usize]) {
        for &n in edges {
            if let Edge::DurableOut(out, _) = &mut self.edges[n] {
                // Odd, as a hello without a count has none.
                out.recount((out.count() ^ self.config.life.rotate_left(17)).wrapping_mul(25) | 1);
            }
        }
        self.totals.recounts += 1;
        self.agreed = None;
        self.out.push_back(Output::Close);
        self.forget(now);
        self.next_call = now;
    }

    /// Frames may come once their times can be understood.
    pub(super) fn tell_ready(&mut self) {
        let translates =
            self.config.edges.iter().any(|edge| edge.receives && edge.line == TimeLine::Clock);
        let is_ready = !translates || self.translation.is_known();
        let Some(connection) = &mut self.connection else { return };
        if is_ready && connection.hello_heard && !connection.ready_told {
            connection.ready_told = true;
            Message::Ready.put(&mut connection.control, 0);
        }
    }

    /// Whether we can work with who says so; why not, with everything that differs.
    fn suits(&self, hello: &Hello) -> Result<(), (ByeReason, String)> {
        if hello.newest < OLDEST || hello.oldest > NEWEST {
            let theirs = if hello.newest < OLDEST { hello.newest } else { hello.oldest };
            let error = WireError::Version { theirs, oldest: OLDEST, newest: NEWEST };
            return Err((ByeReason::Version, error.to_string()));
        }
        let mut problems = Vec::new();
        if hello.session != self.config.session {
            problems.push("it has another session".to_owned());
        }
        // Both hosts read this.
        let [mut one, mut other] = ["on the calling host", "on the called one"];
        if !self.config.calls {
            (one, other) = ("on the called host", "on the calling one");
        }
        if hello.edges.len() != self.config.edges.len() {
            let (here, there) = (self.config.edges.len(), hello.edges.len());
            problems.push(format!("edges between the two: {here} {one}, {there} {other}"));
        }
        for (ours, theirs) in self.config.edges.iter().zip(&hello.edges) {
            if ours.name != theirs.name {
                problems.push(format!("edge `{}` {one} is `{}` {other}", ours.name, theirs.name));
                continue;
            }
            let said = |is: bool| if is { "durable" } else { "droppable" };
            let is_durable = ours.delivery == Delivery::Durable;
            if is_durable != theirs.durable {
                let (here, there) = (said(is_durable), said(theirs.durable));
                problems.push(format!("edge `{}` is {here} {one} and {there} {other}", ours.name));
            }
            if ours.receives == theirs.receives {
                let does = if ours.receives { "receive" } else { "send" };
                problems.push(format!("both sides {does} edge `{}`", ours.name));
            }
            let differing = differences(&describe(&ours.format), &theirs.format, [one, other]);
            let named = |difference| format!("edge `{}`: {difference}", ours.name);
            problems.extend(differing.into_iter().map(named));
        }
        if problems.len() > PROBLEMS_MAX {
            let more = problems.len() - PROBLEMS_MAX;
            problems.truncate(PROBLEMS_MAX);
            problems.push(format!("and {more} more"));
        }
        if hello.graph != self.config.graph {
            problems.insert(0, "the two run different graphs; give both the same file".to_owned());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err((ByeReason::Graph, printable(&problems.join("; "))))
        }
    }

    /// Leaves the other side, and says why to it and to our owner.
    pub(super) fn refuse(&mut self, now: Timestamp, reason: ByeReason, text: String) {
        self.close(reason, &text);
        if let Some(connection) = &mut self.connection {
            let bytes = std::mem::take(&mut connection.control).into();
            let stream = super::StreamKey::Control;
            self.out.push_back(Output::Stream { stream, bytes, priority: 2, end: true });
        }
        self.part(now, reason, text);
    }

    /// The other side leaves. If it is done, what it sent before may still be on its way.
    pub(super) fn hear_farewell(&mut self, now: Timestamp, reason: ByeReason, text: &str) {
        let text = printable(text);
        match &mut self.connection {
            Some(connection) if reason == ByeReason::Done => connection.farewell = Some(text),
            _ => self.part(now, reason, text),
        }
    }

    /// Lets the other side go once it has said that it leaves, and all it sent is here.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        if !self.has_received_all() {
            return;
        }
        if let Some(text) = self.connection.as_mut().and_then(|c| c.farewell.take()) {
            self.part(now, ByeReason::Done, text);
        }
    }

    /// Gives the connection up, for a while or for good.
    pub(super) fn part(&mut self, now: Timestamp, reason: ByeReason, text: String) {
        self.is_over |= reason.is_final();
        self.out.push_back(Output::Refused { reason, text });
        self.out.push_back(Output::Close);
        self.forget(now);
        // What went wrong at once would go wrong again at once.
        self.next_call = now.plus_nanos(self.config.timing.silence_ns);
    }
}
