//! P10: what a panic at 1 kHz costs the graph it happens in, and the one beside it.
//!
//! Nine chains stand on one core, a frame a millisecond each. In eight of them an operator panics
//! once, each at another time, so that none is in the back-off that a second panic within ten
//! seconds would bring. Lost must be the frame it died on and no other. The gap is told at the
//! sink: frames that are missing, by their times; and how long it went without, the interval
//! between the frames on both sides less the millisecond there would be anyway. The ninth chain,
//! the last to have its turn, tells how late its frames are against the most punctual one, since
//! what the core does meanwhile delays the door as well. Its p99 counts; because eight panics in
//! two seconds touch less than a hundredth of its frames, the latest of the ten frames from each
//! panic on is told as well.

mod support;

use std::{fmt::Write as _, time::Duration};

use engine::{Gap, RunOptions};
use support::{
    Bench,
    graph::planned,
    kinds::ends::{Seen, seen},
    quantile,
};

/// Chains that panic; their lists are 1, 2, …, that of the healthy one is 0.
const CHAINS: usize = 8;
/// Frames before the first panic.
const WARM: usize = 200;
/// Frames of the healthy chain that are looked at after a panic.
const NEAR: usize = 10;
const PERIOD_NS: i64 = 1_000_000;

fn main() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Those on data cores are the measurement.
        let on_core = |name: &str| name.starts_with("afferent-core");
        if !std::thread::current().name().is_some_and(on_core) {
            told(panic);
        }
    }));
    let bench = Bench::start("faults");
    let frames = bench.scale(2_000, 400);
    let [quiet, faulty] = bench.interleaved([
        ("without", &mut || run(frames, false)),
        ("with", &mut || run(frames, true)),
    ]);
    for (variant, runs) in [("without", &quiet), ("8 in two seconds", &faulty)] {
        bench.report(
            "siblings",
            &[("panics", variant)],
            &[
                ("p50_us", &runs.of(|run| run.p50_us)),
                ("p99_us", &runs.of(|run| run.p99_us)),
                ("latest_near_us", &runs.of(|run| run.latest_near_us)),
            ],
        );
    }
    let gaps = |pick: fn(&(i64, i64)) -> i64| {
        faulty.of(move |run| {
            let mut gaps: Vec<f64> = run.gaps.iter().map(|gap| pick(gap) as f64).collect();
            gaps.sort_by(f64::total_cmp);
            quantile(&gaps, 0.5)
        })
    };
    let most = |pick: fn(&(i64, i64)) -> i64| {
        faulty.of(move |run| run.gaps.iter().map(|gap| pick(gap) as f64).fold(0.0, f64::max))
    };
    bench.report(
        "gap",
        &[("panics", "8 in two seconds")],
        &[
            ("frames_max", &most(|gap| gap.0)),
            ("ns_p50", &gaps(|gap| gap.1)),
            ("ns_max", &most(|gap| gap.1)),
        ],
    );
    bench.verdict("P10, frames missing after a panic", &most(|gap| gap.0), 1.0);
    let p99 = faulty.of(|run| run.p99_us).over(&quiet.of(|run| run.p99_us));
    bench.verdict("P10, siblings' p99, with through without", &p99, 1.1);
}

struct Run {
    /// Of the healthy chain.
    p50_us: f64,
    p99_us: f64,
    /// Median over the panics.
    latest_near_us: f64,
    /// Missing frames and nanoseconds, at the sink of each chain that panicked.
    gaps: Vec<(i64, i64)>,
}

/// The frame that chain `chain` panics on.
fn panics_at(chain: usize, frames: usize) -> usize {
    WARM + chain * (frames - WARM) / CHAINS + (frames - WARM) / CHAINS / 2
}

fn run(frames: usize, panics: bool) -> Run {
    let options = RunOptions { speed: Some(1.0), cores: 1, sessions: 1 };
    let running = planned(&text(frames, panics), 1).start(&options).expect("bodies can be built");
    let outcome = running
        .wait_for(Duration::from_secs(20))
        .unwrap_or_else(|| panic!("no end: {:?}", running.report().edges));
    assert_eq!(outcome.fault, None);
    for edge in &running.report().edges {
        let died = edge.frames.dropped[Gap::Poison as usize - 1];
        let expected = u64::from(panics && edge.to.starts_with("dies"));
        assert_eq!(died, expected, "only the poison is lost");
        assert_eq!(edge.frames.sent, edge.frames.taken + died, "{} → {}", edge.from, edge.to);
    }
    let gaps = (0..CHAINS).filter_map(|chain| {
        let seen = seen(chain + 1);
        let at = panics_at(chain, frames);
        assert_eq!(seen.len(), frames - usize::from(panics));
        panics.then(|| gap(&seen, at))
    });
    let gaps = gaps.collect();
    let healthy = seen(0);
    assert_eq!(healthy.len(), frames);
    let waits = || healthy.iter().map(|frame| frame.arrived - frame.time);
    let punctual = waits().min().expect("frames");
    let late_us: Vec<f64> = waits().map(|wait| (wait - punctual) as f64 / 1e3).collect();
    let latest = |from: usize| late_us[from..][..NEAR].iter().copied().fold(0.0, f64::max);
    let mut near: Vec<f64> = (0..CHAINS).map(|chain| latest(panics_at(chain, frames))).collect();
    near.sort_by(f64::total_cmp);
    let mut all = late_us[WARM..].to_vec();
    all.sort_by(f64::total_cmp);
    Run {
        p50_us: quantile(&all, 0.5),
        p99_us: quantile(&all, 0.99),
        latest_near_us: quantile(&near, 0.5),
        gaps,
    }
}

/// How many frames are missing where the frame number `at` should be, and for how long the sink
/// went without; checks that nothing is missing anywhere else and that the sink was told.
fn gap(seen: &[Seen], at: usize) -> (i64, i64) {
    let mut gaps = seen.windows(2).enumerate().filter(|(_, two)| {
        let missing = two[1].time - two[0].time != PERIOD_NS;
        assert_eq!(two[1].after_gap, missing, "the sink is told");
        missing
    });
    let (place, two) = gaps.next().expect("a panic leaves a gap");
    assert!(gaps.next().is_none(), "one panic leaves one gap");
    assert_eq!(place + 1, at, "the gap is where the panic was");
    let frames = (two[1].time - two[0].time) / PERIOD_NS - 1;
    (frames, two[1].arrived - two[0].arrived - PERIOD_NS)
}

fn text(frames: usize, panics: bool) -> String {
    let mut text = "[graph]\nname = \"faults\"\n".to_owned();
    for chain in 0..CHAINS {
        let at = if panics { panics_at(chain, frames) as i64 } else { -1 };
        let list = chain + 1;
        let _ = write!(
            text,
            r#"
            [node.source{chain}]
            op = "bench_ramp"
            rate_hz = 64e3
            frames = {frames}
            [node.dies{chain}]
            op = "bench_dies"
            from = "source{chain}"
            at = {at}
            [node.sink{chain}]
            op = "bench_latency"
            from = "dies{chain}"
            list = {list}
            "#
        );
    }
    let _ = write!(
        text,
        r#"
        [node.healthy]
        op = "bench_ramp"
        rate_hz = 64e3
        frames = {frames}
        [node.pass]
        op = "bench_add"
        from = "healthy"
        [node.watch]
        op = "bench_latency"
        from = "pass"
        "#
    );
    text
}
