//! [`Ports`]: the graph's ends of a link, for whatever thread.
//!
//! Frames cross in bounded rings of one producer and one consumer; bounds, ends and acknowledgements in
//! atomic numbers beside them. A bound that is read before the ring is emptied holds behind what the
//! ring then gave: whoever promised it had put those frames in before.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use engine::{Frame, Gap, Timestamp};

use super::{bell::Bell, status::Status};
use crate::{
    offload::Way,
    session::{Delivery, EdgeConfig, SessionConfig},
    wire::longest,
};

/// Frames in the ring of an edge at least, where it may hold as many, and at most.
const RING: [usize; 2] = [4, 1_024];
/// Bytes of frames that wait in a durable edge's ring, about: what is far ahead of the way is in no near cache any
/// more when its turn comes, which costs a fifth of the throughput.
const RING_BYTES: usize = 1 << 20;
/// Places for frames of which nobody says how long they may be.
const RING_OPEN: usize = 64;

/// The graph's ends, in the order of the edges' numbers.
#[derive(Debug)]
pub struct Ports {
    /// Where frames of edges go that this side sends.
    pub outlets: Vec<Option<Outlet>>,
    /// Where frames of edges come from that it receives.
    pub inlets: Vec<Option<Inlet>>,
    /// Asks and stops.
    pub handle: Handle,
}

/// Takes the frames of one edge that this side sends.
#[derive(Debug)]
pub struct Outlet {
    ring: rtrb::Producer<Frame>,
    shared: Arc<OutShared>,
    driver: Arc<Bell>,
}

/// The driver's end of an [`Outlet`].
#[derive(Debug)]
pub(super) struct OutEnd {
    pub(super) ring: rtrb::Consumer<Frame>,
    pub(super) shared: Arc<OutShared>,
}

#[derive(Debug)]
pub(super) struct OutShared {
    pub(super) bound: AtomicI64,
    pub(super) has_ended: AtomicBool,
    /// Frames that the session has taken and not sent.
    pub(super) inside: AtomicU64,
    /// Counts flushes: frames of an older epoch are void.
    pub(super) epoch: AtomicU32,
    is_gone: AtomicBool,
    wants_room: AtomicBool,
    room: Bell,
}

/// Gives the frames of one edge that this side receives.
#[derive(Debug)]
pub struct Inlet {
    ring: rtrb::Consumer<Arrived>,
    /// Frames taken out.
    taken: u64,
    /// Those that the flushes it was asked about have made void.
    void: u64,
    /// The last that was taken out, while the flush that came before it is told.
    behind: Option<Frame>,
    shared: Arc<InShared>,
    driver: Arc<Bell>,
}

/// The driver's end of an [`Inlet`].
#[derive(Debug)]
pub(super) struct InEnd {
    ring: rtrb::Producer<Arrived>,
    /// Frames put in.
    given: u64,
    pub(super) shared: Arc<InShared>,
}

#[derive(Debug, Default)]
pub(super) struct InShared {
    pub(super) consumed: AtomicU64,
    /// Frames given before the last flush, as [`Inlet`] counts them.
    pub(super) void: AtomicU64,
    pub(super) has_room: AtomicBool,
    is_gone: AtomicBool,
    news: Bell,
}

/// What comes out of an [`Inlet`], in order.
#[derive(Clone, Debug)]
pub enum Arrived {
    /// A frame. What is missing before it, it says in its header as well.
    Frame(Frame),
    /// Frames that will not come; told before the one that follows them.
    Gap {
        /// Why.
        reason: Gap,
        /// How many; 0 where nobody knows.
        frames: u64,
    },
    /// What came before is void. It overtakes what waits here, of which [`Arrived::Void`] is told then.
    Flush,
    /// A frame that was taken back before it was taken out. Of a durable edge it is to be consumed as any other.
    Void,
    /// Nothing older will come.
    Bound(Timestamp),
    /// Nothing will come any more.
    End,
}

/// Asks a driver how it is, and stops it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<HandleShared>,
    driver: Arc<Bell>,
}

#[derive(Debug, Default)]
pub(super) struct HandleShared {
    pub(super) status: Mutex<Status>,
    pub(super) stops: AtomicBool,
}

/// The driver's ends of all ports.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) outs: Vec<Option<OutEnd>>,
    pub(super) ins: Vec<Option<InEnd>>,
    pub(super) handle: Arc<HandleShared>,
    pub(super) bell: Arc<Bell>,
}

