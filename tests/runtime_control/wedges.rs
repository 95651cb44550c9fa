//! What was asked of a session holds for the successor of a stage that was given up.

use afferent_suite::kinds::{tallied, tally};
use engine::{Gap, RunOptions};

const WEDGED: usize = Gap::Wedged as usize - 1;

use crate::{ENDLESS, LIMIT, chain, edge, finish, kinds, planned, start, until};

/// A source without an end in one stage with a node that hangs.
fn graph(name: &str, wedge_ms: u32) -> String {
    chain(name, "stuck", ENDLESS, &format!("at = 100\nonly = 0\nwedge_ms = {wedge_ms}"))
}

#[test]
fn a_session_is_drained_although_a_body_never_returned() {
    let running = start(&graph("drained", 300), 1);
    kinds::wait_for_one_at("drained");
    running.drain();

    assert_eq!(finish(&running), None);
    let report = running.report();
    assert_eq!(report.node("drained").expect("a node").restarts, 1);
    assert_eq!(edge(&report, "count", "drained").dropped[WEDGED], 1);
    kinds::open("drained");
    tally("drained_out");
}

#[test]
fn a_device_that_ends_while_a_body_hangs_has_ended_for_its_successor() {
    let text = graph("outlived", 300)
        .replace(&format!("op = \"count\"\n        samples = {ENDLESS}"), "op = \"device\"");
    let running = start(&text, 1);
    kinds::wait_for_one_at("outlived");
    running.drain();

    assert_eq!(finish(&running), None);
    assert_eq!(running.report().node("outlived").expect("a node").restarts, 1);
    kinds::open("outlived");
    tally("outlived_out");
}

#[test]
fn a_paused_session_stays_paused_although_a_body_never_returned() {
    let running = start(&graph("paused", 300), 1);
    kinds::wait_for_one_at("paused");
    running.pause(0).expect("open");
    until(&running, |report| report.node("paused").expect("a node").restarts == 1);
    // The successor had its first turns: what was asked of it by now has been done.
    running.save(0).expect("answers");
    let sent = edge(&running.report(), "count", "paused").sent;
    running.wait_for(std::time::Duration::from_millis(200));
    assert_eq!(edge(&running.report(), "count", "paused").sent, sent);

    running.resume(0).expect("open");
    until(&running, |report| edge(report, "count", "paused").sent > sent);
    running.drain();
    assert_eq!(finish(&running), None);
    kinds::open("paused");
    tally("paused_out");
}

#[test]
fn a_session_that_hangs_can_be_closed_and_the_others_on_its_core_go_on() {
    let running = start(&graph("closed", 300), 2);
    kinds::wait_for_one_at("closed");
    // At once: the watchdog has not seen it at work yet.
    running.close(0).expect("open");

    let before = edge(&running.report(), "closed", "closed_out").taken;
    until(&running, |report| edge(report, "closed", "closed_out").taken > before + 10);
    running.drain();
    assert_eq!(finish(&running), None);
    assert_eq!(running.report().sessions, (2, 0));
    kinds::open("closed");
    tally("closed_out");
}

#[test]
fn a_thread_that_never_comes_back_keeps_no_more_than_its_own_cell() {
    let text = graph("holds", 300).replace("from = \"holds\"", "from = \"kept\"");
    let running = start(&format!("{text}\n[node.kept]\nop = \"kept\"\nfrom = \"holds\"\n"), 2);
    kinds::wait_for_one_at("holds");
    until(&running, |report| report.node("holds").expect("a node").restarts == 1);
    assert_eq!((kinds::bodies("kept/0"), kinds::bodies("kept/1")), (2, 1));

    running.close(1).expect("open");
    until(&running, |_| kinds::bodies("kept/1") == 0);
    drop(running);
    assert_eq!(kinds::bodies("kept/0"), 1, "the thread is in it still");
    kinds::open("holds");
    tally("holds_out");
}

