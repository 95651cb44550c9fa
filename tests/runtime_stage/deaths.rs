//! Bodies that die while a frame waits for them.

use afferent_suite::kinds::tallied;
use engine::Gap;

use crate::{gaps, kinds, run};

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
