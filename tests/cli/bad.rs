//! Wrong input. Each answer names file, line, cause and remedy, and nothing was started.

use std::{fmt::Write, fs, time::Duration};

use crate::program::{Ended, Folder, HEART, afferent};

/// The issue's promise, for the shipped build; a debug build is allowed its slowness.
const QUICK: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

/// Runs, and checks what holds for every refusal.
fn refused(folder: &Folder, arguments: &[&str], code: i32) -> Ended {
    let ended = afferent(folder, arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    assert!(ended.took < QUICK, "{arguments:?} took {:?}", ended.took);
    ended
}

fn changed(from: &str, to: &str) -> Folder {
    assert!(HEART.contains(from), "{from}");
    Folder::with(&[("heart.toml", &HEART.replace(from, to))])
}

#[test]
fn a_missing_graph_is_io_and_its_neighbour_is_named() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    let ended = refused(&folder, &["run", "hart.toml"], 74);

    assert_eq!(
        ended.stderr,
        "error: cannot read `hart.toml`: there is no such file\n\
         \x20 = hint: did you mean `heart.toml`?\n"
    );
}

#[test]
fn a_folder_is_no_graph() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    let ended = refused(&folder, &["check", "."], 74);

    assert!(ended.stderr.contains("it is a folder"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`./heart.toml`"), "{}", ended.stderr);
}

#[test]
fn a_missing_recording_is_io_and_has_a_place() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    for command in ["run", "check"] {
        let set = ["--set", "ecg.op=wfdb", "--set", "ecg.file=nowhere.hea"];
        let ended = refused(&folder, &[&[command, "heart.toml"], &set[..]].concat(), 74);

        assert!(ended.stderr.contains("nowhere.hea"), "{}", ended.stderr);
        assert!(ended.stderr.contains("in `--set ecg.file=…`"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("note: `ecg` is now `wfdb`; forgotten from `ecg`: `seconds`\n"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let folder = Folder::with(&[]);
    fs::write(folder.0.join("heart.toml"), b"[graph]\nname = \"\xff\"\n").expect("there is room");

    let ended = refused(&folder, &["run", "heart.toml"], 78);

    assert!(ended.stderr.starts_with("error[not-text]: byte 0xff is not UTF-8 text"));
    assert!(ended.stderr.contains("--> heart.toml:2:9"), "{}", ended.stderr);
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = HEART.replace("\"qrs\"", "\"qsr\"").replace("high_hz = 15.0", "high_hs = 15.0");
    let folder = Folder::with(&[("heart.toml", &text)]);

    let ended = refused(&folder, &["run", "heart.toml"], 78);

    assert!(ended.stderr.contains("did you mean `qrs`?"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `high_hz`?"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("; nothing was started\n"), "{}", ended.stderr);
}

#[test]
fn a_cycle_and_a_rate_of_zero_are_refused() {
    let cycle = changed("from = \"ecg\"", "from = \"clean\"");
    let ended = refused(&cycle, &["run", "heart.toml"], 78);
    assert!(ended.stderr.contains("error[cycle]"), "{}", ended.stderr);

    let zero = changed("seconds = 20.0", "rate_hz = 0");
    let ended = refused(&zero, &["run", "heart.toml"], 78);
    assert!(ended.stderr.contains("error[out-of-range]: `rate_hz`"), "{}", ended.stderr);
}

#[test]
fn ten_thousand_wrong_nodes_are_answered_within_a_second() {
    let mut text = String::new();
    for n in 0..10_000 {
        let from = (n + 1) % 10_000;
        writeln!(text, "[node.n{n}]\nop = \"copy\"\nfrom = \"n{from}\"\ngian = 1.0")
            .expect("writing to a String cannot fail");
    }
    let folder = Folder::with(&[("huge.toml", &text)]);

    for command in ["run", "check", "draw"] {
        refused(&folder, &[command, "huge.toml"], 78);
    }
}

#[test]
fn a_file_larger_than_any_graph_is_not_read_to_its_end() {
    let folder = Folder::with(&[]);
    let file = fs::File::create(folder.0.join("huge.toml")).expect("there is room");
    // A hole: takes no room on the disk.
    file.set_len(1 << 40).expect("the file system knows holes");

    let ended = refused(&folder, &["run", "huge.toml"], 78);

    assert!(ended.stderr.starts_with("error[too-large]"), "{}", ended.stderr);
}

#[test]
fn wrong_words_on_the_command_line_are_usage() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    for (arguments, says) in [
        (&["runn", "heart.toml"][..], "a similar subcommand exists: 'run'"),
        (&["run"], "<GRAPH>"),
        (&["run", "heart.toml", "--speed", "0"], "write `max`, or a number from 0.001"),
        (&["run", "heart.toml", "--speed", "-1"], "write `max`, or a number from 0.001"),
        (&["run", "heart.toml", "--speed", "1e-300"], "write `max`, or a number from 0.001"),
        (&["run", "heart.toml", "--sessions", "0"], "0 is not in 1.."),
        (&["run", "heart.toml", "--sessions", "4294967295"], "is not in 1..=100000"),
        (&["run", "heart.toml", "--cores", "1000"], "1000 is not in 1..=256"),
        (&["run", "heart.toml", "--set", "ecg"], "`ecg` sets nothing"),
        (
            &["run", "heart.toml", "--set", "ecg.seed=99999999999999999999"],
            "is larger than a whole number can be",
        ),
        (&["run", "heart.toml", "--set", "ecg.rate_hz="], "the value is missing"),
        (&["run", "heart.toml", "--metrics", "here"], "write host and port"),
        (&["explain", "bandpas"], "did you mean `bandpass`?"),
        (&["explain", "cycel"], "did you mean `cycle`?"),
        (&["explain", "vad"], "did you mean `speech`?"),
        (&["explain", "stt"], "did you mean `transcribe`?"),
        (&["explain", "Whisper"], "did you mean `transcribe`?"),
        (&["explain", "ain"], "did you mean `agc`?"),
    ] {
        let ended = refused(&folder, arguments, 2);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_set_that_does_not_fit_is_a_wrong_graph() {
    let folder = Folder::with(&[("heart.toml", HEART)]);

    for (set, says) in [
        ("egc.rate_hz=500", "did you mean `ecg`?"),
        ("ecg.rate=500", "`rate`"),
        ("ecg.op=egc", "did you mean `ecg`?"),
        ("ecg.rate_hz=fast", "`rate_hz`"),
        ("ecg.rate_hz=1", "hint: choose 50.0 to 10000.0 ("),
        ("ecg.op=edf", "files are read by `wfdb`"),
        ("ecg.core=-1", "hint: "),
        ("ecg.frame_ms=0", "hint: "),
    ] {
        let ended = refused(&folder, &["run", "heart.toml", "--set", set], 78);
        assert!(ended.stderr.contains(says), "{set}: {}", ended.stderr);
        assert!(ended.stderr.contains("--> in `--set e"), "{set}: {}", ended.stderr);
    }
}

#[test]
fn an_address_in_use_is_io_and_nothing_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let folder = Folder::with(&[("heart.toml", HEART)]);

    let ended = refused(&folder, &["run", "heart.toml", "--metrics", &address], 74);

    assert!(ended.stderr.contains(&format!("cannot listen on `{address}`")), "{}", ended.stderr);
}

#[test]
fn a_spectrum_of_a_spectrum_is_told() {
    let graph = "[node.ecg]\nop = \"ecg\"\n\n[node.spectrum]\nop = \"power\"\nfrom = \"ecg\"\n\
                 window_s = 1.0\n\n[node.middle]\nop = \"centroid\"\nfrom = \"spectrum\"\n\
                 window_s = 4.0\n\n[node.out]\nop = \"null\"\nfrom = \"middle\"\n";
    let folder = Folder::with(&[("g.toml", graph)]);

    let ended = afferent(&folder, &["check", "g.toml"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = "`spectrum` (power) is a spectrum, and `centroid` makes one of it";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stderr.contains("take the signal that `spectrum` takes"), "{}", ended.stderr);
}

#[test]
fn more_data_cores_than_processors_are_told() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let asked = (processors + 1).to_string();

    let ended = afferent(&folder, &["run", "heart.toml", "--speed", "max", "--cores", &asked]);

    let told = format!("note: {asked} data cores share {processors} processors here\n");
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// A slow high-pass filter on twenty seconds, and a filter that finds nothing left.
const DULL: &str = r#"
[graph]
name = "dull"

[node.ecg]
op = "ecg"
seconds = 20.0

[node.slow]
op = "highpass"
from = "ecg"
cutoff_hz = 0.01

[node.low]
op = "lowpass"
from = "slow"
cutoff_hz = 10.0
order = 4

[node.mains]
op = "notch"
from = "low"
notch_hz = 50.0

[node.out]
op = "null"
from = "mains"
"#;

#[test]
fn filters_that_make_no_sense_are_told_and_denied_where_that_is_asked() {
    let folder = Folder::with(&[("dull.toml", DULL), ("heart.toml", HEART)]);

    let ended = afferent(&folder, &["check", "dull.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("settling out 105 s (`slow` most)"), "{}", ended.stdout);
    assert!(ended.stderr.contains("warning[settles-late]: `slow` needs 104 s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning[useless]: `mains` removes 50.0 Hz"), "{}", ended.stderr);

    for command in ["check", "run"] {
        let ended = refused(&folder, &[command, "dull.toml", "--deny-warnings"], 78);
        assert!(ended.stderr.contains("error[settles-late]"), "{}", ended.stderr);
        assert!(ended.stderr.contains("2 problems; nothing was started"), "{}", ended.stderr);
    }
    let ended = afferent(&folder, &["check", "heart.toml", "--deny-warnings"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    // Begun as if the first sample had been there for ever, nothing has to settle.
    let settle = ["--set", "slow.settle=true", "--set", "mains.notch_hz=12"];
    let ended =
        afferent(&folder, &[&["check", "dull.toml", "--deny-warnings"], &settle[..]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
