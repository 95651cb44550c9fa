//! What links to other hosts tell of themselves.

use engine::{Gap, Plan};
use link::{
    host::{EdgeFigures, LinkFigures, Links},
    offload::CallFigures,
    trust::Reason,
};
use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Hands the figures of all open links to the recorder. Labels are `graph`, `peer`, `session`, and for
/// edges `edge`; where each node runs stands under `node` and `host`; why somebody was turned away,
/// `reason`.
pub(super) fn publish(plan: &Plan, links: &Links) {
    describe();
    placement(plan);
    let open = links.open();
    let up = open.iter().filter(|link| link.status.is_up).count();
    let graph = || plan.name().to_owned();
    gauge!("afferent_links_up", "graph" => graph()).set(up as f64);
    counter!("afferent_links_ended_total", "graph" => graph()).absolute(links.ended().1);
    if let Some(refused) = links.turned_away() {
        for reason in Reason::ALL {
            let labels = [("graph", graph()), ("reason", reason.word().to_owned())];
            counter!("afferent_link_refused_total", &labels).absolute(refused.of(reason));
        }
    }
    for link in &open {
        one(plan.name(), link);
    }
    for call in links.calls() {
        moving(plan.name(), &call);
    }
}

/// Where a call is answered that may move, in all sessions together.
fn moving(graph: &str, call: &CallFigures) {
    let CallFigures { node, hosts, sessions, counts } = call;
    let labels = [("graph", graph.to_owned()), ("node", node.clone())];
    for (n, host) in hosts.iter().enumerate() {
        let mut labels = labels.to_vec();
        labels.push(("host", host.clone()));
        gauge!("afferent_call_sessions", &labels).set(sessions[n] as f64);
        counter!("afferent_call_answers_total", &labels).absolute(counts.answers[n]);
        counter!("afferent_call_missed_total", &labels).absolute(counts.missed[n]);
    }
    counter!("afferent_call_moves_total", &labels).absolute(counts.changes);
    counter!("afferent_call_hedged_total", &labels).absolute(counts.hedged);
    counter!("afferent_call_doubted_total", &labels).absolute(counts.doubted);
}

fn describe() {
    describe_gauge!("afferent_node_host", "1 for the host that a node runs on.");
    describe_gauge!(
        "afferent_call_sessions",
        "Sessions that ask a host now, of a call that may move."
    );
    describe_counter!("afferent_call_answers_total", "Answers of a host that counted.");
    describe_counter!(
        "afferent_call_missed_total",
        "Questions that a host had not answered when that was expected, or that failed there."
    );
    describe_counter!("afferent_call_moves_total", "Times the host that is asked has changed.");
    describe_counter!(
        "afferent_call_hedged_total",
        "Questions that were late or failed on one host and asked on the other as well."
    );
    describe_counter!(
        "afferent_call_doubted_total",
        "Questions whose answer at home was in doubt and that were asked on the other host as well."
    );
    describe_gauge!("afferent_links_up", "Links with a connection.");
    describe_counter!("afferent_links_ended_total", "Links whose session is over.");
    describe_counter!(
        "afferent_link_refused_total",
        "Times somebody who called was turned away, by reason."
    );
    describe_gauge!("afferent_link_up", "1 while there is a connection.");
    describe_counter!("afferent_link_connections_total", "Connections of a link so far.");
    describe_gauge!("afferent_link_rtt_seconds", "Smoothed round-trip time.");
    describe_gauge!(
        "afferent_link_loss_ratio",
        "Share of packets of this connection taken for lost."
    );
    describe_gauge!("afferent_link_bytes_per_second", "What gets through, by congestion control.");
    describe_gauge!(
        "afferent_link_clock_offset_seconds",
        "The other host's clock less ours; each counts from a moment of its own."
    );
    describe_gauge!("afferent_link_clock_uncertainty_seconds", "How far that may be off.");
    describe_counter!("afferent_link_clock_jumps_total", "Times a clock has jumped.");
    describe_counter!("afferent_link_malformed_total", "What came and had no meaning.");
    describe_counter!(
        "afferent_link_sent_frames_total",
        "Frames that got to the other host or its connection."
    );
    describe_counter!(
        "afferent_link_received_frames_total",
        "Frames that came and went into the graph."
    );
    describe_gauge!("afferent_link_queued_frames", "Frames kept for the other host.");
    describe_counter!(
        "afferent_link_dropped_frames_total",
        "Frames dropped on this side, by reason."
    );
    describe_counter!(
        "afferent_link_missing_frames_total",
        "Frames of the other host that never came."
    );
    describe_gauge!("afferent_link_spool_bytes", "Bytes on disk for the other host.");
    describe_counter!(
        "afferent_link_spool_lost_frames_total",
        "Frames that the spool had no room for."
    );
    describe_counter!("afferent_link_spool_failures_total", "Times the disk of a spool refused.");
    describe_counter!(
        "afferent_link_deadline_misses_total",
        "Frames dropped because they could not arrive in time."
    );
}

