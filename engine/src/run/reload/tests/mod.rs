//! What a reload leaves of a graph: nothing is lost, what did not change is not touched, what cannot be
//! had changes nothing.

mod kinds;
mod live;
mod shape;

use std::sync::Arc;

use crate::{
    Catalog, Code, Gap, GraphSpec, ManualRun, Plan, PlanOptions, ReloadError, SourceText,
    Timestamp, testing::MemoryFiles,
};

use kinds::{LEN, heard, is_finished, kept, mean};

fn planned(text: &str) -> Arc<Plan> {
    let text = format!("[graph]\nname = \"reload\"\n{text}");
    let spec = GraphSpec::parse(&SourceText::new("reload.toml", text)).expect("a graph");
    let options = PlanOptions::new(Arc::new(MemoryFiles::new()));
    let plan = spec.plan(&Catalog::new(&[kinds::KINDS]), &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

/// A source of 1 000 samples, two chains, each with its sink.
fn two_chains(name: &str, ramp: &str, mean: &str) -> Arc<Plan> {
    planned(&format!(
        r#"
        [node.ramp]
        op = "ramp"
        {ramp}
        [node.mean]
        op = "mean"
        from = "ramp"
        {mean}
        [node.out]
        op = "keeps"
        key = "{name}"
        from = "mean"
        [node.beside]
        op = "sum"
        from = "ramp"
        stage = "beside"
        [node.beside_out]
        op = "keeps_and_waits"
        key = "{name}_beside"
        from = "beside"
        "#
    ))
}

fn paced(plan: &Arc<Plan>) -> ManualRun {
    ManualRun::new(plan, 1, Some(1.0)).expect("bodies can be built")
}

/// Goes on until the clock shows `ms`.
fn go_on(run: &mut ManualRun, ms: i64) {
    let until = Timestamp::from_nanos(ms * 1_000_000);
    while let Some(next) = run.settle().filter(|next| *next <= until) {
        run.clock().set(next);
    }
    run.clock().set(until);
    run.settle();
}

/// Goes on to the end; every frame is accounted for.
fn end(run: &mut ManualRun) {
    assert!(run.run_until(Timestamp::from_nanos(i64::MAX - 1)), "the graph waits for ever");
    for (from, to, frames) in run.edges() {
        assert!(frames.is_balanced(), "{from} → {to}: {frames:?}");
        assert_eq!(frames.in_flight, 0, "{from} → {to}: {frames:?}");
    }
}

/// What `mean` says to a ramp whose `part` changes, with the sample from which on it is so.
fn means(parts: &[(usize, f64)]) -> Vec<f32> {
    let mut last = 0.0;
    let part = |n: usize| parts.iter().rev().find(|(from, _)| *from <= n).expect("from 0").1;
    (0..1_000).map(|n| mean(&mut last, part(n), 0.0, n as f32)).collect()
}

/// Frames of an output are there one after the other, without a hole in numbers or time.
fn is_whole(frames: &[crate::Frame]) -> bool {
    frames.iter().zip(0..).all(|(frame, n)| {
        frame.header.seq == n && frame.header.time.nanos() == n as i64 * LEN as i64 * 1_000_000
    })
}

#[test]
fn a_plan_that_is_the_same_touches_nothing() {
    let mut run = paced(&two_chains("same", "", ""));
    go_on(&mut run, 300);
    // Another order of the tables is no other graph.
    let other = planned(
        r#"
        [node.out]
        op = "keeps"
        key = "same"
        from = "mean"
        [node.beside_out]
        op = "keeps_and_waits"
        from = "beside"
        key = "same_beside"
        [node.beside]
        op = "sum"
        from = "ramp"
        stage = "beside"
        [node.mean]
        op = "mean"
        from = "ramp"
        [node.ramp]
        op = "ramp"
        "#,
    );
    let report = run.reload(&other).expect("nothing stands against it");
    assert_eq!(report.kept.len(), 5);
    assert!(report.tuned.is_empty() && report.rebuilt.is_empty());
    end(&mut run);

    let frames = kept("same/0");
    assert!(is_whole(&frames));
    assert_eq!(heard(&frames), (means(&[(0, 0.5)]), Vec::new()));
}

#[test]
fn a_live_parameter_is_told_between_two_frames() {
    let mut run = paced(&two_chains("tuned", "", ""));
    go_on(&mut run, 300);
    let report = run.reload(&two_chains("tuned", "", "bias = 7_000.0")).expect("it is live");
    assert_eq!(report.tuned, [("mean".to_owned(), vec!["bias".to_owned()])]);
    assert_eq!(report.kept.len(), 4);
    end(&mut run);

    let (samples, gaps) = heard(&kept("tuned/0"));
    let bias = |n: usize| if n < 300 { 0.0 } else { 7_000.0 };
    let want: Vec<f32> = {
        let mut last = 0.0;
        (0..1_000).map(|n| mean(&mut last, 0.5, bias(n), n as f32)).collect()
    };
    assert_eq!((samples, gaps), (want, Vec::new()));
}

#[test]
fn what_was_set_by_hand_stays_unless_the_graph_says_otherwise() {
    let mut run = paced(&two_chains("knobs", "", ""));
    run.set("mean", "bias", 1.0).expect("live");
    run.reload(&two_chains("knobs", "", "part = 0.25")).expect("possible");
    go_on(&mut run, 15);
    assert_eq!(heard(&kept("knobs/0")).0[0], 1.0, "0 · 0.75 and the bias that was set");

    run.reload(&two_chains("knobs", "", "part = 0.25\nbias = 3.0")).expect("possible");
    run.reload(&two_chains("knobs", "", "part = 0.5\nbias = 3.0")).expect("possible");
    let before = run.save("mean");
    go_on(&mut run, 25);
    let mut last = f64::from_le_bytes(before.try_into().expect("a number"));
    assert_eq!(heard(&kept("knobs/0")).0[0], mean(&mut last, 0.5, 3.0, 10.0));
}

#[test]
fn a_value_that_a_body_refuses_changes_nothing() {
    let mut run = paced(&two_chains("refused", "", ""));
    go_on(&mut run, 300);
    let error = run.reload(&two_chains("refused", "scale = 2.0", "bias = 666.0"));
    let error = error.expect_err("the body says no");
    assert_eq!(error.to_string(), "node `mean`: not this one");
    end(&mut run);
    assert_eq!(heard(&kept("refused/0")), (means(&[(0, 0.5)]), Vec::new()));
}

#[test]
fn a_new_body_of_the_same_kind_knows_what_the_old_one_knew() {
    let mut run = paced(&two_chains("rebuilt", "", ""));
    go_on(&mut run, 300);
    let report = run.reload(&two_chains("rebuilt", "", "part = 0.75")).expect("possible");
    assert_eq!(report.kept, ["ramp", "out", "beside", "beside_out"]);
    assert_eq!((&*report.rebuilt[0].node, report.rebuilt[0].has_state), ("mean", true));
    end(&mut run);

    let frames = kept("rebuilt/0");
    assert!(is_whole(&frames));
    assert_eq!(heard(&frames), (means(&[(0, 0.5), (300, 0.75)]), Vec::new()));
    let beside = kept("rebuilt_beside/0");
    assert!(is_whole(&beside));
    assert_eq!(heard(&beside).1, []);
    assert_eq!(run.restarts("mean"), 0);
}

#[test]
fn a_body_of_another_kind_begins_fresh_behind_a_gap() {
    let mut run = paced(&two_chains("kind", "", ""));
    go_on(&mut run, 300);
    let other = planned(
        r#"
        [node.ramp]
        op = "ramp"
        [node.mean]
        op = "sum"
        from = "ramp"
        [node.out]
        op = "keeps"
        key = "kind"
        from = "mean"
        [node.beside]
        op = "sum"
        from = "ramp"
        stage = "beside"
        [node.beside_out]
        op = "keeps_and_waits"
        key = "kind_beside"
        from = "beside"
        "#,
    );
    let report = run.reload(&other).expect("of the same shape");
    assert!(!report.rebuilt[0].has_state);
    end(&mut run);

    let frames = kept("kind/0");
    assert!(is_whole(&frames));
    let (samples, gaps) = heard(&frames);
    assert_eq!(gaps, [Gap::Restart]);
    assert_eq!(frames[30].header.gap.get(), Some(Gap::Restart));
    let mut sum = 0.0;
    let want: Vec<f32> = (300..1_000)
        .map(|n| {
            sum += n as f32;
            sum
        })
        .collect();
    assert_eq!(samples[300..], want);
}

#[test]
fn a_new_source_goes_on_where_the_old_one_was() {
    let mut run = paced(&two_chains("source", "", "part = 0.0"));
    go_on(&mut run, 305);
    let report = run.reload(&two_chains("source", "scale = 2.0", "part = 0.0"));
    assert_eq!(report.expect("possible").rebuilt[0].node, "ramp");
    end(&mut run);

    let frames = kept("source/0");
    assert!(is_whole(&frames));
    let (samples, gaps) = heard(&frames);
    let want: Vec<f32> = (0..1_000).map(|n| if n < 300 { n } else { 2 * n } as f32).collect();
    assert_eq!((samples, gaps), (want, vec![Gap::Restart]));
}

#[test]
fn a_sink_that_waits_is_finished_and_followed() {
    let chains = |key: &str| {
        planned(&format!(
            r#"
            [node.ramp]
            op = "ramp"
            [node.out]
            op = "keeps_and_waits"
            from = "ramp"
            key = "{key}"
            "#
        ))
    };
    let mut run = paced(&chains("first"));
    go_on(&mut run, 500);
    run.reload(&chains("second")).expect("possible");
    assert!(is_finished("first/0"));
    end(&mut run);

    let mut frames = kept("first/0");
    assert_eq!(frames.len(), 50);
    frames.extend(kept("second/0"));
    assert!(is_whole(&frames) && frames.len() == 100);
}

#[test]
fn a_join_keeps_what_waits_for_the_other_input() {
    let pair = |key: &str, scale: &str| {
        planned(&format!(
            r#"
            [node.fast]
            op = "ramp"
            [node.slow]
            op = "ramp"
            rate_hz = 100.0
            samples = 100
            [node.pair]
            op = "pair"
            from = {{ in = "fast", other = "slow" }}
            {scale}
            [node.out]
            op = "keeps"
            from = "pair"
            key = "{key}"
            "#
        ))
    };
    let mut plain = paced(&pair("plain", ""));
    end(&mut plain);
    let mut run = paced(&pair("pair", ""));
    // The other input comes once in 100 ms: ten frames of the first wait for it.
    go_on(&mut run, 295);
    let waiting = run.edges().iter().map(|(_, _, frames)| frames.in_flight).sum::<u64>();
    assert!(waiting > 5, "{waiting}");
    run.reload(&pair("pair", "scale = 1.0")).expect("the same, written out");
    run.reload(&pair("pair", "scale = 3.0")).expect("possible");
    run.reload(&pair("pair", "scale = 1.0")).expect("possible");
    end(&mut run);

    let (plain, frames) = (kept("plain/0"), kept("pair/0"));
    assert!(is_whole(&frames) && frames.len() == 100);
    assert_eq!(format!("{:?}", heard(&frames).0), format!("{:?}", heard(&plain).0));
}

#[test]
fn what_cannot_change_is_told_with_its_place_and_changes_nothing() {
    let mut run = paced(&two_chains("shape", "", ""));
    go_on(&mut run, 300);
    let refused = |run: &mut ManualRun, plan: &Arc<Plan>| match run.reload(plan) {
        Err(ReloadError::Refused(problems)) => problems,
        other => panic!("{other:?}"),
    };
    let problems = refused(&mut run, &two_chains("shape", "rate_hz = 500.0", ""));
    assert!(problems.0.iter().all(|problem| problem.code == Code::NotWhileRunning));
    assert!(problems.0.iter().all(|problem| problem.place.is_some() && problem.hint.is_some()));
    let text = problems.to_string();
    assert!(text.contains("`ramp` delivers another format than before"), "{text}");
    end(&mut run);
    assert_eq!(heard(&kept("shape/0")), (means(&[(0, 0.5)]), Vec::new()));
}

#[test]
fn a_body_that_cannot_be_built_changes_nothing() {
    let mut run = paced(&two_chains("broken", "", ""));
    go_on(&mut run, 300);
    let plan = two_chains("broken", "scale = 3.0", "broken = true");
    let error = run.reload(&plan).expect_err("it says so");
    assert!(error.to_string().contains("broken on purpose"), "{error}");
    end(&mut run);
    assert_eq!(heard(&kept("broken/0")), (means(&[(0, 0.5)]), Vec::new()));
}

#[test]
fn a_new_version_that_fails_at_once_is_taken_out_again() {
    let mut run = paced(&two_chains("trial", "", ""));
    go_on(&mut run, 300);
    run.reload(&two_chains("trial", "scale = 5.0", "part = 0.75\ndies = 4")).expect("possible");
    assert_eq!(run.rolled_back(), None);
    end(&mut run);

    let why = run.rolled_back().expect("it died");
    assert_eq!((&*why.node, &*why.fault), ("mean", "died on purpose"));
    assert_eq!(run.rolled_back(), None);
    let frames = kept("trial/0");
    let (samples, gaps) = heard(&frames);
    assert_eq!(gaps, [Gap::Restart, Gap::Restart], "there and back");
    // It died on the fourth frame, which is lost, and nothing else.
    assert_eq!(samples.len(), 1_000 - LEN);
    let mut last = f64::from(*means(&[(0, 0.5)])[..300].last().expect("some"));
    let behind: Vec<f32> = (340..1_000).map(|n| mean(&mut last, 0.5, 0.0, n as f32)).collect();
    assert_eq!(samples[330..].len(), behind.len());
    assert_eq!(
        samples[1_000 - LEN - 1],
        behind[behind.len() - 1],
        "scale and part are the old ones"
    );
    let poison = run.edge("ramp", "mean").expect("an edge").dropped[Gap::Poison.index()];
    assert_eq!((poison, run.restarts("mean")), (1, 0));
}

#[test]
fn after_its_trial_a_body_is_like_any_other() {
    let text = "part = 0.75\ndies = 110";
    let plan = |part| two_chains("proved", "samples = 3_000", part);
    let mut run = paced(&plan(""));
    go_on(&mut run, 300);
    run.reload(&plan(text)).expect("possible");
    end(&mut run);
    assert_eq!(run.rolled_back(), None);
    assert_eq!(run.restarts("mean"), 2, "of 270 frames");
}

#[test]
fn a_body_that_fails_all_the_time_can_be_mended() {
    let mut run = paced(&two_chains("mended", "", "dies = 1\non_fault = \"restart\"\nretries = 0"));
    go_on(&mut run, 300);
    assert!(kept("mended/0").is_empty());
    let plan = two_chains("mended", "", "on_fault = \"restart\"\nretries = 0");
    run.reload(&plan).expect("possible");
    end(&mut run);
    assert!(heard(&kept("mended/0")).0.len() > 600);
}

/// Small, fast and always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn many_reloads_at_any_moment_lose_nothing() {
    for seed in 1..=20 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let name = format!("random{seed}");
        let mut part = 0.5;
        let mut parts = vec![(0, part)];
        let plan = |part: f64| {
            let part = format!("part = {part:?}");
            two_chains(&name, "frame_ms = 10.0", &part)
        };
        let mut run = paced(&plan(part));
        let mut at_ms = 0;
        while at_ms < 900 {
            at_ms += 1 + random.below(60) as i64;
            go_on(&mut run, at_ms);
            part = random.below(4) as f64 / 4.0;
            run.reload(&plan(part)).expect("possible");
            parts.push((at_ms as usize / LEN * LEN, part));
            for ((from, to, frames), inside) in run.edges().into_iter().zip(run.audit()) {
                assert_eq!(frames.in_flight, inside, "{from} → {to}, seed {seed}");
                assert!(frames.is_balanced(), "{from} → {to}, seed {seed}");
            }
        }
        end(&mut run);
        let frames = kept(&format!("{name}/0"));
        assert!(is_whole(&frames), "seed {seed}");
        assert_eq!(heard(&frames), (means(&parts), Vec::new()), "seed {seed}");
    }
}
