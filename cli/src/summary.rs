//! What stderr says in the end: every frame accounted for, latency against the deadline.

use std::fmt::Write;

use engine::{Gap, Plan, Report, SinkReport, counted};
use link::{
    driver::EdgeStatus,
    host::{EdgeFigures, LinkFigures, Links},
};

use crate::{
    status::{Vitals, clock, content_s, end_of, span, times},
    terminal::{Ink, ascii, speaks_unicode},
};

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its sources had no more.
    Done,
    /// Somebody asked for it, and what was inside was finished.
    Drained,
    /// A body could not go on.
    Failed,
    /// Somebody asked twice.
    Stopped,
}

impl Ending {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Drained => "drained",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// The summary of a run. `vitals` are what its lines said, where they were shown and not printed.
pub(crate) fn summary(
    plan: &Plan,
    report: &Report,
    links: Option<&Links>,
    vitals: &Vitals,
    speed: Option<f64>,
    ending: Ending,
    ink: Ink,
) -> String {
    let mut page = Page { text: String::new(), ink };
    page.first(plan, report, speed, ending);
    page.last(report, vitals);
    let [came, went] = [report.frames_in(plan), report.frames_out()];
    // A host that only answers questions has its counts with the link.
    if came + went > 0 || links.is_none() {
        page.row("in", &counted(came, "frame"));
        page.row("out", &counted(went, "frame"));
    }
    page.dropped(report);
    page.inside(report, ending);
    page.latencies(&report.sinks);
    page.bodies(report);
    if let Some(links) = links {
        page.links(links);
    }
    for (node, remark) in &report.remarks {
        page.row("note", &format!("`{node}`: {remark}"));
    }
    for (name, remark) in &report.services {
        let (what, name) = match name.strip_prefix(model::cache::PREFIX) {
            Some(name) => ("cache", name),
            None => ("model", name.as_str()),
        };
        page.lines(what, &format!("`{name}`: {remark}"));
    }
    if vitals.unseen() > 0 {
        let lines = counted(vitals.unseen(), "line");
        page.row("lines", &format!("{lines} not shown; `--json` prints them, `> FILE` keeps them"));
    }
    if speaks_unicode() { page.text } else { ascii(&page.text) }
}

struct Page {
    text: String,
    ink: Ink,
}

impl Page {
    fn first(&mut self, plan: &Plan, report: &Report, speed: Option<f64>, ending: Ending) {
        let lasted_s = report.lasted_ns as f64 / 1e9;
        let (opened, _) = report.sessions;
        let mut line = format!("{}: {} after {}", plan.name(), ending.word(), seconds(lasted_s));
        if opened > 1 {
            line += &format!(", {}", counted(opened, "session"));
        }
        // All sessions together: what one core does for a thousand is a thousand times the pace.
        let each = opened.max(1) as f64;
        if let Some(content_s) = content_s(report).filter(|_| lasted_s > 0.0) {
            let factor = times(content_s / lasted_s);
            let sessions = if opened > 1 { format!("{opened} × ") } else { String::new() };
            let content = seconds(content_s / each);
            line += &format!(", {sessions}{content} of content, {factor} real time");
        }
        if speed.is_none() {
            line += " (at full speed)";
        }
        let Ink { bold, off, .. } = self.ink;
        self.line(&format!("{bold}{line}{off}"));
    }

    /// What the lines said in the end, for whom they passed by.
    fn last(&mut self, report: &Report, vitals: &Vitals) {
        if report.sessions.0 > 1 || vitals.unseen() == 0 {
            return;
        }
        let Ink { error, off, .. } = self.ink;
        let mut told = Vec::new();
        told.extend(vitals.heart_bpm().map(|bpm| format!("{error}♥{off} {bpm:.0} bpm")));
        told.extend(vitals.variability().map(|(name, ms)| format!("{name} {ms:.0} ms")));
        if vitals.beats() > 0 {
            told.push(counted(vitals.beats(), "beat"));
        }
        if !vitals.has_heart() {
            told.extend(vitals.newest().map(|text| end_of(text, 80, "…")));
        }
        if !told.is_empty() {
            self.row("last", &told.join("   "));
        }
    }

