//! [`Figures`]: what two looks at the same counters say, for people and for programs: `top` and the page of `--web`.

mod numbers;
mod troubles;
mod work;

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::local::message::{LatencyLook, Look, Shape};

pub(crate) use numbers::{hz, percent};
pub(crate) use troubles::troubles;
pub(crate) use work::Work;

/// What there is to see of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) look: &'a Look,
    pub(crate) figures: &'a Figures,
}

/// What lately means: long enough for frames that come once a second, short enough to see a change.
pub(crate) const WINDOW_S: f64 = 5.0;
/// Looks that are kept, for pictures of how it was.
const KEPT: usize = 120;
/// A source that brings so much less or more than it promises is told.
const OFF_RATE: f64 = 0.05;
/// One that has failed lately is told, though it goes on.
const FAULTY_S: f64 = 10.0;
/// And one that brings nothing for so long is silent.
const SILENT_S: f64 = 2.0;

/// Looks at one process, the newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(VecDeque<Look>);

impl History {
    pub(crate) fn add(&mut self, look: Look) {
        // Of thousands of sessions several looks are told what one saw.
        self.0.pop_back_if(|before| before.at_s == look.at_s);
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        // Where time goes is told of a while, and is long: the newest alone is of use.
        self.0.back_mut().map(|before| before.time.take());
        self.0.push_back(look);
    }

    pub(crate) fn newest(&self) -> Option<&Look> {
        self.0.back()
    }

    /// The figures as of the newest look.
    pub(crate) fn figures(&self, shape: &Shape) -> Option<Figures> {
        self.as_of(self.0.len().checked_sub(1)?, shape)
    }

    /// The figures as of every look, oldest first.
    pub(crate) fn all<'a>(&'a self, shape: &'a Shape) -> impl Iterator<Item = Figures> + 'a {
        (1..self.0.len()).filter_map(move |at| self.between(at - 1, at, shape))
    }

    fn as_of(&self, at: usize, shape: &Shape) -> Option<Figures> {
        let now = self.0.get(at)?;
        // The last one that is a window old, else the oldest.
        let before = (0..at).rev().find(|&n| now.at_s - self.0[n].at_s >= WINDOW_S);
        self.between(before.unwrap_or(0), at, shape)
    }

    fn between(&self, then: usize, now: usize, shape: &Shape) -> Option<Figures> {
        let now = self.0.get(now)?;
        let zero = Look::default();
        let then = self.0.get(then).filter(|then| then.at_s < now.at_s).unwrap_or(&zero);
        Some(Figures::between(shape, then, now))
    }
}

