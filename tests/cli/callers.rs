//! `afferent serve`: who is turned away is told and counted there, and what `--metrics` says of links.

use std::path::Path;

use crate::{
    hosts::{LONG, Meeting, Running},
    offload,
    program::afferent_with,
    scrape::{get, value},
};

const SERVE: [&str; 6] = ["serve", "g.toml", "--host", "cloud", "--metrics", "127.0.0.1:0"];
const RUN: [&str; 8] =
    ["run", "g.toml", "--host", "edge", "--speed", "5", "--metrics", "127.0.0.1:0"];

/// Where a program that was just started gives its figures.
fn metrics(program: &mut Running) -> String {
    let line = program.hear("metrics at http://");
    let address = line.trim().strip_prefix("metrics at http://").expect("it says where");
    address.strip_suffix("/metrics").expect("it says where").to_owned()
}

fn refused(page: &str, graph: &str, reason: &str) -> f64 {
    let labels = format!("{{graph=\"{graph}\",reason=\"{reason}\"}}");
    value(page, &format!("afferent_link_refused_total{labels}"))
}

/// Our own key, as a user with this home sees it.
fn key(meeting: &Meeting, home: &Path) -> String {
    let variables = [("AFFERENT_HOME", home.as_os_str())];
    let ended = afferent_with(&meeting.folder, &["peers", "key"], &variables);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout.trim().to_owned()
}

fn add(meeting: &Meeting, home: &Path, name: &str, key: &str) {
    let variables = [("AFFERENT_HOME", home.as_os_str())];
    let ended = afferent_with(&meeting.folder, &["peers", "add", name, key], &variables);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_key_that_is_not_listed_is_told_on_both_hosts_and_what_is_said_there_helps() {
    let meeting = Meeting::with(LONG);
    let theirs = meeting.folder.0.join("theirs");
    add(&meeting, &theirs, "cloud", &key(&meeting, &meeting.home()));
    let their_key = key(&meeting, &theirs);
    let mut cloud = meeting.start(&SERVE, "cloud");
    let figures = metrics(&mut cloud);
    let mut edge = meeting.start_of(&theirs, &RUN, "edge");

    let told = cloud.hear("was turned away");
    let remedy = format!("`afferent peers add NAME {their_key}`");
    assert!(told.contains("its key is not listed here") && told.contains(&remedy), "{told}");
    let said = edge.hear("`cloud` does not answer");
    assert!(said.contains("does not know this host's key") && said.contains(&their_key), "{said}");
    assert!(refused(&get(&figures), "long", "stranger") > 0.0);

    add(&meeting, &meeting.home(), "edge", &their_key);
    edge.hear("`cloud` at 127.0.0.1");
    let (code, said) = edge.end();
    assert_eq!(code, Some(0), "{said}");
    cloud.signal("-INT");
    let (code, heard) = cloud.end();
    assert_eq!(code, Some(0), "{heard}");
    assert_eq!(
        heard.matches("was turned away").count(),
        1,
        "once, however often it calls: {heard}"
    );
}

#[test]
fn an_edge_that_runs_takes_up_who_is_added_and_lets_go_of_who_is_removed() {
    let meeting = Meeting::with(LONG);
    let theirs = meeting.folder.0.join("theirs");
    let (our_key, their_key) = (key(&meeting, &meeting.home()), key(&meeting, &theirs));
    add(&meeting, &meeting.home(), "edge", &their_key);
    let mut cloud = meeting.start(&SERVE, "cloud");
    cloud.hear(" listens at 127.0.0.1:");
    let mut edge =
        meeting.start_of(&theirs, &["run", "g.toml", "--host", "edge", "--speed", "1"], "edge");
    let said = edge.hear("`cloud` does not answer");
    assert!(said.contains("a key that this one does not know"), "{said}");
    let told = cloud.hear("was turned away");
    let remedy = format!("there `afferent peers add NAME {our_key}`");
    assert!(told.contains("it does not know this host's key") && told.contains(&remedy), "{told}");

    add(&meeting, &theirs, "cloud", &our_key);
    edge.hear("`cloud` at 127.0.0.1");
    let variables = [("AFFERENT_HOME", theirs.as_os_str())];
    let removed = afferent_with(&meeting.folder, &["peers", "remove", "cloud"], &variables);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    cloud.signal("-KILL");
    drop(cloud);
    edge.hear("`cloud` is gone");
    let mut again = meeting.start(&SERVE, "cloud");
    again.hear("it does not know this host's key");
}

#[test]
fn a_list_of_peers_that_cannot_be_read_is_told_with_its_place_and_only_here() {
    let meeting = Meeting::with(LONG);
    let theirs = meeting.folder.0.join("theirs");
    add(&meeting, &theirs, "cloud", &key(&meeting, &meeting.home()));
    std::fs::write(meeting.home().join("peers.toml"), "[peer.\n").expect("a folder");
    let mut cloud = meeting.start(&SERVE, "cloud");
    let figures = metrics(&mut cloud);
    let mut edge = meeting.start_of(&theirs, &RUN, "edge");

    let told = cloud.hear("was turned away");
    assert!(told.contains("peers.toml:1") && told.contains("mend it"), "{told}");
    let said = edge.hear("`cloud` does not answer");
    assert!(said.contains("cannot read its list of peers"), "{said}");
    assert!(!said.contains(&meeting.home().display().to_string()), "{said}");
    assert!(refused(&get(&figures), "long", "list") > 0.0);
}

#[test]
fn where_all_sessions_are_taken_the_next_hears_so_and_gets_in_when_there_is_room() {
    let meeting = Meeting::with(LONG);
    let words: Vec<&str> = SERVE.into_iter().chain(["--sessions-max", "1"]).collect();
    let mut cloud = meeting.start(&words, "cloud");
    let figures = metrics(&mut cloud);
    let mut first = meeting.start(&RUN, "first");
    first.hear("`cloud` at 127.0.0.1");
    let mut second = meeting.start(&RUN, "second");

    let told = cloud.hear("was turned away");
    assert!(told.contains("1 session open") && told.contains("--sessions-max"), "{told}");
    let said = second.hear("`cloud` does not answer");
    assert!(said.contains("1 session open"), "{said}");
    let page = get(&figures);
    assert!(refused(&page, "long", "sessions") > 0.0);
    assert_eq!(refused(&page, "long", "stranger"), 0.0);

    first.signal("-INT");
    assert_eq!(first.end().0, Some(0));
    second.hear("`cloud` at 127.0.0.1");
}

#[test]
fn a_port_that_is_taken_is_told_with_the_address_and_a_remedy() {
    let meeting = Meeting::with(LONG);
    let _taken = meeting.serve("cloud");
    let ended = meeting.run(&["serve", "g.toml", "--host", "cloud"]);
    let place = format!("cannot listen at 127.0.0.1:{}: ", meeting.port);
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains(&place), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("hint: ") && ended.stderr.contains("--listen"),
        "{}",
        ended.stderr
    );
}

