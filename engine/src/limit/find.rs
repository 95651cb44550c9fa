//! Who it is.

use crate::{graph::OnFull, journey::Wait};

use super::{Cause, EdgeLoad, Limit, Load, Role, cores::BUSY};

/// A ring that is full at so many looks holds its producer up, or loses frames.
const FULL: f64 = 0.2;
/// A ring that is empty at so many looks is none that its consumer does not keep up with: what comes is too much at
/// once only. A core that has something to do does it, so a ring that is hardly ever empty has a slow consumer.
const EMPTY: f64 = 0.2;
/// One that is full at fewer looks holds nobody up.
const SELDOM_FULL: f64 = 0.02;
/// Of the rings that are narrow those count that are so by this share of the narrowest.
const AS_NARROW: f64 = 0.5;
/// One frame in so many may be dropped by chance.
const DROPPED: f64 = 1e-3;
/// A source that falls behind by more does not keep its pace.
const PACE: f64 = 0.97;
/// What takes less is over before it has begun for good.
const TELLING_NS: i64 = 20_000_000;

impl Load {
    /// What limits the run.
    pub fn limit(&self) -> Limit {
        let limit = match self.narrowest() {
            Some(edge) => self.behind(edge),
            None => self.without_rings(),
        };
        Limit { change: self.change(&limit), ..limit }
    }

    /// Of the rings that are full or drop, the one furthest down.
    fn narrowest(&self) -> Option<usize> {
        let narrow = || self.edges.iter().enumerate().filter(|(_, edge)| edge.is_narrow());
        // What merges several inputs beside the cores, and has time, is full of what waits for another input.
        let is_victim = |edge: &EdgeLoad| {
            let to = edge.to;
            self.nodes[to].joins
                && self.nodes[to].role == Role::WaitingSink
                && self.share(to) < BUSY
        };
        let others = narrow().any(|(_, edge)| !is_victim(edge));
        let narrow = || narrow().filter(|(_, edge)| !(others && is_victim(edge)));
        let narrowest = narrow().map(|(_, edge)| edge.narrow()).fold(0.0, f64::max);
        let depths = self.depths();
        // The one furthest down; of a node's inputs the fuller.
        let key = |edge: &EdgeLoad| (depths[edge.to], edge.to, (edge.narrow() * 1e6) as u64);
        narrow()
            .filter(|(_, edge)| edge.narrow() >= AS_NARROW * narrowest)
            .max_by_key(|(_, edge)| key(edge))
            .map(|(number, _)| number)
    }

