//! `afferent record` and `afferent replay`: what was recorded comes back to the bit, and what is missing is told.

use std::fs;

use afferent_suite::data;
use serde_json::Value;

use crate::program::{Ended, Folder, afferent, end_of, start};

/// A heart with its truth, two ways from it that meet again, and events.
const HEART: &str = r#"
[graph]
name = "heart"
[node.ecg]
op = "ecg"
seconds = 20.0
ectopic_per_min = 6.0
[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0
[node.slow]
op = "smooth"
from = "ecg"
cutoff_hz = 2.0
[node.beats]
op = "qrs"
from = "clean"
[node.hrv]
op = "hrv"
from = "beats"
window_s = 10.0
every_s = 2.0
[node.both]
op = "align"
from = ["clean", "slow"]
[node.out]
op = "jsonl"
from = ["beats", "hrv", "ecg.truth"]
[node.file]
op = "jsonl"
from = "both"
file = "both.jsonl"
"#;

fn run(folder: &Folder, words: &str) -> Ended {
    let words: Vec<&str> = words.split_whitespace().collect();
    let ended = afferent(folder, &words);
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    ended
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn file(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.0.join(name)).expect("it was written")
}

/// Waits until something has happened.
#[cfg(unix)]
fn until(mut happened: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !happened() {
        assert!(start.elapsed().as_secs() < 60, "it does not happen");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_replay_gives_the_same_lines_at_any_speed_and_on_any_number_of_cores() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let plain = run(&folder, "run g.toml --speed max --json").stdout;
    let both = file(&folder, "both.jsonl");
    assert!(plain.lines().count() > 40 && both.lines().count() > 100);

    for (name, how) in [("a.mcap", "--speed max"), ("b.mcap", "--speed 20 --all")] {
        let recorded = run(&folder, &format!("record g.toml --out {name} {how} --json"));
        assert_eq!(sorted(&recorded.stdout), sorted(&plain), "who records changes nothing");
        assert!(recorded.stderr.contains(&format!("  record   {name}: ")), "{}", recorded.stderr);
        for how in ["--speed max", "--speed max --cores 2", "--speed 40"] {
            let replayed = run(&folder, &format!("replay {name} g.toml {how} --json"));
            // At the pace of life lines of several nodes are written as they come.
            assert_eq!(sorted(&replayed.stdout), sorted(&plain), "{name} {how}");
            assert_eq!(file(&folder, "both.jsonl"), both, "{name} {how}");
        }
    }
    // The graph in it is enough; what is behind the sources may be another.
    fs::remove_file(folder.0.join("g.toml")).expect("it is there");
    assert_eq!(run(&folder, "replay a.mcap --speed max --json").stdout, plain);
    let other = run(&folder, "replay a.mcap --speed max --json --set clean.high_hz=30").stdout;
    assert_ne!(other, plain);
}

#[test]
fn what_differs_from_then_is_found_and_told() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    run(&folder, "record g.toml --out a.mcap --speed max --all");

    let same = run(&folder, "replay a.mcap --check --speed max");
    assert!(same.stderr.contains("frames equal to the bit"), "{}", same.stderr);
    let words = ["replay", "a.mcap", "--check", "--speed", "max", "--set", "slow.cutoff_hz=2.5"];
    let other = afferent(&folder, &words);
    assert_eq!(other.code, Some(1), "{}", other.stderr);
    assert!(other.stderr.contains("DIFFERS: `slow`: "), "{}", other.stderr);
    assert!(!other.stderr.contains("`clean`:"), "{}", other.stderr);
}

#[test]
fn a_recording_says_what_is_in_it() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    run(&folder, "record g.toml --out a.mcap --speed max --edges ecg,beats");

    let listed: Value =
        serde_json::from_str(&run(&folder, "replay a.mcap --list --json").stdout).expect("JSON");
    assert_eq!((&listed["graph"], &listed["end"]), (&"heart".into(), &"whole".into()));
    assert_eq!(listed["complete"], true);
    let outputs = listed["outputs"].as_array().expect("a list");
    let labels: Vec<_> = outputs.iter().map(|output| output["output"].as_str()).collect();
    assert_eq!(labels, [Some("ecg"), Some("beats")]);
    // 20 s in frames of 20 ms.
    assert_eq!(outputs[0]["frames"], 1_000);
    assert_eq!(
        (outputs[0]["first_s"].as_f64(), outputs[0]["last_s"].as_f64()),
        (Some(0.0), Some(19.98))
    );
    assert!(run(&folder, "replay a.mcap --list").stdout.contains("graph `heart`, whole"));

    // The truth was not recorded, and the graph wants it.
    let refused = afferent(&folder, &["replay", "a.mcap"]);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("`ecg.truth` was not recorded"), "{}", refused.stderr);
}

