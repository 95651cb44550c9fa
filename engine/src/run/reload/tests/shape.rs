//! Nodes that come and go.

use super::*;

/// A chain, and whatever else.
fn chain(key: &str, more: &str) -> Arc<Plan> {
    planned(&format!(
        r#"
        [node.ramp]
        op = "ramp"
        [node.mean]
        op = "mean"
        from = "ramp"
        [node.out]
        op = "keeps_and_waits"
        key = "{key}"
        from = "mean"
        {more}
        "#
    ))
}

/// Another sink, and another chain, of which the planner would fuse what it can.
fn branches(key: &str) -> String {
    format!(
        r#"
        [node.more]
        op = "keeps_and_waits"
        key = "{key}_more"
        from = "mean"
        [node.sum]
        op = "sum"
        from = "mean"
        [node.twice]
        op = "sum"
        from = "sum"
        [node.twice_out]
        op = "keeps"
        key = "{key}_twice"
        from = "twice"
        "#
    )
}

/// Frames one after the other from the `first` on.
fn goes_on(frames: &[crate::Frame], first: u64) -> bool {
    frames.iter().zip(first..).all(|(frame, n)| frame.header.seq == n)
}

#[test]
fn what_is_added_takes_what_comes_from_then_on() {
    let mut run = paced(&chain("added", ""));
    go_on(&mut run, 300);
    let report = run.reload(&chain("added", &branches("added"))).expect("it only adds");
    assert_eq!(report.added, ["more", "sum", "twice", "twice_out"]);
    assert_eq!(report.kept, ["ramp", "mean", "out"]);
    end(&mut run);

    let frames = kept("added/0");
    assert!(is_whole(&frames) && frames.len() == 100);
    assert_eq!(heard(&frames), (means(&[(0, 0.5)]), Vec::new()));
    let more = kept("added_more/0");
    assert!(goes_on(&more, 30) && more.len() == 70);
    assert_eq!(heard(&more), (means(&[(0, 0.5)])[300..].to_vec(), Vec::new()));
    let (mut once, mut twice) = (0.0_f32, 0.0_f32);
    let came = means(&[(0, 0.5)]);
    let want = came[300..].iter().map(|x| {
        once += x;
        twice += once;
        twice
    });
    let want: Vec<f32> = want.collect();
    assert_eq!(heard(&kept("added_twice/0")), (want, Vec::new()));
}

#[test]
fn what_is_removed_gets_all_that_was_on_its_way() {
    let mut run = paced(&chain("removed", &branches("removed")));
    go_on(&mut run, 305);
    let report = run.reload(&chain("removed", "")).expect("it only removes");
    assert_eq!(report.removed.len(), 4);
    go_on(&mut run, 320);
    for key in ["removed_more", "removed_twice"] {
        let frames = kept(&format!("{key}/0"));
        assert!(goes_on(&frames, 0) && frames.len() == 30, "{key}: {}", frames.len());
        assert!(is_finished(&format!("{key}/0")), "{key}");
    }
    end(&mut run);
    assert!(kept("removed_more/0").is_empty() && kept("removed_twice/0").is_empty());
    let frames = kept("removed/0");
    assert!(is_whole(&frames) && frames.len() == 100);
}

#[test]
fn what_was_removed_can_come_again_and_what_was_added_can_go() {
    let mut run = paced(&chain("again", ""));
    let mut got = Vec::new();
    for n in 1..=8 {
        go_on(&mut run, 100 * n);
        let more = if n % 2 == 1 { branches("again") } else { String::new() };
        run.reload(&chain("again", &more)).expect("possible");
        // What is kept is told of parameters as well.
        let tuned =
            chain("again", &more.replace("[node.sum]", "[node.sum]\non_fault = \"bypass\""));
        run.reload(&tuned).expect("possible");
        got.push(run.edges().len());
    }
    assert!(got.windows(2).all(|pair| pair[0] <= pair[1]));
    end(&mut run);
    let frames = kept("again/0");
    assert!(is_whole(&frames) && frames.len() == 100);
    let more = kept("again_more/0");
    assert_eq!(more.len(), 40);
    assert!(more.iter().all(|frame| frame.header.gap.is_none()));
    kept("again_twice/0");
}

