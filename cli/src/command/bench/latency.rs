//! How late frames are at the pace of life.

use std::{sync::Arc, time::Duration};

use engine::{Attribution, Histogram, Plan, RunOptions, Running};

use crate::exit::Failure;

use super::rounds::{Settings, fault};

/// What a run at a pace told.
pub(super) struct Paced {
    /// Seconds of content per second.
    pub(super) pace: f64,
    pub(super) seconds: f64,
    pub(super) sinks: Vec<Lateness>,
    /// What that time was spent on, of frames that were followed.
    pub(super) time: Attribution,
}

/// One sink.
pub(super) struct Lateness {
    pub(super) name: String,
    pub(super) frames: u64,
    /// 50, 90, 99 and 99.9 % of the frames were no later, in nanoseconds; `None` without frames.
    pub(super) quantiles: Option<[i64; 4]>,
    pub(super) deadline_ns: Option<i64>,
}

/// For so long frames are followed.
const FOLLOWED_S: f64 = 2.0;

const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Runs at `pace`, and looks at every sink from the end of the warm-up on.
pub(super) fn paced(
    plan: &Arc<Plan>,
    settings: &Settings,
    pace: f64,
    seconds: f64,
) -> Result<Paced, Failure> {
    let options = RunOptions { speed: Some(pace), cores: settings.cores, sessions: 1 };
    let running = plan.start(&options).map_err(|error| Failure::open(&error))?;
    let mut ended = running.wait_for(Duration::from_secs_f64(settings.warm_up));
    let before = running.report();
    let begun: Vec<Vec<u64>> = before.sinks.iter().map(|sink| counts(&sink.latency)).collect();
    if ended.is_none() {
        ended = running.wait_for(Duration::from_secs_f64(seconds));
    }
    let after = running.report();
    if let Some(outcome) = &ended {
        fault(outcome)?;
    }
    let sinks = after.sinks.iter().zip(&begun).map(|(sink, begun)| {
        let counts = counts(&sink.latency);
        let new: Vec<u64> = counts.iter().zip(begun).map(|(now, then)| now - then).collect();
        Lateness {
            name: sink.name.clone(),
            frames: new.last().copied().unwrap_or(0),
            quantiles: quantiles(&new),
            deadline_ns: sink.deadline_ns,
        }
    });
    let sinks = sinks.collect();
    // After what is measured: who follows frames takes part of the time.
    running.follow(Some(Running::FOLLOW_EVERY));
    if ended.is_none() {
        ended = running.wait_for(Duration::from_secs_f64(seconds.min(FOLLOWED_S)));
    }
    if let Some(outcome) = &ended {
        fault(outcome)?;
    }
    let time = running.attribution();
    running.stop();
    running.wait();
    let seconds = (after.lasted_ns - before.lasted_ns) as f64 / 1e9;
    Ok(Paced { pace, seconds, sinks, time })
}

/// Steps of a thirty-second of an octave, as fine as the histogram's, up to an hour.
fn steps() -> impl Iterator<Item = i64> {
    const PER_OCTAVE: u32 = 32;
    const OCTAVES: u32 = 42;
    let step = |n: u32| 2_f64.powf(f64::from(n) / f64::from(PER_OCTAVE)) as i64;
    (0..PER_OCTAVE * OCTAVES).map(step)
}

fn counts(latency: &Histogram) -> Vec<u64> {
    steps().map(|ns| latency.count_up_to(ns)).collect()
}

/// By how many were no later than each step.
fn quantiles(counts: &[u64]) -> Option<[i64; 4]> {
    let all = counts.last().copied().filter(|all| *all > 0)?;
    let at = |share: f64| {
        let rank = ((all as f64 * share).ceil() as u64).max(1);
        let found = steps().zip(counts).find(|(_, count)| **count >= rank);
        found.map_or(0, |(ns, _)| ns)
    };
    Some(SHARES.map(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_came_between() {
        let histogram = Histogram::default();
        (0..1_000).for_each(|_| histogram.record(5_000_000));
        let begun = counts(&histogram);
        (1..=1_000).for_each(|n| histogram.record(n * 1_000));
        let new: Vec<u64> =
            counts(&histogram).iter().zip(&begun).map(|(now, then)| now - then).collect();

        let found = quantiles(&new).expect("frames came");

        // A step of ours and one of the histogram's are 1/32 of an octave each: 4.4 % together.
        for (found, wanted) in found.iter().zip([500e3, 900e3, 990e3, 999e3]) {
            let off = *found as f64 / wanted;
            assert!((0.956..1.045).contains(&off), "{found} is not {wanted}");
        }
        assert_eq!(quantiles(&begun.iter().map(|_| 0).collect::<Vec<_>>()), None);
    }
}
