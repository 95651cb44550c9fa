//! One graph on two hosts, as two processes on this machine: the same lines as on one, whoever starts
//! first or goes away for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use link::testing::{Relay, Way, Weather};

use crate::program::{Ended, Folder, afferent, afferent_with, end_of, start_with};

/// Whatever a test waits for takes a fraction of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A heart on the edge, told there and in the cloud; a join in the cloud of what comes over two edges, and
/// what the cloud finds goes back to the edge.
const GRAPH: &str = r#"
[graph]
name = "hosts"

[host.edge]

[host.cloud]
address = ["127.0.0.1:24433"]

[node.ecg]
op      = "ecg"
on      = "edge"
seconds = 20.0

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

[node.pieces]
op     = "epoch"
on     = "cloud"
from   = { in = "ecg", events = "beats" }
tmin_s = -0.3
tmax_s = 0.3

[node.hrv]
op       = "hrv"
from     = "beats"
on       = "cloud"
window_s = 10.0
every_s  = 5.0

[node.far]
op   = "jsonl"
from = ["beats", "hrv", "pieces"]
order = "time"
on   = "cloud"

[node.back]
op   = "jsonl"
from = "hrv"
on   = "edge"
"#;

/// Where two processes meet, in a folder with the graph.
pub(crate) struct Meeting {
    pub(crate) folder: Folder,
    pub(crate) port: u16,
}

impl Meeting {
    pub(crate) fn with(graph: &str) -> Self {
        let folder = Folder::with(&[("g.toml", graph)]);
        // Free a moment ago, which is as good as it gets.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        Self { folder, port }
    }

    /// A user of its own, who has never run anything.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.0.join("home")
    }

    /// Starts a program whose lines go to the end of a file.
    pub(crate) fn start(&self, words: &[&str], lines: &str) -> Running {
        self.start_to(self.port, words, lines)
    }

    /// As [`Meeting::start`], with the cloud at another port.
    pub(crate) fn start_to(&self, port: u16, words: &[&str], lines: &str) -> Running {
        self.start_as(self.home(), port, words, lines)
    }

    /// As another user, whose keys and peers lie in `home`.
    pub(crate) fn start_of(&self, home: &Path, words: &[&str], lines: &str) -> Running {
        self.start_as(home.to_owned(), self.port, words, lines)
    }

    fn start_as(&self, home: PathBuf, port: u16, words: &[&str], lines: &str) -> Running {
        let arguments = arguments(port, words);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables = [("AFFERENT_HOME", home.as_os_str())];
        let mut child = start_with(&self.folder, &arguments, &variables);
        let mut out = child.stdout.take().expect("a pipe");
        let path = self.folder.0.join(lines);
        let mut file = File::options().create(true).append(true).open(path).expect("a file");
        thread::spawn(move || std::io::copy(&mut out, &mut file).expect("room for lines"));
        Running::of(child)
    }

    pub(crate) fn serve(&self, lines: &str) -> Running {
        let mut cloud = self.start(&["serve", "g.toml", "--host", "cloud"], lines);
        cloud.hear(" listens at 127.0.0.1:");
        cloud
    }

    /// Runs both hosts at full speed until the edge has nothing more to send; gives what the edge and the cloud have said
    /// besides their lines, which are in the files `edge` and `cloud`.
    fn hold(&self) -> (String, String) {
        let cloud = self.serve("cloud");
        let edge = self.start(&["run", "g.toml", "--host", "edge", "--speed", "max"], "edge");
        let (code, said) = edge.end();
        assert_eq!(code, Some(0), "{said}");
        cloud.signal("-INT");
        let (code, told) = cloud.end();
        assert_eq!(code, Some(0), "{told}");
        (said, told)
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let arguments = arguments(self.port, words);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        afferent_with(&self.folder, &arguments, &[("AFFERENT_HOME", self.home().as_os_str())])
    }

    /// The lines in a file, without the sessions they are from.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.0.join(name)).expect("it was written");
        text.lines().map(without_session).collect()
    }

    /// Waits until a file has as many lines.
    #[expect(clippy::disallowed_methods, reason = "another process writes it")]
    pub(crate) fn wait_for_lines(&self, name: &str, count: usize) {
        let start = Instant::now();
        while self.lines(name).len() < count {
            assert!(start.elapsed() < PATIENCE, "{name} has {} lines", self.lines(name).len());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The lines of each session, whatever its number.
fn by_session(text: &str) -> BTreeSet<Vec<String>> {
    let mut sessions = BTreeMap::<String, Vec<String>>::new();
    for line in text.lines() {
        let rest = line.split_once("\"session\":").expect("there are many").1;
        let number = rest.split(|letter: char| !letter.is_ascii_digit()).next().expect("one piece");
        sessions.entry(number.to_owned()).or_default().push(without_session(line));
    }
    sessions.into_values().collect()
}

/// The arguments with where the cloud is.
fn arguments(port: u16, words: &[&str]) -> Vec<String> {
    let address = format!("host.cloud.address=[\"127.0.0.1:{port}\"]");
    let words = words.iter().map(|word| (*word).to_owned());
    words.chain(["--set".to_owned(), address]).collect()
}

fn without_session(line: &str) -> String {
    match line.split_once("\"session\":") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
            format!("{before}{}", rest.trim_start_matches(','))
        }
        None => line.to_owned(),
    }
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    heard: String,
}

