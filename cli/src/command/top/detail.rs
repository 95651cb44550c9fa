//! One node in full.

use crate::status::{clock, span};

use super::{
    figures::{Figures, History, Latency},
    pages::{Seen, due, edges, hz, percent, rate, time},
    table::{Cell, Line, Tone, cut},
};

/// Everything known about a node, on so many columns.
pub(super) fn lines(seen: Seen<'_>, history: &History, at: usize, width: usize) -> Vec<Line> {
    let Some((shape, figures)) = seen.shape.nodes.get(at).zip(seen.figures.nodes.get(at)) else {
        return vec![Line::plain("there is no such node any more")];
    };
    let mut lines = Vec::new();
    lines.push(Line {
        cells: vec![
            Cell::new(&shape.name, Tone::Bold),
            Cell::new(format!("  {}", shape.kind), Tone::Plain),
            Cell::new(cut(&format!("  {}", shape.summary), width), Tone::Faint),
        ],
        ..Line::default()
    });
    let stage =
        shape.stage.and_then(|stage| seen.shape.stages.get(stage).zip(seen.look.stages.get(stage)));
    let place = match (&stage, shape.core) {
        (None, _) => "off the data cores, as it waits for the world".to_owned(),
        (Some((stage, _)), core) => {
            let core = core.map_or("any core".to_owned(), |core| format!("core {core}"));
            format!("stage {} on {core}, with {}", stage.name, few(&stage.nodes, &shape.name))
        }
    };
    put(&mut lines, width, ("runs", place, Tone::Plain));
    let mut work = format!("{} calls/s", rate(figures.calls_per_s));
    if let (Some(us), Some(share)) = (figures.mean_us, figures.core_share) {
        work += &format!(", {} each, {} of a core", span((us * 1e3) as i64), percent(share));
    }
    put(&mut lines, width, ("work", work, Tone::Plain));
    if shape.delay_ms > 0.0 {
        put(
            &mut lines,
            width,
            (
                "delay",
                format!("{} ms behind the sources, by construction", rate(shape.delay_ms)),
                Tone::Plain,
            ),
        );
    }
    if let Some(source) = seen.figures.sources.iter().find(|source| source.at == at) {
        let rates = match (source.nominal_hz, source.measured_hz) {
            (Some(nominal), Some(measured)) => {
                format!(", {} of {}", hz(measured), due(nominal, seen))
            }
            _ => String::new(),
        };
        put(
            &mut lines,
            width,
            ("source", format!("{}{rates}, {} gaps", source.health, source.gaps), Tone::Plain),
        );
    }
    let troubles = format!(
        "{} restarts, {} poison, {} late; on_fault = {}",
        figures.restarts, figures.poison, figures.late, shape.on_fault
    );
    let has_trouble = figures.restarts + figures.poison + figures.late > 0;
    let tone = if has_trouble { Tone::Warning } else { Tone::Plain };
    put(&mut lines, width, ("faults", troubles, tone));
    if let Some(fault) = seen.look.nodes.get(at).and_then(|node| node.fault.as_ref()) {
        let ago = clock((seen.look.at_s - fault.at_s).max(0.0));
        put(&mut lines, width, ("last fault", format!("{} ago: {}", ago, fault.what), Tone::Error));
    }
    if let Some(sink) = seen.figures.sinks.iter().find(|sink| sink.at == at) {
        put(&mut lines, width, ("latency", latency(sink.lately, sink.since_start), Tone::Plain));
        if let Some(limit) = sink.deadline_ms {
            put(&mut lines, width, ("deadline", span((limit * 1e6) as i64), Tone::Plain));
        }
    } else if let Some(stage) = shape.stage.and_then(|stage| seen.figures.stages.get(stage)) {
        put(
            &mut lines,
            width,
            (
                "latency",
                format!("{}; to the end of its stage", latency(stage.lately, stage.since_start)),
                Tone::Plain,
            ),
        );
    }
    for (n, said) in time::of_node(seen, &shape.name).into_iter().enumerate() {
        put(&mut lines, width, (if n == 0 { "time" } else { "" }, said, Tone::Plain));
    }
    lines.push(Line::default());
    past(seen, history, at, width, &mut lines);
    lines.push(Line::default());
    parts(seen, at, width, &mut lines);
    lines
}

/// The first few names beside its own.
fn few(nodes: &[String], own: &str) -> String {
    let others: Vec<&str> = nodes.iter().map(String::as_str).filter(|name| *name != own).collect();
    match others.len() {
        0 => "nobody else".to_owned(),
        1..=4 => others.join(", "),
        many => format!("{}, … and {} more", others[..3].join(", "), many - 3),
    }
}

fn latency(lately: Option<Latency>, ever: Option<Latency>) -> String {
    let words = |latency: Latency| {
        let Latency { p50_ns, p99_ns, max_ns } = latency;
        format!("p50 {}, p99 {}, max {}", span(p50_ns), span(p99_ns), span(max_ns))
    };
    match (lately, ever) {
        (_, None) => "nothing has come yet".to_owned(),
        (None, Some(ever)) => format!("{} since the start, nothing lately", words(ever)),
        (Some(now), Some(ever)) => format!("{} now; max {} ever", words(now), span(ever.max_ns)),
    }
}

