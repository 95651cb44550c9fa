//! A loop instead of a sound card: what a speaker plays, a microphone of the same session hears.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use engine::{Code, Diagnostic, Node, Place, counted};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

/// Samples that were played and not heard yet, all channels together.
const ROOM: usize = 1 << 20;

/// The loops of a graph, one for each session, as long as that plays or hears: each has 4 MiB.
#[derive(Default)]
pub(in crate::audio) struct Loops(Mutex<BTreeMap<u32, Weak<Loop>>>);

/// The loop of a session.
pub(in crate::audio) struct Loop(Mutex<Inside>);

struct Inside {
    played: HeapProd<f32>,
    to_hear: HeapCons<f32>,
    /// Samples per second and channels of what is played, once somebody plays.
    format: Option<(f64, usize)>,
}

/// Both ends of the loops of a graph that is planned, by the names of their nodes.
#[derive(Default)]
pub(in crate::audio) struct Ends(Mutex<BTreeMap<String, End>>);

/// An end of a loop: who plays, or who hears.
#[derive(Clone)]
pub(in crate::audio) struct End {
    pub(in crate::audio) plays: bool,
    pub(in crate::audio) rate_hz: f64,
    pub(in crate::audio) channels: usize,
    /// Where to change that.
    pub(in crate::audio) place: Option<Place>,
}

impl Ends {
    /// Notes the end that a node is, and says what does not fit it.
    pub(in crate::audio) fn note(&self, node: &Node<'_>, end: End) -> Vec<Diagnostic> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = all.iter().filter_map(|(name, other)| match end.plays {
            true => other.differs((name, node.name()), &end),
            false => end.differs((node.name(), name), other),
        });
        let wrong = wrong.collect();
        all.insert(node.name().to_owned(), end);
        wrong
    }
}

impl End {
    /// What is wrong if this is who hears, and the other one plays.
    fn differs(&self, (hears, plays): (&str, &str), other: &Self) -> Option<Diagnostic> {
        let Self { rate_hz, channels, .. } = self;
        if self.plays || !other.plays || (*rate_hz, *channels) == (other.rate_hz, other.channels) {
            return None;
        }
        let of = |end: &Self| {
            format!("{} at {:?} Hz", counted(end.channels as u64, "channel"), end.rate_hz)
        };
        let message = format!(
            "`{hears}` hears {} of a loop in which `{plays}` plays {}",
            of(self),
            of(other)
        );
        let mut wanted = Vec::new();
        if *rate_hz != other.rate_hz {
            wanted.push(format!("`rate_hz = {:?}`", other.rate_hz));
        }
        if *channels != other.channels {
            wanted.push(format!("`channels = {}`", other.channels));
        }
        let problem = Diagnostic::error(Code::RateMismatch, message).at(&self.place).of_node(hears);
        Some(problem.hint(format!("write {} to `{hears}`", wanted.join(" and "))))
    }
}

impl Loops {
    pub(in crate::audio) fn of_session(&self, session: u32) -> Arc<Loop> {
        let mut loops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = loops.get(&session).and_then(Weak::upgrade) {
            return found;
        }
        loops.retain(|_, found| found.strong_count() > 0);
        let made = Arc::new(Loop::new());
        loops.insert(session, Arc::downgrade(&made));
        made
    }
}

impl Loop {
    fn new() -> Self {
        let (played, to_hear) = HeapRb::new(ROOM).split();
        Self(Mutex::new(Inside { played, to_hear, format: None }))
    }

    /// Says what will be played; what was played before is forgotten.
    pub(in crate::audio) fn begin(&self, rate_hz: f64, channels: usize) {
        let mut inside = self.inside();
        inside.to_hear.clear();
        inside.format = Some((rate_hz, channels));
    }

    /// What is played, if anybody plays.
    pub(in crate::audio) fn format(&self) -> Option<(f64, usize)> {
        self.inside().format
    }

    /// Plays; gives how many samples found room, all channels of a sample or none.
    pub(in crate::audio) fn play(&self, interleaved: &[f32]) -> usize {
        let mut inside = self.inside();
        let channels = inside.format.map_or(1, |(_, channels)| channels);
        let room = inside.played.vacant_len() / channels * channels;
        inside.played.push_slice(&interleaved[..room.min(interleaved.len())])
    }

    /// Hears what was played, then silence; gives how many samples were played.
    pub(in crate::audio) fn hear(&self, interleaved: &mut [f32]) -> usize {
        let heard = self.inside().to_hear.pop_slice(interleaved);
        interleaved[heard..].fill(0.0);
        heard
    }

    /// Forgets what was played and not heard yet; gives how many samples.
    pub(in crate::audio) fn forget(&self) -> usize {
        self.inside().to_hear.clear()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_over_leaves_no_loop() {
        let loops = Loops::default();
        let (plays, hears) = (loops.of_session(1), loops.of_session(1));
        assert!(Arc::ptr_eq(&plays, &hears));
        drop(plays);
        assert!(Arc::ptr_eq(&hears, &loops.of_session(1)), "one of the two is enough");
        drop(hears);
        for session in 2..100 {
            drop(loops.of_session(session));
        }
        assert!(loops.0.lock().unwrap().len() <= 1);
    }
}
