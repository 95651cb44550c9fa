//! `[model.NAME]`: what is wrong with it is told with its place and what to do, together with the rest.

use std::{fs, path::PathBuf};

use afferent_suite::{kinds::tallied, onnx};

use crate::{run, try_plan};

/// A file of this test run, with this content.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
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
