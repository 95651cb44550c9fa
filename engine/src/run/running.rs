//! A plan that runs, as the program that started it holds it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kameo::{
    actor::{ActorRef, Spawn},
    error::SendError,
    message::Message,
};
use tokio::runtime::Runtime;

use crate::{
    core::CoreShared,
    fault::FaultClass,
    frame::Frame,
    graph::{Spanned, Value},
    journey::Attribution,
    limit::Load,
    plan::Plan,
    session::OpenError,
    steps::SlowCall,
    tap::{Onlooker, Tap, TapLimits, tap},
    time::{Clock, Timestamp},
};

use super::{
    ControlError, Happened, Health, ReloadError, ReloadReport, Report, RolledBack, Shared,
    Supervisor, What,
    control::{self, Question},
    door::{Doors, Opener},
    following::Following,
    glance::Glances,
    report,
    runtimes::{io_runtimes, runtime},
    supervisor::{Args, Reload},
    threads::Threads,
    watchdog::Watchdog,
};

/// How long the end of a run waits for tasks, all of them together.
const TASKS: Duration = Duration::from_millis(200);
/// How long it waits, after them, for bodies that are dropped; as for a core whose body spins.
const DROPS: Duration = Duration::from_millis(1_000);

/// How a plan is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Seconds of content per second of clock; `None` is as fast as it goes.
    pub speed: Option<f64>,
    /// Data cores, each a thread.
    pub cores: usize,
    /// Sessions opened at once. None where sessions come and go at the door of a node. With 0 they
    /// come and go by [`Running::open`] and [`Running::opener`], until the run is drained.
    pub sessions: u32,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { speed: Some(1.0), cores: 1, sessions: 1 }
    }
}

/// What is looked at from the first frame of a run on.
#[derive(Default)]
pub struct Looking {
    /// Is asked about every output before its first frame.
    pub onlooker: Option<Onlooker>,
    /// As [`Running::follow`].
    pub follow: Option<Duration>,
    /// As [`Running::tell_slow`].
    pub tell_slow: Option<Duration>,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The first fault that ended a session: node, what, who is to blame.
    pub fault: Option<(String, String, FaultClass)>,
}

/// State of the bodies of a session, by node; opaque, made by [`Running::save`].
pub type Snapshot = BTreeMap<String, Vec<u8>>;

/// A running plan. Dropping it stops everything.
pub struct Running {
    shared: Arc<Shared>,
    supervisor: ActorRef<Supervisor>,
    control: Option<Runtime>,
    io: Vec<Runtime>,
    threads: Arc<Threads>,
    watchdog: Option<Watchdog>,
    doors: Mutex<Doors>,
    following: Mutex<Option<Following>>,
    glances: Glances,
    /// What was seen lately, as of the glance that it was made of.
    lately: Mutex<Option<(Arc<Report>, Load)>>,
}

impl Plan {
    /// Starts the plan and opens its first sessions.
    ///
    /// # Errors
    /// If a body cannot be built, a file or device not opened; nothing runs then.
    pub fn start(self: &Arc<Self>, options: &RunOptions) -> Result<Running, OpenError> {
        self.start_looking(options, Looking::default())
    }

    /// As [`Plan::start`], and `onlooker` is asked about every output before its first frame.
    ///
    /// # Errors
    /// As [`Plan::start`].
    pub fn start_watched(
        self: &Arc<Self>,
        options: &RunOptions,
        onlooker: Onlooker,
    ) -> Result<Running, OpenError> {
        self.start_looking(options, Looking { onlooker: Some(onlooker), ..Looking::default() })
    }

    /// As [`Plan::start`], and what is asked for is looked at from the first frame on.
    ///
    /// # Errors
    /// As [`Plan::start`].
    pub fn start_looking(
        self: &Arc<Self>,
        options: &RunOptions,
        looking: Looking,
    ) -> Result<Running, OpenError> {
        Running::start(self, options, looking)
    }
}

