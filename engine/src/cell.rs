//! A cell: a stage, its lock, and the small ring by which control reaches it.
//!
//! The core's loop locks a cell for one turn; a stage's actor only pushes
//! [`Command`]s, which are read between turns. So control answers even while a
//! body spins, and a body is never touched by two threads.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    core::CoreShared,
    fault::Fault,
    frame::Gap,
    param::Params,
    plan::Plan,
    ring::Wake,
    stage::{Abandoned, Exchanged, Mark, NewEnd, Poison, SlotBody, Stage, Turn, Wiring},
    tap::TapEnd,
    time::Timestamp,
};

/// Called once with the outcome of a command. Runs on the data core between turns: it may
/// send to a channel, no more.
pub(crate) type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// What control asks of a stage, done between turns.
pub(crate) enum Command {
    /// Change live parameters of a node.
    Set { node: usize, params: Arc<Params>, reply: Reply<Result<(), Fault>> },
    /// Stop generating, or go on.
    Pause(bool),
    /// End generating sources; what is inside is finished.
    Drain,
    /// Tell the state of every body: node and bytes.
    Save(Reply<Vec<(usize, Vec<u8>)>>),
    /// Give a body a saved state.
    Load { node: usize, state: Vec<u8>, reply: Reply<Result<(), Fault>> },
    /// Put a body in the place of the one that failed, with its last saved state if it takes it.
    Put { slot: usize, body: SlotBody },
    /// Take a new ring in the place of one whose other end was given up.
    Rewire { edge: usize, end: NewEnd },
    /// Let the node that failed repeat what it said last.
    HoldLast { slot: usize },
    /// Let the node that failed pass on what it gets.
    Bypass { slot: usize },
    /// Show somebody what passes at an output.
    Tap { node: usize, port: usize, end: Box<TapEnd> },
    /// Let the node that failed take what comes and say no more: its session ends.
    Close { slot: usize },
}

/// Commands that may wait; a stage is asked a few things a second at most.
pub(crate) const COMMANDS: usize = 64;
/// State is saved at most this often.
const SAVE_EVERY_NS: i64 = 1_000_000_000;

/// What happened in a cell that somebody outside must act on.
#[derive(Debug)]
pub(crate) enum Event {
    /// The body in this slot failed and the stage waits for another.
    Trouble { slot: usize, fault: Fault },
    /// Every stream has ended; what bodies have to say about it, by node.
    Done { remarks: Vec<(usize, String)> },
}

struct Inner {
    stage: Stage,
    commands: rtrb::Consumer<Command>,
    paused_at: Timestamp,
    saved_at: Timestamp,
    /// What was set, by slot, while the body was being built anew: it is told when it is there.
    tunings: BTreeMap<usize, Arc<Params>>,
    done: bool,
}

/// What a cell that has left its core was made of.
pub(crate) struct Emptied {
    _inner: Option<Inner>,
    _saves: Vec<Vec<u8>>,
}

/// One stage of one session, where a core's loop finds it.
pub(crate) struct Cell {
    /// Nothing once it has left its core.
    inner: Mutex<Option<Inner>>,
    /// Another one once it has been loaded anew.
    plan: Mutex<Arc<Plan>>,
    pub(crate) session: u32,
    pub(crate) stage: usize,
    pub(crate) door: Arc<Door>,
    pub(crate) mark: Arc<Mark>,
    pub(crate) poison: Arc<Poison>,
    /// State of every body as of the last save; beside the stage, so that a successor finds it
    /// while a wedged thread still holds the stage.
    saves: Mutex<Vec<Vec<u8>>>,
    /// The last flush before they were saved.
    saved_at: AtomicU32,
}

/// Where the cell stands, so that rings and commands can call its core.
pub(crate) struct Door {
    pub(crate) core: Arc<CoreShared>,
    pub(crate) number: usize,
}

impl Wake for Door {
    fn wake(&self) {
        if self.core.ready.add(self.number) {
            self.core.parker.wake();
        }
    }
}