    fn dropped(&mut self, report: &Report) {
        let all = report.dropped();
        if all.is_empty() {
            return self.row("dropped", "nothing");
        }
        let reasons = all.iter().map(|(reason, frames)| format!("{frames} {}", reason.word()));
        let frames = counted(all.iter().map(|(_, frames)| frames).sum::<u64>(), "frame");
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

    fn inside(&mut self, report: &Report, ending: Ending) {
        let inside: u64 = report.edges.iter().map(|edge| edge.frames.in_flight).sum();
        if inside > 0 {
            let left = counted(inside, "frame");
            self.row(
                "inside",
                &format!(
                    "{left} when it {}",
                    match ending {
                        Ending::Stopped => "was stopped",
                        Ending::Failed => "failed",
                        Ending::Done | Ending::Drained => "ended",
                    }
                ),
            );
        }
        if !report.is_balanced() {
            let Ink { error, off, .. } = self.ink;
            self.row(
                "",
                &format!("{error}some frames are not accounted for; please report it{off}"),
            );
        }
    }

    /// What became of every link; of many the last few, and sums.
    fn links(&mut self, links: &Links) {
        let (mut ended, mut in_all) = links.ended();
        let open = links.open();
        in_all += open.len() as u64;
        ended.extend(open);
        let shown = &ended[ended.len().saturating_sub(LINKS_MAX)..];
        for link in shown {
            self.link(link);
        }
        let more = in_all - shown.len() as u64;
        if more > 0 {
            self.row("", &format!("and {more} more before"));
        }
    }

    fn link(&mut self, link: &LinkFigures) {
        let Ink { warning, off, .. } = self.ink;
        let LinkFigures { peer, session, status, .. } = link;
        if !link.was_up() {
            self.row("link", &format!("{warning}`{peer}` never answered{off}"));
            let lost = link.edges.iter().filter(|edge| edge.lost() > 0);
            return lost.for_each(|edge| self.linked_edge(edge));
        }
        let mut line = format!("`{peer}` session {session}: round trip {}", span(status.rtt_ns));
        if status.figures.lost > 0 {
            line += &format!(", {} of packets lost", percent(link.loss()));
        }
        if let Some(clock) = status.clock {
            line += &format!(", its clock known to {}", span(clock.uncertainty_ns.into()));
        }
        let outages = status.totals.connections - 1;
        if outages > 0 {
            line += &format!(", {}", counted(outages, "outage"));
        }
        self.row("link", &line);
        for edge in &link.edges {
            self.linked_edge(edge);
        }
    }

    fn linked_edge(&mut self, edge: &EdgeFigures) {
        let Ink { warning, off, .. } = self.ink;
        let EdgeStatus { name, sent, received, .. } = &edge.status;
        let done = match (sent, received) {
            (Some(sent), _) => format!("{} out", counted(sent.sent, "frame")),
            (_, Some(_)) => format!("{} in", counted(edge.received(), "frame")),
            _ => return,
        };
        let mut line = format!("{name}: {done}");
        if edge.lost() > 0 {
            line += &format!(", {warning}{} lost{off}", edge.lost());
        }
        let late = edge.late();
        if late > 0 {
            line += &format!(" ({late} past their deadline)");
        }
        if edge.taken_back() > 0 {
            line += &format!(", {} taken back", edge.taken_back());
        }
        // Of what comes in, the end of the stream may wait for a body that is gone.
        let inside = sent.map_or(0, |sent| sent.inside + edge.status.waiting as u64);
        if inside > 0 {
            line += &format!(", {warning}{inside} not through{off}");
        }
        if let Some(spool) = edge.status.spool.as_ref().filter(|spool| spool.bytes > 0) {
            line += &format!(", {:.1} MB on disk", spool.bytes as f64 / 1e6);
        }
        self.row("", &line);
    }

    /// The engine's latency at every sink; of many at the slowest few.
    fn latencies(&mut self, sinks: &[SinkReport]) {
        let mut sinks: Vec<&SinkReport> = sinks.iter().collect();
        let more = sinks.len().saturating_sub(SINKS_MAX);
        if more > 0 {
            let p99 = |sink: &&SinkReport| sink.latency_ns.map_or(0, |(_, p99, _)| -p99);
            sinks.sort_by_key(p99);
        }
        for sink in &sinks[..sinks.len() - more] {
            self.latency(sink);
        }
        if more > 0 {
            self.row("", &format!("and {more} more, none of them slower"));
        }
    }

    fn latency(&mut self, sink: &SinkReport) {
        let Some((p50, p99, max)) = sink.latency_ns else {
            return self.row("engine", &format!("`{}` took nothing", sink.name));
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
        let name = &sink.name;
        self.row("engine", &format!("latency `{name}` p50 {p50}, p99 {p99}, max {max}{verdict}"));
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

    /// A row of several lines.
    fn lines(&mut self, name: &str, value: &str) {
        for (number, line) in value.lines().enumerate() {
            self.row(if number == 0 { name } else { "" }, line);
        }
    }

    fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:7}  {value}"));
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }
}

/// Sinks that are told of one by one.
const SINKS_MAX: usize = 8;

/// Links that are told one by one.
const LINKS_MAX: usize = 4;

/// `0.4 %`
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.1} s"),
        s => clock(s),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::{EdgeReport, EdgeTotals, NodeReport};

