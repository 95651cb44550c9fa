//! [`Recorder`]: takes what taps show, in the order it happened, and writes it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use engine::{Seen, Tap, Timestamp, counted};
use operators::files::mcap::{AT_END, Lost, Store, Writer, message::put_reached};

use super::{Recorded, Topic};

/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(5);
/// What is held in memory is written after that, so that a process that is killed loses little.
const HELD: Duration = Duration::from_secs(1);
/// Outputs are written by turns, so much content of each: who replays wants them side by side.
const TURN_NS: i64 = 1_000_000_000;
/// Between two attempts while the disk takes nothing.
const RETRY: Duration = Duration::from_millis(500);
/// Between two words about a disk that is too slow.
const TELL: Duration = Duration::from_secs(5);

/// Writes what taps show.
pub(super) struct Recorder<S> {
    writer: Writer<S>,
    topics: Vec<Topic>,
    trouble: Option<Trouble>,
    /// Frames that taps had no room for and nobody has been told of, and when somebody was last.
    slow: (u64, Option<Instant>),
}

/// The disk takes nothing.
struct Trouble {
    /// Nothing is written before.
    retry: Instant,
    /// Bytes that were there.
    len: u64,
}

impl<S: Store> Recorder<S> {
    pub(super) fn new(writer: Writer<S>, topics: Vec<Topic>) -> Self {
        Self { writer, topics, trouble: None, slow: (0, None) }
    }

    /// Takes taps that were opened.
    pub(super) fn open(&mut self, opened: &mut Vec<(u32, String, Tap)>) {
        for (session, label, tap) in opened.drain(..) {
            let mut topics = self.topics.iter_mut();
            let is_its =
                |topic: &&mut Topic| topic.output.session == session && topic.output.label == label;
            if let Some(topic) = topics.find(is_its) {
                topic.taps.push_back(tap);
            }
        }
    }

    /// Takes a turn of what came by; says whether there was something.
    pub(super) fn look(&mut self, tell: &dyn Fn(&str)) -> bool {
        let first = self.topics.iter_mut().filter_map(Topic::peek).min();
        if let Some(first) = first {
            let until = first.plus_nanos(TURN_NS);
            for topic in 0..self.topics.len() {
                while self.topics[topic].peek().is_some_and(|time| time <= until) {
                    self.take(topic, tell);
                }
            }
        }
        let flushed = self.writer.flush_if_older(HELD);
        self.note(flushed, tell);
        self.tell_of_slowness(tell);
        first.is_some()
    }

    /// Writes the next of what came by at an output.
    fn take(&mut self, topic: usize, tell: &dyn Fn(&str)) {
        let here = &mut self.topics[topic];
        let Some(tapped) = here.next.take() else { return };
        here.miss_at_tap(tapped.missed);
        self.slow.0 += tapped.missed;
        let is_held_up =
            self.trouble.as_ref().is_some_and(|trouble| Instant::now() < trouble.retry);
        let channel = 2 * topic as u16;
        let written = match tapped.what {
            Seen::Frame(frame) => {
                if is_held_up || !here.codec.fits(&frame) {
                    here.miss(1);
                    return;
                }
                let at = here.moment(frame.header.time, Some(frame.header.entered));
                let (missed, reached) = (std::mem::take(&mut here.missed), here.reached.pending());
                if let Some(reached) = reached {
                    here.reached.written = reached;
                }
                here.frames += 1;
                here.sequence = here.sequence.wrapping_add(1);
                let (codec, sequence) = (&here.codec, here.sequence);
                self.writer.message(channel, sequence, at, 1 + missed, |out| {
                    codec.put(out, &frame, at.log_ns, missed, reached);
                })
            }
            Seen::Bound(bound) => {
                if !here.reach(bound) || is_held_up {
                    return;
                }
                self.put_reached(topic)
            }
        };
        self.note(written, tell);
    }

    /// Writes how far an output is.
    fn put_reached(&mut self, topic: usize) -> Result<(), Lost> {
        let here = &mut self.topics[topic];
        let Some(reached) = here.reached.pending() else { return Ok(()) };
        let at = here.moment(reached, None);
        let missed = std::mem::take(&mut here.missed);
        here.reached.written = reached;
        here.sequence = here.sequence.wrapping_add(1);
        let channel = 2 * topic as u16 + 1;
        self.writer
            .message(channel, here.sequence, at, missed, |out| put_reached(out, reached, missed))
    }

    /// Takes note of what became of a chunk, if one was written.
    fn note(&mut self, written: Result<(), Lost>, tell: &dyn Fn(&str)) {
        match written {
            Ok(()) => {
                let len = self.writer.len();
                if self.trouble.take_if(|trouble| len > trouble.len).is_some() {
                    let missed = self.topics.iter().map(|topic| topic.missed_in_all).sum::<u64>();
                    tell(&format!("goes on; {} missing so far", super::are(missed)));
                }
            }
            Err(lost) => {
                self.lose(&lost);
                if self.trouble.is_none() {
                    tell(&format!("{}; it has a hole until there is room", lost.error));
                }
                let retry = Instant::now() + RETRY;
                self.trouble = Some(Trouble { retry, len: self.writer.len() });
            }
        }
    }

    /// What was on its way did not get there.
    fn lose(&mut self, lost: &Lost) {
        for of in &lost.of {
            self.topics[usize::from(of.channel / 2)].take_back(*of);
        }
        // How far outputs are may have been told in vain.
        self.topics.iter_mut().for_each(|topic| topic.reached.written = Timestamp::MIN);
    }

    fn tell_of_slowness(&mut self, tell: &dyn Fn(&str)) {
        let (missed, told) = &mut self.slow;
        if *missed > 0 && told.is_none_or(|told| told.elapsed() >= TELL) {
            tell(&format!("{} came faster than they could be written", counted(*missed, "frame")));
            (*missed, *told) = (0, Some(Instant::now()));
        }
    }

    /// Writes the rest, and the end.
    pub(super) fn finish(mut self, ending: &str) -> Recorded {
        for topic in 0..self.topics.len() {
            if let Err(lost) = self.put_reached(topic) {
                self.lose(&lost);
            }
        }
        let Self { writer, topics, .. } = &mut self;
        let mut lost_at_end = Vec::new();
        let end = writer.finish(|lost| {
            lost_at_end = lost.to_vec();
            let mut texts = BTreeMap::from([("how".to_owned(), ending.to_owned())]);
            for (n, topic) in topics.iter().enumerate() {
                let here = lost.iter().filter(|of| usize::from(of.channel / 2) == n);
                let here = here.map(|of| of.frames).sum::<u64>();
                let (session, label) = (topic.output.session, &topic.output.label);
                let missed = topic.missed + here;
                if missed > 0 {
                    texts.insert(
                        format!("missed at the end of {session}:{label}"),
                        missed.to_string(),
                    );
                }
            }
            (AT_END.to_owned(), texts)
        });
        for of in lost_at_end {
            topics[usize::from(of.channel / 2)].take_back(of);
        }
        Recorded {
            frames: topics.iter().map(|topic| topic.frames).sum(),
            missed: topics.iter().map(|topic| topic.missed_in_all).sum(),
            bytes: writer.len(),
            cut: end.err().map(|error| error.to_string()),
        }
    }
}
