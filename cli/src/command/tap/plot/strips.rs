//! [`Strips`]: one line in time per channel, or per field: of numbers, or of words where they were said.

use std::{collections::VecDeque, time::Duration};

use engine::{EventReader, FieldKind, FieldValue, Format, Grid, Rate};

use crate::{local::Came, tensors::numbers};

/// Points that are kept of a strip: ten minutes at 250 Hz, 150 s at 1 kHz. Above that extremes stand for many.
const POINTS_MAX: usize = 150_000;
/// And of all strips together, so that many channels take no more room than a few.
const POINTS_ALL: usize = 16 * POINTS_MAX;
/// Points a second that a strip keeps of a fast signal: more than a window of five seconds has columns for.
const POINTS_PER_S: f64 = 1_000.0;
/// Strips that are kept; nobody goes through more of them.
const STRIPS_MAX: usize = 256;

/// A line in time.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// Seconds and values; a NaN breaks the line.
    pub(crate) points: VecDeque<(f64, f64)>,
    /// What a field of words said, and when; none of a strip of numbers.
    pub(crate) words: Option<VecDeque<Marked>>,
    /// Points that are kept.
    most: usize,
}

/// What was said besides numbers: seconds and words.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub(crate) t_s: f64,
    pub(crate) words: String,
}

/// All that is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Strips {
    format: Format,
    pub(crate) all: Vec<Strip>,
    /// Channels or fields there was no room for.
    pub(crate) more: usize,
    /// Number of the field of each strip, of events.
    fields: Vec<usize>,
    /// Whether any strip is of numbers.
    has_numbers: bool,
    /// Gaps, and frames that were missed.
    pub(crate) gaps: VecDeque<Marked>,
    /// The last events, in words.
    pub(crate) events: VecDeque<Marked>,
    grid: Option<Grid>,
    /// The end of what came last, and when it came.
    latest: Option<(f64, Duration)>,
    /// Samples that one point stands for, two at a time: the smallest and the largest.
    each: usize,
}

impl Strips {
    pub(crate) fn new(format: &Format) -> Self {
        let strip = |name: &str, unit: &str| Strip {
            name: name.to_owned(),
            unit: unit.to_owned(),
            points: VecDeque::new(),
            words: None,
            most: POINTS_MAX,
        };
        let (mut all, mut fields) = (Vec::new(), Vec::new());
        let mut each = 1;
        match format {
            Format::Signal(signal) => {
                all.extend(signal.channels.iter().map(|c| strip(&c.name, c.unit.name())));
                each = (2.0 * signal.rate.hz() / POINTS_PER_S).floor().max(1.0) as usize;
            }
            Format::Event(event) => {
                for (n, field) in event.fields.iter().enumerate() {
                    let words = match field.kind {
                        FieldKind::F64 | FieldKind::I64 => None,
                        FieldKind::Bool | FieldKind::Text { .. } => Some(VecDeque::new()),
                        _ => continue,
                    };
                    all.push(Strip { words, ..strip(field.name, "") });
                    fields.push(n);
                }
            }
            Format::Tensor(_) | Format::Image(_) => {
                all.extend(["largest", "mean", "smallest"].map(|name| strip(name, "")));
            }
        }
        let more = all.len().saturating_sub(STRIPS_MAX);
        all.truncate(STRIPS_MAX);
        fields.truncate(STRIPS_MAX);
        let most = (POINTS_ALL / all.len().max(1)).min(POINTS_MAX);
        all.iter_mut().for_each(|strip| strip.most = most);
        let has_numbers = all.iter().any(|strip| strip.words.is_none());
        let grid = format.as_signal().map(|signal| Grid::new(signal.rate));
        Self {
            format: format.clone(),
            all,
            more,
            fields,
            has_numbers,
            gaps: VecDeque::new(),
            events: VecDeque::new(),
            grid,
            latest: None,
            each,
        }
    }

    /// Whether there is something to draw; events without numbers are told in words alone.
    pub(crate) const fn has_numbers(&self) -> bool {
        self.has_numbers
    }

    /// Whether anything has come by.
    pub(crate) const fn has_any(&self) -> bool {
        self.latest.is_some()
    }

    pub(crate) const fn is_of_events(&self) -> bool {
        matches!(self.format, Format::Event(_))
    }

    /// The moment at the right edge: what came last, or how far that must be by now.
    pub(crate) fn edge(&self, now: Option<Duration>) -> f64 {
        match (self.latest, now) {
            (None, _) => 0.0,
            // A signal stands where its last sample is; events are rare, and time goes on between them.
            (Some((t_s, came)), Some(now)) if self.is_of_events() => {
                t_s + now.saturating_sub(came).as_secs_f64()
            }
            (Some((t_s, _)), _) => t_s,
        }
    }