fn placement(plan: &Plan) {
    for (node, host) in plan.placement() {
        let labels =
            [("graph", plan.name().to_owned()), ("node", node.clone()), ("host", host.clone())];
        gauge!("afferent_node_host", &labels).set(1.0);
    }
}

fn one(graph: &str, link: &LinkFigures) {
    let status = &link.status;
    let labels = [
        ("graph", graph.to_owned()),
        ("peer", link.peer.clone()),
        ("session", link.session.to_string()),
    ];
    gauge!("afferent_link_up", &labels).set(f64::from(u8::from(status.is_up)));
    counter!("afferent_link_connections_total", &labels).absolute(status.totals.connections);
    if link.was_up() {
        gauge!("afferent_link_rtt_seconds", &labels).set(status.rtt_ns as f64 / 1e9);
        gauge!("afferent_link_loss_ratio", &labels).set(link.loss());
        gauge!("afferent_link_bytes_per_second", &labels).set(status.bytes_per_s);
    }
    if let Some(clock) = status.clock {
        gauge!("afferent_link_clock_offset_seconds", &labels).set(clock.offset_ns as f64 / 1e9);
        let uncertainty_s = f64::from(clock.uncertainty_ns) / 1e9;
        gauge!("afferent_link_clock_uncertainty_seconds", &labels).set(uncertainty_s);
    }
    counter!("afferent_link_clock_jumps_total", &labels).absolute(status.clock_jumps.0);
    counter!("afferent_link_malformed_total", &labels).absolute(status.totals.malformed);
    for edge in &link.edges {
        of_edge(&labels, edge);
    }
}

fn of_edge(link: &[(&'static str, String); 3], edge: &EdgeFigures) {
    let name = edge.status.name.replace(" -> ", "->");
    let mut labels = link.to_vec();
    labels.push(("edge", name));
    if let Some(sent) = edge.status.sent {
        counter!("afferent_link_sent_frames_total", &labels).absolute(sent.sent);
        let queued = sent.inside + edge.status.waiting as u64;
        gauge!("afferent_link_queued_frames", &labels).set(queued as f64);
        counter!("afferent_link_deadline_misses_total", &labels).absolute(edge.late());
        for gap in [Gap::Full, Gap::Late, Gap::Source, Gap::Closed, Gap::Flush] {
            let mut labels = labels.clone();
            labels.push(("reason", gap.word().to_owned()));
            let at_the_door = if gap == Gap::Full { edge.dropped } else { 0 };
            let dropped = sent.dropped_for(gap) + at_the_door;
            counter!("afferent_link_dropped_frames_total", &labels).absolute(dropped);
        }
    }
    if let Some(spool) = &edge.status.spool {
        gauge!("afferent_link_spool_bytes", &labels).set(spool.bytes as f64);
        counter!("afferent_link_spool_lost_frames_total", &labels).absolute(spool.lost);
        counter!("afferent_link_spool_failures_total", &labels).absolute(spool.failures);
    }
    if edge.status.received.is_some() {
        counter!("afferent_link_received_frames_total", &labels).absolute(edge.received());
        counter!("afferent_link_missing_frames_total", &labels).absolute(edge.lost());
        labels.push(("reason", Gap::Flush.word().to_owned()));
        counter!("afferent_link_dropped_frames_total", &labels).absolute(edge.taken_back());
    }
}
