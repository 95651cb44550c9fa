//! Where the time of frames goes, as it is told to whoever looks on: of the last seconds, by sink and node.

use std::{collections::BTreeSet, time::Duration};

use engine::{Load, Parts, Running, SinkTime, Wait};
use serde::{Deserialize, Serialize};

use crate::{figures::WINDOW_S, profile};

/// What limits a run cannot be told sooner: rings are looked at fifty times a second.
const LIMIT_S: f64 = 0.5;
/// Nodes of a way that are told one by one, and of all ways together: a look has to fit into a line.
const LEGS_MOST: usize = 32;
const LEGS_IN_ALL: usize = 4_096;
/// But so many of each.
const LEGS_LEAST: usize = 4;

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

/// A latency and its parts. What these add up to is what the sink has measured, unless the attribution is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WayLook {
    /// As the sink has measured it.
    pub(crate) latency_ns: f64,
    #[serde(flatten)]
    pub(crate) parts: PartsLook,
    /// The nodes on the way, those with most of it first, and all others together.
    pub(crate) nodes: Vec<LegLook>,
    pub(crate) rest: RestLook,
}

/// Nodes that are not told one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RestLook {
    pub(crate) nodes: usize,
    /// From 0 to 1.
    pub(crate) share: f64,
    #[serde(flatten)]
    pub(crate) parts: PartsLook,
}

