//! Timers of nodes with several inputs.

use crate::{events, run};

#[test]
fn timers_of_a_merge_fire_before_frames_newer_than_they() {
    for (n, stages) in [["one"; 3], ["a", "b", "c"]].into_iter().enumerate() {
        let [a, b, c] = stages;
        let name = format!("merge_timers_{n}");
        let run = run(&format!(
            r#"
            [graph]
            name = "timers"
            [node.a]
            op = "count"
            stage = "{a}"
            [node.b]
            op = "count"
            frame_ms = 40.0
            stage = "{b}"
            [node.{name}]
            op = "pulses"
            from = ["a", "b"]
            every_ms = 25.0
            stage = "{c}"
            [node.{name}_out]
            op = "tally"
            from = "{name}"
            stage = "{c}"
            "#
        ));

        // At one moment the timer comes first, then the lines in their order. What is due at the
        // end of the streams, 1 000 ms, is due no more.
        let frames = (0..100).map(|n| (10 * n, 1)).chain((0..25).map(|n| (40 * n, 2)));
        let mut want: Vec<_> = frames.chain((1..40).map(|n| (25 * n, 0))).collect();
        want.sort_unstable();
        let got = events(&format!("{name}_out"));
        assert_eq!(got, want);
        assert_eq!(run.late(&name), 0);
    }
}
