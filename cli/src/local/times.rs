//! Where the time of frames goes, as it is told to whoever looks on: of the last seconds, by sink and node.

use std::time::Duration;

use engine::{Load, Parts, Running, SinkTime, Wait};
use serde::{Deserialize, Serialize};

use crate::{figures::WINDOW_S, profile};

/// What limits a run cannot be told sooner: rings are looked at fifty times a second.
const LIMIT_S: f64 = 0.5;

/// Where time went lately, and what limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TimeLook {
    /// Seconds that it looks back on.
    pub(crate) span_s: f64,
    /// None while too little has been seen.
    pub(crate) limit: Option<LimitLook>,
    /// Sinks to which something has come since somebody looks.
    pub(crate) sinks: Vec<SinkTimeLook>,
    /// Frames that are left out, as some step of theirs is not known, and steps for which there was no room.
    pub(crate) broken: u64,
    pub(crate) lost: u64,
}

/// What limits a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LimitLook {
    /// `nothing`, `compute`, `core`, `ring`, `sink`, `join`, `answer`, `source`, `moving` or `machine`.
    pub(crate) cause: String,
    pub(crate) node: Option<String>,
    /// The edge that shows it, as its two nodes.
    pub(crate) edge: Option<[String; 2]>,
    /// As a sentence, with the cause and the node.
    pub(crate) said: String,
    /// What to change; empty where nothing limits.
    pub(crate) change: String,
}

/// Where the time of what one sink got went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SinkTimeLook {
    pub(crate) node: String,
    /// Frames that were followed all the way to it, in that span.
    pub(crate) frames: u64,
    /// Where there are none, seconds since the newest before came: that one alone is told then.
    pub(crate) age_s: Option<f64>,
    pub(crate) mean: WayLook,
    /// Of the slowest hundredth of those frames, or the slowest if they are fewer.
    pub(crate) slowest: WayLook,
}

/// A latency and its parts: what they add up to is what the sink has measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WayLook {
    /// As the sink has measured it.
    pub(crate) latency_ns: f64,
    #[serde(flatten)]
    pub(crate) parts: PartsLook,
    /// The nodes on the way, those with most of it first.
    pub(crate) nodes: Vec<LegLook>,
}

/// What a node has of a latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LegLook {
    pub(crate) node: String,
    /// From 0 to 1.
    pub(crate) share: f64,
    #[serde(flatten)]
    pub(crate) parts: PartsLook,
}

/// Nanoseconds, to a tenth of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PartsLook {
    pub(crate) waiting_ns: f64,
    pub(crate) computing_ns: f64,
    pub(crate) moving_ns: f64,
    /// What it waited for.
    pub(crate) ring_ns: f64,
    pub(crate) join_ns: f64,
    pub(crate) turn_ns: f64,
    pub(crate) answer_ns: f64,
}

impl PartsLook {
    fn of(parts: &Parts) -> Self {
        let [ring_ns, join_ns, turn_ns, answer_ns] = parts.waiting.map(tenth);
        Self {
            waiting_ns: tenth(parts.waiting_in_all()),
            computing_ns: tenth(parts.computing),
            moving_ns: tenth(parts.moving),
            ring_ns,
            join_ns,
            turn_ns,
            answer_ns,
        }
    }

    /// Everything together.
    pub(crate) fn all(&self) -> f64 {
        self.waiting_ns + self.computing_ns + self.moving_ns
    }

    /// What it waited for, by its word, the longest first; what is nothing is left out.
    pub(crate) fn waits(&self) -> Vec<(&'static str, f64)> {
        let each = [self.ring_ns, self.join_ns, self.turn_ns, self.answer_ns];
        let mut waits: Vec<_> = Wait::ALL.into_iter().map(Wait::word).zip(each).collect();
        waits.retain(|(_, ns)| *ns > 0.0);
        waits.sort_by(|a, b| b.1.total_cmp(&a.1));
        waits
    }
}

fn tenth(ns: f64) -> f64 {
    (10.0 * ns).round() / 10.0
}

/// What is seen of a run that is followed; none if it is not.
pub(crate) fn look(running: &Running) -> Option<TimeLook> {
    let load = running.lately(Duration::from_secs_f64(WINDOW_S))?;
    Some(told(&load, running.clock_now()))
}

fn told(load: &Load, now: engine::Timestamp) -> TimeLook {
    let span_s = load.lasted_ns as f64 / 1e9;
    TimeLook {
        span_s,
        limit: (span_s >= LIMIT_S).then(|| limit(load)),
        sinks: load.time.sinks.iter().filter_map(|of| sink(load, of, now)).collect(),
        broken: load.time.broken,
        lost: load.time.lost,
    }
}

fn limit(load: &Load) -> LimitLook {
    let limit = load.limit();
    let name = |node: usize| load.nodes[node].name.clone();
    let node = limit.node.map(name);
    LimitLook {
        cause: limit.cause.word().to_owned(),
        edge: limit.edge.map(|edge| [load.edges[edge].from, load.edges[edge].to].map(name)),
        said: profile::said(limit.cause, node.as_deref(), &limit.why),
        node,
        change: limit.change,
    }
}

