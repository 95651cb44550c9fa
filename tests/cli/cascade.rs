//! `afferent calibrate` for models of speech: plumbing with models that have no weights, or random ones, and every way that it
//! can be refused.

use std::fs;

use afferent_suite::data;

use crate::program::{Ended, Folder, afferent};

const MICRO: &str = "derived-models/ggml-micro-random.en.bin";
const TINY: &str = "ggml-org+whisper.cpp/models/for-tests-ggml-tiny.bin";
const DIGITS: &str = "Jakobovski+free-spoken-digit-dataset/recordings";

const GRAPH: &str = "\
[model.voice]
segments = [\"micro.bin\", \"tiny.bin\"]
exits = \"voice.exits.toml\"

[node.audio]
op = \"audio\"

[node.mono]
op = \"downmix\"
from = \"audio\"

[node.heard]
op = \"resample\"
from = \"mono\"
rate_hz = 16000.0

[node.speech]
op = \"speech\"
from = \"heard\"
threshold = 0.4

[node.text]
op = \"transcribe\"
from = { audio = \"heard\", turns = \"speech.turns\" }
model = \"voice\"
language = \"en\"

[node.out]
op = \"jsonl\"
from = \"text\"
";

/// The graph and its models; nothing without the data.
fn folder(graph: &str) -> Option<Folder> {
    let data = data::folder()?;
    let folder = Folder::with(&[("g.toml", graph)]);
    for (from, to) in [(MICRO, "micro.bin"), (TINY, "tiny.bin")] {
        fs::copy(data.join(from), folder.0.join(to)).expect("room for a model");
    }
    fs::create_dir(folder.0.join("said")).expect("room for a folder");
    Some(folder)
}

/// Digits as they are spoken.
const SAID: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Puts what is said beside the recordings; their names begin with the digit.
fn write_texts(folder: &Folder) {
    for entry in fs::read_dir(folder.0.join("said")).expect("it is there") {
        let path = entry.expect("it is there").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let digit = name[..1].parse::<usize>().expect("a digit");
        fs::write(path.with_extension("txt"), SAID[digit]).expect("room for a text");
    }
}

/// Puts so many recordings of a digit each into `said`.
fn record(folder: &Folder, count: usize) {
    let digits = data::folder().expect("it was there").join(DIGITS);
    let mut paths: Vec<_> = fs::read_dir(&digits)
        .unwrap_or_else(|error| panic!("{}: {error}", digits.display()))
        .map(|entry| entry.expect("it is there").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wav"))
        .collect();
    paths.sort();
    for path in paths.iter().take(count) {
        let name = path.file_name().expect("a file has a name");
        fs::copy(path, folder.0.join("said").join(name)).expect("room for a recording");
    }
}

fn calibrate(folder: &Folder, more: &[&str]) -> Ended {
    afferent(folder, &[&["calibrate", "g.toml", "--data", "said"], more].concat())
}

fn text(contents: &str, exits: usize) -> String {
    let exit = "\n[[exit]]\nslope = 1.0\noffset = 0.0\nthreshold = 0.5\nshare = 0.5\n";
    format!(
        "kind = \"speech\"\nmodels = [\"micro\", \"tiny\"]\ncontents = [{contents}]\nlanguage = \"en\"\n\
         samples = 9\nloss = 0.05\nconfidence = 0.95\ncost = 0.5\n{}",
        exit.repeat(exits)
    )
}

#[test]
fn what_is_asked_wrong_is_told() {
    let Some(folder) = folder(GRAPH) else { return };
    let none = GRAPH.replace("exits = \"voice.exits.toml\"\n", "");
    let single = none.replace("\"micro.bin\", ", "");
    let twice = format!(
        "{GRAPH}\n[node.again]\nop = \"transcribe\"\nmodel = \"voice\"\nlanguage = \"de\"\n\
         from = {{ audio = \"heard\", turns = \"speech.turns\" }}\n\
         [node.more]\nop = \"jsonl\"\nfrom = \"again\"\n"
    );
    let gone = GRAPH.replace("tiny.bin", "gone.bin");
    let windows = GRAPH.replace("{ audio = \"heard\", turns = \"speech.turns\" }", "\"heard\"");
    let others = GRAPH.replace("speech.turns", "told");
    let others = others + "\n[node.told]\nop = \"events\"\n";
    let loud = GRAPH.replace("threshold = 0.4", "threshold = 4.0");
    let cases: &[(&str, &[&str], i32, &str)] = &[
        (GRAPH, &["--truth", "y.txt"], 2, "`--truth` means nothing to a model of speech"),
        (GRAPH, &["--signal", "margin"], 2, "`--signal` means nothing to a model of speech"),
        (GRAPH, &["--seconds", "1"], 2, "`--seconds` means nothing to a model of speech"),
        (&none, &[], 2, "write `exits = \"voice.exits.toml\"` there"),
        (GRAPH, &["--out", "voice.txt"], 2, "does not end in .toml"),
        (GRAPH, &["--out", "no/such.toml"], 74, "cannot write `no/such.toml`"),
        (GRAPH, &["--loss", "0"], 2, "above 0 and below 100"),
        (&single, &[], 78, "it has one model of speech"),
        (&twice, &[], 2, "the nodes `text` and `again` ask `voice` differently"),
        (&gone, &[], 74, "cannot read `gone.bin`"),
        (GRAPH, &[], 74, "`said` has no recordings"),
        (&windows, &[], 78, "`text` hears windows of audio"),
        (&others, &[], 78, "`text` is told turns by `told`, which is no `speech`"),
    ];
    for (graph, more, code, said) in cases {
        fs::write(folder.0.join("g.toml"), graph).expect("room for a graph");
        let told = calibrate(&folder, more);
        assert!(told.stderr.contains(said), "{said}: {}{}", told.stderr, told.stdout);
        assert_eq!(told.code, Some(*code), "{said}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{said}");
        assert!(!folder.0.join("voice.exits.toml").exists(), "{said}");
    }
    fs::write(folder.0.join("g.toml"), GRAPH).expect("room for a graph");
    let told = afferent(&folder, &["calibrate", "g.toml", "--data", "gone.tsv"]);
    assert!(told.stderr.contains("there is no such file"), "{}", told.stderr);
    assert!(told.stderr.contains("LIST.tsv"), "{}", told.stderr);
    record(&folder, 3);
    fs::write(folder.0.join("g.toml"), loud).expect("room for a graph");
    let told = calibrate(&folder, &[]);
    assert!(
        told.stderr.contains("`threshold`") && told.stderr.contains("g.toml:"),
        "{}",
        told.stderr
    );
    assert_eq!(
        told.code,
        Some(78),
        "a mistake in the graph is none of the recording: {}",
        told.stderr
    );
    fs::write(folder.0.join("g.toml"), GRAPH).expect("room for a graph");
    let all = fs::read_dir(folder.0.join("said")).expect("it is there").next();
    let first = all.expect("three").expect("it is there").path();
    let again = folder.0.join("said/again.wav");
    fs::copy(&first, &again).expect("room for a recording");
    let told = calibrate(&folder, &[]);
    assert!(told.stderr.contains("under another name"), "{}", told.stderr);
    assert_eq!(told.code, Some(74));
    fs::remove_file(again).expect("it is there");
    fs::remove_file(first).expect("it is there");
    let told = calibrate(&folder, &[]);
    assert!(told.stderr.contains("2 recordings are too few"), "{}", told.stderr);
    assert_eq!(told.code, Some(1));
    fs::write(folder.0.join("said/broken.wav"), b"RIFF, perhaps").expect("room");
    let told = calibrate(&folder, &[]);
    assert!(told.stderr.contains("broken.wav"), "{}", told.stderr);
    assert_eq!((told.code, &*told.stdout), (Some(74), ""));
}

#[test]
fn a_cascade_is_calibrated_and_a_run_keeps_to_it() {
    let Some(folder) = folder(GRAPH) else { return };
    record(&folder, 20);
    let promise = ["--loss", "20%", "--confidence", "80%"];

    // Without weights nobody says a word, which is no evidence.
    let told = calibrate(&folder, &promise);
    assert!(told.stderr.contains("`tiny` says no word of 20 turns"), "{}", told.stderr);
    assert_eq!((told.code, &*told.stdout), (Some(1), ""));
    write_texts(&folder);
    let few = calibrate(&folder, &[]);
    assert!(few.stderr.contains("give 119 recordings or more"), "{}", few.stderr);
    assert_eq!(few.code, Some(1));
    assert!(!folder.0.join("voice.exits.toml").exists(), "nothing is written");

    let told = calibrate(&folder, &promise);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for said in [
        "voice  2 models, 20 turns of speech",
        "cut into turns as `speech` does it, asked as `text` asks",
        "judged by their texts",
        "micro        0.",
        "that chose nothing",
        "Promised with 80 % confidence",
        "on the average, at most 20 % of a recording's turns come out worse than from tiny alone",
        "with partials by micro",
        "written: voice.exits.toml",
    ] {
        let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&said), "{said}: {}", told.stdout);
    }
    let well = afferent(&folder, &["check", "g.toml"]);
    assert_eq!(well.code, Some(0), "{}", well.stderr);
    let first = fs::read_dir(folder.0.join("said")).expect("it is there");
    let mut first: Vec<_> = first.map(|entry| entry.expect("it is there").path()).collect();
    first.retain(|path| path.extension().is_some_and(|ending| ending == "wav"));
    let set = format!("audio.file={}", first[0].display());
    let ran = afferent(&folder, &["run", "g.toml", "--speed", "max", "--set", &set]);
    assert!(ran.stdout.contains("\"model\":\"micro\""), "{}{}", ran.stdout, ran.stderr);

    // For other models, in another order, or asked otherwise, it does not count.
    let said = |graph: &str| {
        fs::write(folder.0.join("o.toml"), graph).expect("room for a graph");
        afferent(&folder, &["check", "o.toml"]).stderr
    };
    let turned = GRAPH.replace("\"micro.bin\", \"tiny.bin\"", "\"tiny.bin\", \"micro.bin\"");
    let turned = said(&turned);
    assert!(turned.contains("in another order: `micro`, `tiny`"), "{turned}");
    let three = said(&GRAPH.replace("\"micro.bin\"", "\"micro.bin\", \"micro.bin\""));
    assert!(three.contains("made for 2 models") && three.contains("`segments` has 3"), "{three}");
    let other = said(&GRAPH.replace("\"en\"", "\"de\""));
    assert!(other.contains("knows English alone"), "{other}");
    let cut = said(&GRAPH.replace("threshold = 0.4", "threshold = 0.5"));
    assert!(
        cut.contains("turns cut with `threshold = 0.4`, and here it is nothing written"),
        "{cut}"
    );
    let windows =
        said(&GRAPH.replace("{ audio = \"heard\", turns = \"speech.turns\" }", "\"heard\""));
    assert!(windows.contains("may not hold: `text` hears windows"), "{windows}");
    let other = said(&GRAPH.replace("\"en\"", "\"auto\""));
    assert!(other.contains("were made for `language` = \"en\""), "{other}");

    let json = calibrate(&folder, &[&promise[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((json["pieces"].as_u64(), json["unknown"].as_u64()), (Some(20), Some(0)));
    assert_eq!(json["models"][1]["threshold"], serde_json::Value::Null);
    assert!(json["expected"]["saved"]["value"].is_number(), "{json}");
    assert_eq!(json["unit"], "recording");
}

#[test]
fn exits_that_do_not_fit_are_told_where_they_are_named() {
    let Some(folder) = folder(GRAPH) else { return };
    let check = |exits: Option<&str>| {
        let path = folder.0.join("voice.exits.toml");
        if let Some(text) = exits {
            fs::write(path, text).expect("room for a file");
        }
        let told = afferent(&folder, &["check", "g.toml"]);
        assert!(told.stderr.contains("g.toml:3:9"), "{}", told.stderr);
        assert!(
            told.stderr.contains("`afferent calibrate g.toml --data FOLDER`"),
            "{}",
            told.stderr
        );
        told.stderr
    };
    let missing = check(None);
    assert!(missing.contains("error[no-such-file]"), "{missing}");
    let of_classes = check(Some("signal = \"score\"\n[[exit]]\nthreshold = 0.5\n"));
    assert!(of_classes.contains("it is not of models of speech"), "{of_classes}");
    let no_toml = check(Some("kind = "));
    assert!(no_toml.contains("it is no TOML"), "{no_toml}");
    let other = check(Some(&text("\"01\", \"02\"", 1)));
    assert!(other.contains("it was made for other models: `micro`, `tiny`"), "{other}");
    let three = check(Some(&text("\"01\", \"02\"", 2)));
    assert!(three.contains("2 models, 2 contents and 2 exits"), "{three}");
    let both = GRAPH.replace("exits =", "thresholds = [0.5]\nexits =");
    fs::write(folder.0.join("g.toml"), both).expect("room for a graph");
    let told = afferent(&folder, &["check", "g.toml"]);
    assert!(told.stderr.contains("`exits` and `thresholds` exclude"), "{}", told.stderr);
}

#[test]
fn a_wrong_key_beside_a_file_that_may_be_missing_is_told_alone() {
    let graph = GRAPH
        .replace("\"micro.bin\", \"tiny.bin\"", "\"gone.bin\", \"away.bin\"")
        .replace("exits = \"voice.exits.toml\"", "optional = true\nbatch_max = 4");
    let folder = Folder::with(&[("g.toml", &graph)]);
    let told = afferent(&folder, &["check", "g.toml"]);
    assert!(
        told.stderr.contains("`batch_max` means nothing to a model of speech"),
        "{}",
        told.stderr
    );
    assert!(!told.stderr.contains("gone.bin"), "{}", told.stderr);
}
