//! Where the time of frames goes, and what limits: of the last seconds.

use crate::{
    command::top::{
        detail::wrapped,
        table::{Cell, Line, Row, Table, Tone, cut, left, right},
    },
    local::message::{LegLook, LimitLook, PartsLook, SinkTimeLook, TimeLook, WayLook},
    profile,
    status::{clock, span},
};

use super::{Seen, percent};

/// Nodes of a way that stand in a table of their own; the others are few per cent together.
const NODES_MAX: usize = 8;
/// A bar needs no more columns than this.
const BAR_MAX: usize = 100;
/// On fewer columns parts are told by their signs alone.
const WORDS: usize = 76;
/// The signs of parts, which tell them apart without colours.
pub(in super::super) const SIGNS: [(char, &str); 3] =
    [('░', "waiting"), ('█', "computing"), ('▒', "moving")];

/// What limits the run and what to change, each on so many lines at most.
pub(in super::super) fn limit(seen: Seen<'_>, width: usize, most: usize) -> Vec<Line> {
    let Some(time) = &seen.look.time else { return Vec::new() };
    let mut lines = Vec::new();
    match &time.limit {
        Some(LimitLook { cause, said, change, .. }) => {
            let tone = if cause == "nothing" { Tone::Good } else { Tone::Warning };
            // As fast as it goes something always does.
            let tone = if seen.shape.speed.is_none() { Tone::Plain } else { tone };
            put(&mut lines, ("Limit", said, tone), width, most);
            if !change.is_empty() {
                put(&mut lines, ("Change", change, Tone::Plain), width, most);
            }
        }
        None => put(&mut lines, ("Limit", "too little has been seen yet", Tone::Faint), width, 1),
    }
    lines
}

/// Columns of what names a sentence.
const NAMES: usize = 8;

fn put(lines: &mut Vec<Line>, (name, text, tone): (&str, &str, Tone), width: usize, most: usize) {
    let room = width.saturating_sub(NAMES);
    let all = wrapped(text, room);
    let mut parts: Vec<String> =
        all.iter().map(|line| line.text().trim_start().to_owned()).collect();
    if parts.len() > most {
        let rest = parts.split_off(most - 1).join(" ");
        parts.push(cut(&rest, room));
    }
    for (n, part) in parts.into_iter().enumerate() {
        let name = if n == 0 { name } else { "" };
        let name = Cell::new(format!("{name:<NAMES$}"), Tone::Bold);
        lines.push(Line { cells: vec![name, Cell::new(part, tone)], ..Line::default() });
    }
}

/// The page: what limits, and each sink with what its latency is made of.
pub(in super::super) fn lines(seen: Seen<'_>, filter: &str, width: usize) -> Vec<Line> {
    let Some(time) = &seen.look.time else {
        let text = "the graph is run by a program that does not tell where its time goes";
        return wrapped(text, width);
    };
    let mut lines = limit(seen, width, usize::MAX);
    lines.push(Line::default());
    lines.extend(head(time, width));
    let wanted = filter.to_lowercase();
    let has = |name: &str| name.to_lowercase().contains(&wanted);
    let mut any = false;
    for sink in &time.sinks {
        if has(&sink.node) || sink.mean.nodes.iter().any(|leg| has(&leg.node)) {
            any = true;
            lines.push(Line::default());
            lines.extend(of_sink(seen, time, sink, width));
        }
    }
    if !any {
        let text = match (time.sinks.is_empty(), time.broken) {
            (false, _) => "  nothing matches the filter",
            (true, 0) => "  no frame that was followed has come to a sink yet",
            (true, _) => "  of no frame that came to a sink all steps are known",
        };
        lines.push(Line::toned(text, Tone::Faint));
    }
    lines
}

/// What the signs mean, and how long has been looked.
fn head(time: &TimeLook, width: usize) -> Vec<Line> {
    let mut text = format!("of the last {:.1} s", time.span_s);
    for (count, what) in [(time.broken, "frame"), (time.lost, "step")] {
        if count > 0 {
            text += &format!(", without {}", engine::counted(count, what));
        }
    }
    let title = Cell::new("Where the time goes  ", Tone::Bold);
    let mut cells = Vec::new();
    for (sign, word) in SIGNS {
        cells.push(Cell::new(sign.to_string(), Tone::Parts));
        cells.push(Cell::new(format!(" {word}  "), Tone::Plain));
    }
    // On as few lines as they fit on.
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    let mut left = 0;
    for part in [vec![title], cells, vec![Cell::new(text, Tone::Faint)]] {
        let used: usize = part.iter().map(|cell| cell.0.chars().count()).sum();
        match lines.last_mut() {
            Some(line) if used <= left => line.extend(part),
            last => {
                let indent = if last.is_some() { "  " } else { "" };
                lines.push(std::iter::once(indent.into()).chain(part).collect());
                left = width.saturating_sub(indent.len());
            }
        }
        left = left.saturating_sub(used);
    }
    lines.into_iter().map(|cells| Line { cells, ..Line::default() }).collect()
}

