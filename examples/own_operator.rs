//! An operator of one's own: a file with a `Kind`, and one line that adds it to the catalogue.
//!
//! ```sh
//! cargo run --release --example own_operator
//! ```
//!
//! `teager` computes the Teager energy of a signal, which rises where a beat is.

use std::sync::Arc;

use afferent_suite::Disk;
use engine::{Body, Catalog, GraphSpec, Kind, Map, PlanOptions, Port, RunOptions, SourceText};

/// ψ[n] = x[n−1]² − x[n−2] · x[n]; Kaiser 1990. One sample late, which the kind declares.
static TEAGER: Kind = Kind {
    name: "teager",
    summary: "The Teager energy of a signal.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    plan: |node| {
        let period_ns = node.signal("in").rate.span_ns(1);
        Ok(engine::Outline::like_ports(node)?.delayed(period_ns))
    },
    build: |_| Ok(Body::map(Teager { last: [0.0; 2] })),
    ..Kind::BASE
};

#[derive(Clone)]
struct Teager {
    last: [f32; 2],
}

impl Map for Teager {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (x, y) in input.iter().zip(output) {
            let [before, last] = self.last;
            *y = last * last - before * x;
            self.last = [last, *x];
        }
    }

    fn reset(&mut self) {
        self.last = [0.0; 2];
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = r#"
        [graph]
        name = "own_operator"

        [node.ecg]
        op = "ecg"
        seconds = 2.0
        frame_ms = 500.0

        [node.energy]
        op = "teager"
        from = "ecg"

        [node.out]
        op = "jsonl"
        from = "energy"
    "#;
    let spec = GraphSpec::parse(&SourceText::new("own_operator.toml", graph))?;
    let mut catalog = Catalog::new(&[operators::CATALOG]);
    assert!(catalog.add(&TEAGER), "the name is free");

    let plan = Arc::new(spec.plan(&catalog, &PlanOptions::new(Arc::new(Disk)))?);
    plan.start(&RunOptions { speed: None, ..RunOptions::default() })?.wait();
    Ok(())
}
