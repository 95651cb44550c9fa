//! [`Sums`]: what was known at some moment, so that what came since can be told by itself.

use std::collections::BTreeMap;

use crate::time::Timestamp;

use super::{Attribution, Parts, SinkTime, of_node};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// Of sinks that got something, by node.
    sinks: BTreeMap<usize, OfSink>,
    lost: u64,
    broken: u64,
    late: BTreeMap<(usize, usize), f64>,
}

#[derive(Clone, Debug, Default)]
struct OfSink {
    journeys: u64,
    broken: u64,
    latency_ns: i64,
    nodes: Vec<(usize, Parts)>,
}

impl Sums {
    pub(super) fn new<'a>(
        sinks: impl Iterator<Item = &'a SinkTime>,
        lost: u64,
        broken: u64,
        late: &BTreeMap<(usize, usize), f64>,
    ) -> Self {
        let of = |sink: &SinkTime| OfSink {
            journeys: sink.journeys,
            broken: sink.broken,
            latency_ns: sink.latency_ns,
            nodes: sink.nodes.clone(),
        };
        let sinks = sinks.map(|sink| (sink.node, of(sink))).collect();
        Self { sinks, lost, broken, late: late.clone() }
    }

    /// What has come since these were taken at `at`, of all that is known now. A sink to which nothing has come
    /// since keeps its newest way.
    pub(super) fn until(&self, mut now: Attribution, at: Timestamp) -> Attribution {
        let nothing = OfSink::default();
        for sink in &mut now.sinks {
            // What was put in since has nothing before it.
            let then = self.sinks.get(&sink.node).unwrap_or(&nothing);
            sink.journeys -= then.journeys;
            sink.broken -= then.broken;
            sink.latency_ns -= then.latency_ns;
            for (node, then) in &then.nodes {
                let now = of_node(&mut sink.nodes, *node);
                *now = now.since(then);
            }
            let newest = sink.recent.pop_back();
            sink.recent.retain(|journey| journey.arrived >= at);
            sink.recent.extend(newest);
        }
        now.lost -= self.lost;
        now.broken -= self.broken;
        for (node, line, ns) in &mut now.late {
            *ns = (*ns - self.late.get(&(*node, *line)).copied().unwrap_or(0.0)).max(0.0);
        }
        now.late.retain(|(.., ns)| *ns > 0.0);
        now
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use crate::journey::{Journey, Leg};

    use super::*;

    fn sink(node: usize, ways: &[i64]) -> SinkTime {
        let parts = |ns: i64| Parts { computing: ns as f64, ..Parts::default() };
        let journey = |(second, &latency_ns): (usize, &i64)| {
            Arc::new(Journey {
                latency_ns,
                arrived: Timestamp::from_secs_f64(second as f64),
                legs: vec![Leg { node: 0, parts: parts(latency_ns), late: None }],
            })
        };
        SinkTime {
            node,
            name: "x".to_owned(),
            journeys: ways.len() as u64,
            broken: 2 * ways.len() as u64,
            latency_ns: ways.iter().sum(),
            nodes: [(0, parts(ways.iter().sum()))].into(),
            recent: ways.iter().enumerate().map(journey).collect(),
        }
    }

    fn known(ways: &[i64], late: &[(usize, usize, f64)]) -> Attribution {
        Attribution {
            nodes: vec!["a".to_owned()],
            sinks: vec![sink(0, ways)],
            lost: ways.len() as u64,
            broken: 2 * ways.len() as u64,
            late: late.to_vec(),
        }
    }

    #[test]
    fn what_came_since_is_told_without_what_was_before() {
        let late = BTreeMap::from([((0, 0), 5.0), ((0, 1), 7.0)]);
        let sums = Sums::new(known(&[100, 200, 300], &[]).sinks.iter(), 3, 6, &late);
        let now = known(&[100, 200, 300, 40, 60], &[(0, 0, 5.0), (0, 1, 9.0), (1, 0, 4.0)]);

        let since = sums.until(now, Timestamp::from_secs_f64(2.5));
        let of = &since.sinks[0];
        assert_eq!((of.journeys, of.latency_ns, of.covered()), (2, 100, 1.0));
        assert_eq!(of.mean()[0].1.computing, 50.0);
        assert_eq!(of.between(1.0, 1.0)[0].1.computing, 60.0, "the slowest of what came since");
        assert_eq!((since.lost, since.broken, of.broken), (2, 4, 4));
        assert_eq!(since.late, [(0, 1, 2.0), (1, 0, 4.0)]);
    }

    #[test]
    fn a_sink_that_got_nothing_since_keeps_its_newest_way() {
        let sums = Sums::new(known(&[100, 200], &[]).sinks.iter(), 2, 4, &BTreeMap::new());
        let since = sums.until(known(&[100, 200], &[]), Timestamp::from_secs_f64(9.0));
        let of = &since.sinks[0];
        assert_eq!((of.journeys, of.mean().len(), of.recent.len()), (0, 0, 1));
        assert_eq!(of.between(0.0, 1.0)[0].1.computing, 200.0);
    }
}
