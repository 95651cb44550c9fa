//! Cores that wait: for room, for whoever writes, for an input, for answers, for each other.

use engine::testing::Chance;

use super::{chain, lines, null, seconds, side, sine};
use crate::{
    cost::Costs,
    planted::{Planted, Reader, Service},
};

/// Events that come at once, into a ring that holds fewer: that of an operator, or of a sink beside the cores.
pub(super) fn ring(chance: &mut Chance) -> Planted {
    let policy = *chance.one(&["drop_newest", "drop_oldest"]);
    let of_sink = chance.once_in(3);
    let kind = if of_sink { "of a sink" } else { "of an operator" };
    let mut graph = Planted::new("ring", kind).limited_at("keep");
    let frame_ms = *chance.one(&[250.0, 500.0]);
    let at_once = 40.0 + chance.between(0.0, 60.0);
    let hz = at_once * 500.0 / frame_ms;
    let more = format!("{}\nfrequency_hz = {hz:.1}", seconds(2.5));
    sine(&mut graph, "source", 5_000.0, frame_ms, &more);
    graph.put("cross", "threshold", "\"source\"", "level = 0.1");
    let on_full = format!("on_full = \"{policy}\"");
    let (from, own) = match chance.once_in(2) {
        true => (format!("{{ node = \"cross\", {on_full}, capacity_ms = 20.0 }}"), String::new()),
        false => ("\"cross\"".to_owned(), format!("capacity_ms = 30.0\n{on_full}\n")),
    };
    if of_sink {
        graph.put("keep", "jsonl", &from, &format!("{own}file = \"lines.jsonl\""));
    } else {
        let core = *chance.one(&["", "core = 1\n"]);
        if !core.is_empty() {
            graph.words(&["--cores", "2"]);
        }
        graph.put("keep", "throttle", &from, &format!("{core}{own}rate_hz = 1000.0"));
        match chance.once_in(2) {
            true => null(&mut graph, "out", "keep"),
            false => lines(&mut graph, "out", "keep"),
        }
    }
    side(&mut graph, chance);
    graph
}

/// A sink that takes long, or whose reader does.
pub(super) fn sink(chance: &mut Chance, costs: &Costs) -> Planted {
    let fast = chance.once_in(3);
    let variety = chance.below(3);
    let kind = match (variety, fast) {
        (0, false) => "a slow pipe",
        (1, false) => "a slow reader of stdout",
        (2, false) => "writing numbers",
        (0, true) => "a slow pipe, as fast as it goes",
        (1, true) => "a slow reader of stdout, as fast as it goes",
        _ => "writing numbers, as fast as it goes",
    };
    let mut graph = Planted::new("sink", kind).limited_at("out");
    let op = *chance.one(&["jsonl", "csv"]);
    // A number takes some ten bytes and 100 ns.
    let bytes_per_s = chance.between(2e5, 1e6);
    let numbers_per_s = match variety {
        2 => chance.between(1.4, 2.2) * 1e9 / costs.number_ns,
        _ => bytes_per_s / 10.0 * chance.between(1.6, 3.0),
    };
    let channels = (*chance.one(&[1_u64, 2, 4])).max((numbers_per_s / 4e6).ceil() as u64);
    let rate_hz = (numbers_per_s / channels as f64).max(2_000.0);
    let lasts_s = match (fast, variety) {
        (true, 2) => 1.3e9 / costs.number_ns / numbers_per_s,
        (true, _) => 1.5 * bytes_per_s / 10.0 / numbers_per_s,
        _ => 1.2,
    };
    let frame_ms = *chance.one(&[5.0, 10.0, 20.0]);
    sine(
        &mut graph,
        "source",
        rate_hz,
        frame_ms,
        &format!("{}\nchannels = {channels}", seconds(lasts_s.max(0.2))),
    );
    let last = chain(&mut graph, chance, "a", "source", 3);
    let file = match variety {
        0 => "file = \"pipe\"",
        1 => "",
        _ => "file = \"lines.out\"",
    };
    graph.put("out", op, &format!("\"{last}\""), file);
    side(&mut graph, chance);
    if variety < 2 {
        graph.reader =
            Some(Reader { pipe: (variety == 0).then(|| "pipe".to_owned()), bytes_per_s });
    }
    if fast {
        graph.words(&["--speed", "max"]);
    }
    graph.lighter =
        Some((format!("rate_hz = {rate_hz:.0}.0"), format!("rate_hz = {:.0}.0", rate_hz / 3.0)));
    graph
}

