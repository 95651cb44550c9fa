//! `top` and `tap`: a graph that runs, looked at from another process.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    page::SLOW,
    program::{Ended, Folder, HEART, afferent_with, binary, end_of, start_with},
};

/// A graph that runs, and a place of its own for its socket.
struct Watched {
    folder: Folder,
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watched {
    /// Runs the slow graph as fast as it goes, until it can be looked at.
    fn start_slow() -> Self {
        let folder = Folder::with(&[("slow.toml", SLOW)]);
        let runtime = folder.0.join("runtime");
        let variables = [("AFFERENT_RUNTIME_DIR", runtime.as_os_str())];
        let mut child = start_with(&folder, &["run", "slow.toml", "--speed", "max"], &variables);
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let this = Self { folder, child, lines };
        while this.ask(&["top", "--once"]).code != Some(0) {
            std::thread::yield_now();
        }
        this
    }

    fn start(more: &[&str]) -> Self {
        // Longer than any test takes.
        let folder = Folder::with(&[("heart.toml", &HEART.replace("20.0", "3600.0"))]);
        let runtime = folder.0.join("runtime");
        let arguments: Vec<&str> = ["run", "heart.toml"].iter().chain(more).copied().collect();
        let variables = [("AFFERENT_RUNTIME_DIR", runtime.as_os_str())];
        let mut child = start_with(&folder, &arguments, &variables);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        // A line on stdout says that it runs, and its socket is there before.
        lines.read_line(&mut String::new()).expect("lines are text");
        Self { folder, child, lines }
    }

    fn ask(&self, arguments: &[&str]) -> Ended {
        let runtime = self.folder.0.join("runtime");
        let variables: [(&str, &OsStr); 1] = [("AFFERENT_RUNTIME_DIR", runtime.as_os_str())];
        afferent_with(&self.folder, arguments, &variables)
    }

    fn done(&self, arguments: &[&str]) -> String {
        let Ended { code, stdout, stderr, .. } = self.ask(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout
    }

    /// A command that goes on.
    fn start_asking(&self, arguments: &[&str]) -> Child {
        let runtime = self.folder.0.join("runtime");
        start_with(&self.folder, arguments, &[("AFFERENT_RUNTIME_DIR", runtime.as_os_str())])
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn top_tells_programs_and_people_what_happens() {
    let watched = Watched::start(&[]);
    let pid = watched.child.id();
    for what in [pid.to_string().as_str(), "heart", "heart.toml"] {
        let seen: Value =
            serde_json::from_str(&watched.done(&["top", what, "--json"])).expect("JSON");
        assert_eq!(seen["process"]["pid"], pid);
        assert_eq!(seen["process"]["graph"], "heart");
        let source = &seen["figures"]["sources"][0];
        assert_eq!(
            (source["node"].as_str(), source["nominal_hz"].as_f64()),
            (Some("ecg"), Some(250.0))
        );
        assert!(source["measured_hz"].as_f64().expect("a rate") > 0.0, "{source}");
        for edge in seen["counts"]["edges"].as_array().expect("edges") {
            let count = |key: &str| edge[key].as_u64().expect("a count");
            let dropped: u64 = edge["dropped"]
                .as_array()
                .expect("by reason")
                .iter()
                .filter_map(Value::as_u64)
                .sum();
            assert_eq!(count("sent"), count("taken") + count("in_flight") + dropped, "{edge}");
        }
    }
    let text = watched.done(&["top", "--once"]);
    assert!(text.starts_with(&format!("heart: process {pid} runs heart.toml for ")), "{text}");
    for part in
        ["Sources", "Nodes", "Edges", "Latency at sinks", "Stages", "ecg → clean", "bandpass"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\x1b'), "no colours in a pipe: {text}");
    assert!(watched.done(&["top"]).contains("Latency at sinks"), "into a pipe it is text");
}

#[test]
fn top_names_what_limits_and_where_the_time_goes() {
    let watched = Watched::start_slow();
    let seen: Value = serde_json::from_str(&watched.done(&["top", "--json"])).expect("JSON");
    let time = &seen["time"];
    let limit = &time["limit"];
    assert_eq!((&limit["cause"], &limit["node"]), (&"compute".into(), &"heavy".into()), "{time}");
    assert!(limit["change"].as_str().is_some_and(|change| change.contains("[node.heavy]")));
    assert!(seen["counts"].get("time").is_none());
    let sink = &time["sinks"][0];
    assert_eq!(sink["node"], "out", "{time}");
    assert!(sink["frames"].as_u64() > Some(0), "{sink}");
    for way in ["mean", "slowest"] {
        let way = &sink[way];
        let of = |key: &str| way[key].as_f64().expect("nanoseconds");
        let parts = of("waiting_ns") + of("computing_ns") + of("moving_ns");
        // What is asked for is 99 %; told are tenths of nanoseconds.
        let share = parts / of("latency_ns");
        assert!((0.99..1.01).contains(&share), "{share}: {way}");
        assert_eq!(way["nodes"][0]["node"], "heavy", "it has most of it: {way}");
    }

    let text = watched.done(&["top", "--once"]);
    for part in
        ["Limit   compute `heavy`: ", "Change  ", "Where the time goes", "\nout  ", "waits for"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_socket_is_for_this_user_alone_and_goes_with_the_run() {
    let mut watched = Watched::start(&[]);
    let folder = watched.folder.0.join("runtime");
    let socket = folder.join(format!("{}.sock", watched.child.id()));
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&socket)), (0o700, 0o600));
    let mut looks = watched.start_asking(&["top", "--json", "--every", "0.1"]);
    let mut said = BufReader::new(looks.stdout.take().expect("a pipe"));
    said.read_line(&mut String::new()).expect("a look");

    interrupt(&watched.child);
    let (status, _) = end_of(&mut watched.child);
    assert_eq!(status.code(), Some(0));
    assert!(!socket.exists());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    let last = rest.lines().last().expect("it says how it ended");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["end"]["how"], "drained", "{last}");
    assert!(looks.wait().expect("it ends").success());
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
}

#[test]
fn a_process_that_dies_is_told_as_gone_and_what_it_left_is_swept() {
    let mut watched = Watched::start(&[]);
    let mut looks = watched.start_asking(&["top", "--json", "--every", "0.1"]);
    let mut said = BufReader::new(looks.stdout.take().expect("a pipe"));
    said.read_line(&mut String::new()).expect("a look");
    let socket = watched.folder.0.join(format!("runtime/{}.sock", watched.child.id()));
    watched.child.kill().expect("it runs");
    watched.child.wait().expect("it has ended");
    let (status, stderr) = end_of(&mut looks);
    assert_eq!(status.code(), Some(74), "{stderr}");
    assert!(stderr.contains("the process is gone without a word"), "{stderr}");

    assert!(socket.exists(), "nobody was there to remove it");
    let none = watched.ask(&["top", "--once"]);
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert!(none.stderr.contains("no graph of yours runs on this machine"), "{}", none.stderr);
    assert!(none.stderr.contains("afferent run graphs/biofeedback.toml"), "{}", none.stderr);
    watched.done(&["run", "heart.toml", "--speed", "max", "--set", "ecg.seconds=1"]);
    assert!(!socket.exists(), "the next run sweeps");
}

#[test]
fn tap_writes_what_passes() {
    let watched = Watched::start(&[]);
    let table = watched.done(&["tap", "ecg", "--csv", "--frames", "10"]);
    let mut rows = table.lines();
    assert!(rows.next().expect("a head").starts_with("t_s,"), "{table}");
    assert!(rows.next().expect("a row").split(',').count() == 2, "{table}");
    let times: Vec<f64> = table
        .lines()
        .skip(1)
        .filter(|row| !row.starts_with('#'))
        .map(|row| row.split(',').next().expect("a time").parse().expect("a number"))
        .collect();
    assert!(times.len() >= 10);
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 0.004).abs() < 1e-6, "{pair:?}");
    }

