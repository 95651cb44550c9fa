//! What was asked of a session holds for the successor of a stage that was given up.

use afferent_suite::kinds::tally;
use engine::{Gap, RunOptions};

use crate::{edge, finish, kinds, planned, start, until};

/// A source without an end in one stage with a node that hangs.
fn graph(name: &str, wedge_ms: u32) -> String {
    format!(
        r#"
        [graph]
        name = "wedges"
        [node.count]
        op = "count"
        samples = 1_000_000_000
        [node.{name}]
        op = "stuck"
        from = "count"
        at = 100
        only = 0
        wedge_ms = {wedge_ms}
        [node.{name}_out]
        op = "tally"
        from = "{name}"
        "#
    )
}

#[test]
fn a_session_is_drained_although_a_body_never_returned() {
    let running = start(&graph("drained", 300), 1);
    kinds::wait_for_one_at("drained");
    running.drain();

    assert_eq!(finish(&running), None);
    let report = running.report();
    assert_eq!(report.node("drained").expect("a node").restarts, 1);
    assert_eq!(edge(&report, "count", "drained").dropped[Gap::Wedged as usize - 1], 1);
    kinds::open("drained");
    tally("drained_out");
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

/// Set where this test runs again as a process of its own.
const CHILD: &str = "AFFERENT_TEST_LOSES_THREADS";

#[test]
fn a_process_that_has_lost_four_threads_ends_with_70_at_the_next() {
    if std::env::var_os(CHILD).is_some() {
        // Six sessions on one core hang one after the other, and nothing lets them go.
        let text = graph("lost", 50).replace("only = 0", "");
        let options = RunOptions { sessions: 6, ..RunOptions::default() };
        let running = planned(&text).start(&options).expect("bodies can be built");
        running.wait_for(crate::LIMIT);
        return;
    }
    let this = std::env::current_exe().expect("a test is a program");
    let name = "wedges::a_process_that_has_lost_four_threads_ends_with_70_at_the_next";
    let child = std::process::Command::new(this).args(["--exact", name]).env(CHILD, "1").output();
    let child = child.expect("runs");
    assert_eq!(child.status.code(), Some(70), "{}", String::from_utf8_lossy(&child.stdout));
}
