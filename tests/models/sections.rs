//! `[model.NAME]`: what is wrong with it is told with its place and what to do, together with the rest.

use std::{fs, path::PathBuf};

use afferent_suite::{
    kinds::{tallied, tally},
    onnx,
};
use engine::{EventFormat, EventReader, Field};

use crate::{edge, run, try_plan};

/// A file of this test run, with this content.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("afferent-models-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("room for a small file");
    path
}

fn graph(section: &str, node: &str) -> String {
    crate::graph("answers", section, &format!("op = \"infer\"\n{node}"))
}

fn said(section: &str, node: &str) -> String {
    try_plan(&graph(section, node)).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_model_of_a_file_answers() {
    let path = file("relu.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let section = format!("[model.m]\nfile = {path:?}\nbackend = \"rten\"");
    run(&graph(&section, "model = \"m\"\nnormalize = \"given\"\nmean = [200.0]"));

    let (numbers, _) = tallied("answers");
    let want = (0..400).map(|n| (n as f32 - 200.0).max(0.0));
    assert_eq!(numbers, want.collect::<Vec<_>>());
}

#[test]
fn a_wrong_section_is_told_once_with_everything_else() {
    let text = said("[model.m]\nfile = \"no/such.onnx\"", "model = \"m\"\nhop_s = -1.0");
    assert!(text.contains("cannot read `no/such.onnx`"), "{text}");
    assert!(text.contains("`hop_s` = -1.0 is outside"), "{text}");
    assert!(!text.contains("has no `[model.m]`"), "{text}");

    let text = said("[model.m]\nfiel = \"x.onnx\"", "model = \"m\"");
    assert!(
        text.contains("a model has no parameter `fiel`") && text.contains("did you mean `file`?"),
        "{text}"
    );
    assert!(!text.contains("`file` is missing"), "{text}");

    let text = said("[model.m]\nbatch_max = 0", "model = \"m\"");
    assert!(
        text.contains("`file` is missing") && text.contains("`batch_max` = 0 is outside"),
        "{text}"
    );

    let path = file("broken.onnx", b"nothing of the kind");
    let text = said(&format!("[model.m]\nfile = {path:?}\nbackend = \"rten\""), "model = \"m\"");
    assert!(text.contains("model `m` cannot be used: the file is no ONNX model"), "{text}");
}

#[test]
fn a_model_that_is_not_described_is_missed() {
    let path = file("relu20.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let section = format!("[model.heart]\nfile = {path:?}\nbackend = \"rten\"");
    let text = said(&section, "model = \"hart\"");
    assert!(text.contains("the graph has no `[model.hart]`"), "{text}");
    assert!(text.contains("did you mean `heart`?"), "{text}");
}

#[test]
fn a_question_that_does_not_fit_is_told_with_what_would() {
    let path = file("relu25.onnx", &onnx::unary("Relu", &[None, Some(25)]));
    let section = format!("[model.m]\nfile = {path:?}\nbackend = \"rten\"");
    let text = said(&section, "model = \"m\"\nwindow_s = 0.02");
    assert!(text.contains("does not take 20 numbers a question"), "{text}");
    assert!(text.contains("it wants 25 samples of each channel: `window_s = 0.025`"), "{text}");

    let text = said(&section, "model = \"m\"\ninput = \"z\"");
    assert!(text.contains("the model has no input `z`"), "{text}");
    let text = said(&section, "model = \"m\"\nfields = [\"a\", \"b\"]");
    assert!(text.contains("`fields` has 2 names for the model's output"), "{text}");

    let path = file("open.onnx", &onnx::unary("Relu", &[None, None]));
    let section = format!("[model.m]\nfile = {path:?}\nbackend = \"rten\"");
    let text = said(&section, "model = \"m\"");
    assert!(text.contains("takes pieces of any length"), "{text}");
    assert!(text.contains("say which: `window_s`"), "{text}");
}

/// A graph that classifies pieces of ten samples with a model that need not be there.
fn optional(name: &str, section: &str, node: &str) -> String {
    let section = format!("[model.m]\n{section}\noptional = true");
    let node = format!("op = \"classify\"\nmodel = \"m\"\nlabels = [\"a\", \"b\"]\n{node}");
    crate::graph(name, &section, &node)
}

#[test]
fn what_an_optional_model_would_be_asked_passes_without_a_label() {
    let broken = file("optional.onnx", b"nothing of the kind");
    let broken = format!("file = {broken:?}");
    for (name, section) in [("lost", "file = \"no/such.onnx\""), ("broken", broken.as_str())] {
        let text = optional(name, section, "window_s = 0.01");
        let plan = try_plan(&text).unwrap_or_else(|problems| panic!("{problems}"));
        // Once for the node, and not again for every piece.
        let warnings: Vec<String> = plan.warnings().iter().map(|w| w.message.clone()).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let says = "`ask` passes without an answer from the model `m`: ";
        assert!(warnings[0].starts_with(says), "{warnings:?}");

        let (running, _) = run(&text);
        assert_eq!(edge(&running, "ask", name).frames.taken, 40);
        let fields = vec![
            Field::text("label", 128),
            Field::i64("index"),
            Field::f64("score"),
            Field::f64("margin"),
        ];
        let format = EventFormat { fields, rate_max: 1.0 };
        let events = tally(name);
        for (n, (_, frame)) in events.iter().enumerate() {
            let event = EventReader::new(&format, frame);
            assert!((0..4).all(|field| event.field(field).is_none()), "event {n}");
            assert_eq!(frame.header.time.nanos(), n as i64 * 10_000_000);
            assert_eq!(event.duration_ns(), 10_000_000);
        }
    }
}

#[test]
fn an_optional_model_is_asked_where_it_can_be_used() {
    let path = file("optional_relu.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let section =
        format!("[model.m]\nfile = {path:?}\nbackend = \"rten\"\noptional = true\nbatch_max = 4");
    run(&graph(&section, "model = \"m\"").replace("answers", "optional_answers"));
    assert_eq!(tallied("optional_answers").0.len(), 400);
}

#[test]
fn what_only_the_model_knows_is_told_where_it_is_not_there() {
    let lost = "[model.m]\nfile = \"no/such.onnx\"\noptional = true";
    // How long pieces are, and what comes out.
    let text = try_plan(&optional("no_length", "file = \"no/such.onnx\"", ""));
    let text = text.map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("say it: `window_s`"), "{text}");
    let text = said(lost, "model = \"m\"\nwindow_s = 0.01");
    assert!(text.contains("only the model `m` knows what comes out"), "{text}");
    assert!(text.contains("`fields`"), "{text}");
    // A section that is wrong is not a model that is not there.
    let text = said("[model.m]\nfiel = \"x.onnx\"\noptional = true", "model = \"m\"");
    assert!(text.contains("a model has no parameter `fiel`"), "{text}");
}
