//! What can be known of the whole graph before it runs: joins that wait in vain or too long,
//! outputs that lead nowhere.

use crate::{
    align::{AlignSpec, HELD_FRAMES_MAX as HELD_FRAMES},
    flush::ROOTS_MAX,
    format::Format,
    graph::{Code, Diagnostic, OnFull, Spanned},
    kind::{Kind, Policy},
};

use super::{
    RingPlan,
    draft::{Draft, DraftNode},
    hosts::is_root,
    rings::FRAMES_MAX,
    words::millis,
};

impl Draft<'_> {
    /// Checks joins and ends of a graph whose formats are agreed. Enlarges rings that a join
    /// would otherwise wait behind, where nobody has written how large they are.
    pub(super) fn check_graph(&mut self, rings: &mut [Option<RingPlan>]) {
        let mut problems = Vec::new();
        self.check_ends(&mut problems);
        let late_ns = self.lateness();
        for number in 0..self.nodes.len() {
            if let Some(align) = self.align(number) {
                self.check_wait(number, align, &mut problems);
                self.check_room(number, align, &late_ns, rings, &mut problems);
            }
        }
        self.check_answers(&mut problems);
        self.check_flushes(&mut problems);
        self.check_doors(&mut problems);
        self.check_budgets(&mut problems);
        self.check_settling(&mut problems);
        self.problems.extend(problems);
    }

    pub(super) fn name(&self, node: usize) -> &str {
        &self.nodes[node].spec.name.value
    }

    pub(super) fn align(&self, node: usize) -> Option<AlignSpec> {
        self.nodes[node].outline.as_ref().and_then(|outline| outline.align)
    }

    /// The written key of a join that says how long it waits.
    fn max_wait(&self, node: usize) -> Option<&Spanned<f64>> {
        self.nodes[node].spec.options.max_wait_ms.as_ref()
    }

    fn check_ends(&self, problems: &mut Vec<Diagnostic>) {
        let offers = !self.spec.outlets.is_empty();
        if !offers && !self.nodes.iter().any(|node| node.kind.is_some_and(Kind::is_sink)) {
            let message = format!("nothing leaves the graph `{}`", self.spec.name.value);
            let problem = Diagnostic::warning(Code::NothingLeaves, message);
            let last = self.nodes.last().map_or("…", |node| &node.spec.name.value);
            problems.push(
                problem
                    .at(&self.spec.name.place)
                    .of(format!("graph `{}`", self.spec.name.value))
                    .hint(format!("add a sink, with `from = \"{last}\"`, or nothing will be seen")),
            );
            return;
        }
        let offered = self.spec.offered();
        for node in &self.nodes {
            let name = &node.spec.name.value;
            let is_left = node.out_edges.is_empty() && !offered.contains(name);
            if is_left && node.kind.is_some_and(|kind| !kind.is_sink()) {
                let message = format!("nobody takes what `{name}` delivers");
                let problem = Diagnostic::warning(Code::UnusedOutput, message);
                let problem = problem.at(&node.spec.name.place).of_node(name);
                problems.push(problem.hint("feed a node from it, or write `enabled = false`"));
            }
        }
    }

    /// Where sessions come and go at a node, each belongs to a visitor of that node: others find none.
    fn check_doors(&self, problems: &mut Vec<Diagnostic>) {
        let has_door = |kind: &&Kind| kind.door.is_some();
        let door = self.nodes.iter().position(|node| node.kind.as_ref().is_some_and(has_door));
        let Some(door) = door else { return };
        for (number, node) in self.nodes.iter().enumerate() {
            let waits = |kind: &&Kind| kind.is_source() && (kind.door.is_some() || kind.answers);
            if number == door || !node.kind.as_ref().is_some_and(waits) {
                continue;
            }
            let name = &node.spec.name.value;
            let message = format!(
                "`{name}` waits for visitors, but sessions come and go with those of `{}`",
                self.name(door)
            );
            let problem = Diagnostic::error(Code::DoorClash, message).at(&node.spec.op.place);
            let hint = "make two graphs of them, each with a port of its own";
            problems.push(problem.of_node(name).hint(hint));
        }
    }

    /// Frames tell with one number whose flushes their sender knew, of so many nodes at most.
    fn check_flushes(&self, problems: &mut Vec<Diagnostic>) {
        let flush = |node: &&DraftNode<'_>| node.kind.is_some_and(is_root);
        let count = self.nodes.iter().filter(flush).count();
        if let Some(node) = self.nodes.iter().filter(flush).nth(ROOTS_MAX) {
            let name = &node.spec.name.value;
            let op = &node.spec.op;
            let message =
                format!("{count} nodes can be interrupted; a graph has at most {ROOTS_MAX}");
            let problem = Diagnostic::error(Code::OutOfRange, message).at(&op.place).of_node(name);
            let hint =
                format!("merge what leads to several of them, and put one `{}` there", op.value);
            problems.push(problem.hint(hint));
        }
    }

    /// What nobody answers is asked in vain.
    fn check_answers(&self, problems: &mut Vec<Diagnostic>) {
        let answers = |number: usize| self.nodes[number].kind.is_some_and(|kind| kind.answers);
        let mut leads = vec![false; self.nodes.len()];
        for number in (0..self.nodes.len()).rev() {
            let node = &self.nodes[number];
            let mut next = node.out_edges.iter().map(|&edge| self.edges[edge].to.0);
            let is_source = node.kind.is_some_and(|kind| kind.is_source());
            leads[number] = (answers(number) && !is_source) || next.any(|next| leads[next]);
            if is_source && answers(number) && !leads[number] {
                let (name, op) = (&node.spec.name.value, &node.spec.op.value);
                let message = format!("nobody answers what `{name}` asks");
                let problem = Diagnostic::error(Code::NobodyAnswers, message);
                let problem = problem.at(&node.spec.op.place).of_node(name);
                let hint = format!("add a node with `op = {op:?}` and `from` = what the answer is");
                problems.push(problem.hint(hint));
            }
        }
    }

    /// How far the bounds of each node's outputs are behind the sources at most.
    fn lateness(&self) -> Vec<i64> {
        let mut late_ns: Vec<i64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let outline = node.outline.as_ref().expect("all nodes are planned");
            let above = node.in_edges.iter().map(|&edge| late_ns[self.edges[edge].from.0]).max();
            let own = outline.delay_ns.saturating_add(outline.look_back_ns);
            late_ns.push(above.unwrap_or(0).saturating_add(own));
        }
        late_ns
    }

    /// A join that gives up sooner than an input can come never has that input.
    fn check_wait(&self, node: usize, align: AlignSpec, problems: &mut Vec<Diagnostic>) {
        let Some(wait_ns) = align.max_wait_ns else { return };
        let inputs = &self.nodes[node].inputs;
        let fastest = inputs.iter().min_by_key(|input| input.delay_ns).expect("joins have inputs");
        // The first input of an aligned join is the one whose frames are waited with.
        let waited_for = inputs.iter().skip(usize::from(align.policy != Policy::Merge));
        for input in waited_for {
            let behind_ns = input.delay_ns.saturating_sub(fastest.delay_ns);
            if behind_ns <= wait_ns {
                continue;
            }
            let (behind, name) = (millis(behind_ns), self.name(node));
            let (limit, place) = match self.max_wait(node) {
                Some(written) => (format!("`max_wait_ms` = {:?}", written.value), &written.place),
                None => (format!("its wait of {} ms", millis(wait_ns)), &input.place),
            };
            let message = format!(
                "`{name}` always gives `{}` up: {limit} is less than the {behind} ms by which it is \
                 behind `{}`",
                input.label, fastest.label
            );
            let problem = Diagnostic::error(Code::NeverSettles, message).at(place).of_node(name);
            let enough = (behind_ns as f64 / 1e6).ceil();
            problems.push(problem.hint(format!("wait at least {enough:?} ms, or without limit")));
        }
    }

    /// While a join waits for a late input, the others need room, or who feeds all of them
    /// cannot go on.
    fn check_room(
        &self,
        node: usize,
        align: AlignSpec,
        late_ns: &[i64],
        rings: &mut [Option<RingPlan>],
        problems: &mut Vec<Diagnostic>,
    ) {
        let edges = &self.nodes[node].in_edges;
        let latest = Latest::of(edges.iter().map(|&edge| self.end_ns(edge, late_ns)));
        for (line, &edge) in edges.iter().enumerate() {
            let Some(ring) = rings[edge].filter(|ring| ring.on_full == OnFull::Block) else {
                continue;
            };
            let latest = edges[latest.besides(line)];
            let looks_ahead = matches!(align.policy, Policy::Nearest | Policy::Linear);
            let tolerance_ns = if looks_ahead { align.tolerance_ns } else { 0 };
            let behind_ns = self.end_ns(latest, late_ns).saturating_sub(self.edges[edge].delay_ns);
            let behind_ns = behind_ns.saturating_add(tolerance_ns);
            let behind_ns = behind_ns.min(align.max_wait_ns.unwrap_or(i64::MAX));
            let format = self.edges[edge].format.as_ref().expect("formats are agreed");
            let frames = (behind_ns as f64 / 1e9 * format.frames_per_second()).ceil() + 1.0;
            let frames = frames.max(0.0) as usize;
            let written = self.capacity_ms(edge);
            let capacity = match written {
                Some(_) => ring.capacity,
                None => ring.capacity.max(frames.min(FRAMES_MAX)),
            };
            rings[edge] = Some(RingPlan { capacity, ..ring });
            if frames > capacity + HELD_FRAMES && self.feeds_both(edge, latest, rings) {
                let source = |edge: usize| &self.edges[edge].written.source;
                let (name, here, other) = (self.name(node), source(edge), source(latest));
                let message = format!(
                    "`{name}` would wait for ever: it needs {frames} frames of `{}` while `{}` is \
                     {} ms behind, and there is room for {}",
                    here.value,
                    other.value,
                    millis(behind_ns),
                    capacity + HELD_FRAMES,
                );
                let place = written.map_or(&here.place, |written| &written.place);
                let problem = Diagnostic::error(Code::DeadLock, message).at(place).of_node(name);
                problems.push(problem.hint(match written {
                    Some(_) if frames <= FRAMES_MAX + HELD_FRAMES => {
                        "leave `capacity_ms` out, and the ring is as large as it must be".to_owned()
                    }
                    _ => format!("set `max_wait_ms` on `{name}`, or let the edge drop"),
                }));
            }
        }
    }

    /// How far behind the sources an edge is, with the frame that must be whole first.
    fn end_ns(&self, edge: usize, late_ns: &[i64]) -> i64 {
        let edge = &self.edges[edge];
        late_ns[edge.from.0].saturating_add(edge.format.as_ref().map_or(0, frame_ns))
    }

    /// Whether somebody who cannot go on when `full` is full is needed for `other`.
    fn feeds_both(&self, full: usize, other: usize, rings: &[Option<RingPlan>]) -> bool {
        let above = |edge: usize, passes: &dyn Fn(usize) -> bool| {
            let mut met = vec![false; self.nodes.len()];
            let mut open = vec![edge];
            while let Some(edge) = open.pop() {
                let node = self.edges[edge].from.0;
                if passes(edge) && !std::mem::replace(&mut met[node], true) {
                    open.extend(&self.nodes[node].in_edges);
                }
            }
            met
        };
        // Devices are never held up, and an edge that drops holds nobody up.
        let holds_up = |edge: usize| {
            let live = self.nodes[self.edges[edge].from.0].kind.is_some_and(|kind| kind.live);
            !live && rings[edge].is_none_or(|ring| ring.on_full == OnFull::Block)
        };
        let (stuck, needed) = (above(full, &holds_up), above(other, &|_| true));
        stuck.iter().zip(&needed).any(|(&stuck, &needed)| stuck && needed)
    }
}

/// The two lines of a join that are most behind; a join may have thousands.
#[derive(Default)]
pub(super) struct Latest {
    first: usize,
    second: usize,
}

impl Latest {
    pub(super) fn of(behind_ns: impl Iterator<Item = i64>) -> Self {
        let (mut this, mut most) = (Self::default(), (i64::MIN, i64::MIN));
        for (line, behind_ns) in behind_ns.enumerate() {
            if behind_ns > most.0 {
                (this.second, most.1) = (this.first, most.0);
                (this.first, most.0) = (line, behind_ns);
            } else if behind_ns > most.1 {
                (this.second, most.1) = (line, behind_ns);
            }
        }
        this
    }

    /// The one most behind apart from `line`.
    pub(super) const fn besides(&self, line: usize) -> usize {
        if self.first == line { self.second } else { self.first }
    }
}

/// How long a frame lasts at most.
pub(super) fn frame_ns(format: &Format) -> i64 {
    match format {
        Format::Signal(signal) => signal.rate.span_ns(signal.frame_len as i64),
        Format::Image(image) => image.rate.span_ns(1),
        Format::Tensor(_) | Format::Event(_) => 0,
    }
}
