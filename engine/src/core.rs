//! A core: one loop over the cells that stand on it.
//!
//! [`Core::turn`] is plain: the time comes in, what to do next comes out, so
//! tests drive it without threads. The thread around it (see `run`) only
//! repeats it, spins briefly when there is nothing to do, and parks.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cell::{Cell, Event},
    ring::{Parker, Ready},
    stage::Turn,
    sync::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    time::Timestamp,
};

/// Cells one core can hold.
pub(crate) const CELLS_MAX: usize = 1 << 16;
/// No cell at work.
pub(crate) const NO_CELL: usize = usize::MAX;

/// Hears what happened in cells. Called on data cores: it may send to a channel, no more.
pub(crate) trait Observer: Send + Sync {
    fn happened(&self, cell: &Arc<Cell>, event: Event);
}

/// What a core shares with the rest of the process.
pub(crate) struct CoreShared {
    pub(crate) ready: Ready,
    pub(crate) parker: Parker,
    /// The cells that stand here, for the loop to copy when it changes; rare, hence a lock.
    table: Mutex<Table>,
    has_inbox: AtomicBool,
    /// Counts the threads that have run this loop; only the newest may go on. Raised under the
    /// table's lock.
    generation: AtomicU64,
    free: Mutex<Numbers>,
    /// Counts cell turns: a core that stands still is waiting or wedged.
    pub(crate) beat: AtomicU64,
    /// The cell whose turn it is.
    pub(crate) at_cell: AtomicUsize,
    pub(crate) stopped: AtomicBool,
    /// The clock at the first turn since there was nothing to do.
    woke: AtomicI64,
    /// The system's number of the thread, 0 where unknown.
    pub(crate) thread_id: AtomicU64,
}

#[derive(Default)]
struct Table {
    cells: Vec<Option<Arc<Cell>>>,
    changed: Vec<usize>,
}

/// Numbers of cells, smallest first: sessions take theirs in runs, sinks first.
#[derive(Default)]
struct Numbers {
    next: usize,
    freed: BinaryHeap<Reverse<usize>>,
}

impl CoreShared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Ready::new(CELLS_MAX),
            parker: Parker::new(),
            table: Mutex::new(Table::default()),
            has_inbox: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            free: Mutex::new(Numbers::default()),
            beat: AtomicU64::new(0),
            at_cell: AtomicUsize::new(NO_CELL),
            stopped: AtomicBool::new(false),
            woke: AtomicI64::new(0),
            thread_id: AtomicU64::new(0),
        })
    }

    /// Since when the core has been at work.
    pub(crate) fn woke(&self) -> Timestamp {
        Timestamp::from_nanos(self.woke.load(Ordering::Relaxed))
    }

    /// A number for a new cell; `None` if the core is full.
    pub(crate) fn number(&self) -> Option<usize> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Reverse(number)) = free.freed.pop() {
            return Some(number);
        }
        (free.next < CELLS_MAX).then(|| {
            free.next += 1;
            free.next - 1
        })
    }

    /// Hands a cell to the core's loop, or takes its number back.
    pub(crate) fn place(&self, number: usize, cell: Option<Arc<Cell>>) {
        {
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            if table.cells.len() <= number {
                table.cells.resize(number + 1, None);
            }
            table.cells[number] = cell;
            table.changed.push(number);
        }
        self.has_inbox.store(true, Ordering::Release);
        self.ready.add(number);
        self.parker.wake();
    }

    /// Whether a turn would find something to do.
    pub(crate) fn has_work(&self) -> bool {
        self.ready.any() || self.has_inbox.load(Ordering::Acquire)
    }

    /// The cell at a number.
    pub(crate) fn cell(&self, number: usize) -> Option<Arc<Cell>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.cells.get(number).cloned().flatten()
    }

    /// Makes a fresh loop take up every cell, and the old one stop at its next look. Says which
    /// generation the fresh one is.
    pub(crate) fn hand_over(&self) -> u64 {
        let generation = {
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            // Pairs with the Acquire in `is_superseded`; under the lock, so that the old loop cannot
            // take what changed after it was superseded.
            let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
            // Numbers that were taken back and not seen yet stay in the list, to be used again.
            let Table { cells, changed } = &mut *table;
            changed.retain(|&number| cells[number].is_none());
            changed.extend((0..cells.len()).filter(|&number| cells[number].is_some()));
            self.has_inbox.store(true, Ordering::Release);
            generation
        };
        self.at_cell.store(NO_CELL, Ordering::Relaxed);
        // Should the old thread sleep by now, it wakes up and goes.
        self.parker.rouse();
        generation
    }

    /// Whether a fresh loop has taken the place of the one of this generation.
    pub(crate) fn is_superseded(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) != generation
    }

    /// Says that the calling thread runs the loop of this generation from now on, unless a fresher
    /// one does.
    pub(crate) fn adopt(&self, generation: u64) -> bool {
        self.parker.adopt(|| !self.is_superseded(generation))
    }

    /// Takes every cell off the core: its loop is over.
    pub(crate) fn clear(&self) -> Vec<Arc<Cell>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.changed.clear();
        table.cells.drain(..).flatten().collect()
    }

    /// Ends the thread around the loop.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ready.add(0);
        self.parker.wake();
    }
}

