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