/// What a node has of a latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LegLook {
    pub(crate) node: String,
    /// Of what was measured, from 0 to 1.
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
    // What was taken out meanwhile gets nothing any more, and its name may be another's by now.
    let is_there = |of: &&SinkTime| !load.nodes.get(of.node).is_some_and(|node| node.is_gone);
    let sinks: Vec<&SinkTime> = load.time.sinks.iter().filter(is_there).collect();
    // Of two ways each.
    let legs = (LEGS_IN_ALL / (2 * sinks.len().max(1))).clamp(LEGS_LEAST, LEGS_MOST);
    TimeLook {
        span_s,
        limit: (span_s >= LIMIT_S).then(|| limit(load)),
        sinks: sinks.into_iter().filter_map(|of| sink(load, of, now, legs)).collect(),
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
fn sink(load: &Load, of: &SinkTime, now: engine::Timestamp, legs: usize) -> Option<SinkTimeLook> {
    let newest = of.recent.back()?;
    let measured = of.measured_ns();
    let slice = |low, high| (of.measured_between(low, high).unwrap_or(0.0), of.between(low, high));
    let mean = measured.map_or_else(|| slice(0.0, 1.0), |measured| (measured, of.mean()));
    let (slowest, names) = (slice(0.99, 1.0), &load.time.nodes);
    // Those are told of the slowest, too, so that both can be held against each other.
    let largest = largest(&mean.1, legs, &BTreeSet::new());
    let (others, measured_ns) = (self::largest(&slowest.1, legs, &largest), slowest.0);
    Some(SinkTimeLook {
        node: of.name.clone(),
        frames: of.journeys,
        age_s: measured.is_none().then(|| now.since(newest.arrived) as f64 / 1e9),
        mean: way(names, mean.0, &mean.1, &largest),
        slowest: way(names, measured_ns, &slowest.1, &others),
    })
}

/// The nodes with most of a way, so many, and those that are wanted anyway.
fn largest(nodes: &[(usize, Parts)], most: usize, wanted: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut all: Vec<(usize, f64)> =
        nodes.iter().map(|(node, parts)| (*node, parts.all())).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.into_iter().take(most).map(|(node, _)| node).chain(wanted.iter().copied()).collect()
}

fn way(
    names: &[String],
    measured_ns: f64,
    nodes: &[(usize, Parts)],
    one_by_one: &BTreeSet<usize>,
) -> WayLook {
    let add = |all: Parts, (_, parts): &(usize, Parts)| profile::sum(all, parts);
    let share = |parts: &Parts| parts.all() / measured_ns.max(1e-9);
    let (told, rest): (Vec<_>, Vec<_>) =
        nodes.iter().partition(|(node, _)| one_by_one.contains(node));
    let leg = |(node, parts): &(usize, Parts)| LegLook {
        node: names[*node].clone(),
        share: share(parts),
        parts: PartsLook::of(parts),
    };
    let mut legs: Vec<LegLook> = told.iter().map(leg).collect();
    legs.sort_by(|a, b| b.share.total_cmp(&a.share));
    let others = rest.iter().fold(Parts::default(), add);
    WayLook {
        latency_ns: tenth(measured_ns),
        parts: PartsLook::of(&nodes.iter().fold(Parts::default(), add)),
        nodes: legs,
        rest: RestLook { nodes: rest.len(), share: share(&others), parts: PartsLook::of(&others) },
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use engine::{Attribution, Journey, Leg, NodeLoad, Role, Timestamp};

    use super::*;

    fn parts(ring: f64, answer: f64, computing: f64, moving: f64) -> Parts {
        Parts { waiting: [ring, 0.0, 0.0, answer], computing, moving }
    }

    fn node(name: &str) -> NodeLoad {
        NodeLoad {
            name: name.to_owned(),
            role: Role::Operator,
            stage: Some(0),
            core: Some(0),
            model: None,
            is_written: true,
            is_in_named_stage: false,
            keys: Vec::new(),
            joins: false,
            calls: 2,
            mean_ns: 50.0,
            pace: None,
            is_gone: false,
        }
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
            nodes: ["ask", "out"].map(node).to_vec(),
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
    fn what_was_measured_is_told_whatever_parts_add_up_to() {
        let mut load = load();
        let sink = &mut load.time.sinks[0];
        sink.latency_ns += 800;
        let later = |journey: &mut Arc<Journey>| Arc::make_mut(journey).latency_ns += 400;
        sink.recent.iter_mut().for_each(later);
        let look = told(&load, Timestamp::from_secs_f64(9.0));
        let WayLook { latency_ns, parts, nodes, .. } = &look.sinks[0].mean;
        assert_eq!((*latency_ns, parts.all()), (1_000.0, 600.0));
        assert_eq!(nodes[0].share, 0.55, "of what was measured");
        let WayLook { latency_ns, parts, .. } = &look.sinks[0].slowest;
        assert_eq!((*latency_ns, parts.all()), (1_500.0, 1_100.0));

        let sink = &mut load.time.sinks[0];
        (sink.journeys, sink.latency_ns) = (0, 0);
        let look = told(&load, Timestamp::from_secs_f64(9.0));
        assert_eq!(look.sinks[0].mean.latency_ns, 1_000.0, "that of the newest ways");
    }

    #[test]
    fn a_sink_that_was_taken_out_is_not_told_any_more() {
        let mut load = load();
        load.nodes[1].is_gone = true;
        assert_eq!(told(&load, Timestamp::ZERO).sinks, []);
    }

    #[test]
    fn of_a_long_way_the_largest_nodes_are_told_and_the_others_together() {
        // Sinks with a hundred nodes each: the same way for all but its slowest, which waits at the last one.
        let names: Vec<String> = (0..100).map(|n| format!("a_node_of_a_long_name_{n}")).collect();
        let legs = |last: f64| {
            let of = |node: usize| if node == 99 { last } else { 1_000.0 - node as f64 };
            let leg = |node| Leg { node, parts: parts(of(node), 0.0, 0.0, 0.0), late: None };
            (0..100).map(leg).collect::<Vec<Leg>>()
        };
        let journey = |last| Journey {
            latency_ns: legs(last).iter().map(|leg| leg.parts.all() as i64).sum(),
            arrived: Timestamp::ZERO,
            legs: legs(last),
        };
        let ways = [journey(1.0), journey(5_000.0)];
        let mut nodes: Vec<(usize, Parts)> = (0..100).map(|n| (n, Parts::default())).collect();
        for leg in ways.iter().flat_map(|way| &way.legs) {
            nodes[leg.node].1 = profile::sum(nodes[leg.node].1, &leg.parts);
        }
        let sink = SinkTime {
            node: 99,
            name: names[99].clone(),
            journeys: 2,
            latency_ns: ways.iter().map(|way| way.latency_ns).sum(),
            nodes,
            recent: ways.map(Arc::new).into(),
            ..SinkTime::default()
        };
        let load = |sinks: usize| Load {
            lasted_ns: 4_000_000_000,
            nodes: names.iter().map(|name| node(name)).collect(),
            time: Attribution {
                nodes: names.clone(),
                sinks: vec![sink.clone(); sinks],
                ..Attribution::default()
            },
            ..Load::default()
        };
        let look = told(&load(1), Timestamp::ZERO);
        let SinkTimeLook { mean, slowest, .. } = &look.sinks[0];
        assert_eq!((mean.nodes.len(), mean.rest.nodes), (32, 68));
        assert_eq!(slowest.nodes[0].node, names[99]);
        for way in [mean, slowest] {
            let told: f64 = way.nodes.iter().map(|leg| leg.parts.all()).sum();
            assert_eq!(told + way.rest.parts.all(), way.latency_ns, "nothing is lost");
            let told: f64 = way.nodes.iter().map(|leg| leg.share).sum();
            assert!((told + way.rest.share - 1.0).abs() < 1e-9);
        }
        let is_told = |leg: &LegLook| slowest.nodes.iter().any(|other| other.node == leg.node);
        assert!(mean.nodes.iter().all(is_told), "both can be held against each other");

        let many = told(&load(1_000), Timestamp::ZERO);
        let bytes = serde_json::to_string(&many).expect("it can").len();
        assert!(bytes < 4 << 20, "{bytes}");
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