impl Running {
    fn start(plan: &Arc<Plan>, options: &RunOptions, looking: Looking) -> Result<Self, OpenError> {
        let Looking { onlooker, follow, tell_slow } = looking;
        let cores: Vec<_> = (0..options.cores.max(1)).map(|_| CoreShared::new()).collect();
        let (shared, happened) = Shared::new(plan, Clock::system(), cores, options.speed, onlooker);
        let control = runtime("afferent-control");
        let (io, [waits, sinks]) = io_runtimes(plan);
        let threads = Threads::start(&shared);
        let supervisor = {
            let _inside = control.enter();
            let io = waits.values().next().cloned();
            Supervisor::spawn(Args { shared: shared.clone(), happened, io, sinks })
        };
        let this = Self {
            watchdog: Some(Watchdog::start(&shared, &threads)),
            shared,
            supervisor,
            control: Some(control),
            io,
            threads,
            doors: Mutex::default(),
            following: Mutex::default(),
            glances: Glances::default(),
            lately: Mutex::default(),
        };
        if follow.is_some() {
            this.follow(follow);
        }
        if tell_slow.is_some() {
            this.tell_slow(tell_slow);
        }
        if plan.has_door() {
            let doors = Doors::open(plan, &this.supervisor)?;
            *this.doors.lock().unwrap_or_else(PoisonError::into_inner) = doors;
            let _ = this.shared.events.send(Happened { session: None, what: What::DoorsOpen });
            return Ok(this);
        }
        for _ in 0..options.sessions {
            match this.open() {
                Ok(_) => {}
                Err(ControlError::Open(error)) => return Err(error),
                Err(error) => panic!("a fresh run refuses a session: {error}"),
            }
        }
        // Only now may the last session that ends end the run.
        let what = if options.sessions == 0 { What::DoorsOpen } else { What::Opened };
        let _ = this.shared.events.send(Happened { session: None, what });
        Ok(this)
    }

    /// Opens one more session and gives its number.
    ///
    /// # Errors
    /// If a body cannot be built or the cores are full.
    pub fn open(&self) -> Result<u32, ControlError> {
        self.ask(control::Open::default())
    }

    /// No session will be opened any more: where they come and go, the last to end ends the run.
    pub fn expect_no_more(&self) {
        let _ = self.shared.events.send(Happened { session: None, what: What::NoMore });
    }

    /// Opens, drains and closes sessions for whoever comes, on any runtime.
    pub fn opener(&self) -> Opener {
        Opener(self.supervisor.clone())
    }

    /// The clock it runs on, zero at its start.
    pub fn clock(&self) -> Clock {
        self.shared.clock.clone()
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

    /// Puts another plan of the same graph in the place of the one that runs, in all sessions, between two
    /// frames, and gives what has become of its nodes. Those that are as they were are not touched; where
    /// only live parameters differ, bodies are told; others get a new body, which takes up what the old
    /// one knew if it is of the same kind and agrees. Nothing is lost on any edge. Sinks, and branches of
    /// what computes, may come and go: what is added runs in stages of its own, what is removed gets what
    /// was on its way, ends, and keeps its place and counts in [reports](Running::report). What was
    /// [`set`](Running::set) stays, unless the plan says something else than the one before.
    ///
    /// For a second a new body is on trial: if it fails, all that stood there before is put
    /// back, knowing what it knew then, and [`Running::rolled_back`] says why. Of sinks and sources that wait
    /// the policy decides instead, as ever.
    ///
    /// # Errors
    /// Why nothing has changed: what differs cannot take effect while the graph runs, or a body cannot be
    /// built.
    pub fn reload(&self, plan: &Arc<Plan>) -> Result<ReloadReport, ReloadError> {
        match self.supervisor.ask(Reload(plan.clone())).blocking_send() {
            Ok(report) => Ok(report),
            Err(SendError::HandlerError(error)) => Err(error),
            Err(_) => Err(ReloadError::Ended),
        }
    }

    /// Why the plan that was put in last was taken out again, if it was; told once.
    pub fn rolled_back(&self) -> Option<RolledBack> {
        self.shared.rolled_back()
    }

    /// The plan that runs.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.plan()
    }

