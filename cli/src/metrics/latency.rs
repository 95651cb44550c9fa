//! Latencies as Prometheus counts them: how many were no longer than each of some limits.

use engine::Histogram;
use metrics::{Label, counter, gauge};

/// Limits in nanoseconds, the same for every series so that they can be added up: a feedback loop
/// lives in the microseconds, a model on another host in the seconds.
const LIMITS_NS: [i64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Publishes `name_bucket`, `name_sum` and `name_count`; `name` was described as a histogram.
pub(super) fn publish(name: &str, labels: &[Label], latency: &Histogram) {
    let bucket = |limit: String, count: u64| {
        let mut labels = labels.to_vec();
        labels.push(Label::new("le", limit));
        counter!(format!("{name}_bucket"), labels).absolute(count);
    };
    for limit_ns in LIMITS_NS {
        bucket((limit_ns as f64 / 1e9).to_string(), latency.count_up_to(limit_ns));
    }
    // Looked at last, so that no bucket holds more than there are.
    let count = latency.count();
    bucket("+Inf".to_owned(), count);
    counter!(format!("{name}_count"), labels.to_vec()).absolute(count);
    gauge!(format!("{name}_sum"), labels.to_vec()).set(latency.sum_ns() as f64 / 1e9);
}
