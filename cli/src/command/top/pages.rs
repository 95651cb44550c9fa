//! What stands on each page: tables of figures.

mod beside;
mod edges;
mod latency;
mod nodes;
pub(super) mod time;

use super::table::{Line, Table};

use beside::{links, remarks, services};
use edges::{is_noteworthy, sorted_edges};
use latency::{cores, sinks, stages};
use nodes::{nodes, sorted_nodes, sources};

pub(super) use crate::{
    figures::{Seen, hz, percent, troubles},
    status::rate,
};
pub(super) use edges::edges;
pub(super) use nodes::due;

/// A page of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Overview,
    Nodes,
    Edges,
    Sinks,
    Stages,
    Services,
    Links,
    Time,
}

impl Page {
    pub(super) const ALL: [Self; 8] = [
        Self::Overview,
        Self::Nodes,
        Self::Edges,
        Self::Sinks,
        Self::Stages,
        Self::Services,
        Self::Links,
        Self::Time,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Nodes => "Nodes",
            Self::Edges => "Edges",
            Self::Sinks => "Sinks",
            Self::Stages => "Stages",
            Self::Services => "Services",
            Self::Links => "Links",
            Self::Time => "Time",
        }
    }

    /// In what orders its rows can stand, the first being that of the graph.
    pub(super) const fn orders(self) -> &'static [&'static str] {
        match self {
            Self::Nodes => &["graph", "core", "time", "calls", "trouble", "name"],
            Self::Edges => &["graph", "depth", "dropped", "rate"],
            Self::Sinks => &["graph", "p99", "rate"],
            _ => &["graph"],
        }
    }

    /// Its tables, with rows in an order.
    pub(super) fn tables(self, seen: Seen<'_>, order: usize) -> Vec<Table> {
        let order = self.orders().get(order).copied().unwrap_or("graph");
        match self {
            Self::Overview => overview(seen),
            Self::Nodes => vec![nodes(seen, "Nodes", sorted_nodes(seen, order))],
            Self::Edges => vec![edges(seen, "Edges", sorted_edges(seen, order))],
            Self::Sinks => vec![sinks(seen, order)],
            Self::Stages => vec![stages(seen), cores(seen)],
            Self::Services => vec![services(seen), remarks(seen)],
            Self::Links => vec![links(seen)],
            // It is told in lines of its own.
            Self::Time => Vec::new(),
        }
    }

    /// Everything that stands on it, with rows in an order, and those alone in which a filter is found.
    pub(super) fn lines(
        self,
        seen: Seen<'_>,
        order: usize,
        filter: &str,
        width: usize,
    ) -> Vec<Line> {
        let mut lines = match self {
            Self::Overview => time::limit(seen, width, LIMIT_LINES),
            Self::Time => time::lines(seen, filter, width),
            _ => Vec::new(),
        };
        for table in self.tables(seen, order) {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.extend(table.filtered(filter).lines(width));
        }
        lines
    }
}

/// Lines of the overview for what limits, and for what to change.
const LIMIT_LINES: usize = 2;
/// Rows of the overview that a table gets at most.
const OVERVIEW_ROWS: usize = 6;

/// Sources, sinks, and of nodes and edges those that matter most.
fn overview(seen: Seen<'_>) -> Vec<Table> {
    let mut tables = vec![sources(seen), sinks(seen, "graph")];
    let mut busiest = sorted_nodes(seen, "core");
    busiest.truncate(OVERVIEW_ROWS);
    let mut fullest = sorted_edges(seen, "trouble");
    let all = fullest.len();
    fullest.retain(|&n| is_noteworthy(&seen.figures.edges[n]));
    fullest.truncate(OVERVIEW_ROWS);
    if fullest.is_empty() {
        let table = Table {
            empty: if all == 0 {
                "there are none"
            } else {
                "nothing is dropped, and no ring is filling up"
            },
            ..edges(seen, "Edges", Vec::new())
        };
        tables.push(table);
    } else {
        tables.push(edges(seen, "Edges to watch", fullest));
    }
    tables.push(nodes(seen, "Busiest nodes", busiest));
    if !seen.look.links.is_empty() {
        tables.push(links(seen));
    }
    if !seen.look.services.is_empty() {
        tables.push(services(seen));
    }
    tables
}
