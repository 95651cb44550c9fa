//! [`Scope`]: what a session has shown so far, kept small however long it lasts, for those who draw it.
//!
//! ```text
//! taps ──collect──▶ Scope ─┬─ Trace    a channel of a signal: all of it coarsely, both ends of it finely
//!                          └─ Series   what events tell in numbers and words
//! ```

mod collect;
mod series;
mod trace;

use std::collections::{BTreeMap, VecDeque};

use engine::{EventReader, FieldKind, FieldValue, Format, Frame, Output, Plan};

pub(crate) use collect::{Collector, onlooker};
pub(crate) use series::{Series, measure};
pub(crate) use trace::{Strip, Trace};

/// Channels of signals that are kept, all together.
const TRACES_MAX: usize = 12;
/// The newest words of a field.
const NEWEST_MAX: usize = 8;
/// Different words of one field that are counted; the others count as one.
const WORDS_MAX: usize = 12;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) signals: Vec<Signal>,
    pub(crate) events: Vec<Events>,
    /// Frames that came faster than they could be looked at.
    pub(crate) missed: u64,
}

/// What passes at one output, if it is a signal.
#[derive(Debug)]
pub(crate) struct Signal {
    /// As it is written in `from`.
    pub(crate) label: String,
    /// Whether it says how full lungs should be.
    pub(crate) is_pacer: bool,
    /// The channels that are kept.
    pub(crate) traces: Vec<Trace>,
    /// Channels that are not.
    pub(crate) others: usize,
}

/// What passes at one output, if it is events.
#[derive(Debug)]
pub(crate) struct Events {
    /// As it is written in `from`.
    pub(crate) label: String,
    is_source: bool,
    /// The signals that it is made of, as far as they are kept, by number.
    pub(crate) made_of: Vec<usize>,
    /// Numbers by field, those that were ever told.
    pub(crate) numbers: Vec<Series>,
    /// Words by field.
    pub(crate) words: Vec<Words>,
    pub(crate) count: u64,
    format: Format,
}

/// What one field says in words: how often each, and the newest.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) field: &'static str,
    pub(crate) counts: BTreeMap<String, u64>,
    newest: VecDeque<(f64, String)>,
}

impl Words {
    fn push(&mut self, time_s: f64, word: &str) {
        let is_known = self.counts.contains_key(word) || self.counts.len() < WORDS_MAX;
        *self.counts.entry(if is_known { word } else { "…" }.to_owned()).or_default() += 1;
        self.newest.truncate(NEWEST_MAX - 1);
        self.newest.push_front((time_s, word.to_owned()));
    }

    /// The newest at that time: some are told ahead of it.
    pub(crate) fn before(&self, time_s: f64) -> Option<&str> {
        let found = self.newest.iter().find(|(told_s, _)| *told_s <= time_s);
        found.map(|(_, word)| word.as_str())
    }
}

/// Whether an output is worth keeping: what comes in, and what events say.
pub(crate) fn is_kept(output: &Output<'_>) -> bool {
    match output.format {
        Format::Signal(_) => (output.is_source && output.is_taken) || is_pacer(output),
        // What nobody in the graph takes is the truth of what is built in, or of no interest.
        Format::Event(_) => output.is_taken || is_pacer(output),
        _ => false,
    }
}

/// The node `pacer` tells how full lungs should be, whether anybody in the graph asks or not.
fn is_pacer(output: &Output<'_>) -> bool {
    output.kind == "pacer"
}

