//! Recordings that are not what they should be, from the command line to the exit code.

use std::fs;

use crate::program::{Folder, afferent};

/// Reads a recording, filters it, and writes a table.
const GRAPH: &str = r#"
[graph]
name = "recording"
[node.ecg]
op = "wfdb"
file = "r.hea"
[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0
[node.out]
op = "csv"
from = "clean"
file = "out.csv"
"#;

/// A record of four seconds at 250 Hz whose signal file ends after so many bytes.
fn record(bytes: usize) -> Folder {
    let folder = Folder::with(&[
        ("graph.toml", GRAPH),
        ("r.hea", "r 1 250 1000\nr.dat 16 200 16 0 0 0 0 ecg\n"),
    ]);
    let samples = (0..1_000_i16).flat_map(|n| (n % 250).to_le_bytes());
    let samples: Vec<u8> = samples.take(bytes).collect();
    fs::write(folder.0.join("r.dat"), samples).expect("there is room");
    folder
}

/// The same graph over a table.
fn table(text: &str) -> Folder {
    let graph = GRAPH.replace("op = \"wfdb\"\nfile = \"r.hea\"", "op = \"csv\"\nfile = \"t.csv\"");
    Folder::with(&[("graph.toml", &graph), ("t.csv", text)])
}

fn rows(seconds: usize, cell: impl Fn(usize) -> String) -> String {
    let rows = (0..250 * seconds).map(|n| format!("{},{}\n", n as f64 / 250.0, cell(n)));
    format!("t_s,ecg\n{}", rows.collect::<String>())
}

fn written(folder: &Folder) -> Vec<f64> {
    let text = fs::read_to_string(folder.0.join("out.csv")).expect("a table was written");
    let cells = text.lines().skip(1).map(|line| line.rsplit_once(',').expect("two cells").1);
    // An empty cell is no number.
    cells
        .map(|cell| if cell.is_empty() { f64::NAN } else { cell.parse().expect("a number") })
        .collect()
}

#[test]
fn a_record_that_ends_within_a_sample_gives_all_whole_ones_and_says_what_is_missing() {
    let folder = record(1_401);

    let ended = afferent(&folder, &["run", "graph.toml", "--speed", "max"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(written(&folder).len(), 700);
    assert!(ended.stderr.contains("700") && ended.stderr.contains("1000"), "{}", ended.stderr);
    assert!(ended.stderr.contains("r.dat"), "{}", ended.stderr);
}

#[test]
fn a_wrong_cell_in_the_middle_of_a_table_is_io_with_its_line() {
    let folder = table(&rows(8, |n| if n == 1_500 { "x7".to_owned() } else { "1.5".to_owned() }));

    let ended = afferent(&folder, &["run", "graph.toml", "--speed", "max"]);

    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("t.csv:1502"), "{}", ended.stderr);
    assert!(ended.stderr.contains("x7"), "{}", ended.stderr);
    assert_eq!(written(&folder).len(), 1_500, "what came before was delivered");
}

#[test]
fn a_header_that_is_none_is_io_and_starts_nothing() {
    let folder = Folder::with(&[("graph.toml", GRAPH), ("r.hea", "this is no header\n")]);

    let ended = afferent(&folder, &["run", "graph.toml"]);

    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("r.hea:1"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("nothing was started\n"), "{}", ended.stderr);
}

#[test]
fn a_cell_without_a_number_poisons_no_filter() {
    let wave = |n: usize| (n as f64 * 0.25).sin();
    let folder = table(&rows(4, |n| match n {
        500..520 => "nan".to_owned(),
        _ => wave(n).to_string(),
    }));

    let ended = afferent(&folder, &["run", "graph.toml", "--speed", "max"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let out = written(&folder);
    assert_eq!(out.len(), 1_000);
    let last = &out[900..];
    assert!(last.iter().all(|y| y.is_finite()), "{last:?}");
    assert!(last.iter().any(|y| y.abs() > 0.5), "the wave passes again: {last:?}");
}

#[test]
fn a_further_session_overwrites_nothing_that_the_graph_has() {
    // Four seconds of a table that is called as the second session's would be.
    let folder = table(&rows(4, |n| n.to_string()));
    let text = fs::read(folder.0.join("t.csv")).expect("just written");
    fs::rename(folder.0.join("t.csv"), folder.0.join("out.session1.csv")).expect("a folder");
    let of = ["--set", "ecg.file=out.session1.csv", "--speed", "max"];
    let run = |sessions| {
        afferent(&folder, &[&["run", "graph.toml", "--sessions", sessions], &of[..]].concat())
    };
    let ended = run("1");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ended = run("2");
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    let told = "session 1 would write `out.session1.csv`, which `ecg` reads";
    assert!(ended.stderr.contains("error[file-clash]"), "{}", ended.stderr);
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stderr.contains("graph.toml:15:8"), "{}", ended.stderr);
    assert_eq!(fs::read(folder.0.join("out.session1.csv")).expect("it is there"), text);
    // Another recording is not in the way.
    fs::rename(folder.0.join("out.session1.csv"), folder.0.join("t.csv")).expect("a folder");
    let ended = afferent(&folder, &["run", "graph.toml", "--sessions", "2", "--speed", "max"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let tables = ["out.csv", "out.session1.csv"].map(|name| fs::read(folder.0.join(name)));
    let [first, second] = tables.map(|table| table.expect("it was written"));
    assert!(first == second && first.len() > 1_000);
}

#[test]
fn a_model_is_not_written_over_nor_a_file_by_another_of_its_names() {
    let folder = table(&rows(4, |n| n.to_string()));
    let graph = fs::read_to_string(folder.0.join("graph.toml")).expect("it is there");
    let with_model = format!("{graph}\n[model.net]\nfile = \"net.onnx\"\n");
    fs::write(folder.0.join("graph.toml"), with_model).expect("room for a graph");
    fs::write(folder.0.join("net.onnx"), "precious").expect("room for a model");
    let ended = afferent(&folder, &["run", "graph.toml", "--set", "out.file=net.onnx"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    let told = "`out` writes `net.onnx`, which `[model.net]` reads";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_eq!(fs::read(folder.0.join("net.onnx")).expect("it is there"), b"precious");

    fs::write(folder.0.join("graph.toml"), graph).expect("room for a graph");
    let before = fs::read(folder.0.join("t.csv")).expect("it is there");
    fs::hard_link(folder.0.join("t.csv"), folder.0.join("also.csv")).expect("room for a name");
    let ended = afferent(&folder, &["run", "graph.toml", "--set", "out.file=also.csv"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("which `ecg` reads"), "{}", ended.stderr);
    assert_eq!(fs::read(folder.0.join("t.csv")).expect("it is there"), before);
}
