//! Follows frames of a run: a thread that joins their steps, and looks at rings and sources meanwhile.

mod mark;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    journey::{Attribution, Collector},
    limit::{Load, Looks, Seen, SinkLoad, Tally},
    plan::{Plan, PlanNode},
    session::EdgeTotals,
    time::Timestamp,
};

use super::{Report, Shared, threads::Threads};
use mark::{Mark, Open};

/// Between two looks, at the most: the queue of steps has room for far more than come meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// And in the first moments.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// A look comes after this share of the time that was looked on so far.
const SHARE: u32 = 16;
/// For so long every frame is followed, if there is room: what a sink gets now and then is seen in short runs, too.
const EARLY_NS: i64 = 200_000_000;
/// After so long, stages have seen that somebody follows.
const SETTLED_NS: i64 = 2_000_000;
/// Sessions whose rings are looked at.
const SESSIONS_MAX: usize = 16;
/// Where more are open than so many, those that are looked at are looked at less often, as each look makes the next
/// frame of a session a little later.
const SESSIONS_MANY: usize = 64;
const LOOK_AT_MANY_NS: i64 = 100_000_000;
/// Of a while that is looked back upon, so many moments are kept.
const MARKS: i64 = 10;

/// The thread, and what it knows.
pub(super) struct Following {
    known: Arc<Mutex<Known>>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Known {
    /// The one that runs, as of the last look.
    plan: Arc<Plan>,
    collector: Collector,
    looks: Looks,
    /// Everything that was counted at the beginning.
    began: Mark,
    /// And lately, for those who want to know what happens now; the oldest first.
    marks: VecDeque<Mark>,
    /// When sessions are looked at next.
    next_look_at: Timestamp,
    /// The first look at which a session was open.
    opened_at: Option<Timestamp>,
    /// The last look, and for how long sessions had been open then: what comes between them or behind the end of
    /// a run is not part of it.
    looked_at: Timestamp,
    open: Open,
    /// What came in before the oldest of the marks is not of late.
    is_anew: bool,
    /// Steps that had found no room at the last look.
    lost: u64,
    /// What was seen up to the moment at which nobody was followed any more.
    told: Option<Load>,
}

impl Following {
    /// # Errors
    ///
    /// Returns an error if the system has no thread to spare.
    pub(super) fn start(
        shared: &Arc<Shared>,
        threads: &Threads,
        before: &Report,
    ) -> std::io::Result<Self> {
        let plan = shared.plan();
        let steps = shared.latency().steps.clone();
        let now = shared.clock.now();
        let mut collector = Collector::new(&plan, &steps);
        // Where no session has been opened, nothing is on its way that may look as if it were followed.
        if before.sessions.0 > 0 {
            collector.begin(now.plus_nanos(SETTLED_NS));
        }
        let known = Known {
            collector,
            looks: Looks::default(),
            plan,
            began: Mark::take(shared, threads, before, now),
            marks: VecDeque::new(),
            next_look_at: now,
            opened_at: None,
            looked_at: now,
            open: Open::default(),
            is_anew: false,
            lost: steps.lost(),
            told: None,
        };
        let known = Arc::new(Mutex::new(known));
        let (stop, stopped) = channel();
        let (of_thread, shared) = (known.clone(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("afferent-follow".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                let mut pause = FIRST_LOOK;
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let mut known = of_thread.lock().unwrap_or_else(PoisonError::into_inner);
                    let lasted_ns = known.look(&shared);
                    pause =
                        (Duration::from_nanos(lasted_ns as u64) / SHARE).clamp(FIRST_LOOK, LOOK);
                }
            })?;
        Ok(Self { known, thread: Some((stop, thread)) })
    }

    /// Whether frames are followed.
    pub(super) const fn is_on(&self) -> bool {
        self.thread.is_some()
    }

    /// Nobody is followed any more; what is known stays.
    pub(super) fn end(&mut self, shared: &Shared, threads: &Threads, report: &Report) {
        self.stop();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.told.is_none() {
            let load = known.load(shared, threads, report);
            known.told = Some(load);
        }
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let _ = thread.join();
        }
    }

    pub(super) fn attribution(&self, shared: &Shared) -> Attribution {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keep_up(shared);
        known.collector.collect();
        known.collector.attribution()
    }

    pub(super) fn load(&self, shared: &Shared, threads: &Threads, report: &Report) -> Load {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &known.told {
            Some(told) => told.clone(),
            None => known.load(shared, threads, report),
        }
    }

