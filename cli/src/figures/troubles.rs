//! What is most wrong.

use crate::status::{clock, per_second, span};

use super::{Seen, hz};

/// What is most wrong, in a sentence each; nothing where all is well.
pub(crate) fn troubles(seen: Seen<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for (core, health) in seen.look.cores.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        said.push(format!("core {core}: {health}"));
    }
    for stage in &seen.figures.stages {
        if let Some((_, sessions)) = stage.states.iter().find(|(state, _)| state == "trouble") {
            let nodes = stage.nodes.join(", ");
            said.push(match seen.figures.sessions_opened {
                1 => format!("a body in [{nodes}] failed and has no successor yet"),
                _ => format!("a body in [{nodes}] failed in {sessions} sessions"),
            });
        }
    }
    for source in seen.figures.sources.iter() {
        let measured = source.measured_hz.unwrap_or(0.0);
        let nominal = source.nominal_hz.unwrap_or(0.0) * seen.shape.speed.unwrap_or(1.0);
        match source.health {
            "silent" => said.push(format!("`{}` is silent", source.node)),
            "slow" | "fast" => said.push(format!(
                "`{}` brings {} where {} are due",
                source.node,
                hz(measured),
                hz(nominal)
            )),
            _ => {}
        }
    }
    for edge in seen.figures.edges.iter().filter(|edge| edge.dropped_per_s > 0.0) {
        let lost = per_second(edge.dropped_per_s, "frames");
        said.push(format!("{} → {} drops {lost}", edge.from, edge.to));
    }
    for sink in &seen.figures.sinks {
        if let (Some(limit), Some(lately)) = (sink.deadline_ms, sink.lately)
            && lately.max_ns as f64 / 1e6 > limit
        {
            let (limit, max) = (span((limit * 1e6) as i64), span(lately.max_ns));
            said.push(format!("`{}` is up to {max} late of {limit} allowed", sink.node));
        }
    }
    for link in seen.look.links.iter().filter(|link| !link.is_up && link.was_up) {
        said.push(format!("`{}` has been gone for {}", link.peer, clock(link.for_s)));
    }
    said
}
