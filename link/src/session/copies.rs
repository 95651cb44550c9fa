//! [`Copies`]: small frames that may not be lost are sent twice where packets are.
//!
//! On a stream one packet that is lost keeps all behind it waiting until it was missed and sent again, a
//! round trip or more: of what comes every 20 ms over 80 ms there and back, one lost packet delays five
//! frames. So a frame goes a second time by datagram, a moment later, so that what
//! lost the first does not lose both; whichever comes first is given out.

use std::collections::VecDeque;

use engine::Timestamp;

use super::io::Path;
use crate::wire::{FRAME_HEAD, PREAMBLE, RECORD_HEAD};

/// Bytes of content up to which a frame is worth it.
const CONTENT_MAX: usize = 512;
/// How long after the first.
const AFTER_NS: i64 = 5_000_000;
/// Share of packets that must be lost: at less, the last per cent of the frames are none the later.
const LOSS_LEAST: f64 = 1e-3;
/// So many may wait; of more, which is no control any more, the newest have none.
const WAIT_MAX: usize = 64;
/// Room that a datagram must have.
const ROOM: usize = PREAMBLE + RECORD_HEAD + FRAME_HEAD + CONTENT_MAX;

/// Places of frames that go once more, and when.
#[derive(Debug, Default)]
pub(super) struct Copies {
    due: VecDeque<(u64, Timestamp)>,
}

impl Copies {
    /// The frame at `place`, with content of so many bytes, was written to its stream.
    pub(super) fn note(&mut self, now: Timestamp, place: u64, bytes: usize, path: &Path) {
        let pays = path.loss >= LOSS_LEAST && bytes <= CONTENT_MAX && path.datagram_max >= ROOM;
        if pays && self.due.len() < WAIT_MAX {
            self.due.push_back((place, now.plus_nanos(AFTER_NS)));
        }
    }

    /// The next place that is due.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<u64> {
        let (place, _) = self.due.pop_front_if(|(_, due)| *due <= now)?;
        Some(place)
    }

    /// When the next is due, if there is room for it then.
    pub(super) fn wake(&self, path: &Path) -> Option<Timestamp> {
        let (_, due) =
            self.due.front().filter(|_| path.datagram_room.min(path.datagram_max) >= ROOM)?;
        Some(*due)
    }

    /// All before `next` have arrived.
    pub(super) fn forget_before(&mut self, next: u64) {
        while self.due.pop_front_if(|(place, _)| *place < next).is_some() {}
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
    }
}
