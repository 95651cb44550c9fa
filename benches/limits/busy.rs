//! Cores that have too much to do, or nothing that matters.

use engine::testing::Chance;

use super::{chain, null, seconds, side, sine};
use crate::{cost::Costs, planted::Planted};

/// A node that takes most of a core, somewhere in a chain.
pub(super) fn compute(chance: &mut Chance, costs: &Costs) -> Planted {
    let heavy = *chance.one(&costs.heavy);
    let many = chance.once_in(5);
    let fast = !many && chance.once_in(2);
    let kind = match (fast, many) {
        (true, _) => "as fast as it goes",
        (_, true) => "50 sessions",
        _ => "paced",
    };
    let mut graph = Planted::new("compute", kind).limited_at("heavy");
    // Of one core, or with many sessions of both.
    let share = if many { chance.between(2.6, 4.0) / 50.0 } else { chance.between(1.3, 2.5) };
    let samples_hz = if fast { chance.between(5e4, 2e5) } else { share * 1e9 / heavy.ns };
    let lasts_s = if fast { 1.2e9 / heavy.ns / samples_hz } else { 1.2 };
    let channels = (samples_hz / 3e6).ceil().max(1.0);
    let rate_hz = samples_hz / channels;
    let frame_ms = *chance.one(&[5.0, 10.0, 20.0]);
    sine(
        &mut graph,
        "source",
        rate_hz,
        frame_ms,
        &format!("{}\nchannels = {channels}", seconds(lasts_s)),
    );
    let before = chain(&mut graph, chance, "a", "source", 3);
    let core = if !many && chance.once_in(3) {
        graph.words(&["--cores", "2"]);
        "core = 1\n"
    } else {
        ""
    };
    graph.put(
        "heavy",
        heavy.op,
        &format!("\"{before}\""),
        &format!("{core}{}", heavy.keys(rate_hz)),
    );
    let after =
        if heavy.goes_on { chain(&mut graph, chance, "b", "heavy", 3) } else { "heavy".to_owned() };
    null(&mut graph, "out", &after);
    side(&mut graph, chance);
    if fast {
        graph.words(&["--speed", "max"]);
    }
    if many {
        graph.words(&["--sessions", "50"]);
    }
    graph.lighter = Some(heavy.lighter(rate_hz));
    graph
}

/// Many bodies of the same size on one of two cores.
pub(super) fn core(chance: &mut Chance, costs: &Costs) -> Planted {
    let wide = chance.once_in(3);
    let stages = !wide && chance.once_in(2);
    let kind = match (wide, stages) {
        (true, _) => "branches",
        (_, true) => "a chain with rings",
        _ => "a chain",
    };
    let mut graph = Planted::new("core", kind);
    graph.words(&["--cores", "2"]);
    let count = 5 + chance.below(5);
    let fir = costs.heavy[0];
    let each = chance.between(1.25, 1.7) / count as f64;
    let taps = chance.between(2_000.0, 6_000.0);
    let rate_hz = each * 1e9 / (taps * fir.tap_ns());
    sine(&mut graph, "source", rate_hz, 10.0, &seconds(1.3));
    let mut last = "source".to_owned();
    for number in 0..count {
        let taps = (taps * chance.between(0.9, 1.1)) as u64 | 1;
        let name = format!("n{number}");
        let stage = if stages { format!("stage = \"s{}\"\n", number / 2) } else { String::new() };
        graph.put(
            &name,
            "fir",
            &format!("\"{last}\""),
            &format!("{stage}high_hz = 1000.0\ntaps = {taps}"),
        );
        graph.nodes.push(name.clone());
        if wide {
            null(&mut graph, &format!("out{number}"), &name);
        } else {
            last = name;
        }
    }
    if !wide {
        null(&mut graph, "out", &last);
    }
    graph
}

/// Nothing behind the source is slower than it.
pub(super) fn source(chance: &mut Chance, costs: &Costs) -> Planted {
    let table = chance.once_in(2);
    let mut graph =
        Planted::new("source", if table { "a table" } else { "a body" }).limited_at("source");
    graph.words(&["--speed", "max"]);
    if table {
        let rows = 1_200_000 + chance.below(800_000);
        let mut text = "a,b,c\n".to_owned();
        for row in 0..rows {
            text += &format!("{},{},{}\n", row % 977, row % 331, (row % 17) as f64 / 8.0);
        }
        graph.file = Some(("table.csv".to_owned(), text));
        graph.put("source", "csv", "", "file = \"table.csv\"\nrate_hz = 1000.0");
        let file = "file = \"table.csv\"";
        graph.lighter = Some((file.to_owned(), format!("{file}\ncolumns = \"a\"")));
    } else {
        let samples = 1.2e9 / costs.eeg_ns;
        let keys =
            format!("channels = 4\nmains_uv = 5.0\nrate_hz = 1000.0\n{}", seconds(samples / 1e3));
        graph.put("source", "eeg", "", &keys);
        graph.lighter = Some(("channels = 4".to_owned(), "channels = 1".to_owned()));
    }
    let last = match chance.below(2) {
        0 => "source".to_owned(),
        _ => {
            graph.put("copy", "copy", "\"source\"", "");
            "copy".to_owned()
        }
    };
    if chance.once_in(3) {
        graph.words(&["--cores", "2"]);
        graph.put("out", "null", &format!("\"{last}\""), "core = 1");
    } else {
        null(&mut graph, "out", &last);
    }
    graph
}

/// Graphs of the repository that run by themselves.
const OURS: [&str; 9] = [
    "biofeedback",
    "breathing",
    "compare",
    "drowsiness",
    "hrv_coherence",
    "neurofeedback_alpha",
    "posture",
    "stress_index",
    "voice_activity",
];

/// Everything keeps up.
pub(super) fn nothing(chance: &mut Chance, costs: &Costs) -> Planted {
    if chance.once_in(3) {
        let graph = chance.one(&OURS);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/graphs");
        let mut planted = Planted::new("nothing", "a graph of the repository");
        planted.at = Some(format!("{folder}/{graph}.toml").into());
        return planted;
    }
    let many = chance.once_in(4);
    let mut graph = Planted::new("nothing", if many { "50 sessions" } else { "paced" });
    let rate_hz = chance.between(250.0, 2_000.0);
    sine(&mut graph, "source", rate_hz, *chance.one(&[5.0, 10.0, 20.0, 100.0]), &seconds(1.5));
    let one = chain(&mut graph, chance, "a", "source", 4);
    null(&mut graph, "out", &one);
    let two = chain(&mut graph, chance, "b", "source", 3);
    match chance.below(3) {
        0 if !many => {
            let fir = costs.heavy[0];
            let taps = ((0.2e9 / fir.tap_ns() / rate_hz) as u64).clamp(9, 4_000) | 1;
            graph.put(
                "filter",
                "fir",
                &format!("\"{two}\""),
                &format!("high_hz = 50.0\ntaps = {taps}"),
            );
            graph.put("lines", "jsonl", "\"filter\"", "file = \"lines.jsonl\"");
        }
        1 => {
            graph.put("cross", "threshold", &format!("\"{two}\""), "level = 0.1");
            graph.put("lines", "jsonl", "\"cross\"", "file = \"lines.jsonl\"");
        }
        _ => null(&mut graph, "side", &two),
    }
    if chance.once_in(3) {
        graph.text = graph.text.replacen("name", "deadline_ms = 500\nname", 1);
    }
    if !many && chance.once_in(3) {
        graph.words(&["--cores", "2"]);
    }
    if many {
        graph.words(&["--sessions", "50"]);
    }
    graph
}
