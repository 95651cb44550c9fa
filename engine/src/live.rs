//! [`LiveIo`]: what a source that waits for its device sees of the graph.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    buffer::Buffer,
    event::EventWriter,
    format::Format,
    frame::{Frame, Gap, Header},
    ring::Sender,
    stats::EdgeCounts,
    tasks::TaskWake,
    time::{Clock, Grid, Timestamp},
};

/// One output port of a live source.
pub(crate) struct LivePort {
    pub(crate) format: Format,
    pub(crate) edges: Vec<(Sender, Arc<EdgeCounts>)>,
    pub(crate) seq: u64,
    pub(crate) bound: Timestamp,
    pub(crate) grid: Option<Grid>,
}

/// The output ports, shared with whoever raises bounds while the source is silent.
pub(crate) struct LivePorts(pub(crate) Mutex<Vec<LivePort>>);

impl LivePorts {
    fn lock(&self) -> MutexGuard<'_, Vec<LivePort>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The source has been silent: nothing older than `bound` counts any more.
    pub(crate) fn raise(&self, bound: Timestamp) {
        for port in self.lock().iter_mut() {
            port.raise(bound);
        }
    }

    /// Takes a new ring in the place of one whose consumer was given up.
    pub(crate) fn rewire(&self, port: usize, edge: usize, ring: Sender, counts: &EdgeCounts) {
        let mut ports = self.lock();
        ports[port].edges[edge].0 = ring;
        counts.dropped(Gap::Wedged, counts.in_flight());
    }

    /// The latest bound of any port.
    pub(crate) fn bound(&self) -> Timestamp {
        self.lock().iter().map(|port| port.bound).max().unwrap_or(Timestamp::MIN)
    }

    /// Ends every stream, or hands the edges over to the next body if it goes on.
    pub(crate) fn end(&self) {
        self.raise(Timestamp::MAX);
    }
}

impl LivePort {
    fn raise(&mut self, bound: Timestamp) {
        self.bound = self.bound.max(bound);
        for (sender, _) in &mut self.edges {
            sender.publish(self.bound);
        }
    }
}

/// What a live source sees of the graph: the clock, and where to send. Sending
/// never waits: a full edge drops by its policy and counts.
pub struct LiveIo {
    pub(crate) ports: Arc<LivePorts>,
    pub(crate) clock: Clock,
    /// The clock at zero of the session's time line.
    pub(crate) start: Timestamp,
    pub(crate) source: u32,
    pub(crate) gap: Option<Gap>,
    pub(crate) tag: u64,
    pub(crate) paused: Arc<AtomicBool>,
    /// Called when a ring that was full has room.
    pub(crate) wake: Arc<TaskWake>,
}

impl LiveIo {
    /// Now on the session's time line: what happens now happens at this moment.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.clock.now().since(self.start))
    }

    /// Waits for a moment of the session's time line.
    pub async fn sleep_until(&self, moment: Timestamp) {
        let left = moment.since(self.now());
        if left > 0 {
            tokio::time::sleep(Duration::from_nanos(left as u64)).await;
        }
    }

    /// The format of a port.
    pub fn output_format(&self, port: usize) -> Format {
        self.ports.lock()[port].format.clone()
    }

    /// A buffer for `len` samples of each channel of a signal port.
    pub fn signal(&self, port: usize, len: usize) -> Buffer {
        let channels = self.ports.lock()[port].format.as_signal().map_or(1, |s| s.channels.len());
        Buffer::signal(channels, len)
    }

    /// An event of the port's format, to be filled and sent.
    pub fn event_for(&self, port: usize) -> EventWriter {
        EventWriter::new(self.ports.lock()[port].format.as_event().expect("an event output"))
    }

    /// Content is missing before the next frame of every port.
    pub fn gap(&mut self, reason: Gap) {
        self.gap = Some(reason);
    }

    /// Sets the tag that the runtime copies to whatever the frames sent from now on cause.
    pub fn tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    /// Waits until every edge of a port has room, for content that can wait where it comes from: a
    /// link with credit. A device cannot, and does not ask.
    pub async fn room(&self, port: usize) {
        loop {
            // Each edge is asked, so that each wakes us; a wake between asking and waiting is kept.
            let mut free = true;
            for (sender, _) in &self.ports.lock()[port].edges {
                free &= sender.wait_for_room();
            }
            if free {
                return;
            }
            self.wake.0.notified().await;
        }
    }

    /// Sends content that happened at `time`, not older than anything sent on this port before.
    pub fn send(&mut self, port: usize, time: Timestamp, uncertainty_ns: u32, buffer: Buffer) {
        let entered = self.clock.now();
        let paused = self.paused.load(Ordering::Relaxed);
        let mut ports = self.ports.lock();
        let here = &mut ports[port];
        let end = match &mut here.grid {
            Some(grid) => {
                grid.enter(time, buffer.count());
                grid.end()
            }
            None => time,
        };
        here.bound = here.bound.max(end);
        if paused {
            for (_, counts) in &here.edges {
                counts.sent.add(1);
                counts.dropped(Gap::Paused, 1);
            }
            here.seq += 1;
            self.gap = Some(Gap::Paused);
            return;
        }
        let header = Header {
            seq: here.seq,
            entered,
            tag: self.tag,
            uncertainty_ns,
            source: self.source,
            gap: self.gap.take(),
            ..Header::at(time)
        };
        here.seq += 1;
        for (sender, counts) in &mut here.edges {
            counts.sent.add(1);
            if sender.push(Frame::new(header, buffer.clone())).is_err() {
                // A `block` edge behind a live source: the device goes first.
                counts.dropped(Gap::Full, 1);
            }
            sender.publish(here.bound);
        }
    }

    /// Promises that nothing older than `bound` will be sent on `port`.
    pub fn promise(&mut self, port: usize, bound: Timestamp) {
        self.ports.lock()[port].raise(bound);
    }
}