    /// As `load`, of the last `span` alone, or as much of it as there was. Nothing once nobody is followed.
    pub(super) fn lately(
        &self,
        shared: &Shared,
        threads: &Threads,
        report: &Report,
        span: Duration,
    ) -> Option<Load> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.told.is_none().then(|| known.lately(shared, threads, report, span))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Known {
    /// Another plan may run by now: it has what was there under the numbers that it had, and more behind it.
    fn keep_up(&mut self, shared: &Shared) {
        let plan = shared.plan();
        if !Arc::ptr_eq(&plan, &self.plan) {
            self.collector.adopt(&plan);
            self.plan = plan;
        }
    }

    /// Says for how long has been looked on.
    fn look(&mut self, shared: &Shared) -> i64 {
        self.keep_up(shared);
        self.collector.collect();
        let (now, steps) = (shared.clock.now(), &shared.latency().steps);
        let open = self.look_at_sessions(shared, now);
        if open > 0 {
            self.opened_at.get_or_insert(now);
        }
        let since_ns = now.since(std::mem::replace(&mut self.looked_at, now));
        self.open.add(open as u64, since_ns);
        steps.share(open as u32);
        if self.opened_at.is_some_and(|opened_at| now.since(opened_at) > EARLY_NS) {
            steps.thin_out();
        }
        if std::mem::replace(&mut self.lost, steps.lost()) < self.lost {
            steps.follow_less();
        }
        now.since(self.began.at)
    }

    /// Says how many are open.
    fn look_at_sessions(&mut self, shared: &Shared, now: Timestamp) -> usize {
        let sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if now < self.next_look_at {
            return sessions.look_at(0, |_, _| {});
        }
        self.looks.begin(&self.plan, now);
        let open = sessions.look_at(SESSIONS_MAX, |session, counts| {
            self.looks.look(&self.plan, session, counts);
        });
        if open > SESSIONS_MANY {
            self.next_look_at = now.plus_nanos(LOOK_AT_MANY_NS);
        }
        open
    }

    fn load(&mut self, shared: &Shared, threads: &Threads, report: &Report) -> Load {
        self.keep_up(shared);
        self.collector.collect();
        let now = self.mark(shared, threads, report);
        let (tally, time) = (self.looks.tally(), self.collector.attribution());
        self.between(&self.began, &now, shared, report).told(tally, time)
    }

    fn lately(
        &mut self,
        shared: &Shared,
        threads: &Threads,
        report: &Report,
        span: Duration,
    ) -> Load {
        self.keep_up(shared);
        self.collector.collect();
        let now = self.mark(shared, threads, report);
        let span_ns = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let last = self.marks.back().map_or(self.began.at, |mark| mark.at);
        if now.at.since(last) > 2 * span_ns {
            // Nobody has asked for long: what happened since then is not of late.
            self.marks.clear();
            self.is_anew = true;
            self.keep(self.mark(shared, threads, report));
        }
        let is_old = |mark: &Mark| now.at.since(mark.at) >= span_ns;
        // The newest that is old enough; else all there is.
        self.marks.drain(..self.marks.iter().rposition(is_old).unwrap_or(0));
        let then = self.marks.front().filter(|then| self.is_anew || is_old(then));
        let then = then.unwrap_or(&self.began);
        let meanwhile = self.marks.iter().skip(usize::from(!std::ptr::eq(then, &self.began)));
        let meanwhile = meanwhile.map(|mark| &mark.tally);
        let tally = self.looks.tally().since(&then.tally, meanwhile);
        let time = self.collector.since(&then.time, then.at);
        let load = self.between(then, &now, shared, report).told(&tally, time);
        let last = self.marks.back().map_or(self.began.at, |mark| mark.at);
        if now.at.since(last) >= span_ns / MARKS {
            self.keep(now);
        }
        load
    }

    /// Everything that is counted, as of now.
    fn mark(&self, shared: &Shared, threads: &Threads, report: &Report) -> Mark {
        let now = shared.clock.now();
        let mut mark = Mark::take(shared, threads, report, now);
        mark.open = self.open;
        mark.open.add(report.sessions.1, now.since(self.looked_at).max(0));
        mark
    }

    fn keep(&mut self, mut mark: Mark) {
        mark.tally = self.looks.take_tally();
        mark.time = self.collector.sums();
        self.marks.push_back(mark);
    }

    /// What was counted between two moments.
    fn between<'a>(
        &'a self,
        then: &Mark,
        now: &Mark,
        shared: &Shared,
        report: &Report,
    ) -> Between<'a> {
        let open = now.open.since(then.open);
        // Too short to have been seen with a session, or there was none.
        let (sessions, lasted_ns) =
            open.unwrap_or_else(|| (report.sessions.1, now.at.since(then.at).max(1)));
        Between {
            plan: &self.plan,
            lasted_ns,
            speed: shared.speed,
            sessions,
            opened: report.sessions.0,
            cores: now.cores_since(then, lasted_ns),
            calls: now.calls_since(then, &self.plan),
            edges: now.edges_since(then),
            sinks: sinks(&self.plan, shared, then),
        }
    }
}

/// What was counted between two moments, without what was looked at.
struct Between<'a> {
    plan: &'a Plan,
    lasted_ns: i64,
    speed: Option<f64>,
    sessions: u64,
    opened: u64,
    cores: Vec<[f64; 2]>,
    calls: Vec<(u64, f64)>,
    edges: Vec<EdgeTotals>,
    sinks: Vec<SinkLoad>,
}

impl Between<'_> {
    fn told(self, tally: &Tally, time: Attribution) -> Load {
        let Between { plan, lasted_ns, speed, sessions, opened, cores, calls, edges, sinks } = self;
        let [cores, waited] = [0, 1].map(|n| cores.iter().map(|core| core[n]).collect());
        tally.load(Seen {
            plan,
            lasted_ns,
            speed,
            sessions,
            opened,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            cores,
            waited,
            calls,
            edges,
            sinks,
            time,
        })
    }
}

/// Latency at each sink that got something since then, by its number: names may be used again.
fn sinks(plan: &Plan, shared: &Shared, then: &Mark) -> Vec<SinkLoad> {
    let latency = shared.latency();
    let load = |(node, planned): (usize, &PlanNode)| {
        let p99_ns = latency.sinks.get(node)?.as_ref()?.quantile_since(0.99, then.latency(node))?;
        let deadline_ns = planned.deadline_ns.or(plan.deadline_ns);
        (!planned.gone).then_some(SinkLoad { node, p99_ns, deadline_ns })
    };
    plan.nodes.iter().enumerate().filter_map(load).collect()
}
