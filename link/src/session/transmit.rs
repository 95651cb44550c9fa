//! What a session sends, and in which order.

use engine::Timestamp;

use super::{
    config::Priority,
    io::{Output, Path, StreamKey},
    machine::{Edge, Session},
};
use crate::wire::{Message, PREAMBLE, put_preamble};

/// Bytes of a stream that are handed over at once: little enough that what comes next is not late.
const PIECE: usize = 16 << 10;
/// A connection without datagrams of this size gets messages on the control stream.
const DATAGRAM_LEAST: usize = 256;

impl Session {
    /// The next thing to send: messages, sensors' datagrams, their streams, then bulk.
    pub(super) fn transmit(&mut self, now: Timestamp) -> Option<Output> {
        self.connection.as_ref()?;
        self.put_acknowledgements(now);
        let connection = self.connection.as_mut()?;
        if !connection.control.is_empty() {
            let bytes = std::mem::take(&mut connection.control);
            self.totals.stream_bytes += bytes.len() as u64;
            let stream = StreamKey::Control;
            return Some(Output::Stream { stream, bytes, priority: 2, end: false });
        }
        let sensor = Some(Priority::Sensor);
        self.datagram(now, Priority::Sensor).or_else(|| self.stream(sensor, PIECE)).or_else(|| {
            if self.sensor_waits() {
                return None;
            }
            if let Some(past) = self.past(now) {
                return Some(past);
            }
            let bulk = Some(Priority::Bulk);
            let output = self.datagram(now, Priority::Bulk).or_else(|| self.stream(bulk, PIECE));
            if let Some(Output::Datagram(bytes) | Output::Stream { bytes, .. }) = &output {
                self.bulk_bytes += bytes.len() as u64;
            }
            output
        })
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
        let output = self.stream(None, most)?;
        if let (Output::Stream { bytes, .. }, Some(connection)) = (&output, &mut self.connection) {
            connection.pace.spend(bytes.len());
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
        let mut out = Vec::new();
        put_preamble(&mut out, self.version);
        if priority == Priority::Sensor {
            self.put_messages(now, &mut out);
        }
        let connection = self.connection.as_mut()?;
        let path = connection.path;
        if path.datagram_max < DATAGRAM_LEAST {
            connection.control.extend_from_slice(&out[PREAMBLE..]);
            let bytes = std::mem::take(&mut connection.control);
            let stream = StreamKey::Control;
            let output = Output::Stream { stream, bytes, priority: 2, end: false };
            return (out.len() > PREAMBLE).then_some(output);
        }
        let messages = out.len();
        // Messages are few and small; frames wait for room.
        let room = path.datagram_max.min(path.datagram_room);
        if self.is_open {
            self.put_frames(priority, &mut out, room, &path);
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
        let (timing, is_open, agreed) = (self.config.timing, self.is_open, self.agreed.is_some());
        let Some(connection) = &mut self.connection else { return };
        for mut answer in connection.answers.drain(..) {
            if let Message::Answer { replied, .. } = &mut answer {
                *replied = now;
            }
            answer.put(out, 0);
        }
        let asks = now >= connection.next_probe(now, &timing, known);
        if asks {
            connection.asked = Some(now);
            self.probes = self.probes.wrapping_add(1);
            Message::Probe { id: self.probes, sent: now }.put(out, 0);
        }
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
        let (is_open, agreed) = (self.is_open, self.agreed.is_some());
        let Some(connection) = &mut self.connection else { return };
        if !agreed {
            return;
        }
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

    /// A piece of a stream of this priority, or of one that has to catch up.
    fn stream(&mut self, wanted: Option<Priority>, most: usize) -> Option<Output> {
        let connection = self.connection.as_mut().filter(|_| self.is_open)?;
        let path = connection.path;
        let room = match wanted {
            Some(Priority::Sensor) => path.stream_room,
            Some(Priority::Bulk) | None => path.stream_room.min(path.bulk_room),
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
            let (stream, bytes, end) = match &mut self.edges[n] {
                Edge::DurableOut(edge, writer) if edge.is_ready() => {
                    (StreamKey::Edge(n as u16), edge.write(writer, version, most), false)
                }
                Edge::DroppableOut(edge, writer) if edge.has_stream(&path) => {
                    match edge.write(writer, version, most, &path) {
                        Some(written) => written,
                        None => continue,
                    }
                }
                _ => continue,
            };
            connection.path.stream_room = path.stream_room.saturating_sub(bytes.len());
            if priority != Some(Priority::Sensor) {
                connection.path.bulk_room = path.bulk_room.saturating_sub(bytes.len());
            }
            self.totals.stream_bytes += bytes.len() as u64;
            let priority = i32::from(priority == Some(Priority::Sensor));
            return Some(Output::Stream { stream, bytes, priority, end });
        }
        None
    }
}
