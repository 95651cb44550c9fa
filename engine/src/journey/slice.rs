//! Slices of the newest ways by their latency, and what the sink has measured of them: parts are held against that.

use std::sync::Arc;

use super::{Journey, SinkTime};

/// Those whose latency lies in a range of quantiles; one at least, if there is any.
pub(super) fn ways(sink: &SinkTime, low: f64, high: f64) -> Vec<&Journey> {
    let mut ways: Vec<&Journey> = sink.recent.iter().map(Arc::as_ref).collect();
    ways.sort_by_key(|journey| journey.latency_ns);
    let count = ways.len();
    let last = ((count as f64 * high).ceil() as usize).clamp(1.min(count), count);
    let first = ((count as f64 * low) as usize).min(last.saturating_sub(1));
    ways.drain(last..);
    ways.drain(..first);
    ways
}

impl SinkTime {
    /// The latency that the sink has measured, on the mean; nothing if no way is known.
    pub fn measured_ns(&self) -> Option<f64> {
        (self.journeys > 0).then(|| self.latency_ns as f64 / self.journeys as f64)
    }

    /// The same of the ways that [`SinkTime::between`] takes.
    pub fn measured_between(&self, low: f64, high: f64) -> Option<f64> {
        let ways = ways(self, low, high);
        let sum: i64 = ways.iter().map(|journey| journey.latency_ns).sum();
        (!ways.is_empty()).then(|| sum as f64 / ways.len() as f64)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::{journey::Leg, journey::Parts, time::Timestamp};

    use super::*;

    #[test]
    fn what_was_measured_is_not_what_parts_add_up_to() {
        // Of each a tenth is on no node.
        let journey = |latency_ns: i64| Journey {
            latency_ns,
            arrived: Timestamp::ZERO,
            legs: vec![Leg {
                node: 0,
                parts: Parts { computing: 0.9 * latency_ns as f64, ..Parts::default() },
                late: None,
            }],
        };
        let mut sink = SinkTime { journeys: 200, ..SinkTime::default() };
        sink.latency_ns = (1..=200).sum();
        sink.recent = (1..=200).rev().map(journey).map(Arc::new).collect();

        assert_eq!(sink.measured_ns(), Some(100.5));
        assert_eq!(sink.measured_between(0.99, 1.0), Some(199.5));
        let parts = sink.between(0.99, 1.0)[0].1.computing;
        assert!((parts - 0.9 * 199.5).abs() < 1e-9, "{parts}");
        assert_eq!(sink.measured_between(0.0, 0.0), Some(1.0), "one at least");
        assert_eq!(SinkTime::default().measured_between(0.0, 1.0), None);
        assert_eq!(SinkTime::default().measured_ns(), None);
    }
}
