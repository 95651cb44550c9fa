//! Nodes over their budget: what they send instead.

use afferent_suite::kinds::tallied;

use crate::{gaps, planned, run};
use engine::{Code, Gap};

#[test]
fn a_join_over_its_budget_says_again_what_it_said_last() {
    let run = run(r#"
        [graph]
        name = "again"
        [node.a]
        op = "count"
        [node.b]
        op = "count"
        frame_ms = 7.0
        [node.again]
        op = "dies_sum"
        from = { in = "a", other = "b" }
        at = 500
        on_fault = "hold_last"
        retries = 2
        [node.again_out]
        op = "tally"
        from = "again"
        "#);

    // Three frames die: two restarts, then the verdict.
    assert_eq!((run.faults.len(), run.restarts("again")), (3, 2));
    let (samples, headers) = tallied("again_out");
    let times: Vec<_> = headers.iter().map(|(time, _)| time / 10_000_000).collect();
    assert_eq!(times, (0..50).chain(53..100).collect::<Vec<_>>());
    assert_eq!(gaps(&headers), [(530, Gap::Restart)]);
    let before = (0..500).map(|n| n as f32);
    let again = (0..47).flat_map(|_| 490..500).map(|n| n as f32);
    assert_eq!(samples, before.chain(again).collect::<Vec<_>>());
}

#[test]
fn what_passes_a_node_by_is_not_delayed_by_it() {
    let run = run(r#"
        [graph]
        name = "delayed"
        [node.count]
        op = "count"
        [node.by]
        op = "delayed"
        from = "count"
        on_fault = "bypass"
        retries = 2
        [node.by_out]
        op = "tally"
        from = "by"
        "#);

    // Passing by is no restart.
    assert_eq!((run.faults.len(), run.restarts("by")), (3, 2));
    let (samples, headers) = tallied("by_out");
    assert_eq!(samples, (30..1_000).map(|n| n as f32).collect::<Vec<_>>());
    let times: Vec<_> = headers.iter().map(|(time, _)| time / 10_000_000).collect();
    assert_eq!(times, (3..100).collect::<Vec<_>>());
}

#[test]
fn a_fault_of_what_is_generated_ends_the_run_behind_what_it_has_delivered() {
    for (n, on_fault) in
        ["", "on_fault = \"restart\"", "on_fault = \"stop\"", "on_fault = \"hold_last\""]
            .into_iter()
            .enumerate()
    {
        let text = format!(
            r#"
            [graph]
            name = "torn"
            [node.torn]
            op = "torn"
            at = 300
            {on_fault}
            [node.torn_out_{n}]
            op = "tally"
            from = "torn[1]"
            "#
        );

        let plan = planned(&text);
        let is_told = plan.warnings().iter().any(|warning| warning.code == Code::NoEffect);
        assert_eq!(
            is_told,
            on_fault.contains("restart") || on_fault.contains("hold"),
            "{on_fault}"
        );

        let run = run(&text);
        assert_eq!(run.faults, [("torn".to_owned(), "it is torn".to_owned())], "{on_fault}");
        assert_eq!(run.restarts("torn"), 0, "{on_fault}");
        let (samples, headers) = tallied(&format!("torn_out_{n}"));
        assert_eq!(samples, (0..300).map(|n| n as f32).collect::<Vec<_>>(), "{on_fault}");
        assert_eq!(gaps(&headers), [], "{on_fault}");
    }
}
