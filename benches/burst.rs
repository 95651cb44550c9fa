//! P6: a burst of 100 000 frames into a sink that takes 20 µs over each, under every policy.
//!
//! Every frame is delivered, in order, or counted as dropped, and the sink is told of every place
//! where some are missing. `block` takes as long as the sink must; told is how much longer.

mod support;

use std::time::Duration;

use support::{
    Bench, Runs,
    graph::{Chain, at_max, planned},
    kinds::faulty::{SLOW_NS, ledger},
    seconds,
};

fn main() {
    let bench = Bench::start("burst");
    let frames = bench.scale(100_000, 2_000) as u64;
    let runs = bench.interleaved([
        ("block", &mut || burst("block", frames)),
        ("drop_newest", &mut || burst("drop_newest", frames)),
        ("drop_oldest", &mut || burst("drop_oldest", frames)),
        ("latest", &mut || burst("latest", frames)),
    ]);
    for (policy, runs) in ["block", "drop_newest", "drop_oldest", "latest"].into_iter().zip(&runs) {
        bench.report(
            "burst",
            &[("on_full", policy), ("frames", &frames.to_string())],
            &[
                ("taken", &runs.of(|run| run.taken as f64)),
                ("dropped_and_counted", &runs.of(|run| run.dropped as f64)),
                ("seconds", &runs.of(|run| run.seconds)),
            ],
        );
    }
    let [block, ..]: &[Runs<Burst>; 4] = &runs;
    let least_s = frames as f64 * SLOW_NS as f64 / 1e9;
    bench.verdict_least(
        "P6, frames `block` delivers",
        &block.of(|run| run.taken as f64),
        frames as f64,
    );
    bench.verdict(
        "P6, time of `block` through the sink's",
        &block.of(|run| run.seconds / least_s),
        1.1,
    );
}

struct Burst {
    taken: u64,
    dropped: u64,
    seconds: f64,
}

fn burst(policy: &str, frames: u64) -> Burst {
    let chain = Chain {
        source: &format!("op = \"bench_ramp\"\nrate_hz = 64e3\nframes = {frames}"),
        node: "",
        count: 0,
        sink: &format!("op = \"bench_slow\"\non_full = \"{policy}\""),
        stage: |at, _| Some(if at == 0 { ("first", 0) } else { ("second", 1) }),
    };
    let plan = planned(&chain.text(), 2);
    let mut report = None;
    let seconds = seconds(|| {
        let running = plan.start(&at_max(2)).expect("bodies can be built");
        let outcome = running.wait_for(Duration::from_secs(60)).expect("the graph ends");
        assert_eq!(outcome.fault, None);
        report = Some(running.report());
    });
    let report = report.expect("it has run");
    let (edge, seen) = (&report.edges[0].frames, ledger());
    let dropped = edge.dropped_in_all();
    assert_eq!((edge.sent, edge.in_flight), (frames, 0), "{policy}");
    assert_eq!(edge.taken + dropped, frames, "{policy}: delivered or counted");
    assert_eq!(seen.taken, edge.taken, "{policy}: the sink's own count");
    assert_eq!((seen.disordered, seen.untold), (0, 0), "{policy}: in order, gaps told");
    // What is missing at the end nobody can be told of.
    assert_eq!(seen.missing + (frames - seen.next), dropped, "{policy}: what is missing");
    match policy {
        "block" => assert_eq!(dropped, 0, "nothing is lost"),
        "drop_newest" => assert!(dropped > 0),
        _ => assert!(dropped > 0 && seen.next == frames, "{policy}: the newest frame is kept"),
    }
    Burst { taken: edge.taken, dropped, seconds }
}
