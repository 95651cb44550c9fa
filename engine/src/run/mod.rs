//! Running a plan: cores with their threads, actors that control, and the handle a program holds.
//!
//! ```text
//! program ── Running ──▶ Supervisor ──▶ stage actors ──command ring──▶ cells on cores
//!                          ▲    ├────▶ source and call actors (I/O runtime)
//!               events ────┘    └────▶ sink actors (a runtime per sink, for it may block)
//! ```

mod actors;
mod control;
mod leaving;
mod manual;
mod opened;
mod parts;
mod patience;
mod replace;
mod report;
mod supervisor;
mod threads;
mod watchdog;

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kameo::actor::{ActorRef, Spawn};
use tokio::{
    runtime::{Handle, Runtime},
    sync::mpsc,
};

use crate::{
    core::CoreShared,
    fault::FaultClass,
    frame::Frame,
    graph::{Spanned, Value},
    plan::{Home, Plan},
    session::{Latencies, OpenError, latencies},
    stage::Pace,
    time::{Clock, Timestamp},
};

use control::Question;
pub use manual::ManualRun;
pub use report::{EdgeReport, Entered, NodeReport, Report, SinkReport, StageReport};
pub(crate) use supervisor::{Happened, Supervisor, What};
pub use watchdog::Health;

/// Sinks of a graph that get a thread each; more of them share.
const SINK_RUNTIMES_MAX: usize = 16;
/// Bodies that may be built, or dropped, at the same time.
const BUILDS_MAX: usize = 8;

/// How a plan is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Seconds of content per second of clock; `None` is as fast as it goes.
    pub speed: Option<f64>,
    /// Data cores, each a thread.
    pub cores: usize,
    /// Sessions opened at once.
    pub sessions: u32,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { speed: Some(1.0), cores: 1, sessions: 1 }
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The first fault that ended a session: node, what, who is to blame.
    pub fault: Option<(String, String, FaultClass)>,
}

/// State of the bodies of a session, by node; opaque, made by [`Running::save`].
pub type Snapshot = BTreeMap<String, Vec<u8>>;

/// Why something asked of a running graph was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlError {
    /// No such session is open.
    UnknownSession(u32),
    /// No such node, or it does not run on a data core.
    UnknownNode(String),
    /// The value does not fit, or the parameter cannot change while it runs.
    Refused(String),
    /// The stage does not answer: a body may be wedged.
    NoAnswer,
    /// The run has ended.
    Ended,
    /// A session cannot be opened.
    Open(OpenError),
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownSession(number) => write!(f, "no session {number} is open"),
            Self::UnknownNode(name) => {
                write!(f, "the graph has no node `{name}` that can be asked")
            }
            Self::Refused(why) => f.write_str(why),
            Self::NoAnswer => f.write_str("the stage does not answer; a body of it may be wedged"),
            Self::Ended => f.write_str("the run has ended"),
            Self::Open(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ControlError {}

/// What the run's parts share.
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) cores: Vec<Arc<CoreShared>>,
    pub(crate) latency: Latencies,
    pub(crate) speed: Option<f64>,
    pub(crate) events: mpsc::UnboundedSender<Happened>,
    pub(crate) sessions: Mutex<report::Sessions>,
    pub(crate) leaving: Arc<leaving::Leaving>,
    outcome: Mutex<Option<Outcome>>,
    ended: Condvar,
}

impl Shared {
    fn new(
        plan: &Arc<Plan>,
        clock: Clock,
        cores: Vec<Arc<CoreShared>>,
        speed: Option<f64>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Happened>) {
        let (events, happened) = mpsc::unbounded_channel();
        let shared = Self {
            plan: plan.clone(),
            clock,
            cores,
            latency: latencies(plan),
            speed,
            events,
            sessions: Mutex::new(report::Sessions::new(plan)),
            leaving: Arc::default(),
            outcome: Mutex::new(None),
            ended: Condvar::new(),
        };
        (Arc::new(shared), happened)
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { start: self.clock.now(), speed: self.speed }
    }

