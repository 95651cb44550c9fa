//! [`Held`]: what of a durable edge is in memory.

use std::collections::VecDeque;

use engine::Frame;

use crate::spool::Kept;

/// A frame, or places where there is none.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) kept: Kept,
}

impl Item {
    pub(super) fn frame(place: u64, frame: Frame) -> Self {
        Self { from: place, to: place + 1, kept: Kept::Frame(frame) }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Frame(frame) => frame.buffer().bytes_len(),
            Kept::Gap { .. } => 0,
        }
    }

    pub(super) const fn frames(&self) -> u64 {
        matches!(self.kept, Kept::Frame(_)) as u64
    }
}

/// Items in memory, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) items: VecDeque<Item>,
    pub(super) bytes: usize,
    pub(super) frames: u64,
}

impl Held {
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.frames += item.frames();
        self.items.push_back(item);
    }

    /// Keeps so many items; how many frames go.
    pub(super) fn cut(&mut self, kept: usize) -> u64 {
        let gone = self.items.split_off(kept);
        self.bytes -= gone.iter().map(Item::bytes).sum::<usize>();
        let frames = gone.iter().map(Item::frames).sum();
        self.frames -= frames;
        frames
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.bytes();
        self.frames -= item.frames();
        Some(item)
    }
}