#[test]
fn sessions_are_recorded_each_by_itself() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let recorded =
        run(&folder, "record g.toml --out a.mcap --speed max --sessions 3 --json").stdout;
    let replayed = run(&folder, "replay a.mcap --speed max --json").stdout;
    assert!(recorded.contains("\"session\":2"));
    assert_eq!(sorted(&replayed), sorted(&recorded));
    let first = run(&folder, "replay a.mcap --speed max --json --sessions 1").stdout;
    assert!(!first.contains("session") && first.lines().count() < recorded.lines().count());
    let refused = afferent(&folder, &["replay", "a.mcap", "--sessions", "4", "--speed", "max"]);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("no session 3"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_recording_that_was_cut_or_damaged_is_replayed_up_to_there() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let all = run(&folder, "record g.toml --out a.mcap --speed max --json").stdout;
    let bytes = fs::read(folder.0.join("a.mcap")).expect("it was written");

    let mut lines = 0;
    for cut in [bytes.len() * 2 / 3, bytes.len() * 4 / 5, bytes.len() - 3] {
        fs::write(folder.0.join("cut.mcap"), &bytes[..cut]).expect("there is room");
        let ended = run(&folder, "replay cut.mcap --speed max --json");
        assert!(ended.stderr.contains("was cut short"), "{}", ended.stderr);
        // Beats at the very end may be missing or told otherwise; those before are the same.
        let same = ended.stdout.lines().zip(all.lines()).take_while(|(a, b)| a == b).count();
        assert!(same >= lines && same + 12 > ended.stdout.lines().count(), "{same}");
        lines = same;
    }
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(folder.0.join("damaged.mcap"), &damaged).expect("there is room");
    let ended = run(&folder, "replay damaged.mcap --speed max --json");
    assert!(ended.stderr.contains("the recording is damaged"), "{}", ended.stderr);
}

