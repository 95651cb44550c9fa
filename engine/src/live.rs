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
    flush::Flushes,
    format::Format,
    frame::{Frame, Gap, Header, MaybeGap},
    losses::Losses,
    ring::{Receiver, Sender},
    stats::{EdgeCounts, NodeCounts},
    steps::{Chooser, Steps},
    tap::TapEnd,
    tasks::TaskWake,
    time::{Clock, Grid, Timestamp},
};

/// One output port of a live source.
pub(crate) struct LivePort {
    pub(crate) format: Format,
    pub(crate) edges: Vec<(Sender, Arc<EdgeCounts>)>,
    /// Who looks on.
    pub(crate) taps: Vec<TapEnd>,
    pub(crate) seq: u64,
    pub(crate) bound: Timestamp,
    /// The clock when the source last said something here.
    pub(crate) heard: Timestamp,
    /// Why the next frame follows missing ones.
    pub(crate) gap: Option<Gap>,
    pub(crate) grid: Option<Grid>,
    /// Counts samples, if the source is measured by this port.
    pub(crate) measured: Option<Arc<NodeCounts>>,
    /// Which of its frames are followed.
    pub(crate) chooser: Chooser,
    pub(crate) steps: Arc<Steps>,
}

/// The output ports, shared with whoever raises bounds while the source is silent.
pub(crate) struct LivePorts(pub(crate) Mutex<Vec<LivePort>>);

impl LivePorts {
    fn lock(&self) -> MutexGuard<'_, Vec<LivePort>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass on every port that has been silent for `idle_ns`: from then on its bound
    /// rises with the clock, beginning where the source left it, or at the session's start.
    pub(crate) fn raise_silent(&self, now: Timestamp, idle_ns: i64) {
        for port in self.lock().iter_mut() {
            let over_ns = now.since(port.heard) - idle_ns;
            if over_ns >= 0 {
                port.raise(port.bound.max(Timestamp::ZERO).plus_nanos(over_ns));
                // What has passed is in the bound by now; the port stays silent.
                port.heard = port.heard.plus_nanos(over_ns);
            }
        }
    }

    /// Takes a new ring in the place of one whose consumer was given up. A source that is silent,
    /// or has ended, says nothing more: the successor hears here how far the port is.
    pub(crate) fn rewire(&self, port: usize, edge: usize, ring: Sender, counts: &EdgeCounts) {
        let port = &mut self.lock()[port];
        let sender = &mut port.edges[edge].0;
        *sender = ring;
        counts.dropped(Gap::Wedged, counts.in_flight());
        sender.publish(port.bound);
    }

    /// From now on a port leads into this ring as well, whose other end learns where it begins.
    pub(crate) fn attach(
        &self,
        port: usize,
        (mut sender, counts): (Sender, Arc<EdgeCounts>),
        receiver: &mut Receiver,
    ) {
        let here = &mut self.lock()[port];
        receiver.begin_at(here.seq);
        sender.publish(here.bound);
        here.edges.push((sender, counts));
    }

    /// A port does not lead into a ring any more: whoever takes from it is told the end.
    pub(crate) fn detach(&self, port: usize, counts: &Arc<EdgeCounts>) {
        self.lock()[port].edges.retain(|(_, known)| !Arc::ptr_eq(known, counts));
    }

    /// Shows what passes at a port from now on.
    pub(crate) fn tap(&self, port: usize, mut end: TapEnd) {
        let here = &mut self.lock()[port];
        end.bound(here.bound);
        here.taps.push(end);
    }

    async fn room(&self, port: usize, wake: &TaskWake) {
        loop {
            // Each edge is asked, so that each wakes us; a wake between asking and waiting is kept.
            let mut free = true;
            for (sender, _) in &self.lock()[port].edges {
                free &= sender.wait_for_room();
            }
            if free {
                return;
            }
            wake.0.notified().await;
        }
    }

    /// Ends every stream, or hands the edges over to the next body if it goes on.
    pub(crate) fn end(&self) {
        for port in self.lock().iter_mut() {
            port.raise(Timestamp::MAX);
        }
    }
}

