//! The profile as text.

use engine::{Cause, Load, Parts, SinkTime, Wait};

use crate::status::span;

/// Nodes that are named of a sink's latency.
const NODES_MAX: usize = 3;
/// Parts that are off by more are told to be.
const OFF: f64 = 0.01;
const OFF_NS: f64 = 3.0;

/// What the end of a run says of it, a line each.
pub(crate) fn text(load: &Load) -> String {
    let mut text = String::new();
    for sink in &load.time.sinks {
        text += &format!("  time     {}\n", of_sink(&load.time.nodes, sink));
    }
    if load.time.sinks.is_empty() {
        text += "  time     no frame that was followed has come to a sink\n";
    }
    let (lost, broken) = (load.time.lost, load.time.broken);
    if broken > 0 {
        let frames = engine::counted(broken, "frame");
        text += &format!("           {frames} left out: some step is not known\n");
    }
    if lost > 0 {
        text += &format!("           no room for {}\n", engine::counted(lost, "step"));
    }
    for (number, line) in limit(load).into_iter().enumerate() {
        let head = if number == 0 { "limit" } else { "" };
        text += &format!("  {head:7}  {line}\n");
    }
    text
}

/// What limits, and what to change.
pub(crate) fn limit(load: &Load) -> Vec<String> {
    let limit = load.limit();
    let node = limit.node.map(|node| load.nodes[node].name.as_str());
    let mut lines = vec![said(limit.cause, node, &limit.why)];
    if !limit.change.is_empty() {
        lines.push(format!("change: {}", limit.change));
    }
    lines
}

/// What limits, in a sentence.
pub(crate) fn said(cause: Cause, node: Option<&str>, why: &str) -> String {
    match node {
        Some(node) => format!("{} `{node}`: {why}", cause.word()),
        None => format!("{}: {why}", cause.word()),
    }
}

/// ``mean 61 µs at `out`: 8 % waiting (ring 8 %), 80 % computing, 12 % moving; most at `beats` 40 %, …``
pub(crate) fn of_sink(names: &[String], sink: &SinkTime) -> String {
    let nodes = sink.mean();
    let whole = nodes.iter().fold(Parts::default(), |whole, (_, parts)| sum(whole, parts));
    // Shares are of what was measured, whether parts add up to that or not.
    let all = sink.measured_ns().unwrap_or(0.0).max(1.0);
    let percent = |ns: f64| format!("{:.0} %", 100.0 * ns / all);
    let mut waits: Vec<(Wait, f64)> = Wait::ALL.into_iter().zip(whole.waiting).collect();
    waits.retain(|(_, ns)| *ns >= 0.01 * all);
    waits.sort_by(|a, b| b.1.total_cmp(&a.1));
    let waits: Vec<String> =
        waits.iter().map(|(wait, ns)| format!("{} {}", wait.word(), percent(*ns))).collect();
    let waits = if waits.is_empty() { String::new() } else { format!(" ({})", waits.join(", ")) };
    let mut most = nodes.clone();
    most.sort_by(|a, b| b.1.all().total_cmp(&a.1.all()));
    let most: Vec<String> = most
        .iter()
        .take(NODES_MAX)
        .map(|(node, parts)| format!("`{}` {}", names[*node], percent(parts.all())))
        .collect();
    let off = off(all, whole.all()).map_or_else(String::new, |off| format!("; {off}"));
    format!(
        "`{}` {} on the mean of {}: {} waiting{waits}, {} computing, {} moving{off}; most at {}",
        names.get(sink.node).unwrap_or(&sink.name),
        span(all as i64),
        engine::counted(sink.journeys, "frame"),
        percent(whole.waiting_in_all()),
        percent(whole.computing),
        percent(whole.moving),
        most.join(", "),
    )
}

/// Where parts and the latency that was measured differ by more than a hundredth of it: by how much, in words.
pub(crate) fn off(measured_ns: f64, parts_ns: f64) -> Option<String> {
    let missing = measured_ns - parts_ns;
    // Marks on stamps, and tenths that are told, are nanoseconds.
    if missing.abs() <= (OFF * measured_ns).max(OFF_NS) {
        return None;
    }
    let took = span(missing.abs() as i64);
    Some(match missing > 0.0 {
        true => format!("{took} of it not accounted for"),
        false => format!("{took} more than was measured"),
    })
}

/// The parts of both.
pub(crate) fn sum(mut all: Parts, more: &Parts) -> Parts {
    for (sum, more) in all.waiting.iter_mut().zip(more.waiting) {
        *sum += more;
    }
    all.computing += more.computing;
    all.moving += more.moving;
    all
}
