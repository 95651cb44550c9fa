//! Sources that wait: silence, pauses, full edges, death.

use std::sync::atomic::Ordering;

use afferent_suite::kinds::{SLOWNESS_NS, tallied, tally};
use engine::{Gap, RunOptions, Services};

use crate::{LIMIT, edge, failing, finish, plan_with, start, until};

/// A join of a generated signal with a device; `silent_at = 3` lets it fall silent after 30 ms.
fn join(name: &str, idle: &str) -> engine::Running {
    let text = format!(
        r#"
        [graph]
        name = "idle"
        [node.count]
        op = "count"
        samples = 300
        [node.device]
        op = "device"
        {idle}
        [node.sum]
        op = "sum"
        from = {{ in = "count", other = "device" }}
        [node.{name}]
        op = "tally"
        from = "sum"
        "#
    );
    let plan = plan_with(&text, Services::default());
    plan.start(&RunOptions::default()).expect("bodies can be built")
}

#[test]
fn a_silent_device_lets_a_join_go_on_after_idle_ms() {
    let running = join("idle", "silent_at = 3\nidle_ms = 20");
    until(&running, |running| edge(running, "sum", "idle").frames.taken >= 29);
    running.stop();

    let (samples, _) = tallied("idle");
    // The last sample of the device, 29, is held.
    let want = (0..290).map(|n| (n + n.min(29)) as f32);
    assert_eq!(samples[..290], want.collect::<Vec<_>>());
}

#[test]
fn without_idle_ms_a_join_waits_for_ever() {
    let running = join("no_idle", "silent_at = 3");
    until(&running, |running| edge(running, "count", "sum").frames.sent == 30);

    // All of the other input is there, and nothing is said about what the device has not reached.
    assert!(edge(&running, "sum", "no_idle").frames.sent <= 3);
    running.stop();
    tally("no_idle");
}

#[test]
fn a_device_that_never_sends_lets_a_join_go_on_after_idle_ms() {
    let running = join("never", "idle_ms = 20\nsilent_at = 0");
    until(&running, |running| edge(running, "sum", "never").frames.taken >= 29);
    running.stop();

    let (samples, _) = tallied("never");
    assert!(samples[..290].iter().all(|sample| sample.is_nan()), "there is nothing to hold");
}

/// A join of a generated signal with one port of a device of two.
fn beside(name: &str, port: &str, params: &str) -> engine::Running {
    let text = format!(
        r#"
        [graph]
        name = "beside"
        [node.count]
        op = "count"
        samples = 1_000_000
        [node.pair]
        op = "pair"
        idle_ms = 20
        {params}
        [node.sum]
        op = "sum"
        from = {{ in = "count", other = "{port}" }}
        [node.{name}_rest]
        op = "tally"
        from = ["pair", "pair.seldom"]
        [node.{name}]
        op = "tally"
        from = "sum"
        "#
    );
    let plan = plan_with(&text, Services::default());
    plan.start(&RunOptions::default()).expect("bodies can be built")
}

#[test]
fn a_port_that_is_silent_beside_another_is_raised_alone() {
    let running = beside("silent_port", "pair.seldom", "every = 1_000_000");
    until(&running, |running| edge(running, "sum", "silent_port").frames.taken >= 29);
    running.stop();

    let (samples, _) = tallied("silent_port");
    // The last sample of the first frame is held.
    let want = (0..290).map(|n| (n + n.min(9)) as f32);
    assert_eq!(samples[..290], want.collect::<Vec<_>>());
    tally("silent_port_rest");
}

#[test]
fn a_gap_of_a_device_is_told_on_every_port() {
    let running = beside("gaps", "pair", "every = 4");
    until(&running, |running| edge(running, "pair.seldom", "gaps_rest").frames.taken >= 5);
    running.stop();

    let frames = tally("gaps_rest");
    for line in 0..2 {
        let gaps = frames.iter().filter(|(at, _)| *at == line).filter_map(|(_, frame)| {
            Some((frame.header.time.nanos() / 10_000_000, frame.header.gap.get()?))
        });
        // Frame 10 is the first after the gap on one port, frame 12 on the other.
        assert_eq!(gaps.collect::<Vec<_>>(), [(10 + 2 * line as i64, Gap::Source)]);
    }
    tally("gaps");
}

#[test]
fn an_input_that_lags_is_not_waited_for_longer_than_max_wait_ms() {
    let text = r#"
        [graph]
        name = "lags"
        [node.count]
        op = "count"
        samples = 1_000_000
        [node.device]
        op = "device"
        silent_at = 3
        [node.sum]
        op = "sum"
        from = { in = "count", other = "device" }
        max_wait_ms = 50
        [node.lags]
        op = "tally"
        from = "sum"
        "#;
    let plan = plan_with(text, Services::default());
    let running = plan.start(&RunOptions::default()).expect("bodies can be built");
    until(&running, |running| edge(running, "sum", "lags").frames.taken >= 29);
    running.stop();

    let (samples, _) = tallied("lags");
    let want = (0..290).map(|n| (n + n.min(29)) as f32);
    assert_eq!(samples[..290], want.collect::<Vec<_>>());
}