fn of_sink(seen: Seen<'_>, time: &TimeLook, sink: &SinkTimeLook, width: usize) -> Vec<Line> {
    let at = seen.shape.nodes.iter().position(|node| node.name == sink.node);
    let frames = match sink.age_s {
        Some(age_s) => format!("  nothing lately: the last, {} ago", clock(age_s)),
        None => {
            format!("  {} followed in {:.1} s", engine::counted(sink.frames, "frame"), time.span_s)
        }
    };
    let room = width.saturating_sub(frames.chars().count()).max(6);
    let name = Cell::new(cut(&sink.node, room), Tone::Bold);
    let mut lines =
        vec![Line { cells: vec![name, Cell::new(frames, Tone::Faint)], node: at, is_head: false }];
    let ways = match sink.frames {
        // Both are one.
        0 | 1 => &[("alone", &sink.mean)][..],
        _ => &[("mean", &sink.mean), ("slowest 1 %", &sink.slowest)],
    };
    for (name, way) in ways {
        lines.push(numbers(name, way, width));
        let bar = bar(way, width.saturating_sub(4).min(BAR_MAX));
        lines.push(Line {
            cells: vec!["  ".into(), Cell::new(bar, Tone::Parts)],
            ..Line::default()
        });
        if let Some(off) = profile::off(way.latency_ns, way.parts.all()) {
            lines.push(Line::toned(format!("  {off}"), Tone::Warning));
        }
    }
    let nodes = nodes(seen, sink);
    lines.extend(nodes.lines(width.saturating_sub(2)).into_iter().map(|mut line| {
        line.cells.insert(0, "  ".into());
        line
    }));
    lines
}

/// How long a way takes, and the shares of its parts.
fn numbers(name: &str, way: &WayLook, width: usize) -> Line {
    let mut cells = vec![
        Cell::new(format!("  {name:<11}"), Tone::Faint),
        Cell::new(format!("{:>9}  ", span(way.latency_ns as i64)), Tone::Bold),
    ];
    let all = way.latency_ns.max(1e-9);
    let PartsLook { waiting_ns, computing_ns, moving_ns, .. } = way.parts;
    for ((sign, word), ns) in SIGNS.into_iter().zip([waiting_ns, computing_ns, moving_ns]) {
        let word = if width >= WORDS { format!(" {word}") } else { String::new() };
        cells.push(Cell::new(sign.to_string(), Tone::Parts));
        cells.push(Cell::new(format!(" {:>3.0} %{word}   ", 100.0 * ns / all), Tone::Plain));
    }
    Line { cells, ..Line::default() }
}

/// All of it is all of that latency: what is not accounted for stays empty.
fn bar(WayLook { latency_ns, parts, .. }: &WayLook, columns: usize) -> String {
    let all = latency_ns.max(parts.all());
    let mut bar = String::new();
    let (mut sum, mut drawn) = (0.0, 0);
    for ((sign, _), ns) in
        SIGNS.into_iter().zip([parts.waiting_ns, parts.computing_ns, parts.moving_ns])
    {
        sum += ns;
        let end = if all > 0.0 { (sum / all * columns as f64).round() as usize } else { 0 };
        bar.extend(std::iter::repeat_n(sign, end - drawn));
        drawn = end;
    }
    bar
}

/// The nodes with most of the mean, and their parts.
fn nodes(seen: Seen<'_>, sink: &SinkTimeLook) -> Table {
    let time = |ns: f64| match ns {
        ns if ns < 0.5 => Cell::new("-", Tone::Faint),
        ns => span(ns as i64).into(),
    };
    let row = |leg: &LegLook| {
        let slowest = sink.slowest.nodes.iter().find(|other| other.node == leg.node);
        let PartsLook { waiting_ns, computing_ns, moving_ns, .. } = leg.parts;
        Row {
            cells: vec![
                leg.node.as_str().into(),
                percent(leg.share).into(),
                percent(slowest.map_or(0.0, |slowest| slowest.share)).into(),
                time(leg.parts.all()),
                time(waiting_ns),
                time(computing_ns),
                time(moving_ns),
                Cell::new(waits(&leg.parts), Tone::Faint),
            ],
            node: seen.shape.nodes.iter().position(|node| node.name == leg.node),
        }
    };
    let WayLook { nodes: all, rest, .. } = &sink.mean;
    let mut rows: Vec<Row> = all.iter().take(NODES_MAX).map(row).collect();
    let others = all.get(NODES_MAX..).unwrap_or_default();
    let more = others.len() + rest.nodes;
    if more > 0 {
        let share = others.iter().map(|leg| leg.share).sum::<f64>() + rest.share;
        let more = Cell::new(format!("and {more} more"), Tone::Faint);
        rows.push(Row { cells: vec![more, percent(share).into()], node: None });
    }
    Table {
        title: "Node".to_owned(),
        columns: vec![
            left("", 0),
            right("share", 0),
            right("of slowest", 5),
            right("takes", 3),
            right("waiting", 0),
            right("computing", 0),
            right("moving", 2),
            left("waits for", 4),
        ],
        rows,
        empty: "nothing is known of its way",
    }
}

/// What is waited for and for how long: ``ring 40 µs, turn 2.0 µs``.
fn waits(parts: &PartsLook) -> String {
    let each = parts.waits().into_iter().filter(|(_, ns)| *ns >= 0.5);
    each.map(|(what, ns)| format!("{what} {}", span(ns as i64))).collect::<Vec<_>>().join(", ")
}

/// What a node has of the latency at each sink behind it, in a sentence each.
pub(in super::super) fn of_node(seen: Seen<'_>, name: &str) -> Vec<String> {
    let Some(time) = &seen.look.time else { return Vec::new() };
    let said = |sink: &SinkTimeLook| {
        let leg = sink.mean.nodes.iter().find(|leg| leg.node == name)?;
        let waits = waits(&leg.parts);
        let waits = if waits.is_empty() { String::new() } else { format!("waiting for {waits}, ") };
        let [computing, moving] =
            [leg.parts.computing_ns, leg.parts.moving_ns].map(|ns| span(ns as i64));
        Some(format!(
            "{} of {} at `{}`: {waits}computing {computing}, moving {moving}",
            percent(leg.share),
            span(sink.mean.latency_ns as i64),
            sink.node
        ))
    };
    time.sinks.iter().filter_map(said).collect()
}
