//! `afferent new`: graphs to start from, and `afferent bench` and `draw` of one.

use std::fs;

use serde_json::Value;

use crate::program::{Ended, Folder, HEART, afferent};

fn done(folder: &Folder, arguments: &[&str]) -> String {
    let Ended { code, stdout, stderr, .. } = afferent(folder, arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}: {stdout}");
    stdout
}

fn templates(folder: &Folder) -> Vec<String> {
    let list = done(folder, &["new", "--list"]);
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_template_is_a_graph_that_passes_its_tests() {
    let folder = Folder::with(&[]);
    let names = templates(&folder);
    assert!(names.len() > 12, "{names:?}");
    for voice in ["voice_activity", "transcribe", "commands", "meeting", "hybrid_voice"] {
        assert!(names.iter().any(|name| name == voice), "{voice}: {names:?}");
    }
    for name in &names {
        // All in one folder: models that several need are there once.
        let path = format!("my_{name}");
        let said = done(&folder, &["new", &path, "--template", name]);
        assert!(said.starts_with(&format!("wrote my_{name}.toml\n")), "{said}");
        assert!(said.contains(&format!("afferent run   my_{name}.toml")), "{said}");
        let checked = afferent(&folder, &["check", &format!("my_{name}.toml")]);
        assert_eq!(checked.code, Some(0), "{name}: {}", checked.stderr);
        done(&folder, &["fmt", "--check", &format!("my_{name}.toml")]);
    }
    let ended = afferent(&folder, &["test", "."]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    fs::create_dir_all(folder.0.join("other/models")).expect("there is room");
    fs::write(folder.0.join("other/models/beats.onnx"), "mine").expect("there is room");

    for (name, taken) in [("heart", "heart.toml"), ("other/heart.toml", "other/models/beats.onnx")]
    {
        let ended = afferent(&folder, &["new", name]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), ""));
        assert!(ended.stderr.contains(&format!("`{taken}` is there already")), "{}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(folder.0.join("heart.toml")).expect("it is there"), HEART);
    assert!(!folder.0.join("other/heart.toml").exists(), "nothing was written");
    let ended = afferent(&folder, &["new", "x", "--template", "breatihng"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("'breathing'"), "{}", ended.stderr);
}

#[test]
fn a_graph_is_drawn_for_graphviz_and_as_a_picture() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    let dot = done(&folder, &["draw", "heart.toml", "--format", "dot"]);
    assert!(dot.starts_with("digraph \"heart\" {\n  rankdir=LR;\n"), "{dot}");
    assert!(dot.contains("n0 [label=\"ecg\", shape=oval];"), "{dot}");
    assert!(dot.contains("n0 -> n1 [label=\"1 ch mV @ 250 Hz × 5\"];"), "{dot}");
    assert!(dot.contains("subgraph cluster_0 {\n    label=\"stage 0\";"), "{dot}");

    let svg = done(&folder, &["draw", "heart.toml", "--format", "svg"]);
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
    for word in [">clean</text>", ">bandpass</text>", "1 ch mV @ 250 Hz × 5", ">stage 0</text>"] {
        assert!(svg.contains(word), "{word}: {svg}");
    }
    assert_eq!(svg.matches("<path d=\"M").count(), 1 + 3, "a tip and an arrow for each edge");
}

#[test]
fn bench_tells_throughput_latency_memory_and_where_the_time_goes() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let quick = ["--rounds", "3", "--seconds", "0.2", "--warm-up", "0.1", "--pace-seconds", "0.5"];
    let ended = |more: &[&str]| {
        let ended = afferent(&folder, &[&["bench", "heart.toml"], &quick[..], more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };

    let text = ended(&[]);
    for word in ["throughput", "× real time", "where the time goes", "latency", "memory", "note: "]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!folder.0.join("out.jsonl").exists() && !text.contains("rr_ms"), "nothing is written");

    let told: Value = serde_json::from_str(&ended(&["--json"])).expect("JSON");
    let frames = &told["throughput"]["frames_per_s"];
    let number = |value: &Value| value.as_f64().expect("a number");
    assert!(number(&frames["least"]) > 1_000.0, "{told}");
    assert!(number(&frames["least"]) <= number(&frames["median"]), "{told}");
    assert!(number(&frames["median"]) <= number(&frames["most"]), "{told}");
    // One channel of f32, and frames of five samples.
    let samples = number(&told["throughput"]["samples_per_s"]["median"]);
    assert!((number(&told["throughput"]["bytes_per_s"]["median"]) / samples - 4.0).abs() < 1e-6);
    assert!((samples / number(&frames["median"]) - 5.0).abs() < 0.1, "{told}");
    let shares =
        told["nodes"].as_array().expect("nodes").iter().filter_map(|it| it["share"].as_f64());
    let all: f64 = shares.sum();
    assert!((all - 1.0).abs() < 0.05, "shares are of one: {all}");
    let first = &told["latency"]["sinks"][0];
    assert_eq!(first["node"], "out");
    assert_eq!(told["rounds"], 3);
    // The heart, the filter and the detector allocate nothing once they are warm.
    assert_eq!(told["memory"]["allocations"], 0, "{told}");
    assert!(told["memory"]["frames"].as_u64().is_some_and(|frames| frames > 1_000), "{told}");
}

#[test]
fn bench_refuses_what_keeps_its_own_time() {
    let graph = "[node.ask]\nop = \"http\"\nfields = [\"text: text\"]\n[node.answer]\nop = \"http\"\nfrom = \"ask\"\n";
    let folder = Folder::with(&[("serve.toml", graph)]);

    let ended = afferent(&folder, &["bench", "serve.toml"]);

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("`--set ask.op=…`"), "{}", ended.stderr);
}
