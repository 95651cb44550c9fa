//! A tap: what passes at an output, for somebody who looks on.
//!
//! ```text
//! node ──▶ consumers
//!   └───▶ TapEnd ═ring═▶ Tap      nobody waits for it: what finds no room is missed, and counted
//! ```
//!
//! The graph knows nothing of who looks on. Short frames are copied, so that what stands behind still writes where
//! it is and blocks stay with their core; of longer ones a tap holds another handle, and what stands behind may have
//! to write into a buffer of its own. Without a tap there is nothing to pay.
//! Nobody is woken either: who looks on looks as often as he likes, and says by [`TapLimits`] how much may wait
//! for him meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    buffer::Buffer,
    format::Format,
    frame::{Frame, Header},
    time::Timestamp,
};

/// How much may wait for whoever looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapLimits {
    /// Frames and bounds. Room for them is taken at once, 80 bytes each.
    pub frames: usize,
    /// Bytes of content; up to 1 MiB of it, for copies of short frames, is taken once the first of them comes. A frame that is longer all by itself waits alone.
    pub bytes: usize,
    /// How long the data core waits for room before a frame is missed. At full speed, where nothing can be late, a
    /// moment keeps what is looked at whole. In a graph with a source that cannot be made to wait nobody is waited
    /// for, whatever is said here.
    pub patience: Duration,
    /// Whether bounds are told between the frames of a turn too, not at its end alone: for whoever wants to bring
    /// the same stream once more. Each takes the place of a frame.
    pub every_bound: bool,
}

impl Default for TapLimits {
    fn default() -> Self {
        Self { frames: 4_096, bytes: 32 << 20, patience: Duration::ZERO, every_bound: false }
    }
}

/// What came by.
#[derive(Clone, Debug)]
pub struct Tapped {
    /// Frames that came by since the one before and found no room.
    pub missed: u64,
    /// What it is.
    pub what: Seen,
}

/// What passes at an output.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A frame, as its consumers get it.
    Frame(Frame),
    /// Nothing older than this will come; [`Timestamp::MAX`] once the stream has ended. Told of sources, and of
    /// others where something in the graph asks for it: a join, a timer.
    Bound(Timestamp),
}

/// One output of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The node.
    pub node: &'a str,
    /// Its kind.
    pub kind: &'static str,
    /// The port.
    pub port: &'static str,
    /// Number of the port among those of the node: the first goes without saying in `from`.
    pub number: usize,
    /// What passes.
    pub format: &'a Format,
    /// Whether the node is a source.
    pub is_source: bool,
    /// Whether somebody in the graph takes it.
    pub is_taken: bool,
}

impl Output<'_> {
    /// As it is written in `from`: `node`, or `node.port`.
    pub fn label(&self) -> String {
        match self.number {
            0 => self.node.to_owned(),
            _ => format!("{}.{}", self.node, self.port),
        }
    }
}