/// What happens per second, and how it is.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// Seconds since the start of the run.
    pub(crate) at_s: f64,
    /// Seconds that rates and latencies of late look back.
    pub(crate) span_s: f64,
    pub(crate) sessions_open: u64,
    pub(crate) sessions_opened: u64,
    /// Seconds of content per second, where a signal comes in.
    pub(crate) pace: Option<f64>,
    /// Seconds of content done, each session by itself.
    pub(crate) content_s: Option<f64>,
    pub(crate) frames_in_per_s: f64,
    pub(crate) dropped: u64,
    pub(crate) dropped_per_s: f64,
    pub(crate) sources: Vec<SourceFigures>,
    pub(crate) nodes: Vec<NodeFigures>,
    pub(crate) edges: Vec<EdgeFigures>,
    pub(crate) sinks: Vec<SinkFigures>,
    pub(crate) stages: Vec<StageFigures>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SourceFigures {
    /// Number among the nodes.
    #[serde(skip)]
    pub(crate) at: usize,
    pub(crate) node: String,
    pub(crate) nominal_hz: Option<f64>,
    /// Samples per second and session.
    pub(crate) measured_hz: Option<f64>,
    pub(crate) frames_per_s: f64,
    pub(crate) gaps: u64,
    pub(crate) late: u64,
    /// `well`, `silent`, `slow`, `fast`, `gaps`, `late`, `faulty`, `ended`, `waits`, `paused`.
    pub(crate) health: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct NodeFigures {
    pub(crate) node: String,
    /// Frames that it was called with, or made.
    pub(crate) frames_per_s: f64,
    /// Those and calls about none, such as of timers, as estimated from what was timed.
    pub(crate) calls_per_s: f64,
    /// Of a call.
    pub(crate) mean_us: Option<f64>,
    /// Share of one core: the product of the two before.
    pub(crate) core_share: Option<f64>,
    pub(crate) restarts: u64,
    pub(crate) poison: u64,
    pub(crate) late: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct EdgeFigures {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) frames_per_s: f64,
    pub(crate) depth: u64,
    /// Over all open sessions; none where both nodes are fused.
    pub(crate) capacity: Option<u64>,
    pub(crate) dropped: u64,
    pub(crate) dropped_per_s: f64,
    /// Reasons for which frames were dropped, and how many.
    pub(crate) reasons: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SinkFigures {
    #[serde(skip)]
    pub(crate) at: usize,
    pub(crate) node: String,
    pub(crate) frames: u64,
    pub(crate) frames_per_s: f64,
    pub(crate) deadline_ms: Option<f64>,
    /// Over the last seconds.
    pub(crate) lately: Option<Latency>,
    pub(crate) since_start: Option<Latency>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_ns: i64,
    pub(crate) p99_ns: i64,
    pub(crate) max_ns: i64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StageFigures {
    pub(crate) stage: String,
    pub(crate) nodes: Vec<String>,
    /// States in which it is in some session, and in how many.
    pub(crate) states: Vec<(String, u64)>,
    pub(crate) restarts: u64,
    pub(crate) lately: Option<Latency>,
    pub(crate) since_start: Option<Latency>,
}

impl Figures {
    fn between(shape: &Shape, then: &Look, now: &Look) -> Self {
        let span_s = (now.at_s - then.at_s).max(1e-3);
        let each = f64::midpoint(then.sessions_open as f64, now.sessions_open as f64);
        // Sessions come and go; where none was there before, those that are there now count.
        let sessions = if each > 0.0 && then.at_s > 0.0 { each } else { now.sessions_open as f64 };
        let index: HashMap<&str, usize> =
            shape.nodes.iter().enumerate().map(|(n, node)| (&*node.name, n)).collect();
        let taken = |look: &Look| {
            let mut taken = vec![0; shape.nodes.len()];
            for (edge, counts) in shape.edges.iter().zip(&look.edges) {
                if let Some(&n) = index.get(&*edge.consumer) {
                    taken[n] += counts.taken;
                }
            }
            taken
        };
        let taken = [taken(then), taken(now)];
        let sessions = sessions.max(1.0);
        let frame = Frame { shape, then, now, span_s, sessions, index, taken };
        let edges: Vec<_> =
            (0..shape.edges.len().min(now.edges.len())).map(|n| frame.edge(n)).collect();
        let sources: Vec<_> = (0..shape.nodes.len()).filter_map(|n| frame.source(n)).collect();
        let rated = sources.iter().filter_map(|source| Some((source, source.nominal_hz?)));
        let pace = rated.clone().filter_map(|(source, hz)| Some(source.measured_hz? / hz));
        let content = rated.filter_map(|(source, hz)| {
            let samples = now.nodes.get(source.at)?.entered.as_ref()?.samples;
            Some(samples as f64 / hz / now.sessions_opened.max(1) as f64)
        });
        Self {
            at_s: now.at_s,
            span_s,
            sessions_open: now.sessions_open,
            sessions_opened: now.sessions_opened,
            pace: pace.reduce(f64::max),
            content_s: content.reduce(f64::max),
            frames_in_per_s: sources.iter().map(|source| source.frames_per_s).sum(),
            dropped: edges.iter().map(|edge| edge.dropped).sum(),
            dropped_per_s: edges.iter().map(|edge| edge.dropped_per_s).sum(),
            nodes: (0..shape.nodes.len()).filter_map(|n| frame.node(n)).collect(),
            sinks: (0..now.sinks.len()).map(|n| frame.sink(n)).collect(),
            stages: (0..shape.stages.len()).filter_map(|n| frame.stage(n)).collect(),
            edges,
            sources,
        }
    }
}

/// Two looks at what a plan does.
struct Frame<'a> {
    shape: &'a Shape,
    then: &'a Look,
    now: &'a Look,
    span_s: f64,
    sessions: f64,
    /// Numbers of nodes by their names.
    index: HashMap<&'a str, usize>,
    /// Frames that every node took, by each look.
    taken: [Vec<u64>; 2],
}

impl Frame<'_> {
    fn per_s(&self, then: u64, now: u64) -> f64 {
        now.saturating_sub(then) as f64 / self.span_s
    }

    fn edge(&self, n: usize) -> EdgeFigures {
        let (shape, now) = (&self.shape.edges[n], &self.now.edges[n]);
        let then = self.then.edges.get(n).cloned().unwrap_or_default();
        let (dropped, before) = (now.dropped.iter().sum(), then.dropped.iter().sum());
        let reasons = self.shape.reasons.iter().cloned().zip(now.dropped.iter().copied());
        EdgeFigures {
            from: shape.from.clone(),
            to: shape.consumer.clone(),
            frames_per_s: self.per_s(then.sent, now.sent),
            depth: now.in_flight,
            capacity: shape.capacity.map(|each| each as u64 * self.now.sessions_open.max(1)),
            dropped,
            dropped_per_s: self.per_s(before, dropped),
            reasons: reasons.filter(|(_, dropped)| *dropped > 0).collect(),
        }
    }

    /// What a node did between the looks.
    fn work(&self, n: usize) -> Work {
        let now = &self.now.nodes[n];
        if let Some(work) = now.work {
            let then = self.then.nodes.get(n).and_then(|then| then.work);
            return Work::between(then.unwrap_or_default(), work);
        }
        // Calls about no frame are not known, nor what they took.
        let had = |look: &Look, taken: &[u64]| {
            let entered = look.nodes.get(n).and_then(|node| node.entered.as_ref());
            entered.map_or(taken[n], |entered| entered.frames)
        };
        let [before, taken] = &self.taken;
        let frames = had(self.now, taken).saturating_sub(had(self.then, before));
        Work { frames, calls: frames as f64, mean_ns: None }
    }

    fn node(&self, n: usize) -> Option<NodeFigures> {
        let now = self.now.nodes.get(n)?;
        let work = self.work(n);
        let calls_per_s = work.calls / self.span_s;
        Some(NodeFigures {
            node: self.shape.nodes[n].name.clone(),
            frames_per_s: work.frames as f64 / self.span_s,
            calls_per_s,
            mean_us: work.mean_ns.or(now.mean_ns).map(|ns| ns / 1e3),
            core_share: work.mean_ns.map(|ns| ns / 1e9 * calls_per_s),
            restarts: now.restarts,
            poison: now.poison,
            late: now.late,
        })
    }

    fn source(&self, n: usize) -> Option<SourceFigures> {
        let (shape, now) = (&self.shape.nodes[n], self.now.nodes.get(n)?);
        let entered = now.entered.as_ref()?;
        let before =
            self.then.nodes.get(n).and_then(|node| node.entered.clone()).unwrap_or_default();
        let samples_per_s = self.per_s(before.samples, entered.samples) / self.sessions;
        let source = SourceFigures {
            at: n,
            node: shape.name.clone(),
            nominal_hz: shape.rate_hz,
            measured_hz: shape.rate_hz.map(|_| samples_per_s),
            frames_per_s: self.per_s(before.frames, entered.frames),
            gaps: entered.gaps,
            late: now.late,
            health: "well",
        };
        let frames = entered.frames.saturating_sub(before.frames) as f64 / self.sessions;
        let late_before = self.then.nodes.get(n).map_or(0, |node| node.late);
        let health = if self.has_ended(n) {
            "ended"
        } else if now.fault.as_ref().is_some_and(|fault| self.now.at_s - fault.at_s < FAULTY_S) {
            "faulty"
        } else if self.now.sessions_open == 0 {
            "waits"
        } else if [self.then, self.now].into_iter().any(|look| self.is_paused(look)) {
            "paused"
        } else {
            match self.off_rate(&source, frames) {
                Some(word) => word,
                None if entered.gaps > before.gaps => "gaps",
                None if now.late > late_before => "late",
                None => "well",
            }
        };
        Some(SourceFigures { health, ..source })
    }

    /// Whether a session stood still: who brings little then does as asked.
    fn is_paused(&self, look: &Look) -> bool {
        let paused = self.shape.states.iter().position(|state| state == "paused");
        let in_stage = |stage: &crate::local::message::StageLook| {
            paused.and_then(|paused| stage.states.get(paused)).is_some_and(|&sessions| sessions > 0)
        };
        look.stages.iter().any(in_stage)
    }

    /// Whether all that its stage does is done; a source that waits for the world has none.
    fn has_ended(&self, n: usize) -> bool {
        let stage = self.shape.nodes[n].stage.and_then(|stage| self.now.stages.get(stage));
        let state = |stage: &crate::local::message::StageLook| {
            let done = self.shape.states.iter().position(|state| state == "done");
            done.and_then(|done| stage.states.get(done).copied()).unwrap_or(0)
        };
        let done = stage.map_or(0, state);
        let is_over = self.now.sessions_opened > 0 && self.now.sessions_open == 0;
        is_over || done > 0 && done == self.now.sessions_open
    }

    fn off_rate(&self, source: &SourceFigures, frames: f64) -> Option<&'static str> {
        let (measured, nominal) = (source.measured_hz?, source.nominal_hz?);
        if measured == 0.0 {
            return (self.span_s >= SILENT_S).then_some("silent");
        }
        // As fast as it goes there is no rate to keep.
        let due = nominal * self.shape.speed?;
        // The frames at both ends of the span may lie on either side of them.
        let tolerance = OFF_RATE.max(2.0 / frames.max(1.0));
        match measured / due {
            share if share < 1.0 - tolerance => Some("slow"),
            share if share > 1.0 + tolerance => Some("fast"),
            _ => None,
        }
    }

    fn sink(&self, n: usize) -> SinkFigures {
        let now = &self.now.sinks[n];
        let then = self.then.sinks.get(n);
        SinkFigures {
            at: self.index.get(&*now.node).copied().unwrap_or(0),
            node: now.node.clone(),
            frames: now.frames,
            frames_per_s: self.per_s(then.map_or(0, |then| then.frames), now.frames),
            deadline_ms: now.deadline_ns.map(|ns| ns as f64 / 1e6),
            lately: lately(then.map(|then| &then.latency), &now.latency),
            since_start: since_start(&now.latency),
        }
    }

    fn stage(&self, n: usize) -> Option<StageFigures> {
        let (shape, now) = (&self.shape.stages[n], self.now.stages.get(n)?);
        let states = self.shape.states.iter().cloned().zip(now.states.iter().copied());
        let then = self.then.stages.get(n).map(|then| &then.latency);
        Some(StageFigures {
            stage: shape.name.clone(),
            nodes: shape.nodes.clone(),
            states: states.filter(|(_, sessions)| *sessions > 0).collect(),
            restarts: now.restarts,
            lately: lately(then, &now.latency),
            since_start: since_start(&now.latency),
        })
    }
}

