//! A fault survived: an operator panics, its frame is lost and counted, everything else goes on.
//!
//! ```sh
//! cargo run --release --example survive_a_fault
//! ```

use std::sync::Arc;

use engine::{
    Body, Catalog, Disk, Fault, GraphSpec, Io, Kind, Operator, PlanOptions, Port, RunOptions,
    SourceText,
};

/// Passes frames on, but cannot bear one of them.
static SQUEAMISH: Kind = Kind {
    name: "squeamish",
    summary: "Passes everything on but one frame.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Squeamish)),
    ..Kind::BASE
};

struct Squeamish;

impl Operator for Squeamish {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        assert!(io.frame().header.seq != 500, "not this one");
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = r#"
        [graph]
        name = "survive_a_fault"

        [node.ecg]
        op = "ecg"
        seconds = 60.0

        [node.squeamish]
        op = "squeamish"
        from = "ecg"

        [node.out]
        op = "null"
        from = "squeamish"
    "#;
    let spec = GraphSpec::parse(&SourceText::new("survive_a_fault.toml", graph))?;
    let mut catalog = Catalog::new(&[operators::CATALOG]);
    assert!(catalog.add(&SQUEAMISH), "the name is free");

    let plan = Arc::new(spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk)))?);
    let running = plan.start(&RunOptions { speed: None, ..RunOptions::default() })?;
    running.wait();

    let report = running.report();
    let edge = report.edge("ecg", "squeamish").expect("the graph has this edge");
    println!("sent {}, taken {}, dropped:", edge.frames.sent, edge.frames.taken);
    for (reason, frames) in report.dropped() {
        println!("  {} ({})", frames, reason.word());
    }
    let (node, frame) = running.last_poison(0).expect("the frame it died on was kept");
    println!("`{node}` died on frame {} at {} s", frame.header.seq, frame.header.time.secs_f64());
    println!("restarts: {}", report.node("squeamish").expect("a node").restarts);
    assert!(report.is_balanced());
    Ok(())
}