impl LivePort {
    /// Nothing older will follow a frame of `len` samples from `time` on. Not the end of the frame
    /// by its nominal rate: where stamps jitter, the next frame begins before it.
    fn bound_behind(&mut self, time: Timestamp, uncertainty_ns: u32, len: usize) -> Timestamp {
        let Some(grid) = self.grid.as_mut().filter(|_| len > 0) else { return time };
        grid.enter(time, len);
        let after_last = grid.time_of(len as i64 - 1).plus_nanos(1);
        after_last.plus_nanos(-i64::from(uncertainty_ns)).max(time)
    }

    /// Sends on every edge; says whether one was full.
    fn put(&mut self, mut header: Header, buffer: &Buffer) -> bool {
        let mut is_full = false;
        if self.steps.is_on() {
            header.entered = self.chooser.stamp(header.entered, &self.steps);
        }
        self.seq += 1;
        if header.gap.is_some()
            && let Some(counts) = &self.measured
        {
            counts.gaps.add(1);
        }
        if !self.taps.is_empty() {
            self.show(&Frame::new(header, buffer.clone()));
        }
        for (sender, counts) in &mut self.edges {
            counts.sent.add(1);
            if sender.push(Frame::new(header, buffer.clone())).is_err() {
                // A `block` edge behind a live source: the device goes first.
                counts.dropped(Gap::Full, 1);
                is_full = true;
            }
            sender.publish(self.bound);
        }
        is_full
    }

    /// Counts a frame as sent while the source is paused.
    fn pass_over(&mut self) {
        for (_, counts) in &self.edges {
            counts.sent.add(1);
            counts.dropped(Gap::Paused, 1);
        }
        self.seq += 1;
        self.gap = Some(Gap::Paused);
    }

    fn show(&mut self, frame: &Frame) {
        self.taps.retain(|tap| !tap.is_left());
        for tap in &mut self.taps {
            tap.frame(frame);
            tap.bound(self.bound);
        }
    }

    fn raise(&mut self, bound: Timestamp) {
        self.bound = self.bound.max(bound);
        self.taps.iter_mut().for_each(|tap| tap.bound(self.bound));
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
    pub(crate) tag: u64,
    pub(crate) paused: Arc<AtomicBool>,
    /// Called when a ring that was full has room.
    pub(crate) wake: Arc<TaskWake>,
    pub(crate) losses: Arc<Losses>,
    pub(crate) progress: Progress,
    /// The flushes of its session and its number among the roots, if it is one.
    pub(crate) flushes: Option<(Arc<Flushes>, usize)>,
    /// The number of its last flush.
    pub(crate) epoch: u32,
}

/// How far the sinks behind a source are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(pub(crate) Arc<[Arc<NodeCounts>]>);

impl Progress {
    /// Everything older than this has been taken out by every sink that the source reaches, and is
    /// where the sink brings it. Kept for sources behind a link alone; what bodies remember is not in it.
    pub fn reached(&self) -> Timestamp {
        self.0.iter().map(|sink| sink.reached.value()).min().unwrap_or(Timestamp::MAX)
    }
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
        for port in self.ports.lock().iter_mut() {
            port.gap = Some(reason);
        }
    }

    /// Takes back everything that was sent: with all that it has caused it is void at once, in rings, at joins,
    /// in open questions, in what sinks hold, as after [`Io::flush`](crate::Io::flush). What comes next says so.
    /// Only where another host has flushed what is brought here.
    ///
    /// # Panics
    /// If the planner has not been told that what this source brings may become void.
    pub fn flush(&mut self) {
        let (flushes, root) =
            self.flushes.as_ref().expect("the planner knows what may become void");
        self.epoch = flushes.raise(*root);
        self.gap(Gap::Flush);
    }

    /// Sets the tag that the runtime copies to whatever the frames sent from now on cause.
    pub fn tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    /// Waits until every edge of a port has room, for content that can wait where it comes from: a
    /// link with credit. A device cannot, and does not ask.
    pub async fn room(&self, port: usize) {
        self.ports.room(port, &self.wake).await;
    }

