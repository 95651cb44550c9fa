//! `afferent schema`, as a validator that is not ours understands it.

use std::{
    env, fs,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::program::{Folder, HEART, afferent};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Judges documents by the schema, after the schema itself by that of its draft.
const JUDGE: &str = r#"
import json, sys
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
asked = json.load(sys.stdin)
Draft202012Validator.check_schema(asked["schema"])
judge = Draft202012Validator(asked["schema"])
found = [best_match(judge.iter_errors(one)) for one in asked["documents"]]
json.dump([error and f"{error.json_path}: {error.message}" for error in found], sys.stdout)
"#;

/// A Python that has `jsonschema`: the one that `make setup` makes, or the system's.
fn python() -> Option<String> {
    let named = env::var("AFFERENT_PYTHON").ok();
    let candidates = [format!("{ROOT}/target/python/bin/python"), "python3".to_owned()];
    let mut candidates = named.into_iter().chain(candidates);
    candidates.find(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import jsonschema"]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}

/// What `jsonschema` says of each document; nothing where there is none, which is told.
fn verdicts(documents: &[Value]) -> Option<Vec<Option<String>>> {
    let ended = afferent(&Folder::with(&[]), &["schema"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let Some(python) = python() else {
        eprintln!("SKIPPED: no Python with jsonschema; set AFFERENT_PYTHON to one");
        return None;
    };
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", JUDGE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it has just been started");
    let asked = json!({ "schema": schema, "documents": documents }).to_string();
    child.stdin.take().expect("a pipe").write_all(asked.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the schema is none of its draft");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// What TOML says, as JSON.
fn json_of(value: &engine::Value) -> Value {
    match value {
        engine::Value::Bool(yes) => json!(yes),
        engine::Value::Float(number) => json!(number),
        engine::Value::Integer(number) => json!(number),
        engine::Value::List(items) => items.iter().map(|item| json_of(&item.value)).collect(),
        engine::Value::Table(entries) => {
            entries.iter().map(|(key, value)| (key.value.clone(), json_of(&value.value))).collect()
        }
        engine::Value::Text(text) => json!(text),
    }
}

fn read(name: &str, text: &str) -> Value {
    let file = engine::SourceText::new(name, text);
    json_of(&engine::tables(&file).unwrap_or_else(|problems| panic!("{problems}")))
}

fn heart(change: impl Fn(&mut Value)) -> Value {
    let mut graph = read("heart.toml", HEART);
    change(&mut graph);
    graph
}

/// All of these are graphs.
fn accepted(documents: &[(String, Value)]) {
    let (names, values): (Vec<_>, Vec<_>) = documents.iter().cloned().unzip();
    for (name, verdict) in names.iter().zip(verdicts(&values).unwrap_or_default()) {
        assert_eq!(verdict, None, "{name}");
    }
}

#[test]
fn every_delivered_graph_is_one() {
    let mut graphs = Vec::new();
    for folder in ["graphs", "graphs/parts", "graphs/models/train"] {
        for entry in fs::read_dir(format!("{ROOT}/{folder}")).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = fs::read_to_string(&path).expect("it can be read");
                let name = path.to_string_lossy().into_owned();
                graphs.push((name.clone(), read(&name, &text)));
            }
        }
    }
    assert!(graphs.len() > 25, "{}", graphs.len());
    accepted(&graphs);
}

#[test]
fn every_example_that_is_explained_is_one() {
    let folder = Folder::with(&[]);
    let list = afferent(&folder, &["list"]).stdout;
    let kinds = list.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let mut examples = Vec::new();
    for kind in kinds {
        let page = afferent(&folder, &["explain", kind]).stdout;
        for example in page.split("\nExample\n").skip(1) {
            let lines =
                example.lines().take_while(|line| line.is_empty() || line.starts_with("  "));
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            examples.push((format!("{kind}: {text}"), read(kind, &text)));
        }
    }
    assert!(examples.len() > 100, "{}", examples.len());
    accepted(&examples);
}

/// What is changed in a graph, and the words by which that is refused.
type Change = (&'static str, fn(&mut Value), &'static str);

fn without(table: &mut Value, key: &str) {
    table.as_object_mut().expect("a table").remove(key);
}

#[test]
fn what_check_refuses_by_its_keys_and_ranges_the_schema_refuses_too() {
    let wrong: [Change; 12] = [
        ("an unknown key", |graph| graph["node"]["clean"]["lwo_hz"] = json!(5.0), "lwo_hz"),
        ("a key of another kind", |graph| graph["node"]["ecg"]["low_hz"] = json!(5.0), "low_hz"),
        ("an unknown kind", |graph| graph["node"]["ecg"]["op"] = json!("egc"), "$.node.ecg"),
        ("no kind", |graph| without(&mut graph["node"]["ecg"], "op"), "$.node.ecg"),
        ("out of range", |graph| graph["node"]["clean"]["low_hz"] = json!(-5.0), "$.node.clean"),
        (
            "text for a number",
            |graph| graph["node"]["clean"]["low_hz"] = json!("5"),
            "$.node.clean",
        ),
        (
            "no parameter",
            |graph| without(&mut graph["node"]["clean"], "low_hz"),
            "'low_hz' is a required",
        ),
        ("no input", |graph| without(&mut graph["node"]["clean"], "from"), "'from' is a required"),
        ("an input of a source", |graph| graph["node"]["ecg"]["from"] = json!("clean"), "from"),
        ("an unknown table", |graph| graph["nodes"] = json!({}), "nodes"),
        ("a name in capitals", |graph| graph["node"]["Ecg"] = json!({ "op": "ecg" }), "Ecg"),
        (
            "an unknown policy",
            |graph| graph["node"]["out"]["on_full"] = json!("drop"),
            "$.node.out",
        ),
    ];
    let documents: Vec<Value> = wrong.iter().map(|(_, change, _)| heart(change)).collect();
    for ((what, _, word), verdict) in wrong.iter().zip(verdicts(&documents).unwrap_or_default()) {
        let verdict = verdict.unwrap_or_else(|| panic!("{what} is taken"));
        assert!(verdict.contains(word), "{what}: {verdict}");
    }
}

#[test]
fn what_is_written_in_other_ways_is_taken() {
    let right: [Change; 11] = [
        ("a whole number", |graph| graph["node"]["clean"]["low_hz"] = json!(5), ""),
        (
            "a parameter of the file",
            |graph| graph["node"]["clean"]["low_hz"] = json!("$low_hz"),
            "",
        ),
        (
            "parameters of the file in a list",
            |graph| {
                let fir = json!({ "op": "fir", "from": "clean", "coefficients": ["$a", 0.5] });
                graph["node"]["fir"] = fir;
            },
            "",
        ),
        (
            "a kind that is a parameter",
            |graph| graph["node"]["any"] = json!({ "op": "$kind", "from": "clean", "low_hz": 1 }),
            "",
        ),
        (
            "a node that is left out, unfinished",
            |graph| graph["node"]["off"] = json!({ "op": "bandpass", "enabled": false }),
            "",
        ),
        (
            "a node that is told to be there",
            |graph| graph["node"]["clean"]["enabled"] = json!(true),
            "",
        ),
        (
            "an input with settings",
            |graph| {
                let inputs = json!([{ "node": "beats", "on_full": "latest" }, "clean"]);
                graph["node"]["out"]["from"] = inputs;
            },
            "",
        ),
        ("channels", |graph| graph["node"]["clean"]["from"] = json!("left/ecg.out[Fz,0..3]"), ""),
        (
            "a format that is written",
            |graph| {
                let table = json!({ "op": "csv", "from": "clean", "file": "a.csv" });
                graph["node"]["table"] = table;
            },
            "",
        ),
        (
            "a format that is read",
            |graph| graph["node"]["table"] = json!({ "op": "csv", "file": "a.csv" }),
            "",
        ),
        (
            "an include",
            |graph| {
                let include = json!({ "left": { "file": "a.toml", "from": "ecg", "low_hz": 3 } });
                graph["include"] = include;
            },
            "",
        ),
    ];
    accepted(&right.map(|(what, change, _)| (what.to_owned(), heart(change))));
}

#[test]
fn shells_complete_commands_and_kinds() {
    let folder = Folder::with(&[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = afferent(&folder, &["completions", shell]);
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.stderr);
        assert!(ended.stdout.contains("calibrate"), "{shell}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let ended = afferent(&folder, &["completions", shell]);
        assert!(
            ended.stdout.contains("bandpass") && ended.stdout.contains("above-nyquist"),
            "{shell}"
        );
    }
    assert_eq!(afferent(&folder, &["completions", "tcsh"]).code, Some(2));
}

#[test]
fn man_has_pages_of_the_program_and_of_its_commands() {
    let folder = Folder::with(&[]);
    let page = |arguments: &[&str]| {
        let ended = afferent(&folder, arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        ended.stdout
    };

    assert!(page(&["man"]).contains(".TH afferent 1"), "{}", page(&["man"]));
    let run = page(&["man", "run"]);
    assert!(run.contains("\\-\\-speed") && run.contains(".TH afferent-run 1"), "{run}");
    let ended = afferent(&folder, &["man", "rnu"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("did you mean `run`?"), "{}", ended.stderr);
}
