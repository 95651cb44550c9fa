//! What a session sends, and in which order.

use bytes::Bytes;
use engine::Timestamp;

use super::{
    config::Priority,
    io::{Output, Path, StreamKey},
    machine::{Edge, Session},
};
use crate::wire::{Message, PREAMBLE, gap_in, put_preamble};

/// Bytes of a stream that are handed over at once: little enough that what comes next is not late.
const PIECE: usize = 16 << 10;
/// A connection without datagrams of this size gets messages on the control stream.
const DATAGRAM_LEAST: usize = 256;

impl Session {
    /// The next thing to send: messages, sensors' datagrams, their streams, then bulk.
    pub(super) fn transmit(&mut self, now: Timestamp) -> Option<Output> {
        self.connection.as_ref()?;
        self.put_flushes();
        self.put_acknowledgements(now);
        let connection = self.connection.as_mut()?;
        if !connection.control.is_empty() {
            let bytes = std::mem::take(&mut connection.control);
            self.totals.stream_bytes += bytes.len() as u64;
            let stream = StreamKey::Control;
            let bytes = bytes.into();
            return Some(Output::Stream { stream, bytes, priority: 2, end: false });
        }
        let sensor = Some(Priority::Sensor);
        let urgent = self.datagram(now, Priority::Sensor);
        let urgent = urgent.or_else(|| self.stream(now, sensor, PIECE).map(|(output, _)| output));
        if urgent.is_some() || self.sensor_waits() {
            return urgent;
        }
        if let Some(past) = self.past(now) {
            return Some(past);
        }
        if let Some(Output::Datagram(bytes)) = self.datagram(now, Priority::Bulk) {
            self.hand_over_bulk(bytes.len());
            return Some(Output::Datagram(bytes));
        }
        let (output, bytes) = self.stream(now, Some(Priority::Bulk), PIECE)?;
        self.hand_over_bulk(bytes);
        Some(output)
    }

    /// So much of bulk goes to the connection. What could have gone before it, and has not, is counted: here
    /// what may not be lost, frame by frame the rest.
    pub(super) fn hand_over_bulk(&mut self, bytes: usize) {
        self.bulk_bytes += bytes as u64;
        for (edge, config) in self.edges.iter_mut().zip(&self.config.edges) {
            if let (Edge::DurableOut(out, _), Priority::Sensor) = (edge, config.priority) {
                out.counts.behind_bulk += u64::from(out.is_ready() && !out.is_behind());
            }
        }
    }

    /// What edges have to catch up with, as fast as live frames leave room for. It goes before bulk,
    /// which would leave none.
    fn past(&mut self, now: Timestamp) -> Option<Output> {
        if !self.is_open || !self.edges.iter().any(Edge::lags) {
            return None;
        }
        let connection = self.connection.as_mut()?;
        let most = connection.pace.allow(now, &connection.path);
        if most == 0 {
            return None;
        }
        let (output, bytes) = self.stream(now, None, most)?;
        if let Some(connection) = &mut self.connection {
            connection.pace.spend(bytes);
        }
        Some(output)
    }

    /// Whether a sensor's frame could be sent if the connection took it.
    pub(super) fn sensor_waits(&self) -> bool {
        let Some(connection) = self.connection.as_ref().filter(|_| self.is_open) else {
            return false;
        };
        let edges = self.edges.iter().zip(&self.config.edges);
        edges.filter(|(_, config)| config.priority == Priority::Sensor).any(
            |(edge, _)| match edge {
                Edge::DroppableOut(out, _) => {
                    out.has_datagram(&connection.path) || out.has_stream(&connection.path)
                }
                Edge::DurableOut(out, _) => out.is_ready() && !out.is_behind(),
                _ => false,
            },
        )
    }

