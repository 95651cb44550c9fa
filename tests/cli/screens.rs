//! What a person reads: help, `check`, `draw`, `list`, `explain`, `test`.

use afferent_suite::onnx;

use crate::program::{Ended, Folder, HEART, afferent};

fn shown(folder: &Folder, arguments: &[&str]) -> String {
    let Ended { code, stdout, stderr, .. } = afferent(folder, arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    assert!(!stdout.contains('\x1b'), "no colours in a pipe: {stdout:?}");
    stdout
}

fn heart() -> Folder {
    Folder::with(&[("heart.toml", HEART)])
}

#[test]
fn help_has_examples_and_every_command() {
    let folder = heart();

    let help = shown(&folder, &["--help"]);
    for command in ["run", "check", "test", "top", "tap", "list", "explain", "draw"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    for code in ["0 done", "1 fault", "2 usage", "70 defect", "74 file", "78 wrong graph"] {
        assert!(help.contains(code), "{code}: {help}");
    }
    assert!(help.contains("afferent run graphs/biofeedback.toml"), "{help}");

    let help = shown(&folder, &["run", "--help"]);
    for option in ["--speed", "--json", "--sessions", "--cores", "--metrics", "--set", "Ctrl-C"] {
        assert!(help.contains(option), "{option}: {help}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn check_shows_every_edge_and_starts_nothing() {
    let table = shown(&heart(), &["check", "heart.toml"]);

    for edge in ["ecg → clean", "clean → beats", "beats → out"] {
        assert!(table.contains(edge), "{edge}: {table}");
    }
    assert!(table.contains("1 ch mV @ 250 Hz"), "{table}");
}

#[test]
fn draw_gives_a_flowchart() {
    let picture = shown(&heart(), &["draw", "heart.toml", "--set", "ecg.rate_hz=500"]);

    assert!(picture.starts_with("flowchart LR\n"), "{picture}");
    assert!(picture.contains("500 Hz"), "{picture}");
}

#[test]
fn every_kind_that_is_listed_can_be_explained() {
    let folder = heart();
    let list = shown(&folder, &["list"]);

    let kinds: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect();

    for wanted in ["ecg", "bandpass", "qrs", "hrv", "jsonl"] {
        assert!(kinds.contains(&wanted), "{wanted}: {list}");
    }
    for kind in kinds {
        let page = shown(&folder, &["explain", kind]);
        assert!(page.starts_with(&format!("{kind}: ")), "{page}");
        assert!(page.contains("\nExample\n"), "{page}");
        for line in page.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

/// The lines behind every heading `Example` of a page, which go on to its end or to a line that is not
/// indented.
fn examples(page: &str) -> Vec<String> {
    let parts = page.split("\nExample\n").skip(1);
    let is_inside = |line: &&str| line.is_empty() || line.starts_with("  ");
    let lines = |part: &str| {
        let lines = part.lines().take_while(is_inside);
        lines.map(|line| format!("{}\n", line.trim_start_matches("  "))).collect()
    };
    parts.map(lines).collect()
}

/// A hundredth of a second of 16 bits at 16 kHz, as a WAV file.
fn silence() -> Vec<u8> {
    let (rate_hz, bytes) = (16_000_u32, 320_u32);
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate_hz.to_le_bytes());
    file.extend((2 * rate_hz).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    file.resize(file.len() + bytes as usize, 0);
    file
}

#[test]
fn every_example_that_explain_prints_can_be_pasted_and_passes() {
    // What the examples of sources that read files name, and a reader has of their own.
    let header = "100 1 250 4\n100.dat 16 200/mV 16 0 0 0 0 ECG\n";
    let table = "t_s,ecg\n0,0.1\n0.004,0.2\n0.008,0.1\n0.012,0.2\n";
    let folder =
        Folder::with(&[("table.csv", table), ("100.hea", header), ("100.dat", "12345678")]);
    let boxes = onnx::model(&[("Relu", "boxes"), ("Relu", "scores")], &[None, Some(3), Some(4)]);
    for (name, model) in
        [("model.onnx", onnx::unary("Relu", &[None, Some(2)])), ("detector.onnx", boxes)]
    {
        std::fs::write(folder.0.join(name), model).expect("there is room");
    }
    std::fs::write(folder.0.join("speech.wav"), silence()).expect("there is room");
    let list = shown(&folder, &["list"]);
    let kinds = list.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());

    let mut checked = 0;
    for kind in kinds {
        for example in examples(&shown(&folder, &["explain", kind])) {
            std::fs::write(folder.0.join("pasted.toml"), &example).expect("there is room");
            let ended = afferent(&folder, &["check", "pasted.toml"]);
            assert_eq!(ended.code, Some(0), "{kind}:\n{example}{}", ended.stderr);
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn every_key_can_be_explained_whatever_has_it() {
    let folder = heart();
    for (key, told) in [
        ("exits", "a key of [model.NAME]"),
        ("address", "a key of [host.NAME]"),
        ("high_hz", "a parameter of `bandpass`"),
        ("within_ms", "a parameter of `infer`"),
        ("rate_hz", "a parameter of"),
        ("capacity_ms", "a key of [node.NAME]"),
    ] {
        let page = shown(&folder, &["explain", key]);
        assert!(page.contains(told), "{key}: {page}");
    }
}

#[test]
fn explain_tells_the_fields_of_events() {
    let page = shown(&heart(), &["explain", "hrv"]);

    assert!(page.contains("\n       in the example with "), "{page}");
    assert!(page.contains("rmssd_ms"), "{page}");
}

#[test]
fn the_example_of_an_input_of_its_own_is_toml() {
    let folder = heart();
    let page = shown(&folder, &["explain", "input"]);
    // An input of a file is explained behind it.
    let (page, inlet) = page.split_once("\n[input.NAME]: ").expect("both are explained");
    assert!(inlet.contains("optional"), "{inlet}");
    let from = examples(page).concat().replace("net.out", "ecg");
    let graph = format!("[node.ecg]\nop = \"ecg\"\n\n[node.out]\nop = \"null\"\n{from}");
    std::fs::write(folder.0.join("input.toml"), graph).expect("there is room");

    assert_eq!(afferent(&folder, &["check", "input.toml"]).code, Some(0), "{page}");
}

#[test]
fn explain_tells_units_ranges_defaults_and_codes() {
    let folder = heart();

    let page = shown(&folder, &["explain", "ecg"]);
    assert!(page.contains("a number · in hertz · 50 to 10000 · default 250.0"), "{page}");
    assert!(page.contains("may change while it"), "{page}");

    let page = shown(&folder, &["explain", "above-nyquist"]);
    assert!(page.starts_with("above-nyquist: A frequency is not below half the sample rate.\n"));
    assert!(page.contains("\nExample\n") && page.contains("\nRemedy\n"), "{page}");
}

#[test]
fn explain_tells_every_key_of_a_graph_file() {
    let folder = heart();

    let page = shown(&folder, &["explain", "node"]);
    for key in engine::RESERVED_KEYS.iter().map(|(key, _)| *key) {
        assert!(page.contains(&format!("\n  {key} ")), "{key}: {page}");
        let alone = shown(&folder, &["explain", key]);
        assert!(alone.contains(", a key of [node.NAME]\n"), "{key}: {alone}");
    }
    let page = shown(&folder, &["explain", "test.expect"]);
    assert!(page.contains("\n  within ") && page.contains("\n  count_max "), "{page}");
}

const TESTS: &str = r#"
[[test]]
name = "beats come at the pace of the heart"
seconds = 12.0
set = { "ecg.heart_rate_bpm" = 60, "ecg.hrv_sdnn_ms" = 0 }
[[test.expect]]
from = "beats"
count_min = 10
count_max = 13
[[test.expect]]
from = "beats"
field = "rr_ms"
near = 1000.0
within = 20.0

[[test]]
name = "an inline signal passes"
[test.input.ecg]
rate_hz = 100.0
samples = [0.0, 0.0, 0.0, 0.0]
[[test.expect]]
from = "clean"
is = 0.0
[[test.expect]]
from = "ecg"
t_s = 0.02
is = 0
"#;

#[test]
fn tests_of_a_graph_pass() {
    let folder = Folder::with(&[("heart.toml", &format!("{HEART}{TESTS}"))]);

    assert_eq!(
        shown(&folder, &["test", "heart.toml"]),
        "heart.toml\n\
         \x20 passed  beats come at the pace of the heart\n\
         \x20 passed  an inline signal passes\n\
         2 passed, 0 failed\n"
    );
}

#[test]
fn a_folder_means_the_graph_files_in_it() {
    let tested = format!("{HEART}{TESTS}");
    let folder = Folder::with(&[("a.toml", &tested), ("b.toml", HEART), ("c.txt", "no graph")]);

    let text = shown(&folder, &["test", "."]);

    assert!(text.contains("./b.toml\n  has no tests\n"), "{text}");
    assert!(text.ends_with("2 passed, 0 failed\n") && !text.contains("c.txt"), "{text}");
}

#[test]
fn a_time_that_no_sample_is_near_fails() {
    let beyond =
        "[[test]]\nseconds = 2.0\n[[test.expect]]\nfrom = \"ecg\"\nt_s = 100.0\nmax = 9.0\n";
    let folder = Folder::with(&[("heart.toml", &format!("{HEART}{beyond}"))]);

    let ended = afferent(&folder, &["test", "heart.toml"]);

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("more than a period away"), "{}", ended.stdout);
}

#[test]
fn a_test_that_would_not_end_is_given_up() {
    let endless = HEART.replace("seconds = 20.0", "seconds = 90_000.0\nframe_ms = 60000.0");
    let test = "[[test]]\n[[test.expect]]\nfrom = \"ecg\"\ncount_min = 1\n";
    let folder = Folder::with(&[("heart.toml", &format!("{endless}{test}"))]);

    let ended = afferent(&folder, &["test", "heart.toml"]);

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("have not ended after 24 h of event time"), "{}", ended.stdout);
}

#[test]
fn a_failed_test_says_what_was_wanted_and_what_came() {
    let failing = r#"
[[test]]
name = "replayed beats"
[test.input.beats]
events = [{ t_s = 0.5, rr_ms = 500.0 }, { t_s = 1.25, rr_ms = 750.0 }]
[[test.expect]]
from = "beats"
field = "rr_ms"
at = "last"
near = 800.0
within = 10.0
[[test.expect]]
from = "beats"
count = 3
"#;
    let folder = Folder::with(&[("heart.toml", &format!("{HEART}{failing}"))]);

    let ended = afferent(&folder, &["test", "heart.toml"]);

    let first = HEART.lines().count() + 6;
    assert_eq!(
        ended.stdout,
        format!(
            "heart.toml\n  FAILED  replayed beats\n\
             \x20         `rr_ms` of the last event of `beats`, at 1.25 s, is 750.0, not 800.0 ± 10.0\n\
             \x20         --> heart.toml:{first}:1\n\
             \x20         `beats` gave 2 events, not 3\n\
             \x20         --> heart.toml:{}:1\n\
             0 passed, 1 failed\n",
            first + 6
        )
    );
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn a_test_that_names_what_is_not_there_is_a_wrong_graph() {
    let wrong = r#"
[[test]]
seconds = 1.0
[test.input.egc]
op = "ecg"
[[test.expect]]
from = "beatz"
count = 1

[[test]]
seconds = 1.0
[[test.expect]]
from = "beats"
field = "rr_mss"
is = 1
"#;
    let folder = Folder::with(&[("heart.toml", &format!("{HEART}{wrong}"))]);

    let ended = afferent(&folder, &["test", "heart.toml"]);

    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for word in ["ecg", "rr_ms"] {
        let hint = format!("did you mean `{word}`?");
        assert_eq!(ended.stderr.matches(&hint).count(), 1, "{word}: {}", ended.stderr);
    }
    assert!(ended.stderr.ends_with("; nothing was started\n"), "{}", ended.stderr);
    assert!(ended.stdout.contains("  not run test 1: see above\n"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("0 passed, 0 failed, 2 not run\n"), "{}", ended.stdout);

    let checked = afferent(&folder, &["check", "heart.toml"]);

    assert_eq!((checked.code, checked.stdout.as_str()), (Some(78), ""), "{}", checked.stderr);
    assert_eq!(checked.stderr, ended.stderr);
}

#[test]
fn one_wrong_test_keeps_no_other_from_running() {
    let wrong = "\n[[test]]\nname = \"of nothing\"\n[[test.expect]]\nfrom = \"beatz\"\ncount = 1\n";
    let folder = Folder::with(&[("heart.toml", &format!("{HEART}{TESTS}{wrong}"))]);

    let ended = afferent(&folder, &["test", "heart.toml"]);

    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("2 passed, 0 failed, 1 not run\n"), "{}", ended.stdout);
}

#[test]
fn the_doctor_says_what_he_found_and_what_would_help() {
    let folder = Folder::with(&[]);
    let Ended { code, stdout, stderr, .. } = afferent(&folder, &["doctor", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    let findings = told["findings"].as_array().expect("a list");
    let is_bad = findings.iter().any(|finding| finding["verdict"] == "bad");
    // Whatever this machine is like.
    assert_eq!(code, Some(i32::from(is_bad)), "{stderr}");
    for name in ["version", "backends", "processors", "reading", "wake"] {
        assert!(findings.iter().any(|finding| finding["name"] == name), "{name}: {stdout}");
    }
    for finding in findings {
        let helps = finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
        assert_eq!(helps, finding["verdict"] != "good", "{finding}");
    }

    let Ended { stdout, .. } = afferent(&folder, &["doctor"]);
    assert!(stdout.starts_with("program\n") && stdout.contains("  good  "), "{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 100), "{stdout}");
}
