//! Control answers while a body spins.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use afferent_suite::kinds::tally;
use engine::{ControlError, RunOptions};

use crate::{finish, kinds, planned, start, until};

/// As many as would keep a supervisor that waits for answers busy for long.
const ASKED: usize = 4;

#[test]
fn other_sessions_are_controlled_while_a_body_spins() {
    let plan = planned(
        r#"
        [graph]
        name = "spinning"
        [node.count]
        op = "count"
        samples = 1_000_000_000
        [node.spinning]
        op = "stuck"
        from = "count"
        at = 50
        only = 0
        wedge_ms = 60_000
        [node.knob]
        op = "gain"
        from = "spinning"
        [node.spinning_out]
        op = "tally"
        from = "knob"
        "#,
    );
    // One session on each core.
    let options = RunOptions { cores: 2, sessions: 2, ..RunOptions::default() };
    let running = plan.start(&options).expect("bodies can be built");
    kinds::wait_for_one_at("spinning");
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..ASKED {
            scope.spawn(|| {
                let outcome = running.set(0, "knob", "factor", 2.0);
                answered.fetch_add(1, Ordering::Relaxed);
                assert!(matches!(outcome, Ok(()) | Err(ControlError::NoAnswer)), "{outcome:?}");
            });
        }
        // All are on their way by the time one has given up waiting.
        while answered.load(Ordering::Relaxed) == 0 {
            assert_eq!(running.wait_for(Duration::from_millis(5)), None);
        }
        running.set(1, "knob", "factor", 3.0).expect("answers");
        running.save(1).expect("answers");
        let session = running.open().expect("answers");
        running.close(session).expect("answers");
        running.pause(0).expect("answers");
        running.drain();
        assert!(answered.load(Ordering::Relaxed) < ASKED, "control waited for a body that spins");
        kinds::open("spinning");
    });
    assert_eq!(finish(&running), None);
    tally("spinning_out");
}

#[test]
fn what_is_asked_of_a_slow_stage_is_not_lost_however_often() {
    let running = start(
        r#"
        [graph]
        name = "asked"
        [node.count]
        op = "count"
        samples = 1_000_000_000
        [node.asked]
        op = "stuck"
        from = "count"
        at = 50
        wedge_ms = 60_000
        [node.asked_out]
        op = "tally"
        from = "asked"
        "#,
        1,
    );
    kinds::wait_for_one_at("asked");
    // More than a stage keeps; the last is what counts.
    for _ in 0..100 {
        running.pause(0).expect("answers");
        running.resume(0).expect("answers");
    }
    running.drain();
    kinds::open("asked");

    assert_eq!(finish(&running), None);
    tally("asked_out");
}

#[test]
fn a_device_goes_on_while_what_it_feeds_spins() {
    let running = start(
        r#"
        [graph]
        name = "fed"
        [node.device]
        op = "device"
        [node.fed]
        op = "stuck"
        from = "device"
        at = 50
        wedge_ms = 60_000
        [node.fed_out]
        op = "tally"
        from = "fed"
        "#,
        1,
    );
    kinds::wait_for_one_at("fed");
    let sent = |report: &engine::Report| crate::edge(report, "device", "fed").sent;
    let before = sent(&running.report());
    until(&running, |report| sent(report) > before + 10);
    kinds::open("fed");
    running.drain();
    assert_eq!(finish(&running), None);
    tally("fed_out");
}
