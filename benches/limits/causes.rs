//! One limit of each cause, planted into a graph made by chance.

mod busy;
mod waits;

use engine::testing::Chance;

use super::{cost::Costs, planted::Planted};

/// A graph limited by `cause`.
pub(crate) fn plant(cause: &'static str, seed: u64, costs: &Costs) -> Planted {
    let mut chance = Chance::new(seed);
    let chance = &mut chance;
    match cause {
        "compute" => busy::compute(chance, costs),
        "core" => busy::core(chance, costs),
        "ring" => waits::ring(chance),
        "sink" => waits::sink(chance, costs),
        "join" => waits::join(chance),
        "answer" => waits::answer(chance),
        "source" => busy::source(chance, costs),
        "moving" => waits::moving(chance),
        _ => busy::nothing(chance, costs),
    }
}

/// Kinds that cost a few nanoseconds a sample.
const CHEAP: [(&str, &str); 6] = [
    ("copy", ""),
    ("lowpass", "cutoff_hz = 100.0"),
    ("highpass", "cutoff_hz = 1.0"),
    ("notch", "notch_hz = 50.0"),
    ("smooth", "cutoff_hz = 80.0"),
    ("differentiate", ""),
];

/// A chain of cheap nodes behind `from`; says who is its last.
fn chain(graph: &mut Planted, chance: &mut Chance, prefix: &str, from: &str, most: u64) -> String {
    let mut last = from.to_owned();
    for number in 0..chance.below(most + 1) {
        let (op, keys) = *chance.one(&CHEAP);
        let name = format!("{prefix}{number}");
        graph.put(&name, op, &format!("\"{last}\""), keys);
        last = name;
    }
    last
}

fn sine(graph: &mut Planted, name: &str, rate_hz: f64, frame_ms: f64, more: &str) {
    let keys = format!("rate_hz = {rate_hz:.0}.0\nframe_ms = {frame_ms:.1}\n{more}");
    graph.put(name, "sine", "", &keys);
}

fn seconds(seconds: f64) -> String {
    format!("seconds = {seconds:.2}")
}

/// Sometimes a second way from the source, which costs next to nothing.
fn side(graph: &mut Planted, chance: &mut Chance) {
    if chance.once_in(2) {
        let side = chain(graph, chance, "c", "source", 2);
        null(graph, "side", &side);
    }
}

fn null(graph: &mut Planted, name: &str, from: &str) {
    graph.put(name, "null", &format!("\"{from}\""), "");
}

fn lines(graph: &mut Planted, name: &str, from: &str) {
    graph.put(name, "jsonl", &format!("\"{from}\""), "file = \"lines.jsonl\"");
}
