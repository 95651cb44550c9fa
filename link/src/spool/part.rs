//! [`Segment`]: what is known of a segment without reading it.

use std::path::PathBuf;

use super::{runs::Runs, segment::SegmentHead};

/// Where reading may begin within a segment.
const INDEX_STEP: u64 = 64 << 10;

/// A segment on disk.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) head: SegmentHead,
    /// The place behind its last record.
    pub(crate) next: u64,
    /// Bytes up to where its last record ends.
    pub(crate) len: u64,
    /// Which of its places are frames.
    pub(crate) frames: Runs,
    /// Some places and where their records are.
    pub(crate) index: Vec<(u64, u64)>,
    /// Its head is lost, and that of another serves: nobody knows when it was begun.
    pub(crate) is_guessed: bool,
}

impl Segment {
    pub(crate) fn new(path: PathBuf, head: SegmentHead, len: u64) -> Self {
        let (next, frames, index) = (head.first, Runs::new(), Vec::new());
        Self { path, head, next, len, frames, index, is_guessed: false }
    }

    pub(crate) fn note(&mut self, place: u64, at: u64) {
        if self.index.last().is_none_or(|(_, last)| at - last >= INDEX_STEP) {
            self.index.push((place, at));
        }
    }
}
