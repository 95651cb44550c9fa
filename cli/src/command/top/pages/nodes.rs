//! Nodes, and sources among them.

use crate::{
    command::top::{
        figures::{NodeFigures, SourceFigures},
        table::{Cell, Row, Table, Tone, left, right},
    },
    status::span,
};

use super::{Seen, hz, percent, rate};

pub(super) fn sources(seen: Seen<'_>) -> Table {
    let row = |source: &SourceFigures| {
        let measured = source.measured_hz;
        let is_off = matches!(source.health, "silent" | "slow" | "fast");
        let tone = if is_off { Tone::Warning } else { Tone::Plain };
        Row {
            cells: vec![
                source.node.as_str().into(),
                Cell::new(&seen.shape.nodes[source.at].kind, Tone::Faint),
                source.nominal_hz.map_or("-".to_owned(), hz).into(),
                Cell::new(measured.map_or("-".to_owned(), hz), tone),
                rate(source.frames_per_s).into(),
                Cell::count(source.gaps),
                Cell::count(source.late),
                health(source),
            ],
            node: Some(source.at),
        }
    };
    Table {
        title: "Sources".to_owned(),
        columns: vec![
            left("", 0),
            left("kind", 2),
            right("nominal", 1),
            right("measured", 0),
            right("frames/s", 3),
            right("gaps", 2),
            right("late", 4),
            left("health", 0),
        ],
        rows: seen.figures.sources.iter().map(row).collect(),
        empty: "there are none: everything comes from other hosts",
    }
}

/// What is written of a source's health, in how far it is good.
fn health(source: &SourceFigures) -> Cell {
    let tone = match source.health {
        "well" => Tone::Good,
        "ended" | "waits" | "paused" => Tone::Faint,
        "silent" | "faulty" => Tone::Error,
        _ => Tone::Warning,
    };
    Cell::new(source.health, tone)
}

pub(super) fn sorted_nodes(seen: Seen<'_>, order: &str) -> Vec<usize> {
    let nodes = &seen.figures.nodes;
    let mut all: Vec<usize> = (0..nodes.len()).collect();
    let falling = |key: fn(&NodeFigures) -> f64| {
        move |a: &usize, b: &usize| key(&nodes[*b]).total_cmp(&key(&nodes[*a]))
    };
    match order {
        "core" => all.sort_by(falling(|node| node.core_share.unwrap_or(-1.0))),
        "time" => all.sort_by(falling(|node| node.mean_us.unwrap_or(-1.0))),
        "calls" => all.sort_by(falling(|node| node.calls_per_s)),
        "trouble" => all.sort_by(falling(|node| (node.restarts + node.poison + node.late) as f64)),
        "name" => all.sort_by_key(|&n| &nodes[n].node),
        _ => {}
    }
    all
}

pub(super) fn nodes(seen: Seen<'_>, title: &str, shown: Vec<usize>) -> Table {
    let row = |n: usize| {
        let (shape, node) = (&seen.shape.nodes[n], &seen.figures.nodes[n]);
        let place =
            shape.stage.map_or("i/o".to_owned(), |stage| match seen.shape.stages.get(stage) {
                Some(stage) => stage.name.clone(),
                None => stage.to_string(),
            });
        let core = match (shape.stage, shape.core) {
            (None, _) => "-".to_owned(),
            (_, Some(core)) => core.to_string(),
            (_, None) => "any".to_owned(),
        };
        let timed = |value: Option<f64>, text: fn(f64) -> String| match value {
            Some(value) => Cell::from(text(value)),
            None => Cell::new("-", Tone::Faint),
        };
        Row {
            cells: vec![
                node.node.as_str().into(),
                Cell::new(&shape.kind, Tone::Faint),
                place.into(),
                core.into(),
                rate(node.calls_per_s).into(),
                timed(node.mean_us, |us| span((us * 1e3) as i64)),
                timed(node.core_share, percent),
                Cell::count(node.restarts),
                Cell::count(node.poison),
                Cell::count(node.late),
            ],
            node: Some(n),
        }
    };
    Table {
        title: title.to_owned(),
        columns: vec![
            left("", 0),
            left("kind", 1),
            left("stage", 4),
            right("core", 5),
            right("calls/s", 2),
            right("per call", 0),
            right("of a core", 0),
            right("restarts", 2),
            right("poison", 3),
            right("late", 4),
        ],
        rows: shown.into_iter().map(row).collect(),
        empty: "there are none",
    }
}
