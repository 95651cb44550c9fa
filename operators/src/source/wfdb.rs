//! `wfdb`: a recording in PhysioNet's WFDB format, with its annotations.
//!
//! Formats 212 and 16, any number of channels of one rate. Samples are given
//! in the physical unit of the header; those the recorder marked invalid are NaN.
//! See [`crate::files::wfdb`].
//!
//! | port          | carries                                              |
//! |---------------|------------------------------------------------------|
//! | `out`         | all channels of the record                           |
//! | `annotations` | one event per annotation, at its sample              |

use std::{
    collections::{BTreeSet, VecDeque},
    path::Path,
};

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Field, Flow, Format, Io, Kind, Node, Outline, Param,
    Port, Rate, ReadSeek, SignalFormat, Source, Timestamp, Unit, Used, nearest,
};

use crate::files::wfdb::{Annotations, Header, Recording};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "wfdb",
    summary: "A WFDB recording (formats 212 and 16) with its annotations.",
    doc: "Reads a PhysioNet record: `file` is its header (`.hea`), signal files stand beside it. \
          Zero of the time line is the first sample. Annotations come from the file of the same \
          name with the ending `annotator`, if there is one. All channels must have one rate; where \
          a record has several, or is large, `channels` names those to read; of channels of one \
          name the second is called NAME_2. A recording or a list of annotations that is shorter \
          than it should be delivers what is whole, and the end says what is missing; samples behind \
          those that the header promises, and annotations behind the last sample, are not delivered. Cost: about 3 ns a sample and channel.",
    example: "file = \"100.hea\"",
    outputs: &[Port::signal("out"), Port::event("annotations")],
    params: &[&FILE, &CHANNELS, &ANNOTATOR],
    plan: |node| {
        let header = header(node)?;
        let selected = selected(node, &header)?;
        let recording = open(node, &header, &selected)?;
        // Read for its mistakes alone: nothing shall start that ends with them.
        let notes = annotations(node, &header)?;
        let rate_hz = recording.rate_hz();
        let rate = Rate::new(rate_hz).ok_or_else(|| {
            node.problem(
                Code::OutOfRange,
                "file",
                format!("`{}` has a rate of {rate_hz} Hz", header.file),
            )
        })?;
        let channels = selected.iter().map(|&number| &header.channels[number]);
        let channels = channels
            .map(|channel| Channel { name: channel.name.clone(), unit: Unit::named(&channel.unit) })
            .collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let fields = vec![
            Field::text("class", 8),
            Field::bool("is_beat"),
            Field::i64("sample"),
            Field::text("aux", 64),
        ];
        let mut outline = Outline::of([signal, Format::event(fields, crate::BEATS_PER_SECOND_MAX)]);
        outline.duration_ns = Some(rate.span_ns(recording.samples() as i64));
        let signals = selected.iter().map(|&number| beside(&header, &header.channels[number].file));
        let read: BTreeSet<String> =
            signals.chain([header.file.clone()]).chain(notes.file).collect();
        for path in read {
            outline = outline.using(FILE.name(), Used::Read(path));
        }
        Ok(outline)
    },
    build: |node| {
        let header = header(node)?;
        let selected = selected(node, &header)?;
        let recording = open(node, &header, &selected)?;
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let mut notes = annotations(node, &header)?;
        let counted = Rate::new(notes.counted_hz).unwrap_or(signal.rate);
        let end_ns = signal.rate.span_ns(recording.samples() as i64);
        let inside = notes.all.partition_point(|note| counted.span_ns(note.sample) < end_ns);
        let behind = notes.all.split_off(inside).len();
        Ok(Body::source(WfdbRecord {
            recording,
            rate: signal.rate,
            counted,
            channels: selected.len(),
            frame_len: signal.frame_len,
            pending: notes.all.clone().into(),
            annotations: notes.all,
            lacking: notes.lacking,
            behind,
        }))
    },
    ..Kind::BASE
};

const FILE: Param<&str> = Param::required("file", "The record's header, such as \"100.hea\".");
const CHANNELS: Param<&str> =
    Param::optional("channels", "Names of the channels to read, with commas between.");
const ANNOTATOR: Param<&str> = Param::optional(
    "annotator",
    "Ending of the annotation file beside the header; \"atr\" where there is one.",
);

