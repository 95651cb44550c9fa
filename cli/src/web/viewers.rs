//! [`Viewers`]: who looks, what each wants to see, and what waits for him.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use serde_json::json;
use tokio::sync::Notify;

use super::message::{Want, event};

/// Who may look at once; more are mistakes.
pub(super) const VIEWERS_MAX: usize = 16;
/// Ticks that wait for one who is slow: two seconds.
const TICKS_MAX: usize = 20;
/// Bytes of them.
const BYTES_MAX: usize = 4 << 20;
/// Other words that wait; they are rare.
const WORDS_MAX: usize = 64;
/// One who has taken nothing for so long is gone, though his connection stands.
const GONE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Default)]
pub(super) struct Viewers {
    inside: Mutex<Inside>,
    /// Somebody came or went, or the run is over.
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    next: u64,
    here: BTreeMap<u64, Viewer>,
    is_over: bool,
}

struct Viewer {
    said: VecDeque<Said>,
    /// Ticks he has lost since the last one he got.
    lost: u64,
    wants: Vec<Want>,
    is_greeted: bool,
    /// Nothing more will be said.
    is_last: bool,
    took: Instant,
    wake: Arc<Notify>,
    /// Hangs up on him.
    hang_up: Arc<Notify>,
}

/// What waits for a viewer.
enum Said {
    /// Lost where there is no room.
    Tick(Bytes),
    Word(Bytes),
}

/// A viewer's place among those there may be; dropping it gives it back.
pub(super) struct Place {
    viewers: Arc<super::Inside>,
    number: u64,
    wake: Arc<Notify>,
}

impl Viewers {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run is over.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Whether nobody looks.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().here.is_empty()
    }

    /// Waits until somebody looks. Says no once the run is over.
    pub(super) fn wait_for_somebody(&self) -> bool {
        let nobody = |inside: &mut Inside| inside.here.is_empty() && !inside.is_over;
        let inside = self.changed.wait_while(self.lock(), nobody);
        !inside.unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// Waits so long, or until somebody comes who is not greeted, or the run is over.
    pub(super) fn wait(&self, span: Duration) {
        let nothing = |inside: &mut Inside| {
            !inside.is_over && inside.here.values().all(|viewer| viewer.is_greeted)
        };
        drop(self.changed.wait_timeout_while(self.lock(), span, nothing));
    }

    /// The run is over: the lookout has one more look, and says goodbye.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits until everybody has got what was said, but no longer than this.
    pub(super) fn wait_until_gone(&self, limit: Duration) {
        let some = |inside: &mut Inside| !inside.here.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), limit, some));
    }

    /// Ticks that each has lost and not been told of.
    #[cfg(test)]
    pub(super) fn lost(&self) -> Vec<u64> {
        self.lock().here.values().map(|viewer| viewer.lost).collect()
    }

    /// What is wanted by anybody.
    pub(super) fn wants(&self) -> BTreeSet<Want> {
        self.lock().here.values().flat_map(|viewer| viewer.wants.iter().cloned()).collect()
    }

    /// What a viewer wants to see from now on. Says no if there is no such viewer.
    pub(super) fn want(&self, number: u64, wants: Vec<Want>) -> bool {
        let mut inside = self.lock();
        let viewer = inside.here.get_mut(&number);
        viewer.map(|viewer| viewer.wants = wants).is_some()
    }

    /// Says the first word to those who have come. Says whether there were any.
    pub(super) fn greet(&self, greeting: impl Fn(u64) -> Bytes) -> bool {
        let mut any = false;
        for (number, viewer) in &mut self.lock().here {
            if !std::mem::replace(&mut viewer.is_greeted, true) {
                any = true;
                viewer.push(Said::Word(greeting(*number)));
            }
        }
        any
    }

    /// Says a tick to everybody, of what he wants to see; whoever takes nothing is hung up on.
    pub(super) fn tick(&self, now: Instant, of: impl Fn(&[Want]) -> Bytes) {
        for viewer in self.lock().here.values_mut().filter(|viewer| viewer.is_greeted) {
            viewer.push(Said::Tick(of(&viewer.wants)));
            if now.saturating_duration_since(viewer.took) > GONE {
                viewer.hang_up.notify_one();
            }
        }
    }

    /// Says a word to everybody.
    pub(super) fn say(&self, word: &Bytes) {
        for viewer in self.lock().here.values_mut().filter(|viewer| viewer.is_greeted) {
            viewer.push(Said::Word(word.clone()));
        }
    }

    /// Says the last word to everybody.
    pub(super) fn part(&self, word: Option<&Bytes>) {
        for viewer in self.lock().here.values_mut() {
            if let Some(word) = word {
                viewer.push(Said::Word(word.clone()));
            }
            viewer.is_last = true;
            viewer.wake.notify_one();
        }
    }
}

