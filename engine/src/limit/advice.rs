//! What to change.

use super::{Cause, Limit, Load, NodeLoad, find::span};

/// Who has so much of a core's work gains nothing by being moved.
const ALONE: f64 = 0.8;
/// A ring that was too small is to hold so much more than what has come at once.
const SPARE: f64 = 1.5;

impl Load {
    /// What to change, with the key and its value.
    pub(super) fn change(&self, limit: &Limit) -> String {
        let Some(node) = limit.node else { return String::new() };
        let NodeLoad { name, is_written, .. } = &self.nodes[node];
        match limit.cause {
            Cause::Nothing => String::new(),
            _ if !is_written => format!(
                "`{name}` is the end of a link, which the graph file does not have: less over it, or the nodes at both \
                 of its ends on one host"
            ),
            Cause::Compute => self.compute(node),
            Cause::Core => self.spread(node),
            Cause::Ring => self.wider(limit.edge),
            Cause::Sink => self.less(node),
            Cause::Join => self.sooner(node),
            Cause::Answer => self.answers(node),
            Cause::Moving => self.nearer(node),
            Cause::Source => format!(
                "nothing behind `{name}` is slower than what it makes: read a faster format, or larger frames with `frame_ms`"
            ),
        }
    }

    fn less(&self, sink: usize) -> String {
        let NodeLoad { name, mean_ns, .. } = &self.nodes[sink];
        let takes = match *mean_ns {
            ns if ns >= 1.0 => format!(
                "`[node.{name}]` takes {} per frame, so at most {:.0} a second",
                span(ns),
                1e9 / ns
            ),
            _ => format!("what `[node.{name}]` writes to takes no more"),
        };
        format!("{takes}: write less, or where the newest is enough `on_full = \"latest\"`")
    }

    fn answers(&self, call: usize) -> String {
        let NodeLoad { name, model, keys, .. } = &self.nodes[call];
        let has = |key: &str| keys.iter().any(|(known, _)| *known == key);
        let mut levers = Vec::new();
        if let Some((_, open)) = keys.iter().find(|(known, _)| *known == "in_flight") {
            let open = open.as_ref().and_then(|open| open.parse::<u64>().ok()).unwrap_or(1);
            levers.push(format!(
                "`in_flight = {}` in `[node.{name}]` has more questions open at once, where whoever answers can take them",
                (2 * open).min(1_024)
            ));
        }
        if let Some(model) = model {
            levers.push(format!("a faster `[model.{model}]`"));
        }
        match (has("within_ms"), has("fallback")) {
            (true, true) => levers.push(format!(
                "`within_ms` of `{name}` says how long to wait, `fallback` what stands in"
            )),
            (true, false) => levers.push(format!("`within_ms` of `{name}` says how long to wait")),
            _ => {}
        }
        match levers.is_empty() {
            true => format!("fewer questions at `{name}`, or faster answers"),
            false => levers.join("; or "),
        }
    }

    fn compute(&self, node: usize) -> String {
        let name = &self.nodes[node].name;
        let mean = span(self.nodes[node].mean_ns);
        let core = self.nodes[node].core.unwrap_or(0);
        let busy: f64 = self.on_core(core).map(|other| self.nodes[other].busy_ns()).sum();
        if self.nodes[node].core.is_none() {
            return format!(
                "less work per frame in `[node.{name}]` ({mean} now), fewer sessions, or more `--cores`"
            );
        }
        // It has the core for itself as good as now.
        let alone = self.nodes[node].busy_ns() > ALONE * busy;
        match self.idle_core(core) {
            Some(idle) if !alone => {
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
        let is_spread = self.nodes[node].core.is_none();
        let Some(to) = self.idle_core(from).filter(|_| !is_spread) else {
            return self.compute(node);
        };
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
        let [from, name] = [edge.from, edge.to].map(|node| &self.nodes[node].name);
        let place = match edge.is_written {
            true => format!("where `[node.{name}]` takes from `{from}`"),
            false => format!("in `[node.{name}]`"),
        };
        match ring.frames_per_s {
            rate if rate > 0.0 => {
                let ms = (frames as f64 * 1e3 / rate).ceil();
                format!("`capacity_ms = {ms:.0}` {place} holds {frames} frames")
            }
            _ => format!(
                "a larger `capacity_ms` {place}: for {frames} frames, it holds {}",
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
