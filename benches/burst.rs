//! P6: a burst of 100 000 frames into a sink that is slower than the source.

mod support;

use std::time::Duration;

use support::{
    Bench,
    graph::{Chain, at_max, planned},
};

fn main() {
    let bench = Bench::start("burst");
    let frames = bench.scale(100_000, 2_000);
    for policy in ["block", "drop_newest", "drop_oldest", "latest"] {
        let chain = Chain {
            source: &format!("op = \"bench_ramp\"\nrate_hz = 64e3\nframes = {frames}"),
            node: "",
            count: 0,
            sink: &format!("op = \"bench_slow\"\non_full = \"{policy}\""),
            stage: |at, _| Some(if at == 0 { ("first", 0) } else { ("second", 1) }),
        };
        let running = planned(&chain.text(), 2).start(&at_max(2)).expect("bodies can be built");
        running.wait_for(Duration::from_secs(300)).expect("the graph ends");
        let report = running.report();
        let edge = &report.edges[0].frames;
        // Every frame is delivered or counted as dropped: nothing is lost in silence.
        assert_eq!(edge.sent, frames as u64);
        assert_eq!(edge.taken + edge.dropped_in_all(), edge.sent);
        assert!(policy != "block" || edge.dropped_in_all() == 0);
        bench.report(
            "burst",
            &[("on_full", policy)],
            &[
                ("sent", edge.sent as f64),
                ("taken", edge.taken as f64),
                ("dropped_and_counted", edge.dropped_in_all() as f64),
            ],
        );
    }
}
