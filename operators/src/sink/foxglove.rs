//! `foxglove`: what enters it, for Foxglove and Lichtblick while the graph runs.
//!
//! A server that speaks the Foxglove WebSocket protocol, version 1
//! (<https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md>). Each input is a topic, with the schema and the
//! messages of a recording ([`crate::files::mcap`]); but a signal comes in messages of few samples, as viewers draw a
//! message at one moment.
//!
//! ```text
//! frames ──▶ Viewing ──▶ Server ─┬─ queue ──▶ thread ──▶ viewer      what is too slow loses the oldest,
//!                                └─ queue ──▶ thread ──▶ viewer      and nobody waits for it
//! ```

mod server;
mod viewer;

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Weak},
    time::UNIX_EPOCH,
};

use engine::{
    AsTheyCome, Body, BuildError, Code, Fault, Format, Frame, Grid, Kind, Node, Outline, Param,
    Placement, Plan, Policy, Port, Sink, Timestamp,
};

use crate::files::mcap::{Codec, Schema};
use server::{Hall, Server};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "foxglove",
    summary: "Show what passes in Foxglove or Lichtblick while the graph runs.",
    doc: "Listens for viewers, which open a connection `Foxglove WebSocket` to ws://127.0.0.1:8765. Each input \
          is a topic, called /node or /node.port (with several sessions /0/node, …), in protobuf with its schema; a \
          signal's channels and an event's fields go by their names, such as /ecg.ECG[0] and /beats.rr_ms. Signals \
          come in messages of as few samples as messages_hz allows, one where it can be, since viewers draw a message \
          at one moment. Nobody in the graph waits for a viewer: one that is too slow loses the oldest messages, which are \
          counted. NaN is shown as it is. Nothing is encrypted and nobody is asked who he is: whoever reaches the address sees all of it. Pages of a browser \
          are let in from this machine, from foxglove.dev and from `origins` alone. Runs on the I/O runtime.",
    example: "listen = \"127.0.0.1:0\"",
    inputs: &[Port::any("in").variadic()],
    params: &[&LISTEN, &MESSAGES_HZ, &ORIGINS],
    placement: Placement::Waits,
    plan: |node| {
        address(node)?;
        // Nothing waits for what another input may still say about the same moment.
        let comes = node.join(Policy::Merge, None).taking(AsTheyCome::Always);
        Ok(Outline::default().joining(comes))
    },
    build: |node| {
        let address = address(node)?;
        let hall = node.common::<Hall>();
        let origins = node.get(&ORIGINS)?.split(',').map(|origin| origin.trim().to_owned());
        let server = hall.open(node.name(), address, origins.collect()).map_err(|error| {
            let message = format!("cannot listen at {address}");
            BuildError::Fault(Fault::io(message, error))
        })?;
        Ok(Body::sink(Viewing::new(node, server, node.get(&MESSAGES_HZ)?)))
    },
    ..Kind::BASE
};

const LISTEN: Param<&str> = Param::with_default(
    "listen",
    "127.0.0.1:8765",
    "Where viewers find it; on 127.0.0.1 those of this machine alone. Port 0 takes a free one.",
);
const MESSAGES_HZ: Param<f64> =
    Param::with_default("messages_hz", 500.0, "Most messages of a signal per second of content.")
        .within(1.0, 100_000.0);
const ORIGINS: Param<&str> = Param::with_default(
    "origins",
    "",
    "Further web pages that may look, with commas between: https://viewer.example.org.",
);

fn address(node: &Node<'_>) -> Result<SocketAddr, engine::Diagnostic> {
    let text = node.get(&LISTEN)?;
    text.parse().map_err(|_| {
        node.problem(Code::OutOfRange, LISTEN.name(), format!("`listen` = {text:?} is no address"))
            .hint("write an IP and a port, such as \"127.0.0.1:8765\"")
    })
}

/// Where viewers of a plan find it: node and address.
pub fn addresses(plan: &Plan) -> Vec<(String, String)> {
    plan.common::<Hall>().addresses()
}

/// Shows what it takes.
struct Viewing {
    server: Arc<Server>,
    topics: Vec<Topic>,
    origin_ns: i64,
}

struct Topic {
    channel: u32,
    codec: Codec,
    /// Of a signal: where its samples lie, and how many go into a message.
    cut: Option<(Grid, usize)>,
}

impl Viewing {
    fn new(node: &Node<'_>, server: Arc<Server>, messages_hz: f64) -> Self {
        let inputs = node.inputs().iter().map(|input| (&*input.label, &input.format));
        Self::of(inputs, server, messages_hz, node.session())
    }

    fn of<'a>(
        inputs: impl Iterator<Item = (&'a str, &'a Format)>,
        server: Arc<Server>,
        messages_hz: f64,
        session: u32,
    ) -> Self {
        let topic = |(label, format): (&str, &Format)| {
            let name = match session {
                0 => format!("/{label}"),
                session => format!("/{session}/{label}"),
            };
            let signal = format.as_signal();
            let cut = signal.map(|signal| {
                (Grid::new(signal.rate), (signal.rate.hz() / messages_hz).ceil().max(1.0) as usize)
            });
            let channel = server.advertise(&name, &Schema::of(label, format));
            Topic { channel, codec: Codec::new(format), cut }
        };
        let topics = inputs.map(topic).collect();
        Self { server, topics, origin_ns: origin_ns() }
    }

    fn world(&self, time: Timestamp) -> u64 {
        self.origin_ns.saturating_add(time.nanos()).max(0) as u64
    }
}

impl Drop for Viewing {
    /// The topics of a session end with it.
    fn drop(&mut self) {
        let channels: Vec<u32> = self.topics.iter().map(|topic| topic.channel).collect();
        self.server.withdraw(&channels);
    }
}

impl Sink for Viewing {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let channel = self.topics[line].channel;
        if let Some((grid, _)) = &mut self.topics[line].cut {
            grid.enter(frame.header.time, frame.len());
        }
        if !self.server.is_watched(channel) {
            return Ok(());
        }
        let Topic { codec, cut, .. } = &self.topics[line];
        match cut {
            Some((grid, len)) => {
                for part in parts(frame.len(), *len) {
                    let time = grid.time_of(part.start as i64);
                    let mut message = Vec::new();
                    codec.put_part(&mut message, frame, part, time);
                    self.server.show(channel, self.world(time), &message);
                }
            }
            None => {
                let log_ns = self.world(frame.header.time);
                let mut message = Vec::new();
                if codec.put(&mut message, frame, log_ns, 0, None) {
                    self.server.show(channel, log_ns, &message);
                }
            }
        }
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let missed = self.server.missed();
        (missed > 0).then(|| {
            let messages = engine::counted(missed, "message");
            format!("{messages} were not shown: viewers were too slow")
        })
    }
}

/// A frame of `len` samples in parts of at most `most`.
fn parts(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(most.max(1)).map(move |from| from..(from + most).min(len))
}

#[expect(clippy::disallowed_methods, reason = "viewers show when it was; nothing is decided by it")]
fn origin_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A server that others keep.
type Kept = Weak<Server>;

#[cfg(test)]
mod tests;
