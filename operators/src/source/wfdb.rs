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

use std::{collections::VecDeque, path::Path};

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Field, Flow, Format, Io, Kind, Node, Outline, Param,
    Port, Rate, ReadSeek, SignalFormat, Source, Timestamp, Unit, nearest,
};

use crate::files::wfdb::{Annotations, Header, Recording};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "wfdb",
    summary: "A WFDB recording (formats 212 and 16) with its annotations.",
    doc: "Reads a PhysioNet record: `file` is its header (`.hea`), signal files stand beside it. \
          Zero of the time line is the first sample. Annotations come from the file of the same \
          name with the ending `annotator`, if there is one. All channels must have one rate; where \
          a record has several, or is large, `channels` names those to read. A recording that is shorter than its \
          header says delivers all whole samples, and the end says what is missing. Cost: about \
          3 ns a sample and channel.",
    example: "file = \"100.hea\"",
    outputs: &[Port::signal("out"), Port::event("annotations")],
    params: &[&FILE, &CHANNELS, &ANNOTATOR],
    plan: |node| {
        let (header, folder) = header(node)?;
        let selected = selected(node, &header)?;
        let recording = open(node, &header, &selected)?;
        // Read for its mistakes alone: nothing shall start that ends with them.
        annotations(node, &header, &folder)?;
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
        Ok(outline)
    },
    build: |node| {
        let (header, folder) = header(node)?;
        let selected = selected(node, &header)?;
        let recording = open(node, &header, &selected)?;
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let (annotations, counted_hz) = annotations(node, &header, &folder)?;
        Ok(Body::source(WfdbRecord {
            recording,
            rate: signal.rate,
            counted: Rate::new(counted_hz).unwrap_or(signal.rate),
            channels: selected.len(),
            frame_len: signal.frame_len,
            pending: annotations.clone().into(),
            annotations,
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
    names.split(',').map(str::trim).map(number).collect()
}

/// Reads the header and says in which folder it stands.
fn header(node: &Node<'_>) -> Result<(Header, String), Diagnostic> {
    let mut path = node.path(&FILE)?;
    if Path::new(&path).extension().is_none_or(|ending| ending != "hea") {
        path.push_str(".hea");
    }
    let bytes = crate::files::read_all(node, &path, "file")?;
    let header = Header::parse(&bytes, &path)
        .map_err(|error| crate::files::problem(node, FILE.name(), &error))?;
    let folder = Path::new(&path).parent().map(|folder| folder.to_string_lossy().into_owned());
    Ok((header, folder.unwrap_or_default()))
}

fn open(
    node: &Node<'_>,
    header: &Header,
    selected: &[usize],
) -> Result<Recording<Box<dyn ReadSeek>>, Diagnostic> {
    let folder = Path::new(&header.file).parent().unwrap_or(Path::new(""));
    Recording::open(header, selected, |name| {
        node.files().open(&folder.join(name).to_string_lossy())
    })
    .map_err(|error| crate::files::problem(node, FILE.name(), &error))
}

#[derive(Clone)]
struct Note {
    sample: i64,
    class: &'static str,
    is_beat: bool,
    aux: String,
}

/// All annotations in order of time, and the rate at which they count samples. None where there is
/// no such file, unless one was asked for.
fn annotations(
    node: &Node<'_>,
    header: &Header,
    folder: &str,
) -> Result<(Vec<Note>, f64), Diagnostic> {
    let asked = node.get_optional(&ANNOTATOR)?;
    let stem = Path::new(&header.file).file_stem().unwrap_or_default();
    let path = Path::new(folder).join(stem).with_extension(asked.unwrap_or("atr"));
    let path = path.to_string_lossy();
    let is_missing = |kind| kind == std::io::ErrorKind::NotFound;
    if asked.is_none() && node.files().open(&path).is_err_and(|error| is_missing(error.kind())) {
        return Ok((Vec::new(), header.rate_hz));
    }
    let bytes = crate::files::read_all(node, &path, ANNOTATOR.name())?;
    let all = Annotations::new(&bytes, &path);
    let counted_hz = all.rate_hz().unwrap_or(header.rate_hz);
    let mut notes = Vec::new();
    for annotation in all {
        let annotation =
            annotation.map_err(|error| crate::files::problem(node, ANNOTATOR.name(), &error))?;
        notes.push(Note {
            sample: annotation.sample,
            class: annotation.mnemonic(),
            is_beat: annotation.is_beat(),
            aux: annotation.text().into_owned(),
        });
    }
    notes.sort_by_key(|note| note.sample);
    Ok((notes, counted_hz))
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
}

impl Source for WfdbRecord {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let first = self.recording.position() as i64;
        let left = self.recording.samples() as i64 - first;
        let len = (self.frame_len as i64).min(left) as usize;
        if len == 0 {
            self.tell(io, Timestamp::MAX);
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
        // What is annotated behind the last sample is told with it.
        self.tell(io, if ended { Timestamp::MAX } else { end });
        Ok(if ended { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.recording.seek(0);
        self.pending = self.annotations.clone().into();
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        self.recording.shortfall().map(ToString::to_string)
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
