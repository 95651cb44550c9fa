//! What a model tells of itself: figures for Prometheus, and a line for people.

use std::fmt::Write;

use engine::{Figures, Series};

use super::{
    counts::{SegmentCounts, Shed, Tally},
    model::Model,
};

/// Series of one model or of one of its segments.
struct Told<'a> {
    to: &'a mut dyn Figures,
    labels: Vec<(&'static str, &'a str)>,
}

impl Told<'_> {
    fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.to.counter(Series { name, help, labels: &self.labels }, value);
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.to.gauge(Series { name, help, labels: &self.labels }, value);
    }
}

impl Model {
    /// Tells what was counted so far; `name` is what the graph calls it. Takes the workers' lock for as long
    /// as it takes to copy what runs cost.
    pub(super) fn figures(&self, name: &str, to: &mut dyn Figures) {
        let tally = self.counts.tally();
        let mut own = vec![("model", name)];
        own.extend(self.variant().map(|variant| ("variant", variant)));
        let mut told = Told { to: &mut *to, labels: own.clone() };
        questions(&mut told, &tally);
        let help = "From a question to its answer.";
        let series = Series { name: "afferent_model_answer_seconds", help, labels: &own };
        told.to.latency(series, &self.counts.answers);
        told.gauge(
            "afferent_model_version",
            "The version of the model that serves, counted from 1.",
            self.version().into(),
        );
        let costs = self.costs();
        for (number, segment) in self.counts.segments.iter().enumerate() {
            let at = (number + 1).to_string();
            let labels = [&own[..], &[("segment", at.as_str())]].concat();
            let mut told = Told { to: &mut *to, labels };
            of_segment(&mut told, segment);
            for (size, cost_ns) in costs.get(number).into_iter().flatten() {
                let size = size.to_string();
                let labels =
                    [&own[..], &[("segment", at.as_str()), ("size", size.as_str())]].concat();
                let help = "What a run of so many questions takes, as learned: the longest of the last ten, \
                            and no less than fewer take.";
                let series = Series { name: "afferent_model_cost_seconds", help, labels: &labels };
                to.gauge(series, *cost_ns as f64 / 1e9);
            }
        }
    }

    /// One line for people; nothing where nobody asked.
    pub(super) fn remark(&self) -> Option<String> {
        let tally = self.counts.tally();
        if tally.asked == 0 {
            return None;
        }
        let segments = &self.counts.segments;
        let mut line = format!("{} answer{}", tally.answered, plural(tally.answered));
        let add = |line: &mut String, part: std::fmt::Arguments<'_>| {
            line.write_fmt(part).expect("text takes all");
        };
        if let Some((_, early)) = tally.exits.split_last() {
            for (number, left) in early.iter().enumerate() {
                let share = 100.0 * *left as f64 / tally.answered.max(1) as f64;
                add(&mut line, format_args!(", {share:.0} % at exit {}", number + 1));
            }
        }
        if let Some(rows_a_run) = ratio(segments.iter().map(SegmentCounts::runs)) {
            add(&mut line, format_args!(", {rows_a_run:.1} a run"));
        }
        let queue = &segments[0].queue;
        if let (Some(middle), Some(most)) = (queue.quantile(0.5), queue.quantile(0.99)) {
            let (middle, most) = (ms(middle as f64), ms(most as f64));
            add(&mut line, format_args!(", {middle} ms in the queue (p99 {most})"));
        }
        let took = segments.iter().map(|s| (s.compute.sum_ns(), s.compute.count()));
        if let Some(mean_ns) = ratio(took) {
            add(&mut line, format_args!(", {} ms a run", ms(mean_ns)));
        }
        let lost = lost(&mut line, &tally);
        let version = self.version();
        if version > 1 {
            let sign = if lost { ',' } else { ';' };
            add(&mut line, format_args!("{sign} version {version} serves"));
        }
        Some(line)
    }
}

