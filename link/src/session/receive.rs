//! What a session does with what comes.

use engine::{Frame, Gap, Timestamp};

use super::{
    config::TimeLine,
    connection::{InStream, STREAMS_MAX},
    droppable_in::Ordered,
    io::Output,
    machine::{Edge, Session},
};
use crate::{
    clock::Heard,
    wire::{
        ByeReason, CONTROL_MAX, Datagram, Message, Record, RecordKind, WireError, longest,
        read_frame,
    },
};

/// Where a record came from.
enum From<'a> {
    Datagram,
    Stream(&'a mut InStream),
}

impl Session {
    pub(super) fn read_datagram(&mut self, now: Timestamp, bytes: &[u8]) {
        let Some(connection) = &mut self.connection else { return };
        connection.heard = now;
        let read = Datagram::open(bytes).and_then(|datagram| {
            let version = datagram.version;
            for record in datagram {
                self.read_record(now, version, record?, &mut From::Datagram)?;
            }
            Ok(())
        });
        // What is behind it in a datagram is lost like any datagram.
        self.totals.malformed += u64::from(read.is_err());
    }

    pub(super) fn read_stream(&mut self, now: Timestamp, number: u64, bytes: &[u8], end: bool) {
        let body_max = self.body_max();
        let Some(connection) = &mut self.connection else { return };
        connection.heard = now;
        let mut stream = connection.streams.remove(&number).unwrap_or_default();
        let held = connection.held() + stream.assembler.held() + bytes.len();
        // Each edge may have its longest frame half here, and the newest of bulk a few.
        let held_max = body_max.saturating_mul(4 + self.edges.len());
        let too_long = |what, is: usize, max: usize| {
            Err(WireError::TooLong { what, is: is as u64, max: max as u64 })
        };
        let open = connection.streams.len() + 1;
        let read = if open > STREAMS_MAX {
            too_long("the number of open streams", open, STREAMS_MAX)
        } else if held > held_max {
            too_long("what is held of streams", held, held_max)
        } else {
            stream.assembler.push(bytes);
            self.read_records(now, &mut stream, body_max)
        };
        match read {
            Ok(()) => {
                // What ends within a record is missing like any other frame.
                self.totals.malformed += u64::from(end && stream.assembler.held() > 0);
                if let Some(connection) = self.connection.as_mut().filter(|_| !end) {
                    connection.streams.insert(number, stream);
                }
            }
            Err(error) => {
                self.totals.malformed += 1;
                let text = format!("what came on a stream cannot be read: {error}");
                self.refuse(now, ByeReason::Protocol, text);
            }
        }
    }

    fn read_records(
        &mut self,
        now: Timestamp,
        stream: &mut InStream,
        body_max: usize,
    ) -> Result<(), WireError> {
        let mut assembler = std::mem::take(&mut stream.assembler);
        while let Some((version, record)) = assembler.next(body_max)? {
            self.read_record(now, version, record, &mut From::Stream(stream))?;
            if self.connection.is_none() {
                break;
            }
        }
        stream.assembler = assembler;
        Ok(())
    }

    /// The longest record that may come on a stream.
    fn body_max(&self) -> usize {
        let received = self.config.edges.iter().filter(|edge| edge.receives);
        let frames = received.map(|edge| longest(&edge.format).unwrap_or(crate::wire::CONTENT_MAX));
        frames.chain([CONTROL_MAX]).max().expect("one is there")
    }

    fn read_record(
        &mut self,
        now: Timestamp,
        version: u8,
        record: Record<'_>,
        from: &mut From<'_>,
    ) -> Result<(), WireError> {
        let is_about_edge = matches!(
            record.kind,
            RecordKind::Frame
                | RecordKind::Credit
                | RecordKind::Ack
                | RecordKind::Gap
                | RecordKind::Bound
                | RecordKind::End
                | RecordKind::Flush
        );
        let edges = self.edges.len() as u64;
        if is_about_edge && u64::from(record.edge) >= edges {
            let (is, max) = (record.edge.into(), edges.saturating_sub(1));
            return Err(WireError::TooLong { what: "the number of an edge", is, max });
        }
        // Before the two have agreed, what an edge's number means is not known.
        let is_early = is_about_edge && (self.agreed.is_none() || !self.understands(record.edge));
        let is_void = matches!(from, From::Stream(stream) if stream.is_void);
        if is_early || (is_void && record.kind == RecordKind::Frame) {
            self.totals.early += u64::from(record.kind == RecordKind::Frame);
            if let From::Stream(stream) = from {
                stream.is_void = true;
            }
            return Ok(());
        }
        match Message::read(record.kind, record.body)? {
            None => self.read_frame(now, version, record, from),
            Some(message) => self.read_message(now, record, message, from),
        }
    }

