//! `audio`: a sound file as a signal.
//!
//! Reads WAV (8 to 32 bits, floats, A-law, ADPCM), AIFF, FLAC, MP3, Ogg Vorbis, AAC and ALAC (also in
//! MP4), and CAF; which it is, the content tells. See [`crate::files::sound`].
//!
//! | port  | carries                                                                      |
//! |-------|------------------------------------------------------------------------------|
//! | `out` | the file's channels: `mono`, `left` and `right`, or `0`, `1`, … of more      |
//!
//! Samples have no unit: full scale is 1.0, so that they agree with whatever takes any unit. Zero of the time line is the first
//! sample. With a `from` the same word writes a WAV file: [`sink::audio`](crate::sink::audio). What encoders put before and behind the sound is taken off where the file tells how much.

use std::{io, sync::Arc};

use engine::{
    Body, Channel, Diagnostic, Fault, Files, Flow, Format, Frame, Gap, Header, Io, Kind, Node,
    Outline, Param, Port, Rate, ReadSeek, SignalFormat, Source, Timestamp, Unit, Used,
};

use super::{speech_like::of_db, synthetic::Synthetic};
use crate::{
    files::{error::FileError, sound::SoundReader},
    math::synthetic::{Speech, SpeechParameters},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "audio",
    summary: "A sound file: read without `from`, written with one.",
    doc: "Reads WAV (8, 16, 24, 32 bits, floats of 32 and 64, A-law, mu-law, ADPCM; RF64), AIFF, FLAC, \
          MP3, Ogg Vorbis, AAC and ALAC (also in MP4) and CAF, up to 64 channels at any rate; which it \
          is, the content tells and not the name. Full scale is 1.0, without a unit; an integer n \
          of b bits is n / 2^(b - 1), floats are delivered as they are, also beyond 1.0. Channels are \
          mono, left and right, or 0, 1, … where there are more than two: `from = \"audio[left]\"` \
          picks one. Zero of the time line is the first sample; what an encoder put before and \
          behind the sound is taken off where the file tells how much (MP3 with a LAME tag, Vorbis). The file is read \
          as it is needed and never held whole. A file that is cut off delivers what is there, and \
          the end says what is missing; a piece that cannot be decoded is a gap; a sample that is no \
          finite number is silent, and the end says how many were. Without `file` it is a minute of what is like \
          speech, as `speech_like` makes it, so that a graph can be tried before there is a recording. Cost: about 10 ns a sample of \
          WAV, 20 to 40 of what is compressed, which allocates for every packet. With a `from` the node writes a \
          WAV file of 16 or 24 bits or floats.",
    example: "file = \"speech.wav\"",
    outputs: &[Port::signal("out")],
    params: &[&FILE],
    when_fed: Some(&crate::sink::audio::KIND),
    plan: |node| {
        if !is_file(node)? {
            return Ok(made_up(node));
        }
        let reader = open(node)?;
        let facts = reader.facts();
        let rate = Rate::new(f64::from(facts.rate_hz)).expect("the reader refuses others");
        let channels = names(facts.channels);
        let channels =
            channels.into_iter().map(|name| Channel { name, unit: Unit::UNKNOWN }).collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let format = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let mut outline = Outline::of([format]);
        outline.duration_ns = facts.samples.map(|samples| rate.span_ns(samples as i64));
        Ok(outline.using(FILE.name(), Used::Read(node.path(&FILE)?)))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        if !is_file(node)? {
            // People differ: sessions of one run are not copies of one.
            let seed = 1 + u64::from(node.session());
            let model = Speech::new(like_speech(seed), MADE_UP_HZ);
            return Ok(Body::source(Synthetic::new(node, model, Some(MADE_UP_S))));
        }
        Ok(Body::source(Audio {
            reader: open(node)?,
            files: node.files().clone(),
            path: node.path(&FILE)?,
            rate: signal.rate,
            channels: signal.channels.len(),
            frame_len: signal.frame_len,
        }))
    },
    ..Kind::BASE
};

