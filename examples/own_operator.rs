//! A program of one's own: everything `afferent` does, with an operator besides the built-in ones.
//! Graph files name it like any other kind; `list` and `explain` know it.
//!
//! ```sh
//! cargo run --release --example own_operator -- explain teager
//! cargo run --release --example own_operator -- run examples/own_operator.toml --speed max
//! cargo run --release --example own_operator -- test examples/own_operator.toml
//! ```
//!
//! In a package of one's own the first lines of `Cargo.toml` are those of CONTRIBUTING.md.

use std::process::ExitCode;

use engine::{Body, Fault, Kind, Map, Node, Outline, Param, Port};

const GAIN: Param<f64> =
    Param::with_default("gain", 1.0, "What the energy is multiplied by.").within(0.0, 1e6).live();

/// ψ[n] = x[n−1]² − x[n−2] · x[n]; Kaiser 1990. One sample late, which the kind declares.
static TEAGER: Kind = Kind {
    name: "teager",
    summary: "The Teager energy of a signal, which rises where a beat is.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&GAIN],
    plan: |node| {
        let period_ns = node.signal("in").rate.span_ns(1);
        Ok(Outline::like_ports(node)?.delayed(period_ns))
    },
    build: |node| Ok(Body::map(Teager { gain: node.get(&GAIN)? as f32, last: [0.0; 2] })),
    ..Kind::BASE
};

#[derive(Clone)]
struct Teager {
    gain: f32,
    last: [f32; 2],
}

impl Map for Teager {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (x, y) in input.iter().zip(output) {
            let [before, last] = self.last;
            *y = self.gain * (last * last - before * x);
            self.last = [last, *x];
        }
    }

    fn reset(&mut self) {
        self.last = [0.0; 2];
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.gain = node.get(&GAIN).map_err(|problem| Fault::new(problem.message))? as f32;
        Ok(())
    }
}

fn main() -> ExitCode {
    afferent::main(&[&TEAGER])
}
