//! What a model tells of itself: figures for Prometheus, and a line for people.

use std::fmt::Write;

use engine::{Figures, Series};

use crate::calibrate::Since;

use super::{
    counts::{SegmentCounts, Shed, Tally},
    model::Model,
    watch::Seen,
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
        let seen = self.seen();
        if let Some(seen) = &seen {
            of_exits(&mut told, seen);
        }
        let costs = self.costs();
        for (number, segment) in self.counts.segments.iter().enumerate() {
            let at = (number + 1).to_string();
            let labels = [&own[..], &[("segment", at.as_str())]].concat();
            let mut told = Told { to: &mut *to, labels };
            of_segment(&mut told, segment);
            if let Some(early) = seen.as_ref().and_then(|seen| seen.early.get(number)) {
                of_exit(&mut told, *early);
            }
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
        if tally.padded > 0 {
            let rows = segments.iter().map(|segment| segment.runs().0).sum::<u64>() + tally.padded;
            let share = 100.0 * tally.padded as f64 / rows as f64;
            add(&mut line, format_args!(", {share:.0} % of rows padded"));
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
        if let Some(seen) = self.seen() {
            line += &told_of_exits(&seen);
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
        "afferent_model_short_runs_total",
        "Runs made by whoever asked, as they are shorter than the way to a worker and back.",
        tally.short,
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
    told.counter(
        "afferent_model_padded_rows_total",
        "Rows of runs of this segment that held no question, where the model's file fixes how many there are.",
        segment.padded.value(),
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

/// What was seen of early exits.
fn of_exits(told: &mut Told<'_>, seen: &Seen) {
    told.counter(
        "afferent_model_watched_total",
        "Questions of the sample that is followed to the last segment, those included that went there by themselves.",
        seen.watched,
    );
    told.counter(
        "afferent_model_watch_skipped_total",
        "Questions of the sample that were left out because too many waited to be followed.",
        seen.skipped,
    );
    told.counter(
        "afferent_model_watch_gone_total",
        "Questions that were followed and did not come to the end: the model changed, or failed.",
        seen.gone,
    );
    let bounds = [
        ("estimate", seen.differs),
        ("least", Some(seen.bounds[0])),
        ("most", Some(seen.bounds[1])),
    ];
    let promised = ("promised", seen.promised.map(|promised| promised.differs));
    for (what, share) in bounds.into_iter().chain([promised]) {
        let Some(share) = share else { continue };
        told.labels.push(("bound", what));
        told.gauge(
            "afferent_model_differing_ratio",
            "Share of all questions that are answered otherwise than by the whole model, of the version that serves: as \
             seen, its bounds at all times together, and the most that was promised.",
            share,
        );
        told.labels.pop();
    }
    if let Some(holds) = seen.holds {
        told.gauge(
            "afferent_model_guarantee",
            "1 as long as nothing speaks against what was promised of leaving early, 0 once it holds no more.",
            f64::from(u8::from(holds)),
        );
    }
}

fn of_exit(told: &mut Told<'_>, early: Since) {
    told.counter(
        "afferent_model_watched_early_total",
        "Questions of the sample that left at the end of this segment and were followed to the last one.",
        early.seen,
    );
    told.counter(
        "afferent_model_differed_total",
        "Those that the last segment answers otherwise.",
        early.lost,
    );
}

/// The same for people: a part of a sentence.
fn told_of_exits(seen: &Seen) -> String {
    let left_out = match seen.skipped {
        0 => String::new(),
        skipped => {
            format!("; {skipped} of the sample of early exits were left out, as no worker had time")
        }
    };
    let Some(share) = seen.differs else { return left_out };
    let lost: u64 = seen.early.iter().map(|early| early.lost).sum();
    let (watched, percent) = (seen.watched, |share: f64| format!("{:.2}", 100.0 * share));
    let [least, most] = seen.bounds.map(percent);
    let mut text = format!(
        "; {lost} of {watched} watched differ{} from the whole model, {} % ({least} to {most})",
        if lost == 1 { "s" } else { "" },
        percent(share)
    );
    match (seen.promised, seen.holds) {
        (Some(promised), Some(holds)) => {
            let most = (1e6 * promised.differs).round() / 1e4;
            let verdict = if holds { "promised are" } else { "the promise is broken: it was" };
            let _ = write!(text, ", {verdict} at most {most} %");
        }
        _ => text += ", nothing is promised",
    }
    text + &left_out
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
