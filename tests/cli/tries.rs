//! `afferent try`: graphs in one line.

use std::fs;

use crate::program::{Ended, Folder, afferent};

const LINE: &str = "seconds=20 ecg ! bandpass low_hz=5 high_hz=15 ! qrs name=beats ! jsonl";

fn tried(folder: &Folder, arguments: &[&str]) -> Ended {
    afferent(folder, &[&["try", "--speed", "max"], arguments].concat())
}

#[test]
fn a_line_runs_as_the_same_graph_would() {
    let folder = Folder::with(&[]);

    let ended = tried(&folder, &[LINE]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.lines().count() > 15, "{}", ended.stdout);
    assert!(ended.stdout.starts_with("{\"node\":\"beats\","), "{}", ended.stdout);
    assert!(ended.stderr.starts_with("try: done after "), "{}", ended.stderr);
}

#[test]
fn words_may_be_arguments_of_their_own() {
    let folder = Folder::with(&[]);
    let words: Vec<&str> = LINE.split(' ').collect();

    assert_eq!(tried(&folder, &words).stdout, tried(&folder, &[LINE]).stdout);
}

#[test]
fn what_nobody_takes_is_printed() {
    let ended = tried(&Folder::with(&[]), &["seconds=5 ecg ! bandpass low_hz=5 high_hz=15 ! qrs"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("note: nothing takes what `qrs` delivers, so it is printed\n"));
    assert!(!ended.stdout.is_empty());
}

#[test]
fn branches_ports_and_channels() {
    let line = "seconds=5 ecg ! bandpass low_hz=5 high_hz=15 name=clean ! qrs ! jsonl file=a.jsonl \
                ecg.truth ! jsonl file=b.jsonl  clean.[0] ! csv file=c.csv";
    let folder = Folder::with(&[]);

    let ended = tried(&folder, &[line]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for name in ["a.jsonl", "b.jsonl", "c.csv"] {
        let text = fs::read_to_string(folder.0.join(name)).expect("it was written");
        assert!(text.lines().count() > 3, "{name}: {text}");
    }
}

/// The caret stands below what is wrong, whoever finds it.
#[test]
fn what_is_wrong_is_shown_in_the_line() {
    let folder = Folder::with(&[]);
    let cases = [
        ("ecg ! bandpas low_hz=5 ! print", "did you mean `bandpass`?", "      ^^^^^^^\n", 2),
        ("ecg ! bandpass lo_hz=5 high_hz=15 ! qrs", "did you mean `low_hz`?", "^^^^^\n", 78),
        ("ecg ! bandpass low_hz=5 high_hz=900 ! qrs", "half the sample rate", "^^^\n", 78),
        ("ecg ! hrv ! print", "takes events", "^^^\n", 78),
        ("ecg ! print !", "nothing follows", "^\n", 2),
        ("csv file=no.csv ! print", "no.csv", "^^^^^^\n", 74),
    ];
    for (line, words, caret, code) in cases {
        let ended = tried(&folder, &[line]);
        assert_eq!(ended.code, Some(code), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(" --> try:1:"), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("1 | {line}\n")), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(caret), "{line}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_line_is_saved_as_a_graph_that_says_the_same() {
    let folder = Folder::with(&[]);
    let line = "seconds=20 ecg name=heart frame_ms=20 ! bandpass low_hz=5 high_hz=15 ! qrs name=beats \
                ! jsonl on_full=latest  heart.truth ! jsonl file=\"a b.jsonl\"  sine ! align  heart. ! align.";

    let ended = afferent(&folder, &["try", "--save", "heart.toml", line]);
    let note = "note: nothing takes what `align` delivers, so it is printed\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), note), "{}", ended.stdout);
    assert_eq!(ended.stdout, "wrote heart.toml; run it: afferent run heart.toml\n");
    let text = fs::read_to_string(folder.0.join("heart.toml")).expect("it was written");
    assert!(
        text.contains("[node.heart]\nop       = \"ecg\"\nframe_ms = 20.0\nseconds  = 20.0\n"),
        "{text}"
    );
    assert!(text.contains("file = \"a b.jsonl\""), "{text}");
    assert!(text.contains("from = [\"sine\", \"heart\"]"), "{text}");
    assert_eq!(afferent(&folder, &["fmt", "--check", "heart.toml"]).code, Some(0), "{text}");

    let again = afferent(&folder, &["try", "--save", "heart.toml", LINE]);
    assert_eq!(again.code, Some(74), "{}", again.stdout);
    assert!(again.stderr.contains("choose another name"), "{}", again.stderr);
    let there = fs::read_to_string(folder.0.join("heart.toml")).expect("it is there");
    assert_eq!(there, text, "nothing is overwritten");

    afferent(&folder, &["try", "--save", "plain.toml", LINE]);
    let ended = afferent(&folder, &["run", "plain.toml", "--speed", "max"]);
    assert_eq!(ended.stdout, tried(&folder, &[LINE]).stdout);
}

#[test]
fn what_is_saved_elsewhere_reads_and_prints_what_the_line_does() {
    let folder = Folder::with(&[("beats.csv", "t_s,mv\n0,1\n0.01,2\n0.02,3\n0.03,2\n")]);
    fs::create_dir(folder.0.join("sub")).expect("there is room");
    let line = "csv file=beats.csv rate_hz=100";

    let ended = afferent(&folder, &["try", "--save", "sub/saved.toml", line]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = fs::read_to_string(folder.0.join("sub/saved.toml")).expect("it was written");
    assert!(text.contains("file    = \"../beats.csv\""), "{text}");

    let saved = afferent(&folder, &["run", "sub/saved.toml", "--speed", "max"]);
    assert_eq!(saved.code, Some(0), "{}", saved.stderr);
    assert_eq!(saved.stdout, tried(&folder, &[line]).stdout);
    assert!(!saved.stdout.is_empty());
}
