//! [`Hand`]: what came for the graph and finds its ring full.

use std::collections::VecDeque;

use engine::{Frame, Gap, MaybeGap};

use super::ports::{Arrived, InEnd};
use crate::session::{Delivery, EdgeConfig, Output};

/// Holds what the graph does not take yet. Of a droppable edge no frames, but what is to be said of
/// them; of a durable one no more than the credit that was granted, and as much again if the other side
/// starts anew meanwhile: then nothing more is read.
#[derive(Debug)]
pub(super) struct Hand {
    waiting: VecDeque<Arrived>,
    is_durable: bool,
    most: usize,
    /// Said on the next frame.
    gap: MaybeGap,
    overflown: u64,
    has_news: bool,
}

impl Hand {
    pub(super) fn new(edge: &EdgeConfig) -> Self {
        Self {
            waiting: VecDeque::new(),
            is_durable: edge.delivery == Delivery::Durable,
            most: edge.frames_max.saturating_mul(2).saturating_add(64),
            gap: MaybeGap::NONE,
            overflown: 0,
            has_news: false,
        }
    }

    /// What of a session's outputs is for the graph, and the edge.
    pub(super) fn arrived(output: Output) -> Option<(u16, Arrived)> {
        Some(match output {
            Output::Deliver { edge, frame } => (edge, Arrived::Frame(frame)),
            Output::Gap { edge, reason, frames } => (edge, Arrived::Gap { reason, frames }),
            Output::Bound { edge, bound } => (edge, Arrived::Bound(bound)),
            Output::End { edge } => (edge, Arrived::End),
            _ => return None,
        })
    }

    pub(super) const fn overflown(&self) -> u64 {
        self.overflown
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > self.most
    }

    pub(super) fn give(&mut self, end: &mut InEnd, mut arrived: Arrived) {
        if let Arrived::Frame(frame) = &mut arrived {
            frame.header.gap = self.gap.or(frame.header.gap);
        }
        self.has_news = true;
        let arrived = match self.waiting.is_empty() {
            true => match end.push(arrived) {
                Ok(()) => {
                    self.gap = MaybeGap::NONE;
                    return;
                }
                Err(arrived) => arrived,
            },
            false => arrived,
        };
        match arrived {
            Arrived::Frame(frame) if !self.is_durable => self.drop(&frame),
            Arrived::Frame(_) => {
                self.gap = MaybeGap::NONE;
                self.waiting.push_back(arrived);
            }
            other => self.wait(other),
        }
    }

    /// What was given is void, also where it waits.
    pub(super) fn flush(&self, end: &InEnd) {
        let frames = self.waiting.iter().filter(|waits| matches!(waits, Arrived::Frame(_)));
        end.flush(frames.count());
    }

    fn drop(&mut self, frame: &Frame) {
        self.overflown += 1;
        self.gap = self.gap.or(frame.header.gap).or(Gap::Full.into());
        self.wait(Arrived::Gap { reason: Gap::Full, frames: 1 });
    }

    /// Keeps what is no frame; with what can be said at once with it, as long as no frame is between.
    fn wait(&mut self, arrived: Arrived) {
        let behind = self.waiting.iter().rposition(|waits| matches!(waits, Arrived::Frame(_)));
        let from = behind.map_or(0, |frame| frame + 1);
        match &arrived {
            Arrived::Bound(_) => {
                let older = (from..self.waiting.len())
                    .find(|&n| matches!(self.waiting[n], Arrived::Bound(_)));
                older.and_then(|older| self.waiting.remove(older));
            }
            Arrived::Gap { reason, frames } => {
                for waits in self.waiting.range_mut(from..) {
                    if let Arrived::Gap { reason: same, frames: sum } = waits
                        && same == reason
                    {
                        *sum = sum.saturating_add(*frames);
                        return;
                    }
                }
            }
            _ => {}
        }
        self.waiting.push_back(arrived);
    }

    /// Hands over what fits by now, and wakes who waits for it.
    pub(super) fn over(&mut self, end: &mut InEnd) {
        while let Some(arrived) = self.waiting.pop_front() {
            if let Err(arrived) = end.push(arrived) {
                self.waiting.push_front(arrived);
                if end.wants_room() {
                    break;
                }
                continue;
            }
            self.has_news = true;
        }
        if std::mem::take(&mut self.has_news) {
            end.tell();
        }
    }
}
