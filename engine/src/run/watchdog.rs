//! The watchdog: a thread of its own that tells slow from wedged from starved.
//!
//! A core counts its cell turns. A count that stands still while a cell is at
//! work means that its body has not returned: *slow* at first, *wedged* after
//! the node's `wedge_ms`. Where the system tells how much processor time the
//! thread got meanwhile, a thread that got too little although it wanted more is *starved*: the
//! machine is to blame, not the body, and nothing is abandoned until the body has had `wedge_ms` of
//! processor time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{core::NO_CELL, stage::NOBODY, time::Timestamp};

use super::{Happened, Shared, What, threads::Threads};

/// How often it looks.
const LOOK_MS: u64 = 100;
/// Abandoned threads a process bears; with one more it exits 70 for its service manager.
const ABANDONED_MAX: usize = 4;
/// The exit code of a process that cannot go on through no fault of its surroundings.
const EXIT_INTERNAL: i32 = 70;

/// Hears why a process cannot go on, before it ends.
type Hears = Box<dyn Fn(&str) + Send + Sync>;

static HEARS: Mutex<Option<Hears>> = Mutex::new(None);

/// Tells why, where this process cannot go on: more bodies hang than it bears. It ends with 70 when that returns, so that a
/// terminal can be given back and somebody told; on the watchdog's thread, and it must not wait.
pub fn on_giving_up(hears: impl Fn(&str) + Send + Sync + 'static) {
    *HEARS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hears));
}

fn give_up(node: &str) -> ! {
    let count = ABANDONED_MAX + 1;
    let why = format!(
        "{count} threads hang in bodies that do not return, the last one in `{node}`: this process cannot go on"
    );
    if let Some(hears) = &*HEARS.lock().unwrap_or_else(PoisonError::into_inner) {
        hears(&why);
    }
    std::process::exit(EXIT_INTERNAL)
}

/// How one data core is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Health {
    /// Working or waiting.
    #[default]
    Well,
    /// A turn has been going on for a while: node and milliseconds.
    Slow {
        /// The node at work.
        node: String,
        /// For how long.
        ms: u64,
    },
    /// A body did not return; its thread was left to itself.
    Wedged {
        /// The node that was at work.
        node: String,
    },
    /// The thread wants to run but gets no processor.
    Starved,
}

/// The watching thread.
pub(crate) struct Watchdog {
    health: Arc<Mutex<Vec<Health>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the system tells about the threads of cores.
pub(crate) trait Processor {
    /// Processor time the thread of a core has had.
    fn cpu_ns(&self, core: usize) -> Option<u64>;
    /// Whether it wants to run.
    fn is_runnable(&self, core: usize) -> bool;
}

impl Processor for Threads {
    fn cpu_ns(&self, core: usize) -> Option<u64> {
        self.cpu_ns(core)
    }

    fn is_runnable(&self, core: usize) -> bool {
        self.is_runnable(core)
    }
}

/// What is known of one core between looks.
pub(super) struct Watch {
    /// Cell turns and, within one, input frames.
    beat: (u64, u32),
    since: Timestamp,
    cpu_ns: Option<u64>,
}

impl Watchdog {
    pub(crate) fn start(shared: &Arc<Shared>, threads: &Arc<Threads>) -> Self {
        let health = Arc::new(Mutex::new(vec![Health::Well; shared.cores.len()]));
        let (stop, stopped) = channel();
        let (shared, threads, told) = (shared.clone(), threads.clone(), health.clone());
        let thread = std::thread::Builder::new()
            .name("afferent-watchdog".to_owned())
            .stack_size(128 << 10)
            .spawn(move || {
                let mut watches: Vec<Option<Watch>> = shared.cores.iter().map(|_| None).collect();
                let mut abandoned = 0;
                while stopped.recv_timeout(Duration::from_millis(LOOK_MS))
                    == Err(RecvTimeoutError::Timeout)
                {
                    for (core, watch) in watches.iter_mut().enumerate() {
                        let health = look(&shared, core, watch, &*threads);
                        if let Health::Wedged { node } = &health {
                            threads.abandon(core);
                            abandoned += 1;
                            *watch = None;
                            if abandoned > ABANDONED_MAX {
                                give_up(node);
                            }
                        }
                        told.lock().unwrap_or_else(PoisonError::into_inner)[core] = health;
                    }
                }
            })
            .expect("the system has a thread to spare");
        Self { health, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn health(&self) -> Vec<Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn look(
    shared: &Shared,
    core: usize,
    watch: &mut Option<Watch>,
    processor: &impl Processor,
) -> Health {
    let here = &shared.cores[core];
    let at_cell = here.at_cell.load(Ordering::Relaxed);
    // A cell whose session was closed is in no table any more, and may be at work all the same.
    let cell = here.cell(at_cell).or_else(|| shared.leaving.at(here, at_cell));
    let steps = cell.as_ref().map_or(0, |cell| cell.mark.steps.load(Ordering::Relaxed));
    let beat = (here.beat.load(Ordering::Relaxed), steps);
    let now = shared.clock.now();
    let standing = watch.as_ref().filter(|watch| watch.beat == beat && at_cell != NO_CELL);
    let Some((standing, cell)) = standing.zip(cell) else {
        *watch = Some(Watch { beat, since: now, cpu_ns: processor.cpu_ns(core) });
        return Health::Well;
    };
    let stood_ns = now.since(standing.since);
    let mark = cell.mark.slot.load(Ordering::Relaxed);
    let slot = (mark != NOBODY).then_some(mark as usize);
    let plan = cell.plan();
    let node = slot.and_then(|slot| plan.stages[cell.stage].nodes.get(slot).copied());
    let name = node.map_or_else(String::new, |node| plan.nodes[node].name.clone());
    let limit_ns = node.map_or(1_000_000_000, |node| plan.nodes[node].wedge_ns);
    let cpu_ns = processor.cpu_ns(core).zip(standing.cpu_ns).map(|(now, then)| (now - then) as i64);
    // Blocked in a system call also uses no processor; only a thread that is ready to run starves.
    // One that got less than half of what it wanted is no witness against its body, unless even
    // that was as much as the body may have.
    let starves = cpu_ns.is_some_and(|cpu_ns| cpu_ns < (stood_ns / 2).min(limit_ns));
    if starves && processor.is_runnable(core) {
        return Health::Starved;
    }
    // Without a body at work there is none to blame.
    if stood_ns < limit_ns || node.is_none() {
        return Health::Slow { node: name, ms: stood_ns as u64 / 1_000_000 };
    }
    cell.abandon();
    let what = What::Wedged { stage: cell.stage, node };
    let _ = shared.events.send(Happened { session: Some(cell.session), what });
    Health::Wedged { node: name }
}
