//! The same on threads.

use std::{
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use super::{
    super::super::{Outcome, ReloadError, RunOptions, Running},
    kinds::{LEN, MEANS, heard, kept},
    *,
};

/// What counts bodies, or sends from the one device, is for one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Longer than any of these takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Lets the graph go on for a while.
fn rest(time: Duration) {
    let (_held, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

fn start(plan: &Arc<Plan>, sessions: u32, speed: Option<f64>) -> Running {
    let options = RunOptions { sessions, speed, cores: 2 };
    plan.start(&options).expect("bodies can be built")
}

fn finish(running: &Running) {
    assert_eq!(running.wait_for(LIMIT), Some(Outcome { fault: None }));
    for edge in &running.report().edges {
        assert!(edge.frames.is_balanced() && edge.frames.in_flight == 0, "{edge:?}");
    }
}

fn device(key: &str, scale: f64, part: f64) -> Arc<Plan> {
    planned(&format!(
        r#"
        [node.device]
        op = "device"
        samples = 5_000
        scale = {scale:?}
        [node.mean]
        op = "mean"
        from = "device"
        part = {part:?}
        [node.out]
        op = "keeps_and_waits"
        from = "mean"
        key = "{key}"
        "#
    ))
}

#[test]
fn a_device_goes_on_while_what_stands_behind_it_changes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let running = start(&device("device", 1.0, 0.0), 1, Some(1.0));
    for n in 1..=40 {
        rest(Duration::from_millis(5));
        // No part of what was: what came out is what came in, whichever body it was.
        let part = if n % 2 == 0 { 0.0 } else { -0.0 };
        running.reload(&device("device", 1.0, part)).expect("possible");
    }
    // Another device goes on behind a gap; another sink takes what is to come.
    running.reload(&device("device_too", 1.0, 0.0)).expect("possible");
    running.reload(&device("device_too", 2.0, 0.0)).expect("possible");
    finish(&running);

    let mut frames = kept("device/0");
    let first = frames.len();
    frames.extend(kept("device_too/0"));
    assert!(first > 0 && first < frames.len());
    let is_next = |(frame, n): (&crate::Frame, u64)| frame.header.seq == n;
    assert!(frames.iter().zip(0..).all(is_next), "nothing is missing");
    let (samples, gaps) = heard(&frames);
    assert_eq!(gaps, [Gap::Restart], "the device alone began anew");
    let at = frames.iter().position(|frame| frame.header.gap.is_some()).expect("it did") * LEN;
    let want = (0..samples.len()).map(|n| if n < at { n } else { 2 * n } as f32);
    assert_eq!(samples, want.collect::<Vec<_>>());
}

#[test]
fn all_sessions_change_and_those_that_come_later_begin_so() {
    let plan = |part: &str| two_chains("sessions", "samples = 2_000", part);
    let running = start(&plan(""), 50, Some(1.0));
    let report = running.reload(&plan("part = 0.0\nbias = 1.0")).expect("possible");
    assert!(report.rebuilt[0].has_state);
    let late = running.open().expect("room");
    assert_eq!(late, 50);
    finish(&running);
    for session in 0..=late {
        let (samples, gaps) = heard(&kept(&format!("sessions/{session}")));
        kept(&format!("sessions_beside/{session}"));
        assert_eq!((samples.len(), &*gaps), (2_000, &[][..]), "session {session}");
        assert_eq!(samples[1_999], 2_000.0, "session {session}");
    }
    assert_eq!(heard(&kept("sessions/50")).0, [] as [f32; 0]);
}

#[test]
fn a_new_version_that_fails_is_taken_out_of_all_sessions() {
    let plan = |part: &str| two_chains("fails", "samples = 1_000", part);
    let running = start(&plan(""), 3, Some(1.0));
    rest(Duration::from_millis(50));
    running.reload(&plan("part = 0.75\ndies = 3")).expect("possible");
    finish(&running);

    let why = running.rolled_back().expect("it died");
    assert_eq!((&*why.node, &*why.fault), ("mean", "died on purpose"));
    assert_eq!(running.rolled_back(), None);
    for session in 0..3 {
        let (samples, _) = heard(&kept(&format!("fails/{session}")));
        kept(&format!("fails_beside/{session}"));
        assert!(samples.len() >= 1_000 - LEN, "session {session}: {}", samples.len());
        // What it forgets of the past by halves is the same after a while.
        let want = *means(&[(0, 0.5)]).last().expect("some");
        assert_eq!(samples.last(), Some(&want), "session {session}");
    }
}

#[test]
fn five_hundred_reloads_leave_no_body_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = |n: usize| {
        let part = n as f64 / 1_000.0;
        two_chains("leaks", "samples = 100_000_000", &format!("part = {part:?}"))
    };
    let running = start(&plan(0), 1, None);
    let others = MEANS.load(Ordering::Relaxed) - 1;
    for n in 1..=500 {
        running.reload(&plan(n)).expect("possible");
        kept("leaks/0");
        kept("leaks_beside/0");
    }
    assert!(running.report().is_balanced());
    running.stop();
    running.wait_for(LIMIT).expect("ends");
    drop(running);
    kept("leaks/0");
    kept("leaks_beside/0");
    let left = MEANS.load(Ordering::Relaxed) - others;
    assert!(left <= 0, "{left} bodies are left");
}

#[test]
fn a_run_that_ends_in_the_middle_of_a_reload_just_ends() {
    for n in 0..20 {
        let plan = |part: &str| two_chains("ends", "samples = 100_000_000", part);
        let running = Arc::new(start(&plan(""), 4, None));
        let other = running.clone();
        let reloads = std::thread::spawn(move || {
            (1..50).map(|n| other.reload(&plan(&format!("part = 0.{n:02}")))).find_map(Result::err)
        });
        rest(Duration::from_millis(n % 7));
        running.stop();
        running.wait_for(LIMIT).expect("ends");
        let error = reloads.join().expect("it comes back");
        assert!(matches!(error, Some(ReloadError::Ended | ReloadError::Busy) | None), "{error:?}");
        for session in 0..4 {
            kept(&format!("ends/{session}"));
            kept(&format!("ends_beside/{session}"));
        }
    }
}

#[test]
fn branches_come_and_go_beside_a_device_in_all_sessions() {
    let plan = |more: &str| {
        planned(&format!(
            r#"
            [node.ramp]
            op = "ramp"
            samples = 1_500
            [node.mean]
            op = "mean"
            from = "ramp"
            [node.out]
            op = "keeps_and_waits"
            key = "grows"
            from = "mean"
            {more}
            "#
        ))
    };
    let more = r#"
        [node.sum]
        op = "sum"
        from = "mean"
        [node.more]
        op = "keeps_and_waits"
        key = "grows_more"
        from = ["sum", "mean"]
        "#;
    let running = start(&plan(""), 20, Some(1.0));
    for n in 0..20 {
        rest(Duration::from_millis(10));
        let report = running.reload(&plan(if n % 2 == 0 { more } else { "" })).expect("possible");
        assert_eq!(
            (report.added.len(), report.removed.len()),
            if n % 2 == 0 { (2, 0) } else { (0, 2) }
        );
        if n == 8 {
            assert_eq!(running.open().expect("room"), 20);
        }
    }
    finish(&running);
    for session in 0..=20 {
        let frames = kept(&format!("grows/{session}"));
        assert!(is_whole(&frames) && frames.len() == 150, "session {session}");
        let more = kept(&format!("grows_more/{session}"));
        assert!(!more.is_empty());
        assert_eq!(heard(&more).1, [], "session {session}");
    }
}

#[test]
fn a_device_leads_to_what_is_added() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = |more: &str| {
        planned(&format!(
            r#"
            [node.device]
            op = "device"
            samples = 3_000
            [node.out]
            op = "keeps_and_waits"
            key = "leads"
            from = "device"
            {more}
            "#
        ))
    };
    let more = "[node.more]\nop = \"keeps_and_waits\"\nkey = \"leads_more\"\nfrom = \"device\"\n";
    let running = start(&plan(""), 1, Some(1.0));
    for n in 0..10 {
        rest(Duration::from_millis(10));
        running.reload(&plan(if n % 2 == 0 { more } else { "" })).expect("possible");
    }
    finish(&running);
    let frames = kept("leads/0");
    assert_eq!((frames.len(), heard(&frames).1), (300, Vec::new()));
    let more = kept("leads_more/0");
    assert!(!more.is_empty());
    assert_eq!(heard(&more).1, []);
}
