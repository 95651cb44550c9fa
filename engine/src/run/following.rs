//! Follows frames of a run: a thread that joins their steps, and looks at rings and sources meanwhile.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    journey::{Attribution, Collector},
    limit::{Load, Looks, Seen, SinkLoad},
    plan::{Plan, PlanNode},
    session::EdgeTotals,
    time::Timestamp,
};

use super::{Report, Shared, threads::Threads};

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
    /// Time in which each core had been at work, and in which it had waited for a processor, at the beginning.
    wanted_ns: Vec<Option<[u64; 2]>>,
    began: Timestamp,
    /// The first look at which a session was open.
    opened_at: Option<Timestamp>,
    /// The last one: what comes after the end of a run is not part of it.
    open_at: Option<Timestamp>,
    /// Steps that had found no room at the last look.
    lost: u64,
    /// Frames by edge at the beginning, and calls that were timed.
    before: Report,
    /// What was seen up to the moment at which nobody was followed any more.
    told: Option<Load>,
}

impl Following {
    pub(super) fn start(shared: &Arc<Shared>, threads: &Threads, before: Report) -> Self {
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
            wanted_ns: (0..shared.cores.len()).map(|core| threads.wanted_ns(core)).collect(),
            began: now,
            opened_at: None,
            open_at: None,
            lost: steps.lost(),
            before,
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
            })
            .expect("the system has a thread to spare");
        Self { known, thread: Some((stop, thread)) }
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
        self.looks.begin(&self.plan, now);
        let open = {
            let sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.look_at(SESSIONS_MAX, |session, counts| {
                self.looks.look(&self.plan, session, counts);
            })
        };
        if open > 0 {
            self.opened_at.get_or_insert(now);
            self.open_at = Some(now);
        }
        steps.share(open as u32);
        if self.opened_at.is_some_and(|opened_at| now.since(opened_at) > EARLY_NS) {
            steps.thin_out();
        }
        if std::mem::replace(&mut self.lost, steps.lost()) < self.lost {
            steps.follow_less();
        }
        now.since(self.began)
    }

    fn load(&mut self, shared: &Shared, threads: &Threads, report: &Report) -> Load {
        self.keep_up(shared);
        self.collector.collect();
        let plan = &self.plan;
        let ended = self.open_at.filter(|_| report.sessions.1 == 0);
        let lasted_ns = ended.unwrap_or_else(|| shared.clock.now()).since(self.began);
        let share = |ns: u64| (ns as f64 / lasted_ns.max(1) as f64).min(1.0);
        let cores = self.wanted_ns.iter().enumerate().map(|(core, before)| {
            let Some(now) = threads.wanted_ns(core) else { return [0.0; 2] };
            // A thread that was not there yet had done nothing.
            let before = before.unwrap_or_default();
            // A fresh thread may have taken the place of one that hangs.
            let [spent, waited] = [0, 1].map(|n| now[n].saturating_sub(before[n]));
            [share(spent + waited), share(waited)]
        });
        let cores: Vec<[f64; 2]> = cores.collect();
        let calls = |node: usize| {
            let now = report.nodes.get(node).filter(|_| !plan.nodes[node].gone);
            // What has come since has nothing before it.
            let before = self.before.nodes.get(node).map_or(0, |node| node.calls);
            let calls = now.map_or(0, |now| now.calls.saturating_sub(before));
            (calls, now.and_then(|now| now.mean_ns).unwrap_or(0.0))
        };
        self.looks.load(Seen {
            plan,
            lasted_ns,
            speed: shared.speed,
            sessions: report.sessions.0,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            cores: cores.iter().map(|[wanted, _]| *wanted).collect(),
            waited: cores.iter().map(|[_, waited]| *waited).collect(),
            calls: (0..plan.nodes.len()).map(calls).collect(),
            edges: (0..plan.edges.len()).map(|edge| self.frames(report, edge)).collect(),
            sinks: sinks(plan, shared),
            time: self.collector.attribution(),
        })
    }

    /// What has passed on an edge since the beginning.
    fn frames(&self, report: &Report, edge: usize) -> EdgeTotals {
        let of = |report: &Report| report.edges.get(edge).map(|edge| edge.frames);
        let (now, then) = (of(report).unwrap_or_default(), of(&self.before).unwrap_or_default());
        let mut frames = EdgeTotals { in_flight: now.in_flight, ..EdgeTotals::default() };
        frames.sent = now.sent - then.sent;
        frames.taken = now.taken - then.taken;
        let dropped = now.dropped.iter().zip(then.dropped);
        for (dropped, (now, then)) in frames.dropped.iter_mut().zip(dropped) {
            *dropped = now - then;
        }
        frames
    }
}

/// Latency at each sink that got something, by its number: names may be used again.
fn sinks(plan: &Plan, shared: &Shared) -> Vec<SinkLoad> {
    let latency = shared.latency();
    let load = |(node, planned): (usize, &PlanNode)| {
        let p99_ns = latency.sinks.get(node)?.as_ref()?.quantile(0.99)?;
        let deadline_ns = planned.deadline_ns.or(plan.deadline_ns);
        (!planned.gone).then_some(SinkLoad { node, p99_ns, deadline_ns })
    };
    plan.nodes.iter().enumerate().filter_map(load).collect()
}
