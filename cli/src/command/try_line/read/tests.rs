use super::*;

fn read(line: &str) -> Result<GraphSpec, Diagnostics> {
    graph(&SourceText::new("try", line))
}

/// `name:op ← inputs {parameters}` of every node.
fn told(line: &str) -> Vec<String> {
    let spec = read(line).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(spec.problems(), [], "{line}");
    let node = |node: &engine::NodeSpec| {
        let inputs = node.from.iter().map(|input| match &input.port {
            Some(port) => format!("{}={}", port.value, input.source.value),
            None => input.source.value.to_string(),
        });
        let params =
            node.params.iter().map(|(key, value)| format!("{}={}", key.value, value.value));
        let (inputs, params): (Vec<_>, Vec<_>) = (inputs.collect(), params.collect());
        format!(
            "{}:{} ← {} {{{}}}",
            node.name.value,
            node.op.value,
            inputs.join(" "),
            params.join(" ")
        )
    };
    spec.nodes.iter().map(node).collect()
}

#[test]
fn a_chain_is_nodes_in_a_row() {
    assert_eq!(
        told("ecg ! bandpass low_hz=5 high_hz=15 ! qrs ! print"),
        [
            "ecg:ecg ←  {}",
            "bandpass:bandpass ← ecg {low_hz=5 high_hz=15}",
            "qrs:qrs ← bandpass {}",
            "print:print ← qrs {}",
        ]
    );
    assert_eq!(told("ecg!print"), told(" ecg   ! print "));
}

#[test]
fn names_ports_channels_and_branches() {
    assert_eq!(
        told(
            "seconds=2 sine name=a ! align name=both  sine ! both.  ecg ! print a. ! print ecg.truth ! print  a.[0,1] ! copy ! both.in"
        ),
        [
            "a:sine ←  {seconds=2.0}",
            "both:align ← a sine in=copy {}",
            "sine:sine ←  {seconds=2.0}",
            "ecg:ecg ←  {seconds=2.0}",
            "print:print ← ecg {}",
            "print_2:print ← a {}",
            "print_3:print ← ecg.truth {}",
            "copy:copy ← a[0,1] {}",
        ]
    );
}

#[test]
fn values_are_as_of_set() {
    assert_eq!(
        told(
            "csv file=\"a ! b.csv\" frame_ms=5 ! fir taps=[0.5, 0.5] ! jsonl file=x.jsonl on_full=latest"
        ),
        [
            "csv:csv ←  {file=\"a ! b.csv\"}",
            "fir:fir ← csv {taps=[…]}",
            "jsonl:jsonl ← fir {file=\"x.jsonl\"}",
        ]
    );
}

#[test]
fn a_model_is_named_by_its_file() {
    let line = "ecg ! classify model=m/beats.onnx ! print  ecg ! infer model=m/beats.onnx ! print";
    let spec = read(line).expect("a graph");

    assert_eq!(spec.models.len(), 1);
    let model = |node: &str| spec.find(node).and_then(|node| node.param("model")).cloned();
    assert_eq!(model("classify").expect("written").value.as_text(), Some("model_1"));
    assert_eq!(model("infer").expect("written").value.as_text(), Some("model_1"));
}

/// What is refused, and the part of the line that the caret stands below.
fn refused(line: &str) -> (String, String) {
    let problems = read(line).expect_err("no graph");
    let problem = &problems.0[0];
    let place = problem.place.as_ref().expect("it has a place");
    (problem.message.clone(), place.file.text()[place.span.clone()].to_owned())
}

#[test]
fn what_is_wrong_is_shown_in_the_line() {
    let cases = [
        ("", "the line names no kind", ""),
        ("! print", "`!` stands between nothing", "!"),
        ("ecg ! ! print", "`!` stands between nothing", "!"),
        ("ecg ! print !", "nothing follows the last `!`", "!"),
        ("egc ! print", "`egc` is not a kind of the catalogue", "egc"),
        ("rate_hz=5 ecg ! print", "`rate_hz=5` stands before any kind", "rate_hz=5"),
        ("ecg ! low_hz=5 bandpass", "`low_hz=5` follows a `!`", "low_hz=5"),
        ("ecg ! print  egc.truth ! print", "there is no node `egc` in the line", "egc.truth"),
        ("ecg ! print  ecg. low_hz=5 ! print", "`low_hz=5` belongs to no node", "low_hz=5"),
        ("ecg name=Heart ! print", "\"Heart\" is not a name", "name=Heart"),
        ("ecg name=a ! copy name=a ! print", "`a` is there twice", "name=a"),
        ("ecg rate_hz= ! print", "the value is missing", "rate_hz="),
        ("ecg rate_hz=[1 ! print", "the list is not closed", "[1 ! print"),
        ("seconds=-1 ecg ! print", "`seconds` = -1 is no number above 0", "seconds=-1"),
        (
            "seconds=2 csv file=a.csv ! print",
            "`seconds` ends nothing: no source here takes it",
            "2",
        ),
    ];
    for (line, message, marked) in cases {
        assert_eq!(refused(line), (message.to_owned(), marked.to_owned()), "{line}");
    }
}

/// A problem that only planning finds stands in the line as well.
#[test]
fn every_value_knows_its_place() {
    let spec = read("ecg ! bandpass low_hz=5 high_hz=[1, 2.5]").expect("a graph");
    let value = spec.nodes[1].param("high_hz").expect("written");
    let marked = |place: &Option<Place>| {
        let place = place.as_ref().expect("it has one");
        place.file.text()[place.span.clone()].to_owned()
    };

    assert_eq!(marked(&value.place), "[1, 2.5]");
    let Value::List(items) = &value.value else { panic!("a list") };
    assert_eq!(marked(&items[1].place), "2.5");
}

#[test]
fn no_line_makes_it_panic() {
    const PIECES: [&str; 18] = [
        "ecg",
        "!",
        " ",
        ".",
        "[",
        "]",
        "{",
        "\"",
        "'",
        "=",
        "name=a",
        "a.",
        "low_hz=",
        "seconds=",
        "é",
        "\n",
        "1",
        "model=a.onnx",
    ];
    let mut state = 3_u64;
    for _ in 0..20_000 {
        let mut line = String::new();
        for _ in 0..(state >> 59) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            line += PIECES[(state >> 33) as usize % PIECES.len()];
        }
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        if let Err(problems) = read(&line) {
            let _ = problems.render(false);
        }
    }
}

#[test]
fn a_key_within_a_table_is_one_of_the_table() {
    let spec =
        read("ecg ! threshold limits.low=1 limits.high=2").unwrap_or_else(|all| panic!("{all}"));
    let limits = spec.nodes[1].param("limits").expect("it is set");
    let engine::Value::Table(entries) = &limits.value else { panic!("{limits:?}") };
    assert_eq!(entries.len(), 2, "{entries:?}");
}

#[test]
fn no_node_takes_the_name_of_the_graph() {
    let problems = read("seconds=1 sine name=graph ! print").expect_err("it is the graph's");
    assert_eq!(problems.0.len(), 1, "{problems}");
}
