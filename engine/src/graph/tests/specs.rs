//! What files say, and that Rust can say the same.

use crate::graph::{
    At, ChannelRef, Check, Feed, GraphSpec, NodeSpec, OnFault, OnFull, SourceText, Value, Wanted,
};

fn parse(text: &str) -> GraphSpec {
    let spec = GraphSpec::parse(&SourceText::new("graphs/pulse.toml", text));
    spec.and_then(GraphSpec::checked).unwrap_or_else(|problems| panic!("{problems}"))
}

fn node(keys: &str) -> NodeSpec {
    parse(&format!("[node.n]\nop = \"x\"\n{keys}")).nodes.remove(0)
}

/// The example of DESIGN §4.
const BIOFEEDBACK: &str = r#"
[graph]
name        = "biofeedback"
deadline_ms = 50

[node.ecg]                      # built in, with known truth
op      = "ecg"
rate_hz = 250.0

[node.clean]
op      = "bandpass"
from    = "ecg"
low_hz  = 5.0
high_hz = 15.0

[node.beats]
op   = "qrs"
from = "clean"

[node.hrv]
op       = "hrv"
from     = "beats"
window_s = 60.0
every_s  = 5.0

[node.out]
op   = "jsonl"
from = ["beats", "hrv"]
"#;

#[test]
fn a_graph_written_in_rust_equals_the_file() {
    let built = GraphSpec::new("biofeedback")
        .set("deadline_ms", 50)
        .node("ecg", "ecg", |n| n.set("rate_hz", 250.0))
        .node("clean", "bandpass", |n| n.from("ecg").set("low_hz", 5.0).set("high_hz", 15.0))
        .node("beats", "qrs", |n| n.from("clean"))
        .node("hrv", "hrv", |n| n.from("beats").set("window_s", 60.0).set("every_s", 5.0))
        .node("out", "jsonl", |n| n.from(["beats", "hrv"]));

    assert_eq!(parse(BIOFEEDBACK), built);
}

#[test]
fn every_reserved_key_can_be_written_in_rust_too() {
    let parsed = parse(
        r#"
        [node.n]
        op          = "x"
        from.a      = "p.out[0..4]"
        from.b      = ["q", "r"]
        from.c      = { node = "s", on_full = "latest", capacity_ms = 5 }
        on          = ["edge", "cloud"]
        stage       = "fast"
        core        = 1
        realtime    = true
        capacity_ms = 200.0
        on_full     = "drop_oldest"
        on_fault    = "hold_last"
        max_wait_ms = 0
        idle_ms     = 100
        deadline_ms = 50
        frame_ms    = 4
        wedge_ms    = 1000
        retries     = 3
        enabled     = false
        doc         = "all of them"
        gains       = { p = 0.5, steps = [1, 2] }

        [model.beat_net]
        file = "b.onnx"
        [host.cloud]
        address = "example.org:7000"
        [include.left]
        file = "left.toml"
        "#,
    );

    let built = GraphSpec::new("pulse")
        .node("n", "x", |n| {
            n.from_port("a", "p.out[0..4]")
                .from_port("b", ["q", "r"])
                .from_port(
                    "c",
                    Value::input(
                        "s",
                        [("on_full", OnFull::Latest.into()), ("capacity_ms", 5.into())],
                    ),
                )
                .set("on", ["edge", "cloud"])
                .set("stage", "fast")
                .set("core", 1)
                .set("realtime", true)
                .set("capacity_ms", 200.0)
                .set("on_full", OnFull::DropOldest)
                .set("on_fault", OnFault::HoldLast)
                .set("max_wait_ms", 0)
                .set("idle_ms", 100)
                .set("deadline_ms", 50)
                .set("frame_ms", 4)
                .set("wedge_ms", 1000)
                .set("retries", 3)
                .set("enabled", false)
                .set("doc", "all of them")
                .set("gains", Value::table([("p", 0.5.into()), ("steps", [1, 2].into())]))
        })
        .model("beat_net", |m| m.set("file", "b.onnx"))
        .host("cloud", |h| h.set("address", "example.org:7000"))
        .include("left", |i| i.set("file", "left.toml"));

    assert_eq!(parsed, built);
    assert!(built.checked().is_ok());
}

#[test]
fn a_file_that_names_no_graph_lends_its_own_name() {
    assert_eq!(parse("[node.a]\nop = \"x\"").name.value, "pulse");
}

#[test]
fn nodes_keep_the_order_of_their_headers() {
    let spec = parse(
        "[node.b]\nop = \"x\"\n[node.a.from]\nin = \"b\"\n[node.c]\nop = \"x\"\n\
         [node.a]\nop = \"x\"",
    );

    let names: Vec<_> = spec.nodes.iter().map(|node| node.name.value.as_str()).collect();
    assert_eq!(names, ["b", "c", "a"]);
}

