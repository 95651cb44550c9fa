//! `graphs/offload.toml`: the edge asks a small model, and the cloud a larger one about what is in doubt.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::hosts::Meeting;

pub(crate) fn graph() -> String {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/models/");
    include_str!("../../graphs/offload.toml").replace("models/", models)
}

/// The events in these lines, by their moment in microseconds.
fn events(lines: &[String]) -> BTreeMap<i64, Value> {
    let read = |line: &String| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        ((1e6 * event["t_s"].as_f64().expect("a moment")) as i64, event)
    };
    lines.iter().map(read).collect()
}

/// What an event says of its beat.
fn said(event: &Value) -> (&str, f64) {
    (event["label"].as_str().expect("a label"), event["score"].as_f64().expect("a score"))
}

/// What one host alone says, with these settings.
fn alone(meeting: &Meeting, sets: &[&str]) -> BTreeMap<i64, Value> {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let words: Vec<&str> = ["run", "g.toml", "--speed", "max"].into_iter().chain(sets).collect();
    let ended = meeting.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    events(&ended.stdout.lines().map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn what_is_in_doubt_on_the_edge_is_asked_in_the_cloud() {
    let meeting = Meeting::with(&graph());
    let cloud = meeting.serve("cloud");
    let edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "20"], "edge");
    let (code, told) = edge.end();
    assert_eq!(code, Some(0), "{told}");
    cloud.signal("-INT");
    let (code, heard) = cloud.end();
    assert_eq!(code, Some(0), "{heard}");
    assert!(
        !told.contains("is gone") && !told.contains("is back"),
        "it ended as it should: {told}"
    );
    for misleading in ["answers_kind", "0 frames\n"] {
        assert!(!heard.contains(misleading), "all went by the link: {heard}");
    }

    let both = events(&meeting.lines("edge"));
    let small = alone(&meeting, &[]);
    let whole = alone(&meeting, &["kind.model=whole", "kind.min_score=0.34"]);
    assert!(
        small.values().all(|event| event.get("host").is_none()),
        "one host says nothing of hosts"
    );
    assert!(both.keys().eq(small.keys()), "every beat once: {told}");
    let mut count = BTreeMap::new();
    for (moment, event) in &both {
        let host = event["host"].as_str().expect("somebody has answered");
        *count.entry(host).or_insert(0) += 1;
        let model = if host == "edge" { &small } else { &whole };
        let ((label, score), (alone_label, alone_score)) = (said(event), said(&model[moment]));
        // Questions that are run together are rounded otherwise than alone.
        let is_near = (score - alone_score).abs() < 1e-5;
        assert!(label == alone_label && is_near, "{host}: {event} and {}", model[moment]);
    }
    let in_doubt = small.values().filter(|event| event["label"] == "unknown").count();
    let left = both.values().filter(|event| event["label"] == "unknown").count();
    assert!(in_doubt > 0 && count["cloud"] > 0, "{in_doubt} in doubt, {count:?}: {told}");
    assert!(left < in_doubt, "{left} of {in_doubt} are left: {told}");
    let note = format!("answers by `edge` and {} by `cloud`", count["cloud"]);
    assert!(told.contains(&note), "{told}");
}

#[test]
fn when_the_cloud_is_gone_the_edge_answers_alone_and_says_so() {
    let meeting = Meeting::with(&graph());
    let cloud = meeting.serve("cloud");
    // So sure is no model: everything is asked in the cloud as well, as long as that is there.
    let words = ["run", "g.toml", "--host", "edge", "--speed", "10", "--set", "kind.min_score=1.0"];
    let mut edge = meeting.start(&words, "edge");
    meeting.wait_for_lines("edge", 20);
    cloud.signal("-KILL");
    drop(cloud);
    edge.hear("`cloud` is gone");
    let (code, told) = edge.end();
    assert_eq!(code, Some(0), "{told}");

    let both = events(&meeting.lines("edge"));
    assert!(both.keys().eq(alone(&meeting, &[]).keys()), "every beat once: {told}");
    let hosts: Vec<&str> = both.values().filter_map(|event| event["host"].as_str()).collect();
    assert_eq!(hosts.len(), both.len());
    assert!(hosts.iter().take(40).any(|host| *host == "cloud"), "{hosts:?}: {told}");
    assert!(hosts.iter().rev().take(20).all(|host| *host == "edge"), "{hosts:?}: {told}");
}

#[test]
fn check_tells_what_moves_and_what_cannot() {
    let meeting = Meeting::with(&graph());
    let whole = meeting.run(&["check", "g.toml"]);
    assert!(whole.stdout.contains("kind (or cloud)"), "{}{}", whole.stdout, whole.stderr);
    let edge = meeting.run(&["check", "g.toml", "--host", "edge"]);
    assert!(edge.stdout.contains("link     kind -> kind@cloud: edge to cloud"), "{}", edge.stdout);

    let wrong = graph().replace("from = \"clean\"", "from = \"clean\"\non = [\"edge\", \"cloud\"]");
    let wrong =
        Meeting::with(&wrong.replace("[\"edge\", \"cloud\"]   #", "[\"edge\", \"edge\"]   #"));
    let told = wrong.run(&["check", "g.toml"]);
    assert_eq!(told.code, Some(78), "{}", told.stdout);
    for words in ["error[cannot-move]", "`qrs` cannot move between hosts", "`edge` is named twice"]
    {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let typo = Meeting::with(&graph().replace("\"kind.model\" =", "\"kid.model\" ="));
    let told = typo.run(&["check", "g.toml"]);
    assert_eq!(told.code, Some(78), "{}", told.stdout);
    assert!(told.stderr.contains("did you mean `kind`?"), "{}", told.stderr);
}

#[test]
fn what_hangs_together_does_not_move() {
    let text = graph().replace(
        "from      = \"pieces\"",
        "from      = \"slow\"\nwindow_s  = 2.048\ngrow_s    = 0.5",
    );
    let ended = Meeting::with(&text).run(&["run", "g.toml", "--host", "edge"]);
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot move between hosts: with `grow_s`"), "{}", ended.stderr);
}

#[test]
fn a_host_needs_no_model_that_only_another_asks() {
    let absent = graph().replace("models/beats.onnx", "models/there_is_none.onnx");
    let absent = absent.replace("optional = true", "optional = false");
    let ended = Meeting::with(&absent).run(&["check", "g.toml", "--host", "edge"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ended = Meeting::with(&absent).run(&["check", "g.toml", "--host", "cloud"]);
    assert_eq!(ended.code, Some(74), "{}", ended.stdout);
}