impl Cell {
    pub(crate) fn new(
        stage: Stage,
        commands: rtrb::Consumer<Command>,
        plan: Arc<Plan>,
        session: u32,
        number: usize,
        door: Arc<Door>,
    ) -> Self {
        let (mark, poison) = (stage.mark.clone(), stage.poison.clone());
        let saves = Mutex::new(vec![Vec::new(); stage.slots.len()]);
        let inner = Inner {
            stage,
            commands,
            paused_at: Timestamp::ZERO,
            saved_at: Timestamp::ZERO,
            tunings: BTreeMap::new(),
            done: false,
        };
        let (inner, plan) = (Mutex::new(Some(inner)), Mutex::new(plan));
        let saved_at = AtomicU32::new(0);
        Self { inner, plan, session, stage: number, door, mark, poison, saves, saved_at }
    }

    /// The plan it runs.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs another plan from now on, of the same nodes, edges and stages.
    pub(crate) fn adopt(&self, plan: &Arc<Plan>) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan.clone();
    }

    /// Keeps the cell between two turns until what comes back is dropped; nothing while a turn is
    /// going on, or once the cell has left its core or was given up.
    pub(crate) fn hold(&self) -> Option<Held<'_>> {
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if self.is_abandoned() || inner.is_none() {
            return None;
        }
        // What was asked before is of what was there before.
        if let Some(inner) = &mut *inner {
            inner.obey_all(self);
        }
        Some(Held { cell: self, inner })
    }

    /// One turn. `tell` hears what somebody must act on.
    pub(crate) fn turn(&self, now: Timestamp, mut tell: impl FnMut(Event)) -> Turn {
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            // Panics are caught inside, so a poisoned lock still guards a whole stage.
            Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
            // The thread that ran this core before is inside. A cell that was given up is nobody's
            // any more; from another it will come out, and what it learns there is lost.
            Err(TryLockError::WouldBlock) => {
                return if self.is_abandoned() { Turn::Idle } else { Turn::More };
            }
        };
        let Some(inner) = &mut *inner else { return Turn::Idle };
        // What a body does when it is tuned, loaded or saved may panic like any other of its calls.
        let mut turn = catch_unwind(AssertUnwindSafe(|| {
            while let Ok(command) = inner.commands.pop() {
                inner.obey(command, self);
            }
            if inner.stage.is_following() {
                inner.stage.woken_at(self.door.core.woke());
            }
            inner.stage.turn(now)
        }))
        .unwrap_or_else(|payload| inner.died(payload.as_ref(), now));
        match turn {
            Turn::Trouble => {
                if let Some(trouble) = inner.stage.trouble_mut()
                    && !trouble.told
                {
                    trouble.told = true;
                    let fault = std::mem::replace(&mut trouble.fault, Fault::new("told"));
                    tell(Event::Trouble { slot: trouble.slot, fault });
                }
            }
            Turn::Done if !std::mem::replace(&mut inner.done, true) => {
                let remarks = catch_unwind(AssertUnwindSafe(|| inner.stage.remarks()));
                // A body that cannot say what was missing does not undo what it delivered.
                tell(Event::Done { remarks: remarks.unwrap_or_default() });
            }
            _ => {
                if now.since(inner.saved_at) >= SAVE_EVERY_NS && !self.is_abandoned() {
                    inner.saved_at = now;
                    self.saved_at.store(inner.stage.last_flush(), Ordering::Relaxed);
                    let saved =
                        catch_unwind(AssertUnwindSafe(|| inner.stage.save(&mut self.saves())));
                    if let Err(payload) = saved {
                        turn = inner.died(payload.as_ref(), now);
                        inner.stage.forget(&mut self.saves());
                        // Told in the turn that follows at once.
                        self.door.wake();
                    }
                }
            }
        }
        turn
    }

    /// Looks at the stage from outside while no turn is running.
    pub(crate) fn with_stage<T>(&self, look: impl FnOnce(&mut Stage) -> T) -> T {
        self.within(|inner| look(&mut inner.stage))
    }

    /// Changes live parameters of a node while no turn is running.
    pub(crate) fn set(&self, node: usize, params: &Arc<Params>) -> Result<(), Fault> {
        let plan = self.plan();
        self.within(|inner| inner.set(&plan, self.session, node, params))
    }

    fn within<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        work(inner.as_mut().expect("the cell has not left its core"))
    }

    /// Takes everything out of a cell that has left its core, unless a turn is going on: a thread
    /// that never comes back may hold on to the cell for ever, but to nothing of weight.
    pub(crate) fn empty(&self) -> Option<Emptied> {
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let mut inner = inner.take();
        if let Some(inner) = &mut inner {
            inner.part(self.is_abandoned());
        }
        Some(Emptied { _inner: inner, _saves: std::mem::take(&mut *self.saves()) })
    }

    /// The states saved last, one per slot; empty where a body has none.
    pub(crate) fn saves(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.saves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last flush before states were saved: what is older than another may be made of what is void.
    pub(crate) fn saved_at(&self) -> u32 {
        self.saved_at.load(Ordering::Relaxed)
    }

    /// Gives the cell up: a wedged thread may be inside.
    pub(crate) fn abandon(&self) {
        self.mark.abandoned.store(true, Ordering::Release);
    }

    /// Whether the cell was given up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.mark.abandoned.load(Ordering::Acquire)
    }
}