#[test]
fn what_is_there_is_not_overwritten_and_wrong_words_are_answered() {
    let folder = Folder::with(&[("g.toml", HEART), ("no.mcap", "RIFF")]);
    let refused = |words: &str, code: i32, why: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let ended = afferent(&folder, &words);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{words:?}: {}", ended.stderr);
    };
    refused("record g.toml --out no.mcap --speed max", 74, "let this one go with `--force`");
    refused("record g.toml --out a.mcap --edges egc", 2, "did you mean `ecg`?");
    refused("record g.toml --out nowhere/a.mcap", 74, "create the folder");
    refused("replay no.mcap", 74, "it is no MCAP file");
    refused("replay missing.mcap", 74, "check the name");
    assert!(!folder.0.join("a.mcap").exists());
    run(&folder, "record g.toml --out no.mcap --speed max --force");
    run(&folder, "replay no.mcap --speed max");
    // What cannot be opened keeps the run, and leaves no recording behind.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let view = format!("[node.view]\nop = \"foxglove\"\nfrom = \"ecg\"\nlisten = {address:?}\n");
    fs::write(folder.0.join("view.toml"), format!("{HEART}{view}")).expect("there is room");
    refused("record view.toml --out b.mcap", 74, "cannot listen at 127.0.0.1");
    assert!(!folder.0.join("b.mcap").exists());
    // Nor is anything lost that it would have replaced.
    let before = fs::read(folder.0.join("no.mcap")).expect("it is there");
    refused("record view.toml --out no.mcap --force", 74, "cannot listen at 127.0.0.1");
    assert_eq!(fs::read(folder.0.join("no.mcap")).expect("it is there"), before);
    let files =
        fs::read_dir(&folder.0).expect("it is there").map(|file| file.expect("it is there"));
    let left: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_replaced_and_not_the_link() {
    let folder = Folder::with(&[("g.toml", HEART), ("real.mcap", "RIFF")]);
    let link = folder.0.join("link.mcap");
    std::os::unix::fs::symlink("real.mcap", &link).expect("room for a link");
    run(&folder, "record g.toml --out link.mcap --speed max --force");
    assert!(link.is_symlink());
    run(&folder, "replay real.mcap --speed max");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_hangs_is_not_waited_for_by_whoever_wants_to_go() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let pipe = folder.0.join("pipe.mcap");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
    assert!(made.success());
    // Somebody holds the other end and takes nothing.
    let held = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("it is there");
    let words = "record g.toml --out pipe.mcap --speed 50 --all --set ecg.seconds=60 --set ecg.rate_hz=2000";
    let mut child = start(&folder, &words.split_whitespace().collect::<Vec<_>>());
    let written = || fs::metadata(folder.0.join("both.jsonl")).map_or(0, |file| file.len());
    until(|| written() > 0);
    let pid = rustix::process::Pid::from_child(&child);
    // One drains, one stops, and one more leaves the disk alone.
    until(|| {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        std::thread::park_timeout(std::time::Duration::from_millis(50));
        child.try_wait().expect("it is our child").is_some()
    });
    let (status, told) = end_of(&mut child);
    assert!(told.contains("WITHOUT AN END: nobody waited until the rest was written"), "{told}");
    assert_ne!(status.code(), Some(0), "{told}");
    drop(held);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_degrades_the_recording_and_nothing_else() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let plain = run(&folder, "run g.toml --speed max --json").stdout;
    // Not even a beginning finds room.
    let refused = afferent(&folder, &["record", "g.toml", "--out", "/dev/full", "--speed", "max"]);
    assert_eq!(refused.code, Some(74), "{}", refused.stderr);
    assert!(refused.stderr.contains("make room"), "{}", refused.stderr);

    // A file of at most so many bytes is a disk that is full: `ulimit -f` counts in 512 or 1024 bytes.
    let graph = "record g.toml --out a.mcap --speed max --json --all \
                 --set file.file=/dev/null --set ecg.rate_hz=10000 --set ecg.seconds=60";
    let binary = crate::program::binary();
    let limited = format!("ulimit -f 4000; trap '' XFSZ; exec {} {graph}", binary.display());
    let ended = std::process::Command::new("sh")
        .args(["-c", &limited])
        .current_dir(&folder.0)
        .output()
        .expect("there is a shell");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(74), "{told}");
    assert!(told.contains("recording a.mcap: ") && told.contains("INCOMPLETE"), "{told}");
    let lines = String::from_utf8_lossy(&ended.stdout).lines().count();
    assert!(
        lines > plain.lines().count(),
        "the graph ran to its end, three times as long: {lines}"
    );
    let listed = run(&folder, "replay a.mcap --list --json").stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((&listed["complete"], &listed["end"]), (&false.into(), &"whole".into()), "{listed}");
    let [frames, missing] = ["frames", "missing"].map(|key| listed["outputs"][0][key].as_u64());
    // 60 s in frames of 20 ms, all of which are there or told to be missing.
    assert!(frames > Some(0) && missing > Some(0), "{listed}");
    assert_eq!(frames.zip(missing).map(|(there, not)| there + not), Some(3_000), "{listed}");
}