/// How rates and latencies were.
fn past(seen: Seen<'_>, history: &History, at: usize, width: usize, lines: &mut Vec<Line>) {
    let all: Vec<Figures> = history.all(seen.shape).collect();
    let all = &all[all.len().saturating_sub(width.saturating_sub(40).clamp(MARKS_MIN, 120))..];
    let calls: Vec<f64> =
        all.iter().filter_map(|then| Some(then.nodes.get(at)?.calls_per_s)).collect();
    let stage = seen.shape.nodes[at].stage;
    let p99 = |then: &Figures| {
        let sink = then.sinks.iter().find(|sink| sink.at == at).map(|sink| sink.lately);
        let stage = || Some(then.stages.get(stage?)?.lately);
        let latency = sink.or_else(stage).flatten();
        latency.map_or(f64::NAN, |latency| latency.p99_ns as f64)
    };
    let p99: Vec<f64> = all.iter().map(p99).collect();
    let over_s = all.iter().map(|then| then.span_s).sum::<f64>();
    for (name, values, unit) in [
        ("calls/s", &calls, (|value| rate(value)) as fn(f64) -> String),
        ("p99", &p99, |value| span(value as i64)),
    ] {
        let known = values.iter().copied().filter(|value| value.is_finite());
        let Some(most) = known.clone().reduce(f64::max) else { continue };
        let least = known.reduce(f64::min).unwrap_or(most);
        let mark = Cell::new(spark(values, most), Tone::Good);
        let range = format!("{} to {} in {over_s:.0} s", unit(least), unit(most));
        let named = |name: &str| Cell::new(format!("  {name:<11}"), Tone::Faint);
        let used = NAMES + values.len() + 2 + range.chars().count();
        match used <= width {
            true => {
                let range = Cell::new(format!("  {range}"), Tone::Faint);
                lines.push(Line { cells: vec![named(name), mark, range], ..Line::default() });
            }
            false => {
                lines.push(Line { cells: vec![named(name), mark], ..Line::default() });
                let range = Cell::new(range, Tone::Faint);
                lines.push(Line { cells: vec![named(""), range], ..Line::default() });
            }
        }
    }
}

/// Looks that are drawn of what was, on the narrowest screen.
const MARKS_MIN: usize = 10;

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each value, from nothing to the most; a blank where there is none.
fn spark(values: &[f64], most: f64) -> String {
    let step = |value: &f64| match value {
        value if !value.is_finite() => ' ',
        value if most <= 0.0 || *value <= 0.0 => STEPS[0],
        value => STEPS[((value / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    values.iter().map(step).collect()
}

/// Its parameters, ports and edges.
fn parts(seen: Seen<'_>, at: usize, width: usize, lines: &mut Vec<Line>) {
    let shape = &seen.shape.nodes[at];
    let around = (0..seen.shape.edges.len()).filter(|&n| {
        let edge = &seen.shape.edges[n];
        edge.consumer == shape.name || edge.producer == shape.name
    });
    let around: Vec<usize> = around.collect();
    if !around.is_empty() {
        lines.extend(edges(seen, "Edges", around).lines(width).into_iter().map(|mut line| {
            line.node = None;
            line
        }));
        lines.push(Line::default());
    }
    if !shape.outputs.is_empty() {
        lines.push(Line::toned("Outputs", Tone::Bold));
        for port in &shape.outputs {
            let text = format!("  {}  {}", port.label, port.format);
            lines.extend(wrapped(&text, width));
        }
        lines.push(Line::toned(
            format!("  `afferent tap {}` shows what passes", shape.outputs[0].label),
            Tone::Faint,
        ));
        lines.push(Line::default());
    }
    if shape.params.is_empty() {
        return lines.push(Line::toned("It has no parameters", Tone::Faint));
    }
    lines.push(Line::toned("Parameters", Tone::Bold));
    let longest = shape.params.iter().map(|param| param.name.len()).max().unwrap_or(0);
    for param in &shape.params {
        let (tone, note) = match param.is_written {
            true => (Tone::Plain, ""),
            false => (Tone::Faint, "  default"),
        };
        lines.push(Line::toned(
            cut(&format!("  {:<longest$}  {}{note}", param.name, param.value), width),
            tone,
        ));
    }
}

/// A long line as several.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<Line> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.chars().count() + word.trim_end().chars().count() > width && !last.trim().is_empty()
        {
            lines.push(format!("    {word}"));
        } else {
            last.push_str(word);
        }
    }
    lines.into_iter().map(Line::plain).collect()
}

/// A row of what is known, on as many lines as it takes.
pub(super) fn put(lines: &mut Vec<Line>, width: usize, (name, value, tone): (&str, String, Tone)) {
    for (n, part) in wrapped(&value, width.saturating_sub(NAMES)).into_iter().enumerate() {
        let name = if n == 0 { name } else { "" };
        lines.push(Line {
            cells: vec![
                Cell::new(format!("  {name:<11}"), Tone::Faint),
                Cell::new(part.text().trim_start(), tone),
            ],
            ..Line::default()
        });
    }
}

/// Columns that the names of rows take.
const NAMES: usize = 13;
