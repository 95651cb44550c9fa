//! What can be known of one node before it runs: keys that change nothing, cores that are not
//! there, bypasses that cannot be.

use crate::{
    graph::{Code, Diagnostic, OnFault, OnFull, Place},
    kind::Placement,
};

use super::{
    agree::{can_bypass, shape_of},
    draft::{Draft, PlanOptions},
};

impl Draft<'_> {
    /// Checks the reserved keys of every node against what its kind is.
    pub(super) fn check_nodes(&mut self, options: &PlanOptions) {
        let mut problems = Vec::new();
        for number in 0..self.nodes.len() {
            let mut found: Vec<Diagnostic> = Vec::new();
            found.extend(self.check_core(number, options.cores));
            found.extend(self.check_bypass(number));
            self.without_effect(number, &mut found);
            let name = &self.nodes[number].spec.name.value;
            problems.extend(found.into_iter().map(|problem| problem.of_node(name)));
        }
        self.problems.extend(problems);
    }

    fn check_core(&self, number: usize, cores: usize) -> Option<Diagnostic> {
        let core = self.nodes[number].spec.options.core.as_ref()?;
        if (core.value as usize) < cores {
            return None;
        }
        let (are, choose) = match cores {
            1 => ("is one data core".to_owned(), "leave `core` out, or choose 0".to_owned()),
            _ => (format!("are {cores} data cores"), format!("choose one from 0 to {}", cores - 1)),
        };
        let message = format!("`core` = {}, but there {are}", core.value);
        Some(Diagnostic::error(Code::OutOfRange, message).at(&core.place).hint(choose))
    }

    fn check_bypass(&self, number: usize) -> Option<Diagnostic> {
        let node = &self.nodes[number];
        let on_fault = node.spec.options.on_fault.as_ref()?;
        let (kind, name) = (node.kind?, &node.spec.name.value);
        if on_fault.value != OnFault::Bypass {
            return None;
        }
        let why = if kind.is_source() {
            "it has no input".to_owned()
        } else if kind.is_sink() {
            "it has no output".to_owned()
        } else {
            let outline = node.outline.as_ref()?;
            if can_bypass(kind, &node.inputs, outline) {
                return None;
            }
            match (&outline.align, &node.inputs[..], &outline.outputs[..]) {
                (None, [input, ..], [output, ..]) => {
                    match (shape_of(&input.format), shape_of(output)) {
                        (takes, gives) if takes != gives => {
                            format!("it takes {takes} and gives {gives}")
                        }
                        _ => format!("it takes {} and gives {output}", input.format),
                    }
                }
                _ => "it joins several inputs".to_owned(),
            }
        };
        let message = format!("`{name}` cannot be bypassed: {why}");
        let problem = Diagnostic::error(Code::CannotBypass, message).at(&on_fault.place);
        Some(problem.hint("choose `restart`, `stop` or `hold_last`"))
    }

    fn without_effect(&self, number: usize, found: &mut Vec<Diagnostic>) {
        let node = &self.nodes[number];
        let (Some(kind), options) = (node.kind, &node.spec.options) else { return };
        let mut warn = |key: &str, place: Option<&Option<Place>>, why: &str| {
            let Some(place) = place else { return };
            let message = format!("`{key}` changes nothing here: {why}");
            found.push(Diagnostic::warning(Code::NoEffect, message).at(place).hint("leave it out"));
        };
        let waits = kind.placement == Placement::Waits;
        let stage = options.stage.as_ref().map(|stage| &stage.place);
        let core = options.core.as_ref().map(|core| &core.place);
        let frame_ms = options.frame_ms.as_ref().map(|ms| &ms.place);
        let idle_ms = options.idle_ms.as_ref().map(|ms| &ms.place);
        let max_wait_ms = options.max_wait_ms.as_ref().map(|ms| &ms.place);
        let on_full = options.on_full.as_ref().map(|on_full| &on_full.place);
        let capacity_ms = options.capacity_ms.as_ref().map(|ms| &ms.place);
        if waits {
            warn("stage", stage, "what waits runs on no data core");
            warn("core", core, "what waits runs on no data core");
        }
        if kind.is_source() {
            warn("on_full", on_full, "a source has no input");
            warn("capacity_ms", capacity_ms, "a source has no input");
        } else {
            warn("frame_ms", frame_ms, "only sources choose the length of frames");
        }
        if !(kind.is_source() && kind.live) {
            warn("idle_ms", idle_ms, "only live sources fall silent");
        }
        if node.connected && node.in_edges.len() < 2 {
            warn("max_wait_ms", max_wait_ms, "there are no two inputs to wait for");
        }
        if options.on_full.as_ref().is_some_and(|on_full| on_full.value == OnFull::Latest) {
            warn("capacity_ms", capacity_ms, "`latest` keeps one frame");
        }
    }
}
