//! P10: what a panic at 1 kHz costs the graph it happens in, and the one beside it.
//!
//! Two sessions' worth of chains stand on one core; in one of them an operator panics every 500
//! frames. Lost must be the frames it died on and no other.

mod support;

use std::time::Duration;

use engine::{Gap, RunOptions};
use support::{Bench, graph::planned, kinds::seen, quantile};

fn main() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Those on data cores are the measurement.
        let on_core = |name: &str| name.starts_with("afferent-core");
        if !std::thread::current().name().is_some_and(on_core) {
            told(panic);
        }
    }));
    let bench = Bench::start("faults");
    let frames = bench.scale(3_000, 1_000);
    let [quiet, faulty] =
        bench.interleaved([&mut || siblings_p99(frames, 0), &mut || siblings_p99(frames, 500)]);
    for (variant, p99) in [("without", &quiet), ("with a panic twice a second", &faulty)] {
        bench.report(
            "siblings",
            &[("faults", variant)],
            &[("p99_us", p99.median()), ("min", p99.min()), ("max", p99.max())],
        );
    }
    bench.verdict("P10, siblings' p99", faulty.median(), 1.1 * quiet.median());
}

/// The p99 of the healthy chain's jitter in microseconds; checks the ledger of the other.
fn siblings_p99(frames: usize, every: usize) -> f64 {
    let text = format!(
        r#"
        [graph]
        name = "faults"
        [node.source]
        op = "bench_ramp"
        rate_hz = 64e3
        frames = {frames}
        [node.dies]
        op = "bench_dies"
        from = "source"
        every = {every}
        retries = 1_000
        [node.sink]
        op = "bench_final"
        from = "dies"
        [node.healthy]
        op = "bench_ramp"
        rate_hz = 64e3
        frames = {frames}
        [node.pass]
        op = "bench_add"
        from = "healthy"
        [node.watch]
        op = "bench_latency"
        from = "pass"
        "#
    );
    let options = RunOptions { speed: Some(1.0), cores: 1, sessions: 1 };
    let running = planned(&text, 1).start(&options).expect("bodies can be built");
    let outcome = running
        .wait_for(Duration::from_secs(20))
        .unwrap_or_else(|| panic!("every {every}: no end: {:?}", running.report().edges));
    assert_eq!(outcome.fault, None);
    for edge in &running.report().edges {
        let died = edge.frames.dropped[Gap::Poison as usize - 1];
        let expected = if edge.to == "dies" && every > 0 { frames / every } else { 0 };
        assert_eq!(died, expected as u64, "only the poison is lost");
        assert_eq!(edge.frames.sent, edge.frames.taken + died, "{} → {}", edge.from, edge.to);
    }
    // Both clocks run alike: what differs from the smallest difference is waiting.
    let waits = seen().into_iter().map(|(arrived, entered)| arrived - entered);
    let mut waits: Vec<f64> = waits.map(|wait| wait as f64 / 1e3).collect();
    waits.sort_by(f64::total_cmp);
    quantile(&waits, 0.99) - waits[0]
}