    /// Sends content that happened at `time`, not older than anything sent on this port before.
    ///
    /// `uncertainty_ns` is how far `time` may be off either way. It also says what may follow: the
    /// samples of the next frame lie after the last of this one, but for the uncertainty. A device
    /// whose frames are stamped as they arrive says so; a join drops what comes older as `late`.
    pub fn send(&mut self, port: usize, time: Timestamp, uncertainty_ns: u32, buffer: Buffer) {
        let entered = self.clock.now();
        let paused = self.paused.load(Ordering::Relaxed);
        let mut ports = self.ports.lock();
        let here = &mut ports[port];
        here.heard = entered;
        if let Some(counts) = &here.measured {
            counts.samples.add(buffer.count() as u64);
        }
        here.bound = here.bound.max(here.bound_behind(time, uncertainty_ns, buffer.count()));
        if paused {
            here.pass_over();
            return;
        }
        let header = Header {
            seq: here.seq,
            entered,
            tag: self.tag,
            uncertainty_ns,
            source: self.source,
            gap: here.gap.take().into(),
            epoch: self.epoch,
            ..Header::at(time)
        };
        here.put(header, &buffer);
    }

    /// Sends a frame of another host: what it says of time, door, tag and source stays, its number is
    /// one of this port. A time before the port's bound, as after a step of the other host's clock, is
    /// raised to it. How far the stream is, the other host says: see [`LiveIo::promise`].
    pub fn bring(&mut self, port: usize, frame: Frame) {
        let paused = self.paused.load(Ordering::Relaxed);
        let mut ports = self.ports.lock();
        let here = &mut ports[port];
        here.heard = self.clock.now();
        let (mut header, buffer) = frame.into_parts();
        if let Some(counts) = &here.measured {
            counts.samples.add(buffer.count() as u64);
        }
        header.time = header.time.max(here.bound);
        here.bound = header.time;
        if paused {
            here.pass_over();
            return;
        }
        (header.seq, header.epoch) = (here.seq, self.epoch);
        header.gap = MaybeGap::from(here.gap.take()).or(header.gap);
        here.put(header, &buffer);
    }

    /// How far the sinks behind this source are.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A way in for whoever brings content, on whatever thread.
    pub fn entrance(&self) -> Entrance {
        Entrance {
            ports: self.ports.clone(),
            clock: self.clock.clone(),
            start: self.start,
            source: self.source,
            paused: self.paused.clone(),
            wake: self.wake.clone(),
        }
    }

    /// Lets `heard` know of every frame with a tag of this source that is dropped on the way to a sink
    /// that answers: its tag, and why. It is called where that happens, on data cores too, and must
    /// not wait. What is lost with a body that never returned is not told.
    pub fn on_loss(&self, heard: impl Fn(u64, Gap) + Send + Sync + 'static) {
        self.losses.listen(self.source, Arc::new(heard));
    }

    /// Promises that nothing older than `bound` will be sent on `port`.
    pub fn promise(&mut self, port: usize, bound: Timestamp) {
        let mut ports = self.ports.lock();
        ports[port].heard = self.clock.now();
        ports[port].raise(bound);
    }
}

/// A way into the graph through a live source, for content that many bring at once, each on a thread of
/// its own: requests, connections. It takes none once the source has ended. Cheap to clone.
#[derive(Clone)]
pub struct Entrance {
    ports: Arc<LivePorts>,
    clock: Clock,
    start: Timestamp,
    source: u32,
    paused: Arc<AtomicBool>,
    wake: Arc<TaskWake>,
}

impl Entrance {
    /// As [`LiveIo::room`]; for one who waits at a time.
    pub async fn room(&self, port: usize) {
        self.ports.room(port, &self.wake).await;
    }

    /// Sends content that came now, under `tag`, which the runtime copies to whatever it causes. Never
    /// waits. Its time is now, or just behind what was sent before if that is later: a piece of a signal
    /// may last longer than it takes the next one to come. With a `gap` nothing is said to be
    /// missing less than that; without, a signal goes on where it ended.
    ///
    /// Gives the moment behind it.
    ///
    /// # Errors
    /// Why it did not get in: the source has ended (`Closed`) or is paused, or an edge that does not
    /// drop is full.
    pub fn enter(
        &self,
        port: usize,
        tag: u64,
        gap: Option<Gap>,
        buffer: Buffer,
    ) -> Result<Timestamp, Gap> {
        let mut ports = self.ports.lock();
        let here = &mut ports[port];
        if here.bound == Timestamp::MAX {
            return Err(Gap::Closed);
        }
        let entered = self.clock.now();
        here.heard = entered;
        if self.paused.load(Ordering::Relaxed) {
            here.pass_over();
            return Err(Gap::Paused);
        }
        let now = Timestamp::from_nanos(entered.since(self.start));
        let len = buffer.count();
        if let Some(counts) = &here.measured {
            counts.samples.add(len as u64);
        }
        let mut gap = gap.or(here.gap.take());
        let time = match here.grid.as_mut().filter(|_| len > 0) {
            Some(grid) => {
                let end = grid.end();
                if end != Timestamp::MIN && end < here.bound {
                    // Nothing so old was to come: the signal cannot go on there.
                    gap = gap.or(Some(Gap::Source));
                }
                let goes_on = end != Timestamp::MIN && gap.is_none();
                let time = if goes_on { end } else { now.max(end).max(here.bound) };
                grid.enter(time, len);
                here.bound = here.bound.max(grid.end());
                time
            }
            None => {
                let time = now.max(here.bound);
                here.bound = time.plus_nanos(1);
                time
            }
        };
        let seq = here.seq;
        let source = self.source;
        let header = Header { seq, entered, tag, source, gap: gap.into(), ..Header::at(time) };
        if here.put(header, &buffer) { Err(Gap::Full) } else { Ok(here.bound) }
    }

