//! Cells that were taken off their cores and may still be at work there.
//!
//! A core lets a cell go at its next look, which never comes while a body of it spins: the watchdog
//! must find such a cell although no table holds it any more. As soon as no turn of it is going on,
//! it is emptied, whoever holds on to it, and its bodies are dropped where they hold up nobody, not
//! on a core under the lock of its table.

use std::{
    sync::{Arc, Mutex, PoisonError},
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

    /// Empties what can be emptied, here and now: nobody sweeps any more.
    pub(crate) fn empty(&self) {
        self.take().into_iter().flatten().for_each(drop_quietly);
    }
}

/// Empties cells as their turns end, until none is left.
pub(crate) async fn sweep(leaving: Arc<Leaving>) {
    let mut look_ms = *LOOK_MS.start();
    while let Some(gone) = leaving.take() {
        look_ms =
            if gone.is_empty() { (2 * look_ms).min(*LOOK_MS.end()) } else { *LOOK_MS.start() };
        if !gone.is_empty() {
            // A body that panics while it is dropped takes no other with it.
            let dropped = move || gone.into_iter().for_each(drop_quietly);
            let _ = tokio::task::spawn_blocking(dropped).await;
        }
        tokio::time::sleep(Duration::from_millis(look_ms)).await;
    }
}

fn drop_quietly(emptied: Emptied) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(emptied)));
}
