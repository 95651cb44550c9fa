//! [`Picture`]: what is on the screen, as values and lines, before anybody knows how large it is.

use crate::{
    scope::{Events, Scope, Signal, measure},
    status::View,
};

/// Seconds of signal that are shown, and of a heart's rate.
const SIGNAL_S: f64 = 6.0;
const RATE_S: f64 = 60.0;
/// Signals that are shown.
const SIGNALS_MAX: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub(crate) name: String,
    /// As in the status line.
    pub(crate) status: View,
    /// Beats per minute, over the last minute.
    pub(crate) rate: Option<Line>,
    pub(crate) signals: Vec<Line>,
    pub(crate) pacer: Option<Pacer>,
    /// The newest of what events tell: which output, what, how much.
    pub(crate) told: Vec<Told>,
    /// 0 to 1.
    pub(crate) quality: Option<f64>,
    /// What was said last.
    pub(crate) note: Option<String>,
}

/// A line in a frame of its own.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) title: String,
    /// Pieces without anything missing in them: seconds and value.
    pub(crate) pieces: Vec<Vec<(f64, f64)>>,
    /// Seconds.
    pub(crate) span: [f64; 2],
    /// Seconds at which a heart beat.
    pub(crate) beats: Vec<f64>,
}

/// Who says when to breathe.
#[derive(Debug, PartialEq)]
pub(crate) struct Pacer {
    /// How full the lungs should be, 0 to 1.
    pub(crate) target: f64,
    /// What is to be done, in a word, and for how many seconds more.
    pub(crate) cue: Option<(String, f64)>,
}

/// What an output says of one field.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) output: String,
    pub(crate) what: String,
    pub(crate) value: String,
}

impl Picture {
    /// Of what a scope has by now.
    pub(crate) fn of(name: &str, scope: &Scope, status: View, note: Option<String>) -> Self {
        let beats = scope.beats();
        let now_s = scope.now_s();
        let is_pacer = |signal: &&Signal| signal.is_pacer;
        let shown = scope.signals.iter().enumerate().filter(|(_, signal)| !is_pacer(signal));
        let signals = shown.flat_map(|(number, signal)| {
            let own = beats.filter(|beats| beats.made_of.contains(&number));
            signal.traces.iter().map(move |trace| line_of(signal, trace, own))
        });
        let pacer = scope.signals.iter().find(is_pacer).and_then(|signal| pacer(scope, signal));
        Self {
            name: name.to_owned(),
            rate: beats.and_then(rate),
            signals: signals.take(SIGNALS_MAX).collect(),
            pacer,
            told: scope.events.iter().flat_map(|events| told(events, now_s)).collect(),
            quality: scope.events.iter().find_map(quality),
            status,
            note,
        }
    }
}

fn line_of(signal: &Signal, trace: &crate::scope::Trace, beats: Option<&Events>) -> Line {
    let end_s = trace.last.end_s().max(SIGNAL_S);
    let span = [end_s - SIGNAL_S, end_s];
    let newest = trace.last.samples().filter(|(at_s, _)| *at_s >= span[0]);
    let name = match signal.traces.len() + signal.others {
        1 => signal.label.clone(),
        _ => format!("{} {}", signal.label, trace.name),
    };
    let title = if trace.unit.is_empty() { name } else { format!("{name} ({})", trace.unit) };
    let moments = beats.and_then(|beats| beats.number("rr_ms")).map(|rr| {
        let newest = rr.points().rev().map(|(at_s, _)| at_s);
        newest.take_while(|at_s| *at_s >= span[0]).filter(|at_s| *at_s <= span[1]).collect()
    });
    Line {
        title,
        pieces: pieces(newest.map(|(at_s, sample)| (at_s, f64::from(sample)))),
        span,
        beats: moments.unwrap_or_default(),
    }
}

