//! `afferent calibrate`: what it writes holds for questions to come, a run keeps to it, and what cannot be is told.

use std::fs;

use afferent_suite::onnx;
use model::sidecar::Sidecar;

use crate::{
    models::npy,
    program::{Ended, Folder, afferent},
};

pub(crate) const GRAPH: &str = "\
[model.m]
segments = [\"one.onnx\", \"two.onnx\"]
exits = \"m.exits.toml\"
backend = \"rten\"

[node.numbers]
op = \"csv\"
file = \"numbers.csv\"
rate_hz = 100.0

[node.told]
op = \"infer\"
from = \"numbers\"
model = \"m\"

[node.out]
op = \"jsonl\"
from = \"told\"
";

/// What the first segment gives: it sees the first number with noise, which is the second.
pub(crate) fn early([a, b, ..]: [f32; 4]) -> [f32; 2] {
    [4.0 * (a + b), -4.0 * (a + b)]
}

/// What the second gives: always right.
fn last([a, ..]: [f32; 4]) -> [f32; 2] {
    [8.0 * a, -8.0 * a]
}

pub(crate) fn folder(graph: &str) -> Folder {
    let folder = Folder::with(&[("g.toml", graph)]);
    let rows = |first: f32, second: f32| {
        [[first, -first], [second, -second], [0.0; 2], [0.0; 2]].map(Vec::from)
    };
    put(&folder, "one.onnx", &onnx::product(&rows(4.0, 4.0)));
    put(&folder, "two.onnx", &onnx::product(&rows(8.0, 0.0)));
    folder
}

pub(crate) fn put(folder: &Folder, name: &str, bytes: &[u8]) {
    fs::write(folder.0.join(name), bytes).expect("there is room for a file");
}

/// Questions: the first number from -1 to 1, the second from -0.5 to 0.5 (a linear congruence, Knuth's).
pub(crate) fn questions(count: usize, seed: u64) -> Vec<[f32; 4]> {
    let mut state = seed;
    let mut share = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    (0..count).map(|_| [2.0 * share() - 1.0, share() - 0.5, 0.0, 0.0]).collect()
}

/// Puts them and what is right of them into files.
pub(crate) fn put_questions(folder: &Folder, questions: &[[f32; 4]]) {
    let shape = format!("({}, 4)", questions.len());
    put(folder, "x.npy", &npy(&shape, questions.as_flattened()));
    let truth: Vec<&str> =
        questions.iter().map(|[a, ..]| if *a > 0.0 { "0\n" } else { "1\n" }).collect();
    put(folder, "y.txt", truth.concat().as_bytes());
}

pub(crate) fn calibrate(folder: &Folder, more: &[&str]) -> Ended {
    let own = ["calibrate", "g.toml", "--data", "x.npy", "--seconds", "0.01"];
    afferent(folder, &[&own, more].concat())
}

pub(crate) fn written(folder: &Folder) -> Sidecar {
    let text = fs::read_to_string(folder.0.join("m.exits.toml")).expect("it was written");
    Sidecar::parse(&text).expect("a file of exits")
}

/// Of how many questions the early answer is wrong, and how many leave.
fn lost(sidecar: &Sidecar, questions: &[[f32; 4]]) -> [f64; 2] {
    let leaving = questions.iter().filter(|question| sidecar.exits.leaves(0, &early(**question)));
    let (mut wrong, mut count) = (0, 0);
    for [a, b, ..] in leaving {
        count += 1;
        wrong += usize::from((a + b > 0.0) != (*a > 0.0));
    }
    [wrong, count].map(|count| count as f64 / questions.len() as f64)
}

#[test]
fn what_is_promised_holds_for_questions_to_come_and_a_run_keeps_to_it() {
    let folder = folder(GRAPH);
    put_questions(&folder, &questions(6_000, 1));

    let told = calibrate(&folder, &["--truth", "y.txt", "--loss", "2%"]);

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for said in
        ["2 segments in rten, 6000 questions", "% saved", "Promised with 95 %", "at most 2 %"]
    {
        assert!(told.stdout.contains(said), "{said}: {}", told.stdout);
    }
    let sidecar = written(&folder);
    let [wrong, left] = lost(&sidecar, &questions(50_000, 2));
    assert!(wrong <= 0.02, "{wrong} of all are lost");
    // The path ends near the promise: with all that leave, an eighth would be lost.
    assert!(wrong > 0.01 && left > 0.4, "{wrong} lost, {left} left");
    assert!((sidecar.shares[0] - left).abs() < 0.03, "{left}: {sidecar:?}");
    let picture = fs::read_to_string(folder.0.join("m.exits.svg")).expect("a picture");
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"), "{picture}");
    assert!(picture.contains(">chosen<") && picture.contains(">whole model<"), "{picture}");

    let asked = questions(400, 3);
    let rows = asked.as_flattened().iter().map(|x| format!("{x}\n"));
    put(&folder, "numbers.csv", format!("v\n{}", rows.collect::<String>()).as_bytes());
    let ran = afferent(&folder, &["run", "g.toml", "--speed", "max", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let answers: Vec<Vec<f32>> = ran.stdout.lines().map(numbers).collect();
    assert_eq!(answers.len(), asked.len(), "{}", ran.stdout);
    let mut left = 0;
    for (question, answer) in asked.iter().zip(&answers) {
        let head = sidecar.exits.heads[0];
        let sure = sidecar.exits.signal.of(&early(*question), head.temperature);
        // Just at the threshold the last bit of a product decides.
        if (sure - head.threshold).abs() < 1e-6 {
            continue;
        }
        let leaves = sure >= head.threshold;
        left += usize::from(leaves);
        let want = if leaves { early(*question) } else { last(*question) };
        let off = (answer[0] - want[0]).abs().max((answer[1] - want[1]).abs());
        assert!(off < 1e-4, "{question:?}: {answer:?} is not {want:?}");
    }
    assert!((100..390).contains(&left), "{left} of 400 left early");
}

/// The numbers of a tensor in a line of JSON.
fn numbers(line: &str) -> Vec<f32> {
    let (_, values) = line.split_once("\"values\":[").unwrap_or_else(|| panic!("{line}"));
    let values = values.trim_start_matches('[').split(']').next().expect("a list");
    values.split(',').map(|x| x.parse().unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn without_labels_answers_are_those_of_the_whole_model() {
    let folder = folder(GRAPH);
    put_questions(&folder, &questions(6_000, 4));

    let told = calibrate(&folder, &["--loss", "2%", "--signal", "margin"]);

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("answered otherwise than"), "{}", told.stdout);
    let [wrong, left] = lost(&written(&folder), &questions(50_000, 5));
    assert!(wrong <= 0.02 && left > 0.4, "{wrong} lost, {left} left");
}

#[test]
fn a_graph_whose_exits_are_missing_or_of_other_weights_says_what_to_run() {
    let folder = folder(GRAPH);
    put(&folder, "numbers.csv", b"v\n0\n0\n0\n0\n");
    let check = || afferent(&folder, &["check", "g.toml"]);

    let missing = check();
    assert_eq!(missing.code, Some(74), "{}", missing.stderr);
    let said = "run `afferent calibrate g.toml --data FILE`";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);

    put_questions(&folder, &questions(3_000, 6));
    assert_eq!(calibrate(&folder, &["--loss", "2%"]).code, Some(0));
    let well = check();
    assert_eq!(well.code, Some(0), "{}", well.stderr);

    fs::copy(folder.0.join("one.onnx"), folder.0.join("two.onnx")).expect("there is room");
    let other = check();
    assert!(other.stderr.contains("made for other weights"), "{}", other.stderr);
    assert!(other.stderr.contains("`afferent calibrate g.toml"), "{}", other.stderr);
    // The same segment twice never differs: it can be calibrated, and is right again.
    assert_eq!(calibrate(&folder, &[]).code, Some(0));
    assert_eq!(check().code, Some(0));
}

#[test]
fn what_cannot_be_calibrated_is_told_and_nothing_is_written() {
    let few = |folder: &Folder| put_questions(folder, &questions(300, 7));
    let many = |folder: &Folder| put_questions(folder, &questions(2_000, 7));
    let no_exits = GRAPH.replace("exits = \"m.exits.toml\"\n", "");
    let whole = no_exits.replace("segments = [\"one.onnx\", \"two.onnx\"]", "file = \"one.onnx\"");
    let single = GRAPH.replace(", \"two.onnx\"", "");
    let twice = format!("{GRAPH}\n[model.n]\nsegments = [\"one.onnx\", \"two.onnx\"]\n");
    let away = GRAPH.replace("m.exits.toml", "no/such/m.toml");
    type Make<'a> = &'a dyn Fn(&Folder);
    let cases: &[(&str, Make<'_>, &[&str], i32, &str)] = &[
        (GRAPH, &few, &["--truth", "y.txt"], 1, "300 questions are too few"),
        (GRAPH, &few, &["--truth", "y.txt"], 1, "give 856 questions or more"),
        (&no_exits, &many, &[], 2, "`--out FILE`"),
        (&whole, &many, &[], 2, "no `[model.NAME]` with `segments`"),
        (&single, &many, &[], 78, ""),
        (&twice, &many, &[], 2, "say which: `--model NAME`"),
        (GRAPH, &many, &["--model", "n"], 2, "no `[model.n]`"),
        (&away, &many, &[], 74, "cannot write `no/such/m.toml`"),
        (GRAPH, &many, &["--out", "."], 2, "does not end in .toml"),
        (GRAPH, &many, &["--loss", "0"], 2, "above 0 and below 100"),
        (GRAPH, &many, &["--confidence", "100%"], 2, "above 0 and below 100"),
        (GRAPH, &|_| (), &[], 74, "cannot read `x.npy`"),
        (GRAPH, &|f| put(f, "x.npy", &npy("(2, 3)", &[0.0; 6])), &[], 74, "takes [4]"),
        (
            GRAPH,
            &|f| put(f, "x.npy", &npy("(1, 4)", &[0.0, f32::NAN, 0.0, 0.0])),
            &[],
            74,
            "segment 1 gives NaN to question 0",
        ),
        (
            GRAPH,
            &|f| {
                many(f);
                put(f, "y.txt", "1\n".repeat(2_000).as_bytes());
            },
            &["--truth", "y.txt"],
            74,
            "all 2000 questions are of class 1",
        ),
        (
            GRAPH,
            &|f| {
                many(f);
                put(f, "y.txt", format!("{}2\n", "1\n".repeat(1_999)).as_bytes());
            },
            &["--truth", "y.txt"],
            74,
            "`y` of question 1999 is 2",
        ),
        (
            GRAPH,
            &|f| {
                many(f);
                put(f, "two.onnx", b"nothing");
            },
            &[],
            74,
            "`two.onnx`: ",
        ),
        (
            GRAPH,
            &|f| {
                many(f);
                put(f, "two.onnx", &onnx::unary("Neg", &[None, Some(4)]));
            },
            &[],
            74,
            "segment 2 answers with",
        ),
        (
            GRAPH,
            &|f| {
                many(f);
                // The opposite of the truth, and surer the wronger it is.
                put(
                    f,
                    "one.onnx",
                    &onnx::product(&[[-9.0, 9.0], [0.0; 2], [0.0; 2], [0.0; 2]].map(Vec::from)),
                );
            },
            &[],
            1,
            "too many are wrong",
        ),
    ];
    for (graph, make, more, code, said) in cases {
        let folder = folder(graph);
        make(&folder);
        let told = calibrate(&folder, more);
        assert_eq!(told.code, Some(*code), "{said}: {}{}", told.stderr, told.stdout);
        assert!(told.stderr.contains(said), "{said}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{said}");
        for name in ["m.exits.toml", "m.exits.svg"] {
            assert!(!folder.0.join(name).exists(), "{said}");
        }
    }
}