    /// Whether times of an edge can be translated, if they need to be.
    fn understands(&self, edge: u16) -> bool {
        let edge = &self.config.edges[usize::from(edge)];
        !edge.receives || edge.line == TimeLine::Shared || self.translation.is_known()
    }

    fn read_frame(
        &mut self,
        now: Timestamp,
        version: u8,
        record: Record<'_>,
        from: &mut From<'_>,
    ) -> Result<(), WireError> {
        let number = usize::from(record.edge);
        let unexpected = || WireError::Unknown { what: "a frame of edge", is: number as u64 };
        if !self.config.edges[number].receives {
            return Err(unexpected());
        }
        let format = &self.config.edges[number].format;
        let (place, frame) = read_frame(version, record.body, format)?;
        let is_void =
            self.config.edges[number].may_void && self.hear_epoch(record.edge, frame.header.epoch);
        match (&mut self.edges[number], from) {
            (Edge::DroppableIn(input), _) => input.take(now, place, frame),
            (Edge::DurableIn(input), From::Stream(stream)) => {
                if stream.frames == 0 && place > input.next() {
                    // Begun before the other side knew that we have started anew.
                    stream.is_void = true;
                    self.totals.early += 1;
                    return Ok(());
                }
                stream.frames += 1;
                if is_void {
                    if input.void(place)? {
                        self.tell_gap(record.edge, Gap::Flush, 1);
                    }
                    return Ok(());
                }
                let is_new = input.take(place, frame.buffer().bytes_len())?;
                input.since.get_or_insert(now);
                if is_new {
                    self.deliver(now, record.edge, frame);
                }
            }
            // Another of it comes on the stream.
            (Edge::DurableIn(input), From::Datagram) => {
                if !is_void && input.take_copy(place, frame.buffer().bytes_len()) {
                    input.since.get_or_insert(now);
                    self.deliver(now, record.edge, frame);
                }
            }
            _ => return Err(unexpected()),
        }
        Ok(())
    }

    fn read_message(
        &mut self,
        now: Timestamp,
        record: Record<'_>,
        message: Message,
        from: &mut From<'_>,
    ) -> Result<(), WireError> {
        let edge = record.edge;
        let unexpected =
            || WireError::Unknown { what: "a message of kind", is: record.kind as u64 };
        // What must come once and in order comes on streams.
        let is_ordered = matches!(
            message,
            Message::Hello(_)
                | Message::Ready
                | Message::Credit { .. }
                | Message::Gap { .. }
                | Message::End { .. }
                | Message::Flush { .. }
                | Message::Bye { .. }
        );
        if is_ordered && matches!(from, From::Datagram) {
            return Err(unexpected());
        }
        match message {
            Message::Hello(hello) => {
                // Once on a connection; what is agreed stays as it is.
                let is_first = self.connection.as_ref().is_some_and(|c| !c.hello_heard);
                return if is_first { self.meet(now, &hello) } else { Err(unexpected()) };
            }
            Message::Ready => self.is_open = self.agreed.is_some(),
            Message::Credit { frames, bytes } => match &mut self.edges[usize::from(edge)] {
                Edge::DurableOut(out, _) => out.grant(frames, bytes),
                _ => return Err(unexpected()),
            },
            Message::Ack { next, bound } => match &mut self.edges[usize::from(edge)] {
                Edge::DurableOut(out, _) => out.acknowledge(next)?,
                Edge::DroppableOut(out, _) => out.acknowledge(next, bound),
                _ => return Err(unexpected()),
            },
            Message::Gap { from, to, reason } => match &mut self.edges[usize::from(edge)] {
                Edge::DurableIn(input) => {
                    let missing = input.skip(from, to, reason)?;
                    input.since.get_or_insert(now);
                    if let Some(frames) = missing {
                        self.tell_gap(edge, reason, frames);
                    }
                }
                Edge::DroppableIn(input) => input.skip(now, from, to, reason),
                _ => return Err(unexpected()),
            },
            Message::Bound { next, bound } => match &mut self.edges[usize::from(edge)] {
                Edge::DurableIn(input) => {
                    if let Some(bound) = input.raise(next, bound) {
                        let bound = self.local_bound(edge, bound);
                        self.out.push_back(Output::Bound { edge, bound });
                    }
                }
                Edge::DroppableIn(input) => input.raise(now, next, bound),
                _ => return Err(unexpected()),
            },
            Message::End { next } => match &mut self.edges[usize::from(edge)] {
                Edge::DurableIn(input) => {
                    if input.end(next) {
                        self.out.push_back(Output::End { edge });
                    }
                }
                Edge::DroppableIn(input) => input.end(now, next),
                _ => return Err(unexpected()),
            },
            Message::Flush { epoch } => {
                let config = &self.config.edges[usize::from(edge)];
                if !config.receives {
                    return Err(unexpected());
                }
                if config.may_void {
                    self.hear_epoch(edge, epoch);
                }
            }
            Message::Probe { id, sent } => {
                if let Some(connection) = &mut self.connection {
                    // Filled in when it leaves; what it waits here must not count as its way.
                    let (received, replied) = (now, now);
                    connection.answer(Message::Answer { id, sent, received, replied });
                }
            }
            // Come twice on its way, or never asked for: it costs no look at the clock.
            Message::Answer { id, sent, received, replied } => {
                if self.connection.as_mut().is_some_and(|c| c.is_asked(id, sent)) {
                    self.hear_clock(now, [sent, received, replied]);
                }
            }
            Message::Ping => {}
            Message::Bye { reason, text } => self.hear_farewell(now, reason, &text),
        }
        Ok(())
    }

