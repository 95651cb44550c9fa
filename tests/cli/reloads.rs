//! `run --watch`: a graph that runs follows its file.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Child,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use crate::program::{Folder, HEART, start};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A graph that follows its file.
struct Followed {
    folder: Folder,
    child: Child,
    /// Lines of stdout.
    lines: Receiver<String>,
    /// Lines of stderr.
    said: Receiver<String>,
}

impl Followed {
    fn start(files: &[(&str, &str)], more: &[&str]) -> Self {
        let folder = Folder::with(files);
        let arguments: Vec<&str> =
            ["run", "heart.toml", "--watch", "--json"].iter().chain(more).copied().collect();
        let mut child = start(&folder, &arguments);
        let lines = heard(child.stdout.take().expect("a pipe"));
        let said = heard(child.stderr.take().expect("a pipe"));
        let this = Self { folder, child, lines, said };
        this.goes_on();
        this
    }

    /// Waits for a line of stdout that was not there yet.
    fn goes_on(&self) {
        while self.lines.try_recv().is_ok() {}
        self.lines.recv_timeout(PATIENCE).expect("the graph goes on");
    }

    /// Waits for a line of stderr with these words; gives all up to it.
    fn says(&self, words: &str) -> String {
        let mut all = String::new();
        while !all.contains(words) {
            let line = self.said.recv_timeout(PATIENCE);
            all += &line.unwrap_or_else(|_| panic!("it never says `{words}`: {all}"));
            all.push('\n');
        }
        all
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.0.join(name), text).expect("there is room");
    }

    /// As editors do that must not lose a file half-way.
    fn replace(&self, name: &str, text: &str) {
        self.write("new~", text);
        fs::rename(self.folder.0.join("new~"), self.folder.0.join(name)).expect("same folder");
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn heard(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    heard
}

fn heart() -> String {
    HEART.replace("20.0", "3600.0")
}

#[test]
fn what_changes_in_the_file_changes_in_the_graph() {
    let followed = Followed::start(&[("heart.toml", &heart())], &[]);

    followed.write("heart.toml", &heart().replace("low_hz = 5.0", "low_hz = 6.0"));
    let said = followed.says("reloaded heart.toml");
    assert!(said.contains("`clean` ") && said.contains("3 nodes kept, held "), "{said}");
    followed.goes_on();

    let faster = "seconds = 3600.0\nheart_rate_bpm = 120.0";
    followed.replace("heart.toml", &heart().replace("seconds = 3600.0", faster));
    let said = followed.says("reloaded heart.toml");
    assert!(said.contains("`ecg` tuned (heart_rate_bpm)"), "{said}");
    followed.goes_on();
}

#[test]
fn a_bad_file_is_told_once_and_changes_nothing() {
    let followed = Followed::start(&[("heart.toml", &heart())], &[]);

    followed.write("heart.toml", &heart().replace("high_hz = 15.0", "high_hz = 500.0"));
    let said = followed.says("note: heart.toml changes nothing; the graph runs on");
    assert!(said.contains("error[above-nyquist]") && said.contains("--> heart.toml:"), "{said}");
    followed.goes_on();

    followed.write("heart.toml", "no graph");
    assert!(followed.says("the graph runs on").contains("error[syntax]"));
    followed.goes_on();

    followed.write(
        "heart.toml",
        &heart().replace("seconds = 3600.0", "seconds = 3600.0\nrate_hz = 500.0"),
    );
    let said = followed.says("the graph runs on");
    assert!(said.contains("error[not-while-running]: `ecg` delivers another format"), "{said}");
    followed.goes_on();

    followed.replace("heart.toml", &heart().replace("15.0", "16.0"));
    assert!(followed.says("reloaded heart.toml").contains("`clean`"));
    followed.goes_on();
}

#[test]
fn what_was_set_stays_and_what_is_included_counts() {
    let part = r#"
        [graph]
        name = "part"
        [input.ecg]
        [node.clean]
        op = "bandpass"
        from = "ecg"
        low_hz = 5.0
        high_hz = 15.0
        [node.beats]
        op = "qrs"
        from = "clean"
        [output.out]
        from = "beats"
        "#;
    let whole = r#"
        [node.ecg]
        op = "ecg"
        seconds = 3600.0
        [include.part]
        file = "part.toml"
        from = "ecg"
        [node.out]
        op = "jsonl"
        from = "part"
        "#;
    let files = [("heart.toml", whole), ("part.toml", part)];
    let followed = Followed::start(&files, &["--set", "ecg.heart_rate_bpm=120"]);

    followed.replace("part.toml", &part.replace("low_hz = 5.0", "low_hz = 4.0"));
    let said = followed.says("reloaded heart.toml");
    // Set, it is what it was.
    assert!(said.contains("`part/clean` ") && !said.contains("`ecg`"), "{said}");
    followed.goes_on();
}
