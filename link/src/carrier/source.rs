//! [`LinkSource`]: brings the frames of a cut edge into the graph.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::sync::watch;

use engine::{Fault, Format, Frame, LiveIo, LiveSource, Progress, Timestamp, Waiting};

use super::ends::{End, Manner, Port};
use crate::driver::{Arrived, Inlet};

/// Between two looks whether the last frames are through.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Takes frames from the link.
///
/// Frames of a durable edge are acknowledged when every sink behind it is past them: the other host
/// keeps what is still inside, and sends it again to whoever takes this process's place. See
/// [`Unsettled`] for what that means.
pub(super) struct LinkSource {
    end: Arc<End>,
    inlet: Option<Inlet>,
    leaves: watch::Receiver<bool>,
}

impl LinkSource {
    pub(super) fn new(end: Arc<End>, inlet: Inlet) -> Self {
        let leaves = end.leaving.asked();
        Self { end, inlet: Some(inlet), leaves }
    }

    async fn bring(&mut self, io: &mut LiveIo) {
        let Some(inlet) = &mut self.inlet else { return };
        let end = &self.end;
        let mut unsettled = Unsettled::new(io, end.room);
        let mut looks = tokio::time::interval(end.look.after());
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = asked_to_leave(&mut self.leaves, end.manner) => {
                    io.promise(0, Timestamp::MAX);
                    return unsettled.wait(inlet).await;
                }
                _ = looks.tick(), if !unsettled.is_empty() => {
                    inlet.consumed(unsettled.settle());
                }
                arrived = inlet.recv() => match arrived {
                Some(Arrived::Frame(mut frame)) => {
                    end.times.come_in(&mut frame);
                    if end.is_durable {
                        let is_void = tokio::select! {
                            biased;
                            // Mostly there is room. What is brought just before a flush is told is void, too.
                            () = io.room(0) => false,
                            () = inlet.flushed() => true,
                        };
                        if is_void {
                            io.flush();
                            end.drop_one();
                            unsettled.pass_over();
                            continue;
                        }
                        unsettled.push(&frame);
                    }
                    io.bring(0, frame);
                    if unsettled.is_many() {
                        inlet.consumed(unsettled.settle());
                    }
                }
                Some(Arrived::Flush) => io.flush(),
                Some(Arrived::Void) => {
                    end.drop_one();
                    if end.is_durable {
                        unsettled.pass_over();
                    }
                }
                // The frame behind it says so as well, but it may be long in coming.
                Some(Arrived::Gap { reason, .. }) => io.gap(reason),
                Some(Arrived::Bound(bound)) => io.promise(0, end.times.bound_in(bound)),
                Some(Arrived::End) => {
                    // What is through by now; the rest when the session is.
                    io.promise(0, Timestamp::MAX);
                    return unsettled.wait(inlet).await;
                }
                // The other host is gone for good, and with it what it had not sent.
                None => return,
                }
            }
        }
    }
}

/// Ends when nothing more is to be taken.
pub(super) async fn asked_to_leave(leaves: &mut watch::Receiver<bool>, manner: Manner) {
    let asked = manner == Manner::Leaves && leaves.wait_for(|&leaves| leaves).await.is_ok();
    if !asked {
        std::future::pending::<()>().await;
    }
}

impl LiveSource for LinkSource {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            self.bring(io).await;
            self.end.coming.end();
            self.inlet = None;
            Ok::<(), Fault>(())
        })
    }

    fn ends_within(&self) -> Option<Duration> {
        Some(match self.end.manner {
            Manner::Awaits(patience) => patience,
            Manner::Leaves => LAST,
        })
    }
}

impl Drop for LinkSource {
    fn drop(&mut self) {
        if let Some(inlet) = self.inlet.take() {
            self.end.give_back(Port::In(inlet));
        }
    }
}

/// Frames of a durable edge that the graph has and that are not acknowledged.
///
/// A frame is settled once the bound of every sink that it can reach is past its last moment, and the
/// sink has written out what it took ([`Progress::reached`]). Bounds are behind by what operators
/// declare as delay and look-back, so what is *about* that moment is out by then, whatever led to it.
/// Where that is further behind than the other host can keep frames, the oldest are given up to the graph
/// that has them: the stream would stand still for ever.
///
/// What a body merely remembers (a filter's state, half a window) dies with its process; the gap that
/// the next one is told says so.
struct Unsettled {
    progress: Progress,
    /// The moment behind each frame's last sample, in order.
    ends: VecDeque<Timestamp>,
    /// Nanoseconds from a frame's time to the moment behind its last sample: by its number of samples.
    period_ns: f64,
    most: usize,
    /// Frames that the other host keeps.
    room: usize,
}

/// Frames after which those in front are looked at without waiting.
const MANY: usize = 32;
/// How long the end of a stream waits until the sinks have all of it.
const LAST: Duration = Duration::from_secs(30);

impl Unsettled {
    fn new(io: &LiveIo, room: usize) -> Self {
        let period_ns = match io.output_format(0) {
            Format::Signal(signal) => signal.rate.period_ns(),
            _ => 0.0,
        };
        Self { progress: io.progress(), ends: VecDeque::new(), period_ns, most: MANY, room }
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether a look may pay. Each look doubles what is waited for, so that many looks in vain cost
    /// little.
    fn is_many(&self) -> bool {
        self.ends.len() >= self.most
    }

    fn push(&mut self, frame: &Frame) {
        let rest = frame.len().saturating_sub(1) as f64 * self.period_ns;
        let end = frame.header.time.plus_nanos(rest as i64 + 1);
        let last = self.ends.back().copied().unwrap_or(Timestamp::MIN);
        self.ends.push_back(end.max(last));
    }

    /// A frame that is brought to nobody.
    fn pass_over(&mut self) {
        let last = self.ends.back().copied().unwrap_or(Timestamp::MIN);
        self.ends.push_back(last);
    }

    /// How many more are settled.
    fn settle(&mut self) -> u64 {
        let reached = self.progress.reached();
        let settled = self.ends.iter().take_while(|&&end| end <= reached).count();
        let too_many = self.ends.len().saturating_sub(self.room - self.room / 4);
        let settled = settled.max(too_many);
        self.ends.drain(..settled);
        self.most = (2 * self.ends.len()).max(MANY);
        settled as u64
    }

    /// Until all are settled, or a sink takes too long to end.
    async fn wait(&mut self, inlet: &mut Inlet) {
        let all = async move {
            while !self.is_empty() {
                inlet.consumed(self.settle());
                tokio::time::sleep(LAST_LOOK).await;
            }
        };
        drop(tokio::time::timeout(LAST, all).await);
    }
}
