//! The threads around the cores' loops.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    cell::{Cell, Event},
    core::{Core, CoreShared, CoreTurn, Observer},
    time::{Clock, Timestamp},
};

use super::{
    Happened, Shared, What,
    parts::{Place, go_anywhere},
    patience::Patience,
};

/// The threads that run, one per core; abandoned ones are left to themselves.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    running: Mutex<Vec<Option<JoinHandle<()>>>>,
}

impl Threads {
    pub(crate) fn start(shared: &Arc<Shared>) -> Arc<Self> {
        let this = Self { shared: shared.clone(), running: Mutex::new(Vec::new()) };
        let threads = (0..shared.cores.len()).map(|core| Some(this.spawn(core, 0))).collect();
        *this.running.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Arc::new(this)
    }

    /// Leaves the thread of a core to itself and lets a fresh one adopt its cells.
    pub(crate) fn abandon(&self, core: usize) {
        let generation = self.shared.cores[core].hand_over();
        // Whatever it is at, it need not be on the processor that its cells were served by.
        go_anywhere(Some(self.shared.cores[core].thread_id.load(Ordering::Relaxed)));
        let fresh = self.spawn(core, generation);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        drop(running[core].replace(fresh));
    }

    fn spawn(&self, core: usize, generation: u64) -> JoinHandle<()> {
        let shared = self.shared.cores[core].clone();
        let (plan, clock) = (self.shared.plan(), self.shared.clock.clone());
        let events = self.shared.events.clone();
        let cores = self.shared.cores.len();
        std::thread::Builder::new()
            .name(format!("afferent-core-{core}"))
            .spawn(move || {
                plan.services.carry(&mut || {
                    let place = Place::of(core, cores, generation > 0, clock.now());
                    let events = Arc::new(Events(events.clone()));
                    run(Core::new(shared.clone(), generation, events), &shared, &clock, place);
                });
                // It may have slept on the word that the fresh thread sleeps on.
                shared.parker.rouse();
            })
            .expect("the system has a thread to spare")
    }

    /// Processor time the thread of a core has had, where the system tells.
    pub(crate) fn cpu_ns(&self, core: usize) -> Option<u64> {
        let text = std::fs::read_to_string(self.task_file(core, "schedstat")?).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// Time in which the thread of a core had a processor, and in which it would have been at work had not others had
    /// it: where the system tells.
    pub(crate) fn wanted_ns(&self, core: usize) -> Option<[u64; 2]> {
        let text = std::fs::read_to_string(self.task_file(core, "schedstat")?).ok()?;
        let mut fields = text.split_whitespace().map(str::parse::<u64>);
        Some([fields.next()?.ok()?, fields.next()?.ok()?])
    }

    /// Whether the thread of a core wants to run, as far as the system tells.
    pub(crate) fn is_runnable(&self, core: usize) -> bool {
        let stat = self.task_file(core, "stat").and_then(|path| std::fs::read_to_string(path).ok());
        // The state follows the name, which stands in brackets and may hold anything.
        stat.and_then(|stat| stat.rsplit(") ").next().map(|rest| rest.starts_with('R')))
            .unwrap_or(false)
    }

    fn task_file(&self, core: usize, name: &str) -> Option<String> {
        let id = self.shared.cores[core].thread_id.load(Ordering::Relaxed);
        (id != 0).then(|| format!("/proc/self/task/{id}/{name}"))
    }

    /// Stops all loops and waits for the threads that are not abandoned.
    pub(crate) fn stop(&self) {
        for core in &self.shared.cores {
            core.stop();
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in running.iter_mut().filter_map(Option::take) {
            // A body that spins for ever would never be joined; the process may go on without it.
            for _ in 0..200 {
                if thread.is_finished() {
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

fn run(mut core: Core, shared: &CoreShared, clock: &Clock, place: Place) {
    if !shared.adopt(core.generation) {
        return;
    }
    let id = thread_id();
    shared.thread_id.store(id, Ordering::Relaxed);
    super::patience::be_punctual(id);
    let mut patience = Patience::new(shared, clock, place);
    loop {
        let now = clock.now();
        patience.look_around(now);
        let turn = core.turn(now);
        if shared.stopped.load(Ordering::Acquire)
            || core.superseded
            || shared.is_superseded(core.generation)
        {
            return;
        }
        match turn {
            CoreTurn::More => {}
            CoreTurn::Idle => patience.wait(Timestamp::MAX),
            CoreTurn::Until(due) => patience.wait(due),
        }
    }
}

/// The system's number of the calling thread; 0 where it has none to look up.
fn thread_id() -> u64 {
    std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|path| path.file_name()?.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// Sends what happens in cells to the supervisor.
struct Events(tokio::sync::mpsc::UnboundedSender<Happened>);

impl Observer for Events {
    fn happened(&self, cell: &Arc<Cell>, event: Event) {
        let what = match event {
            Event::Trouble { slot, fault } => What::Trouble { stage: cell.stage, slot, fault },
            Event::Done { remarks } => What::StageDone { remarks },
        };
        // The supervisor is gone only when the run is over.
        let _ = self.0.send(Happened { session: Some(cell.session), what });
    }
}
