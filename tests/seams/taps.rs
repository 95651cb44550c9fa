//! Taps: who looks on sees what passes, and changes nothing by it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use afferent_suite::kinds::{tallied, tally};
use engine::{
    Body, ControlError, Fault, Flow, Format, Frame, Gap, Io, Kind, ManualRun, Onlooker, Outline,
    Output, Port, Rate, RunOptions, Seen, Services, Source, Tap, TapLimits, Timestamp, Unit, tap,
};

use crate::{LIMIT, edge, finish, plan_with, start, until};

/// A source that is silent for a while, and says so.
pub(crate) static QUIET: Kind = Kind {
    name: "quiet",
    outputs: &[Port::signal("out")],
    plan: |_| {
        let rate = Rate::new(1_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, 10)]))
    },
    build: |_| Ok(Body::source(Quiet(0))),
    ..Kind::BASE
};

struct Quiet(u32);

impl Source for Quiet {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let frame = |ms| Frame::signal(at_ms(ms), 1, &[ms as f32; 10]);
        self.0 += 1;
        match self.0 {
            1 => {
                io.send(0, frame(0));
                io.promise(0, at_ms(10));
            }
            2 => io.promise(0, at_ms(50)),
            3 => io.promise(0, at_ms(60)),
            4 => {
                io.send(0, frame(60));
                io.promise(0, at_ms(65));
            }
            _ => return Ok(Flow::End),
        }
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.0 = 0;
        Ok(())
    }

    /// What it promises is all that is known.
    fn may_be_early_ns(&self) -> i64 {
        i64::MAX
    }
}

const fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

#[test]
fn what_a_silent_source_promises_is_told_when_it_is_due_and_before_the_frame_behind_it() {
    let text = "[graph]\nname = \"taps\"\n[node.quiet]\nop = \"quiet\"\n\
                [node.quiet_tally]\nop = \"tally\"\nfrom = \"quiet\"\n";
    let told = |speed: Option<f64>, until: &[Timestamp]| {
        let plan = plan_with(text, Services::default());
        let looks = Arc::new(Mutex::new(None));
        let taken = looks.clone();
        let onlooker: Onlooker = Arc::new(move |_, _| {
            let (end, look) = tap(TapLimits { every_bound: true, ..TapLimits::default() });
            *taken.lock().expect("whole") = Some(look);
            vec![end]
        });
        let mut run = ManualRun::watched(&plan, 1, speed, &onlooker).expect("can be built");
        let mut look = looks.lock().expect("whole").take().expect("was asked about");
        let told = until.iter().map(|&until| {
            run.run_until(until);
            let all = std::iter::from_fn(|| look.try_next()).map(|tapped| match tapped.what {
                Seen::Frame(frame) => format!("frame {:?}", frame.header.time),
                Seen::Bound(bound) => format!("{bound:?}"),
            });
            all.collect::<Vec<_>>().join(", ")
        });
        let told: Vec<String> = told.collect();
        tally("quiet_tally");
        told
    };

    let parts = [at_ms(30), at_ms(55), at_ms(63), Timestamp::MAX];
    let told_at_pace = told(Some(1.0), &parts);
    let at_pace = ["frame 0 ns, 10000000 ns", "50000000 ns", "60000000 ns"];
    assert_eq!(told_at_pace[..3], at_pace);
    assert!(told_at_pace[3].starts_with("frame 60000000 ns, "), "{told_at_pace:?}");
    assert!(told_at_pace[3].ends_with("MAX"), "{told_at_pace:?}");
    // At full speed all of it is one turn, and yet the bound comes before the frame.
    let at_once = told(None, &[Timestamp::MAX]).remove(0);
    assert!(at_once.contains("60000000 ns, frame 60000000 ns, "), "{at_once}");
}

/// Two ways from one source, one of them straight, with a body that dies once; and a join of both.
fn graph(name: &str) -> String {
    format!(
        r#"
        [graph]
        name = "taps"
        [node.count]
        op = "count"
        samples = 500
        [node.first]
        op = "pass"
        from = "count"
        [node.dies_{name}]
        op = "panics"
        at = 101
        from = "first"
        [node.slow]
        op = "ticks"
        from = "count"
        [node.sum]
        op = "sum"
        from = {{ in = "dies_{name}", other = "slow" }}
        [node.{name}]
        op = "tally"
        from = "sum"
        "#
    )
}

/// Everything a tap has seen by now.
fn seen(tap: &mut Tap) -> (Vec<Frame>, Vec<Timestamp>) {
    let (mut frames, mut bounds) = (Vec::new(), Vec::new());
    while let Some(tapped) = tap.try_next() {
        match tapped.what {
            Seen::Frame(frame) => frames.push(frame),
            Seen::Bound(bound) => bounds.push(bound),
        }
    }
    (frames, bounds)
}