/// A cell between two turns, while none can begin.
pub(crate) struct Held<'a> {
    cell: &'a Cell,
    inner: std::sync::MutexGuard<'a, Option<Inner>>,
}

impl Held<'_> {
    pub(crate) fn stage(&mut self) -> &mut Stage {
        &mut self.inner.as_mut().expect("looked at when it was taken hold of").stage
    }

    /// Tells a body of its parameters.
    pub(crate) fn tune(
        &mut self,
        plan: &Plan,
        node: usize,
        params: &Arc<Params>,
    ) -> Result<(), Fault> {
        let (cell, inner) = (self.cell, self.inner.as_mut().expect("as above"));
        let told = AssertUnwindSafe(|| inner.set(plan, cell.session, node, params));
        catch_unwind(told).unwrap_or_else(|payload| {
            let now = inner.stage.clock.now();
            let fault = Fault::panic(payload.as_ref());
            inner.died(payload.as_ref(), now);
            Err(fault)
        })
    }

    /// Puts another body in the place of one; see [`Stage::exchange`].
    pub(crate) fn exchange(
        &mut self,
        wiring: Wiring<'_>,
        slot: usize,
        body: SlotBody,
        alike: bool,
    ) -> Exchanged {
        let exchanged = self.stage().exchange(wiring, slot, body, alike);
        self.forget(slot, exchanged.state.clone());
        exchanged
    }

    /// Puts a body back; see [`Stage::put_back`].
    pub(crate) fn put_back(&mut self, wiring: Wiring<'_>, slot: usize, before: Exchanged) {
        self.stage().put_back(wiring, slot, before);
        self.forget(slot, None);
    }

    /// What was kept for the successor of a body is another one's.
    fn forget(&mut self, slot: usize, state: Option<Vec<u8>>) {
        self.cell.saves()[slot] = state.unwrap_or_default();
        self.inner.as_mut().expect("as above").tunings.remove(&slot);
    }
}

impl Drop for Held<'_> {
    /// Whatever has changed, there may be something to do.
    fn drop(&mut self) {
        self.cell.door.wake();
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let abandoned = self.is_abandoned();
        if let Some(inner) = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner) {
            inner.part(abandoned);
        }
    }
}

impl Inner {
    /// Leaves the neighbours. They may have a turn yet, on other rings or on these: what has not
    /// told its end by now is cut short, and must not read as an end.
    fn part(&mut self, abandoned: bool) {
        self.stage.outlets.iter_mut().for_each(|outlet| outlet.ring.abandon());
        if abandoned {
            self.stage.inlets.iter().for_each(|inlet| inlet.ring.leave(Gap::Wedged));
        }
    }

