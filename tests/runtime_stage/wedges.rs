//! What the successor of a stage that was given up makes of its sources.

use afferent_suite::kinds::tallied;
use engine::Gap;

use crate::{finish, kinds, start};

const WEDGED: usize = Gap::Wedged as usize - 1;

#[test]
fn a_successor_comes_to_where_a_long_stream_was_without_being_wedged_itself() {
    // To skip so many takes the source several times what a turn may take.
    let running = start(
        r#"
        [graph]
        name = "long"
        [node.toil]
        op = "toil"
        frames = 1_300_000
        [node.long]
        op = "stall"
        from = "toil"
        at = 1_200_000
        wedge_ms = 300
        [node.void]
        op = "void"
        from = "long"
        "#,
        1,
        None,
    );
    finish(&running);
    let report = running.report();
    kinds::open("long");

    assert_eq!(report.node("long").expect("a node").restarts, 1);
    let edge = report.edge("toil", "long").expect("an edge").frames;
    assert_eq!((edge.sent, edge.dropped[WEDGED]), (1_300_000, 1), "{edge:?}");
    assert_eq!(report.edge("long", "void").expect("an edge").frames.taken, 1_299_999);
}

#[test]
fn a_source_loses_nothing_where_the_frame_of_another_hangs() {
    let running = start(
        r#"
        [graph]
        name = "twins"
        [node.first]
        op = "count"
        stage = "one"
        [node.second]
        op = "count"
        stage = "one"
        [node.twin]
        op = "stall"
        from = "first"
        at = 300
        wedge_ms = 300
        stage = "one"
        [node.first_out]
        op = "tally"
        from = "twin"
        stage = "one"
        [node.second_out]
        op = "tally"
        from = "second"
        stage = "one"
        "#,
        1,
        Some(1.0),
    );
    finish(&running);
    let report = running.report();
    kinds::open("twin");

    assert_eq!(report.node("twin").expect("a node").restarts, 1);
    assert_eq!(report.edge("first", "twin").expect("an edge").frames.dropped[WEDGED], 1);
    let all = 0..1_000;
    let want: Vec<f32> = all.clone().map(|n| n as f32).collect();
    assert_eq!(tallied("second_out").0, want);
    let want: Vec<f32> = all.filter(|n| !(300..310).contains(n)).map(|n| n as f32).collect();
    assert_eq!(tallied("first_out").0, want);
}