type Looks = Arc<Mutex<Vec<(String, Tap)>>>;

/// Looks on wherever `wanted` says.
fn onlooker(wanted: impl Fn(&Output<'_>) -> bool + Send + Sync + 'static) -> (Onlooker, Looks) {
    let looks = Looks::default();
    let taken = looks.clone();
    let onlooker: Onlooker = Arc::new(move |_, output| {
        if !wanted(output) {
            return Vec::new();
        }
        let (end, look) = tap(TapLimits::default());
        taken.lock().unwrap_or_else(PoisonError::into_inner).push((output.label(), look));
        vec![end]
    });
    (onlooker, looks)
}

fn samples(frames: &[Frame]) -> Vec<f32> {
    frames.iter().flat_map(|frame| frame.samples().to_vec()).collect()
}

/// To the bit: before anything is held a sum is NaN.
fn bits(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

#[test]
fn whoever_looks_on_from_the_start_sees_every_frame_bound_and_gap_and_changes_none() {
    for cores in [1, 2] {
        let plan = plan_with(&graph(&format!("alone{cores}")), Services::default());
        let mut run = ManualRun::new(&plan, cores, None).expect("bodies can be built");
        assert!(run.run_until(Timestamp::MAX));
        let (alone, alone_headers) = tallied(&format!("alone{cores}"));

        let name = format!("watched{cores}");
        let plan = plan_with(&graph(&name), Services::default());
        let (onlooker, looks) = onlooker(|_| true);
        let mut run = ManualRun::watched(&plan, cores, None, &onlooker).expect("can be built");
        assert!(run.run_until(Timestamp::MAX));
        let sunk = tally(&name);
        drop(run);

        let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(looks.len(), 5, "every output that there is");
        let mut at = |label: &str| {
            let (_, tap) = looks.iter_mut().find(|(at, _)| at == label).expect("is looked at");
            let all = seen(tap);
            assert!(tap.has_ended() && tap.missed() == 0);
            all
        };
        let (counted, bounds) = at("count");
        assert_eq!(samples(&counted), (0..500).map(|n| n as f32).collect::<Vec<_>>());
        assert!(bounds.is_sorted() && bounds.last() == Some(&Timestamp::MAX), "{bounds:?}");
        let (passed, _) = at("first");
        assert_eq!(passed.len(), 50);
        let (left, _) = at(&format!("dies_{name}"));
        assert_eq!(left.len(), 49, "it died on one");
        let gaps: Vec<_> = left.iter().filter_map(|frame| frame.header.gap.get()).collect();
        assert_eq!(gaps, [Gap::Restart]);
        let (joined, _) = at("sum");
        let sink: Vec<_> = sunk.iter().map(|(_, frame)| frame.header).collect();
        assert_eq!(joined.iter().map(|frame| frame.header).collect::<Vec<_>>(), sink);

        let frames: Vec<Frame> = sunk.into_iter().map(|(_, frame)| frame).collect();
        let headers: Vec<_> =
            frames.iter().map(|f| (f.header.time.nanos(), f.header.gap.get())).collect();
        assert_eq!(bits(&samples(&frames)), bits(&alone), "who looks on changes nothing");
        assert_eq!(headers, alone_headers);
    }
}

#[test]
fn a_tap_at_a_running_graph_comes_and_goes() {
    let text = r#"
        [graph]
        name = "taps"
        [node.count]
        op = "count"
        samples = 1_000_000_000
        [node.first]
        op = "pass"
        from = "count"
        [node.comes_and_goes]
        op = "waiting_tally"
        from = "first"
        on_full = "drop_oldest"
        "#;
    let plan = plan_with(text, Services::default());
    let running = plan.start(&RunOptions::default()).expect("bodies can be built");
    let limits = TapLimits { frames: 8, ..TapLimits::default() };
    let mut looks: Vec<Tap> =
        (0..2).map(|_| running.tap(0, "first", limits).expect("there is one")).collect();
    until(&running, |_| looks[1].missed() > 0);
    // Nobody waits for one who does not look; the other sees the same, up to what it has room for.
    let (frames, _) = seen(&mut looks[0]);
    assert_eq!(frames.len(), 8);
    assert_eq!(frames[0].samples()[0] as i64 % 10, 1, "`first` adds one");
    let mut passed = None;
    until(&running, |_| {
        let next = looks[0].try_next();
        passed = next.filter(|next| next.missed > 0 && matches!(next.what, Seen::Frame(_)));
        passed.is_some()
    });
    let Seen::Frame(next) = passed.expect("was there").what else { unreachable!() };
    assert!(next.header.seq > frames[7].header.seq + 1, "what was missed is missing");

    drop(looks);
    let sent = edge(&running, "first", "comes_and_goes").frames.sent;
    until(&running, |running| edge(running, "first", "comes_and_goes").frames.sent > sent + 20);
    assert!(matches!(running.tap(0, "nobody", limits), Err(ControlError::UnknownNode(_))));
    assert!(matches!(running.tap(0, "first.out2", limits), Err(ControlError::UnknownNode(_))));
    assert!(matches!(running.tap(7, "first", limits), Err(ControlError::UnknownSession(7))));
    let mut look = running.tap(0, "count.out", limits).expect("a port may be named");
    until(&running, |_| !seen(&mut look).0.is_empty());
    running.drain();
    finish(&running);
    seen(&mut look);
    drop(running);
    assert!(look.has_ended());
    tally("comes_and_goes");
}

#[test]
fn a_device_can_be_looked_at() {
    let text = r#"
        [graph]
        name = "taps"
        [node.device]
        op = "device"
        frames = 20
        [node.device_tapped]
        op = "tally"
        from = "device"
        "#;
    let plan = plan_with(text, Services::default());
    let (onlooker, looks) = onlooker(|output| output.is_source && output.is_taken);
    let options = RunOptions { speed: None, ..RunOptions::default() };
    let running = plan.start_watched(&options, onlooker).expect("bodies can be built");
    assert!(running.wait_for(LIMIT).is_some());
    drop(running);
    let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
    let (frames, bounds) = seen(&mut looks[0].1);
    let sunk = tally("device_tapped");
    assert_eq!(frames.len(), 20);
    let headers = |frames: &[Frame]| frames.iter().map(|f| f.header).collect::<Vec<_>>();
    assert_eq!(headers(&frames), sunk.into_iter().map(|(_, f)| f.header).collect::<Vec<_>>());
    assert!(bounds.is_sorted() && bounds.last() == Some(&Timestamp::MAX), "{bounds:?}");
    assert!(bounds.len() >= 20, "told of every frame: {bounds:?}");
}

#[test]
fn a_device_waits_for_nobody_who_looks_on_nor_does_what_stands_behind_it() {
    let text = r#"
        [graph]
        name = "taps"
        [node.device]
        op = "device"
        frames = 20
        [node.behind]
        op = "pass"
        from = "device"
        [node.device_alone]
        op = "tally"
        from = "behind"
        "#;
    let plan = plan_with(text, Services::default());
    let looks = Arc::<Mutex<Vec<Tap>>>::default();
    let kept = looks.clone();
    let hour = Duration::from_secs(3_600);
    let onlooker: Onlooker = Arc::new(move |_, _| {
        let (end, look) = tap(TapLimits { frames: 1, patience: hour, ..TapLimits::default() });
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(look);
        vec![end]
    });
    let options = RunOptions { speed: None, ..RunOptions::default() };
    let running = plan.start_watched(&options, onlooker).expect("bodies can be built");
    let late = TapLimits { frames: 1, patience: hour, ..TapLimits::default() };
    let late = running.tap(0, "behind", late);
    assert!(running.wait_for(LIMIT).is_some(), "it waits for who looks on");
    drop(running);
    assert_eq!(tally("device_alone").len(), 20);
    let looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!looks.is_empty() && looks.iter().all(|look| look.missed() > 0));
    drop(late);
}

#[test]
fn sessions_are_looked_at_one_by_one() {
    let name = "two_sessions";
    let plan = plan_with(&graph(name), Services::default());
    let running = start(&plan, 2);
    finish(&running);
    // The sessions are over: there is nothing to look at.
    let over = running.tap(1, "first", TapLimits::default());
    assert!(matches!(over, Err(ControlError::UnknownSession(1) | ControlError::Ended)));
    tally(name);
}

#[test]
fn why_a_body_died_last_is_told_of_its_node_and_of_no_other() {
    let name = "why";
    let plan = plan_with(&graph(name), Services::default());
    let running = start(&plan, 1);
    finish(&running);
    let report = running.report();
    for node in &report.nodes {
        let has_died = node.name == format!("dies_{name}");
        assert_eq!(node.last_fault.is_some(), has_died, "{}", node.name);
    }
    let dead = report.node(&format!("dies_{name}")).expect("it is there");
    let fault = dead.last_fault.as_ref().expect("it died once");
    assert!(!fault.what.is_empty() && (0..=report.lasted_ns).contains(&fault.at_ns), "{fault:?}");
    tally(name);
}