    /// One datagram of messages and of as many frames as fit.
    fn datagram(&mut self, now: Timestamp, priority: Priority) -> Option<Output> {
        let path = self.connection.as_ref()?.path;
        let has_messages = priority == Priority::Sensor && self.has_messages(now);
        let has_copies = priority == Priority::Sensor && self.has_copies(now, &path);
        if !has_messages && !has_copies && !self.has_datagram(priority, &path) {
            return None;
        }
        let frames = self.waiting_bytes(priority);
        let mut out = Vec::with_capacity((frames + DATAGRAM_LEAST).min(path.datagram_max));
        put_preamble(&mut out, self.version);
        if has_messages {
            self.put_messages(now, &mut out);
        }
        let connection = self.connection.as_mut()?;
        if path.datagram_max < DATAGRAM_LEAST {
            connection.control.extend_from_slice(&out[PREAMBLE..]);
            let bytes = std::mem::take(&mut connection.control);
            let stream = StreamKey::Control;
            let bytes = bytes.into();
            let output = Output::Stream { stream, bytes, priority: 2, end: false };
            return (out.len() > PREAMBLE).then_some(output);
        }
        let messages = out.len();
        // Messages are few and small; frames wait for room.
        let room = path.datagram_max.min(path.datagram_room);
        if self.is_open {
            self.put_frames(priority, &mut out, room, &path);
        }
        if has_copies {
            for edge in &mut self.edges {
                if let Edge::DurableOut(edge, writer) = edge {
                    edge.put_copies(now, writer, &mut out, room);
                }
            }
        }
        if out.len() == PREAMBLE {
            return None;
        }
        let connection = self.connection.as_mut()?;
        if out.len() > messages {
            connection.path.datagram_room -= out.len();
        }
        self.totals.datagrams[0] += 1;
        self.totals.datagrams[1] += out.len() as u64;
        Some(Output::Datagram(out))
    }

    /// About how many bytes of a priority wait for datagrams.
    fn waiting_bytes(&self, priority: Priority) -> usize {
        let edges = self.edges.iter().zip(&self.config.edges);
        let waiting = edges.filter(|(_, config)| config.priority == priority).map(|(edge, _)| {
            if let Edge::DroppableOut(edge, _) = edge { edge.waiting_bytes() } else { 0 }
        });
        waiting.sum()
    }

    /// Whether frames of a priority wait that fit a datagram.
    fn has_datagram(&self, priority: Priority, path: &Path) -> bool {
        let edges = self.edges.iter().zip(&self.config.edges);
        self.is_open
            && path.datagram_room > PREAMBLE
            && edges.filter(|(_, config)| config.priority == priority).any(
                |(edge, _)| matches!(edge, Edge::DroppableOut(edge, _) if edge.has_datagram(path)),
            )
    }

    /// Whether frames are to be sent once more, and could be.
    fn has_copies(&self, now: Timestamp, path: &Path) -> bool {
        let is_due = |edge: &Edge| matches!(edge, Edge::DurableOut(edge, _) if edge.copy_wake(path).is_some_and(|due| due <= now));
        self.is_open && self.edges.iter().any(is_due)
    }

    /// Whether [`Session::put_messages`] has something to put.
    fn has_messages(&self, now: Timestamp) -> bool {
        let Some(connection) = &self.connection else { return false };
        let asks = now >= connection.next_probe(now, &self.config.timing, self.knows_clock());
        let is_bound_news = |edge: &Edge| matches!(edge, Edge::DroppableOut(edge, _) if edge.has_bound_to_tell(false));
        asks || !connection.answers.is_empty()
            || (self.is_open && self.edges.iter().any(is_bound_news))
    }

    /// Edges take turns, a frame each.
    fn put_frames(&mut self, priority: Priority, out: &mut Vec<u8>, room: usize, path: &Path) {
        let count = self.edges.len();
        let mut idle = 0;
        while idle < count {
            let n = self.turn % count;
            self.turn = (n + 1) % count;
            let put = match &mut self.edges[n] {
                Edge::DroppableOut(edge, writer) if self.config.edges[n].priority == priority => {
                    edge.put_datagram(writer, out, room, self.bulk_bytes, path)
                }
                _ => false,
            };
            idle = if put { 0 } else { idle + 1 };
        }
    }