/// Two nodes of two stages on two cores, one of which hangs and the other dies, and whose second
/// build hangs: new rings come while it is in trouble.
fn in_trouble(name: &str, stages: [&str; 2], at: [u32; 2]) -> (Vec<f32>, u64) {
    let node = |n: usize, from: &str| {
        let (op, at) = (stages[n], at[n]);
        let more = if op == "stuck" { "wedge_ms = 300" } else { "" };
        format!(
            "[node.{name}_{op}]\nop = \"{op}\"\nfrom = \"{from}\"\nat = {at}\nstage = \"{op}\"\n\
             core = {n}\n{more}\n"
        )
    };
    let text = format!(
        "[graph]\nname = \"trouble\"\n[node.count]\nop = \"count\"\nsamples = 1_000\nstage = \"{}\"\n\
         core = 0\n{}{}\
         [node.{name}]\nop = \"waiting_tally\"\nfrom = \"{name}_{}\"\n",
        stages[0],
        node(0, "count"),
        node(1, &format!("{name}_{}", stages[0])),
        stages[1]
    );
    let options = RunOptions { cores: 2, ..RunOptions::default() };
    let running = planned(&text).start(&options).expect("bodies can be built");
    let [stuck, slow] = ["stuck", "slow"].map(|op| format!("{name}_{op}"));
    kinds::wait_for_one_at(&stuck);
    kinds::wait_for_one_at(&slow);
    until(&running, |report| report.node(&stuck).expect("a node").restarts == 1);
    // Its neighbours answer: they have been told.
    running.save(0).expect("answers");
    kinds::open(&slow);
    assert_eq!(finish(&running), None);
    let report = running.report();
    let lost = report.edges.iter().map(|edge| edge.frames.dropped[WEDGED]).sum();
    kinds::open(&stuck);
    (tallied(name).0, lost)
}

#[test]
fn a_stage_in_trouble_takes_new_rings_like_any_other() {
    let want = |lost: [u32; 2]| -> Vec<f32> {
        let is_lost = |n: &u32| lost.iter().any(|at| (*at..at + 10).contains(n));
        (0..1_000).filter(|n| !is_lost(n)).map(|n| n as f32).collect()
    };
    // Its producer hangs, and later itself gets new frames; nothing that came through is lost.
    let (samples, lost) = in_trouble("below", ["stuck", "slow"], [150, 100]);
    assert_eq!((samples, lost), (want([150, 100]), 1));
    // Its consumer hangs, with what has come in since in the ring between them.
    let (samples, lost) = in_trouble("above", ["slow", "stuck"], [100, 50]);
    let from = samples.iter().position(|&sample| sample >= 50.0).expect("it goes on");
    assert_eq!(samples[..from], want([50, 100])[..50]);
    assert_eq!(samples.len() as u64, 1_000 - 10 * (lost + 1), "what is not there was counted");
}

#[test]
fn what_a_successor_sends_before_a_sink_knows_its_ring_is_not_lost() {
    let name = "unaware";
    let text = graph(name, 300).replace(
        &format!("op = \"tally\"\n        from = \"{name}\""),
        &format!(
            "op = \"clogged\"\n        from = {{ in = {{ node = \"{name}\", on_full = \"block\", \
             capacity_ms = 1_000 }} }}"
        ),
    );
    let running = start(&text, 1);
    let out = format!("{name}_out");
    kinds::wait_for_one_at(&out);
    kinds::wait_for_one_at(name);
    let sent = edge(&running.report(), name, &out).sent;
    // Nobody waits for ever for a sink that hangs.
    until(&running, |report| edge(report, name, &out).sent > sent + 5);
    kinds::open(&out);
    running.drain();
    assert_eq!(finish(&running), None);
    let counted = edge(&running.report(), name, &out);
    assert_eq!((counted.taken, counted.dropped[WEDGED]), (counted.sent, 0), "{counted:?}");
    kinds::open(name);
}

/// Set where this test runs again as a process of its own.
const CHILD: &str = "AFFERENT_TEST_LOSES_THREADS";

#[test]
fn a_process_that_has_lost_four_threads_ends_with_70_at_the_next() {
    if std::env::var_os(CHILD).is_some() {
        // Six sessions on one core hang one after the other, and nothing lets them go.
        let text = graph("lost", 50).replace("only = 0", "");
        let options = RunOptions { sessions: 6, ..RunOptions::default() };
        let running = planned(&text).start(&options).expect("bodies can be built");
        running.wait_for(LIMIT);
        return;
    }
    let this = std::env::current_exe().expect("a test is a program");
    let name = "wedges::a_process_that_has_lost_four_threads_ends_with_70_at_the_next";
    let child = std::process::Command::new(this).args(["--exact", name]).env(CHILD, "1").output();
    let child = child.expect("runs");
    assert_eq!(child.status.code(), Some(70), "{}", String::from_utf8_lossy(&child.stdout));
}