#[test]
fn every_value_knows_where_it_was_written() {
    let spec = parse(BIOFEEDBACK);
    let line_and_column =
        |place: &Option<_>| Option::map(place.as_ref(), crate::graph::Place::line_and_column);

    let out = spec.find("out").expect("written");
    assert_eq!(line_and_column(&out.from[1].source.place), Some((28, 18)));
    // Inside the quotes stands the path itself.
    assert_eq!(line_and_column(&out.from[1].source.value.path.place), Some((28, 19)));
    let low_hz = spec.find("clean").and_then(|node| node.param("low_hz")).expect("written");
    assert_eq!(line_and_column(&low_hz.place), Some((13, 11)));
}

#[test]
fn one_port_may_have_many_inputs() {
    let merged = node(r#"from = { in = ["a", { node = "b.out", capacity_ms = 20 }] }"#);

    let ports: Vec<_> = merged.from.iter().flat_map(|input| &input.port).collect();
    assert!(ports.len() == 2 && ports.iter().all(|port| port.value == "in"));
    assert_eq!(merged.from[1].source.value.node(), "b");
    assert_eq!(merged.from[1].capacity_ms.as_ref().map(|ms| ms.value), Some(20.0));
}

#[test]
fn channels_reach_the_spec() {
    let picked = node(r#"from = "eeg.raw[EEG Fpz-Cz,0..2]""#);

    let channels = picked.from[0].source.value.channels.as_ref().expect("written");
    let wanted = [ChannelRef::Name("EEG Fpz-Cz".to_owned()), ChannelRef::Range(0..2)];
    assert_eq!(channels.value, wanted);
}

#[test]
fn a_broken_node_stays_and_says_so() {
    let text = "[node.a]\nop = \"x\"\ncore = -1\nlow_hz = 5\n[node.b]\nop = \"y\"";
    let spec = GraphSpec::parse(&SourceText::new("g.toml", text)).expect("is TOML");

    assert!(spec.nodes[0].is_broken() && !spec.nodes[1].is_broken());
    assert_eq!(spec.nodes[0].param("low_hz").map(|value| &value.value), Some(&Value::Integer(5)));
    assert_eq!(spec.problems().len(), 1);
}

#[test]
fn the_tests_of_the_manual_are_read() {
    let manual: String = include_str!("../test/mod.rs")
        .split("//! ```")
        .filter_map(|block| block.strip_prefix("toml\n"))
        .map(|block| block.replace("//! ", "").replace("//!", ""))
        .collect();
    // The manual shows two ways to feed one node; a file holds one.
    let manual = manual.replacen("[test.input.ecg]", "[test.input.other]", 1);
    let spec = parse(&format!("[node.ecg]\nop = \"ecg\"\n{manual}"));

    let test = &spec.tests[0];
    assert_eq!(test.name.value, "a slow heart");
    assert_eq!(test.seconds.as_ref().map(|seconds| seconds.value), Some(30.0));
    assert_eq!(test.set[0].path[1].value, "rate_bpm");
    let checks: Vec<_> = test.expect.iter().map(|expected| &expected.check.value).collect();
    assert_eq!(checks[0], &Check::Count { min: Some(21), max: Some(23) });
    let near = Wanted::Near { value: 1333.0, within: 5.0 };
    assert_eq!(checks[1], &Check::Field("rr_ms".into(), At::Last, near));
    let between = Wanted::Between { min: Some(-0.1), max: Some(0.1) };
    assert_eq!(checks[2], &Check::Sample(At::Time(1.5), between));
    assert!(matches!(&test.inputs[0].feed, Feed::Samples { samples, channels, .. }
        if samples.value[1] == [0.5, 0.5, 0.5] && channels.len() == 2));
    assert!(matches!(&test.inputs[1].feed, Feed::Events(events) if events[1].t_s.value == 1.6));
    assert!(matches!(&test.inputs[2].feed, Feed::Kind { op, .. } if op.value == "wfdb"));
}

#[test]
fn both_ways_to_write_a_set_are_one() {
    let test = |set: &str| {
        let text = format!(
            "[node.a]\nop = \"x\"\n[[test]]\n{set}\nexpect = [{{ from = \"a\", count = 1 }}]"
        );
        parse(&text).tests.remove(0).set
    };

    assert_eq!(test("set = { \"a.b\" = 3 }"), test("set.a.b = 3"));
}

#[test]
fn mistakes_in_rust_are_told_by_the_node_they_are_in() {
    let problems = GraphSpec::new("g")
        .node("a", "x", |n| n.set("core", -1).from("B"))
        .node("a", "x", |n| n)
        .checked()
        .expect_err("three mistakes");

    assert_eq!(
        problems.to_string(),
        "\
error[out-of-range]: `core` = -1 is not a whole number from 0 to 4294967295
 --> node `a`
  = hint: write 0, 1, 2 or so on

error[bad-from]: `B` does not name a node
 --> node `a`
  = hint: names look like `b`

error[duplicate-name]: node `a` is there twice
 --> node `a`
  = hint: give one of them another name

3 problems; nothing was started
"
    );
}
