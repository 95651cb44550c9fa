//! Follows frames of a run: a thread that joins their steps, and looks at rings meanwhile.

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
    kind::Placement,
    limit::{EdgeLoad, Load, NodeLoad, RingLoad, Role, SinkLoad},
    plan::{Home, Plan},
    session::EdgeTotals,
    time::Timestamp,
};

use super::{Report, Shared, threads::Threads};

/// Between two looks: the queue of steps has room for far more than come meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// After so long, stages have seen that somebody follows.
const SETTLED_NS: i64 = 2_000_000;
/// Sessions whose rings are looked at.
const SESSIONS_MAX: usize = 16;

/// The thread, and what it knows.
pub(super) struct Following {
    known: Arc<Mutex<Known>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Known {
    /// The one that runs, as of the last look.
    plan: Arc<Plan>,
    collector: Collector,
    rings: Vec<Ring>,
    /// Time in which each core had been at work, or wanted to be, at the beginning.
    wanted_ns: Vec<Option<u64>>,
    began: Timestamp,
    /// The last look at which a session was open: what comes after the end of a run is not part of it.
    open_at: Option<Timestamp>,
    /// Frames by edge at the beginning, and calls that were timed.
    before: Report,
}

#[derive(Clone, Copy, Default)]
struct Ring {
    looks: u64,
    full: u64,
    most: u64,
}

impl Following {
    pub(super) fn start(shared: &Arc<Shared>, threads: &Threads, before: Report) -> Self {
        let plan = shared.plan();
        let known = Known {
            collector: Collector::new(&plan, &shared.latency().steps),
            rings: vec![Ring::default(); plan.edges.len()],
            plan,
            wanted_ns: (0..shared.cores.len()).map(|core| threads.wanted_ns(core)).collect(),
            began: shared.clock.now(),
            open_at: None,
            before,
        };
        let known = Arc::new(Mutex::new(known));
        let (stop, stopped) = channel();
        let (of_thread, shared) = (known.clone(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("afferent-follow".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    let mut known = of_thread.lock().unwrap_or_else(PoisonError::into_inner);
                    known.look(&shared);
                }
            })
            .expect("the system has a thread to spare");
        Self { known, stop: Some(stop), thread: Some(thread) }
    }

    /// Frames are followed from now on, once every stage has begun a turn.
    pub(super) fn begin(&self, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.collector.begin(now.plus_nanos(SETTLED_NS));
    }

    pub(super) fn attribution(&self) -> Attribution {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.collector.collect();
        known.collector.attribution()
    }