/// Says what was not answered. Whether there is anything.
pub(super) fn lost(line: &mut String, tally: &Tally) -> bool {
    let others = [
        (tally.refused, "refused"),
        (tally.late, "given up as too late"),
        (tally.failed, "failed"),
        (tally.forgotten, "waited for by nobody"),
        (tally.inside, "still inside"),
    ];
    let mut sign = ';';
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        write!(line, "{sign} {count} {what}").expect("text takes all");
        sign = ',';
    }
    sign == ','
}

fn questions(told: &mut Told<'_>, tally: &Tally) {
    told.counter(
        "afferent_model_questions_total",
        "Questions that came: answered + failed + refused + late + forgotten + handed on + inside, always.",
        tally.asked,
    );
    told.counter("afferent_model_answered_total", "Questions answered.", tally.answered);
    told.counter(
        "afferent_model_failed_total",
        "Questions whose run failed or never ended, or whose answer could not be read.",
        tally.failed,
    );
    told.counter(
        "afferent_model_late_total",
        "Questions given up while they waited, as they would have been answered too late.",
        tally.late,
    );
    told.counter(
        "afferent_model_forgotten_total",
        "Questions not run because nobody waited for the answer any more.",
        tally.forgotten,
    );
    told.counter(
        "afferent_model_handed_on_total",
        "Questions that a cheaper variant took over, as they would have been answered too late.",
        tally.handed,
    );
    told.gauge(
        "afferent_model_inside_questions",
        "Questions that wait or are run now.",
        tally.inside as f64,
    );
    for (why, refused) in Shed::ALL.into_iter().zip(tally.sheds) {
        // Zeros, too: a rate can only be taken of a series that is there before.
        told.labels.push(("reason", why.word()));
        told.counter(
            "afferent_model_refused_total",
            "Questions refused at the door, by reason.",
            refused,
        );
        told.labels.pop();
    }
    told.counter(
        "afferent_model_warm_up_runs_total",
        "Runs of a segment without a question, before anybody asked.",
        tally.warm_ups,
    );
    told.counter(
        "afferent_model_trial_questions_total",
        "Questions put to a version on trial as well.",
        tally.compared,
    );
    told.counter(
        "afferent_model_trial_agreed_total",
        "Questions to which a version on trial gave an answer that agrees.",
        tally.agreed,
    );
}

fn of_segment(told: &mut Told<'_>, segment: &SegmentCounts) {
    told.counter(
        "afferent_model_exits_total",
        "Questions answered at the end of this segment.",
        segment.exits.value(),
    );
    let series = |name, help| Series { name, help, labels: &told.labels };
    let help = "How long a question waited for a run of this segment.";
    told.to.latency(series("afferent_model_queue_seconds", help), &segment.queue);
    let help = "How long a run of this segment took.";
    told.to.latency(series("afferent_model_compute_seconds", help), &segment.compute);
    let up_to = segment.runs_up_to();
    // Looked at after the limits, so that none holds more than there are.
    let (rows, runs) = segment.runs();
    let help = "Questions in a run of this segment.";
    told.to.sizes(series("afferent_model_batch_questions", help), &up_to, rows, runs);
}

/// The sum of the first by that of the second, if there is any.
fn ratio(parts: impl Iterator<Item = (u64, u64)>) -> Option<f64> {
    let (sum, count) = parts.fold((0, 0), |(sum, count), (s, c)| (sum + s, count + c));
    (count > 0).then(|| sum as f64 / count as f64)
}

/// Milliseconds with two digits that count.
pub(super) fn ms(ns: f64) -> String {
    match ns / 1e6 {
        ms if ms >= 10.0 => format!("{ms:.0}"),
        ms if ms >= 1.0 => format!("{ms:.1}"),
        ms if ms >= 0.1 => format!("{ms:.2}"),
        ms => format!("{ms:.3}"),
    }
}

pub(super) const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