fn since_start(latency: &LatencyLook) -> Option<Latency> {
    Some(Latency { p50_ns: latency.p50_ns?, p99_ns: latency.p99_ns?, max_ns: latency.max_ns? })
}

/// Latencies that were counted between two looks, to a step of 3 %.
fn lately(then: Option<&LatencyLook>, now: &LatencyLook) -> Option<Latency> {
    let before = then.map_or(&[][..], |then| &then.steps[..]);
    let mut before = before.iter().copied().peekable();
    let mut steps = Vec::with_capacity(now.steps.len());
    for &(end, count) in &now.steps {
        while before.next_if(|(known, _)| *known < end).is_some() {}
        let known = before.next_if(|(known, _)| *known == end).map_or(0, |(_, count)| count);
        steps.push((end, count.saturating_sub(known)));
    }
    let count: u64 = steps.iter().map(|(_, count)| count).sum();
    let largest = now.max_ns?;
    let quantile = |share: f64| {
        let rank = ((count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let step = steps.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        Some(step?.0.min(largest as u64) as i64)
    };
    if count == 0 {
        return None;
    }
    Some(Latency { p50_ns: quantile(0.5)?, p99_ns: quantile(0.99)?, max_ns: quantile(1.0)? })
}

#[cfg(test)]
mod tests;
