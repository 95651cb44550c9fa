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

/// Counters and gauges by name and labels. Histograms are not kept: the engine has its own, and
/// publishes their quantiles.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<BTreeMap<String, Family>>);

/// All series of one name.
#[derive(Default)]
struct Family {
    help: String,
    is_counter: bool,
    /// By labels as they are printed.
    series: BTreeMap<String, Arc<AtomicU64>>,
}

impl Recorder {
    /// Everything in Prometheus' text format, version 0.0.4.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families().iter().filter(|(_, f)| !f.series.is_empty()) {
            let kind = if family.is_counter { "counter" } else { "gauge" };
            line(&mut text, format_args!("# HELP {name} {}", family.help));
            line(&mut text, format_args!("# TYPE {name} {kind}"));
            for (labels, value) in &family.series {
                let value = value.load(Ordering::Relaxed);
                match family.is_counter {
                    true => line(&mut text, format_args!("{name}{labels} {value}")),
                    false => {
                        line(&mut text, format_args!("{name}{labels} {}", f64::from_bits(value)));
                    }
                }
            }
        }
        text
    }

    fn describe(&self, name: &KeyName, help: &str, is_counter: bool) {
        let mut families = self.families();
        let family = families.entry(name.as_str().to_owned()).or_default();
        family.help = help.replace('\\', r"\\").replace('\n', r"\n");
        family.is_counter = is_counter;
    }

    fn series(&self, key: &Key, is_counter: bool) -> Arc<AtomicU64> {
        let mut families = self.families();
        let family = families.entry(key.name().to_owned()).or_default();
        family.is_counter = is_counter;
        family.series.entry(labels(key)).or_default().clone()
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help, true);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help, false);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key, true))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key, false))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// `{graph="x",node="y"}`
fn labels(key: &Key) -> String {
    let mut text = String::new();
    for (n, label) in key.labels().enumerate() {
        let value = label.value().replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        let before = if n == 0 { '{' } else { ',' };
        write!(text, "{before}{}=\"{value}\"", label.key()).expect(CANNOT_FAIL);
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect(CANNOT_FAIL);
}

const CANNOT_FAIL: &str = "writing to a String cannot fail";

#[cfg(test)]
mod tests {
    use metrics::{counter, describe_counter, gauge};

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
}
