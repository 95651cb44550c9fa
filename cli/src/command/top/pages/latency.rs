//! Where latency is measured: sinks and stages; and the cores below them.

use crate::{
    command::top::{
        figures::{Latency, SinkFigures, StageFigures},
        table::{Cell, Row, Table, Tone, left, right},
    },
    status::span,
};

use super::{Seen, rate};

pub(super) fn sinks(seen: Seen<'_>, order: &str) -> Table {
    let mut all: Vec<&SinkFigures> = seen.figures.sinks.iter().collect();
    match order {
        "p99" => all.sort_by_key(|sink| sink.lately.or(sink.since_start).map_or(0, |l| -l.p99_ns)),
        "rate" => all.sort_by(|a, b| b.frames_per_s.total_cmp(&a.frames_per_s)),
        _ => {}
    }
    let row = |sink: &&SinkFigures| {
        let deadline_ns = sink.deadline_ms.map(|ms| (ms * 1e6) as i64);
        let [p50, p99, max] = latency(sink.lately, deadline_ns);
        let [ever50, ever99, ever] = latency(sink.since_start, deadline_ns);
        let is_missed =
            deadline_ns.zip(sink.lately).is_some_and(|(limit, lately)| lately.max_ns > limit);
        let deadline = match (deadline_ns, is_missed) {
            (None, _) => Cell::new("none", Tone::Faint),
            (Some(limit), false) => Cell::new(span(limit), Tone::Good),
            (Some(limit), true) => Cell::new(format!("{} missed", span(limit)), Tone::Error),
        };
        Row {
            cells: vec![
                sink.node.as_str().into(),
                rate(sink.frames_per_s).into(),
                p50,
                p99,
                max,
                ever50,
                ever99,
                ever,
                deadline,
            ],
            node: Some(sink.at),
        }
    };
    Table {
        title: "Latency at sinks".to_owned(),
        columns: vec![
            left("", 0),
            right("frames/s", 4),
            right("p50 now", 2),
            right("p99 now", 0),
            right("max now", 1),
            right("p50 ever", 6),
            right("p99 ever", 5),
            right("max ever", 3),
            right("deadline", 0),
        ],
        rows: all.iter().map(row).collect(),
        empty: "there are none: everything goes to other hosts",
    }
}

/// Median, 99 % and largest, those above a deadline marked.
fn latency(latency: Option<Latency>, deadline_ns: Option<i64>) -> [Cell; 3] {
    let Some(Latency { p50_ns, p99_ns, max_ns }) = latency else {
        return std::array::from_fn(|_| Cell::new("-", Tone::Faint));
    };
    [p50_ns, p99_ns, max_ns].map(|ns| match deadline_ns {
        Some(limit) if ns > limit => Cell::new(span(ns), Tone::Error),
        _ => span(ns).into(),
    })
}

pub(super) fn stages(seen: Seen<'_>) -> Table {
    let row = |(n, stage): (usize, &StageFigures)| {
        let first = stage.nodes.first();
        let node =
            first.and_then(|first| seen.shape.nodes.iter().position(|node| node.name == *first));
        let core = node.and_then(|node| seen.shape.nodes[node].core);
        let is_bad = stage.states.iter().any(|(state, _)| state == "trouble");
        let states =
            stage.states.iter().map(|(state, sessions)| match seen.figures.sessions_opened {
                1 => state.clone(),
                _ => format!("{sessions} {state}"),
            });
        let states = states.collect::<Vec<_>>().join(", ");
        let states = if states.is_empty() { "no session".to_owned() } else { states };
        let [p50, p99, max] = latency(stage.lately.or(stage.since_start), None);
        let name = if stage.stage == n.to_string() {
            format!("stage {n}")
        } else {
            format!("stage {n} `{}`", stage.stage)
        };
        Row {
            cells: vec![
                name.into(),
                core.map_or("any".to_owned(), |core| core.to_string()).into(),
                Cell::new(states, if is_bad { Tone::Error } else { Tone::Good }),
                Cell::count(stage.restarts),
                p50,
                p99,
                max,
                Cell::new(stage.nodes.join(", "), Tone::Faint),
            ],
            node,
        }
    };
    Table {
        title: "Stages".to_owned(),
        columns: vec![
            left("", 0),
            right("core", 2),
            left("state", 0),
            right("restarts", 1),
            right("p50", 4),
            right("p99", 3),
            right("max", 5),
            left("nodes", 1),
        ],
        rows: seen.figures.stages.iter().enumerate().map(row).collect(),
        empty: "there are none: everything waits for the world",
    }
}

pub(super) fn cores(seen: Seen<'_>) -> Table {
    let row = |(n, health): (usize, &String)| {
        let health = match health.is_empty() {
            true => Cell::new("well", Tone::Good),
            false => Cell::new(health, Tone::Error),
        };
        Row { cells: vec![format!("core {n}").into(), health], node: None }
    };
    Table {
        title: "Data cores".to_owned(),
        columns: vec![left("", 0), left("health", 0)],
        rows: seen.look.cores.iter().enumerate().map(row).collect(),
        empty: "there are none",
    }
}
