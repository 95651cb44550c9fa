//! What people see of a plan.

use super::planned;

const GRAPH: &str = r#"
[graph]
name = "biofeedback"
deadline_ms = 500

[node.ecg]
op = "sine"
channels = "MLII V5"
seconds = 120.0

[node.mic]
op = "mic"

[node.clean]
op = "late"
delay_ms = 35.2
from = "ecg[MLII]"

[node.net]
op = "heavy"
from = "clean"
on_full = "latest"
core = 1

[node.beats]
op = "detect"
from = "clean"

[node.both]
op = "join"
from = { base = "ecg", other = "mic" }

[node.out]
op = "file"
file = "out.csv"
from = ["beats", "ecg.truth", { node = "net", on_full = "drop_oldest", capacity_ms = 800 }]

[node.screen]
op = "eat"
from = "both"
"#;

#[test]
fn the_table_shows_edges_places_and_sums() {
    assert_eq!(planned(GRAPH).table(), include_str!("table.txt"));
}

#[test]
fn a_narrow_terminal_gets_a_few_lines_per_edge() {
    let table = planned(GRAPH).table_within(60);

    assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
    let edge = "clean → net\n    format 1 ch mV @ 250 Hz × 10, capacity 1 frame (40 ms),\n";
    assert!(table.contains(edge), "{table}");
}

#[test]
fn of_many_nodes_a_few_are_named() {
    let nodes = (0..1_000).map(|n| format!("[node.n{n}]\nop = \"eat\"\nfrom = \"ecg\"\n"));
    let graph = format!("[node.ecg]\nop = \"sine\"\n{}", nodes.collect::<String>());

    let table = planned(&graph).table();

    let stage = table.lines().find(|line| line.starts_with("stage 0")).expect("there is one");
    assert!(stage.len() < 200 && stage.ends_with(" more"), "{stage}");
}

#[test]
fn the_picture_is_a_flowchart_of_stages() {
    assert_eq!(planned(GRAPH).mermaid(), include_str!("picture.txt"));
}

#[test]
fn no_channel_name_breaks_the_picture() {
    let plan = planned(
        "[node.a]\nop = \"sine\"\nchannels = \"a\\\"b <c>#1\"\n\
         [node.out]\nop = \"eat\"\nfrom = \"a[0]\"\n",
    );

    assert!(plan.mermaid().contains("a[a#quot;b]: 1 ch mV"), "{}", plan.mermaid());
}