/// None if nothing is known of it.
fn sink(load: &Load, of: &SinkTime, now: engine::Timestamp) -> Option<SinkTimeLook> {
    let newest = of.recent.back()?;
    let names = &load.time.nodes;
    let measured = (of.journeys > 0).then(|| of.latency_ns as f64 / of.journeys as f64);
    let mean = if measured.is_some() { of.mean() } else { of.between(0.0, 1.0) };
    Some(SinkTimeLook {
        node: of.name.clone(),
        frames: of.journeys,
        age_s: measured.is_none().then(|| now.since(newest.arrived) as f64 / 1e9),
        mean: way(names, &mean, measured),
        slowest: way(names, &of.between(0.99, 1.0), None),
    })
}

fn way(names: &[String], nodes: &[(usize, Parts)], measured: Option<f64>) -> WayLook {
    let whole: f64 = nodes.iter().map(|(_, parts)| parts.all()).sum();
    let all = nodes.iter().fold(Parts::default(), |all, (_, parts)| profile::sum(all, parts));
    let leg = |(node, parts): &(usize, Parts)| LegLook {
        node: names[*node].clone(),
        share: parts.all() / whole.max(1e-9),
        parts: PartsLook::of(parts),
    };
    let mut nodes: Vec<LegLook> = nodes.iter().map(leg).collect();
    nodes.sort_by(|a, b| b.share.total_cmp(&a.share));
    let latency_ns = tenth(measured.unwrap_or(whole));
    WayLook { latency_ns, parts: PartsLook::of(&all), nodes }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use engine::{Attribution, Journey, Leg, Timestamp};

    use super::*;

    fn parts(ring: f64, answer: f64, computing: f64, moving: f64) -> Parts {
        Parts { waiting: [ring, 0.0, 0.0, answer], computing, moving }
    }

    /// A fast way and a slow one by two nodes; the slow one waits for an answer.
    fn load() -> Load {
        let journey = |latency_ns: i64, answer: f64| Journey {
            latency_ns,
            arrived: Timestamp::from_secs_f64(2.0),
            legs: vec![
                Leg { node: 0, parts: parts(0.0, answer, 50.0, 0.0), late: None },
                Leg { node: 1, parts: parts(30.0, 0.0, 0.0, 20.0), late: None },
            ],
        };
        let sink = SinkTime {
            node: 1,
            name: "out".to_owned(),
            journeys: 2,
            latency_ns: 1_200,
            nodes: [(0, parts(0.0, 1_000.0, 100.0, 0.0)), (1, parts(60.0, 0.0, 0.0, 40.0))].into(),
            recent: [journey(100, 0.0), journey(1_100, 1_000.0)].map(Arc::new).into(),
            ..SinkTime::default()
        };
        Load {
            lasted_ns: 4_000_000_000,
            time: Attribution {
                nodes: vec!["ask".to_owned(), "out".to_owned()],
                sinks: vec![sink],
                ..Attribution::default()
            },
            ..Load::default()
        }
    }

    #[test]
    fn parts_are_those_of_the_mean_and_of_the_slowest() {
        let mut load = load();
        let look = told(&load, Timestamp::from_secs_f64(9.0));
        let sink = &look.sinks[0];
        assert_eq!((sink.frames, sink.age_s), (2, None));
        assert_eq!((sink.mean.latency_ns, sink.mean.parts.all()), (600.0, 600.0));
        assert_eq!((sink.slowest.latency_ns, sink.slowest.parts.answer_ns), (1_100.0, 1_000.0));
        let [ask, out] = &sink.mean.nodes[..] else { panic!("{sink:?}") };
        assert_eq!((ask.node.as_str(), ask.parts.waits()), ("ask", vec![("answer", 500.0)]));
        assert!((ask.share - 550.0 / 600.0).abs() < 1e-12 && out.node == "out", "{sink:?}");

        // It got nothing lately: the newest way stands for itself, with its age.
        load.time.sinks[0].journeys = 0;
        load.time.sinks[0].nodes.clear();
        load.time.sinks[0].recent.pop_front();
        let look = told(&load, Timestamp::from_secs_f64(9.0));
        let sink = &look.sinks[0];
        assert_eq!((sink.frames, sink.age_s, sink.mean.latency_ns), (0, Some(7.0), 1_100.0));
    }

    #[test]
    fn what_limits_is_told_once_enough_was_seen() {
        let mut load = Load { lasted_ns: 400_000_000, ..load() };
        assert_eq!(told(&load, Timestamp::ZERO).limit, None);
        load.lasted_ns = Duration::from_secs(1).as_nanos() as i64;
        let limit = told(&load, Timestamp::ZERO).limit.expect("enough was seen");
        assert_eq!(limit.said, profile::limit(&load)[0], "in the words of `--profile`");
    }

    #[test]
    fn what_is_told_is_understood_and_what_is_new_may_lack() {
        let look = told(&load(), Timestamp::from_secs_f64(9.0));
        let text = serde_json::to_string(&look).expect("it can");
        assert_eq!(serde_json::from_str::<TimeLook>(&text).expect("it is one"), look);
        assert!(text.contains(r#""node":"ask","share":0.9"#), "{text}");
        let less: TimeLook =
            serde_json::from_str(r#"{"sinks":[{"node":"x"}]}"#).expect("it is one");
        assert_eq!((less.sinks[0].node.as_str(), less.limit), ("x", None));
    }
}