impl Running {
    /// A program whose stderr is a pipe.
    pub(crate) fn of(mut child: Child) -> Self {
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, said, heard: String::new() }
    }

    /// Reads what it says until something with these words comes.
    pub(crate) fn hear(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.said.read_line(&mut line).expect("stderr is text");
            assert!(read > 0, "it ended without `{words}`: {}", self.heard);
            self.heard += &line;
        }
        line
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("every Unix has `kill`").success());
    }

    /// The code it ends with, and all it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let (status, _) = end_of(&mut self.child);
        self.said.read_to_string(&mut self.heard).expect("stderr is text");
        (status.code(), std::mem::take(&mut self.heard))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the graph says where all of it runs in one process, of the sinks that are left.
fn whole(meeting: &Meeting, without: &[&str]) -> Vec<String> {
    let sets = without.iter().map(|sink| format!("{sink}.enabled=false"));
    let sets: Vec<String> = sets.flat_map(|set| ["--set".to_owned(), set]).collect();
    let mut words = vec!["run", "g.toml", "--speed", "max", "--json"];
    words.extend(sets.iter().map(String::as_str));
    let ended = meeting.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn two_hosts_say_what_one_says() {
    let meeting = Meeting::with(GRAPH);
    let (said, told) = meeting.hold();

    // `far` merges by event time: its lines have one order alone.
    let far = whole(&meeting, &["near", "back"]);
    assert!(far.len() > 40, "{} lines", far.len());
    assert_eq!(meeting.lines("cloud"), far, "{said}{told}");
    let (mut edge, mut near) = (meeting.lines("edge"), whole(&meeting, &["far"]));
    edge.sort();
    near.sort();
    assert_eq!(edge, near, "{said}{told}");
    assert!(said.contains("link     `cloud` session 0: round trip"), "{said}");
    assert!(told.contains("session 0: `edge`"), "{told}");
}

#[test]
fn an_edge_that_is_there_first_says_so_once_and_goes_on_when_the_cloud_is() {
    let meeting = Meeting::with(GRAPH);
    let mut edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "20"], "edge");
    edge.hear("`cloud` does not answer at 127.0.0.1:");

    let cloud = meeting.serve("cloud");
    edge.hear("`cloud` at 127.0.0.1:");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");

    assert_eq!(said.matches("does not answer").count(), 1, "{said}");
    assert_eq!(meeting.lines("cloud"), whole(&meeting, &["near", "back"]), "{said}{told}");
}

/// A minute of a heart, of which the cloud writes a line for each beat and the edge one, too.
pub(crate) const LONG: &str = r#"
[graph]
name = "long"

[host.edge]

[host.cloud]
address = ["127.0.0.1:24433"]

[node.ecg]
op      = "ecg"
on      = "edge"
seconds = 60.0

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