    /// A session was opened: the run has not ended after all.
    pub(crate) fn go_on(&self) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn end(&self, outcome: Outcome) {
        let mut ended = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert(outcome);
        self.ended.notify_all();
    }
}

/// A running plan. Dropping it stops everything.
pub struct Running {
    shared: Arc<Shared>,
    supervisor: ActorRef<Supervisor>,
    control: Option<Runtime>,
    io: Vec<Runtime>,
    threads: Arc<threads::Threads>,
    watchdog: Option<watchdog::Watchdog>,
}

impl Plan {
    /// Starts the plan and opens its first sessions.
    ///
    /// # Errors
    /// If a body cannot be built, a file or device not opened; nothing runs then.
    pub fn start(self: &Arc<Self>, options: &RunOptions) -> Result<Running, OpenError> {
        Running::start(self, options)
    }
}

impl Running {
    fn start(plan: &Arc<Plan>, options: &RunOptions) -> Result<Self, OpenError> {
        let cores: Vec<_> = (0..options.cores.max(1)).map(|_| CoreShared::new()).collect();
        let (shared, happened) = Shared::new(plan, Clock::system(), cores, options.speed);
        let control = runtime("afferent-control");
        let (io, [waits, sinks]) = io_runtimes(plan);
        let threads = threads::Threads::start(&shared);
        let supervisor = {
            let _inside = control.enter();
            let io = waits.values().next().cloned();
            Supervisor::spawn(supervisor::Args { shared: shared.clone(), happened, io, sinks })
        };
        let this = Self {
            watchdog: Some(watchdog::Watchdog::start(&shared, &threads)),
            shared,
            supervisor,
            control: Some(control),
            io,
            threads,
        };
        for _ in 0..options.sessions {
            match this.open() {
                Ok(_) => {}
                Err(ControlError::Open(error)) => return Err(error),
                Err(error) => panic!("a fresh run refuses a session: {error}"),
            }
        }
        // Only now may the last session that ends end the run.
        let _ = this.shared.events.send(Happened { session: None, what: What::Opened });
        Ok(this)
    }

    /// Opens one more session and gives its number.
    ///
    /// # Errors
    /// If a body cannot be built or the cores are full.
    pub fn open(&self) -> Result<u32, ControlError> {
        self.ask(control::Open)
    }

    /// Closes a session now; what is inside is dropped with it and counted as `closed`.
    ///
    /// # Errors
    /// If there is no such session.
    pub fn close(&self, session: u32) -> Result<(), ControlError> {
        self.ask(control::Close(session))
    }

    /// Changes a live parameter of a node while it runs, between two frames.
    ///
    /// # Errors
    /// If the value does not fit, or the parameter cannot change while it runs.
    pub fn set(
        &self,
        session: u32,
        node: &str,
        param: &str,
        value: impl Into<Value>,
    ) -> Result<(), ControlError> {
        let (node, param) = (node.to_owned(), param.to_owned());
        self.ask(control::Set { session, node, param, value: Spanned::new(value.into(), None) })
    }

    /// Stops the sources of a session until [`Running::resume`]. Generated content waits; what
    /// a live source brings meanwhile is dropped as `paused`.
    ///
    /// # Errors
    /// If there is no such session.
    pub fn pause(&self, session: u32) -> Result<(), ControlError> {
        self.ask(control::Pause { session, paused: true })
    }

    /// Lets the sources of a paused session go on.
    ///
    /// # Errors
    /// If there is no such session.
    pub fn resume(&self, session: u32) -> Result<(), ControlError> {
        self.ask(control::Pause { session, paused: false })
    }

    /// The state of every body of a session that has one.
    ///
    /// # Errors
    /// If there is no such session or a stage does not answer.
    pub fn save(&self, session: u32) -> Result<Snapshot, ControlError> {
        self.ask(control::Save(session))
    }