/// Numbers of the channels to read: all, unless some are named.
fn selected(node: &Node<'_>, header: &Header) -> Result<Vec<usize>, Diagnostic> {
    let Some(names) = node.get_optional(&CHANNELS)? else {
        return Ok((0..header.channels.len()).collect());
    };
    let known = || header.channels.iter().map(|channel| channel.name.as_str());
    let number = |name: &str| {
        known().position(|known| known == name).ok_or_else(|| {
            let message = format!("the record has no channel `{name}`");
            let names: Vec<&str> = known().collect();
            node.problem(Code::UnknownChannel, CHANNELS.name(), message)
                .hint(format!("it has {}", names.join(", ")))
                .did_you_mean(nearest(name, known()))
        })
    };
    let mut numbers = Vec::new();
    for name in names.split(',').map(str::trim) {
        let number = number(name)?;
        if numbers.contains(&number) {
            let message = format!("channel `{name}` is asked for twice");
            let problem = node.problem(Code::DuplicateName, CHANNELS.name(), message);
            return Err(problem.hint("name every channel once"));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

/// Reads the header, and gives each of its channels a name of its own.
fn header(node: &Node<'_>) -> Result<Header, Diagnostic> {
    let written = node.path(&FILE)?;
    let path = match written.ends_with(".hea") {
        true => written.clone(),
        false => format!("{written}.hea"),
    };
    let bytes = crate::files::read_all(node, &path, "file").map_err(|problem| {
        // A signal file or its annotations, named in the header's stead.
        let header = Path::new(&written).with_extension("hea").to_string_lossy().into_owned();
        match header != path && node.files().open(&header).is_ok() {
            true => problem.hint(format!("name the record's header: `{header}`")),
            false => problem,
        }
    })?;
    let mut header = Header::parse(&bytes, &path)
        .map_err(|error| crate::files::problem(node, FILE.name(), &error))?;
    crate::files::make_unique(header.channels.iter_mut().map(|channel| &mut channel.name));
    Ok(header)
}

/// The path of a file that stands beside the header.
fn beside(header: &Header, name: &str) -> String {
    let folder = Path::new(&header.file).parent().unwrap_or(Path::new(""));
    folder.join(name).to_string_lossy().into_owned()
}

fn open(
    node: &Node<'_>,
    header: &Header,
    selected: &[usize],
) -> Result<Recording<Box<dyn ReadSeek>>, Diagnostic> {
    Recording::open(header, selected, |name| node.files().open(&beside(header, name)))
        .map_err(|error| crate::files::problem(node, FILE.name(), &error))
}

#[derive(Clone)]
struct Note {
    sample: i64,
    class: &'static str,
    is_beat: bool,
    aux: String,
}

/// What was annotated.
struct Notes {
    /// In order of time.
    all: Vec<Note>,
    /// The rate at which they count samples.
    counted_hz: f64,
    /// The file they are from.
    file: Option<String>,
    /// What that file lacks.
    lacking: Option<String>,
}

/// All annotations. None where there is no such file, unless one was asked for.
fn annotations(node: &Node<'_>, header: &Header) -> Result<Notes, Diagnostic> {
    let asked = node.get_optional(&ANNOTATOR)?;
    // Names of records may have dots in them.
    let stem = header.file.strip_suffix(".hea").unwrap_or(&header.file);
    let path = format!("{stem}.{}", asked.unwrap_or("atr"));
    let is_missing = |kind| kind == std::io::ErrorKind::NotFound;
    if asked.is_none() && node.files().open(&path).is_err_and(|error| is_missing(error.kind())) {
        let (all, counted_hz) = (Vec::new(), header.rate_hz);
        return Ok(Notes { all, counted_hz, file: None, lacking: None });
    }
    let bytes = crate::files::read_all(node, &path, ANNOTATOR.name())?;
    let mut list = Annotations::new(&bytes, &path);
    let counted_hz = list.rate_hz().unwrap_or(header.rate_hz);
    let mut all = Vec::new();
    for annotation in list.by_ref() {
        let annotation =
            annotation.map_err(|error| crate::files::problem(node, ANNOTATOR.name(), &error))?;
        all.push(Note {
            sample: annotation.sample,
            class: annotation.mnemonic(),
            is_beat: annotation.is_beat(),
            aux: annotation.text().into_owned(),
        });
    }
    let lacking = list.shortfall();
    all.sort_by_key(|note| note.sample);
    Ok(Notes { all, counted_hz, file: Some(path), lacking })
}

struct WfdbRecord {
    recording: Recording<Box<dyn ReadSeek>>,
    rate: Rate,
    /// Annotations count frames of the file, which may hold several samples of a channel, unless
    /// they say otherwise.
    counted: Rate,
    channels: usize,
    frame_len: usize,
    pending: VecDeque<Note>,
    annotations: Vec<Note>,
    /// What the list of annotations lacks.
    lacking: Option<String>,
    /// Annotations behind the last sample, which are not delivered.
    behind: usize,
}

impl Source for WfdbRecord {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.recording.position() as i64;
        let left = self.recording.samples() as i64 - first;
        let len = (self.frame_len as i64).min(left) as usize;
        if len == 0 {
            return Ok(Flow::End);
        }
        let mut buffer = io.signal(0, len);
        let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
        debug_assert_eq!(planes.len(), len * self.channels);
        self.recording
            .read(planes, len)
            .map_err(|error| Fault::data("cannot be read on").because(error))?;
        io.send_buffer(0, Timestamp::from_nanos(self.rate.span_ns(first)), buffer);
        let ended = left == len as i64;
        let end = Timestamp::from_nanos(self.rate.span_ns(first + len as i64));
        self.tell(io, end);
        Ok(if ended { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.recording.seek(0);
        self.pending = self.annotations.clone().into();
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let length = self.recording.mismatch().map(ToString::to_string);
        let behind = (self.behind > 0).then(|| match self.behind {
            1 => "1 annotation lies behind the last sample and was not delivered".to_owned(),
            n => format!("{n} annotations lie behind the last sample and were not delivered"),
        });
        let all: Vec<String> =
            length.into_iter().chain(self.lacking.clone()).chain(behind).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl WfdbRecord {
    /// Sends the annotations before `end`.
    fn tell(&mut self, io: &mut Io<'_>, end: Timestamp) {
        while let Some(note) = self.pending.front() {
            let time = Timestamp::from_nanos(self.counted.span_ns(note.sample));
            if time >= end {
                return;
            }
            let event =
                io.event_for(1).text(0, note.class).bool(1, note.is_beat).i64(2, note.sample);
            let event = if note.aux.is_empty() { event } else { event.text(3, &note.aux) };
            io.send_event(1, time, event);
            self.pending.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
