//! Two hosts in network namespaces of their own, joined by a virtual cable: a network that fails as a real
//! one does, and a host that gets another address.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    hosts::Running,
    program::{Folder, binary},
};

/// A heart of 40 s; the edge and the cloud each write its beats.
const GRAPH: &str = r#"
[graph]
name = "apart"

[host.edge]

[host.cloud]
address = ["10.213.7.2:24433"]

[node.ecg]
op      = "ecg"
on      = "edge"
seconds = 40.0

[node.clean]
op      = "bandpass"
from    = "ecg"
low_hz  = 5.0
high_hz = 15.0

[node.beats]
op   = "qrs"
from = "clean"

[node.near]
op   = "jsonl"
from = "beats"

[node.far]
op   = "jsonl"
from = "beats"
on   = "cloud"
"#;

/// Two namespaces and a cable between them, gone with the test.
struct Apart {
    folder: Folder,
    names: [String; 2],
}

fn ip(words: &str) -> bool {
    let words = words.split_whitespace();
    Command::new("ip").args(words).stderr(Stdio::null()).status().is_ok_and(|done| done.success())
}

impl Apart {
    /// None where the system does not let us.
    fn new() -> Option<Self> {
        let names = ["a", "b"].map(|end| format!("afferent-{}-{end}", std::process::id()));
        let this = Self { folder: Folder::with(&[("g.toml", GRAPH)]), names };
        let [a, b] = &this.names;
        let (one, other) =
            (format!("ava{}", std::process::id()), format!("avb{}", std::process::id()));
        let steps = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("link add {one} netns {a} type veth peer name {other} netns {b}"),
            format!("-n {a} link set {one} name cable"),
            format!("-n {b} link set {other} name cable"),
            format!("-n {a} addr add 10.213.7.1/24 dev cable"),
            format!("-n {b} addr add 10.213.7.2/24 dev cable"),
            format!("-n {a} link set cable up"),
            format!("-n {b} link set cable up"),
        ];
        steps.iter().all(|step| ip(step)).then_some(this)
    }

    fn home(&self, side: usize) -> PathBuf {
        self.folder.0.join(["edge-home", "cloud-home"][side])
    }

    fn command(&self, side: usize, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[side]]).arg(binary()).args(words);
        command.current_dir(&self.folder.0).env("AFFERENT_HOME", self.home(side));
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// What a command of a host prints.
    fn says(&self, side: usize, words: &[&str]) -> String {
        let out = self.command(side, words).output().expect("`ip` is there");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{words:?}: {said}");
        String::from_utf8(out.stdout).expect("text")
    }

    fn start(&self, side: usize, words: &[&str], lines: &str) -> Running {
        let file = File::create(self.folder.0.join(lines)).expect("room for a file");
        let child = self.command(side, words).stdout(file).spawn();
        Running::of(child.expect("`ip` is there"))
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.0.join(name)).expect("it was written");
        text.lines().map(|line| line.replace(",\"session\":0", "")).collect()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn a_cable_that_is_pulled_and_an_address_that_changes_lose_nothing() {
    let Some(apart) = Apart::new() else {
        eprintln!("SKIPPED: no network namespaces here: they take `ip` and the right to make them");
        return;
    };
    // Each host has a key of its own and nothing of the other's: it lets nobody in, then both are told.
    let refused =
        apart.command(1, &["serve", "g.toml", "--host", "cloud", "--listen", "0.0.0.0:24433"]);
    let refused = { refused }.output().expect("it starts");
    assert_ne!(refused.status.code(), Some(0), "a listener for all without a peer");
    let keys = [0, 1].map(|side| apart.says(side, &["peers", "key"]).trim().to_owned());
    apart.says(0, &["peers", "add", "cloud", &keys[1]]);
    apart.says(1, &["peers", "add", "edge", &keys[0]]);

    let words = ["serve", "g.toml", "--host", "cloud", "--listen", "0.0.0.0:24433"];
    let mut cloud = apart.start(1, &words, "cloud");
    cloud.hear(" listens at 0.0.0.0:24433");
    let mut edge = apart.start(0, &["run", "g.toml", "--host", "edge", "--speed", "4"], "edge");
    edge.hear("`cloud` at 10.213.7.2:24433");
    cloud.hear("`edge` at 10.213.7.1:");

    let a = &apart.names[0];
    assert!(ip(&format!("-n {a} link set cable down")));
    edge.hear("`cloud` is gone");
    assert!(ip(&format!("-n {a} link set cable up")));
    edge.hear("is back");
    // It walks into another network.
    assert!(ip(&format!("-n {a} addr del 10.213.7.1/24 dev cable")));
    assert!(ip(&format!("-n {a} addr add 10.213.7.3/24 dev cable")));

    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.hear("session 0 of `edge` has ended");
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");
    let (near, far) = (apart.lines("edge"), apart.lines("cloud"));
    assert!(near.len() > 30, "{} lines: {said}", near.len());
    assert_eq!(far, near, "{said}{told}");
}
