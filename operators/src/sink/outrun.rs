//! Whether more comes than can be written as text.

use engine::{Code, Diagnostic, Format, Node, counted};

/// Numbers that one processor writes as text in a second, of jsonl and csv alike: 12 to 15 million were
/// measured on an ordinary server.
const NUMBERS_PER_S: f64 = 12e6;

/// Warns where all inputs together bring more numbers than can be written as text while they come.
pub(super) fn by_text(node: &Node<'_>) -> Option<Diagnostic> {
    let numbers = node.inputs().iter().map(|input| per_second(&input.format)).sum::<f64>();
    if numbers <= NUMBERS_PER_S {
        return None;
    }
    let (comes, takes) = (counted(numbers as u64, "number"), NUMBERS_PER_S / 1e6);
    let message = format!(
        "{comes} a second come to `{}`, which writes about {takes} million as text",
        node.name()
    );
    let hint = "write fewer: `resample`, a feature of each window, picked channels (`from = \"x[0,1]\"`); or \
                sound files (`audio`). As it is, sources of files wait and devices lose frames";
    Some(Diagnostic::warning(Code::Outrun, message).at(node.place("op")).hint(hint))
}

/// Numbers a second, where a format says so: events and tensors come as they come.
fn per_second(format: &Format) -> f64 {
    match format {
        Format::Signal(signal) => signal.rate.hz() * signal.channels.len() as f64,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::{Catalog, GraphSpec, PlanOptions, SourceText, testing::MemoryFiles};

    fn warnings(rate_hz: &str, op: &str, from: &str) -> Vec<String> {
        let text = format!(
            "[node.fast]\nop = \"sine\"\nchannels = 3\nrate_hz = {rate_hz}\n\
             [node.out]\nop = \"{op}\"\nfrom = \"{from}\"\n{}",
            if op == "null" { "" } else { "file = \"out\"" }
        );
        let spec = GraphSpec::parse(&SourceText::new("g.toml", &text)).expect("a graph");
        let options = PlanOptions::new(Arc::new(MemoryFiles::new()));
        let plan = spec.plan(&Catalog::new(&[crate::CATALOG]), &options);
        let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
        plan.warnings().iter().map(|it| format!("[{}] {}", it.code.name(), it.message)).collect()
    }

    #[test]
    fn text_that_cannot_be_written_while_it_comes_is_told() {
        for op in ["jsonl", "csv"] {
            let told = warnings("5_000_000.0", op, "fast").join("");
            let comes = "15000000 numbers a second come to `out`, which writes about 12 million";
            assert!(told.contains("[outrun]") && told.contains(comes), "{told}");
            assert_eq!(warnings("3_900_000.0", op, "fast"), [""; 0], "that can be written");
            assert_eq!(warnings("5_000_000.0", op, "fast[0,1]"), [""; 0], "two channels can");
        }
        assert_eq!(warnings("5_000_000.0", "null", "fast"), [""; 0], "nothing is written");
    }
}
