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