    use super::*;

    fn page(write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page { text: String::new(), ink: Ink::OFF };
        write(&mut page);
        page.text
    }

    fn report() -> Report {
        // In the order of `Gap::ALL`: 2 full, 1 late.
        let dropped = std::array::from_fn(|reason| [2, 1].get(reason).copied().unwrap_or(0));
        let frames = EdgeTotals { sent: 10, taken: 6, in_flight: 1, dropped };
        let edge = EdgeReport { from: "ecg".to_owned(), to: "out".to_owned(), frames };
        let node = NodeReport {
            name: "clean".to_owned(),
            kind: "bandpass",
            restarts: 3,
            poison: 1,
            late: 0,
            mean_ns: None,
            timed: (0, 0),
            frames: 7,
            timed_frames: 0,
            calls: 7,
            entered: None,
            last_fault: None,
        };
        let (nodes, edges, sinks) = (vec![node], vec![edge], Vec::new());
        Report {
            sessions: (1, 0),
            nodes,
            edges,
            sinks,
            remarks: Vec::new(),
            services: Vec::new(),
            stages: Vec::new(),
            lasted_ns: 1_000_000_000,
        }
    }

    fn sink(max_ms: i64) -> SinkReport {
        let latency_ns = Some((1_000_000, 20_000_000, max_ms * 1_000_000));
        let deadline_ns = Some(50_000_000);
        SinkReport {
            name: "out".to_owned(),
            frames: 6,
            latency_ns,
            latency: Arc::default(),
            deadline_ns,
        }
    }

    #[test]
    fn every_drop_is_told_with_its_reason_and_its_edge() {
        assert_eq!(
            page(|page| page.dropped(&report())),
            "  dropped  3 frames: 2 full, 1 late\n           ecg → out: 2 full, 1 late\n"
        );
    }

    #[test]
    fn a_missed_deadline_is_called_so() {
        let latency = |max_ms| page(|page| page.latency(&sink(max_ms)));

        assert_eq!(
            latency(50),
            "  engine   latency `out` p50 1.0 ms, p99 20 ms, max 50 ms, within 50 ms\n"
        );
        assert_eq!(
            latency(51),
            "  engine   latency `out` p50 1.0 ms, p99 20 ms, max 51 ms, \
             deadline of 50 ms missed less than once in a hundred\n"
        );
    }

    #[test]
    fn what_was_only_shown_stays_in_the_end() {
        let vitals = Vitals::of_unseen_beats(2272, 750.0, 60.2);

        assert_eq!(
            page(|page| page.last(&report(), &vitals)),
            "  last     ♥ 80 bpm   RMSSD 60 ms   2272 beats\n"
        );
        assert_eq!(page(|page| page.last(&report(), &Vitals::default())), "");
    }

    #[test]
    fn of_many_sinks_the_slowest_are_told() {
        let sinks: Vec<_> = (20..30).map(sink).collect();

        let text = page(|page| page.latencies(&sinks));

        assert_eq!(text.lines().count(), SINKS_MAX + 1);
        assert!(text.ends_with("           and 2 more, none of them slower\n"), "{text}");
    }

    #[test]
    fn restarts_and_what_stayed_inside_are_told() {
        assert_eq!(
            page(|page| page.bodies(&report())),
            "  trouble  `clean` 3 restarts, 1 frame it died on\n"
        );
        assert_eq!(
            page(|page| page.inside(&report(), Ending::Stopped)),
            "  inside   1 frame when it was stopped\n"
        );
    }
}