    fn hear_clock(&mut self, now: Timestamp, [sent, received, replied]: [Timestamp; 3]) {
        match self.clock.hear(sent, received, replied, now) {
            Heard::Impossible => self.totals.malformed += 1,
            Heard::Fits => self.answers = self.answers.saturating_add(1),
            Heard::Jump => self.answers = 1,
        }
        if let Some(connection) = &mut self.connection {
            connection.hear_clock();
        }
        if let Some(estimate) = self.clock.at(now) {
            self.translation.follow(estimate);
            self.tell_ready();
        }
    }

    /// Gives the graph what is in order now.
    pub(super) fn give_out(&mut self, now: Timestamp) {
        for number in 0..self.edges.len() {
            let edge = number as u16;
            let config = &self.config.edges[number];
            let required = if config.may_void { self.epoch_of(edge) } else { 0 };
            while let Edge::DroppableIn(input) = &mut self.edges[number]
                && let Some(ordered) = input.pop(now)
            {
                match ordered {
                    Ordered::Frame(frame) if frame.header.epoch < required => {
                        input.counts.void();
                        self.tell_gap(edge, Gap::Flush, 1);
                    }
                    Ordered::Frame(frame) => self.deliver(now, edge, frame),
                    Ordered::Gap { reason, frames } => {
                        self.tell_gap(edge, reason, frames);
                    }
                    Ordered::Bound(bound) => {
                        let bound = self.local_bound(edge, bound);
                        self.out.push_back(Output::Bound { edge, bound });
                    }
                    Ordered::End => self.out.push_back(Output::End { edge }),
                }
            }
        }
    }

    /// Tells what is missing now, and has the next frame tell it too.
    pub(super) fn tell_gap(&mut self, edge: u16, reason: Gap, frames: u64) {
        self.owed[usize::from(edge)].note(reason);
        self.out.push_back(Output::Gap { edge, reason, frames });
    }

    pub(super) fn deliver(&mut self, now: Timestamp, edge: u16, mut frame: Frame) {
        let header = &mut frame.header;
        header.gap = header.gap.or(std::mem::take(&mut self.owed[usize::from(edge)]));
        if self.config.edges[usize::from(edge)].line == TimeLine::Clock {
            header.time = self.translation.local(header.time);
            let uncertainty_ns = self.translation.uncertainty_ns();
            header.uncertainty_ns = header.uncertainty_ns.saturating_add(uncertainty_ns);
        }
        // Latency counts from the first host's door; what is off here must not lie ahead of us.
        let is_known = self.translation.is_known();
        let entered = if is_known { self.translation.local(header.entered) } else { now };
        header.entered = entered.min(now);
        self.out.push_back(Output::Deliver { edge, frame });
    }

    /// A bound that holds wherever within its uncertainty the other clock is.
    fn local_bound(&self, edge: u16, bound: Timestamp) -> Timestamp {
        let is_shared = self.config.edges[usize::from(edge)].line == TimeLine::Shared;
        if is_shared || bound == Timestamp::MAX {
            return bound;
        }
        self.translation.local(bound).plus_nanos(-i64::from(self.translation.uncertainty_ns()))
    }
}