/// Asked about every output of every session before its first frame, by its number: what passes there goes into
/// each end that it gives. Called anew for what takes the place of a stage that never returned.
pub type Onlooker = Arc<dyn Fn(u32, &Output<'_>) -> Vec<TapEnd> + Send + Sync>;

/// A tap with both its ends.
pub fn tap(limits: TapLimits) -> (TapEnd, Tap) {
    let (producer, consumer) = rtrb::RingBuffer::new(limits.frames.max(1));
    let (copies, copied) = rtrb::RingBuffer::new((limits.bytes / 8).min(COPIES_BYTES));
    let counts = Arc::<Counts>::default();
    let end = TapEnd {
        ring: producer,
        copies,
        counts: counts.clone(),
        bytes_max: limits.bytes as u64,
        patience: limits.patience,
        every_bound: limits.every_bound,
        put_bytes: 0,
        missed: 0,
        told: Timestamp::MIN,
    };
    (end, Tap { ring: consumer, copied, counts, taken_bytes: 0 })
}

/// Content of at most so many bytes is copied, which takes less than what two holders of it cost each other.
const COPIED_BYTES_MAX: usize = 512;
/// Room for copies: a ring that was longer would go through memory that no cache holds.
const COPIES_BYTES: usize = 1 << 20;

/// What is in the ring.
#[derive(Debug)]
struct Slot {
    missed: u64,
    what: Shown,
}

#[derive(Debug)]
enum Shown {
    Frame(Frame),
    /// The next so many bytes of the copies, of so many samples.
    Copied {
        header: Header,
        bytes: u32,
        count: u32,
    },
    Bound(Timestamp),
}

const _: () = assert!(size_of::<Slot>() <= 80);

/// Between two looks for room.
const LOOK: Duration = Duration::from_micros(50);

/// What the ends tell each other; each number has one writer.
#[derive(Debug, Default)]
struct Counts {
    missed: AtomicU64,
    taken_bytes: AtomicU64,
}

/// The end at an output.
#[derive(Debug)]
pub struct TapEnd {
    ring: rtrb::Producer<Slot>,
    copies: rtrb::Producer<u8>,
    counts: Arc<Counts>,
    bytes_max: u64,
    patience: Duration,
    every_bound: bool,
    put_bytes: u64,
    /// Missed since the last that found room.
    missed: u64,
    /// The last bound that was told.
    told: Timestamp,
}

impl TapEnd {
    /// As in a graph of which some source cannot be made to wait.
    pub(crate) fn impatient(self) -> Self {
        Self { patience: Duration::ZERO, ..self }
    }

    /// Shows a frame. One that finds no room is missed.
    pub(crate) fn frame(&mut self, frame: &Frame) {
        self.frame_while(frame, || {});
    }

    /// Shows a frame, and says again and again that it waits, where it does.
    pub(crate) fn frame_while(&mut self, frame: &Frame, waits: impl FnMut()) {
        if !self.try_frame(frame) && !self.wait_to_put(frame, waits) {
            self.missed += 1;
            let missed = self.counts.missed.load(Ordering::Relaxed) + 1;
            self.counts.missed.store(missed, Ordering::Relaxed);
        }
    }

    fn try_frame(&mut self, frame: &Frame) -> bool {
        let bytes = frame.buffer().bytes_len() as u64;
        let waits = self.put_bytes - self.counts.taken_bytes.load(Ordering::Relaxed);
        let fits = waits == 0 || waits + bytes <= self.bytes_max;
        let put = fits && self.put_frame(frame);
        if put {
            self.put_bytes += bytes;
        }
        put
    }

    fn put_frame(&mut self, frame: &Frame) -> bool {
        // Nothing is copied in vain.
        if self.ring.is_full() {
            return false;
        }
        let (content, header) = (frame.buffer().bytes(), frame.header);
        let is_short = content.len() <= COPIED_BYTES_MAX;
        let what = if is_short && self.copies.push_entire_slice(content).is_ok() {
            let (bytes, count) = (content.len() as u32, frame.buffer().count() as u32);
            Shown::Copied { header, bytes, count }
        } else {
            Shown::Frame(frame.clone())
        };
        self.put(what)
    }

    #[cold]
    #[expect(clippy::disallowed_methods, reason = "at full speed alone, and nobody tells of room")]
    fn wait_to_put(&mut self, frame: &Frame, mut waits: impl FnMut()) -> bool {
        let began = Instant::now();
        while began.elapsed() < self.patience && !self.is_left() {
            std::thread::sleep(LOOK);
            waits();
            if self.try_frame(frame) {
                return true;
            }
        }
        false
    }

    /// How far the output is before the next frame, for those who want to know between two of them.
    pub(crate) fn reached(&mut self, bound: Timestamp) {
        if self.every_bound {
            self.bound(bound);
        }
    }

    /// Shows how far the output is, if that is further than before.
    pub(crate) fn bound(&mut self, bound: Timestamp) {
        // What finds no room now is told with the next.
        if bound > self.told && self.put(Shown::Bound(bound)) {
            self.told = bound;
        }
    }

    /// Whether nobody looks on any more.
    pub(crate) fn is_left(&self) -> bool {
        self.ring.is_abandoned()
    }

    fn put(&mut self, what: Shown) -> bool {
        let fits = self.ring.push(Slot { missed: self.missed, what }).is_ok();
        if fits {
            self.missed = 0;
        }
        fits
    }
}

/// The end of whoever looks on. Dropped, it leaves nothing behind in the graph.
#[derive(Debug)]
pub struct Tap {
    ring: rtrb::Consumer<Slot>,
    copied: rtrb::Consumer<u8>,
    counts: Arc<Counts>,
    taken_bytes: u64,
}

impl Tap {
    /// What came by next, if something did. Never waits.
    pub fn try_next(&mut self) -> Option<Tapped> {
        let Slot { missed, what } = self.ring.pop().ok()?;
        let what = match what {
            Shown::Frame(frame) => Seen::Frame(frame),
            Shown::Copied { header, bytes, count } => {
                let mut buffer = Buffer::with_bytes(bytes as usize, count as usize);
                let content = buffer.bytes_mut().expect("a fresh buffer has one holder");
                self.copied.pop_entire_slice(content).expect("copied before it was shown");
                Seen::Frame(Frame::new(header, buffer))
            }
            Shown::Bound(bound) => Seen::Bound(bound),
        };
        if let Seen::Frame(frame) = &what {
            self.taken_bytes += frame.buffer().bytes_len() as u64;
            self.counts.taken_bytes.store(self.taken_bytes, Ordering::Relaxed);
        }
        Some(Tapped { missed, what })
    }

    /// Frames that came by and found no room, all together.
    pub fn missed(&self) -> u64 {
        self.counts.missed.load(Ordering::Relaxed)
    }

    /// Whether nothing more will come: the session is over, or what stood there was given up.
    pub fn has_ended(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Buffer, Header};

    fn frame(time: i64, samples: usize) -> Frame {
        Frame::new(Header::at(Timestamp::from_nanos(time)), Buffer::signal(1, samples))
    }

    fn seen(tap: &mut Tap) -> Vec<(u64, Option<i64>)> {
        let mut all = Vec::new();
        while let Some(Tapped { missed, what }) = tap.try_next() {
            all.push((
                missed,
                match what {
                    Seen::Frame(frame) => Some(frame.header.time.nanos()),
                    Seen::Bound(_) => None,
                },
            ));
        }
        all
    }

    #[test]
    fn what_finds_no_room_is_missed_and_told_with_what_comes_next() {
        let (mut end, mut tap) = tap(TapLimits { frames: 2, ..TapLimits::default() });
        for time in 0..5 {
            end.frame(&frame(time, 4));
        }
        assert_eq!(seen(&mut tap), [(0, Some(0)), (0, Some(1))]);
        assert_eq!(tap.missed(), 3);
        end.frame(&frame(5, 4));
        assert_eq!(seen(&mut tap), [(3, Some(5))]);
    }

    #[test]
    fn no_more_bytes_wait_than_allowed_but_for_one_frame() {
        let (mut end, mut tap) = tap(TapLimits { frames: 16, bytes: 100, ..TapLimits::default() });
        end.frame(&frame(0, 1_000));
        end.frame(&frame(1, 1));
        assert_eq!(seen(&mut tap), [(0, Some(0))], "a long one waits alone");
        (2..10).for_each(|time| end.frame(&frame(time, 10)));
        assert_eq!(seen(&mut tap), [(1, Some(2)), (0, Some(3))]);
        assert_eq!(tap.missed(), 7);
    }

    #[test]
    fn short_frames_are_copied_and_long_ones_shared_as_they_are() {
        let (mut end, mut tap) =
            tap(TapLimits { frames: 16, bytes: 8_000, ..TapLimits::default() });
        // Around the ring of copies many times, with frames of no sample and some that find no room there.
        for round in 0..1_000 {
            let lens = [round % 7, 100, 128, 129, 90];
            let frames: Vec<Frame> = lens
                .iter()
                .map(|&len| {
                    let samples: Vec<f32> = (0..len).map(|n| (round * n) as f32).collect();
                    Frame::signal(Timestamp::from_nanos(round as i64), 1, &samples)
                })
                .collect();
            frames.iter().for_each(|frame| end.frame(frame));
            assert!(frames[0].buffer().is_sole() && frames[1].buffer().is_sole());
            assert!(!frames[3].buffer().is_sole(), "it is longer");
            for frame in frames {
                let Some(Tapped { missed: 0, what: Seen::Frame(seen) }) = tap.try_next() else {
                    panic!("there is room for all")
                };
                assert_eq!((seen.header, seen.len()), (frame.header, frame.len()));
                assert_eq!(seen.samples(), frame.samples());
            }
        }
    }

    #[test]
    fn with_patience_nothing_is_missed_while_somebody_looks() {
        let limits =
            TapLimits { frames: 2, patience: Duration::from_secs(60), ..Default::default() };
        let (mut end, mut tap) = tap(limits);
        let looks = std::thread::spawn(move || {
            let mut count = 0;
            while !tap.has_ended() {
                count += seen(&mut tap).len();
                std::thread::yield_now();
            }
            (count, tap.missed())
        });
        (0..100).for_each(|time| end.frame(&frame(time, 4)));
        drop(end);
        assert_eq!(looks.join().expect("it looks to the end"), (100, 0));

        let (mut end, tap) = super::tap(limits);
        drop(tap);
        (0..5).for_each(|time| end.frame(&frame(time, 4)));
        assert_eq!(end.missed, 3, "nobody looks any more, and nobody is waited for");
    }

    #[test]
    fn a_bound_is_told_once_and_when_there_is_room() {
        let (mut end, mut tap) = tap(TapLimits { frames: 1, ..TapLimits::default() });
        let at = Timestamp::from_nanos;
        end.frame(&frame(0, 1));
        end.bound(at(5));
        assert_eq!(seen(&mut tap), [(0, Some(0))]);
        end.bound(at(5));
        end.bound(at(5));
        assert_eq!(seen(&mut tap), [(0, None)]);
        end.bound(at(4));
        end.bound(at(5));
        assert_eq!(seen(&mut tap), [], "it has been told");
    }

    #[test]
    fn each_end_sees_that_the_other_is_gone() {
        let (mut end, tap) = tap(TapLimits::default());
        assert!(!end.is_left());
        drop(tap);
        assert!(end.is_left());
        end.frame(&frame(0, 1));

        let (mut end, mut tap) = super::tap(TapLimits::default());
        end.frame(&frame(0, 1));
        drop(end);
        assert!(!tap.has_ended(), "something is left");
        assert!(tap.try_next().is_some() && tap.has_ended());
    }
}
