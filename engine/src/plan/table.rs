//! The plan as a table for people: what `afferent check` prints.

use std::{collections::BTreeMap, fmt::Write};

use crate::graph::OnFull;

use super::{
    Home, Plan, PlanEdge, output_label,
    words::{counted, millis},
};

impl Plan {
    /// Every edge with its format, room, policy, guarantee and delay; then where nodes run; then
    /// sums. Aligned with blanks, for a font of fixed width.
    pub fn table(&self) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.edges.iter().map(|edge| self.row(edge)));
        let mut text = String::new();
        if rows.len() > 1 {
            columns(&rows, &mut text);
            text.push('\n');
        }
        columns(&self.places(), &mut text);
        text.push('\n');
        self.sums(&mut text);
        text
    }

    fn row(&self, edge: &PlanEdge) -> [String; 6] {
        let (policy, guarantee) = match edge.ring.map(|ring| ring.on_full) {
            None => ("–", "nothing lost"),
            // A device is not held up, whatever is written.
            Some(OnFull::Block) if self.nodes[edge.from.0].kind.live => {
                (OnFull::Block.word(), "newest dropped when full")
            }
            Some(on_full) => (on_full.word(), guarantee(on_full)),
        };
        let capacity = match edge.ring {
            None => "fused".to_owned(),
            Some(ring) => {
                let frames = counted(ring.capacity, "frame");
                match edge.format.frames_per_second() {
                    rate if rate > 0.0 => {
                        let span_ns = ring.capacity as f64 * 1e9 / rate;
                        format!("{frames} ({} ms)", millis(span_ns as i64))
                    }
                    _ => frames,
                }
            }
        };
        [
            format!("{} → {}", self.source_label(edge), self.input_label(edge)),
            edge.format.to_string(),
            capacity,
            policy.to_owned(),
            guarantee.to_owned(),
            format!("{} ms", millis(edge.delay_ns)),
        ]
    }

    /// `node`, `node.port`, `node[channels]`.
    pub(super) fn source_label(&self, edge: &PlanEdge) -> String {
        let (node, port) = edge.from;
        let mut label = output_label(&self.nodes[node].name, self.nodes[node].kind, port);
        if let (Some(_), Some(signal)) = (&edge.pick, edge.format.as_signal()) {
            let names: Vec<&str> =
                signal.channels.iter().map(|channel| &channel.name[..]).collect();
            match names.len() {
                0..=4 => write!(label, "[{}]", names.join(",")),
                _ => write!(label, "[{},…,{}]", names[0], names[names.len() - 1]),
            }
            .expect("writing to a String cannot fail");
        }
        label
    }

    /// `node`, or `node.port` where the kind has several inputs.
    fn input_label(&self, edge: &PlanEdge) -> String {
        let (node, line) = edge.to;
        let node = &self.nodes[node];
        match node.kind.inputs {
            [_, _, ..] => format!("{}.{}", node.name, node.inputs[line].port),
            _ => node.name.clone(),
        }
    }

    /// A line per stage, and one for what waits.
    fn places(&self) -> Vec<[String; 3]> {
        let names = |nodes: &mut dyn Iterator<Item = usize>| {
            nodes.map(|node| self.nodes[node].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut lines: Vec<[String; 3]> = Vec::new();
        for (number, stage) in self.stages.iter().enumerate() {
            let core = stage.core.map_or("any core".to_owned(), |core| format!("core {core}"));
            let nodes = names(&mut stage.nodes.iter().copied());
            lines.push([self.stage_label(number), core, nodes]);
        }
        let waits = (0..self.nodes.len()).filter(|&node| self.nodes[node].home == Home::Io);
        let waits = names(&mut waits.into_iter());
        if !waits.is_empty() {
            lines.push(["i/o".to_owned(), "no core".to_owned(), waits]);
        }
        lines
    }

    /// `stage 2`, with the name it was given.
    pub(super) fn stage_label(&self, number: usize) -> String {
        let first = self.stages[number].nodes.first();
        match first.and_then(|&node| self.nodes[node].stage_name.as_ref()) {
            Some(name) => format!("stage {number} `{name}`"),
            None => format!("stage {number}"),
        }
    }

    fn sums(&self, text: &mut String) {
        let rings = self.edges.iter().filter(|edge| edge.ring.is_some()).count();
        let nodes = counted(self.nodes.len(), "node");
        let edges = counted(self.edges.len(), "edge");
        let stages = counted(self.stages.len(), "stage");
        let mut line = |label: &str, value: String| {
            writeln!(text, "{label:<9}{value}").expect("writing to a String cannot fail");
        };
        line("sum", format!("{nodes}, {edges} ({}), {stages}", counted(rings, "ring")));
        let mut delays: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| node.kind.is_sink()) {
            let delay_ns = node.inputs.iter().map(|input| input.delay_ns).max().unwrap_or(0);
            delays.entry(delay_ns).or_default().push(&node.name);
        }
        if !delays.is_empty() {
            let delays = delays.iter().map(|(ns, names)| {
                let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
                let more = names.len().saturating_sub(NAMES_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{shown}{more} {} ms", millis(*ns))
            });
            let delays = delays.collect::<Vec<_>>().join("; ");
            line("delay", format!("{delays}, by construction"));
        }
        if let Some(deadline_ns) = self.deadline_ns {
            let ms = millis(deadline_ns);
            line("latency", format!("{ms} ms allowed from the door to each sink"));
        }
        if let Some(duration) = self.duration() {
            line("length", format!("{} s", duration.secs_f64()));
        }
    }
}

const HEAD: [&str; 6] = ["edge", "format", "capacity", "policy", "guarantee", "delay"];

/// Sinks named on one line.
const NAMES_MAX: usize = 4;

const fn guarantee(on_full: OnFull) -> &'static str {
    match on_full {
        OnFull::Block => "nothing lost",
        OnFull::DropNewest => "newest dropped when full",
        OnFull::DropOldest => "oldest dropped when full",
        OnFull::Latest => "all but the latest dropped",
    }
}

/// Rows with two blanks between columns, each as wide as it must be.
fn columns<const N: usize>(rows: &[[String; N]], text: &mut String) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line += cell;
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
