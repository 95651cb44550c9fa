//! A loop instead of a sound card: what a speaker plays, a microphone of the same session hears.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

/// Samples that were played and not heard yet, all channels together.
const ROOM: usize = 1 << 20;

/// The loops of a graph, one for each session.
#[derive(Default)]
pub(in crate::audio) struct Loops(Mutex<BTreeMap<u32, Arc<Loop>>>);

/// The loop of a session.
pub(in crate::audio) struct Loop(Mutex<Inside>);

struct Inside {
    played: HeapProd<f32>,
    to_hear: HeapCons<f32>,
    /// Samples per second and channels of what is played, once somebody plays.
    format: Option<(f64, usize)>,
}

impl Loops {
    pub(in crate::audio) fn of_session(&self, session: u32) -> Arc<Loop> {
        let mut loops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loops.entry(session).or_insert_with(|| Arc::new(Loop::new())).clone()
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
