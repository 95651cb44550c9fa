//! What to change.

use super::{Cause, Limit, Load, find::span};

/// Who has so much of a core's work gains nothing by being moved.
const ALONE: f64 = 0.8;
/// A ring that was too small is to hold so much more than what has come at once.
const SPARE: f64 = 1.5;

impl Load {
    /// What to change, with the key and its value.
    pub(super) fn change(&self, limit: &Limit) -> String {
        let Some(node) = limit.node else { return String::new() };
        let name = &self.nodes[node].name;
        match limit.cause {
            Cause::Nothing => String::new(),
            Cause::Compute => self.compute(node),
            Cause::Core => self.spread(node),
            Cause::Ring => self.wider(limit.edge),
            Cause::Sink => {
                let per_s = 1e9 / self.nodes[node].mean_ns.max(1.0);
                format!(
                    "`[node.{name}]` takes {} per frame, so at most {per_s:.0} a second: write less, or \
                     where the newest is enough `on_full = \"latest\"`",
                    span(self.nodes[node].mean_ns)
                )
            }
            Cause::Join => self.sooner(node),
            Cause::Answer => match &self.nodes[node].model {
                Some(model) => format!(
                    "`[model.{model}]` `workers = 2` or more where processors are left, a faster variant, or \
                     `within_ms` of `{name}` with a `fallback`"
                ),
                None => format!(
                    "`within_ms` of `{name}` says how long to wait, `fallback` what stands in"
                ),
            },
            Cause::Moving => self.nearer(node),
            Cause::Source => format!(
                "nothing behind `{name}` is slower than what it makes: read a faster format, or larger frames with `frame_ms`"
            ),
        }
    }

    fn compute(&self, node: usize) -> String {
        let name = &self.nodes[node].name;
        let mean = span(self.nodes[node].mean_ns);
        let core = self.nodes[node].core.unwrap_or(0);
        let busy: f64 = self.on_core(core).map(|other| self.nodes[other].busy_ns()).sum();
        // It has the core for itself as good as now.
        let alone = self.nodes[node].busy_ns() > ALONE * busy;
        match self.idle_core(core) {
            Some(idle) if !alone && self.nodes[node].core.is_some() => {
                format!("`core = {idle}` in `[node.{name}]` moves it to a core that has time left")
            }
            _ if self.cores.len() < 2 && !alone => format!(
                "`--cores 2` and `core = 1` in `[node.{name}]` give it a core for itself; else less work per frame ({mean} now)"
            ),
            _ => format!(
                "less work per frame in `[node.{name}]` ({mean} now): a lower rate before it, or a cheaper kind"
            ),
        }
    }

    /// The stage on a core that has no time left whose leaving makes both as even as can be.
    fn spread(&self, node: usize) -> String {
        let from = self.nodes[node].core.unwrap_or(0);
        let Some(to) = self.idle_core(from) else { return self.compute(node) };
        let mut stages: Vec<(usize, f64, usize)> = Vec::new();
        for node in self.on_core(from) {
            let stage = self.nodes[node].stage.expect("it runs on a core");
            match stages.iter_mut().find(|(known, ..)| *known == stage) {
                Some((_, share, _)) => *share += self.share(node),
                None => stages.push((stage, self.share(node), node)),
            }
        }
        let gap = self.busy(from) - self.busy(to);
        let even = |share: f64| (gap - 2.0 * share).abs();
        let best = stages.iter().min_by(|a, b| even(a.1).total_cmp(&even(b.1)));
        let (stage, _, first) = *best.expect("there are several");
        let all: Vec<&str> = self
            .on_core(from)
            .filter(|&node| self.nodes[node].stage == Some(stage))
            .map(|node| self.nodes[node].name.as_str())
            .collect();
        match &all[..] {
            [only] => format!("`core = {to}` in `[node.{only}]`"),
            _ => format!(
                "`core = {to}` in `[node.{}]` and the others of its stage: {}",
                self.nodes[first].name,
                all.join(", ")
            ),
        }
    }

    fn wider(&self, edge: Option<usize>) -> String {
        let Some((edge, ring)) =
            edge.and_then(|edge| Some((&self.edges[edge], self.edges[edge].ring?)))
        else {
            return String::new();
        };
        // What was dropped would have been in it.
        let came = ring.capacity as f64 / (1.0 - edge.dropped_full()).max(0.1);
        let frames = (SPARE * came.max(ring.most as f64)).ceil() as u64;
        let name = &self.nodes[edge.to].name;
        match ring.frames_per_s {
            rate if rate > 0.0 => {
                format!(
                    "`capacity_ms = {:.0}` in `[node.{name}]` holds {frames} frames",
                    (frames as f64 * 1e3 / rate).ceil()
                )
            }
            _ => format!(
                "a larger `capacity_ms` in `[node.{name}]`: for {frames} frames, it holds {}",
                ring.capacity
            ),
        }
    }

    /// A ring and another core between two nodes cost a way that nodes of one stage do not have.
    fn nearer(&self, node: usize) -> String {
        let edge = self.edges.iter().find(|edge| edge.to == node && edge.ring.is_some());
        let from = edge.map(|edge| &self.nodes[edge.from]);
        let name = &self.nodes[node].name;
        match from.and_then(|from| Some((from, from.core?, self.nodes[node].core?))) {
            Some((from, one, other)) if one != other => format!(
                "`core = {one}` in `[node.{name}]` keeps it on the core of `{}`: no other has to be woken up",
                from.name
            ),
            _ => "fewer frames: larger ones with `frame_ms` at the source; or a machine with less else to do".to_owned(),
        }
    }

    fn sooner(&self, join: usize) -> String {
        let name = &self.nodes[join].name;
        let late = self.time.late.iter().filter(|(node, ..)| *node == join);
        let late = late.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(_, line, _)| *line);
        let mut inputs = self.edges.iter().filter(|edge| edge.to == join);
        let from = late.and_then(|line| inputs.nth(line)).map(|edge| edge.from);
        match from {
            Some(from) => format!(
                "`{}` comes last: shorter frames with `frame_ms` at its source, or `max_wait_ms` in `[node.{name}]`",
                self.nodes[from].name
            ),
            None => format!("`max_wait_ms` in `[node.{name}]` limits how long it waits"),
        }
    }
}
