//! The plan as a table for people: what `afferent check` prints.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
};

use crate::graph::OnFull;

use super::{
    Home, Plan, PlanEdge, output_label,
    words::{counted, few, millis},
};

impl Plan {
    /// Every edge with its format, room, policy, guarantee and delay; the fields of events; where
    /// nodes run; sums. Aligned with blanks, for a font of fixed width.
    pub fn table(&self) -> String {
        self.table_within(usize::MAX)
    }

    /// As [`Plan::table`], on so many columns: where rows do not fit, every edge takes a few lines.
    pub fn table_within(&self, width: usize) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.edges.iter().map(|edge| self.row(edge)));
        let mut text = String::new();
        if rows.len() > 1 {
            if widths(&rows).iter().sum::<usize>() + BETWEEN * (HEAD.len() - 1) <= width {
                columns(&rows, &mut text);
            } else {
                blocks(&rows, width, &mut text);
            }
            text.push('\n');
        }
        let fields = self.fields();
        if !fields.is_empty() {
            for line in fields {
                wrapped(&line, width, &mut text);
            }
            text.push('\n');
        }
        for [stage, core, nodes] in aligned(&self.places()) {
            wrapped(&format!("{stage}{core}{nodes}"), width, &mut text);
        }
        text.push('\n');
        self.sums(width, &mut text);
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
        let format = match edge.format.as_event() {
            // Their fields stand below, once.
            Some(_) => "events".to_owned(),
            None => edge.format.to_string(),
        };
        [
            format!("{} → {}", self.source_label(edge), self.input_label(edge)),
            format,
            capacity,
            policy.to_owned(),
            guarantee.to_owned(),
            format!("{} ms", millis(edge.delay_ns)),
        ]
    }

    /// What the events of each output hold: a line for every output that somebody takes.
    fn fields(&self) -> Vec<String> {
        let mut told = HashSet::new();
        let events = self.edges.iter().filter_map(|edge| Some((edge, edge.format.as_event()?)));
        let first = events.filter(|(edge, _)| told.insert(edge.from));
        let line = first.map(|(edge, event)| {
            let names: Vec<&str> = event.fields.iter().map(|field| field.name).collect();
            format!("events   {}: {}", self.source_label(edge), names.join(", "))
        });
        let mut lines: Vec<String> = line.take(EVENTS_MAX + 1).collect();
        if lines.len() > EVENTS_MAX {
            lines[EVENTS_MAX] = "events   … and those of others".to_owned();
        }
        lines
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
            few(nodes.map(|node| self.nodes[node].name.as_str()))
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

    fn sums(&self, width: usize, text: &mut String) {
        let rings = self.edges.iter().filter(|edge| edge.ring.is_some()).count();
        let nodes = counted(self.nodes.len(), "node");
        let edges = counted(self.edges.len(), "edge");
        let stages = counted(self.stages.len(), "stage");
        let mut line =
            |label: &str, value: String| wrapped(&format!("{label:<9}{value}"), width, text);
        line("sum", format!("{nodes}, {edges} ({}), {stages}", counted(rings, "ring")));
        let mut delays: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| node.kind.is_sink()) {
            let delay_ns = node.inputs.iter().map(|input| input.delay_ns).max().unwrap_or(0);
            delays.entry(delay_ns).or_default().push(&node.name);
        }
        if !delays.is_empty() {
            let delays = delays
                .iter()
                .map(|(ns, names)| format!("{} {} ms", few(names.iter().copied()), millis(*ns)));
            let delays = delays.collect::<Vec<_>>().join("; ");
            line("delay", format!("{delays}, by construction"));
        }
        if let Some(settling) = self.settling_line() {
            line("settling", settling);
        }
        let late = self.nodes.iter().filter(|node| node.look_back_ns > 0);
        let late = late.map(|node| {
            let (name, kind) = (&node.name, node.kind.name);
            let usual = node.look_back_usual_ns;
            let usual = usual.map_or(String::new(), |ns| format!("usually {} ms, ", millis(ns)));
            let most = millis(node.look_back_ns);
            format!(
                "`{name}` {usual}at most {most} ms after the moment itself, besides the delay \
                 (`afferent explain {kind}`)"
            )
        });
        let waiting = self.nodes.iter().filter_map(|node| {
            let (output, [usual, most]) = node.decides_after_ns?;
            let (name, port) = (&node.name, node.kind.outputs[output].name);
            let [usual, most] = [usual, most].map(millis);
            Some(format!("`{name}.{port}` usually {usual} ms, at most {most} ms after the moment itself, as its parameters wait"))
        });
        for decider in late.take(NAMES_MAX).chain(waiting.take(NAMES_MAX)) {
            line("decision", decider);
        }
        if let Some(deadline_ns) = self.deadline_ns {
            let ms = millis(deadline_ns);
            line(
                "engine",
                format!("{ms} ms of latency allowed from the door to each sink, besides both"),
            );
        }
        if let Some(duration) = self.duration() {
            line("length", format!("{} s", duration.secs_f64()));
        }
    }
}

const HEAD: [&str; 6] = ["edge", "format", "capacity", "policy", "guarantee", "delay"];

/// Nodes named in one sum.
const NAMES_MAX: usize = 4;

/// Outputs whose fields are listed.
const EVENTS_MAX: usize = 20;

/// Blanks between columns.
const BETWEEN: usize = 2;

const fn guarantee(on_full: OnFull) -> &'static str {
    match on_full {
        OnFull::Block => "nothing lost",
        OnFull::DropNewest => "newest dropped when full",
        OnFull::DropOldest => "oldest dropped when full",
        OnFull::Latest => "all but the latest dropped",
    }
}

/// How wide each column must be.
fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

/// The cells filled up to their columns, with blanks between them.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<[String; N]> {
    let widths = widths(rows);
    let fill = |row: &[String; N]| {
        let mut cells = row.clone();
        for (cell, width) in cells.iter_mut().zip(widths) {
            let blanks = width + BETWEEN - cell.chars().count();
            cell.extend(std::iter::repeat_n(' ', blanks));
        }
        cells
    };
    rows.iter().map(fill).collect()
}

/// A line per row.
fn columns<const N: usize>(rows: &[[String; N]], text: &mut String) {
    for row in aligned(rows) {
        text.push_str(row.concat().trim_end());
        text.push('\n');
    }
}

/// A few lines per row: the first cell, and the others with what they are called below it.
fn blocks<const N: usize>(rows: &[[String; N]], width: usize, text: &mut String) {
    let Some((head, rows)) = rows.split_first() else { return };
    for row in rows {
        wrapped(&row[0], width, text);
        let named = head.iter().zip(row).skip(1).filter(|(_, cell)| *cell != "–");
        let named = named.map(|(name, cell)| format!("{name} {cell}"));
        wrapped(&format!("    {}", named.collect::<Vec<_>>().join(", ")), width, text);
    }
}

/// A line, wrapped at blanks; what does not fit stands below, further in.
fn wrapped(line: &str, width: usize, text: &mut String) {
    const INDENT: usize = 9;
    let line = line.trim_end();
    if line.chars().count() <= width {
        text.push_str(line);
        text.push('\n');
        return;
    }
    let mut columns = 0;
    for part in line.split_inclusive(' ') {
        let letters = part.trim_end().chars().count();
        if columns > INDENT && columns + letters > width {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', INDENT));
            columns = INDENT;
        }
        text.push_str(part);
        columns += part.chars().count();
    }
    text.push('\n');
}
