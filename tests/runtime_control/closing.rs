//! What was inside when a session was closed is accounted for.

use afferent_suite::kinds::tally;
use engine::Gap;

use crate::{ENDLESS, chain, edge, finish, kinds, start, until};

const CLOSED: usize = Gap::Closed as usize - 1;

/// A source that fills the ring of a sink that takes nothing.
fn graph(name: &str) -> String {
    format!(
        r#"
        [graph]
        name = "closing"
        [node.count]
        op = "count"
        samples = 1_000_000_000
        [node.{name}]
        op = "clogged"
        from = {{ in = {{ node = "count", capacity_ms = 100, on_full = "block" }} }}
        "#
    )
}

#[test]
fn frames_of_a_closed_session_are_dropped_and_not_in_flight_for_ever() {
    let running = start(&graph("shut"), 2);
    kinds::wait_for_one_at("shut");
    until(&running, |report| edge(report, "count", "shut").sent >= 10);
    running.close(0).expect("open");
    let report = running.report();
    let closed = edge(&report, "count", "shut");
    assert!(report.is_balanced(), "{closed:?}");
    assert!(closed.dropped[CLOSED] >= 4, "{closed:?}");
    assert!(report.dropped().iter().any(|(gap, _)| gap.word() == "closed"));

    running.stop();
    assert_eq!(finish(&running), None);
    let stopped = edge(&running.report(), "count", "shut");
    assert_eq!(stopped.sent, stopped.taken + stopped.dropped[CLOSED], "{stopped:?}");
    kinds::open("shut");
}

#[test]
fn a_sink_that_hangs_holds_up_neither_a_device_nor_another_sink() {
    let running = start(
        r#"
        [graph]
        name = "pipe"
        [node.device]
        op = "device"
        [node.pipe]
        op = "clogged"
        from = "device"
        [node.pipe_other]
        op = "waiting_tally"
        from = "device"
        "#,
        1,
    );
    kinds::wait_for_one_at("pipe");
    let before = edge(&running.report(), "device", "pipe_other").taken;
    until(&running, |report| edge(report, "device", "pipe_other").taken > before + 10);

    kinds::open("pipe");
    running.drain();
    assert_eq!(finish(&running), None);
    afferent_suite::kinds::tally("pipe_other");
}

#[test]
fn a_body_that_hangs_while_it_is_dropped_holds_up_no_other_session() {
    let text = chain("lingers", "lingers", ENDLESS, "only = 0");
    let text = format!("{text}\n[node.lingers_kept]\nop = \"kept\"\nfrom = \"lingers\"\n");
    let running = start(&text, 3);
    running.close(0).expect("open");
    kinds::wait_for_one_at("lingers");

    running.close(1).expect("open");
    until(&running, |_| kinds::bodies("lingers_kept/1") == 0);
    kinds::open("lingers");
    running.drain();
    assert_eq!(finish(&running), None);
    tally("lingers_out");
}
