//! What `calibrate` promises is watched while a graph runs.

use serde_json::Value as Json;

use crate::{
    calibrate::{GRAPH, calibrate, folder, put, put_questions, questions, written},
    program::{Ended, Folder, afferent},
};

/// A graph whose early exits are watched so.
fn watched(keys: &str) -> String {
    GRAPH.replace("backend = \"rten\"\n", &format!("backend = \"rten\"\n{keys}\n"))
}

/// Questions as they were, with so much of the noise that leads the first segment astray.
fn noisy(count: usize, seed: u64, noise: f32) -> Vec<[f32; 4]> {
    questions(count, seed).into_iter().map(|[a, b, c, d]| [a, noise * b, c, d]).collect()
}

fn run(folder: &Folder, asked: &[[f32; 4]]) -> Ended {
    let rows = asked.as_flattened().iter().map(|x| format!("{x}\n"));
    put(folder, "numbers.csv", format!("v\n{}", rows.collect::<String>()).as_bytes());
    let ran = afferent(folder, &["run", "g.toml", "--speed", "max", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), asked.len());
    ran
}

const BROKEN: &str = "what was promised of leaving early holds no more";

#[test]
fn a_run_says_when_questions_are_no_more_like_those_of_the_calibration() {
    let folder = folder(&watched("watch = 0.5"));
    put_questions(&folder, &questions(6_000, 1));
    assert_eq!(calibrate(&folder, &["--loss", "2%"]).code, Some(0));
    let promise = written(&folder).promise.expect("it promises something");
    assert_eq!(promise.differs, Some(0.02), "without labels the loss is to differ");

    // With half the noise even less differs than is promised.
    let calm = noisy(3_000, 2, 0.5);
    let ran = run(&folder, &calm);
    assert!(!ran.stderr.contains(BROKEN), "{}", ran.stderr);
    assert!(ran.stderr.contains("promised are at most 2 %"), "{}", ran.stderr);

    // With four times the noise more than a tenth does.
    let shifted = [calm, noisy(3_000, 3, 4.0)].concat();
    let ran = run(&folder, &shifted);
    assert_eq!(ran.stderr.matches(BROKEN).count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("the promise is broken: it was at most 2 %"), "{}", ran.stderr);
    assert!(ran.stderr.contains("afferent calibrate"), "{}", ran.stderr);
}

#[test]
fn labels_promise_less_loss_than_answers_may_differ() {
    let folder = folder(GRAPH);
    put_questions(&folder, &questions(6_000, 4));

    let told = calibrate(&folder, &["--truth", "y.txt", "--loss", "2%", "--json"]);

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let json: Json = serde_json::from_str(told.stdout.trim()).expect("one JSON object");
    assert_eq!(json["labelled"], true);
    assert_eq!(json["samples"]["tune"].as_u64(), Some(1_800));
    assert_eq!(json["exits"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["exits"][1]["threshold"], Json::Null, "all leave at the last");
    let of = |path: &str| json.pointer(path).and_then(Json::as_f64).unwrap_or(f64::NAN);
    let sidecar = written(&folder);
    assert_eq!(of("/exits/0/threshold"), sidecar.exits.heads[0].threshold);
    let promise = sidecar.promise.expect("it promises something");
    assert_eq!([of("/loss"), of("/confidence")], [promise.loss, promise.confidence]);
    assert_eq!(Some(of("/differs/most")), promise.differs);
    // The last segment is always right: whoever differs is lost, and the bound lies above both.
    assert_eq!(of("/differs/seen"), of("/risk"));
    assert!(of("/differs/most") > of("/risk_most") && of("/differs/most") < 0.04, "{json}");
    assert!(of("/saved") < 1.0 && of("/cost_us/early") < of("/cost_us/whole"), "{json}");
    let curve = json["curve"].as_array().expect("a list");
    assert!(curve.len() > 2 && json["step"].as_u64().is_some_and(|step| step > 0));
}

#[test]
fn what_cannot_be_watched_is_told_with_what_to_do() {
    let cases = [
        ("watch = 1.5", "`watch` = 1.5 is outside"),
        ("on_drift = \"stop\"", "\"tell\", \"whole\""),
        ("watch = 0.0\non_drift = \"whole\"", "`on_drift` needs `exits` that promise something"),
        ("on_drift = \"whole\"", "run `afferent calibrate` again"),
    ];
    for (keys, said) in cases {
        let folder = folder(&watched(keys));
        put(&folder, "numbers.csv", b"v\n0\n0\n0\n0\n");
        // Of before: nothing says how many answers may differ.
        let old = b"loss = 0.02\nconfidence = 0.95\n[[exit]]\nthreshold = 0.9\n";
        put(&folder, "m.exits.toml", old);
        let told = afferent(&folder, &["check", "g.toml"]);
        assert!(told.code.is_some_and(|code| code > 2), "{keys}: {}", told.stderr);
        assert!(told.stderr.contains(said), "{keys}: {}", told.stderr);
    }
    let folder = folder(&watched("watch = 0.1").replace("exits = \"m.exits.toml\"\n", ""));
    put(&folder, "numbers.csv", b"v\n0\n0\n0\n0\n");
    let told = afferent(&folder, &["check", "g.toml"]);
    assert!(told.stderr.contains("`watch` needs `exits`"), "{}", told.stderr);
}