impl Ends {
    pub(super) fn new(config: &SessionConfig) -> (Self, Ports) {
        let bell = Arc::new(Bell::default());
        let handle = Handle { shared: Arc::default(), driver: bell.clone() };
        let mut ends =
            Self { outs: Vec::new(), ins: Vec::new(), handle: handle.shared.clone(), bell };
        let mut ports = Ports { outlets: Vec::new(), inlets: Vec::new(), handle };
        for edge in &config.edges {
            let (out, outlet, into, inlet) = match edge.receives {
                false => {
                    let (end, outlet) = outlet(edge, &ends.bell);
                    (Some(end), Some(outlet), None, None)
                }
                true => {
                    let (end, inlet) = inlet(edge, &ends.bell);
                    (None, None, Some(end), Some(inlet))
                }
            };
            ends.outs.push(out);
            ends.ins.push(into);
            ports.outlets.push(outlet);
            ports.inlets.push(inlet);
        }
        (ends, ports)
    }
}

/// Frames that may wait for the driver. A droppable edge's are dropped where there is no place, so it has as many as it
/// may hold; a durable one's wait with whoever makes them.
fn places(edge: &EdgeConfig) -> usize {
    let places = match edge.delivery {
        Delivery::Droppable { .. } => RING[1],
        Delivery::Durable => longest(&edge.format)
            .map_or(RING_OPEN, |bytes| RING_BYTES / bytes)
            .clamp(RING[0], RING[1]),
    };
    edge.frames_max.clamp(1, places)
}

fn outlet(edge: &EdgeConfig, driver: &Arc<Bell>) -> (OutEnd, Outlet) {
    let (producer, consumer) = rtrb::RingBuffer::new(places(edge));
    let shared = Arc::new(OutShared {
        bound: AtomicI64::new(i64::MIN),
        has_ended: AtomicBool::new(false),
        inside: AtomicU64::new(0),
        epoch: AtomicU32::new(0),
        is_gone: AtomicBool::new(false),
        wants_room: AtomicBool::new(false),
        room: Bell::default(),
    });
    let end = OutEnd { ring: consumer, shared: shared.clone() };
    (end, Outlet { ring: producer, shared, driver: driver.clone() })
}

fn inlet(edge: &EdgeConfig, driver: &Arc<Bell>) -> (InEnd, Inlet) {
    // Gaps and bounds take places as well.
    let (producer, consumer) = rtrb::RingBuffer::new(edge.frames_max.clamp(1, RING[1]) * 2);
    let shared = Arc::new(InShared::default());
    let end = InEnd { ring: producer, given: 0, shared: shared.clone() };
    (end, Inlet { ring: consumer, taken: 0, void: 0, behind: None, shared, driver: driver.clone() })
}

impl Outlet {
    /// Hands a frame in, and wakes the driver. Takes some 50 ns.
    ///
    /// # Errors
    /// Gives the frame back while there is no room: wait for it with [`Outlet::poll_room`] or
    /// [`Outlet::wait_for_room`], or drop it, count it, and have the next frame say so in its header.
    pub fn try_send(&mut self, mut frame: Frame) -> Result<(), Frame> {
        // Written here alone.
        frame.header.epoch = self.shared.epoch.load(Ordering::Relaxed);
        let sent = self.ring.push(frame).map_err(|rtrb::PushError::Full(frame)| frame);
        self.driver.ring();
        sent
    }

    /// Whether a frame would be taken.
    pub fn has_room(&self) -> bool {
        self.ring.slots() > 0
    }

    /// Frames that were handed in and are not sent, or of a durable edge not acknowledged, as far as
    /// the driver has said: how far the graph is ahead of the way.
    pub fn queued(&self) -> usize {
        let ring = self.ring.buffer().capacity() - self.ring.slots();
        ring + self.shared.inside.load(Ordering::Relaxed) as usize
    }

    /// Whether the driver is there no more: nothing that is handed in goes anywhere.
    pub fn is_gone(&self) -> bool {
        self.shared.is_gone.load(Ordering::Acquire)
    }

    /// Promises that nothing older than `bound` will be handed in any more; what was promised before
    /// and is higher stays.
    pub fn bound(&mut self, bound: Timestamp) {
        if self.shared.bound.fetch_max(bound.nanos(), Ordering::AcqRel) < bound.nanos() {
            self.driver.ring();
        }
    }

    /// Takes back what was handed in, wherever it is: see [`Session::flush`](crate::session::Session::flush).
    pub fn flush(&mut self) {
        self.shared.epoch.fetch_add(1, Ordering::AcqRel);
        self.driver.ring();
    }

