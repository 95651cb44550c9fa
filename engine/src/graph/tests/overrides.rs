//! `--set` as DESIGN §4 describes it.

use crate::graph::{GraphSpec, OnFull, Override, SourceText, Value};

fn graph() -> GraphSpec {
    let text = r#"
        [graph]
        deadline_ms = 50
        [node.ecg]
        op       = "ecg"
        rate_hz  = 250.0
        seed     = 1
        frame_ms = 4
        [node.beats]
        op   = "qrs"
        from = "ecg"
        gains = { p = 1, i = 2 }
        [model.net]
        file = "a.onnx"
    "#;
    GraphSpec::parse(&SourceText::new("g.toml", text)).expect("valid")
}

fn set(changes: &[&str]) -> GraphSpec {
    let mut graph = graph();
    let changes: Vec<_> =
        changes.iter().map(|text| Override::parse(text).expect("well formed")).collect();
    graph.apply(&changes);
    graph.checked().unwrap_or_else(|problems| panic!("{problems}"))
}

fn param(graph: &GraphSpec, node: &str, name: &str) -> Option<Value> {
    Some(graph.find(node)?.param(name)?.value.clone())
}

#[test]
fn values_are_toml_or_bare_words() {
    for (written, wanted) in [
        ("250", Value::Integer(250)),
        ("2.5", Value::Float(2.5)),
        ("true", Value::Bool(true)),
        ("100.hea", Value::from("100.hea")),
        ("../data/100.hea", Value::from("../data/100.hea")),
        ("a b = c # d", Value::from("a b = c # d")),
        ("5#3", Value::from("5#3")),
        ("2026-11-21", Value::from("2026-11-21")),
        ("1\nx = 2", Value::from("1\nx = 2")),
        ("\"250\"", Value::from("250")),
        ("[1, 2]", Value::from([1, 2])),
        (" 7 ", Value::Integer(7)),
        ("größe", Value::from("größe")),
    ] {
        let graph = set(&[&format!("ecg.x={written}")]);
        assert_eq!(param(&graph, "ecg", "x"), Some(wanted), "{written}");
    }
}

#[test]
fn a_new_kind_forgets_the_parameters_of_the_old_one() {
    let mut graph = graph();
    let changes =
        ["ecg.file=100.hea", "ecg.op=wfdb"].map(|text| Override::parse(text).expect("valid"));

    let forgotten = graph.apply(&changes);

    assert_eq!(forgotten.len(), 1);
    assert_eq!(forgotten[0].params, ["rate_hz", "seed"]);
    assert_eq!((forgotten[0].old_op.as_str(), forgotten[0].new_op.as_str()), ("ecg", "wfdb"));
    let ecg = graph.find("ecg").expect("still there");
    assert_eq!(ecg.params.len(), 1);
    assert_eq!(ecg.param("file").map(|file| &file.value), Some(&Value::from("100.hea")));
    assert!(ecg.options.frame_ms.is_some(), "reserved keys stay");
}

#[test]
fn the_same_kind_again_forgets_nothing() {
    let graph = set(&["ecg.op=ecg"]);

    assert_eq!(param(&graph, "ecg", "seed"), Some(Value::Integer(1)));
}

#[test]
fn of_two_for_one_key_the_last_wins() {
    let graph = set(&["ecg.seed=2", "ecg.seed=3"]);

    assert_eq!(param(&graph, "ecg", "seed"), Some(Value::Integer(3)));
}

#[test]
fn reserved_keys_inputs_and_the_graph_can_be_set() {
    let graph =
        set(&["graph.deadline_ms=20", "beats.on_full=latest", "beats.from=[\"ecg.truth\"]"]);

    assert_eq!(graph.deadline_ms.as_ref().map(|ms| ms.value), Some(20.0));
    let beats = graph.find("beats").expect("still there");
    assert_eq!(beats.options.on_full.as_ref().map(|full| full.value), Some(OnFull::Latest));
    assert_eq!(beats.from.len(), 1);
    assert_eq!(beats.from[0].source.value.to_string(), "ecg.truth");
}

#[test]
fn entries_of_tables_and_sections_can_be_set() {
    let graph = set(&["beats.gains.i=5", "beats.gains.d.max=7", "model.net.file=b.onnx"]);

    let max = Value::table([("max", 7.into())]);
    let gains = Value::table([("p", 1.into()), ("i", 5.into()), ("d", max)]);
    assert_eq!(param(&graph, "beats", "gains"), Some(gains));
    let file = graph.models[0].param("file").map(|file| &file.value);
    assert_eq!(file, Some(&Value::from("b.onnx")));
}

#[test]
fn who_sets_a_section_as_if_it_were_a_node_hears_how_it_is_set() {
    let mut graph = graph();
    graph.apply(&[Override::parse("net.file=b.onnx").expect("well formed")]);
    let told = graph.checked().map(drop).expect_err("there is no such node").to_string();
    assert!(told.contains("set as `model.net.KEY=VALUE`"), "{told}");
}

#[test]
fn a_value_points_at_the_command_line() {
    let graph = set(&["ecg.rate_hz=fast"]);

    let rate = graph.find("ecg").and_then(|node| node.param("rate_hz")).expect("set");
    let place = rate.place.as_ref().expect("from the command line");
    assert_eq!((place.file.name(), place.span.clone()), ("--set", 12..16));
}

#[test]
fn no_text_makes_an_override_panic() {
    let long = "x".repeat(200_000);
    for text in
        ["", "=", "==", ".=", "a.b==", "ä.ö=ü", " = ", "a.b=\u{0}", "a.b=\n", "a.=1", ".a=1"]
    {
        let _ = Override::parse(text);
    }
    let _ = Override::parse(&format!("{long}.{long}={long}"));
}