#[cfg(unix)]
#[test]
fn a_recording_of_a_process_that_is_killed_is_read_up_to_a_second_before() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let words =
        ["record", "g.toml", "--out", "a.mcap", "--speed", "2", "--set", "ecg.seconds=1000"];
    let mut child = start(&folder, &words);
    let len = || fs::metadata(folder.0.join("a.mcap")).map_or(0, |file| file.len());
    // The head first, then a chunk.
    until(|| len() > 0);
    let begun = len();
    until(|| len() > begun);
    child.kill().expect("it runs");
    let _ = child.wait();
    let ended = run(&folder, "replay a.mcap --speed max --json");
    assert!(ended.stderr.contains("was cut short"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupted_recording_has_an_end() {
    let folder = Folder::with(&[("g.toml", HEART)]);
    let words =
        ["record", "g.toml", "--out", "a.mcap", "--speed", "2", "--set", "ecg.seconds=1000"];
    let mut child = start(&folder, &words);
    let written = || fs::metadata(folder.0.join("both.jsonl")).map_or(0, |file| file.len());
    // What comes out has been let in, so signals are listened to.
    until(|| written() > 0);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is our child");
    let (status, told) = end_of(&mut child);
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("  record   a.mcap: "), "{told}");
    let listed = run(&folder, "replay a.mcap --list --json").stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["end"], "whole", "{told}");
}

#[test]
fn recordings_of_hearts_and_voices_come_back_to_the_bit() {
    let Some(data) = data::folder() else { return };
    let ecg = data.join("MIT-LCP+wfdb-python/sample-data/100.hea");
    let voice = data.join("ggml-org+whisper.cpp/samples/jfk.wav");
    let heart = HEART.replace(", \"ecg.truth\"", "").replace(
        "op = \"ecg\"\nseconds = 20.0\nectopic_per_min = 6.0",
        &format!("op = \"wfdb\"\nfile = {ecg:?}"),
    );
    let voice = format!(
        "[graph]\nname = \"voice\"\n[node.audio]\nop = \"audio\"\nfile = {voice:?}\n\
         [node.heard]\nop = \"resample\"\nfrom = \"audio\"\nrate_hz = 8000.0\n\
         [node.speech]\nop = \"speech\"\nfrom = \"audio\"\n\
         [node.file]\nop = \"audio\"\nfrom = \"heard\"\nfile = \"both.jsonl\"\n\
         [node.out]\nop = \"jsonl\"\nfrom = \"speech\"\n"
    );
    for (name, graph) in [("heart", heart), ("voice", voice)] {
        let folder = Folder::with(&[("g.toml", &graph)]);
        let recorded = run(&folder, "record g.toml --out a.mcap --speed max --json").stdout;
        let bytes = fs::read(folder.0.join("both.jsonl")).expect("it was written");
        assert!(!recorded.is_empty() && bytes.len() > 10_000, "{name}");
        let replayed = run(&folder, "replay a.mcap --speed max --json --cores 2").stdout;
        assert_eq!(replayed, recorded, "{name}");
        assert!(fs::read(folder.0.join("both.jsonl")).expect("written") == bytes, "{name}");
    }
}

#[test]
fn files_of_others_are_told_apart() {
    let Some(data) = data::folder() else { return };
    let folder = Folder::with(&[("g.toml", HEART)]);
    let files = walk(&data.join("ros2+rosbag2"));
    assert!(!files.is_empty(), "there are MCAP files");
    for file in files {
        let ended = afferent(&folder, &["replay", &file, "g.toml"]);
        assert_eq!(ended.code, Some(74), "{file}: {}", ended.stderr);
        let told = ["`afferent record` has not written", "it is compressed by", "it is no MCAP"];
        assert!(told.iter().any(|told| ended.stderr.contains(told)), "{file}: {}", ended.stderr);
    }
}

/// The MCAP files below a folder.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|extension| extension == "mcap") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}
