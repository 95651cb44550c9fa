//! [`Meter`]: rates, from two looks at the same counters.

use std::collections::VecDeque;

use engine::{Health, Plan, Report};
use link::host::LinkFigures;

use super::{View, Vitals, span};

/// Looks that a rate spans: a second or more at ten looks per second.
const LOOKS: usize = 15;

/// Turns reports into what the status line shows.
pub(crate) struct Meter {
    duration_s: Option<f64>,
    looks: VecDeque<Look>,
}

/// What the counters said at one moment, all sessions together.
#[derive(Clone, Copy)]
struct Look {
    at_s: f64,
    frames: u64,
    content_s: Option<f64>,
}

impl Meter {
    pub(crate) fn new(plan: &Plan) -> Self {
        let duration_s = plan.duration().map(|end| end.secs_f64()).filter(|end| *end > 0.0);
        Self { duration_s, looks: VecDeque::with_capacity(LOOKS) }
    }

    /// What to show now.
    pub(crate) fn view(&mut self, plan: &Plan, report: &Report, vitals: &Vitals) -> View {
        let (opened, open) = report.sessions;
        let look = Look {
            at_s: report.lasted_ns as f64 / 1e9,
            frames: report.frames_in(plan),
            content_s: content_s(report),
        };
        let start = Look { at_s: 0.0, frames: 0, content_s: look.content_s.map(|_| 0.0) };
        let before = self.looks.front().copied().unwrap_or(start);
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
        let span_s = (look.at_s - before.at_s).max(1e-3);
        let gained_s = look.content_s.zip(before.content_s).map(|(now, then)| now - then);
        let each = opened.max(1) as f64;
        let slowest = report.sinks.iter().filter_map(|sink| Some((sink.latency_ns?, sink)));
        let slowest = slowest.max_by_key(|((_, p99, _), _)| *p99);
        View {
            progress: look.content_s.zip(self.duration_s).map(|(done_s, all_s)| {
                // The last frame may be shorter than the others, by which all are counted.
                ((done_s / each).min(all_s), all_s)
            }),
            elapsed_s: look.at_s,
            sessions: (opened > 1).then_some(open),
            has_heart: vitals.has_heart() && opened == 1,
            heart_bpm: vitals.heart_bpm().filter(|_| opened == 1),
            variability: vitals.variability().filter(|_| opened == 1),
            newest: vitals
                .newest()
                .filter(|_| opened == 1 && !vitals.has_heart())
                .map(str::to_owned),
            latency_ns: slowest.map(|((p50, p99, _), _)| (p50, p99)),
            is_late: slowest
                .is_some_and(|((_, p99, _), sink)| sink.deadline_ns.is_some_and(|max| p99 > max)),
            speed: gained_s.map(|gained_s| gained_s / span_s / each),
            frames_per_second: look.frames.saturating_sub(before.frames) as f64 / span_s,
            dropped: report.dropped().iter().map(|(_, frames)| frames).sum(),
            links: None,
            trouble: None,
            drains: false,
        }
    }
}

/// Seconds of signal that the busiest source brought in, all sessions together.
pub(crate) fn content_s(report: &Report) -> Option<f64> {
    let sources = report.nodes.iter().filter_map(|node| node.entered?.content_ns);
    sources.max().map(|content_ns| content_ns as f64 / 1e9)
}

/// How links are, in few words: the round trip of one, or how many are up.
pub(crate) fn links(open: &[LinkFigures]) -> Option<String> {
    let up = open.iter().filter(|link| link.status.is_up).count();
    match open {
        [] => None,
        [only] if up == 1 => {
            let queued = match only.queued() {
                0 => String::new(),
                frames => format!(", {frames} to go"),
            };
            Some(format!("{} {}{queued}", only.peer, span(only.status.rtt_ns)))
        }
        [only] if only.was_up() => Some(format!("{} gone, {} to go", only.peer, only.queued())),
        [only] => Some(format!("no {} yet", only.peer)),
        many if up == many.len() => Some(format!("{up} links")),
        many => Some(format!("{up} of {} links", many.len())),
    }
}

/// What is wrong with a core, in words.
pub(crate) fn trouble(health: &[Health]) -> Option<String> {
    health.iter().enumerate().find_map(|(core, health)| match health {
        Health::Well => None,
        Health::Slow { node, ms } => Some(format!("core {core}: `{node}` at work for {ms} ms")),
        Health::Wedged { node } => Some(format!("core {core}: `{node}` never returned")),
        Health::Starved => Some(format!("core {core} gets no processor")),
    })
}
