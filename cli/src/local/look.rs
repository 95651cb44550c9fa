//! What a server says of a run: its parts once, its counts as often as somebody asks.

use engine::{Format, Gap, Health, Histogram, NodePart, Plan, Report, StageState};
use link::host::{LinkFigures, Links};

use super::message::{
    EdgeLook, EdgeShape, EnteredLook, FaultLook, LatencyLook, LinkLook, Look, NodeLook, NodeShape,
    ParamShape, PortShape, Remark, ServiceLook, Shape, SinkLook, StageLook, StageShape, WorkLook,
};

/// Links that are told one by one; those that are down come first.
const LINKS_MAX: usize = 64;

/// What does not change while a plan runs.
pub(crate) fn shape(plan: &Plan, report: &Report, cores: usize, speed: Option<f64>) -> Shape {
    let edges = plan.edge_parts().map(|edge| EdgeShape {
        from: edge.from.clone(),
        producer: edge.producer.to_owned(),
        consumer: edge.consumer.to_owned(),
        port: edge.port.to_owned(),
        format: short(edge.format),
        capacity: edge.capacity,
        on_full: edge.on_full.map(|on_full| on_full.word().to_owned()),
    });
    let stages = report.stages.iter();
    let stages =
        stages.map(|stage| StageShape { name: stage.name.clone(), nodes: stage.nodes.clone() });
    let rates = report.nodes.iter().map(|node| node.entered.and_then(|entered| entered.rate_hz));
    Shape {
        cores,
        speed,
        duration_s: plan.duration().map(|end| end.secs_f64()).filter(|end| *end > 0.0),
        nodes: plan.node_parts().zip(rates).map(|(part, rate)| node(plan, &part, rate)).collect(),
        edges: edges.collect(),
        stages: stages.collect(),
        reasons: Gap::ALL.iter().map(|gap| gap.word().to_owned()).collect(),
        states: StageState::ALL.iter().map(|state| state.word().to_owned()).collect(),
    }
}

fn node(plan: &Plan, part: &NodePart<'_>, rate_hz: Option<f64>) -> NodeShape {
    let param = |param: &&'static dyn engine::AnyParam| {
        let written = part.params.written(param.name());
        let value =
            written.map(|value| value.value.to_string()).or_else(|| param.default_text())?;
        let (min, max) = param.range();
        Some(ParamShape {
            name: param.name().to_owned(),
            value,
            is_written: written.is_some(),
            is_live: param.is_live(),
            doc: param.doc().to_owned(),
            min: min.is_finite().then_some(min),
            max: max.is_finite().then_some(max),
            choices: param.choices().iter().map(|&word| word.to_owned()).collect(),
        })
    };
    NodeShape {
        name: part.name.to_owned(),
        kind: part.kind.name.to_owned(),
        summary: part.kind.summary.to_owned(),
        is_source: part.kind.is_source(),
        is_sink: part.kind.is_sink(),
        stage: part.stage,
        core: part.core,
        rate_hz,
        delay_ms: part.delay_ns as f64 / 1e6,
        deadline_ms: part.deadline_ns.map(|ns| ns as f64 / 1e6),
        on_fault: part.on_fault.word().to_owned(),
        params: part.kind.params.iter().filter_map(param).collect(),
        outputs: outputs(plan, Some(part.name)),
    }
}

/// The outputs of a node, or of all.
pub(crate) fn outputs(plan: &Plan, of: Option<&str>) -> Vec<PortShape> {
    let wanted = plan.outputs().filter(|output| of.is_none_or(|node| output.node == node));
    let port = |output: engine::Output<'_>| PortShape {
        name: output.port.to_owned(),
        label: output.label(),
        format: output.format.to_string(),
    };
    wanted.map(port).collect()
}

/// Fields of events are told where the node is looked at.
fn short(format: &Format) -> String {
    match format.as_event() {
        Some(_) => "events".to_owned(),
        None => format.to_string(),
    }
}

