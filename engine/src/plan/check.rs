//! What can be known of one node before it runs: keys that change nothing, cores that are not
//! there, bypasses that cannot be, files that two of them want.

use std::collections::BTreeMap;

use crate::{
    files::{path_from, unwritable},
    graph::{Code, Diagnostic, OnFault, OnFull, Place, Spanned, Value},
    kind::{Placement, Used},
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
            found.extend(self.check_on_fault(number));
            self.without_effect(number, &mut found);
            let name = &self.nodes[number].spec.name.value;
            problems.extend(found.into_iter().map(|problem| problem.of_node(name)));
        }
        self.taken = self.check_files(options, &mut problems);
        self.check_stdout(&mut problems);
        self.problems.extend(problems);
    }

    /// What all nodes use outside the graph: the node's name, what it is, where it was written.
    fn uses(&self) -> impl Iterator<Item = (&str, &Used, &Option<Place>)> {
        self.nodes.iter().flat_map(|node| {
            let uses = node.outline.iter().flat_map(|outline| &outline.uses);
            uses.map(|used| {
                let written = node.params.written(used.param);
                let place = written.map_or(&node.spec.op.place, |written| &written.place);
                (node.spec.name.value.as_str(), &used.what, place)
            })
        })
    }

    /// No node writes what another reads or writes, or over the graph, or where it cannot. Gives what is read and written
    /// by whom, by identity.
    fn check_files(
        &self,
        options: &PlanOptions,
        problems: &mut Vec<Diagnostic>,
    ) -> BTreeMap<String, String> {
        let files = &*options.files;
        // By identity: who has it, whether it is written, where that was said.
        let mut taken: BTreeMap<String, (String, bool, &Option<Place>)> = BTreeMap::new();
        if let Some(id) = options.graph_file.as_deref().and_then(|path| files.identity(path)) {
            taken.insert(id, ("this graph".to_owned(), false, &None));
        }
        for id in self.spec.included().iter().filter_map(|file| files.identity(file.name())) {
            taken.entry(id).or_insert_with(|| ("this graph".to_owned(), false, &None));
        }
        // What sections name is read, whatever it is.
        for section in &self.spec.models {
            let mut texts = Vec::new();
            section.params.iter().for_each(|(_, value)| texts_in(value, &mut texts));
            for (text, place) in texts {
                let path = path_from(text, place, options.graph_file.as_deref());
                let who = || (format!("`[model.{}]`", section.name.value), false, place);
                if let Some(id) = files.identity(&path) {
                    taken.entry(id).or_insert_with(who);
                }
            }
        }
        for (name, used, place) in self.uses() {
            let (path, is_written) = match used {
                Used::Read(path) => (path, false),
                Used::Written(path) => (path, true),
                Used::Lines | Used::Alone => continue,
            };
            if is_written && let Err(error) = files.check_create(path) {
                problems.push(unwritable(path, &error).at(place).of_node(name));
                continue;
            }
            let Some(id) = files.identity(path) else { continue };
            let Some((other, other_writes, seen)) = taken.get(&id) else {
                taken.insert(id, (format!("`{name}`"), is_written, place));
                continue;
            };
            if !is_written && !other_writes {
                continue;
            }
            let (verb, other_verb) = (verb(is_written), verb(*other_writes));
            let message = match seen {
                None if other == "this graph" => {
                    format!("`{name}` {verb} `{path}`, which is {other}")
                }
                _ => format!("`{name}` {verb} `{path}`, which {other} {other_verb}"),
            };
            let problem = Diagnostic::error(Code::FileClash, message).at(place).of_node(name);
            let problem = problem.see(format!("{other} {other_verb} it"), seen);
            problems.push(problem.hint("write to another file: writing begins by emptying it"));
        }
        let said = |(who, writes, place): (String, bool, &Option<Place>)| match place {
            None if who == "this graph" => format!("is {who}"),
            _ => format!("{who} {}", verb(writes)),
        };
        taken.into_iter().map(|(id, by)| (id, said(by))).collect()
    }

    /// What must stand alone on standard output does.
    fn check_stdout(&self, problems: &mut Vec<Diagnostic>) {
        let writers =
            || self.uses().filter(|(_, used, _)| matches!(used, Used::Lines | Used::Alone));
        let Some((alone, ..)) = writers().find(|(_, used, _)| **used == Used::Alone) else {
            return;
        };
        for (name, _, place) in writers().filter(|(name, ..)| *name != alone) {
            let message =
                format!("`{name}` writes to standard output, among the rows of `{alone}`");
            let problem = Diagnostic::error(Code::FileClash, message).at(place).of_node(name);
            problems.push(problem.hint("give one of them a `file`"));
        }
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
        Some(problem.hint(match (kind.is_source(), kind.placement) {
            (true, Placement::Waits) => "choose `restart` or `stop`",
            (true, _) => "leave it out: a fault of what is generated ends the run",
            (false, _) => "choose `restart`, `stop` or `hold_last`",
        }))
    }

    /// A source that generates is not taken up in the middle, and no input asks a source again for
    /// what it said last.
    fn check_on_fault(&self, number: usize) -> Option<Diagnostic> {
        let node = &self.nodes[number];
        let (on_fault, kind) = (node.spec.options.on_fault.as_ref()?, node.kind?);
        let (message, hint) = match (on_fault.value, kind.placement) {
            (OnFault::Bypass | OnFault::Stop, _) => return None,
            _ if !kind.is_source() => return None,
            (OnFault::Restart, Placement::Waits) => return None,
            (OnFault::HoldLast, Placement::Waits) => {
                ("is the same as `stop` here: a source has no input", "choose `restart` or `stop`")
            }
            _ => {
                ("changes nothing here: a fault of what is generated ends the run", "leave it out")
            }
        };
        let message = format!("`on_fault` {message}");
        Some(Diagnostic::warning(Code::NoEffect, message).at(&on_fault.place).hint(hint))
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
        if options.realtime.as_ref().is_some_and(|realtime| realtime.value) {
            let place = options.realtime.as_ref().map(|realtime| &realtime.place);
            warn("realtime", place, "no thread asks for real-time scheduling yet");
        }
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

const fn verb(is_written: bool) -> &'static str {
    if is_written { "writes" } else { "reads" }
}
/// All texts that stand in a value, and where.
fn texts_in<'a>(value: &'a Spanned<Value>, to: &mut Vec<(&'a str, &'a Option<Place>)>) {
    match &value.value {
        Value::Text(text) => to.push((text, &value.place)),
        Value::List(items) => items.iter().for_each(|item| texts_in(item, to)),
        Value::Table(entries) => entries.iter().for_each(|(_, value)| texts_in(value, to)),
        _ => {}
    }
}