#[test]
fn a_cloud_that_is_killed_loses_nothing_that_it_has_acknowledged() {
    let meeting = Meeting::with(LONG);
    let mut edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "10"], "edge");
    let mut told = String::new();
    for life in 0..3 {
        let cloud = meeting.serve("cloud");
        edge.hear("`cloud` at 127.0.0.1:");
        // Some lines each time, and in the middle of more.
        meeting.wait_for_lines("cloud", 10 * (life + 1));
        cloud.signal("-KILL");
        told += &cloud.end().1;
        edge.hear("`cloud` is gone");
    }
    let cloud = meeting.serve("cloud");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.signal("-INT");
    let (code, last) = cloud.end();
    assert_eq!(code, Some(0), "{told}{last}");

    let (near, far) = (meeting.lines("edge"), meeting.lines("cloud"));
    let missing: Vec<_> = near.iter().filter(|line| !far.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:?}\n{said}{told}{last}");
    // What was written and not acknowledged when it died comes again, and nothing else.
    let mut once = far.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), near.len(), "{said}");
}

#[test]
fn what_differs_between_two_hosts_is_said_on_both() {
    let meeting = Meeting::with(GRAPH);
    let mut cloud = meeting.serve("cloud");
    let ended = meeting.run(&["run", "g.toml", "--host", "edge", "--set", "ecg.rate_hz=500"]);

    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    // Whoever of the two saw it first.
    let differs = [
        "edge `ecg -> pieces`: rate_hz is `500` on the calling host and `250` on the called one",
        "edge `ecg -> pieces`: rate_hz is `250` on the called host and `500` on the calling one",
    ];
    assert!(differs.iter().any(|said| ended.stderr.contains(said)), "{}", ended.stderr);
    cloud.hear("rate_hz is `");
    cloud.signal("-INT");
    assert_eq!(cloud.end().0, Some(0));
}

#[test]
fn a_set_on_the_other_hosts_node_is_reported_and_not_refused() {
    let meeting = Meeting::with(GRAPH);
    let cloud = meeting.serve("cloud");
    let words = ["run", "g.toml", "--host", "edge", "--speed", "max", "--set", "hrv.every_s=2"];
    let ended = meeting.run(&words);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let note = "note: `hrv` runs on another host; `--set hrv.every_s=2` counts there only if";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
    cloud.signal("-INT");
    assert_eq!(cloud.end().0, Some(0));
}

#[test]
fn many_edges_have_a_session_each() {
    let meeting = Meeting::with(LONG);
    let cloud = meeting.serve("cloud");
    let words = ["run", "g.toml", "--host", "edge", "--speed", "max", "--sessions", "5"];
    let ended = meeting.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");

    let far = std::fs::read_to_string(meeting.folder.0.join("cloud")).expect("it was written");
    // Who calls first is the first session there, whatever it is here.
    let (near, far) = (by_session(&ended.stdout), by_session(&far));
    assert_eq!(far.len(), 5, "{told}");
    assert!(far.iter().all(|lines| lines.len() > 50), "{told}");
    assert_eq!(far, near, "{told}");
    assert!(told.contains("5 sessions"), "{told}");
}

#[test]
fn an_interrupt_on_the_edge_ends_its_session_and_what_is_inside_arrives() {
    let meeting = Meeting::with(LONG);
    let mut cloud = meeting.serve("cloud");
    let mut edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "4"], "edge");
    edge.hear("`cloud` at 127.0.0.1:");
    meeting.wait_for_lines("cloud", 5);
    edge.signal("-INT");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.hear("session 0 of `edge` has ended");
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");

    assert_eq!(meeting.lines("cloud"), meeting.lines("edge"), "{said}{told}");
    assert!(told.contains("long: drained"), "{told}");
}

