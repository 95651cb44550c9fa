//! Law 8: after warm-up nothing is allocated.

use afferent_suite::allocations::{Counting, asked};

use crate::{
    recordings::SECONDS,
    subject::{Step, Subject, operators, sinks, sources},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Pools, lists and windows have their size after this.
const WARM_S: usize = SECONDS / 2;

fn asked_while_fed(subject: &Subject) -> u64 {
    let mut bench = subject.bench();
    let mut before = asked();
    for step in subject.steps(0..SECONDS, 40) {
        match step {
            Step::Push(line, frame) => bench.push(line, frame),
            Step::Promise(line, bound) => bench.promise(line, bound),
            Step::Run(until_s) => {
                bench.run();
                bench.clear();
                if until_s < WARM_S {
                    before = asked();
                }
            }
        }
    }
    asked() - before
}

#[test]
fn an_operator_allocates_nothing_after_warm_up() {
    for subject in operators() {
        assert_eq!(asked_while_fed(&subject), 0, "allocations of {}", subject.name());
    }
}

#[test]
fn a_sink_allocates_nothing_after_warm_up() {
    for subject in sinks() {
        let subject = match subject.name() {
            "collect" => subject.with("frames_max", "100"),
            _ => subject,
        };
        let subject = subject.forgetting();
        assert_eq!(asked_while_fed(&subject), 0, "allocations of {}", subject.name());
    }
}

#[test]
fn a_source_allocates_nothing_after_warm_up() {
    for subject in sources() {
        let has_length = subject.kind.param("seconds").is_some();
        let subject = if has_length { subject.with("seconds", "400.0") } else { subject };
        let mut bench = subject.bench();
        // A turn makes 256 frames of 20 ms, so there are eight.
        for _ in 0..4 {
            bench.pull(1);
            bench.clear();
        }
        for turn in 0..3 {
            let before = asked();
            assert!(!bench.pull(1), "{} ends too soon", subject.name());
            bench.clear();
            assert_eq!(asked() - before, 0, "allocations of {} in turn {turn}", subject.name());
        }
    }
}
