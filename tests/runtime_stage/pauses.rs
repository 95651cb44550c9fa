//! Pauses: time stands still for what is generated, unless a device goes on beside it.

use afferent_suite::kinds::tallied;
use engine::{Gap, ManualRun};

use crate::{gaps, manual, rest};

const DEVICE: &str =
    "[node.device]\nop = \"device\"\n[node.rest]\nop = \"void\"\nfrom = \"device\"";

/// A paced count of ten frames a tenth of a second, paused from 30 to 70 ms and left alone at 100.
fn paused(name: &str, beside: &str, samples: usize, speed: Option<f64>) -> ManualRun {
    let graph = format!(
        r#"
        [graph]
        name = "pauses"
        [node.count]
        op = "count"
        samples = {samples}
        [node.{name}]
        op = "tally"
        from = "count"
        {beside}
        "#
    );
    let mut run = manual(&graph, speed);
    for (at_ms, paused) in [(30, true), (70, false)] {
        rest(&mut run, at_ms);
        run.pause(paused);
        rest(&mut run, at_ms);
    }
    rest(&mut run, 100);
    run
}

/// When the frames began, in milliseconds, and where gaps were told.
fn told(name: &str) -> (Vec<i64>, Vec<(i64, Gap)>) {
    let (_, headers) = tallied(name);
    (headers.iter().map(|(time, _)| time / 1_000_000).collect(), gaps(&headers))
}

#[test]
fn where_all_is_generated_nothing_is_missing_after_a_pause() {
    let run = paused("alone", "", 1_000, Some(1.0));

    assert_eq!(told("alone"), (vec![0, 10, 20, 30, 40, 50], vec![]));
    assert_eq!(run.edge("count", "alone").expect("an edge").dropped_in_all(), 0);
}

#[test]
fn beside_a_device_what_is_generated_stays_on_its_time_line() {
    let run = paused("beside", DEVICE, 1_000, Some(1.0));

    assert_eq!(told("beside"), (vec![0, 10, 20, 70, 80, 90], vec![(70, Gap::Paused)]));
    let frames = run.edge("count", "beside").expect("an edge");
    assert_eq!((frames.sent, frames.taken), (10, 6));
    assert_eq!(frames.dropped[Gap::Paused as usize - 1], 4);
}

#[test]
fn beside_a_device_a_source_ends_in_a_pause_when_its_time_comes() {
    let run = paused("ends", DEVICE, 60, Some(1.0));

    assert_eq!(told("ends"), (vec![0, 10, 20], vec![]));
    let frames = run.edge("count", "ends").expect("an edge");
    assert_eq!((frames.sent, frames.dropped[Gap::Paused as usize - 1]), (6, 3));
}

#[test]
fn what_is_made_as_fast_as_it_goes_lies_on_no_clock() {
    // More than the turns before the pause can make.
    let graph = |name| {
        format!(
            "[graph]\nname = \"fast\"\n{DEVICE}\n[node.toil]\nop = \"toil\"\nframes = 2_000\n\
             [node.{name}]\nop = \"tally\"\nfrom = \"toil\""
        )
    };
    let mut run = manual(&graph("fast"), None);
    run.step();
    run.pause(true);
    rest(&mut run, 50);
    run.pause(false);
    rest(&mut run, 60);

    let frames = run.edge("toil", "fast").expect("an edge");
    assert_eq!((frames.sent, frames.taken), (2_000, 2_000));
}
