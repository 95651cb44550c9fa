//! What to change.

use super::{Cause, Limit, Load, NodeLoad, Role, find::span, late::BEHIND_NS};

/// Who has so much of a core's work gains nothing by being moved.
const ALONE: f64 = 0.8;
/// A ring that was too small is to hold so much more than what has come at once.
const SPARE: f64 = 1.5;
/// An input whose frames are so much rarer than another's comes late because of that.
const SELDOM: f64 = 0.8;
/// A source that takes less for a frame spends most of that on the frame, not on its samples.
const SHORT_NS: f64 = 1_000.0;

impl Load {
    /// What to change, with the key and its value.
    pub(super) fn change(&self, limit: &Limit) -> String {
        if limit.cause == Cause::Machine {
            return self.less_beside();
        }
        let Some(node) = limit.node else { return String::new() };
        let NodeLoad { name, is_written, .. } = &self.nodes[node];
        match limit.cause {
            Cause::Nothing | Cause::Machine => String::new(),
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
            Cause::Source => self.faster_source(node),
        }
    }

    /// Who takes most gives most back.
    fn less_beside(&self) -> String {
        let on_core = (0..self.nodes.len()).filter(|&node| self.nodes[node].is_on_core());
        let most = on_core.max_by(|&a, &b| self.share(a).total_cmp(&self.share(b)));
        let most = most.map_or(String::new(), |node| {
            format!(
                "; or less work per frame in `[node.{}]`, which takes most",
                self.nodes[node].name
            )
        });
        format!(
            "a machine with less else to do, or a higher priority for this program (`nice`){most}"
        )
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
            let more = match self.could_have_more_cores() {
                true => format!(", fewer sessions, or `--cores {}`", self.processors),
                false => " or fewer sessions".to_owned(),
            };
            return format!("less work per frame in `[node.{name}]` ({mean} now){more}");
        }
        // It has the core for itself as good as now.
        let alone = self.nodes[node].busy_ns() > ALONE * busy;
        match self.idle_core(core) {
            Some(idle) if !alone => {
                format!("`core = {idle}` in `[node.{name}]` moves it to a core that has time left")
            }
            _ if self.cores.len() < 2 && self.could_have_more_cores() && !alone => format!(
                "`--cores 2` and `core = 1` in `[node.{name}]` give it a core for itself; else less work per frame ({mean} now)"
            ),
            _ => format!(
                "less work per frame in `[node.{name}]` ({mean} now): a lower rate before it, or a cheaper kind"
            ),
        }
    }

    /// Nodes whose leaving makes a core as busy as the one that they go to.
    fn spread(&self, node: usize) -> String {
        let Some(from) = self.nodes[node].core else { return self.compute(node) };
        let idle = self.idle_core(from);
        let to = idle.unwrap_or(self.cores.len());
        let gap = self.busy(from).max(self.bodies(from)) - idle.map_or(0.0, |idle| self.busy(idle));
        // What the runtime takes goes where the bodies go.
        let of_bodies = self.bodies(from) / self.busy(from).max(self.bodies(from)).max(1e-9);
        let moved = self.to_move(from, gap * of_bodies);
        if moved.is_empty() {
            return self.compute(node);
        }
        let names: Vec<String> =
            moved.iter().map(|&node| format!("`[node.{}]`", self.nodes[node].name)).collect();
        let names = match &names[..] {
            [names @ .., last] if !names.is_empty() => format!("{} and {last}", names.join(", ")),
            names => names.concat(),
        };
        match idle {
            Some(_) => format!("`core = {to}` in {names}"),
            None => format!("`--cores {}` and `core = {to}` in {names}", to + 1),
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
        match edge.frames_per_s {
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
        let Some(late) = self.late_input(join) else {
            return format!("`max_wait_ms` in `[node.{name}]` limits how long it waits");
        };
        let from = &self.nodes[self.edges[late].from].name;
        let behind_ns = self.behind_others(late);
        if behind_ns >= BEHIND_NS {
            let behind = span(behind_ns as f64);
            return format!(
                "what `{from}` says is {behind} behind the other inputs by construction: filters with less delay \
                 before it, or a deadline above that"
            );
        }
        let wait = format!("`max_wait_ms` in `[node.{name}]` limits how long it waits");
        let source = self.source_of(late);
        let inputs = self.edges.iter().filter(|edge| edge.to == join);
        let most = inputs.map(|edge| edge.frames_per_s).fold(0.0, f64::max);
        let own = self.edges[late].frames_per_s;
        if self.nodes[source].role == Role::Source && own > 0.0 && own < SELDOM * most {
            let (own_ms, most_ms) = (1e3 / own, 1e3 / most);
            let source = &self.nodes[source].name;
            return format!(
                "`{from}` comes last, in frames of {own_ms:.0} ms: `frame_ms = {most_ms:.0}` in `[node.{source}]`; or {wait}"
            );
        }
        format!("`{from}` comes last: what is sooner there; or {wait}")
    }

    /// What a source does takes most of the time.
    fn faster_source(&self, source: usize) -> String {
        let NodeLoad { name, mean_ns, keys, .. } = &self.nodes[source];
        let has = |key: &str| keys.iter().any(|(known, _)| *known == key);
        let edge = self.edges.iter().find(|edge| edge.from == source);
        let frames_per_s = edge.map_or(0.0, |edge| edge.frames_per_s);
        let nobody = format!("nothing behind `{name}` is slower than what it makes");
        if *mean_ns < SHORT_NS && frames_per_s > 0.0 {
            let frame_ms = 1e4 / frames_per_s;
            return format!(
                "{nobody}: `frame_ms = {frame_ms:.0}` in `[node.{name}]` makes ten frames one, and most of {} a frame \
                 is what a frame costs; what is live then waits for {frame_ms:.0} ms to be full",
                span(*mean_ns)
            );
        }
        let fewer = ["columns", "channels", "rate_hz"].into_iter().find(|key| has(key));
        let fewer = match fewer {
            Some("rate_hz") if !has("file") => format!("a lower `rate_hz` in `[node.{name}]`"),
            Some(key @ ("columns" | "channels")) => format!("fewer `{key}` in `[node.{name}]`"),
            _ => format!("less of it, or from elsewhere than `[node.{name}]`"),
        };
        match has("file") {
            true => format!("{nobody}: {fewer}, or a file of a faster format"),
            false => format!("{nobody}: {fewer}"),
        }
    }
}
