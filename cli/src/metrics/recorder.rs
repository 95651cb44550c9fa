//! [`Recorder`]: keeps what the `metrics` facade is told and prints it as Prometheus reads it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

/// Counters, gauges and histograms by name and labels.
///
/// The engine counts latencies itself, so a histogram is told in the parts it is printed in: under
/// a name that was described as one, counters `NAME_bucket` (the limit is the label `le`) and
/// `NAME_count`, and a gauge `NAME_sum`.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<BTreeMap<String, Family>>);

/// All series of one name.
#[derive(Default)]
struct Family {
    help: String,
    sort: Sort,
    series: BTreeMap<Series, Arc<AtomicU64>>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Sort {
    Counter,
    #[default]
    Gauge,
    Histogram,
}

/// Labels as they are printed, and what is printed under them; in the order of printing.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    labels: String,
    part: Part,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// All there is of a counter or gauge.
    Whole,
    /// Up to a limit: its bits, which are in the order of the limits because none is below zero,
    /// and as it is printed.
    Bucket(u64, String),
    Sum,
    Count,
}

impl Recorder {
    /// Everything in Prometheus' text format, version 0.0.4.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families().iter().filter(|(_, f)| !f.series.is_empty()) {
            line(&mut text, format_args!("# HELP {name} {}", family.help));
            line(&mut text, format_args!("# TYPE {name} {}", family.sort.word()));
            for (Series { labels, part }, value) in &family.series {
                let value = value.load(Ordering::Relaxed);
                let float = f64::from_bits(value);
                match (part, family.sort) {
                    (Part::Whole, Sort::Counter) => {
                        line(&mut text, format_args!("{name}{labels} {value}"));
                    }
                    (Part::Whole, _) => line(&mut text, format_args!("{name}{labels} {float}")),
                    (Part::Bucket(_, limit), _) => {
                        let labels = with_label(labels, "le", limit);
                        line(&mut text, format_args!("{name}_bucket{labels} {value}"));
                    }
                    (Part::Sum, _) => line(&mut text, format_args!("{name}_sum{labels} {float}")),
                    (Part::Count, _) => {
                        line(&mut text, format_args!("{name}_count{labels} {value}"));
                    }
                }
            }
        }
        text
    }

    fn describe(&self, name: &KeyName, help: &str, sort: Sort) {
        let mut families = self.families();
        let family = families.entry(name.as_str().to_owned()).or_default();
        family.help = help.replace('\\', r"\\").replace('\n', r"\n");
        family.sort = sort;
    }

    fn series(&self, key: &Key, sort: Sort) -> Arc<AtomicU64> {
        let mut families = self.families();
        if let Some((name, part)) = part_of_histogram(key)
            && let Some(family) = families.get_mut(name)
            && family.sort == Sort::Histogram
        {
            let series = Series { labels: labels(key), part };
            return family.series.entry(series).or_default().clone();
        }
        let family = families.entry(key.name().to_owned()).or_default();
        family.sort = sort;
        let series = Series { labels: labels(key), part: Part::Whole };
        family.series.entry(series).or_default().clone()
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The histogram that `key` would be a part of, and which.
fn part_of_histogram(key: &Key) -> Option<(&str, Part)> {
    let (name, part) = key.name().rsplit_once('_')?;
    let part = match part {
        "bucket" => {
            let limit = key.labels().find(|label| label.key() == "le")?.value();
            Part::Bucket(limit.parse::<f64>().ok()?.to_bits(), limit.to_owned())
        }
        "sum" => Part::Sum,
        "count" => Part::Count,
        _ => return None,
    };
    Some((name, part))
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help, Sort::Counter);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help, Sort::Gauge);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help, Sort::Histogram);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key, Sort::Counter))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key, Sort::Gauge))
    }

    /// Nobody tells single values: see above.
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// `{graph="x",node="y"}`, without the limit of a bucket.
fn labels(key: &Key) -> String {
    let others = key.labels().filter(|label| label.key() != "le");
    others.fold(String::new(), |text, label| with_label(&text, label.key(), label.value()))
}

fn with_label(labels: &str, key: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    match labels.strip_suffix('}') {
        Some(labels) => format!("{labels},{key}=\"{value}\"}}"),
        None => format!("{{{key}=\"{value}\"}}"),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect(CANNOT_FAIL);
}

const CANNOT_FAIL: &str = "writing to a String cannot fail";

#[cfg(test)]
mod tests {
    use metrics::{Label, counter, describe_counter, describe_histogram, gauge};

    use super::*;

    #[test]
    fn what_is_told_is_printed_in_order_with_its_labels() {
        let recorder = Recorder::default();
        metrics::with_local_recorder(&recorder, || {
            describe_counter!("b_total", "Things counted.");
            counter!("b_total", "edge" => "y").absolute(7);
            counter!("b_total", "edge" => "x\"\\\n").absolute(2);
            gauge!("a_seconds").set(0.5);
        });

        assert_eq!(
            recorder.render(),
            "# HELP a_seconds \n\
             # TYPE a_seconds gauge\n\
             a_seconds 0.5\n\
             # HELP b_total Things counted.\n\
             # TYPE b_total counter\n\
             b_total{edge=\"x\\\"\\\\\\n\"} 2\n\
             b_total{edge=\"y\"} 7\n"
        );
    }

    #[test]
    fn a_histogram_is_one_family_with_its_buckets_in_order() {
        let latency = engine::Histogram::default();
        for ns in [9_000, 30_000, 30_000, 20_000_000_000] {
            latency.record(ns);
        }
        let recorder = Recorder::default();
        metrics::with_local_recorder(&recorder, || {
            describe_histogram!("wait_seconds", "How long.");
            let labels = [Label::new("stage", "0")];
            crate::metrics::latency::publish("wait_seconds", &labels, &latency);
        });

        let page = recorder.render();
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some("# HELP wait_seconds How long."));
        assert_eq!(lines.next(), Some("# TYPE wait_seconds histogram"));
        let bucket = |line: &str| {
            let rest = line.strip_prefix("wait_seconds_bucket{stage=\"0\",le=\"")?;
            let (limit, count) = rest.split_once("\"} ")?;
            Some((limit.parse::<f64>().ok()?, count.parse::<u64>().ok()?))
        };
        let buckets: Vec<_> = lines.by_ref().map_while(bucket).collect();
        assert_eq!(buckets[..3], [(1e-5, 1), (2.5e-5, 1), (5e-5, 3)]);
        assert_eq!(buckets[buckets.len() - 2..], [(10.0, 3), (f64::INFINITY, 4)]);
        assert!(buckets.is_sorted());
        // The line that ended the buckets is the sum.
        assert!(page.contains("wait_seconds_sum{stage=\"0\"} 20.000069\n"), "{page}");
        assert!(page.ends_with("wait_seconds_count{stage=\"0\"} 4\n"), "{page}");
    }
}