    pub(super) fn load(&self, shared: &Shared, threads: &Threads, report: &Report) -> Load {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keep_up(shared);
        known.collector.collect();
        known.load(shared, threads, report)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Known {
    /// Another plan may run by now: it has what was there under the numbers that it had, and more behind it.
    fn keep_up(&mut self, shared: &Shared) {
        let plan = shared.plan();
        if !Arc::ptr_eq(&plan, &self.plan) {
            self.collector.adopt(&plan);
            self.rings.resize(plan.edges.len(), Ring::default());
            self.plan = plan;
        }
    }

    fn look(&mut self, shared: &Shared) {
        self.keep_up(shared);
        self.collector.collect();
        let open = {
            let sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.look_at(SESSIONS_MAX, |counts| {
                for (edge, planned) in self.plan.edges.iter().enumerate() {
                    let Some(ring) = planned.ring else { continue };
                    // One that has not been told of the plan yet has less.
                    let Some(counts) = counts.edges.get(edge) else { continue };
                    let inside = counts.in_flight();
                    let known = &mut self.rings[edge];
                    known.looks += 1;
                    known.full += u64::from(inside >= ring.capacity as u64);
                    known.most = known.most.max(inside);
                }
            })
        };
        if open > 0 {
            self.open_at = Some(shared.clock.now());
        }
        shared.latency().steps.share(open as u32);
    }

    fn load(&self, shared: &Shared, threads: &Threads, report: &Report) -> Load {
        let plan = &self.plan;
        let ended = self.open_at.filter(|_| report.sessions.1 == 0);
        let lasted_ns = ended.unwrap_or_else(|| shared.clock.now()).since(self.began);
        let cores = self.wanted_ns.iter().enumerate().map(|(core, before)| {
            let spent = threads.wanted_ns(core).zip(*before);
            // A fresh thread may have taken the place of one that hangs.
            let spent = spent.map(|(now, before)| now.saturating_sub(before));
            spent.map_or(0.0, |spent| (spent as f64 / lasted_ns.max(1) as f64).min(1.0))
        });
        let cores: Vec<f64> = cores.collect();
        let edges: Vec<EdgeLoad> =
            (0..report.edges.len()).map(|edge| self.edge(plan, report, edge)).collect();
        let spread = report.sessions.0 > 1;
        // What has come between is not in the report yet.
        let nodes = (0..report.nodes.len()).map(|node| {
            let planned = &plan.nodes[node];
            let now = &report.nodes[node];
            // What has come since has nothing before it.
            let then = self.before.nodes.get(node).and_then(|node| node.entered);
            let frames_before = then.map_or(0, |then| then.frames);
            let calls = match now.entered {
                Some(now) => now.frames.saturating_sub(frames_before),
                None => planned.in_edges.iter().filter_map(|&edge| Some(edges.get(edge)?.frames.taken)).sum(),
            };
            let pace = now.entered.zip(then).zip(shared.speed).and_then(|((now, then), speed)| {
                // The next frame is not there before all of it has happened.
                let frame_ns = now.content_ns? / (now.frames.max(1) as i64);
                let content_ns = now.content_ns? - then.content_ns.unwrap_or(0) + frame_ns;
                let is_paced = !planned.kind.live && report.sessions.0 == 1;
                is_paced.then(|| content_ns as f64 / (lasted_ns as f64 * speed))
            });
            NodeLoad {
                name: planned.name.clone(),
                role: role(plan, node),
                stage: match planned.home {
                    Home::Stage(stage) => Some(stage),
                    Home::Io => None,
                },
                core: match planned.home {
                    Home::Stage(stage) => {
                        let pinned =
                            plan.stages[stage].core.map(|core| core as usize % cores.len().max(1));
                        pinned.or((!spread).then_some(0))
                    }
                    Home::Io => None,
                },
                model: planned
                    .params
                    .written("model")
                    .map(|model| model.value.to_string().trim_matches('"').to_owned()),
                joins: planned.align.is_some() && planned.in_edges.len() > 1,
                calls,
                mean_ns: now.mean_ns.unwrap_or(0.0),
                pace,
            }
        });
        let number = |name: &str| plan.nodes.iter().position(|node| node.name == name);
        let sinks = report.sinks.iter().filter_map(|sink| {
            let (_, p99_ns, _) = sink.latency_ns?;
            Some(SinkLoad { node: number(&sink.name)?, p99_ns, deadline_ns: sink.deadline_ns })
        });
        Load {
            lasted_ns,
            is_fast: shared.speed.is_none(),
            sessions: report.sessions.0,
            nodes: nodes.collect(),
            cores: cores.clone(),
            sinks: sinks.collect(),
            time: self.collector.attribution(),
            edges,
        }
    }

    fn edge(&self, plan: &Plan, report: &Report, edge: usize) -> EdgeLoad {
        let planned = &plan.edges[edge];
        let now = &report.edges[edge].frames;
        let then = self.before.edges.get(edge).map(|edge| edge.frames).unwrap_or_default();
        let mut frames = EdgeTotals { in_flight: now.in_flight, ..EdgeTotals::default() };
        frames.sent = now.sent - then.sent;
        frames.taken = now.taken - then.taken;
        for (dropped, (now, then)) in
            frames.dropped.iter_mut().zip(now.dropped.iter().zip(then.dropped))
        {
            *dropped = now - then;
        }
        let looks = &self.rings[edge];
        let ring = planned.ring.map(|ring| RingLoad {
            capacity: ring.capacity,
            on_full: ring.on_full,
            full: looks.full as f64 / looks.looks.max(1) as f64,
            most: looks.most,
            frames_per_s: planned.format.frames_per_second(),
        });
        EdgeLoad { from: planned.from.0, to: planned.to.0, frames, ring }
    }
}

/// What a node is, by its kind.
pub(crate) fn role(plan: &Plan, node: usize) -> Role {
    let planned = &plan.nodes[node];
    match (planned.kind.is_sink(), planned.home) {
        (true, Home::Io) => Role::WaitingSink,
        (true, Home::Stage(_)) => Role::Sink,
        _ if planned.kind.live => Role::Live,
        _ if planned.in_edges.is_empty() => Role::Source,
        _ if planned.kind.placement == Placement::Asks => Role::Call,
        _ => Role::Operator,
    }
}
