//! What the latency at each sink is made of.

use engine::{Load, Parts, SinkTime, Wait};

use crate::{
    markup::escaped,
    profile,
    report::canvas::{LEFT, Page, RIGHT},
    status::span,
};

const HIGH: f64 = 22.0;
const LETTER: f64 = 6.6;
/// Room for what a bar is.
const HEAD: f64 = 70.0;

pub(super) fn draw(page: &mut Page, load: &Load) {
    if load.time.sinks.is_empty() {
        return;
    }
    page.text("head", LEFT, page.y + 16.0, "Latency, from the door to each sink");
    let mut x = LEFT + 300.0;
    for (class, name) in [("wait", "waiting"), ("work", "computing"), ("move", "moving")] {
        page.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>",
            page.y + 5.0
        ));
        page.text("faint", x + 17.0, page.y + 15.5, name);
        x += 100.0;
    }
    page.y += 30.0;
    for sink in &load.time.sinks {
        one(page, load, sink);
    }
}

fn one(page: &mut Page, load: &Load, sink: &SinkTime) {
    let mean_ns = sink.measured_ns().unwrap_or(0.0);
    let head = format!(
        "`{}`: {} on the mean of {}",
        load.time.nodes.get(sink.node).unwrap_or(&sink.name),
        span(mean_ns as i64),
        engine::counted(sink.journeys, "frame")
    );
    page.text("", LEFT, page.y + 12.0, &head);
    page.y += 20.0;
    let slice =
        |low, high| (sink.measured_between(low, high).unwrap_or(0.0), sink.between(low, high));
    let bars = [
        ("mean", (mean_ns, sink.mean())),
        ("middle", slice(0.4, 0.6)),
        ("slowest 1 %", slice(0.99, 1.0)),
    ];
    for (name, (measured_ns, nodes)) in bars {
        bar(page, load, name, measured_ns, &nodes);
    }
    page.y += 14.0;
}

/// All of a bar is all of that latency, so that shares can be compared.
fn bar(page: &mut Page, load: &Load, name: &str, measured_ns: f64, nodes: &[(usize, Parts)]) {
    let parts_ns: f64 = nodes.iter().map(|(_, parts)| parts.all()).sum();
    let all = measured_ns.max(parts_ns);
    if all <= 0.0 {
        return;
    }
    let top = page.y;
    page.text("faint end", LEFT + HEAD - 8.0, top + 15.0, name);
    let wide = RIGHT - LEFT - HEAD - 60.0;
    let mut x = LEFT + HEAD;
    for (node, parts) in nodes {
        let node = &load.nodes[*node].name;
        let began = x;
        let mut pieces: Vec<(&str, String, f64)> = Wait::ALL
            .iter()
            .zip(parts.waiting)
            .map(|(wait, ns)| ("wait", format!("waiting ({})", wait.word()), ns))
            .collect();
        // In the order of time: it moves, waits, and is dealt with.
        pieces.insert(0, ("move", "moving".to_owned(), parts.moving));
        pieces.push(("work", "computing".to_owned(), parts.computing));
        for (class, what, ns) in pieces.into_iter().filter(|(.., ns)| *ns > 0.0) {
            let piece = ns / all * wide;
            let title = format!("{node}: {what} {}, {:.1} %", span(ns as i64), 100.0 * ns / all);
            page.put(format_args!(
                "<g><title>{}</title><rect class=\"{class}\" x=\"{x:.2}\" y=\"{top:.1}\" width=\"{piece:.2}\" height=\"{:.1}\"/></g>",
                escaped(&title),
                HIGH - 2.0
            ));
            x += piece;
        }
        let room = ((x - began - 6.0) / LETTER) as usize;
        if room >= 2 {
            let short: String = match node.chars().count() > room {
                true => node.chars().take(room - 1).chain(['…']).collect(),
                false => node.clone(),
            };
            page.text("label", began + 3.0, top + 14.5, &short);
        }
        page.put(format_args!("<path class=\"box\" d=\"M{x:.2} {top:.1}v{:.1}\"/>", HIGH - 2.0));
    }
    page.text("faint", RIGHT - 54.0, top + 15.0, &span(measured_ns as i64));
    page.y += HIGH;
    if let Some(off) = profile::off(measured_ns, parts_ns) {
        page.text("faint", LEFT + HEAD, page.y + 12.0, &off);
        page.y += HIGH;
    }
}