    /// Shows what passes at an output of a session, `node` or `node.port`, from now on. The graph waits
    /// for nobody who looks on; see [`Tap`].
    ///
    /// # Errors
    /// If there is no such session or output.
    pub fn tap(&self, session: u32, output: &str, limits: TapLimits) -> Result<Tap, ControlError> {
        let plan = self.shared.plan();
        let place = plan.output_at(output);
        let (node, port) = place.ok_or_else(|| ControlError::UnknownNode(output.to_owned()))?;
        let can_wait = plan.can_wait();
        let patience = if can_wait { limits.patience } else { Duration::ZERO };
        let (end, tap) = tap(TapLimits { patience, ..limits });
        self.ask(control::TapAt { session, node, port, end })?;
        Ok(tap)
    }

    /// Stops the sources of a session until [`Running::resume`]. Generated content waits, and
    /// nothing is missing afterwards. Where a source waits for a device, time goes on: what it and
    /// the paced sources beside it bring meanwhile is dropped as `paused`.
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
        self.close_doors();
        let _ = self.shared.events.send(Happened { session: None, what: What::DrainAll });
    }

    /// Ends now. What is inside is dropped and counted as `closed`.
    pub fn stop(&self) {
        self.close_doors();
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
        self.shared.wait_for(limit)
    }

    /// What has been counted so far.
    pub fn report(&self) -> Report {
        report::report(&self.shared)
    }

    /// As [`Running::report`], for whoever looks again and again: where there is much to add up, what was added up for
    /// another just before, as [`Report::lasted_ns`] says. For each node and each edge of each session that is good
    /// for 50 µs, and for two seconds at most: for a millisecond where one session has ten nodes, for two seconds where
    /// two thousand have. So however many look, they take little of the processors, and of the caches of the data
    /// cores. Histograms of latency go on counting, as in any report.
    pub fn glance(&self) -> Arc<Report> {
        self.glances.newest(&self.shared.plan(), || self.report())
    }

    /// Follows frames from now on, to tell where their time goes: one every so often of all sources of all sessions
    /// together, of which each has its share; in the first moments of a run, as many as there is room for, and
    /// fewer where what one frame causes is so much, or on its way for so long, that there is none for its steps.
    /// With `None` nobody is followed any more; what is known stays until it is begun again.
    ///
    /// Costs a thread that looks 50 times a second, and of each frame that is followed two looks at the clock
    /// and a note at every node: at full speed, with [`Running::FOLLOW_EVERY`], less than a hundredth. While
    /// nobody is followed, nothing. Where the system has no thread to spare nobody is followed, as
    /// [`Running::is_followed`] says.
    pub fn follow(&self, every: Option<Duration>) {
        let every_ns = every.map(|every| i64::try_from(every.as_nanos()).unwrap_or(i64::MAX));
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let is_on = following.as_ref().is_some_and(Following::is_on);
        // Whoever begins to look sees what is counted from now on.
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.glances.forget();
        let report = self.report();
        let is_under_way = report.sessions.0 > 0;
        if every.is_some() && !is_on {
            let Ok(begun) = Following::start(&self.shared, &self.threads, &report) else { return };
            *following = Some(begun);
        }
        let steps = &self.shared.latency().steps;
        steps.follow(every_ns);
        if is_under_way {
            // Whoever comes to look disturbs no more at first than later.
            steps.thin_out();
        }
        if let (None, Some(following)) = (every, &mut *following) {
            following.end(&self.shared, &self.threads, &self.report());
        }
    }

    /// How often it is enough to follow a frame.
    pub const FOLLOW_EVERY: Duration = Duration::from_nanos(crate::steps::EVERY_NS as u64);

    /// Keeps calls of bodies on data cores that take longer than this, from now on, to be asked for by
    /// [`Running::slow_calls`]; with `None` none any more. Every call is timed then: two looks at the clock.
    pub fn tell_slow(&self, limit: Option<Duration>) {
        let limit_ns = limit.map(|limit| i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX));
        self.shared.latency().steps.tell_slow(limit_ns);
    }

    /// Calls that took long and have not been told yet, and turns that did by many: of those of a node in a session
    /// that follow each other within a second the longest, and of all the newest 256.
    pub fn slow_calls(&self) -> Vec<SlowCall> {
        let latency = self.shared.latency();
        std::iter::from_fn(|| latency.steps.take_slow()).collect()
    }

    /// Turns with slow calls that were not told of, as nobody had asked for the newest 256 in time.
    pub fn slow_lost(&self) -> u64 {
        self.shared.latency().steps.slow_lost()
    }

    /// Where the time of the frames that were followed has gone.
    pub fn attribution(&self) -> Attribution {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let attribution = |following: &Following| following.attribution(&self.shared);
        following.as_ref().map(attribution).unwrap_or_default()
    }

    /// What the run was seen doing since [`Running::follow`] was called, up to now or to the call that ended it: what limits it can be asked.
    pub fn workload(&self) -> Option<Load> {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let report = self.report();
        following.as_ref().map(|following| following.load(&self.shared, &self.threads, &report))
    }

    /// As [`Running::workload`], of the last `span` alone, or of as much of it as frames were followed: what is
    /// turned or plugged in shows within that time. Whoever asks lets the next who ask know, too, and all of them
    /// are to ask for the same span: as long as a [glance](Running::glance) is good, they are told the same. A sink
    /// that got nothing in it keeps its newest way. Nothing while nobody is followed.
    pub fn lately(&self, span: Duration) -> Option<Load> {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let following = following.as_ref().filter(|following| following.is_on())?;
        let plan = self.shared.plan();
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((glance, load)) = &*lately
            && self.glances.is_newest(&plan, glance)
        {
            return Some(load.clone());
        }
        // As of now, like what is looked at besides.
        let glance = self.glances.now(&plan, || self.report());
        let load = following.lately(&self.shared, &self.threads, &glance, span)?;
        *lately = Some((glance, load.clone()));
        Some(load)
    }

    /// Whether frames are followed.
    pub fn is_followed(&self) -> bool {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.as_ref().is_some_and(Following::is_on)
    }

    /// The numbers of the sessions that are open.
    pub fn sessions(&self) -> Vec<u32> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner).numbers()
    }

    /// The last frame a body died on, with the name of its node.
    pub fn last_poison(&self, session: u32) -> Option<(String, Frame)> {
        let sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .last_poison(session)
            .map(|(node, frame)| (self.shared.plan().nodes[node].name.clone(), frame))
    }

    /// How the data cores are: working, slow, wedged or starved.
    pub fn health(&self) -> Vec<Health> {
        self.watchdog.as_ref().map(Watchdog::health).unwrap_or_default()
    }

    /// The time on the run's clock, zero at its start.
    pub fn clock_now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn close_doors(&self) {
        // Dropped outside the lock: what closes a door may take a moment.
        let doors = std::mem::take(&mut *self.doors.lock().unwrap_or_else(PoisonError::into_inner));
        drop(doors);
    }

    fn ask<M>(&self, message: M) -> Result<M::Ok, ControlError>
    where
        M: Question,
        Supervisor: Message<M, Reply = control::Answer<M::Ok>>,
    {
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
        drop(self.following.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.threads.stop();
        // The tasks hold files and devices; they end here, not some time later. What hangs in a
        // system call, or in a build, is left behind rather than waited for.
        let until = Instant::now() + TASKS;
        let late = std::mem::take(
            &mut *self.shared.runtimes.lock().unwrap_or_else(PoisonError::into_inner),
        );
        for runtime in self.control.take().into_iter().chain(self.io.drain(..)).chain(late) {
            runtime.shutdown_timeout(until.saturating_duration_since(Instant::now()));
        }
        // What the supervisor did not come to, and what a thread that was abandoned holds on to.
        for core in &self.shared.cores {
            self.shared.leaving.add(core.clear());
        }
        self.shared.leaving.empty(DROPS);
    }
}