/// What has been counted so far.
pub(crate) fn look(
    report: &Report,
    health: &[Health],
    links: Option<&Links>,
    is_draining: bool,
) -> Look {
    let (told, links_more, links_ended) = links.map(told).unwrap_or_default();
    let (sessions_opened, sessions_open) = report.sessions;
    let stage = |stage: &engine::StageReport| StageLook {
        restarts: stage.restarts,
        states: stage.states.to_vec(),
        latency: latency(&stage.latency),
    };
    let sink = |sink: &engine::SinkReport| SinkLook {
        node: sink.name.clone(),
        frames: sink.frames,
        deadline_ns: sink.deadline_ns,
        latency: latency(&sink.latency),
    };
    let edge = |edge: &engine::EdgeReport| EdgeLook {
        sent: edge.frames.sent,
        taken: edge.frames.taken,
        in_flight: edge.frames.in_flight,
        dropped: edge.frames.dropped.to_vec(),
    };
    let remark =
        |(node, text): &(String, String)| Remark { node: node.clone(), text: text.clone() };
    Look {
        at_s: report.lasted_ns as f64 / 1e9,
        is_draining,
        sessions_open,
        sessions_opened,
        nodes: report.nodes.iter().map(counted).collect(),
        edges: report.edges.iter().map(edge).collect(),
        stages: report.stages.iter().map(stage).collect(),
        sinks: report.sinks.iter().map(sink).collect(),
        cores: health.iter().map(words).collect(),
        services: report.services.iter().map(service).collect(),
        links: told,
        links_more,
        links_ended,
        remarks: report.remarks.iter().map(remark).collect(),
        time: None,
    }
}

fn counted(node: &engine::NodeReport) -> NodeLook {
    let entered = |entered: engine::Entered| EnteredLook {
        frames: entered.frames,
        samples: entered.samples,
        gaps: entered.gaps,
    };
    let fault = |fault: &engine::LastFault| FaultLook {
        what: fault.what.clone(),
        at_s: fault.at_ns as f64 / 1e9,
    };
    NodeLook {
        restarts: node.restarts,
        poison: node.poison,
        late: node.late,
        mean_ns: node.mean_ns,
        work: Some(WorkLook::of(node)),
        entered: node.entered.map(entered),
        fault: node.last_fault.as_ref().map(fault),
    }
}

fn latency(latency: &Histogram) -> LatencyLook {
    LatencyLook {
        p50_ns: latency.quantile(0.5),
        p99_ns: latency.quantile(0.99),
        max_ns: latency.max(),
        steps: latency.steps().collect(),
    }
}

fn words(health: &Health) -> String {
    match health {
        Health::Well => String::new(),
        Health::Slow { node, ms } => format!("`{node}` at work for {ms} ms"),
        Health::Wedged { node } => format!("`{node}` never returned"),
        Health::Starved => "gets no processor".to_owned(),
    }
}

fn service((name, remark): &(String, String)) -> ServiceLook {
    let (what, name) = match name.strip_prefix(model::cache::PREFIX) {
        Some(name) => ("cache", name),
        None => ("model", name.as_str()),
    };
    ServiceLook { what: what.to_owned(), name: name.to_owned(), remark: remark.replace('\n', "; ") }
}

fn told(links: &Links) -> (Vec<LinkLook>, u64, u64) {
    let (_, ended) = links.ended();
    let mut open = links.open();
    open.sort_by_key(|link| (link.status.is_up, link.session));
    let more = open.len().saturating_sub(LINKS_MAX) as u64;
    (open.iter().take(LINKS_MAX).map(link).collect(), more, ended)
}

fn link(link: &LinkFigures) -> LinkLook {
    LinkLook {
        peer: link.peer.clone(),
        session: link.session,
        is_up: link.status.is_up,
        was_up: link.was_up(),
        for_s: link.for_ns() as f64 / 1e9,
        rtt_ns: link.status.rtt_ns,
        loss: link.loss(),
        bytes_per_s: link.status.bytes_per_s,
        queued: link.queued(),
        sent: link.sent(),
        received: link.received(),
        lost: link.lost(),
        trouble: link.status.trouble.clone(),
    }
}