#[test]
fn a_sink_may_take_from_others() {
    let plan = |from: &str| {
        planned(&format!(
            r#"
            [node.ramp]
            op = "ramp"
            [node.mean]
            op = "mean"
            from = "ramp"
            [node.out]
            op = "keeps_and_waits"
            key = "other"
            from = {from}
            [node.too]
            op = "keeps"
            key = "other_too"
            from = "mean"
            "#
        ))
    };
    let mut run = paced(&plan("\"ramp\""));
    go_on(&mut run, 300);
    let report = run.reload(&plan("[\"ramp\", \"mean\"]")).expect("it is finished and followed");
    assert_eq!((report.removed.len(), report.added.len()), (0, 0));
    assert_eq!((&*report.rebuilt[0].node, report.rebuilt[0].has_state), ("out", false));
    end(&mut run);
    assert_eq!(kept("other/0").len(), 30 + 2 * 70);
    assert_eq!(kept("other_too/0").len(), 100);
}

#[test]
fn a_branch_that_fails_at_once_is_taken_out_again() {
    let dies = r#"
        [node.more]
        op = "mean"
        from = "mean"
        dies = 3
        [node.more_out]
        op = "keeps"
        key = "dies_more"
        from = "more"
        "#;
    let mut run = paced(&chain("dies", ""));
    go_on(&mut run, 300);
    run.reload(&chain("dies", dies)).expect("it only adds");
    end(&mut run);
    let why = run.rolled_back().expect("it died");
    assert_eq!((&*why.node, &*why.fault), ("more", "died on purpose"));
    assert_eq!(kept("dies_more/0").len(), 2);
    let frames = kept("dies/0");
    assert!(is_whole(&frames) && frames.len() == 100);
}

#[test]
fn sources_and_what_would_be_in_between_cannot_come() {
    let mut run = paced(&chain("between", ""));
    let refused = |run: &mut ManualRun, plan: &Arc<Plan>| match run.reload(plan) {
        Err(ReloadError::Refused(problems)) => problems.to_string(),
        other => panic!("{other:?}"),
    };
    let source = chain(
        "between",
        "[node.new]\nop = \"ramp\"\n[node.new_out]\nop = \"keeps\"\nfrom = \"new\"\n",
    );
    assert!(refused(&mut run, &source).contains("`new` is new: a source"));
    let text = r#"
        [node.ramp]
        op = "ramp"
        [node.between]
        op = "sum"
        from = "ramp"
        [node.mean]
        op = "mean"
        from = "between"
        [node.out]
        op = "keeps_and_waits"
        key = "between"
        from = "mean"
        "#;
    let said = refused(&mut run, &planned(text));
    assert!(said.contains("`mean` takes from others than before"), "{said}");
    end(&mut run);
    assert_eq!(heard(&kept("between/0")), (means(&[(0, 0.5)]), Vec::new()));
}

#[test]
fn branches_at_any_moment_lose_nothing() {
    for seed in 1..=20 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let name = format!("branches{seed}");
        let mut run = ManualRun::new(&chain(&name, ""), 2, Some(1.0)).expect("bodies can be built");
        let mut at_ms = 0;
        while at_ms < 900 {
            at_ms += 1 + random.below(60) as i64;
            go_on(&mut run, at_ms);
            (0..random.below(3)).for_each(|_| {
                run.step();
            });
            let more = if random.below(2) == 0 { branches(&name) } else { String::new() };
            run.reload(&chain(&name, &more)).expect("possible");
            for ((from, to, frames), inside) in run.edges().into_iter().zip(run.audit()) {
                assert_eq!(frames.in_flight, inside, "{from} → {to}, seed {seed}");
                assert!(frames.is_balanced(), "{from} → {to}, seed {seed}");
            }
        }
        end(&mut run);
        let frames = kept(&format!("{name}/0"));
        assert!(is_whole(&frames) && frames.len() == 100, "seed {seed}");
        assert_eq!(heard(&frames), (means(&[(0, 0.5)]), Vec::new()), "seed {seed}");
        assert_eq!(heard(&kept(&format!("{name}_more/0"))).1, []);
        kept(&format!("{name}_twice/0"));
    }
}
