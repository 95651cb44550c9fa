//! What a session knows of one connection.

use std::collections::{BTreeMap, VecDeque};

use engine::Timestamp;

use super::{config::Timing, io::Path, pace::Pace};
use crate::wire::{Assembler, Message};

/// Streams that the other side may have open at once. The connection must not let it open more: a session
/// that has more before it takes the other side for one that keeps no rules.
pub(crate) const STREAMS_MAX: usize = 1_024;
/// Questions that follow one for the clock.
const AGAIN: u8 = 3;
/// Answers that wait to be sent; of more questions the newest are answered.
const ANSWERS_MAX: usize = 8;
/// Questions for the clock that may be under way: of a line that takes seconds.
const ASKED_MAX: usize = 64;

/// Forgotten when the connection is.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) path: Path,
    /// Streams that the other side sends.
    pub(super) streams: BTreeMap<u64, InStream>,
    /// Messages for the control stream.
    pub(super) control: Vec<u8>,
    /// When something came last.
    pub(super) heard: Timestamp,
    pub(super) begun: Timestamp,
    pub(super) asked: Option<Timestamp>,
    /// Questions for the clock that follow the last at once, each when it is answered: the first wakes both
    /// hosts, and those behind it take a way that is short in both directions.
    again: u8,
    /// The next of them is due.
    asks_again: bool,
    pub(super) answers: Vec<Message>,
    /// Questions for the clock that may still be answered.
    open: VecDeque<(u32, Timestamp)>,
    /// How fast edges catch up.
    pub(super) pace: Pace,
    pub(super) hello_heard: bool,
    pub(super) ready_told: bool,
    /// The other side has said that it leaves, as it is done.
    pub(super) farewell: Option<String>,
}

/// A stream while it is read.
#[derive(Debug, Default)]
pub(super) struct InStream {
    pub(super) assembler: Assembler,
    /// Frames read.
    pub(super) frames: u64,
    /// Its frames are not to be used: some of them came before the two sides had agreed.
    pub(super) is_void: bool,
}

impl Connection {
    pub(super) fn new(now: Timestamp, path: Path) -> Self {
        Self {
            pace: Pace::new(now, &path),
            path,
            streams: BTreeMap::new(),
            control: Vec::new(),
            heard: now,
            begun: now,
            asked: None,
            again: 0,
            asks_again: false,
            answers: Vec::new(),
            open: VecDeque::new(),
            hello_heard: false,
            ready_told: false,
            farewell: None,
        }
    }

    /// When it is given up, if nothing more comes, or no hello.
    pub(super) fn ends(&self, timing: &Timing) -> Timestamp {
        let since = if self.hello_heard { self.heard } else { self.begun };
        since.plus_nanos(timing.silence_ns)
    }

    /// Bytes that came on streams and are no record yet.
    pub(super) fn held(&self) -> usize {
        self.streams.values().map(|stream| stream.assembler.held()).sum()
    }

    pub(super) fn answer(&mut self, answer: Message) {
        if self.answers.len() == ANSWERS_MAX {
            self.answers.remove(0);
        }
        self.answers.push(answer);
    }

    /// A question for the clock leaves.
    pub(super) fn ask(&mut self, id: u32, sent: Timestamp) {
        if self.open.len() == ASKED_MAX {
            self.open.pop_front();
        }
        self.open.push_back((id, sent));
    }

    /// Whether such a question is open, which it is no more then.
    pub(super) fn is_asked(&mut self, id: u32, sent: Timestamp) -> bool {
        let place = self.open.iter().position(|open| *open == (id, sent));
        place.is_some_and(|place| self.open.remove(place).is_some())
    }

    /// The other clock is asked for; whether for the first time in a while.
    pub(super) fn ask_clock(&mut self, now: Timestamp) -> bool {
        self.asked = Some(now);
        let is_first = !std::mem::take(&mut self.asks_again);
        if is_first {
            self.again = AGAIN;
        }
        is_first
    }

    /// It has answered.
    pub(super) fn hear_clock(&mut self) {
        if let Some(left) = self.again.checked_sub(1) {
            (self.again, self.asks_again) = (left, true);
        }
    }

    /// When the other clock is to be asked for.
    pub(super) fn next_probe(&self, now: Timestamp, timing: &Timing, known: bool) -> Timestamp {
        let Some(asked) = self.asked.filter(|_| !self.asks_again) else { return Timestamp::MIN };
        let doubts = now.since(self.heard) >= timing.doubt_ns;
        let fast = asked.plus_nanos(timing.probe_fast_ns);
        if doubts || !known {
            return fast;
        }
        // In between, silence may turn into doubt.
        let doubtful = self.heard.plus_nanos(timing.doubt_ns).max(fast);
        asked.plus_nanos(timing.probe_ns).min(doubtful)
    }
}