    /// How many edges lie between each node and the furthest source above it.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        let mut deeper = true;
        for _ in 0..depths.len() {
            if !std::mem::take(&mut deeper) {
                break;
            }
            for edge in &self.edges {
                if depths[edge.to] <= depths[edge.from] {
                    depths[edge.to] = depths[edge.from] + 1;
                    deeper = true;
                }
            }
        }
        depths
    }

    /// Who keeps a ring full.
    fn behind(&self, edge: usize) -> Limit {
        let to = self.edges[edge].to;
        let consumer = &self.nodes[to];
        let limit = |cause, node: usize, why: String| Limit {
            cause,
            node: Some(node),
            edge: Some(edge),
            why,
            change: String::new(),
        };
        let label = self.label(edge);
        let is_small = self.is_small(edge);
        if consumer.role == Role::WaitingSink {
            let share = percent(self.share(to));
            let is_busy = self.share(to) / self.sessions.max(1) as f64 > 0.6;
            let why = match is_busy {
                true => {
                    format!("{label} is full: `{}` is at work {share} of the time", consumer.name)
                }
                false if is_small => return self.too_small(edge),
                false => format!("{label} is full: `{}` has no room for more", consumer.name),
            };
            return limit(Cause::Sink, to, why);
        }
        let stage = |node: usize| self.nodes[node].stage == consumer.stage;
        if self.busiest(to) < BUSY {
            if let Some(call) = self.waits_most(Wait::Answer).filter(|&call| stage(call)) {
                let why = format!("{label} is full: `{}` waits for answers", self.nodes[call].name);
                return limit(Cause::Answer, call, why);
            }
            if let Some(join) = self.joins_in(to) {
                let why =
                    format!("{label} is full: `{}` waits for another input", self.nodes[join].name);
                return limit(Cause::Join, join, why);
            }
        }
        if is_small {
            return self.too_small(edge);
        }
        let core = consumer.core.unwrap_or_else(|| self.busiest_core());
        Limit { edge: Some(edge), ..self.short_of(core) }
    }

    /// Whether a ring that is narrow is so because of what comes at once. Whoever is as fast as it goes fills any
    /// ring that makes it wait, and so does a core with too much to do, that turns to one ring after the other.
    fn is_small(&self, edge: usize) -> bool {
        let to = self.edges[edge].to;
        let has_time = self.nodes[to].role == Role::WaitingSink || self.busiest(to) < BUSY;
        self.edges[edge].ring.is_some_and(|ring| {
            let waits = ring.on_full == OnFull::Block;
            ring.empty >= EMPTY && !(waits && (self.is_fast || !has_time))
        })
    }

    fn too_small(&self, edge: usize) -> Limit {
        let label = self.label(edge);
        let dropped = self.edges[edge].dropped_full();
        let holds = self.edges[edge].ring.map_or(0, |ring| ring.capacity);
        let why = match dropped > DROPPED {
            true => format!(
                "{label} holds {holds} frames, and {} did not fit, though who takes them has time left",
                percent(dropped)
            ),
            false => format!(
                "{label} holds {holds} frames and is full, though who takes them has time left"
            ),
        };
        let node = Some(self.edges[edge].to);
        Limit { cause: Cause::Ring, node, edge: Some(edge), why, change: String::new() }
    }

    /// What limits a run in which no ring is full.
    fn without_rings(&self) -> Limit {
        let busiest = self.busiest_core();
        // Whoever is fed by others and keeps up waits for them, awake for a while.
        let feeder = self.busiest_feeder().filter(|_| self.keeps_up(busiest));
        let core = feeder.unwrap_or(busiest);
        let has_time = self.busy(core) < BUSY;
        if self.is_fast && has_time {
            return self.of_who_waits(core);
        }
        if !has_time {
            return self.short_of(core);
        }
        if let Some(latest) = self.latest() {
            return latest;
        }
        if self.nodes.iter().any(|node| node.pace.is_some_and(|pace| pace < PACE)) {
            let disturbed = (0..self.cores.len()).find(|&core| self.disturbed(core).is_some());
            return match disturbed {
                Some(core) => self.of_machine(core),
                None => self.of_slow_source(),
            };
        }
        self.none()
    }

    /// Whether rings bring a core what it does, and hardly anybody ever waits for room in them.
    fn keeps_up(&self, core: usize) -> bool {
        let is_here = |node: usize| self.nodes[node].core == Some(core);
        let rings = self.edges.iter().filter(|edge| is_here(edge.to)).filter_map(|edge| edge.ring);
        let mut rings = rings.filter(|ring| ring.on_full != OnFull::Latest).peekable();
        rings.peek().is_some() && rings.all(|ring| ring.looks > 0 && ring.full <= SELDOM_FULL)
    }

    /// As fast as it goes, and no core is busy all the time: whoever they wait for.
    fn of_who_waits(&self, core: usize) -> Limit {
        let limit = |cause, node, why: String| Limit {
            cause,
            node,
            edge: None,
            why,
            change: String::new(),
        };
        let of_session = |node: usize| self.share(node) / self.sessions.max(1) as f64;
        let is_sink = |&node: &usize| self.nodes[node].role == Role::WaitingSink;
        let sinks = (0..self.nodes.len()).filter(is_sink);
        let sink = sinks.max_by(|&a, &b| of_session(a).total_cmp(&of_session(b)));
        if let Some(sink) = sink.filter(|&sink| of_session(sink) >= BUSY) {
            let share = percent(of_session(sink));
            let why = format!("`{}` is at work {share} of the time", self.nodes[sink].name);
            return limit(Cause::Sink, Some(sink), why);
        }
        if let Some(call) = self.waits_most(Wait::Answer) {
            let why = format!(
                "core {core} is at work {} of the time only: `{}` waits for answers",
                percent(self.busy(core)),
                self.nodes[call].name
            );
            return limit(Cause::Answer, Some(call), why);
        }
        if self.lasted_ns < TELLING_NS {
            let lasted = span(self.lasted_ns as f64);
            let why = format!("a run of {lasted} is too short to tell: it needs longer content");
            return limit(Cause::Nothing, None, why);
        }
        self.of_core(self.to_blame(core))
    }

    /// A source that does not keep its pace although nobody holds it up.
    fn of_slow_source(&self) -> Limit {
        let pace = |node: &usize| self.nodes[*node].pace.unwrap_or(1.0);
        let slowest = (0..self.nodes.len()).min_by(|a, b| pace(a).total_cmp(&pace(b)));
        let node = slowest.expect("a source is behind");
        let name = &self.nodes[node].name;
        let why = format!(
            "`{name}` keeps {} of its pace, though nobody behind it is busy",
            percent(pace(&node))
        );
        Limit { cause: Cause::Source, node: Some(node), edge: None, why, change: String::new() }
    }

    fn none(&self) -> Limit {
        Limit {
            cause: Cause::Nothing,
            node: None,
            edge: None,
            why: match self.nodes.iter().any(|node| node.role == Role::Live) {
                true => "everything that comes is dealt with in time".to_owned(),
                false => "every source keeps its pace".to_owned(),
            },
            change: String::new(),
        }
    }

    /// The call or join at which followed frames wait most, if that is much of their latency. Before a call that waits
    /// for answers others wait too, in the ring and while nobody need wake its core up. Answers are not judged where
    /// many frames are left out: those that wait for them longest are the first for which there is no room.
    fn waits_most(&self, wait: Wait) -> Option<usize> {
        if wait == Wait::Answer && self.time.is_partial() {
            return None;
        }
        let mut sums = vec![0.0; self.nodes.len()];
        let mut whole = 0.0;
        for sink in &self.time.sinks {
            whole += sink.latency_ns as f64;
            for (node, parts) in &sink.nodes {
                let own = parts.waiting[wait as usize];
                sums[*node] += match wait {
                    Wait::Answer if own > 0.0 => parts.all(),
                    _ => own,
                };
            }
        }
        let most = (0..sums.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b]))?;
        (sums[most] > 0.05 * whole).then_some(most)
    }

    /// The join in the stage of a node that has kept frames waiting.
    fn joins_in(&self, node: usize) -> Option<usize> {
        let stage = self.nodes[node].stage;
        let late = self.time.late.iter().filter(|(join, ..)| self.nodes[*join].stage == stage);
        let most = late.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(join, ..)| *join);
        let waits = most.filter(|_| self.waits_most(Wait::Join).is_some());
        // Nothing may come through a join at all.
        waits.or_else(|| {
            let starved = |&n: &usize| self.nodes[n].joins && self.nodes[n].stage == stage;
            (0..self.nodes.len()).find(starved).filter(|&n| self.uneven(n))
        })
    }

    /// Whether one input of a join holds far more frames than another.
    fn uneven(&self, node: usize) -> bool {
        let inputs = || self.edges.iter().filter(|edge| edge.to == node);
        let inside = |edge: &EdgeLoad| edge.frames.in_flight;
        let [most, least] = [inputs().map(inside).max(), inputs().map(inside).min()];
        most.zip(least).is_some_and(|(most, least)| most > 8 * (least + 1))
    }

    fn label(&self, edge: usize) -> String {
        let EdgeLoad { from, to, .. } = self.edges[edge];
        format!("`{}` → `{}`", self.nodes[from].name, self.nodes[to].name)
    }
}

impl EdgeLoad {
    /// Whether it holds its producer up, or loses frames. Where only the newest counts, others are meant to be lost.
    fn is_narrow(&self) -> bool {
        let is_ring = self.ring.is_some_and(|ring| ring.on_full != OnFull::Latest);
        is_ring
            && (self.ring.is_some_and(|ring| ring.full >= FULL) || self.dropped_full() > DROPPED)
    }

    /// By how much: the share of the time in which it is full, or of frames that are lost.
    fn narrow(&self) -> f64 {
        self.ring.map_or(0.0, |ring| ring.full).max(self.dropped_full())
    }

    /// The share of frames that found no room.
    pub(super) fn dropped_full(&self) -> f64 {
        let dropped = self.frames.dropped[crate::Gap::Full.index()] as f64;
        dropped / (self.frames.sent as f64).max(1.0)
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

pub(super) fn span(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.1} s", ns / 1e9),
    }
}