    /// Nothing will be handed in any more.
    pub fn end(&mut self) {
        self.shared.has_ended.store(true, Ordering::Release);
        self.driver.ring();
    }

    /// Ready when there is room, or nobody to take frames.
    pub fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_room() || self.is_gone() {
            return Poll::Ready(());
        }
        self.shared.room.listen(context.waker());
        self.shared.room.take();
        self.shared.wants_room.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        match self.has_room() || self.is_gone() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Blocks the thread until there is room; not where nothing may wait.
    pub fn wait_for_room(&mut self, most: Duration) -> bool {
        block(most, |context| self.poll_room(context)).is_some() && self.has_room()
    }
}

/// An outlet that is let go has ended.
impl Drop for Outlet {
    fn drop(&mut self) {
        self.end();
    }
}

impl OutEnd {
    /// There is room again.
    pub(super) fn tell_room(&self) {
        // With the fence in `poll_room`: it sees the room, or this sees that it waits.
        fence(Ordering::SeqCst);
        if self.shared.wants_room.load(Ordering::Relaxed) {
            self.shared.wants_room.store(false, Ordering::Relaxed);
            self.shared.room.ring();
        }
    }
}

impl Ends {
    /// Frames between the graph and the driver.
    pub(super) fn waiting(&self, edge: usize) -> usize {
        match (&self.outs[edge], &self.ins[edge]) {
            (Some(end), _) => end.ring.slots(),
            (_, Some(end)) => end.ring.buffer().capacity() - end.ring.slots(),
            _ => 0,
        }
    }
}

impl Drop for OutEnd {
    fn drop(&mut self) {
        self.shared.is_gone.store(true, Ordering::Release);
        self.shared.room.ring();
    }
}

impl Inlet {
    /// The next thing, if it has come.
    pub fn try_recv(&mut self) -> Option<Arrived> {
        if self.is_flushed() {
            return Some(Arrived::Flush);
        }
        self.next()
    }

    /// The next thing but flushes that were told.
    fn next(&mut self) -> Option<Arrived> {
        if let Some(frame) = self.behind.take() {
            let is_void = self.taken <= self.void;
            return Some(if is_void { Arrived::Void } else { Arrived::Frame(frame) });
        }
        let mut arrived = self.ring.pop().ok();
        if let Some(Arrived::Frame(frame)) = arrived {
            self.taken += 1;
            let is_void = self.taken <= self.void;
            arrived = Some(if is_void {
                Arrived::Void
            } else if self.taken > self.shared.void.load(Ordering::Acquire) && self.is_flushed() {
                // It came behind a flush that came since we looked, and would be taken for what that voids.
                self.behind = Some(frame);
                Arrived::Flush
            } else {
                // One that such a flush voids is void when that is told, which is next.
                Arrived::Frame(frame)
            });
        }
        if arrived.is_some() {
            // With the fence in `wants_room`: it sees the room, or this sees that it is wanted.
            fence(Ordering::SeqCst);
            if !self.shared.has_room.load(Ordering::Relaxed) {
                self.shared.has_room.store(true, Ordering::Relaxed);
                self.driver.ring();
            }
        }
        arrived
    }

