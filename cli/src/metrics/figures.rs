//! What is published: every counter of a report under its name.

use engine::{Gap, Health, Plan, Report, StageState};
use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::{latency, services::OfServices};

/// Hands everything to the recorder of the `metrics` facade.
///
/// Labels are `graph`, `edge`, `node`, `stage` and `core`: what a graph has few of. Sessions have none,
/// however many there are; their counts are added up.
///
/// Services have their own: a model its name and `segment`, a cache its name.
///
/// `rates` are samples per second by node.
pub(crate) fn publish(plan: &Plan, report: &Report, rates: &[f64], health: &[Health]) {
    describe();
    let graph = plan.name().to_owned();
    let (opened, open) = report.sessions;
    gauge!("afferent_run_seconds", "graph" => graph.clone()).set(report.lasted_ns as f64 / 1e9);
    gauge!("afferent_sessions_open", "graph" => graph.clone()).set(open as f64);
    counter!("afferent_sessions_opened_total", "graph" => graph.clone()).absolute(opened);
    edges(&graph, report);
    nodes(&graph, report);
    stages(&graph, report);
    sources(&graph, report, rates);
    sinks(&graph, report);
    cores(&graph, health);
    plan.services().figures(&mut OfServices { graph: &graph });
}

const STAGE_LATENCY: &str = "afferent_stage_latency_seconds";
const SINK_LATENCY: &str = "afferent_sink_latency_seconds";

fn describe() {
    describe_gauge!("afferent_run_seconds", "Time since the run started.");
    describe_gauge!("afferent_sessions_open", "Sessions that are open.");
    describe_counter!("afferent_sessions_opened_total", "Sessions opened since the start.");
    describe_counter!(
        "afferent_edge_in_frames_total",
        "Frames that entered an edge: out + dropped + in flight, always."
    );
    describe_counter!("afferent_edge_out_frames_total", "Frames that left an edge.");
    describe_counter!("afferent_edge_dropped_frames_total", "Frames dropped, by reason.");
    describe_gauge!("afferent_edge_in_flight_frames", "Frames inside an edge now.");
    describe_counter!("afferent_node_restarts_total", "Times a body was put in anew.");
    describe_counter!("afferent_node_poison_frames_total", "Frames a body died on.");
    describe_counter!("afferent_node_late_frames_total", "Frames older than their node promised.");
    describe_gauge!(
        "afferent_node_call_seconds",
        "Mean time of a call; of about one turn in 256, and of frames that are followed."
    );
    describe_counter!("afferent_source_frames_total", "Frames a source brought in.");
    describe_counter!("afferent_source_samples_total", "Samples a source brought in.");
    describe_gauge!("afferent_source_nominal_hz", "Samples per second its format promises.");
    describe_gauge!(
        "afferent_source_measured_hz",
        "Samples per second that came, per session, since a scrape 10 s ago or the last before."
    );
    describe_histogram!(STAGE_LATENCY, "From the host's door to the end of a stage.");
    describe_gauge!("afferent_stage_state", "Open sessions in which a stage is in this state.");
    describe_counter!("afferent_stage_restarts_total", "Times a body of a stage was put in anew.");
    describe_histogram!(SINK_LATENCY, "From the host's door to the sink.");
    describe_gauge!("afferent_sink_latency_max_seconds", "The largest since the start.");
    describe_gauge!("afferent_deadline_seconds", "Latency that the graph allows a sink.");
    describe_gauge!("afferent_core_state", "1 for the state a data core is in.");
}

fn edges(graph: &str, report: &Report) {
    for edge in &report.edges {
        let name = format!("{}->{}", edge.from, edge.to);
        let labels = [("graph", graph.to_owned()), ("edge", name.clone())];
        counter!("afferent_edge_in_frames_total", &labels).absolute(edge.frames.sent);
        counter!("afferent_edge_out_frames_total", &labels).absolute(edge.frames.taken);
        gauge!("afferent_edge_in_flight_frames", &labels).set(edge.frames.in_flight as f64);
        for (reason, dropped) in Gap::ALL.iter().zip(edge.frames.dropped) {
            // Zeros, too: a rate can only be taken of a series that is there before its first drop.
            let labels = [
                ("graph", graph.to_owned()),
                ("edge", name.clone()),
                ("reason", reason.word().to_owned()),
            ];
            counter!("afferent_edge_dropped_frames_total", &labels).absolute(dropped);
        }
    }
}

fn nodes(graph: &str, report: &Report) {
    for node in &report.nodes {
        let labels = [("graph", graph.to_owned()), ("node", node.name.clone())];
        counter!("afferent_node_restarts_total", &labels).absolute(node.restarts);
        counter!("afferent_node_poison_frames_total", &labels).absolute(node.poison);
        counter!("afferent_node_late_frames_total", &labels).absolute(node.late);
        if let Some(mean_ns) = node.mean_ns {
            gauge!("afferent_node_call_seconds", &labels).set(mean_ns / 1e9);
        }
    }
}

fn stages(graph: &str, report: &Report) {
    for stage in &report.stages {
        let labels =
            [Label::new("graph", graph.to_owned()), Label::new("stage", stage.name.clone())];
        latency::publish(STAGE_LATENCY, &labels, &stage.latency);
        counter!("afferent_stage_restarts_total", labels.to_vec()).absolute(stage.restarts);
        for (state, sessions) in StageState::ALL.iter().zip(stage.states) {
            let mut labels = labels.to_vec();
            labels.push(Label::new("state", state.word()));
            gauge!("afferent_stage_state", labels).set(sessions as f64);
        }
    }
}

fn sources(graph: &str, report: &Report, rates: &[f64]) {
    for (node, &measured_hz) in report.nodes.iter().zip(rates) {
        let Some(entered) = node.entered else { continue };
        let labels = [("graph", graph.to_owned()), ("node", node.name.clone())];
        counter!("afferent_source_frames_total", &labels).absolute(entered.frames);
        if let Some(rate_hz) = entered.rate_hz {
            counter!("afferent_source_samples_total", &labels).absolute(entered.samples);
            gauge!("afferent_source_nominal_hz", &labels).set(rate_hz);
            gauge!("afferent_source_measured_hz", &labels).set(measured_hz);
        }
    }
}

fn sinks(graph: &str, report: &Report) {
    for sink in &report.sinks {
        let labels = [Label::new("graph", graph.to_owned()), Label::new("node", sink.name.clone())];
        if let Some(limit_ns) = sink.deadline_ns {
            gauge!("afferent_deadline_seconds", labels.to_vec()).set(limit_ns as f64 / 1e9);
        }
        latency::publish(SINK_LATENCY, &labels, &sink.latency);
        if let Some(max_ns) = sink.latency.max() {
            gauge!("afferent_sink_latency_max_seconds", labels.to_vec()).set(max_ns as f64 / 1e9);
        }
    }
}

fn cores(graph: &str, health: &[Health]) {
    for (core, health) in health.iter().enumerate() {
        let now = match health {
            Health::Well => "well",
            Health::Slow { .. } => "slow",
            Health::Wedged { .. } => "wedged",
            Health::Starved => "starved",
        };
        for state in ["well", "slow", "wedged", "starved"] {
            let labels = [
                ("graph", graph.to_owned()),
                ("core", core.to_string()),
                ("state", state.to_owned()),
            ];
            gauge!("afferent_core_state", &labels).set(f64::from(u8::from(state == now)));
        }
    }
}