/// An input that comes in much longer frames. One that is late by construction, behind a long filter, is refused by
/// the plan where the deadline does not allow for it, and as asked for without one.
pub(super) fn join(chance: &mut Chance) -> Planted {
    let mut graph = Planted::new("join", "long frames").limited_at("both");
    let rate_hz = *chance.one(&[1_000.0, 2_000.0, 4_000.0]);
    let seconds = seconds(2.5);
    sine(&mut graph, "source", rate_hz, 10.0, &seconds);
    sine(&mut graph, "late", rate_hz, *chance.one(&[150.0, 300.0, 500.0]), &seconds);
    let other = chain(&mut graph, chance, "l", "late", 2);
    let one = chain(&mut graph, chance, "a", "source", 3);
    let keys = format!("policy = \"{}\"", chance.one(&["hold", "nearest", "linear"]));
    graph.put("both", "align", &format!("[\"{one}\", \"{other}\"]"), &keys);
    let after = chain(&mut graph, chance, "b", "both", 2);
    null(&mut graph, "out", &after);
    if chance.once_in(3) {
        graph.text = graph.text.replacen("name", "deadline_ms = 50\nname", 1);
    }
    graph
}

/// A service that takes long to answer.
pub(super) fn answer(chance: &mut Chance) -> Planted {
    let fast = chance.once_in(3);
    let keeps_up = !fast && chance.once_in(3);
    let kind = match (fast, keeps_up) {
        (true, _) => "as fast as it goes",
        (_, true) => "answers that take long",
        _ => "more questions than answers",
    };
    let mut graph = Planted::new("answer", kind).limited_at("ask");
    let frame_ms = *chance.one(&[5.0, 10.0, 20.0]);
    let open = *chance.one(&[1_u64, 2, 4]);
    let at_once = if chance.once_in(2) { 1 } else { open };
    let answer_ms = match keeps_up {
        true => frame_ms * chance.between(0.6, 0.8),
        false => frame_ms * at_once as f64 * chance.between(1.5, 3.0),
    };
    let lasts_s = match fast {
        true => 1.5 * frame_ms / answer_ms * at_once as f64,
        false => 1.5,
    };
    sine(&mut graph, "source", 1_000.0, frame_ms, &seconds(lasts_s));
    let before = chain(&mut graph, chance, "a", "source", 2);
    let keys = format!(
        "url = \"http://127.0.0.1:PORT/\"\nfields = [\"score: number\"]\nwithin_ms = 10000.0\nin_flight = {open}"
    );
    graph.put("ask", "http_call", &format!("\"{before}\""), &keys);
    match chance.once_in(2) {
        true => null(&mut graph, "out", "ask"),
        false => lines(&mut graph, "out", "ask"),
    }
    side(&mut graph, chance);
    graph.service = Some(Service { answer_ms, one_by_one: at_once == 1 });
    if fast {
        graph.words(&["--speed", "max"]);
    }
    graph
}

/// A deadline that a way between cores cannot keep.
pub(super) fn moving(chance: &mut Chance) -> Planted {
    let mut graph = Planted::new("moving", "between cores");
    graph.words(&["--cores", "2"]);
    graph.text = graph.text.replacen("name", "deadline_ms = 0.005\nname", 1);
    sine(&mut graph, "source", 1_000.0, *chance.one(&[5.0, 10.0]), &seconds(1.5));
    let count = 2 + chance.below(3);
    let mut last = "source".to_owned();
    for number in 0..count {
        let name = format!("n{number}");
        let core = (number + 1) % 2;
        graph.put(&name, "copy", &format!("\"{last}\""), &format!("core = {core}"));
        graph.nodes.push(name.clone());
        last = name;
    }
    graph.put("out", "null", &format!("\"{last}\""), &format!("core = {}", count % 2));
    graph.nodes.push("out".to_owned());
    graph
}