    /// The next thing; `None` once the driver is there no more and all was taken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Arrived>> {
        if let Some(arrived) = self.try_recv() {
            return Poll::Ready(Some(arrived));
        }
        self.shared.news.listen(context.waker());
        self.shared.news.take();
        let is_gone = self.shared.is_gone.load(Ordering::Acquire);
        match self.try_recv() {
            None if !is_gone => Poll::Pending,
            arrived => Poll::Ready(arrived),
        }
    }

    /// Whether there was a flush since the last that was told; then that is told.
    fn is_flushed(&mut self) -> bool {
        let void = self.shared.void.load(Ordering::Acquire);
        let is_news = void > self.void;
        self.void = void;
        is_news
    }

    /// Ends with the next flush, and is as if [`Arrived::Flush`] had come: what was taken out is void. While nothing
    /// else is asked of it.
    pub async fn flushed(&mut self) {
        std::future::poll_fn(|context| {
            self.shared.news.listen(context.waker());
            self.shared.news.take();
            match self.is_flushed() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// As [`Inlet::poll_recv`].
    pub async fn recv(&mut self) -> Option<Arrived> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`Inlet::poll_recv`], for a thread that may block. `None` also when it took too long.
    pub fn recv_within(&mut self, most: Duration) -> Option<Arrived> {
        block(most, |context| self.poll_recv(context)).flatten()
    }

    /// The graph has consumed as many more frames, in the order they came: those of a durable edge are
    /// acknowledged, and as many may follow. What is never consumed holds the sender up.
    pub fn consumed(&self, frames: u64) {
        if frames > 0 {
            self.shared.consumed.fetch_add(frames, Ordering::AcqRel);
            self.driver.ring();
        }
    }
}

impl InEnd {
    /// Gives the thing back if there is no room.
    pub(super) fn push(&mut self, arrived: Arrived) -> Result<(), Arrived> {
        let is_frame = matches!(arrived, Arrived::Frame(_));
        self.ring.push(arrived).map_err(|rtrb::PushError::Full(arrived)| arrived)?;
        self.given += u64::from(is_frame);
        Ok(())
    }

    /// What was put in is void, and so are as many frames behind it.
    pub(super) fn flush(&self, behind: usize) {
        self.shared.void.store(self.given + behind as u64, Ordering::Release);
        self.tell();
    }

    /// Has the graph ring when it takes something; false if it has done so meanwhile.
    pub(super) fn wants_room(&self) -> bool {
        self.shared.has_room.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.ring.is_full()
    }

    /// There is something to take.
    pub(super) fn tell(&self) {
        self.shared.news.ring();
    }
}

impl Drop for InEnd {
    fn drop(&mut self) {
        self.shared.is_gone.store(true, Ordering::Release);
        self.shared.news.ring();
    }
}

impl Handle {
    /// How the link was a moment ago.
    pub fn status(&self) -> Status {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the link can do, as of a moment ago: costs less than [`Handle::status`].
    pub fn way(&self) -> Way {
        let status = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        let Status { is_up, rtt_ns, bytes_per_s, .. } = *status;
        Way { is_up: is_up && status.clock.is_some(), rtt_ns, bytes_per_s }
    }

    /// Has the driver look around: something has happened that it cannot see, such as on the disk of a
    /// spool. From any thread; costs as much as handing a frame in.
    pub fn poke(&self) {
        self.driver.ring();
    }

    /// Ends the run: the other side is told, what durable edges still hold is not waited for.
    pub fn stop(&self) {
        self.shared.stops.store(true, Ordering::Release);
        self.driver.ring();
    }
}

/// Polls on this thread until ready, for so long at most.
fn block<T>(most: Duration, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(ready) = poll(&mut context) {
            return Some(ready);
        }
        let left = most.checked_sub(begun.elapsed())?;
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use engine::Timestamp;

    use super::*;

    fn sides() -> (InEnd, Inlet) {
        let edge = EdgeConfig::durable_example();
        inlet(&edge, &Arc::new(Bell::default()))
    }

    fn push(end: &mut InEnd) {
        let frame = Frame::signal(Timestamp::ZERO, 1, &[0.0]);
        end.push(Arrived::Frame(frame)).expect("there is room");
    }

    #[test]
    fn a_frame_behind_a_flush_comes_behind_it_though_both_came_while_it_was_taken() {
        let (mut end, mut inlet) = sides();
        push(&mut end);
        assert!(!inlet.is_flushed(), "this is the look");
        end.flush(0);
        push(&mut end);

        assert!(matches!(inlet.next(), Some(Arrived::Frame(_))), "void when the flush is told");
        assert!(matches!(inlet.try_recv(), Some(Arrived::Flush)));
        assert!(!inlet.is_flushed(), "this is the look");
        end.flush(0);
        push(&mut end);
        push(&mut end);
        // The one before the flush, and two behind it.
        assert!(matches!(inlet.next(), Some(Arrived::Frame(_))));
        assert!(!matches!(inlet.next(), Some(Arrived::Frame(_))), "the flush comes first");
        assert!(matches!(inlet.try_recv(), Some(Arrived::Frame(_))));
        assert!(matches!(inlet.try_recv(), Some(Arrived::Frame(_))));
        assert!(inlet.try_recv().is_none());
    }

    #[test]
    fn what_waits_for_a_flush_to_be_told_is_void_by_the_next() {
        let (mut end, mut inlet) = sides();
        push(&mut end);
        assert!(matches!(inlet.try_recv(), Some(Arrived::Frame(_))));
        end.flush(0);
        push(&mut end);
        assert!(matches!(inlet.next(), Some(Arrived::Flush)), "that looks only now");
        end.flush(0);
        assert!(matches!(inlet.try_recv(), Some(Arrived::Flush)));
        assert!(matches!(inlet.try_recv(), Some(Arrived::Void)));
    }
}
