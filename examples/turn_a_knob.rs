//! A knob turned while the graph runs: the heart beats faster, nothing restarts.
//!
//! ```sh
//! cargo run --release --example turn_a_knob
//! ```

use std::{sync::Arc, time::Duration};

use engine::{Catalog, Disk, GraphSpec, PlanOptions, RunOptions, SourceText};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = r#"
        [graph]
        name = "turn_a_knob"

        [node.ecg]
        op = "ecg"
        seconds = 60.0
        heart_rate_bpm = 60.0
        hrv_sdnn_ms = 5.0

        [node.clean]
        op = "bandpass"
        from = "ecg"
        low_hz = 5.0
        high_hz = 15.0

        [node.beats]
        op = "qrs"
        from = "clean"

        [node.out]
        op = "jsonl"
        from = "beats"
    "#;
    let spec = GraphSpec::parse(&SourceText::new("turn_a_knob.toml", graph))?;
    let catalog = Catalog::new(&[operators::CATALOG]);
    let plan = Arc::new(spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk)))?);
    // Twenty times as fast as life: the minute takes three seconds.
    let running = plan.start(&RunOptions { speed: Some(20.0), ..RunOptions::default() })?;

    // A second later the heart is excited. The change falls between two frames.
    running.wait_for(Duration::from_secs(1));
    running.set(0, "ecg", "heart_rate_bpm", 120.0)?;
    // What cannot change while it runs says so, such as what formats and delays were agreed from;
    // what is out of range says so too.
    eprintln!("{}", running.set(0, "clean", "high_hz", 20.0).expect_err("fixed"));
    eprintln!("{}", running.set(0, "ecg", "heart_rate_bpm", 900.0).expect_err("too fast"));

    running.wait();
    Ok(())
}