/// The loop's own state.
pub(crate) struct Core {
    pub(crate) shared: Arc<CoreShared>,
    pub(crate) generation: u64,
    cells: Vec<Option<Arc<Cell>>>,
    /// When each cell wants to be called at the latest.
    due: Vec<Timestamp>,
    timers: BinaryHeap<Reverse<(Timestamp, usize)>>,
    observer: Arc<dyn Observer>,
    again: Vec<usize>,
    /// After the last turn there was nothing to do.
    rested: bool,
    /// A cell was given up under this thread: another one runs the loop now.
    pub(crate) superseded: bool,
}

/// What a core wants after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoreTurn {
    /// More is waiting.
    More,
    /// Nothing until somebody wakes it.
    Idle,
    /// Nothing before this moment.
    Until(Timestamp),
}

impl Core {
    /// The loop of a generation: 0, or what [`CoreShared::hand_over`] said.
    pub(crate) fn new(
        shared: Arc<CoreShared>,
        generation: u64,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            shared,
            generation,
            cells: Vec::new(),
            due: Vec::new(),
            timers: BinaryHeap::with_capacity(64),
            observer,
            again: Vec::with_capacity(64),
            rested: true,
            superseded: false,
        }
    }

    /// Gives every ready cell one turn, sink side first, and says what is next.
    pub(crate) fn turn(&mut self, now: Timestamp) -> CoreTurn {
        if self.shared.has_inbox.load(Ordering::Acquire) {
            self.take_up();
            if self.superseded {
                return CoreTurn::Idle;
            }
        }
        while let Some(&Reverse((due, number))) = self.timers.peek() {
            if due > now {
                break;
            }
            self.timers.pop();
            if self.due[number] == due {
                self.due[number] = Timestamp::MAX;
                self.shared.ready.add(number);
            }
        }
        if std::mem::take(&mut self.rested) {
            self.shared.woke.store(now.nanos(), Ordering::Relaxed);
        }
        let Self { shared, generation, cells, due, timers, observer, again, superseded, .. } = self;
        let drained = shared.ready.drain(|number| {
            // Between any two cells: what is ready from here on is for the fresh loop.
            if shared.is_superseded(*generation) {
                return ControlFlow::Break(());
            }
            let Some(cell) = cells.get(number).and_then(Option::as_ref) else {
                return ControlFlow::Continue(());
            };
            // Given up already: its successor is on the way, another thread is inside.
            if cell.is_abandoned() {
                return ControlFlow::Continue(());
            }
            shared.at_cell.store(number, Ordering::Relaxed);
            shared.beat.store(shared.beat.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            let turn = cell.turn(now, |event| observer.happened(cell, event));
            // What this turn leaves behind is nobody's in a loop that is over: the fresh one gives
            // the cell another, and learns for itself.
            if cell.is_abandoned() || shared.is_superseded(*generation) {
                return ControlFlow::Break(());
            }
            match turn {
                Turn::More => again.push(number),
                Turn::Until(at) if at < due[number] => {
                    due[number] = at;
                    timers.push(Reverse((at, number)));
                }
                Turn::Until(_) | Turn::Idle | Turn::Trouble | Turn::Done => {}
            }
            ControlFlow::Continue(())
        });
        *superseded |= drained.is_break();
        if *superseded {
            again.drain(..).for_each(|number| shared.ready.add_anew(number));
            // The fresh thread may have looked while the numbers were in this one's hands.
            shared.parker.wake();
            return CoreTurn::Idle;
        }
        shared.at_cell.store(NO_CELL, Ordering::Relaxed);
        for number in self.again.drain(..) {
            self.shared.ready.add(number);
        }
        if self.shared.has_work() {
            return CoreTurn::More;
        }
        self.rested = true;
        self.timers.peek().map_or(CoreTurn::Idle, |Reverse((due, _))| CoreTurn::Until(*due))
    }

    fn take_up(&mut self) {
        let mut table = self.shared.table.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.is_superseded(self.generation) {
            self.superseded = true;
            return;
        }
        self.shared.has_inbox.store(false, Ordering::Relaxed);
        self.cells.resize(table.cells.len(), None);
        self.due.resize(table.cells.len(), Timestamp::MAX);
        let mut changed = std::mem::take(&mut table.changed);
        // A cell may come and go between two looks; its number is free once.
        changed.sort_unstable();
        changed.dedup();
        for number in changed {
            self.due[number] = Timestamp::MAX;
            self.cells[number].clone_from(&table.cells[number]);
            // Its bit may have been taken out before the cell was known here.
            self.shared.ready.add_anew(number);
            if self.cells[number].is_none() {
                let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
                free.freed.push(Reverse(number));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
