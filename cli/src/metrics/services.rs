//! What models, caches and other services tell of themselves.

use engine::{Figures, Histogram, Series};
use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::latency;

/// Hands figures of services to the recorder, under the name of their graph.
pub(super) struct OfServices<'a> {
    pub(super) graph: &'a str,
}

impl OfServices<'_> {
    fn labels(&self, series: &Series<'_>) -> Vec<Label> {
        let own = series.labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned()));
        std::iter::once(Label::new("graph", self.graph.to_owned())).chain(own).collect()
    }
}

impl Figures for OfServices<'_> {
    fn counter(&mut self, series: Series<'_>, value: u64) {
        describe_counter!(series.name, series.help);
        counter!(series.name, self.labels(&series)).absolute(value);
    }

    fn gauge(&mut self, series: Series<'_>, value: f64) {
        describe_gauge!(series.name, series.help);
        gauge!(series.name, self.labels(&series)).set(value);
    }

    fn latency(&mut self, series: Series<'_>, value: &Histogram) {
        describe_histogram!(series.name, series.help);
        latency::publish(series.name, &self.labels(&series), value);
    }

    fn sizes(&mut self, series: Series<'_>, up_to: &[(u64, u64)], sum: u64, count: u64) {
        describe_histogram!(series.name, series.help);
        let labels = self.labels(&series);
        let limits = up_to.iter().map(|(limit, seen)| (limit.to_string(), *seen));
        for (limit, seen) in limits.chain([("+Inf".to_owned(), count)]) {
            let mut labels = labels.clone();
            labels.push(Label::new("le", limit));
            counter!(format!("{}_bucket", series.name), labels).absolute(seen);
        }
        counter!(format!("{}_count", series.name), labels.clone()).absolute(count);
        gauge!(format!("{}_sum", series.name), labels).set(sum as f64);
    }
}