impl Scope {
    /// For the outputs of a plan that are kept, in its order.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut this = Self::default();
        let mut room = TRACES_MAX;
        for output in plan.outputs().filter(is_kept) {
            if let Format::Signal(signal) = output.format {
                let kept = signal.channels.len().min(room);
                room -= kept;
                let trace =
                    |(n, channel): (usize, &engine::Channel)| Trace::new(n, channel, signal.rate);
                let traces = signal.channels.iter().enumerate().take(kept).map(trace).collect();
                let others = signal.channels.len() - kept;
                let is_pacer = is_pacer(&output);
                this.signals.push(Signal { label: output.label(), is_pacer, traces, others });
            }
        }
        for output in plan.outputs().filter(is_kept) {
            if matches!(output.format, Format::Event(_)) {
                let made_of = this.signals_behind(plan, output.node);
                this.events.push(Events::new(&output, made_of));
            }
        }
        this
    }

    /// The kept signals that a node is made of.
    fn signals_behind(&self, plan: &Plan, node: &str) -> Vec<usize> {
        let (mut open, mut met) = (vec![node.to_owned()], vec![node.to_owned()]);
        while let Some(node) = open.pop() {
            for producer in plan.producers_of(&node) {
                if !met.iter().any(|met| met == producer) {
                    met.push(producer.to_owned());
                    open.push(producer.to_owned());
                }
            }
        }
        let node_of = |signal: &Signal| signal.label.split('.').next().map(str::to_owned);
        let is_met = |signal: &Signal| node_of(signal).is_some_and(|node| met.contains(&node));
        (0..self.signals.len()).filter(|&n| is_met(&self.signals[n])).collect()
    }

    /// Takes a frame of the output called `label`.
    pub(crate) fn take(&mut self, label: &str, frame: &Frame) {
        if let Some(signal) = self.signals.iter_mut().find(|signal| signal.label == label) {
            signal.traces.iter_mut().for_each(|trace| trace.take(frame));
        } else if let Some(events) = self.events.iter_mut().find(|events| events.label == label) {
            events.take(frame);
        }
    }

    /// Seconds from time zero to the end of what is kept; at least one.
    pub(crate) fn end_s(&self) -> f64 {
        let signals = self.signals.iter().flat_map(|signal| &signal.traces);
        let numbers = self.events.iter().flat_map(|events| &events.numbers);
        let ends = signals.map(|trace| trace.last.end_s());
        let told = numbers.filter_map(|series| Some(series.points().next_back()?.0));
        ends.chain(told).fold(1.0, f64::max)
    }

    /// How far what comes in is; where no signal does, how far events are.
    pub(crate) fn now_s(&self) -> f64 {
        let signals = self.signals.iter().filter(|signal| !signal.is_pacer);
        let ends = signals.flat_map(|signal| &signal.traces).map(|trace| trace.last.end_s());
        ends.reduce(f64::max).unwrap_or_else(|| self.end_s())
    }

    /// Beats of every heart: of those that are made of the same signals, what was found first.
    pub(crate) fn hearts(&self) -> Vec<&Events> {
        let has_beats = |events: &&Events| events.number("rr_ms").is_some_and(|rr| rr.len() > 1);
        let mut hearts: Vec<&Events> = Vec::new();
        for events in self.events.iter().filter(has_beats).filter(|events| !events.is_source) {
            if !hearts.iter().any(|known| known.made_of == events.made_of) {
                hearts.push(events);
            }
        }
        if hearts.is_empty() { self.beats().into_iter().collect() } else { hearts }
    }

    /// Events that are beats of a heart.
    pub(crate) fn beats(&self) -> Option<&Events> {
        let has_beats = |events: &&Events| events.number("rr_ms").is_some_and(|rr| rr.len() > 1);
        // Of a truth and what was found, what was found.
        let mut beats = self.events.iter().filter(has_beats);
        beats.clone().find(|events| !events.is_source).or_else(|| beats.next())
    }
}

impl Events {
    fn new(output: &Output<'_>, made_of: Vec<usize>) -> Self {
        let fields = output.format.as_event().map_or(&[][..], |format| &format.fields);
        let numbers = fields.iter().enumerate();
        let numbers = numbers.filter(|(_, f)| matches!(f.kind, FieldKind::F64 | FieldKind::I64));
        let words = fields.iter().filter(|field| matches!(field.kind, FieldKind::Text { .. }));
        Self {
            label: output.label(),
            is_source: output.is_source,
            made_of,
            numbers: numbers
                .map(|(n, field)| Series::new(n, field.name, field.kind == FieldKind::I64))
                .collect(),
            words: words
                .map(|field| Words {
                    field: field.name,
                    counts: BTreeMap::new(),
                    newest: VecDeque::new(),
                })
                .collect(),
            count: 0,
            format: output.format.clone(),
        }
    }

    fn take(&mut self, frame: &Frame) {
        let Self { numbers, words, format, .. } = self;
        let Some(format) = format.as_event() else { return };
        let event = EventReader::new(format, frame);
        let time_s = frame.header.time.secs_f64();
        self.count += 1;
        for series in numbers {
            let value = match event.field(series.field()) {
                Some(FieldValue::F64(value)) if value.is_finite() => Some(value),
                Some(FieldValue::I64(value)) => Some(value as f64),
                _ => None,
            };
            series.push(time_s, value);
        }
        let texts = format.fields.iter().enumerate();
        let texts = texts.filter(|(_, f)| matches!(f.kind, FieldKind::Text { .. }));
        for ((number, _), words) in texts.zip(words) {
            if let Some(FieldValue::Text(word)) = event.field(number) {
                words.push(time_s, word);
            }
        }
    }

    /// The numbers of a field.
    pub(crate) fn number(&self, field: &str) -> Option<&Series> {
        self.numbers.iter().find(|series| series.name() == field)
    }
}