fn rate(beats: &Events) -> Option<Line> {
    let rr = beats.number("rr_ms")?;
    let (end_s, _) = rr.points().next_back()?;
    let span = [(end_s - RATE_S).max(0.0), end_s.max(RATE_S)];
    let newest: Vec<_> = rr.points().rev().take_while(|(at_s, _)| *at_s >= span[0]).collect();
    let rates = newest.into_iter().rev().map(|(at_s, rr_ms)| {
        (at_s, rr_ms.filter(|ms| *ms > 0.0).map_or(f64::NAN, |ms| 60_000.0 / ms))
    });
    let title = "heart rate (bpm)".to_owned();
    Some(Line { title, pieces: pieces(rates), span, beats: Vec::new() })
}

/// A line, cut where something is not a number.
fn pieces(points: impl Iterator<Item = (f64, f64)>) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = vec![Vec::new()];
    for point in points {
        match point.1.is_finite() {
            true => pieces.last_mut().expect("there is one").push(point),
            false => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn pacer(scope: &Scope, signal: &Signal) -> Option<Pacer> {
    let trace = signal.traces.first()?;
    let (now_s, target) = trace.last.samples().last()?;
    let node = signal.label.split('.').next()?;
    let cues = scope.events.iter().find(|events| events.label == node);
    let cue = cues.and_then(|events| {
        let (begun_s, for_s) =
            events.number("for_s")?.values().rev().find(|(at_s, _)| *at_s <= now_s)?;
        let word = events.words.iter().find(|words| words.field == "cue")?.before(now_s)?;
        Some((word.to_owned(), (begun_s + for_s - now_s).max(0.0)))
    });
    Some(Pacer { target: f64::from(target).clamp(0.0, 1.0), cue })
}

fn quality(events: &Events) -> Option<f64> {
    let (_, quality) = events.number("quality")?.values().next_back()?;
    Some(quality.clamp(0.0, 1.0))
}

/// The newest that an output says of this moment or before: some tell what is to come.
fn told(events: &Events, now_s: f64) -> Vec<Told> {
    let mut ranked: Vec<_> = events.numbers.iter().collect();
    ranked.sort_by_key(|series| series.rank());
    let numbers = ranked.into_iter().filter_map(|series| {
        let (_, value) = series.values().rev().find(|(at_s, _)| *at_s <= now_s)?;
        let (what, unit) = unit_of(series.name());
        let digits = match value.abs() {
            value if value == 0.0 || value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        let value = format!("{value:.digits$}{}{unit}", if unit.is_empty() { "" } else { " " });
        Some(Told { output: events.label.clone(), what, value })
    });
    let words = events.words.iter().filter_map(|words| {
        let value = words.before(now_s)?.chars().filter(|letter| !letter.is_control()).collect();
        Some(Told { output: events.label.clone(), what: words.field.to_owned(), value })
    });
    numbers.chain(words).collect()
}

/// `rmssd_ms` is RMSSD in ms.
fn unit_of(field: &str) -> (String, &'static str) {
    let (what, unit) = measure(field).unwrap_or((field, ""));
    let short = ["rmssd", "sdnn", "lf", "hf", "sd1", "sd2", "rr"].contains(&what);
    let what = if short { what.to_uppercase() } else { what.replace('_', " ") };
    (what, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_as_people_call_them() {
        assert_eq!(unit_of("rmssd_ms"), ("RMSSD".to_owned(), "ms"));
        assert_eq!(unit_of("heart_rate_bpm"), ("heart rate".to_owned(), "bpm"));
        assert_eq!(unit_of("lf_ms2"), ("LF".to_owned(), "ms²"));
        assert_eq!(unit_of("score"), ("score".to_owned(), ""));
        assert_eq!(unit_of("wait_us"), ("wait".to_owned(), "µs"));
        assert_eq!(unit_of("tonic_microsiemens"), ("tonic".to_owned(), "µS"));
    }

    #[test]
    fn a_line_is_cut_where_nothing_is_known() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0), (3.0, 3.0)];
        assert_eq!(pieces(points.into_iter()), [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
    }
}
