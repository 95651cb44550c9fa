//! Bodies that die while a frame waits for them.

use afferent_suite::kinds::tallied;
use engine::Gap;

use crate::{gaps, kinds, manual, rest, run};

#[test]
fn a_body_that_dies_in_a_timer_costs_no_frame() {
    // The join releases many frames at once, with timers between them.
    for frame_ms in [10.0, 100.0] {
        for (op, second) in [("frail", ""), ("frail_sum", ", other = \"b\"")] {
            let name = format!("due_{op}_{frame_ms}").replace('.', "_");
            let run = run(&format!(
                r#"
                [graph]
                name = "due"
                [node.a]
                op = "count"
                frame_ms = {frame_ms:?}
                [node.b]
                op = "count"
                frame_ms = 500.0
                [node.{name}]
                op = "{op}"
                from = {{ in = "a"{second} }}
                dies_in = "due"
                [node.{name}_out]
                op = "tally"
                from = "{name}"
                "#
            ));

            assert_eq!(run.restarts(&name), 1);
            assert!(run.last_poison().is_none());
            let (samples, headers) = tallied(&format!("{name}_out"));
            let factor = if second.is_empty() { 1.0 } else { 2.0 };
            assert_eq!(samples, (0..1_000).map(|n| factor * n as f32).collect::<Vec<_>>(), "{op}");
            assert_eq!(gaps(&headers).len(), 1, "{op}");
        }
    }
}

#[test]
fn a_body_that_dies_of_a_gap_costs_no_frame_and_hears_of_it_once() {
    let run = run(r#"
        [graph]
        name = "gap"
        [node.count]
        op = "count"
        [node.gap_bad]
        op = "panics"
        from = "count"
        at = 500
        [node.gap]
        op = "frail"
        from = "gap_bad"
        dies_in = "gap"
        [node.gap_out]
        op = "tally"
        from = "gap"
        "#);

    assert_eq!((run.restarts("gap_bad"), run.restarts("gap")), (1, 1));
    assert_eq!(kinds::told("gap"), [Gap::Restart]);
    let edge = run.edge("gap_bad", "gap").expect("an edge");
    assert_eq!((edge.taken, edge.dropped_in_all()), (99, 0));
    let (samples, headers) = tallied("gap_out");
    let want = (0..1_000).filter(|n| !(500..510).contains(n)).map(|n| n as f32);
    assert_eq!(samples, want.collect::<Vec<_>>());
    assert_eq!(gaps(&headers), [(510, Gap::Restart)]);
}

#[test]
fn a_death_of_what_a_gap_brought_out_hides_the_gap_from_nobody() {
    // `late` loses the frame of sample 500; told of it, `lags` sends that of 490, of which `other`
    // dies.
    let run = run(r#"
        [graph]
        name = "hidden"
        [node.count]
        op = "count"
        [node.late]
        op = "panics"
        from = "count"
        at = 500
        [node.lags]
        op = "lags"
        from = "late"
        [node.other]
        op = "panics"
        from = "lags"
        at = 490
        [node.other_out]
        op = "tally"
        from = "other"
        [node.hidden_out]
        op = "tally"
        from = "lags"
        "#);

    assert_eq!((run.restarts("late"), run.restarts("lags"), run.restarts("other")), (1, 0, 1));
    let (samples, headers) = tallied("hidden_out");
    let want = (0..1_000).filter(|n| !(500..510).contains(n)).map(|n| n as f32);
    assert_eq!(samples, want.collect::<Vec<_>>());
    assert_eq!(gaps(&headers), [(510, Gap::Restart)]);
}

#[test]
fn a_panic_ends_its_turn_like_any_other() {
    // Fewer frames have gone through a ring than after which the other stage is told in the middle of
    // a turn, when a body dies. The next one is put in at once and dies as well.
    let mut run = manual(
        r#"
        [graph]
        name = "ends"
        [node.count]
        op = "count"
        stage = "first"
        [node.next_out]
        op = "tally"
        from = "count"
        stage = "second"
        [node.bad]
        op = "dies"
        from = "count"
        at = 50
        retries = 3
        stage = "first"
        [node.bad_out]
        op = "tally"
        from = "bad"
        stage = "first"
        "#,
        None,
    );
    // The third must wait, so nothing else tells the other stage.
    rest(&mut run, 0);
    let edge = run.edge("count", "next_out").expect("an edge");
    assert_eq!((edge.sent, edge.taken), (7, 7), "{edge:?}");
}