    /// Promises that nothing older than `bound`, which may lie ahead, will be sent on `port`: what
    /// enters before is stamped with it.
    pub fn promise(&self, port: usize, bound: Timestamp) {
        let mut ports = self.ports.lock();
        ports[port].heard = self.clock.now();
        ports[port].raise(bound);
    }

    /// Now on the session's time line.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.clock.now().since(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Rate, Unit,
        graph::OnFull,
        ring::{Nobody, ring},
    };

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn port() -> LivePort {
        let rate = Rate::new(1_000.0).expect("a rate");
        LivePort {
            taps: Vec::new(),
            format: Format::signal(1, Unit::UNKNOWN, rate, 10),
            edges: Vec::new(),
            seq: 0,
            bound: Timestamp::MIN,
            heard: Timestamp::ZERO,
            gap: None,
            grid: Some(Grid::new(rate)),
            measured: None,
            chooser: Chooser::new(1),
            steps: Arc::default(),
        }
    }

    #[test]
    fn a_frame_promises_no_more_than_its_last_sample() {
        let mut port = port();
        assert_eq!(port.bound_behind(at_ms(0), 0, 10), at_ms(9).plus_nanos(1));
        // One that came early: the frame before it must not have promised its own end.
        assert_eq!(port.bound_behind(at_ms(9), 2_000_000, 10), at_ms(16).plus_nanos(1));
        // Times of frames never go back, however uncertain they are.
        assert_eq!(port.bound_behind(at_ms(20), u32::MAX, 10), at_ms(20));
    }

    #[test]
    fn each_port_is_silent_by_itself() {
        let ports = LivePorts(Mutex::new(vec![port(), port()]));
        ports.lock()[0].heard = at_ms(95);
        let bounds = || ports.lock().iter().map(|port| port.bound).collect::<Vec<_>>();

        ports.raise_silent(at_ms(19), 20_000_000);
        assert_eq!(bounds(), [Timestamp::MIN; 2]);
        ports.raise_silent(at_ms(50), 20_000_000);
        ports.raise_silent(at_ms(100), 20_000_000);
        assert_eq!(bounds(), [Timestamp::MIN, at_ms(80)]);
    }

    #[test]
    fn a_new_ring_learns_how_far_its_port_is() {
        let counts = Arc::new(EdgeCounts::default());
        let fresh = || ring(4, OnFull::DropOldest, &counts, Arc::new(Nobody), Arc::new(Nobody));
        let (sender, _old) = fresh();
        let ports = LivePorts(Mutex::new(vec![port()]));
        ports.lock()[0].edges.push((sender, counts.clone()));
        let rewired = || -> Receiver {
            let (sender, receiver) = fresh();
            ports.rewire(0, 0, sender, &counts);
            receiver
        };

        assert_eq!(rewired().bound(), Timestamp::MIN);
        ports.raise_silent(at_ms(50), 20_000_000);
        assert_eq!(rewired().bound(), at_ms(30));
        ports.end();
        assert_eq!(rewired().bound(), Timestamp::MAX);
    }

    /// A way in through a port with one edge of two frames, and its other end.
    fn entrance(on_full: OnFull, grid: Option<Grid>) -> (Entrance, Receiver, Arc<EdgeCounts>) {
        let counts = Arc::new(EdgeCounts::default());
        let (sender, receiver) = ring(2, on_full, &counts, Arc::new(Nobody), Arc::new(Nobody));
        let edges = vec![(sender, counts.clone())];
        let ports = Arc::new(LivePorts(Mutex::new(vec![LivePort { edges, grid, ..port() }])));
        let clock = Clock::system();
        let entrance = Entrance {
            start: clock.now(),
            ports,
            clock,
            source: 3,
            paused: Arc::default(),
            wake: Arc::default(),
        };
        (entrance, receiver, counts)
    }

    #[test]
    fn what_enters_is_stamped_in_order_and_the_bound_lies_behind_it() {
        let (way, mut out, _) = entrance(OnFull::Block, None);

        let first = way.enter(0, 7, None, Buffer::signal(1, 1)).expect("room");
        let second = way.enter(0, 8, None, Buffer::signal(1, 1)).expect("room");
        let [one, two] = [(); 2].map(|()| out.pop().expect("sent").header);
        assert_eq!((one.tag, two.tag, one.seq, two.seq, one.source), (7, 8, 0, 1, 3));
        assert_eq!((one.time.plus_nanos(1), two.time.plus_nanos(1)), (first, second));
        assert!(one.time < two.time);
        assert_eq!(out.bound(), second);
    }

    #[test]
    fn a_signal_goes_on_where_it_ended_unless_something_is_missing() {
        let grid = Grid::new(Rate::new(1_000.0).expect("a rate"));
        let (way, mut out, _) = entrance(OnFull::DropOldest, Some(grid));

        // A second each, though they come at once.
        let end = way.enter(0, 1, None, Buffer::signal(1, 1_000)).expect("room");
        assert_eq!(
            way.enter(0, 2, None, Buffer::signal(1, 1_000)),
            Ok(end.plus_nanos(1_000_000_000))
        );
        let [one, two] = [(); 2].map(|()| out.pop().expect("sent").header);
        assert_eq!((two.time, two.gap.get()), (end, None));
        assert!(one.gap.is_none());

        way.enter(0, 3, Some(Gap::Source), Buffer::signal(1, 1_000)).expect("room");
        let three = out.pop().expect("sent").header;
        assert_eq!(three.gap.get(), Some(Gap::Source));
        assert!(three.time >= end.plus_nanos(1_000_000_000), "pieces never overlap");
    }

    #[test]
    fn what_does_not_get_in_is_told_why_and_counted() {
        let (way, out, counts) = entrance(OnFull::Block, None);
        let enter = || way.enter(0, 1, None, Buffer::signal(1, 1)).map(drop);

        assert_eq!([(); 3].map(|()| enter()), [Ok(()), Ok(()), Err(Gap::Full)]);
        way.paused.store(true, Ordering::Relaxed);
        assert_eq!(enter(), Err(Gap::Paused));
        way.paused.store(false, Ordering::Relaxed);
        way.ports.end();
        assert_eq!(enter(), Err(Gap::Closed));
        // What comes after the end was never sent.
        assert_eq!((counts.sent.value(), out.len()), (4, 2));
        assert_eq!((counts.dropped_for(Gap::Full), counts.dropped_for(Gap::Paused)), (1, 1));
    }

    #[test]
    fn losses_are_told_to_the_source_that_set_the_tag() {
        let heard: Arc<Mutex<Vec<(u64, Gap)>>> = Arc::default();
        let losses = Arc::<Losses>::default();
        let hears = heard.clone();
        losses.listen(3, Arc::new(move |tag, gap| hears.lock().expect("whole").push((tag, gap))));
        let counts = Arc::new(EdgeCounts::telling(Some(losses)));
        let (mut sender, receiver) =
            ring(1, OnFull::DropOldest, &counts, Arc::new(Nobody), Arc::new(Nobody));

        for (tag, source) in [(5, 3), (0, 3), (6, 4), (7, 3), (8, 3)] {
            let header = Header { tag, source, ..Header::at(Timestamp::ZERO) };
            sender.push(Frame::new(header, Buffer::signal(1, 1))).expect("it overwrites");
        }
        drop(receiver);
        sender.publish(Timestamp::MAX);
        // Without a tag, and of others, nothing is told; each drop is counted.
        assert_eq!(*heard.lock().expect("whole"), [(5, Gap::Full), (7, Gap::Full)]);
        assert_eq!(counts.dropped_for(Gap::Full), 4);
    }
}
