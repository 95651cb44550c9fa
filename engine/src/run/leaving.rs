//! Cells that were taken off their cores and may still be at work there.
//!
//! A core lets a cell go at its next look, which never comes while a body of it spins: the watchdog
//! must find such a cell although no table holds it any more. As soon as no turn of it is going on,
//! it is emptied, whoever holds on to it, and its bodies are dropped where they hold up nobody, not
//! on a core under the lock of its table.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use crate::{
    cell::{Cell, Emptied},
    core::CoreShared,
};

/// Pauses between two looks at what has been let go; the longer, the longer nothing was.
const LOOK_MS: std::ops::RangeInclusive<u64> = 10..=1_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Leaving(Mutex<State>);

#[derive(Default)]
struct State {
    cells: Vec<Arc<Cell>>,
    /// Somebody is looking.
    swept: bool,
}

impl Leaving {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps cells until they can be emptied. Says whether somebody must [`sweep`].
    pub(crate) fn add(&self, cells: impl IntoIterator<Item = Arc<Cell>>) -> bool {
        let mut state = self.lock();
        state.cells.extend(cells);
        !std::mem::replace(&mut state.swept, true)
    }

    /// The cell that left this place last.
    pub(crate) fn at(&self, core: &Arc<CoreShared>, number: usize) -> Option<Arc<Cell>> {
        let is_here =
            |cell: &&Arc<Cell>| cell.door.number == number && Arc::ptr_eq(&cell.door.core, core);
        self.lock().cells.iter().rev().find(is_here).cloned()
    }

    /// What was in those that no turn is going on in; `None` if nothing is left to look after.
    fn take(&self) -> Option<Vec<Emptied>> {
        let mut state = self.lock();
        state.swept = !state.cells.is_empty();
        let mut gone = Vec::new();
        state.cells.retain(|cell| match cell.empty() {
            Some(emptied) => {
                gone.push(emptied);
                false
            }
            None => true,
        });
        state.swept.then_some(gone)
    }

    /// Empties what can be emptied now: nobody sweeps any more. A body that hangs while it is
    /// dropped is waited for no longer than `limit`, and left behind.
    pub(crate) fn empty(&self, limit: Duration) {
        let gone = self.take().unwrap_or_default();
        if gone.is_empty() {
            return;
        }
        let (over, emptied) = mpsc::channel::<()>();
        let empty = move || {
            gone.into_iter().for_each(drop_quietly);
            drop(over);
        };
        // Where the system has no thread to spare they were dropped here.
        if std::thread::Builder::new().name("afferent-leaving".to_owned()).spawn(empty).is_ok() {
            let _ = emptied.recv_timeout(limit);
        }
    }
}

/// Empties cells as their turns end, until none is left.
pub(crate) async fn sweep(leaving: Arc<Leaving>) {
    let mut look_ms = *LOOK_MS.start();
    while let Some(gone) = leaving.take() {
        look_ms =
            if gone.is_empty() { (2 * look_ms).min(*LOOK_MS.end()) } else { *LOOK_MS.start() };
        for emptied in gone {
            // Each by itself: a body that hangs while it is dropped holds up no other cell.
            drop(tokio::task::spawn_blocking(move || drop_quietly(emptied)));
        }
        tokio::time::sleep(Duration::from_millis(look_ms)).await;
    }
}

/// A body that panics while it is dropped takes no other with it.
fn drop_quietly(emptied: Emptied) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(emptied)));
}