#[test]
fn check_tells_who_runs_what_and_how_edges_travel() {
    let meeting = Meeting::with(GRAPH);
    let whole = meeting.run(&["check", "g.toml"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert!(
        whole.stdout.contains("host     edge: ecg, clean, beats, near, back\n"),
        "{}",
        whole.stdout
    );
    assert!(whole.stdout.contains("host     cloud: "), "{}", whole.stdout);

    let edge = meeting.run(&["check", "g.toml", "--host", "edge"]);
    assert_eq!(edge.code, Some(0), "{}", edge.stderr);
    let told =
        "link     beats -> hrv: edge to cloud, a stream from which nothing is lost, 64 frames";
    assert!(edge.stdout.contains(told), "{}", edge.stdout);

    let picture = meeting.run(&["draw", "g.toml"]).stdout;
    assert!(picture.contains("  subgraph h1[\"cloud\"]\n"), "{picture}");
    assert!(picture.contains(" ==>|"), "{picture}");

    let wrong = meeting.run(&["check", "g.toml", "--host", "egde"]);
    assert_eq!(wrong.code, Some(78), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("did you mean `edge`?"), "{}", wrong.stderr);
}

#[test]
fn who_calls_and_who_is_called_is_told() {
    let meeting = Meeting::with(GRAPH);
    let run = meeting.run(&["run", "g.toml", "--host", "cloud"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("`afferent serve g.toml --host cloud`"), "{}", run.stderr);

    let serve = meeting.run(&["serve", "g.toml", "--host", "edge"]);
    assert_eq!(serve.code, Some(2), "{}", serve.stderr);
    assert!(serve.stderr.contains("`afferent run g.toml --host edge`"), "{}", serve.stderr);

    let lonely = Meeting::with(&GRAPH.replace("address = [\"127.0.0.1:24433\"]", "resume_s = 5.0"));
    let ended = afferent_with(
        &lonely.folder,
        &["run", "g.toml", "--host", "edge"],
        &[("AFFERENT_HOME", lonely.home().as_os_str())],
    );
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("error[no-address]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("neither has an address"), "{}", ended.stderr);
    let checked = afferent(&lonely.folder, &["check", "g.toml"]);
    assert_eq!(checked.code, Some(78), "{}", checked.stderr);
    assert_eq!(checked.stderr.matches("neither has an address").count(), 1, "{}", checked.stderr);
}

#[test]
fn a_spool_that_would_keep_nothing_is_told_and_one_that_does_says_what() {
    let graph = LONG.replace("[host.edge]\n", "[host.edge]\nspool = \"kept\"\n");
    let kept = Meeting::with(&graph).run(&["check", "g.toml", "--host", "edge"]);
    assert_eq!((kept.code, &kept.stderr[..]), (Some(0), ""));
    assert!(kept.stdout.contains("spool    kept: beats -> far\n"), "{}", kept.stdout);

    let idle = Meeting::with(
        &graph.replace("on   = \"cloud\"", "on = \"cloud\"\non_full = \"drop_oldest\""),
    );
    for words in [
        &["check", "g.toml"][..],
        &["check", "g.toml", "--host", "edge"],
        &["run", "g.toml", "--host", "edge", "--speed", "max"],
    ] {
        let ended = idle.run(words);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let told = "all that `edge` sends may be dropped, such as `beats -> far`";
        assert!(ended.stderr.contains(told), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("g.toml:6:9"), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("`on_full = \"block\"` at `far`"), "{}", ended.stderr);
    }
}

#[test]
fn all_that_is_to_be_looked_at_on_any_host_is_told_at_once_and_denied_where_that_is_asked() {
    // What a host's own `set` makes dull, an edge that keeps nothing, and a filter that is dull anywhere.
    let dull = "[node.dull]\nop = \"lowpass\"\nfrom = \"ecg\"\ncutoff_hz = 124.0\n\n\
                [node.rest]\nop = \"null\"\nfrom = \"dull\"\n";
    let graph = LONG
        .replace("[host.edge]\n", "[host.edge]\nspool = \"kept\"\nset = { \"clean.high_hz\" = 124.9, \"clean.low_hz\" = 124.0 }\n")
        .replace("on   = \"cloud\"", "on = \"cloud\"\non_full = \"drop_oldest\"");
    let meeting = Meeting::with(&format!("{graph}\n{dull}"));
    let told =
        ["[useless]: `dull`", "[no-effect]: `spool` keeps nothing", "[out-of-range]: `clean`"];
    for (words, code, level, sum) in [
        (&["check", "g.toml"][..], 0, "warning", "\n3 warnings\n"),
        (
            &["check", "g.toml", "--deny-warnings"],
            78,
            "error",
            "\n3 problems; nothing was started\n",
        ),
        (
            &["check", "g.toml", "--host", "edge", "--deny-warnings"],
            78,
            "error",
            "\n3 problems; nothing was started\n",
        ),
    ] {
        let ended = meeting.run(words);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        let all = told.map(|what| format!("{level}{what}"));
        assert!(all.iter().all(|what| ended.stderr.contains(what)), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.ends_with(sum), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn a_host_that_listens_here_alone_though_others_should_reach_it_says_so() {
    let meeting = Meeting::with(LONG);
    let address = format!("host.cloud.address=[\"box.invalid:{}\"]", meeting.port);
    let serve = ["serve", "g.toml", "--host", "cloud", "--set", &address];
    let home = [("AFFERENT_HOME", meeting.home())];
    let variables = home.each_ref().map(|(name, home)| (*name, home.as_os_str()));
    let mut cloud = Running::of(start_with(&meeting.folder, &serve, &variables));
    let told = cloud.hear("note: ");
    assert!(told.contains("listens on this machine alone"), "{told}");
    assert!(told.contains("`--listen 0.0.0.0`"), "{told}");
    cloud.hear(&format!(" listens at 127.0.0.1:{}", meeting.port));
    drop(cloud);

    // What the note says leads on: nobody is paired yet.
    let words = [&serve[..], &["--listen", "0.0.0.0"]].concat();
    let ended = afferent_with(&meeting.folder, &words, &variables);
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("afferent pair"), "{}", ended.stderr);
}

#[test]
fn with_a_spool_an_outage_holds_nothing_up_and_loses_nothing() {
    let meeting = Meeting::with(LONG);
    let spool = ["--set", "host.edge.spool=kept"];
    let words = [&["run", "g.toml", "--host", "edge", "--speed", "10"], &spool[..]].concat();
    let mut edge = meeting.start(&words, "edge");
    edge.hear("`cloud` does not answer at 127.0.0.1:");
    // Four times what the edge may hold in memory.
    meeting.wait_for_lines("edge", 12);
    let cloud =
        meeting.start(&[&["serve", "g.toml", "--host", "cloud"], &spool[..]].concat(), "cloud");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");

    assert_eq!(meeting.lines("cloud"), meeting.lines("edge"), "{said}{told}");
    assert!(!said.contains("the graph waits"), "{said}");
}

#[test]
fn what_waits_in_a_spool_is_told_and_no_other_recording_is_put_behind_it() {
    let meeting = Meeting::with(LONG);
    let words =
        ["run", "g.toml", "--host", "edge", "--speed", "max", "--set", "host.edge.spool=kept"];
    let alone = meeting.run(&words);
    assert_eq!(alone.code, Some(0), "{}", alone.stderr);
    assert!(alone.stderr.contains("they wait in `kept`"), "{}", alone.stderr);
    assert!(alone.stderr.contains("`cloud` never answered"), "{}", alone.stderr);

    let again = meeting.run(&words);
    assert_eq!(again.code, Some(74), "{}", again.stderr);
    assert!(again.stderr.contains("frames of an earlier run"), "{}", again.stderr);
    assert!(again.stderr.contains("afferent spool drain kept"), "{}", again.stderr);
}

#[test]
fn a_network_that_is_gone_for_a_while_ends_no_session_and_loses_nothing() {
    let meeting = Meeting::with(LONG);
    let mut cloud = meeting.serve("cloud");
    let ways = [1, 2].map(|seed| Way::new(Weather::calm(5_000_000), seed));
    let relay = Relay::start((Ipv4Addr::LOCALHOST, meeting.port).into(), ways).expect("a socket");
    let words = ["run", "g.toml", "--host", "edge", "--speed", "5"];
    let mut edge = meeting.start_to(relay.address().port(), &words, "edge");
    meeting.wait_for_lines("cloud", 5);
    relay.set_out(true);
    edge.hear("`cloud` is gone");
    cloud.hear("`edge` is gone");
    relay.set_out(false);
    edge.hear("is back");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.signal("-INT");
    let (code, told) = cloud.end();
    assert_eq!(code, Some(0), "{told}");

    assert_eq!(meeting.lines("cloud"), meeting.lines("edge"), "{said}{told}");
    assert!(told.contains("is back") && !told.contains("session 1"), "{told}");
    assert!(said.contains("1 outage"), "{said}");
}

#[test]
fn an_edge_goes_on_with_the_cloud_that_follows_one_that_ended_well() {
    let meeting = Meeting::with(GRAPH);
    let first = meeting.serve("first");
    let mut edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "2"], "edge");
    meeting.wait_for_lines("first", 3);
    first.signal("-INT");
    let (code, told) = first.end();
    assert_eq!(code, Some(0), "{told}");
    edge.hear("`cloud` is gone");

    let second = meeting.serve("second");
    edge.hear("is back");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    second.signal("-INT");
    assert_eq!(second.end().0, Some(0));
    // What the second cloud finds still comes back.
    let from = |name: &str, node: &str| {
        let tag = format!("\"node\":\"{node}\"");
        meeting.lines(name).into_iter().filter(|line| line.contains(&tag)).collect::<Vec<_>>()
    };
    let last = from("second", "hrv").pop().expect("it told of the heart");
    assert!(from("edge", "hrv").contains(&last), "{said}");
}

#[test]
fn the_session_of_an_edge_that_stays_away_is_over_after_a_while() {
    let meeting = Meeting::with(&LONG.replace("address = ", "resume_s = 1.0\naddress = "));
    let mut cloud = meeting.serve("cloud");
    let edge = meeting.start(&["run", "g.toml", "--host", "edge", "--speed", "4"], "edge");
    meeting.wait_for_lines("cloud", 3);
    edge.signal("-KILL");
    cloud.hear("its session is kept for 1 s");
    cloud.hear("session 0 of `edge` has ended");
    cloud.signal("-INT");
    assert_eq!(cloud.end().0, Some(0));
}

#[cfg(feature = "whisper")]
#[test]
fn what_an_edge_hears_the_cloud_understands_as_one_host_does() {
    use afferent_suite::data;
    let Some(data) = data::folder() else { return };
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/hybrid_voice.toml");
    let graph = std::fs::read_to_string(graph).expect("it is shipped");
    let file = |name: &str| data.join(name).display().to_string();
    let jfk = format!("op = \"audio\"\nfile = {:?}", file("ggml-org+whisper.cpp/samples/jfk.wav"));
    let model = format!("{:?}", file("derived-models/ggml-micro-random.en.bin"));
    let graph = graph.replacen("op = \"audio\"", &jfk, 1).replace("\"ggml-tiny.bin\"", &model);
    // Which partials come depends on how busy the machine is, and with them what finals go on from; so does whether a
    // final was begun early.
    let graph = graph.replace("\nlanguage = \"en\"", "\nlanguage = \"en\"\npartial_s = 0.0");
    assert!(graph.contains("partial_s"), "{graph}");
    let meeting = Meeting::with(&graph);
    let (said, told) = meeting.hold();

    let finals = |lines: &[String]| -> Vec<(i64, String, String)> {
        let lines = lines.iter().map(|line| -> serde_json::Value {
            serde_json::from_str(line).expect("a line of JSON")
        });
        let finals = lines.filter(|line| line["what"] == "final");
        let text = |line: &serde_json::Value, field: &str| line[field].to_string();
        finals
            .map(|it| {
                (it["turn"].as_i64().expect("a number"), text(&it, "start_s"), text(&it, "text"))
            })
            .collect()
    };
    let far = finals(&meeting.lines("cloud"));
    assert!(far.len() >= 2, "{far:?}: {said}{told}");
    assert_eq!(far, finals(&whole(&meeting, &["segments"])), "{said}{told}");
    assert_eq!(meeting.lines("edge"), whole(&meeting, &["out"]), "{said}{told}");
}