    /// Does what was asked, as at the beginning of a turn.
    fn obey_all(&mut self, cell: &Cell) {
        let obeyed = catch_unwind(AssertUnwindSafe(|| {
            while let Ok(command) = self.commands.pop() {
                self.obey(command, cell);
            }
        }));
        if let Err(payload) = obeyed {
            let now = self.stage.clock.now();
            self.died(payload.as_ref(), now);
        }
    }

    /// What a panic in a body means for the turn.
    fn died(&mut self, payload: &(dyn Any + Send), now: Timestamp) -> Turn {
        if payload.is::<Abandoned>() {
            return Turn::Idle;
        }
        self.stage.failed(Fault::panic(payload));
        self.stage.close_turn(Turn::Trouble, now);
        Turn::Trouble
    }

    fn obey(&mut self, command: Command, cell: &Cell) {
        match command {
            Command::Set { node, params, reply } => {
                reply(self.set(&cell.plan(), cell.session, node, &params));
            }
            Command::Pause(paused) => {
                let clock = self.stage.clock.clone();
                self.stage.pause(paused, &clock, &mut self.paused_at);
            }
            Command::Drain => self.stage.drain(),
            Command::Save(reply) => {
                cell.saved_at.store(self.stage.last_flush(), Ordering::Relaxed);
                let mut saves = cell.saves();
                self.stage.save(&mut saves);
                let slots = self.stage.slots.iter().zip(saves.iter());
                let saved = slots.filter(|(_, state)| !state.is_empty());
                reply(saved.map(|(slot, state)| (slot.node, state.clone())).collect());
            }
            Command::Load { node, state, reply } => {
                let slot = self.stage.slot_of(node);
                let done = slot.map(|slot| self.stage.load(slot, &state));
                reply(done.unwrap_or_else(|| Err(Fault::new("the node is not in this stage"))));
            }
            // What takes the place of a body that is there again by other means is not wanted.
            Command::Put { slot, .. }
            | Command::HoldLast { slot }
            | Command::Bypass { slot }
            | Command::Close { slot }
                if !self.stage.is_in_trouble(slot) => {}
            Command::Put { slot, mut body } => {
                std::mem::swap(&mut self.stage.slots[slot].body, &mut body);
                let mut saves = cell.saves();
                if !saves[slot].is_empty() && !self.stage.is_state_void(slot, cell.saved_at()) {
                    let state = std::mem::take(&mut saves[slot]);
                    // A state its own kind refuses, or dies on, is no state: the body starts fresh.
                    if self.stage.load(slot, &state).is_ok() {
                        saves[slot] = state;
                    }
                }
                if let Some(params) = self.tunings.remove(&slot) {
                    let plan = cell.plan();
                    let node = plan.view(self.stage.slots[slot].node, &params, cell.session);
                    // One that refuses what its kind allows stays as it was built.
                    let _ = self.stage.retune(slot, &node);
                }
                let body = std::mem::replace(&mut self.stage.slots[slot].body, SlotBody::Empty);
                self.stage.put(slot, body);
            }
            Command::Rewire { edge, end } => self.stage.rewire(edge, end),
            Command::HoldLast { slot } => self.stage.hold_last(slot),
            Command::Bypass { slot } => self.stage.put(slot, SlotBody::Bypass),
            Command::Tap { node, port, end } => self.stage.tap(node, port, *end),
            Command::Close { slot } => self.stage.put(slot, SlotBody::Closed),
        }
    }

    fn set(
        &mut self,
        plan: &Plan,
        session: u32,
        node: usize,
        params: &Arc<Params>,
    ) -> Result<(), Fault> {
        let slot = self.stage.slot_of(node).ok_or(Fault::new("the node is not in this stage"))?;
        if matches!(self.stage.slots[slot].body, SlotBody::Empty) {
            self.tunings.insert(slot, params.clone());
            return Ok(());
        }
        self.stage.retune(slot, &plan.view(node, params, session))
    }
}
