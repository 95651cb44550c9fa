//! A source of one's own that waits for its device, here a clock that ticks unevenly.
//!
//! ```sh
//! cargo run --release --example own_source
//! ```
//!
//! A live source never blocks its device: a full edge drops and counts. While it
//! is silent the clock raises its bound (`idle_ms`), so nobody waits for it in vain.

use std::{sync::Arc, time::Duration};

use engine::{
    Body, Catalog, Disk, Field, Format, GraphSpec, Kind, LiveIo, LiveSource, Outline, Placement,
    PlanOptions, Port, RunOptions, SourceText, Waiting,
};

/// Ten button presses, each a little later than the one before.
static BUTTON: Kind = Kind {
    name: "button",
    summary: "A button that is pressed ten times.",
    outputs: &[Port::event("out")],
    placement: Placement::Waits,
    live: true,
    plan: |_| Ok(Outline::of([Format::event(vec![Field::i64("press")], 50.0)])),
    build: |_| Ok(Body::live(Button)),
    ..Kind::BASE
};

struct Button;

impl LiveSource for Button {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            let mut next = io.now();
            for press in 0..10 {
                next = next + Duration::from_millis(20 + 10 * press);
                io.sleep_until(next).await;
                let event = io.event_for(0).i64(0, press as i64);
                let now = io.now();
                io.send(0, now, 0, event.finish());
            }
            Ok(())
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = r#"
        [graph]
        name = "own_source"

        [node.button]
        op = "button"
        idle_ms = 100.0

        [node.out]
        op = "jsonl"
        from = "button"
    "#;
    let spec = GraphSpec::parse(&SourceText::new("own_source.toml", graph))?;
    let mut catalog = Catalog::new(&[operators::CATALOG]);
    assert!(catalog.add(&BUTTON), "the name is free");

    let plan = Arc::new(spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk)))?);
    let running = plan.start(&RunOptions::default())?;
    running.wait();
    for sink in running.report().sinks {
        let (median_ns, ..) = sink.latency_ns.expect("ten presses came through");
        eprintln!(
            "`{}`: {} presses, median latency {} µs",
            sink.name,
            sink.frames,
            median_ns / 1_000
        );
    }
    Ok(())
}
