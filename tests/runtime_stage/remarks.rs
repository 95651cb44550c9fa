//! What bodies have to say at the end.

use afferent_suite::kinds::tally;

use crate::{finish, run, start};

fn graph(name: &str) -> String {
    format!(
        r#"
        [graph]
        name = "remarks"
        [node.count]
        op = "count"
        samples = 105
        [node.operator]
        op = "tells"
        from = "count"
        [node.silent]
        op = "pass"
        from = "operator"
        [node.block]
        op = "tells_block"
        from = "silent"
        stage = "other"
        [node.{name}]
        op = "tally"
        from = "block"
        "#
    )
}

fn told(mut remarks: Vec<(String, String)>) {
    remarks.sort();
    let said = |node: &str| (node.to_owned(), "11 frames went by".to_owned());
    assert_eq!(remarks, [said("block"), said("operator")]);
}

#[test]
fn operators_and_blocks_are_heard_at_the_end() {
    told(run(&graph("heard")).remarks.clone());
    tally("heard");
}

#[test]
fn a_source_that_waits_is_heard_when_it_ends_and_when_it_is_asked_to() {
    for stays in [false, true] {
        let text = format!(
            "[graph]\nname = \"live\"\n[node.device]\nop = \"tells_live\"\nstays = {stays}\n\
             [node.live]\nop = \"tally\"\nfrom = \"device\"\n"
        );
        let running = start(&text, 1, None);
        let taken = || running.report().edge("device", "live").map_or(0, |edge| edge.frames.taken);
        while stays && taken() < 3 {
            std::thread::yield_now();
        }
        if stays {
            running.drain();
        }
        finish(&running);
        let said = ("device".to_owned(), "3 frames went by".to_owned());
        assert_eq!(running.report().remarks, [said], "stays: {stays}");
        assert_eq!(tally("live").len(), 3);
    }
}

#[test]
fn what_many_sessions_say_alike_is_kept_once() {
    let running = start(&graph("alike"), 3, None);
    finish(&running);

    told(running.report().remarks);
    tally("alike");
}
