//! The main job allocates nothing once it runs.

use afferent_suite::{
    allocations::{Counting, asked},
    plan_with,
};
use engine::{ManualRun, Timestamp};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BIOFEEDBACK: &str = include_str!("../graphs/biofeedback.toml");

#[test]
fn biofeedback_allocates_nothing_after_the_first_seconds() {
    // A fused sink: what a line costs to write is the business of whoever writes it. And nobody is asked:
    // each question to a model allocates the letter its answer comes in.
    let sets = ["out.op=null", "out.from=[\"beats\", \"hrv\"]", "kind.op=null"];
    let plan = plan_with("graphs/biofeedback.toml", BIOFEEDBACK, &sets, 1);
    let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");
    // By then every node has said something: the first HRV line, the largest event, comes with the
    // beat after five seconds.
    run.run_until(seconds(10));
    let (frames, before) = (frames_of(&run), asked());

    run.run_until(seconds(115));

    let allocations = asked() - before;
    let frames = frames_of(&run) - frames;
    assert!(frames > 5_000, "50 s are 2 500 frames on each edge of the chain, not {frames}");
    assert_eq!(allocations, 0, "while {frames} frames passed");
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

fn frames_of(run: &ManualRun) -> u64 {
    run.edges().iter().map(|(_, _, frames)| frames.taken).sum()
}