    let ended = watched.ask(&["tap", "beats", "heart", "--json", "--frames", "2"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for line in ended.stdout.lines() {
        let beat: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(beat["node"], "beats");
        assert!(beat["t_s"].is_number(), "{line}");
    }
    assert!(ended.stderr.starts_with("`beats`: 2 frames in "), "{}", ended.stderr);
    assert!(ended.stderr.trim_end().ends_with("none missed"), "{}", ended.stderr);

    let quick = watched.ask(&["tap", "clean", "--seconds", "0.3", "--out", "clean.csv"]);
    assert_eq!((quick.code, quick.stdout.as_str()), (Some(0), ""), "{}", quick.stderr);
    assert!(
        fs::read_to_string(watched.folder.0.join("clean.csv"))
            .expect("written")
            .starts_with("t_s,")
    );
}

#[test]
fn tap_says_what_there_is() {
    let watched = Watched::start(&[]);
    let wrong = watched.ask(&["tap", "beatz"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    for part in ["no output `beatz`", "did you mean `beats`?", "1 ch mV @ 250 Hz"] {
        assert!(wrong.stderr.contains(part), "{part}: {}", wrong.stderr);
    }
    let wrong = watched.ask(&["tap", "beats", "--session", "3"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("sessions that are open: 0"), "{}", wrong.stderr);
    let wrong = watched.ask(&["tap", "beats", "nobody"]);
    assert!(
        wrong.stderr.contains("no graph `nobody` runs") && wrong.stderr.contains("heart.toml"),
        "{}",
        wrong.stderr
    );
    let wrong = watched.ask(&["tap", "beats", "--plot"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_a_tap_and_nothing_else() {
    let mut watched = Watched::start(&[]);
    let mut tap = watched.start_asking(&["tap", "ecg", "--json"]);
    let mut lines = BufReader::new(tap.stdout.take().expect("a pipe"));
    lines.read_line(&mut String::new()).expect("a line");
    drop(lines);
    let (status, stderr) = end_of(&mut tap);
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let mut line = String::new();
    watched.lines.read_line(&mut line).expect("the run goes on");
    assert!(line.starts_with('{'), "{line}");
}

#[test]
fn a_run_may_have_no_socket_and_says_once_where_it_can_have_none() {
    let alone = Watched::start(&["--no-attach"]);
    assert!(!alone.folder.0.join("runtime").exists());
    assert_eq!(alone.ask(&["top", "--once"]).code, Some(2));

    let folder = Folder::with(&[("heart.toml", HEART)]);
    let runtime = folder.0.join("runtime");
    fs::write(&runtime, "no folder").expect("there is room");
    let ended = afferent_with(
        &folder,
        &["run", "heart.toml", "--speed", "max"],
        &[("AFFERENT_RUNTIME_DIR", runtime.as_os_str())],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("note: `afferent top` cannot look in: ").count(),
        1,
        "{}",
        ended.stderr
    );
}

#[test]
fn several_graphs_are_told_apart() {
    let watched = Watched::start(&[]);
    let other = Command::new(binary())
        .args(["run", "heart.toml", "--sessions", "3"])
        .current_dir(&watched.folder.0)
        .env("AFFERENT_RUNTIME_DIR", watched.folder.0.join("runtime"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut other = other.expect("the program starts");
    let mut lines = BufReader::new(other.stdout.take().expect("a pipe"));
    lines.read_line(&mut String::new()).expect("a line");
    let both = watched.ask(&["top", "--once"]);
    let one = watched.done(&["top", "--once", &other.id().to_string()]);
    let session = watched.done(&[
        "tap",
        "ecg",
        &other.id().to_string(),
        "--session",
        "2",
        "--frames",
        "1",
        "--json",
    ]);
    other.kill().expect("it runs");
    other.wait().expect("it has ended");
    assert_eq!(both.code, Some(2), "{}", both.stderr);
    assert!(both.stderr.contains("2 graphs run on this machine"), "{}", both.stderr);
    assert!(both.stderr.contains(&format!("  {}  heart", watched.child.id())), "{}", both.stderr);
    assert!(one.contains("3 of 3 sessions open"), "{one}");
    assert!(session.starts_with("{\"node\":\"ecg\""), "{session}");
}