impl Viewer {
    fn push(&mut self, said: Said) {
        let is_tick = matches!(said, Said::Tick(_));
        let words = self.said.iter().filter(|said| matches!(said, Said::Word(_))).count();
        if !is_tick && words >= WORDS_MAX {
            return;
        }
        self.said.push_back(said);
        while self.is_full() {
            let oldest = self.said.iter().position(|said| matches!(said, Said::Tick(_)));
            let Some(oldest) = oldest else { break };
            self.said.remove(oldest);
            self.lost += 1;
        }
        self.wake.notify_one();
    }

    fn is_full(&self) -> bool {
        let ticks = self.said.iter().filter_map(|said| match said {
            Said::Tick(tick) => Some(tick.len()),
            Said::Word(_) => None,
        });
        let (count, bytes) = ticks.fold((0, 0), |(n, sum), bytes| (n + 1, sum + bytes));
        // One that is longer all by itself waits alone.
        count > TICKS_MAX || (count > 1 && bytes > BYTES_MAX)
    }
}

impl Place {
    /// Takes one of the places there are; none where all are taken, or the run is over.
    pub(super) fn take(viewers: &Arc<super::Inside>, hang_up: Arc<Notify>) -> Option<Self> {
        let mut inside = viewers.viewers.lock();
        if inside.here.len() >= VIEWERS_MAX || inside.is_over {
            return None;
        }
        inside.next += 1;
        let (number, wake) = (inside.next, Arc::new(Notify::new()));
        let viewer = Viewer {
            said: VecDeque::new(),
            lost: 0,
            wants: Vec::new(),
            is_greeted: false,
            is_last: false,
            took: Instant::now(),
            wake: wake.clone(),
            hang_up,
        };
        inside.here.insert(number, viewer);
        drop(inside);
        viewers.viewers.changed.notify_all();
        Some(Self { viewers: viewers.clone(), number, wake })
    }

    /// What is said next; none after the last word. Safe to be given up at any time.
    pub(super) async fn next(&self) -> Option<Bytes> {
        loop {
            if let Some(said) = self.try_next() {
                return said;
            }
            self.wake.notified().await;
        }
    }

    fn try_next(&self) -> Option<Option<Bytes>> {
        let mut inside = self.viewers.viewers.lock();
        let Some(viewer) = inside.here.get_mut(&self.number) else { return Some(None) };
        viewer.took = Instant::now();
        match viewer.said.pop_front() {
            Some(Said::Word(word)) => Some(Some(word)),
            Some(Said::Tick(tick)) if viewer.lost > 0 => {
                // Told before what comes after them.
                viewer.said.push_front(Said::Tick(tick));
                let lost = std::mem::take(&mut viewer.lost);
                Some(Some(event("lost", &json!({ "ticks": lost }))))
            }
            Some(Said::Tick(tick)) => Some(Some(tick)),
            None if viewer.is_last => Some(None),
            None => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.viewers.viewers.lock().here.remove(&self.number);
        self.viewers.viewers.changed.notify_all();
    }
}