    /// Answers, a question for the clock, and with it what may have been lost: bounds and what came.
    fn put_messages(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        let known = self.knows_clock();
        let (timing, is_open) = (self.config.timing, self.is_open);
        let Some(connection) = &mut self.connection else { return };
        let agreed = connection.hello_heard;
        for mut answer in connection.answers.drain(..) {
            if let Message::Answer { replied, .. } = &mut answer {
                *replied = now;
            }
            answer.put(out, 0);
        }
        let is_due = now >= connection.next_probe(now, &timing, known);
        if is_due {
            self.probes = self.probes.wrapping_add(1);
            Message::Probe { id: self.probes, sent: now }.put(out, 0);
            connection.ask(self.probes, now);
        }
        let asks = is_due && connection.ask_clock(now);
        // As many edges as fit: those left out come with the next question.
        let most = connection.path.datagram_max.saturating_sub(64);
        for (n, edge) in self.edges.iter_mut().enumerate() {
            if out.len() > most {
                break;
            }
            match edge {
                Edge::DroppableOut(edge, _) if is_open => {
                    if let Some((next, bound)) = edge.bound_to_tell(asks) {
                        Message::Bound { next, bound }.put(out, n as u16);
                    }
                }
                Edge::DroppableIn(edge) if asks && agreed => {
                    if let Some((next, bound)) = edge.tell() {
                        Message::Ack { next, bound }.put(out, n as u16);
                    }
                }
                _ => {}
            }
        }
    }

    /// Acknowledgements of durable edges, gaps and ends of droppable ones go where nothing is lost.
    fn put_acknowledgements(&mut self, now: Timestamp) {
        let ack_ns = self.config.timing.ack_ns;
        let is_open = self.is_open;
        // Who has not said what it has may have started anew, and knows nothing of what came before.
        let Some(connection) = self.connection.as_mut().filter(|c| c.hello_heard) else { return };
        for (n, edge) in self.edges.iter_mut().enumerate() {
            match edge {
                Edge::DurableIn(edge) => {
                    let is_due = edge.since.is_some_and(|since| now.since(since) >= ack_ns);
                    let told = if is_due || edge.is_urgent() { edge.tell() } else { None };
                    for message in told.into_iter().flatten() {
                        message.put(&mut connection.control, n as u16);
                    }
                }
                Edge::DroppableOut(edge, _) if is_open => {
                    for (from, to, reason) in edge.missing_to_tell() {
                        let reason = gap_in(reason, self.version);
                        Message::Gap { from, to, reason }.put(&mut connection.control, n as u16);
                    }
                    if let Some(next) = edge.end_to_tell() {
                        Message::End { next }.put(&mut connection.control, n as u16);
                    }
                }
                _ => {}
            }
        }
    }

    /// A piece of a stream of this priority, or of one that has to catch up, and how many bytes it is
    /// with what follows it.
    fn stream(
        &mut self,
        now: Timestamp,
        wanted: Option<Priority>,
        most: usize,
    ) -> Option<(Output, usize)> {
        let connection = self.connection.as_mut().filter(|_| self.is_open)?;
        let path = connection.path;
        let room = match wanted {
            Some(Priority::Sensor) => path.stream_room,
            _ => path.stream_room.min(path.bulk_room),
        };
        let most = most.min(room);
        if most == 0 {
            return None;
        }
        let count = self.edges.len();
        for _ in 0..count {
            let n = self.turn % count;
            self.turn = (n + 1) % count;
            let lags = matches!(&self.edges[n], Edge::DurableOut(edge, _) if edge.is_behind());
            let priority = (!lags).then_some(self.config.edges[n].priority);
            if priority != wanted {
                continue;
            }
            let version = self.version;
            let (stream, bytes, content, end) = match &mut self.edges[n] {
                Edge::DurableOut(edge, writer) if edge.is_ready() => {
                    let (bytes, content) = edge.write(now, writer, version, most, &path);
                    (StreamKey::Edge(n as u16), bytes.into(), content, false)
                }
                Edge::DroppableOut(edge, writer) if edge.has_stream(&path) => {
                    match edge.write(writer, version, most, &path, self.bulk_bytes) {
                        Some((stream, bytes, end)) => (stream, bytes, None, end),
                        None => continue,
                    }
                }
                _ => continue,
            };
            let len = bytes.len() + content.as_ref().map_or(0, Bytes::len);
            connection.path.stream_room = path.stream_room.saturating_sub(len);
            if wanted != Some(Priority::Sensor) {
                connection.path.bulk_room = path.bulk_room.saturating_sub(len);
            }
            self.totals.stream_bytes += len as u64;
            let priority = i32::from(priority == Some(Priority::Sensor));
            if let Some(bytes) = content {
                // Taken before anything else is sent.
                self.out.push_back(Output::Stream { stream, bytes, priority, end });
            }
            return Some((Output::Stream { stream, bytes, priority, end }, len));
        }
        None
    }
}
