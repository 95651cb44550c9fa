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
    // What is there and no model is no better.
    let ended = run("run", &["model.voice.file=tine.bin"]);
    assert!(matches!(ended.code, Some(74 | 78)), "{}", ended.stderr);
    assert!(ended.stderr.contains("error[") && ended.stderr.contains("tine.bin"));
    assert_eq!(kept(), before);
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
fn what_holds_for_voices_holds_for_nets() {
    let graph = "[model.net]\nfile = \"net.onnx\"\noptional = true\n[node.sine]\nop = \"sine\"\nseconds = 1.0\n\
                 [node.kind]\nop = \"infer\"\nfrom = \"sine\"\nmodel = \"net\"\nwindow_s = 0.1\nfields = [\"a\"]\n\
                 [node.out]\nop = \"null\"\nfrom = \"kind\"\n";
    let folder = Folder::with(&[("graph.toml", graph), ("half.onnx", "half of one")]);
    let run = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let all: Vec<&str> =
            ["run", "graph.toml", "--speed", "max"].into_iter().chain(sets).collect();
        afferent(&folder, &all)
    };
    assert_eq!(run(&[]).code, Some(0));
    for file in ["typo.onnx", "half.onnx"] {
        let set = format!("model.net.file={file}");
        let ended = run(&[&set]);
        assert!(matches!(ended.code, Some(74 | 78)), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains(file) && ended.stderr.contains("--set"), "{}", ended.stderr);
        let ended = run(&[&set, "model.net.optional=true"]);
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.stderr);
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
fn sound_of_a_telephone_is_warned_of_where_silero_would_hear_it_better() {
    let graph = include_str!("../../graphs/voice_activity.toml");
    let folder = Folder::with(&[("voice.toml", graph)]);
    // Two seconds of silence, as WAV: 16 bits, one channel.
    for rate_hz in [8_000_u32, 16_000] {
        let data = vec![0; 2 * 2 * rate_hz as usize];
        let len = |bytes: usize| (bytes as u32).to_le_bytes();
        let bytes = [
            b"RIFF",
            &len(36 + data.len())[..],
            b"WAVEfmt ",
            &len(16),
            &[1, 0, 1, 0],
            &rate_hz.to_le_bytes(),
            &(2 * rate_hz).to_le_bytes(),
            &[2, 0, 16, 0],
            b"data",
            &len(data.len()),
            &data,
        ];
        fs::write(folder.0.join(format!("{rate_hz}.wav")), bytes.concat()).expect("room for sound");
    }
    for command in ["check", "run"] {
        let told = |file: &str| {
            let set = format!("audio.file={file}");
            let speed = ["--speed", "max"].into_iter().filter(|_| command == "run");
            let all: Vec<&str> =
                [command, "voice.toml", "--set", &set].into_iter().chain(speed).collect();
            let ended = afferent(&folder, &all);
            assert_eq!(ended.code, Some(0), "{command} {file}: {}", ended.stderr);
            ended.stderr
        };
        let narrow = told("8000.wav");
        assert_eq!(narrow.matches("warning[narrow-sound]").count(), 1, "{narrow}");
        assert!(narrow.contains("`audio` has 8000") && narrow.contains("silero"), "{narrow}");
        assert!(!told("16000.wav").contains("narrow-sound"));
        // Nobody speaks, which the end of a run says.
        if command == "run" {
            assert!(narrow.contains("`speech`: no speech in 2.0 s, all of it silent"), "{narrow}");
        }
    }
    let refused = afferent(
        &folder,
        &["check", "voice.toml", "--set", "audio.file=8000.wav", "--deny-warnings"],
    );
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(afferent(&folder, &["explain", "narrow-sound"]).stdout.contains("samples a second"));
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

#[test]
fn sound_that_can_be_read_but_once_is_told_to_be_written_first() {
    let graph = include_str!("../../graphs/voice_activity.toml");
    let folder = Folder::with(&[("voice.toml", graph)]);
    let refused = |file: &str| {
        let set = format!("audio.file={file}");
        let ended = afferent(&folder, &["check", "voice.toml", "--set", &set]);
        assert_eq!(ended.code, Some(74), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: write it to a file first"), "{}", ended.stderr);
        ended.stderr
    };
    assert!(refused("-").contains("`-`: cannot open it: standard input is not read"));
    #[cfg(unix)]
    {
        let pipe = folder.0.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("there is mkfifo").success());
        // Nobody writes it: whoever opened it would wait for ever.
        assert!(refused("pipe").contains("`pipe`: cannot open it: it is a pipe or a device"));
    }
}

#[test]
fn a_cascade_names_all_its_models_that_are_not_there() {
    let graph = include_str!("../../graphs/commands.toml");
    let ended = afferent(&Folder::with(&[("commands.toml", graph)]), &["check", "commands.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for file in ["ggml-tiny.en.bin", "ggml-base.en.bin"] {
        let told = format!("cannot read `{file}`: there is no such file");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
}
