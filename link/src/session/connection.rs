//! What a session knows of one connection.

use std::collections::BTreeMap;

use engine::Timestamp;

use super::{config::Timing, io::Path, pace::Pace};
use crate::wire::{Assembler, Message};

/// Streams that the other side may have open at once, besides one for each edge.
pub(super) const STREAMS_MAX: usize = 256;
/// Answers that wait to be sent; of more questions the newest are answered.
const ANSWERS_MAX: usize = 8;

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
    pub(super) answers: Vec<Message>,
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
            answers: Vec::new(),
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

    /// When the other clock is to be asked for.
    pub(super) fn next_probe(&self, now: Timestamp, timing: &Timing, known: bool) -> Timestamp {
        let Some(asked) = self.asked else { return Timestamp::MIN };
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
