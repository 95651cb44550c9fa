//! Runs the program on a graph, and reads what it says.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    planted::Planted,
    world::{self, Served},
};

/// What takes longer hangs.
const MOST: Duration = Duration::from_secs(40);

/// What does not end is looked at for so long.
const LOOKED_AT: Duration = Duration::from_millis(2_500);

/// What a run has said of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) cause: String,
    pub(crate) node: String,
    pub(crate) why: String,
    pub(crate) change: String,
    pub(crate) lasted_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) dropped: f64,
    /// All of stderr.
    pub(crate) text: String,
}

/// The program: `AFFERENT`, else the one built beside this bench.
pub(crate) fn program() -> Option<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("afferent"));
    let program = std::env::var_os("AFFERENT").map(PathBuf::from).or_else(beside);
    program.filter(|program| program.exists())
}

/// A folder that goes with the process.
pub(crate) fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("afferent-limits-{}", std::process::id()))
}

/// Runs the graph as it was planted.
pub(crate) fn run(planted: &Planted) -> Told {
    let folder = folder();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the graph");
    let served = planted.service.as_ref().map(Served::start);
    let port = served.as_ref().map_or(0, |served| served.port);
    let graph = folder.join("planted.toml");
    fs::write(&graph, planted.text.replace("PORT", &port.to_string())).expect("a graph");
    if let Some((name, text)) = &planted.file {
        fs::write(folder.join(name), text).expect("a table");
    }
    start(&folder, &graph, planted)
}

fn start(folder: &Path, graph: &Path, planted: &Planted) -> Told {
    let pipe = planted.reader.as_ref().and_then(|reader| reader.pipe.as_deref());
    if let Some(pipe) = pipe {
        let made = Command::new("mkfifo").arg(folder.join(pipe)).status().expect("mkfifo");
        assert!(made.success(), "a pipe can be made");
    }
    let prints = planted.reader.as_ref().is_some_and(|reader| reader.pipe.is_none());
    let mut child = Command::new(program().expect("it was there"))
        .arg("run")
        .arg(planted.at.as_deref().unwrap_or(graph))
        .args(["--no-attach", "--profile", "profile.svg"])
        .args(&planted.words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(if prints { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    if let Some(reader) = &planted.reader {
        match pipe {
            Some(pipe) => world::read_pipe(folder.join(pipe), reader.bytes_per_s),
            None => world::read(child.stdout.take().expect("piped"), reader.bytes_per_s),
        }
    }
    told(&text_of(child, planted.at.is_some()))
}

fn text_of(mut child: Child, is_endless: bool) -> String {
    let mut stderr = child.stderr.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let (began, mut is_asked) = (Instant::now(), !is_endless);
    while !reader.is_finished() {
        if began.elapsed() > MOST {
            let _ = child.kill();
        }
        if !is_asked && began.elapsed() > LOOKED_AT {
            is_asked = true;
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        }
        world::sleep(Duration::from_millis(2));
    }
    let _ = child.wait();
    reader.join().unwrap_or_default()
}

fn told(text: &str) -> Told {
    let mut told = Told { text: text.to_owned(), ..Told::default() };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((_, rest)) = line.split_once(": done after ") {
            told.lasted_ms = ms(rest);
        }
        if let Some((_, rest)) = line.split_once("p99 ") {
            told.p99_ms = told.p99_ms.max(ms(rest));
        }
        if let Some(rest) = line.strip_prefix("  dropped  ") {
            told.dropped =
                rest.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        }
        if let Some(rest) = line.strip_prefix("  limit    ") {
            let (what, why) = rest.split_once(": ").unwrap_or((rest, ""));
            let (cause, node) = what.split_once(" `").unwrap_or((what, ""));
            (told.cause, told.node) = (cause.to_owned(), node.trim_end_matches('`').to_owned());
            told.why = why.to_owned();
            if let Some(change) = lines.peek().and_then(|line| line.trim().strip_prefix("change: "))
            {
                told.change = change.to_owned();
            }
        }
    }
    told
}

/// Such as `2.7 s, …` in milliseconds.
fn ms(text: &str) -> f64 {
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return 0.0 };
    if let Some((minutes, seconds)) = first.split_once(':') {
        return (minutes.parse().unwrap_or(0.0) * 60.0 + seconds.parse().unwrap_or(0.0)) * 1e3;
    }
    let number: f64 = first.parse().unwrap_or(0.0);
    match words.next() {
        Some("s") => number * 1e3,
        Some("µs") => number / 1e3,
        _ => number,
    }
}
