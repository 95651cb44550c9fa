//! `[model.NAME]`: what is wrong with it is told with its place and what to do, together with the rest.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use afferent_suite::{
    kinds::{tallied, tally},
    onnx,
};
use engine::{
    Answer, Buffer, Disk, EventFormat, EventReader, Fault, Field, GraphSpec, Services, SourceText,
    testing::{Outcome, reply},
};
use model::{
    host::{ModelService, Row, Rowwise, Terms, Way},
    section::ModelServices,
};

use crate::{edge, run, try_plan};

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
    let path = path.display();
    let told = format!("model `m` cannot be used: `{path}`: the file is no ONNX model");
    assert!(text.contains(&told) && text.contains("name a whole ONNX file"), "{text}");
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

/// A model that multiplies by itself so often, and one that does nothing: alike, but not the same.
fn shifting(count: usize) -> Vec<u8> {
    onnx::layers(count, 20)
}

#[test]
fn a_model_of_segments_is_left_early() {
    // Each of the two gives its answer; without an output of that name the second takes what was asked.
    let small = file("small.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let large = file("large.onnx", &onnx::unary("Neg", &[None, Some(20)]));
    let section = |more: &str| {
        format!("[model.m]\nsegments = [{small:?}, {large:?}]\nbackend = \"rten\"\n{more}")
    };
    let answers = |name: &str, more: &str| {
        let text = graph(&section(more), "model = \"m\"\nnormalize = \"given\"\nmean = [200.0]");
        run(&text.replace("answers", name));
        tallied(name).0
    };
    // Of 20 numbers in a row, one apart, the largest has a score of 0.63; below 200 all are 0 to the first.
    let early = answers("early", "thresholds = [0.6]");
    assert_eq!(early[390], 190.0, "sure enough");
    assert_eq!(early[10], 190.0, "not sure, and asked again");
    let never = answers("never", "");
    assert_eq!((never[390], never[10]), (-190.0, 190.0));
    let exits = file("exits.toml", b"[[exit]]\ntemperature = 10.0\nthreshold = 0.6\n");
    let hot = answers("hot", &format!("exits = {exits:?}"));
    assert_eq!((hot[390], hot[10]), (-190.0, 190.0));
}

#[test]
fn segments_and_exits_that_make_no_sense_are_told() {
    let relu = file("relu_s.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let other = file("other_s.onnx", &onnx::unary("Relu", &[None, Some(30)]));
    let told = |section: String| {
        said(&format!("[model.m]\nbackend = \"rten\"\n{section}"), "model = \"m\"")
    };
    let text = told(format!("file = {relu:?}\nsegments = [{relu:?}]"));
    assert!(text.contains("`file` and `segments` exclude each other"), "{text}");
    let text = told("segments = []".to_owned());
    assert!(text.contains("`segments` is empty"), "{text}");
    let text = told(format!("file = {relu:?}\nthresholds = [0.5]"));
    assert!(text.contains("`thresholds` needs `segments`"), "{text}");
    let text = told(format!("segments = [{relu:?}, {relu:?}]\nthresholds = [0.5, 0.6]"));
    assert!(text.contains("`thresholds` has 2 numbers for 1 early exits"), "{text}");
    let text = told(format!("segments = [{relu:?}, {other:?}]"));
    assert!(text.contains("segment 2 answers with `y f32[?, 30]`"), "{text}");
    let text = told(format!("segments = [{relu:?}, \"no/such.onnx\"]"));
    assert!(text.contains("cannot read `no/such.onnx`"), "{text}");
    let exits = |content: &str| {
        let path = file("odd.toml", content.as_bytes());
        told(format!("segments = [{relu:?}, {relu:?}]\nexits = {path:?}"))
    };
    let text = exits("[[exit]]\nthreshold = true");
    assert!(text.contains("exit 1: `threshold` is a number"), "{text}");
    let text = exits("weights = \"00\"\n[[exit]]\nthreshold = 0.5");
    assert!(text.contains("made for other weights; run `afferent calibrate` again"), "{text}");
    let text = exits("[[exit]]\nthreshold = 0.5\n[[exit]]\nthreshold = 0.5");
    assert!(text.contains("it has 2 exits for 2 segments"), "{text}");
}

#[test]
fn a_changed_file_becomes_a_new_version_or_is_refused() {
    let path = file("changes.onnx", &shifting(1));
    let text = format!(
        "[model.m]\nfile = {path:?}\nbackend = \"rten\"\nreload = true\ntrial_questions = 20"
    );
    let spec = GraphSpec::parse(&SourceText::new("models.toml", graph(&text, "model = \"m\"")))
        .expect("a graph");
    let news = Arc::new(Mutex::new(Vec::new()));
    let own = news.clone();
    let kind = ModelServices::telling(Arc::new(Disk), None, move |text| {
        own.lock().expect("whole").push(text.to_owned());
    });
    let services = Services::open(&kind, &spec.models).expect("it loads");
    let service = services.find::<ModelService>("m").expect("a model");
    let way =
        Way::new(service.model.signature(), 0, vec![20], &[], Box::new(First)).expect("a way");
    let door = service.model.door(way, Terms::default(), &[]).expect("a door");
    // The first number of an answer says how far a version shifts.
    let ask = || {
        let (reply, awaited) = reply(None);
        let mut numbers = Buffer::with_bytes(80, 20);
        let places = numbers.floats_mut().expect("fresh");
        // The largest stands where all three versions agree about it, or not.
        (0..20).for_each(|n| places[n] = n as f32);
        door.ask(numbers, reply);
        match awaited.wait(crate::LIMIT) {
            Outcome::Answer(Some(answer)) => answer.floats()[0],
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(), 1.0);
    let until = |told: &str| {
        let began = std::time::Instant::now();
        while !news.lock().expect("whole").iter().any(|news| news.contains(told)) {
            assert!(began.elapsed() < crate::LIMIT, "{:?}", news.lock().expect("whole"));
            assert_eq!(ask(), 1.0, "nobody notices");
        }
    };
    // What is no model, what is another, and what says something else.
    fs::write(&path, b"half a model").expect("room");
    until("version 1 serves on: the file is no ONNX model");
    fs::write(&path, onnx::layers(1, 30)).expect("room");
    until("version 1 serves on: it takes or gives something else");
    fs::write(&path, shifting(2)).expect("room");
    until("version 2 is refused: 0.0 % of");
    // Of the same effect, in twenty-one layers.
    fs::write(&path, shifting(21)).expect("room");
    until("version 3 serves from now on: 100.0 % of");
    assert_eq!((service.model.version(), ask()), (3, 1.0));
    assert_eq!(service.model.tally().failed, 0);
}

/// Gives the first output as it is.
struct First;

impl Rowwise for First {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(0);
        Ok(Buffer::of_floats(numbers, numbers.len()).into())
    }
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
