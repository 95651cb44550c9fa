//! Edges, and how full their rings are.

use crate::command::top::{
    figures::EdgeFigures,
    table::{Cell, Row, Table, Tone, left, right},
};

use super::{Seen, rate};

pub(in super::super) fn edges(seen: Seen<'_>, title: &str, shown: Vec<usize>) -> Table {
    let row = |n: usize| {
        let (shape, edge) = (&seen.shape.edges[n], &seen.figures.edges[n]);
        let reasons = edge.reasons.iter().map(|(reason, frames)| format!("{frames} {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let dropped_per_s = match edge.dropped_per_s {
            0.0 => Cell::new("0", Tone::Faint),
            dropped => Cell::new(rate(dropped), Tone::Error),
        };
        let (bar, depth) = depth(edge);
        Row {
            cells: vec![
                format!("{} → {}", edge.from, edge.to).into(),
                rate(edge.frames_per_s).into(),
                bar,
                depth,
                dropped_per_s,
                match reasons.is_empty() {
                    true => Cell::new("nothing", Tone::Faint),
                    false => Cell::new(reasons, Tone::Warning),
                },
                Cell::new(shape.on_full.as_deref().unwrap_or("-"), Tone::Faint),
                Cell::new(&shape.format, Tone::Faint),
            ],
            node: seen.shape.nodes.iter().position(|node| node.name == shape.consumer),
        }
    };
    Table {
        title: title.to_owned(),
        columns: vec![
            left("", 0),
            right("frames/s", 1),
            left("depth", 2),
            right("in ring", 0),
            right("drops/s", 1),
            left("dropped", 0),
            left("when full", 3),
            left("format", 4),
        ],
        rows: shown.into_iter().map(row).collect(),
        empty: "there are none",
    }
}

const BAR: usize = 8;

/// How full a ring is, as a picture and in numbers.
fn depth(edge: &EdgeFigures) -> (Cell, Cell) {
    let (Some(capacity), Some(fill)) = (edge.capacity, fill(edge)) else {
        return (Cell::new("fused", Tone::Faint), Cell::new("-", Tone::Faint));
    };
    let full = ((fill * BAR as f64).ceil() as usize).min(BAR);
    let full = if fill < 0.01 { 0 } else { full };
    let tone = match fill {
        fill if fill >= 0.9 => Tone::Error,
        fill if fill >= 0.5 => Tone::Warning,
        _ => Tone::Good,
    };
    let bar = "█".repeat(full) + &"░".repeat(BAR - full);
    (Cell::new(bar, tone), format!("{} / {capacity}", edge.depth).into())
}

fn fill(edge: &EdgeFigures) -> Option<f64> {
    edge.capacity.map(|capacity| edge.depth as f64 / capacity.max(1) as f64)
}

pub(super) fn is_noteworthy(edge: &EdgeFigures) -> bool {
    edge.dropped > 0 || fill(edge).is_some_and(|fill| fill >= 0.25)
}

pub(super) fn sorted_edges(seen: Seen<'_>, order: &str) -> Vec<usize> {
    let edges = &seen.figures.edges;
    let mut all: Vec<usize> = (0..edges.len()).collect();
    let falling = |key: fn(&EdgeFigures) -> f64| {
        move |a: &usize, b: &usize| key(&edges[*b]).total_cmp(&key(&edges[*a]))
    };
    match order {
        "depth" => all.sort_by(falling(|edge| fill(edge).unwrap_or(-1.0))),
        "dropped" => all.sort_by(falling(|edge| edge.dropped as f64)),
        "rate" => all.sort_by(falling(|edge| edge.frames_per_s)),
        "trouble" => {
            all.sort_by(falling(|edge| edge.dropped_per_s * 1e3 + fill(edge).unwrap_or(0.0)));
        }
        _ => {}
    }
    all
}