    /// Takes in a frame that came `at` so long after the beginning.
    pub(crate) fn add(&mut self, came: &Came, at: Duration) {
        let t_s = came.told.t_ns as f64 / 1e9;
        if came.told.missed > 0 {
            self.gap(t_s, format!("{} missed", came.told.missed));
            self.grid = self.format.as_signal().map(|signal| Grid::new(signal.rate));
        }
        if let Some(reason) = &came.told.gap {
            self.gap(t_s, reason.clone());
        }
        let Some(frame) = &came.frame else { return };
        match &self.format {
            Format::Signal(signal) => {
                let rate: Rate = signal.rate;
                let grid = self.grid.get_or_insert_with(|| Grid::new(rate));
                let len = frame.len();
                grid.enter(frame.header.time, len);
                let time_of = |n: usize| grid.time_of(n as i64).secs_f64();
                for (n, strip) in self.all.iter_mut().enumerate() {
                    add_samples(strip, frame.channel(n), self.each, time_of);
                }
                self.latest = Some((time_of(len), at));
            }
            Format::Event(event) => {
                let read = EventReader::new(event, frame);
                for (strip, &field) in self.all.iter_mut().zip(&self.fields) {
                    match (&mut strip.words, read.field(field)) {
                        (Some(words), Some(said)) => mark(words, t_s, &said),
                        (None, Some(_)) => {
                            read.f64(field).into_iter().for_each(|value| strip.push(t_s, value))
                        }
                        (_, None) => {}
                    }
                }
                let words = event.fields.iter().enumerate().filter_map(|(n, field)| {
                    match read.field(n)? {
                        FieldValue::Text(text) => Some(text.to_owned()),
                        FieldValue::Bool(true) => Some(field.name.to_owned()),
                        _ => None,
                    }
                });
                let words = words.collect::<Vec<_>>().join(" ");
                push(&mut self.events, Marked { t_s, words });
                self.latest = Some((t_s, at));
            }
            Format::Tensor(_) | Format::Image(_) => {
                self.summary(t_s, numbers(&self.format, frame), at);
            }
        }
    }

    fn summary(&mut self, t_s: f64, values: Vec<f64>, at: Duration) {
        let known = || values.iter().copied().filter(|value| value.is_finite());
        let mean = known().sum::<f64>() / known().count().max(1) as f64;
        let figures = [known().reduce(f64::max), Some(mean), known().reduce(f64::min)];
        for (strip, value) in self.all.iter_mut().zip(figures) {
            strip.push(t_s, value.unwrap_or(f64::NAN));
        }
        self.latest = Some((t_s, at));
    }

    fn gap(&mut self, t_s: f64, words: String) {
        for strip in &mut self.all {
            strip.push(t_s, f64::NAN);
        }
        push(&mut self.gaps, Marked { t_s, words });
    }
}

fn mark(words: &mut VecDeque<Marked>, t_s: f64, said: &FieldValue<'_>) {
    let said = match said {
        // What comes from outside steers no terminal.
        FieldValue::Text(text) => text.replace(char::is_control, " "),
        FieldValue::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        _ => return,
    };
    push(words, Marked { t_s, words: said });
}

fn push(marks: &mut VecDeque<Marked>, mark: Marked) {
    if marks.len() == 1_024 {
        marks.pop_front();
    }
    marks.push_back(mark);
}

impl Strip {
    fn push(&mut self, t_s: f64, value: f64) {
        if self.points.len() == self.most {
            self.points.pop_front();
        }
        self.points.push_back((t_s, value));
    }

    /// The points of a window, and one before it so that a line comes in from the edge.
    pub(crate) fn since(&self, t_s: f64) -> impl Iterator<Item = (f64, f64)> {
        let first = self.points.partition_point(|(at, _)| *at < t_s).saturating_sub(1);
        self.points.range(first..).copied()
    }
}

/// Adds samples, or of a fast signal the extremes of every few in the order in which they came.
fn add_samples(strip: &mut Strip, samples: &[f32], each: usize, time_of: impl Fn(usize) -> f64) {
    if each <= 1 {
        for (n, sample) in samples.iter().enumerate() {
            strip.push(time_of(n), f64::from(*sample));
        }
        return;
    }
    for (n, part) in samples.chunks(each).enumerate() {
        let at = |of: usize| (time_of(n * each + of), f64::from(part[of]));
        let known = (0..part.len()).filter(|&of| part[of].is_finite());
        let extremes = known
            .clone()
            .min_by(|&a, &b| part[a].total_cmp(&part[b]))
            .zip(known.max_by(|&a, &b| part[a].total_cmp(&part[b])));
        match extremes {
            None => strip.push(time_of(n * each), f64::NAN),
            Some((low, high)) => {
                for of in [low.min(high), low.max(high)] {
                    let (t_s, value) = at(of);
                    strip.push(t_s, value);
                }
            }
        }
    }
}
