//! Rounds at full speed: what went through, and where the time went.

use std::{sync::Arc, time::Duration};

use engine::{Outcome, Plan, Report, RunOptions, Running};

use crate::{
    exit::{Exit, Failure},
    figures::Work,
    local::message::WorkLook,
    profile,
};

/// How a round is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) seconds: f64,
    pub(super) warm_up: f64,
    pub(super) cores: usize,
}

/// What one round told.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Seconds that were measured.
    pub(super) seconds: f64,
    /// Whether the sources had ended before that, so that starting and ending are in it.
    pub(super) is_short: bool,
    pub(super) frames: u64,
    pub(super) samples: u64,
    /// Of samples, four each.
    pub(super) bytes: u64,
    /// Seconds of content, where all sources are signals.
    pub(super) content_s: Option<f64>,
    /// In the order of the plan.
    pub(super) nodes: Vec<Worked>,
}

/// One node in a round.
#[derive(Clone, Debug)]
pub(super) struct Worked {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// About frames, and about none, such as of timers; as estimated from what was timed.
    pub(super) calls: f64,
    /// Nanoseconds of a call, where it was timed; without the look at the clock that this takes.
    pub(super) call_ns: Option<f64>,
}

impl Worked {
    /// Nanoseconds in all.
    pub(super) fn ns(&self) -> f64 {
        self.call_ns.unwrap_or(0.0) * self.calls
    }
}

/// Starts the plan, lets it warm up, and looks at it twice.
pub(super) fn round(plan: &Arc<Plan>, settings: &Settings) -> Result<Round, Failure> {
    let options = RunOptions { speed: None, cores: settings.cores, sessions: 1 };
    let running = plan.start(&options).map_err(|error| Failure::open(&error))?;
    let ended = running.wait_for(Duration::from_secs_f64(settings.warm_up));
    if let Some(outcome) = ended {
        return whole(plan, &running, &outcome);
    }
    let before = running.report();
    let ended = running.wait_for(Duration::from_secs_f64(settings.seconds));
    let after = running.report();
    if let Some(outcome) = ended {
        fault(&outcome)?;
        // The end came in the middle of it: what there is tells as much.
    } else {
        running.stop();
        running.wait();
    }
    let clock_ns = clock_ns(&running);
    Ok(between(plan, Some(&before), &after, clock_ns, false))
}

/// What limits the graph at full speed: a round of its own, since who follows frames takes part of the time.
pub(super) fn limited(plan: &Arc<Plan>, settings: &Settings) -> Result<Vec<String>, Failure> {
    let options = RunOptions { speed: None, cores: settings.cores, sessions: 1 };
    let running = plan.start(&options).map_err(|error| Failure::open(&error))?;
    running.follow(Some(Running::FOLLOW_EVERY));
    if let Some(outcome) = running.wait_for(Duration::from_secs_f64(settings.seconds)) {
        fault(&outcome)?;
    }
    let load = running.workload();
    running.stop();
    running.wait();
    Ok(load.map(|load| profile::limit(&load)).unwrap_or_default())
}

/// A run that was over before it was warm.
fn whole(plan: &Plan, running: &Running, outcome: &Outcome) -> Result<Round, Failure> {
    fault(outcome)?;
    Ok(between(plan, None, &running.report(), clock_ns(running), true))
}

pub(super) fn fault(outcome: &Outcome) -> Result<(), Failure> {
    match &outcome.fault {
        Some((node, fault, class)) => {
            Err(Failure::new(Exit::of_fault(*class), &format!("node `{node}`: {fault}"), ""))
        }
        None => Ok(()),
    }
}

/// What a look at the clock costs, which is within whatever is timed.
fn clock_ns(running: &Running) -> f64 {
    const LOOKS: u32 = 2_000;
    let clock = running.clock();
    let begun = clock.now();
    for _ in 0..LOOKS {
        std::hint::black_box(clock.now());
    }
    clock.now().since(begun) as f64 / f64::from(LOOKS)
}

fn between(
    plan: &Plan,
    before: Option<&Report>,
    after: &Report,
    clock_ns: f64,
    is_short: bool,
) -> Round {
    let begun_ns = before.map_or(0, |before| before.lasted_ns);
    let seconds = (after.lasted_ns - begun_ns) as f64 / 1e9;
    let (mut frames, mut samples, mut values) = (0, 0, 0);
    let mut content_ns: Option<i64> = Some(0);
    for (number, node) in after.nodes.iter().enumerate() {
        let Some(entered) = &node.entered else { continue };
        let earlier = before.and_then(|before| before.nodes[number].entered);
        let channels = plan.outputs_of(&node.name).and_then(<[_]>::first);
        let channels = channels.and_then(|format| Some(format.as_signal()?.channels.len()));
        let brought = entered.samples - earlier.map_or(0, |earlier| earlier.samples);
        frames += entered.frames - earlier.map_or(0, |earlier| earlier.frames);
        samples += brought;
        values += brought * channels.unwrap_or(1) as u64;
        let content = entered
            .content_ns
            .map(|now| now - earlier.and_then(|earlier| earlier.content_ns).unwrap_or(0));
        content_ns = content_ns.zip(content).map(|(longest, content)| longest.max(content));
    }
    let nodes = after.nodes.iter().enumerate().map(|(number, node)| {
        let earlier = before.map(|before| WorkLook::of(&before.nodes[number]));
        let work = Work::between(earlier.unwrap_or_default(), WorkLook::of(node));
        Worked {
            name: node.name.clone(),
            kind: node.kind,
            calls: work.calls,
            call_ns: work.mean_ns.map(|mean_ns| (mean_ns - clock_ns).max(0.0)),
        }
    });
    Round {
        seconds,
        is_short,
        frames,
        samples,
        bytes: 4 * values,
        content_s: content_ns.filter(|ns| *ns > 0).map(|ns| ns as f64 / 1e9),
        nodes: nodes.collect(),
    }
}