const FILE: Param<&str> = Param::optional(
    "file",
    "The sound file, such as \"speech.wav\"; without it a minute of what is like speech.",
);

/// What is heard where no file is named.
const MADE_UP_HZ: f64 = 16_000.0;
const MADE_UP_S: f64 = 60.0;

/// As `speech_like` has it unless told otherwise.
fn like_speech(seed: u64) -> SpeechParameters {
    SpeechParameters {
        level: of_db(-23.0),
        noise: of_db(-53.0),
        speech_s: 2.0,
        pause_s: 1.5,
        pitch_hz: 120.0,
        syllables_hz: 4.0,
        seed,
    }
}

fn is_file(node: &Node<'_>) -> Result<bool, Diagnostic> {
    Ok(node.get_optional(&FILE)?.is_some())
}

fn made_up(node: &Node<'_>) -> Outline {
    let rate = Rate::new(MADE_UP_HZ).expect("within range");
    let channels = vec![Channel { name: "mono".to_owned(), unit: Unit::UNKNOWN }];
    let frame_len = node.frame_len(rate, crate::FRAME_MS);
    let format = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
    let mut outline = Outline::of([format]);
    outline.duration_ns = Some((MADE_UP_S * 1e9) as i64);
    outline
}

/// Names of channels, as many as there are.
pub(crate) fn names(channels: usize) -> Vec<String> {
    match channels {
        1 => vec!["mono".to_owned()],
        2 => ["left", "right"].map(str::to_owned).to_vec(),
        more => (0..more).map(|n| n.to_string()).collect(),
    }
}

fn open(node: &Node<'_>) -> Result<SoundReader, Diagnostic> {
    let path = node.path(&FILE)?;
    SoundReader::open(&path, || whole(&**node.files(), &path))
        .map_err(|error| crate::files::problem(node, FILE.name(), &error))
}

/// Opens a file; of a pipe, which would wait for its writer, and is gone once it was looked at, it says what it is.
fn whole(files: &dyn Files, path: &str) -> io::Result<Box<dyn ReadSeek>> {
    if files.identity(path).is_none() {
        // Of what is no file, of that it knows folders.
        files.check_create(path)?;
        return Err(io::ErrorKind::NotSeekable.into());
    }
    files.open(path)
}

struct Audio {
    reader: SoundReader,
    files: Arc<dyn Files>,
    path: String,
    rate: Rate,
    channels: usize,
    frame_len: usize,
}

impl Source for Audio {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let mut len = self.reader.ready(self.frame_len).map_err(cannot_go_on)?;
        let mut gap = None;
        while len == 0 && self.reader.pass_lost() > 0 {
            gap = Some(Gap::Source);
            len = self.reader.ready(self.frame_len).map_err(cannot_go_on)?;
        }
        if len == 0 {
            return Ok(Flow::End);
        }
        let time = Timestamp::from_nanos(self.rate.span_ns(self.reader.position() as i64));
        let mut buffer = io.signal(0, len);
        let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
        debug_assert_eq!(planes.len(), len * self.channels);
        self.reader.take(planes, len);
        io.send(0, Frame::new(Header { gap: gap.into(), ..Header::at(time) }, buffer));
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        let reader = SoundReader::open(&self.path, || whole(&*self.files, &self.path));
        self.reader = reader.map_err(cannot_go_on)?;
        let facts = self.reader.facts();
        match (f64::from(facts.rate_hz), facts.channels) == (self.rate.hz(), self.channels) {
            true => Ok(()),
            false => Err(Fault::data("has another rate or other channels than before")),
        }
    }

    fn remark(&self) -> Option<String> {
        self.reader.remark()
    }
}

fn cannot_go_on(error: FileError) -> Fault {
    Fault::data("cannot be read on").because(error)
}

#[cfg(test)]
mod tests;
