//! A graph written in Rust instead of a file: the same spec, the same checks.
//!
//! ```sh
//! cargo run --release --example graph_in_code
//! ```
//!
//! Prints the beats and the HRV of ten seconds of a synthetic heart, then what was counted.

use std::sync::Arc;

use engine::{Catalog, Disk, GraphSpec, PlanOptions, RunOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec = GraphSpec::new("graph_in_code")
        .set("deadline_ms", 50)
        .node("ecg", "ecg", |node| node.set("seconds", 10.0).set("heart_rate_bpm", 66.0))
        .node("clean", "bandpass", |node| node.from("ecg").set("low_hz", 5.0).set("high_hz", 15.0))
        .node("beats", "qrs", |node| node.from("clean"))
        .node("hrv", "hrv", |node| node.from("beats").set("every_s", 5.0))
        .node("out", "jsonl", |node| node.from(["beats", "hrv"]));

    let catalog = Catalog::new(&[operators::CATALOG]);
    let plan = Arc::new(spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk)))?);
    eprint!("{}", plan.table());

    let running = plan.start(&RunOptions { speed: None, ..RunOptions::default() })?;
    running.wait();
    let report = running.report();
    eprintln!("{} frames out, nothing lost: {}", report.frames_out(), report.is_balanced());
    Ok(())
}
