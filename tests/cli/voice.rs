//! The graphs of voice, as somebody meets them who has no model yet, or types a path wrong.

use std::fs;

use crate::program::{Folder, afferent};

#[test]
fn a_model_that_is_named_on_the_command_line_must_be_there_before_anything_is_written() {
    let graph = include_str!("../../graphs/transcribe.toml");
    let before = "1\n00:00:00,320 --> 00:00:02,100\nAnd so my fellow Americans,\n\n";
    let folder =
        Folder::with(&[("transcribe.toml", graph), ("talk.srt", before), ("tine.bin", "?")]);
    let run = |command: &str, more: &[&str]| {
        let sets = ["out.op=subtitles", "out.file=talk.srt"].iter().chain(more);
        let sets = sets.flat_map(|set| ["--set", set]);
        let speed = ["--speed", "max"].into_iter().filter(|_| command == "run");
        let all: Vec<&str> =
            [command, "transcribe.toml"].into_iter().chain(speed).chain(sets).collect();
        afferent(&folder, &all)
    };
    let kept = || fs::read_to_string(folder.0.join("talk.srt")).expect("it is there");
    for command in ["run", "check"] {
        let ended = run(command, &["model.voice.file=tiny.bin"]);
        assert_eq!(ended.code, Some(74), "{command}: {}", ended.stderr);
        let told = ["`tiny.bin`", "did you mean `tine.bin`?", "model.voice.optional=true"];
        assert!(told.iter().all(|told| ended.stderr.contains(told)), "{}", ended.stderr);
        // Told once, and not as what is only warned of as well.
        assert_eq!(ended.stderr.matches("there is no such file").count(), 1, "{}", ended.stderr);
        assert_eq!(kept(), before, "{command}");
    }
    let two = "model.voice.segments=[\"one.bin\", \"two.bin\"]";
    let ended = run("check", &[two]);
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("`one.bin`") && ended.stderr.contains("`two.bin`"));

    // The graph's own default may be absent, and what is said to be allowed to.
    for more in [&[][..], &["model.voice.file=tiny.bin", "model.voice.optional=true"]] {
        let ended = run("check", more);
        assert_eq!(ended.code, Some(0), "{more:?}: {}", ended.stderr);
    }
}

#[test]
fn a_host_may_be_told_of_a_model_that_is_another_ones() {
    let graph = include_str!("../../graphs/hybrid_voice.toml");
    let folder = Folder::with(&[("voice.toml", graph)]);
    let check = |more: &[&str]| {
        let all = [&["check", "voice.toml", "--set", "model.voice.file=far.bin"], more].concat();
        afferent(&folder, &all)
    };
    assert_eq!(check(&["--host", "cloud"]).code, Some(74));
    let ended = check(&["--host", "edge"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_file_is_emptied_by_a_run_that_begins_and_by_no_other() {
    let graph = |last: &str| {
        format!(
            "[node.sine]\nop = \"sine\"\nrate_hz = 1000.0\nseconds = 1.0\n\
             [node.table]\nop = \"csv\"\nfrom = \"sine\"\nfile = \"t.csv\"\n\
             [node.sound]\nop = \"audio\"\nfrom = \"sine\"\nfile = \"t.wav\"\n\
             [node.last]\nop = \"csv\"\nfrom = \"sine\"\nfile = {last:?}\n"
        )
    };
    let folder = Folder::with(&[("t.csv", "old table"), ("t.wav", "old sound")]);
    let read = |name: &str| fs::read(folder.0.join(name)).expect("it is there");
    let run = |last: &str| {
        fs::write(folder.0.join("graph.toml"), graph(last)).expect("room for a graph");
        afferent(&folder, &["run", "graph.toml", "--speed", "max"])
    };
    // What keeps the last of its bodies from being built is found when the others have their files.
    let other = fs::File::create(folder.0.join("busy.csv")).expect("room for a file");
    #[cfg(unix)]
    {
        other.try_lock().expect("nobody has it");
        let ended = run("busy.csv");
        assert_eq!(ended.code, Some(74), "{}", ended.stderr);
        let told = "`busy.csv` cannot be written: another process is writing it";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(
            (&read("t.csv")[..], &read("t.wav")[..]),
            (&b"old table"[..], &b"old sound"[..])
        );
    }
    drop(other);
    let ended = run("busy.csv");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(read("t.csv").starts_with(b"t_s,") && read("t.csv") == read("busy.csv"));
    assert_eq!((&read("t.wav")[..4], read("t.wav").len()), (&b"RIFF"[..], 44 + 2 * 1_000));
}

#[test]
fn a_transcript_of_a_run_in_which_nothing_is_said_holds_nothing() {
    let graph = include_str!("../../graphs/transcribe.toml");
    let folder = Folder::with(&[("transcribe.toml", graph), ("talk.srt", "of another talk")]);
    let sets = ["out.op=subtitles", "out.file=talk.srt"];
    let all: Vec<&str> = ["run", "transcribe.toml", "--speed", "max"]
        .into_iter()
        .chain(sets.iter().flat_map(|set| ["--set", set]))
        .collect();
    let ended = afferent(&folder, &all);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(folder.0.join("talk.srt")).expect("it is there"), "");
}

#[test]
fn check_tells_how_long_a_pause_a_turn_ends_after() {
    let graph = include_str!("../../graphs/commands.toml");
    let folder = Folder::with(&[("commands.toml", graph)]);
    let told = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let all: Vec<&str> = ["check", "commands.toml"].into_iter().chain(sets).collect();
        // However wide the page is.
        afferent(&folder, &all).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // The graph's 300 ms, and a chunk of 16 until it is heard that they are over.
    assert!(
        told(&[]).contains("`speech.turns` usually 316 ms, at most 316 ms after"),
        "{}",
        told(&[])
    );
    let slow = told(&["speech.min_silence_ms=1000", "speech.long_silence_ms=2000"]);
    assert!(slow.contains("`speech.turns` usually 1016 ms, at most 2016 ms after"), "{slow}");
}