    /// Gives the bodies of a session states saved from the same plan.
    ///
    /// # Errors
    /// If a body refuses its state; those before it have taken theirs.
    pub fn load(&self, session: u32, snapshot: Snapshot) -> Result<(), ControlError> {
        self.ask(control::Load { session, snapshot })
    }

    /// Ends all sources; what is inside is finished. [`Running::wait`] returns when it is.
    pub fn drain(&self) {
        let _ = self.shared.events.send(Happened { session: None, what: What::DrainAll });
    }

    /// Ends now. What is inside is dropped and counted as `closed`.
    pub fn stop(&self) {
        let _ = self.shared.events.send(Happened { session: None, what: What::HaltAll });
    }

    /// Waits until every session has ended.
    pub fn wait(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.wait_for(Duration::from_secs(3_600)) {
                return outcome;
            }
        }
    }

    /// Waits until every session has ended, but no longer than `limit`.
    pub fn wait_for(&self, limit: Duration) -> Option<Outcome> {
        let outcome = self.shared.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, _) = self
            .shared
            .ended
            .wait_timeout_while(outcome, limit, |outcome| outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }

    /// What has been counted so far.
    pub fn report(&self) -> Report {
        report::report(&self.shared)
    }

    /// The last frame a body died on, with the name of its node.
    pub fn last_poison(&self, session: u32) -> Option<(String, Frame)> {
        let sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .last_poison(session)
            .map(|(node, frame)| (self.shared.plan.nodes[node].name.clone(), frame))
    }

    /// How the data cores are: working, slow, wedged or starved.
    pub fn health(&self) -> Vec<Health> {
        self.watchdog.as_ref().map(watchdog::Watchdog::health).unwrap_or_default()
    }

    /// The time on the run's clock, zero at its start.
    pub fn clock_now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn ask<M>(&self, message: M) -> Result<M::Ok, ControlError>
    where
        M: Question,
        Supervisor: kameo::message::Message<M, Reply = control::Answer<M::Ok>>,
    {
        use kameo::error::SendError;
        match self.supervisor.ask(message).blocking_send() {
            Ok(answer) => Ok(answer),
            Err(SendError::HandlerError(error)) => Err(error),
            Err(_) => Err(ControlError::Ended),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.watchdog = None;
        self.threads.stop();
        // The tasks hold files and devices; they end here, not some time later. What hangs in a
        // system call, or in a build, is left behind rather than waited for.
        let until = Instant::now() + Duration::from_millis(200);
        for runtime in self.control.take().into_iter().chain(self.io.drain(..)) {
            runtime.shutdown_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Runtimes for what waits: one for live sources and calls, which wait without blocking, and one
/// for each sink, which may block. So a sink on a full pipe holds up no device, nor another sink.
fn io_runtimes(plan: &Plan) -> (Vec<Runtime>, [BTreeMap<usize, Handle>; 2]) {
    let waits = plan.nodes.iter().enumerate().filter(|(_, node)| node.home == Home::Io);
    let (sinks, others): (Vec<_>, Vec<_>) = waits.partition(|(_, node)| node.kind.is_sink());
    let mut runtimes: Vec<_> = others.first().map(|_| runtime("afferent-io")).into_iter().collect();
    let io = others.iter().map(|(node, _)| (*node, runtimes[0].handle().clone())).collect();
    let first = runtimes.len();
    let here = |(at, (node, _)): (usize, &(usize, _))| {
        let at = first + at % SINK_RUNTIMES_MAX;
        if at == runtimes.len() {
            runtimes.push(runtime("afferent-sink"));
        }
        (*node, runtimes[at].handle().clone())
    };
    let sinks = sinks.iter().enumerate().map(here).collect();
    (runtimes, [io, sinks])
}

/// A runtime of one thread: control and I/O wait far more than they work.
fn runtime(name: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BUILDS_MAX)
        .thread_name(name)
        .thread_stack_size(512 << 10)
        .enable_time()
        .build()
        .expect("the system has a thread to spare")
}

#[cfg(all(test, not(loom)))]
mod tests;
