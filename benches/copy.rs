//! P2: samples per second through a chain of 32 copies, each really copied.

mod support;

use support::throughput::Throughput;

fn main() {
    let chain = Throughput {
        name: "copy",
        measurement: "copy_chain",
        node: "op = \"copy\"".to_owned(),
        count: 32,
        samples: 200_000_000,
        check: |last| assert_eq!(last, 1.0),
    };
    chain.measure();
}