#[test]
fn a_pause_drops_what_a_device_brings_and_tells_the_gap() {
    let text = r#"
        [graph]
        name = "pause"
        [node.device]
        op = "device"
        [node.pass]
        op = "pass"
        from = "device"
        [node.live_pause]
        op = "tally"
        from = "pass"
        "#;
    let running = start(&plan_with(text, Services::default()), 1);
    let paused = |running: &engine::Running| edge(running, "device", "pass").frames.dropped[5];
    assert_eq!(Gap::ALL[5], Gap::Paused);
    until(&running, |running| edge(running, "pass", "live_pause").frames.taken >= 2);

    running.pause(0).expect("open");
    until(&running, |running| paused(running) >= 3);
    let before = edge(&running, "pass", "live_pause").frames.taken;
    running.resume(0).expect("open");
    until(&running, |running| edge(running, "pass", "live_pause").frames.taken >= before + 2);
    running.drain();
    finish(&running);

    let lost = 10 * paused(&running) as usize;
    let (samples, headers) = tallied("live_pause");
    let gaps: Vec<_> = headers.iter().filter_map(|(_, gap)| *gap).collect();
    assert_eq!(gaps, [Gap::Paused]);
    // What follows the gap is what the device brought then, not what was missed.
    let jumps = samples.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
    assert_eq!(jumps.filter(|&jump| jump != 1).collect::<Vec<_>>(), [lost + 1]);
}

#[test]
fn behind_a_device_the_oldest_goes_first() {
    SLOWNESS_NS.store(200_000, Ordering::Relaxed);
    let text = r#"
        [graph]
        name = "flood"
        [node.device]
        op = "device"
        frames = 5_000
        every_ms = 0
        [node.flood]
        op = "waiting_tally"
        from = "device"
        "#;
    let running = start(&plan_with(text, Services::default()), 1);
    finish(&running);

    let frames = edge(&running, "device", "flood").frames;
    assert!(frames.dropped[0] > 0, "{frames:?}");
    assert_eq!((frames.sent, frames.dropped_in_all()), (5_000, frames.dropped[0]));
    let (samples, headers) = tallied("flood");
    assert_eq!(samples.last(), Some(&49_999.0), "the newest came through");
    assert!(headers.iter().any(|(_, gap)| *gap == Some(Gap::Full)));
}

#[test]
fn a_device_that_dies_is_started_again_behind_a_gap() {
    let text = r#"
        [graph]
        name = "death"
        [node.mortal]
        op = "device"
        panics_at = 5
        [node.death]
        op = "tally"
        from = "mortal"
        "#;
    let running = start(&plan_with(text, Services::default()), 1);
    until(&running, |running| edge(running, "mortal", "death").frames.taken >= 8);
    running.drain();
    finish(&running);

    assert_eq!(running.report().node("mortal").expect("a node").restarts, 1);
    let (samples, headers) = tallied("death");
    assert_eq!(samples[..50], (0..50).map(|n| n as f32).collect::<Vec<_>>());
    let gaps = headers.iter().enumerate().filter_map(|(n, (_, gap))| Some((n, (*gap)?)));
    assert_eq!(gaps.collect::<Vec<_>>(), [(5, Gap::Restart)]);
}

/// A device that is pulled out once, and is not there for so many builds afterwards.
fn unplugged(name: &str, times: u32, params: &str) -> engine::Running {
    let text = format!(
        r#"
        [graph]
        name = "unplugged"
        [node.{name}]
        op = "unplugged"
        times = {times}
        {params}
        [node.{name}_out]
        op = "tally"
        from = "{name}"
        "#
    );
    start(&plan_with(&text, Services::default()), 1)
}

#[test]
fn a_device_that_is_not_there_for_a_while_is_looked_for_again() {
    let running = unplugged("away", 2, "");
    finish(&running);

    assert_eq!(running.report().node("away").expect("a node").restarts, 1);
    let gaps: Vec<_> = tallied("away_out").1.into_iter().map(|(_, gap)| gap).collect();
    assert_eq!(gaps, [None, Some(Gap::Restart)]);
}

#[test]
fn a_device_that_stays_away_is_given_up_within_its_budget() {
    let running = unplugged("lost", 1_000, "retries = 3\non_fault = \"stop\"");
    let outcome = running.wait_for(LIMIT).expect("ends");

    let (node, what, _) = outcome.fault.expect("ends with a fault");
    assert_eq!(
        (node.as_str(), what.as_str()),
        ("lost", "cannot be built again: there is no device")
    );
    // One for the fault, three for builds that failed.
    assert_eq!(failing::failed("lost"), 1 + 3);
    assert_eq!(tallied("lost_out").0.len(), 10, "what was delivered is finished");
}

#[test]
fn what_sources_bring_in_is_counted_in_samples() {
    let text = r#"
        [graph]
        name = "samples"
        [node.count]
        op = "count"
        samples = 105
        [node.device]
        op = "device"
        frames = 3
        [node.samples_out]
        op = "tally"
        from = ["count", "device"]
        "#;
    let running = start(&plan_with(text, Services::default()), 2);
    finish(&running);

    let report = running.report();
    let entered = |node| report.node(node).and_then(|node| node.entered).expect("a source");
    // The last frame of the count is half as long as the others.
    let (count, device) = (entered("count"), entered("device"));
    assert_eq!((count.frames, count.samples), (2 * 11, 2 * 105));
    assert_eq!(count.content_ns, Some(2 * 105_000_000));
    assert_eq!((device.frames, device.samples), (2 * 3, 2 * 30));
    assert_eq!(device.rate_hz, Some(1_000.0));
    tally("samples_out");
}
