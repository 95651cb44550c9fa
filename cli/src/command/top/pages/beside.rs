//! What stands beside the graph: services, remarks, links to other hosts.

use crate::{
    command::top::table::{Cell, Row, Table, Tone, left, right},
    local::message::{LinkLook, Remark, ServiceLook},
    status::{clock, span},
};

use super::{Seen, percent};

pub(super) fn services(seen: Seen<'_>) -> Table {
    let row = |service: &ServiceLook| Row {
        cells: vec![
            service.name.as_str().into(),
            Cell::new(&service.what, Tone::Faint),
            service.remark.as_str().into(),
        ],
        node: None,
    };
    Table {
        title: "Services".to_owned(),
        columns: vec![left("", 0), left("kind", 1), left("so far", 0)],
        rows: seen.look.services.iter().map(row).collect(),
        empty: "the graph names no model and no cache, or none was asked yet",
    }
}

pub(super) fn remarks(seen: Seen<'_>) -> Table {
    let row = |remark: &Remark| Row {
        cells: vec![remark.node.as_str().into(), remark.text.as_str().into()],
        node: seen.shape.nodes.iter().position(|node| node.name == remark.node),
    };
    Table {
        title: "Remarks".to_owned(),
        columns: vec![left("", 0), left("at its end", 0)],
        rows: seen.look.remarks.iter().map(row).collect(),
        empty: "no node had anything to say so far",
    }
}

pub(super) fn links(seen: Seen<'_>) -> Table {
    let row = |link: &LinkLook| {
        let state = match (link.is_up, link.was_up) {
            (true, _) => Cell::new(format!("up {}", clock(link.for_s)), Tone::Good),
            (false, true) => Cell::new(format!("gone {}", clock(link.for_s)), Tone::Error),
            (false, false) => Cell::new("no answer yet", Tone::Warning),
        };
        let rtt = if link.was_up { span(link.rtt_ns) } else { "-".to_owned() };
        Row {
            cells: vec![
                link.peer.as_str().into(),
                link.session.to_string().into(),
                state,
                rtt.into(),
                percent(link.loss).into(),
                link.queued.to_string().into(),
                link.sent.to_string().into(),
                link.received.to_string().into(),
                Cell::count(link.lost),
                Cell::new(
                    link.trouble.as_deref().filter(|_| !link.is_up).unwrap_or(""),
                    Tone::Warning,
                ),
            ],
            node: None,
        }
    };
    let mut rows: Vec<Row> = seen.look.links.iter().map(row).collect();
    for (count, what) in [(seen.look.links_more, "more"), (seen.look.links_ended, "ended")] {
        if count > 0 {
            let cell = Cell::new(format!("and {count} {what}"), Tone::Faint);
            rows.push(Row { cells: vec![cell], node: None });
        }
    }
    Table {
        title: "Links".to_owned(),
        columns: vec![
            left("", 0),
            right("session", 1),
            left("state", 0),
            right("round trip", 0),
            right("packets lost", 4),
            right("to go", 2),
            right("out", 3),
            right("in", 3),
            right("lost", 1),
            left("trouble", 2),
        ],
        rows,
        empty: "this graph is not joined to another host",
    }
}
