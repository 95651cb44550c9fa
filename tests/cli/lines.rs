//! What stands on stdout while a graph runs, and how a run ends.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command},
};

use crate::program::{Folder, HEART, afferent, end_of, start};

fn heart() -> Folder {
    Folder::with(&[("heart.toml", HEART)])
}

#[test]
fn one_json_line_per_beat_and_a_summary_on_stderr() {
    let ended = afferent(&heart(), &["run", "heart.toml", "--speed", "max"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // 70 beats a minute for 20 seconds are 23 or so.
    assert!((20..=27).contains(&ended.stdout.lines().count()), "{}", ended.stdout);
    for line in ended.stdout.lines() {
        assert!(line.starts_with("{\"node\":\"beats\",\"t_s\":"), "{line}");
        assert!(line.ends_with('}'), "{line}");
    }
    for said in [
        "heart: done after",
        "  in       1000 frames",
        "  dropped  nothing",
        "engine   latency `out` p50",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains('\x1b') && !ended.stderr.contains('\r'), "{:?}", ended.stderr);
}

#[test]
fn the_same_source_gives_the_same_lines_at_any_speed_and_on_any_cores() {
    let folder = heart();
    let lines = |more: &[&str]| {
        let ended = afferent(&folder, &[&["run", "heart.toml"], more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };

    let wanted = lines(&["--speed", "max"]);

    assert_eq!(lines(&["--speed", "100"]), wanted);
    assert_eq!(lines(&["--speed", "max", "--cores", "2", "--json"]), wanted);
    assert_eq!(lines(&["--speed", "max", "--set", "ecg.frame_ms=4"]), wanted);
}

#[test]
fn lines_of_many_sessions_say_which() {
    let ended = afferent(&heart(), &["run", "heart.toml", "--speed", "max", "--sessions", "3"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for session in 0..3 {
        let key = format!("{{\"node\":\"beats\",\"session\":{session},");
        assert!(ended.stdout.lines().any(|line| line.starts_with(&key)), "{key}");
    }
    assert!(ended.stderr.contains("3 sessions, 3 "), "{}", ended.stderr);
    assert!(ended.stderr.contains(" 20.0 s of content"), "{}", ended.stderr);
}

#[test]
fn set_changes_the_graph_and_tells_what_it_forgot() {
    let ended = afferent(
        &heart(),
        &["run", "heart.toml", "--speed", "max", "--set", "ecg.seconds=4", "--set", "out.op=null"],
    );

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("  in       200 frames"), "{}", ended.stderr);
    // `jsonl` had no parameters that could be forgotten.
    assert!(!ended.stderr.contains("forgotten"), "{}", ended.stderr);
}

#[test]
fn a_model_that_is_set_to_one_file_forgets_the_parts_it_was_made_of() {
    let folder = Folder::with(&[("commands.toml", include_str!("../../graphs/commands.toml"))]);
    let check = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        afferent(&folder, &["check", "commands.toml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let may_be_absent = "model.voice.optional=true";
    let ended = check(&["model.voice.file=one.bin", may_be_absent]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let note =
        "note: the model `voice` is now that of `file`; forgotten: `segments`, `thresholds`\n";
    assert!(ended.stderr.starts_with(note), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cannot read `one.bin`: there is no such file"),
        "{}",
        ended.stderr
    );
    // Who sets both is told that they exclude each other.
    let ended = check(&["model.voice.file=one.bin", "model.voice.thresholds=[0.5]"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("or leave `thresholds` out"), "{}", ended.stderr);
    let ended = check(&["model.voice.segments=[\"one.bin\", \"two.bin\"]", may_be_absent]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("forgotten"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_well() {
    let folder = heart();
    // For ever: nothing else would end it.
    let endless = HEART.replace("seconds = 20.0\n", "");
    std::fs::write(folder.0.join("heart.toml"), endless).expect("there is room");
    let mut child = start(&folder, &["run", "heart.toml", "--speed", "max"]);

    let first = first_line(&mut child);
    let (status, stderr) = end_of(&mut child);

    assert!(first.starts_with("{\"node\":\"beats\""), "{first}");
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
fn a_reader_of_lists_may_go_away_too() {
    let folder = heart();
    for arguments in [&["list"][..], &["check", "heart.toml"], &["--help"], &["run", "--help"]] {
        let mut child = start(&folder, arguments);
        drop(child.stdout.take());

        let (status, stderr) = end_of(&mut child);

        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn one_interrupt_drains() {
    let folder = heart();
    let mut child = start(&folder, &["run", "heart.toml", "--speed", "1"]);
    // A first line says that it runs; the reader stays.
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    lines.read_line(&mut String::new()).expect("lines are text");

    interrupt(&child);
    let (status, stderr) = end_of(&mut child);

    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(
        stderr.starts_with("draining what is inside; Ctrl-C again stops at once\n"),
        "{stderr}"
    );
    assert!(stderr.contains("heart: drained after"), "{stderr}");
    assert!(stderr.contains("dropped  nothing") && !stderr.contains("inside  "), "{stderr}");
}

#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "a full pipe cannot be waited for from outside")]
fn a_second_interrupt_stops_what_does_not_drain() {
    // Nobody reads stdout: it fills, and what is inside can never be finished.
    let text = "[node.ecg]\nop = \"ecg\"\n[node.out]\nop = \"jsonl\"\nfrom = \"ecg\"\n";
    let folder = Folder::with(&[("heart.toml", text)]);
    let mut child = start(&folder, &["run", "heart.toml", "--speed", "max"]);
    let stderr = child.stderr.take().expect("a pipe");
    let mut said = BufReader::new(stderr).lines();
    // Long enough for a pipe to fill; were it not, the first would drain and the test fail.
    std::thread::sleep(std::time::Duration::from_millis(500));

    interrupt(&child);
    let first = said.next().expect("it says so").expect("stderr is text");
    interrupt(&child);
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let (status, _) = end_of(&mut child);

    assert!(first.starts_with("draining"), "{first}");
    assert_eq!(rest[0], "stopping");
    assert!(rest.iter().any(|line| line.starts_with("heart: stopped after")), "{rest:?}");
    assert_eq!(status.code(), Some(1), "{rest:?}");
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("every Unix has `kill`").success());
}

/// Reads one line and closes the pipe.
fn first_line(child: &mut Child) -> String {
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut first)
        .expect("lines are text");
    first
}