#[test]
fn both_hosts_give_the_figures_of_their_link() {
    let meeting = Meeting::with(LONG);
    let mut cloud = meeting.start(&SERVE, "cloud");
    let there = metrics(&mut cloud);
    let mut edge = meeting.start(&RUN, "edge");
    let here = metrics(&mut edge);
    meeting.wait_for_lines("cloud", 10);
    let (here, there) = (get(&here), get(&there));

    for (page, peer) in [(&here, "cloud"), (&there, "edge")] {
        let of = |name: &str| {
            let labels = format!("{{graph=\"long\",peer=\"{peer}\",session=\"0\"}}");
            value(page, &format!("afferent_link_{name}{labels}"))
        };
        assert_eq!(value(page, "afferent_links_up{graph=\"long\"}"), 1.0);
        assert_eq!((of("up"), of("connections_total"), of("malformed_total")), (1.0, 1.0, 0.0));
        let rtt_s = of("rtt_seconds");
        assert!(0.0 < rtt_s && rtt_s < 1.0, "{rtt_s}");
        assert!((0.0..=1.0).contains(&of("loss_ratio")) && of("bytes_per_second") > 0.0);
        assert!(of("clock_uncertainty_seconds") > 0.0 && of("clock_offset_seconds").is_finite());
    }
    let frames = |page: &str, name: &str| -> f64 {
        let series = page.lines().filter(|line| line.starts_with(name) && line.contains("edge=\""));
        series
            .map(|line| line.rsplit_once(' ').expect("a value").1.parse::<f64>().expect("one"))
            .sum()
    };
    let sent = frames(&here, "afferent_link_sent_frames_total");
    let received = frames(&there, "afferent_link_received_frames_total");
    // Looked at a moment later than what was sent, but not all that came is acknowledged.
    assert!(0.0 < sent && sent <= received, "{sent} sent, {received} received: {here}");
    assert!(!here.contains("afferent_link_refused_total"), "nobody can call the edge");
    assert_eq!(refused(&there, "long", "stranger"), 0.0);
}

#[test]
fn both_hosts_tell_where_calls_that_move_are_answered() {
    let meeting = Meeting::with(&offload::graph());
    let mut cloud = meeting.start(&SERVE, "cloud");
    let there = metrics(&mut cloud);
    let mut edge = meeting.start(&RUN, "edge");
    let here = metrics(&mut edge);
    meeting.wait_for_lines("edge", 10);
    let page = get(&here);

    let labels = "{graph=\"offload\",node=\"kind\"";
    let of = |name: &str, host: &str| {
        let host = if host.is_empty() { String::new() } else { format!(",host=\"{host}\"") };
        value(&page, &format!("afferent_call_{name}{labels}{host}}}"))
    };
    let answers = of("answers_total", "edge") + of("answers_total", "cloud");
    assert!(answers >= 10.0, "a line is an answer: {page}");
    assert_eq!(of("sessions", "edge") + of("sessions", "cloud"), 1.0);
    for host in ["edge", "cloud"] {
        assert!(of("missed_total", host) >= 0.0);
    }
    assert!(of("moves_total", "") >= 0.0 && of("hedged_total", "") >= 0.0);
    assert!(of("doubted_total", "") >= 0.0);
    assert!(get(&there).contains("afferent_link_up"));
}
