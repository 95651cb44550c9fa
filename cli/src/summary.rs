//! What stderr says in the end: every frame accounted for, latency against the deadline.

use std::fmt::Write;

use engine::{Gap, Plan, Report, SinkReport};

use crate::{
    status::{clock, content_s, span, times},
    terminal::Ink,
};

/// The summary of a run.
pub(crate) fn summary(
    plan: &Plan,
    report: &Report,
    speed: Option<f64>,
    stopped: bool,
    ink: Ink,
) -> String {
    let mut page = Page { text: String::new(), ink };
    page.first(plan, report, speed, stopped);
    page.row("in", &counted(report.frames_in(plan), "frame"));
    page.row("out", &counted(report.frames_out(), "frame"));
    page.dropped(report);
    page.inside(report, stopped);
    for sink in &report.sinks {
        page.latency(sink);
    }
    page.bodies(report);
    page.text
}

struct Page {
    text: String,
    ink: Ink,
}

impl Page {
    fn first(&mut self, plan: &Plan, report: &Report, speed: Option<f64>, stopped: bool) {
        let lasted_s = report.lasted_ns as f64 / 1e9;
        let (opened, _) = report.sessions;
        let ended = if stopped { "stopped" } else { "ended" };
        let mut line = format!("{}: {ended} after {}", plan.name(), seconds(lasted_s));
        if opened > 1 {
            line += &format!(", {opened} sessions");
        }
        // All sessions together: what one core does for a thousand is a thousand times the pace.
        let whole_s = plan.duration().map(|end| end.secs_f64() * opened as f64);
        let content_s = content_s(report).map(|s| whole_s.map_or(s, |whole_s| s.min(whole_s)));
        if let Some(content_s) = content_s.filter(|_| lasted_s > 0.0) {
            let factor = times(content_s / lasted_s);
            line += &format!(", {} of content, {factor} real time", seconds(content_s));
        }
        if speed.is_none() {
            line += " (at full speed)";
        }
        let Ink { bold, off, .. } = self.ink;
        self.line(&format!("{bold}{line}{off}"));
    }

    fn dropped(&mut self, report: &Report) {
        let all = report.dropped();
        if all.is_empty() {
            return self.row("dropped", "nothing");
        }
        let reasons = all.iter().map(|(reason, frames)| format!("{frames} {}", reason.word()));
        let frames = counted(all.iter().map(|(_, frames)| frames).sum(), "frame");
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let Ink { warning, off, .. } = self.ink;
        self.row("dropped", &format!("{warning}{frames}{off}: {reasons}"));
        for edge in &report.edges {
            let reasons = Gap::ALL.iter().zip(edge.frames.dropped).filter(|(_, n)| *n > 0);
            let reasons = reasons.map(|(reason, frames)| format!("{frames} {}", reason.word()));
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            if !reasons.is_empty() {
                self.row("", &format!("{} → {}: {reasons}", edge.from, edge.to));
            }
        }
    }

    fn inside(&mut self, report: &Report, stopped: bool) {
        let inside: u64 = report.edges.iter().map(|edge| edge.frames.in_flight).sum();
        if inside > 0 {
            let why = if stopped { "when it was stopped" } else { "at the end" };
            self.row("inside", &format!("{} {why}", counted(inside, "frame")));
        }
        if !report.is_balanced() {
            let Ink { error, off, .. } = self.ink;
            self.row(
                "",
                &format!("{error}some frames are not accounted for; please report it{off}"),
            );
        }
    }

    fn latency(&mut self, sink: &SinkReport) {
        let Some((p50, p99, max)) = sink.latency_ns else {
            return self.row("latency", &format!("`{}` took nothing", sink.name));
        };
        let Ink { error, good, off, .. } = self.ink;
        let verdict = match sink.deadline_ns {
            None => String::new(),
            Some(limit) if max <= limit => format!(", {good}within {}{off}", span(limit)),
            Some(limit) => {
                // Which of the three is above says how often.
                let how_often = match () {
                    () if p50 > limit => "mostly",
                    () if p99 > limit => "more than once in a hundred",
                    () => "less than once in a hundred",
                };
                format!(", {error}deadline of {} missed{off} {how_often}", span(limit))
            }
        };
        let (p50, p99, max) = (span(p50), span(p99), span(max));
        self.row("latency", &format!("`{}` p50 {p50}, p99 {p99}, max {max}{verdict}", sink.name));
    }

    fn bodies(&mut self, report: &Report) {
        for node in &report.nodes {
            let counts = [
                (node.restarts, "restart", ""),
                (node.poison, "frame", " it died on"),
                (node.late, "event", " later than promised"),
            ];
            let told = counts.iter().filter(|(count, ..)| *count > 0);
            let told = told.map(|(count, noun, what)| format!("{}{what}", counted(*count, noun)));
            let told = told.collect::<Vec<_>>().join(", ");
            if !told.is_empty() {
                let Ink { warning, off, .. } = self.ink;
                self.row("trouble", &format!("`{}` {warning}{told}{off}", node.name));
            }
        }
    }

    fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:7}  {value}"));
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.1} s"),
        s => clock(s),
    }
}
