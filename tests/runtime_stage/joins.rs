//! Joins whose inputs come late, say only how far they are, or have gaps.

use afferent_suite::kinds::tallied;
use engine::{Gap, ManualRun};

use crate::{end, events, gaps, kinds, manual, planned, rest, run};

#[test]
fn a_merge_goes_on_when_an_input_only_says_how_far_it_is() {
    let mut run = manual(
        r#"
        [graph]
        name = "bounds"
        [node.first]
        op = "script"
        times = "5 20t 10000"
        stage = "a"
        [node.second]
        op = "script"
        times = "10 9000"
        stage = "b"
        [node.bounds_out]
        op = "tally"
        from = ["first.out", "second.out"]
        stage = "c"
        "#,
        Some(1.0),
    );
    let taken = |run: &ManualRun| {
        let edges = ["first", "second"].map(|from| run.edge(from, "bounds_out"));
        edges.map(|edge| edge.expect("an edge").taken)
    };
    rest(&mut run, 5);
    assert_eq!(taken(&run), [0, 0]);
    rest(&mut run, 10);
    assert_eq!(taken(&run), [1, 0]);
    rest(&mut run, 20);
    assert_eq!(taken(&run), [1, 1], "nothing older than 20 ms can come");
    end(&mut run);
    let times: Vec<_> = events("bounds_out").iter().map(|&(time, _)| time).collect();
    assert_eq!(times, [5, 10, 9_000, 10_000]);
}

/// Two lines from two stages that keep step, joined in a third: `wait` on the join.
fn in_step(name: &str, op: &str, from: &str, wait: &str) -> (Vec<u32>, Vec<(i64, Option<Gap>)>) {
    let join = format!("[node.{name}_join]\nop = \"{op}\"\nfrom = {from}\n{wait}\nstage = \"c\"");
    // On one core the stages take turns, and the rings are as full as each other.
    let text = format!(
        r#"
        [graph]
        name = "step"
        [node.a]
        op = "count"
        samples = 20_000
        frame_ms = 1.0
        stage = "a"
        [node.b]
        op = "count"
        samples = 20_000
        frame_ms = 1.0
        stage = "b"
        {join}
        [node.{name}]
        op = "tally"
        from = "{name}_join"
        stage = "c"
        "#
    );
    let mut run = ManualRun::new(&planned(&text), 1, None).expect("bodies can be built");
    end(&mut run);
    let dropped: u64 = run.edges().iter().map(|(_, _, frames)| frames.dropped_in_all()).sum();
    assert_eq!(dropped, 0);
    let (samples, headers) = tallied(name);
    (samples.iter().map(|sample| sample.to_bits()).collect(), headers)
}

#[test]
fn frames_in_a_ring_are_never_given_up() {
    // Each ring holds several times what the join waits for.
    let rooms = "{ node = \"a\", capacity_ms = 100 }, ";
    let rooms = (rooms, "{ node = \"b\", capacity_ms = 100 }");
    let aligned = format!("{{ in = {}other = {} }}", rooms.0, rooms.1);
    let merged = format!("{{ in = [{}{}] }}", rooms.0, rooms.1);
    for (op, from) in [("sum", aligned), ("pulses", merged)] {
        let want = in_step(&format!("patient_{op}"), op, &from, "");
        let got = in_step(&format!("hasty_{op}"), op, &from, "max_wait_ms = 10.0");
        assert!(want.0.len() >= 20_000);
        assert_eq!(got, want, "{op}");
    }
}

#[test]
fn what_came_too_late_shows_as_a_gap() {
    // The frames of one line end a second after they begin: the other has gone on by then.
    let mut run = manual(
        r#"
        [graph]
        name = "late"
        [node.a]
        op = "count"
        samples = 3_000
        stage = "a"
        [node.b]
        op = "count"
        samples = 2_000
        frame_ms = 1_000.0
        stage = "b"
        [node.late]
        op = "pulses"
        from = ["a", "b"]
        max_wait_ms = 100.0
        stage = "c"
        [node.late_out]
        op = "tally"
        from = "late"
        stage = "c"
        "#,
        Some(1.0),
    );
    end(&mut run);
    let late = run.edge("b", "late").expect("an edge");
    assert_eq!((late.dropped[Gap::Late as usize - 1], late.taken), (2, 0));
    let (_, headers) = tallied("late_out");
    assert_eq!(headers.len(), 300);
    let gaps = gaps(&headers);
    assert_eq!(gaps.iter().map(|(_, gap)| *gap).collect::<Vec<_>>(), [Gap::Late; 2]);
    // The next output after each: what waits is younger than the clock less the wait.
    assert!((900..=1_000).contains(&gaps[0].0) && (1_900..=2_000).contains(&gaps[1].0), "{gaps:?}");
}

#[test]
fn a_gap_on_the_second_line_of_a_join_is_told() {
    for dies_in in ["", "gap"] {
        let name = format!("partner_{dies_in}x");
        let run = run(&format!(
            r#"
            [graph]
            name = "partner"
            [node.a]
            op = "count"
            [node.b]
            op = "count"
            [node.{name}_bad]
            op = "panics"
            from = "b"
            at = 500
            [node.{name}]
            op = "frail_sum"
            from = {{ in = "a", other = "{name}_bad" }}
            dies_in = "{dies_in}"
            [node.{name}_out]
            op = "tally"
            from = "{name}"
            "#
        ));

        assert_eq!(kinds::told(&name), [Gap::Restart], "`{dies_in}`");
        assert_eq!(run.restarts(&name), u64::from(dies_in == "gap"));
        let (samples, headers) = tallied(&format!("{name}_out"));
        assert_eq!(gaps(&headers), [(510, Gap::Restart)]);
        let held = |n: i32| if (500..510).contains(&n) { 499 } else { n };
        assert_eq!(samples, (0..1_000).map(|n| (n + held(n)) as f32).collect::<Vec<_>>());
    }
}
