//! Whatever `symphonia` decodes; named in this file alone.

use std::{
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    sync::Mutex,
};

use engine::ReadSeek;
use symphonia::core::{
    codecs::audio::{AudioDecoder, AudioDecoderOptions},
    common::Limit,
    errors::Error,
    formats::{FormatOptions, FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
};

use super::{
    encoding::{Encoding, refused},
    mpeg::{self, Frames},
    reader::{Decoder, Facts, Step, within_limits},
};
use crate::files::error::FileError;

/// Most bytes of a tag or picture kept while looking for the sound, none of which is used.
const TAG_BYTES_MAX: usize = 1 << 16;
/// Packets without a sample before the first one with some; bounds the search.
const EMPTY_MAX: usize = 1_000;

/// Samples of a file that is decoded packet by packet.
pub(super) struct Coded {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    facts: Facts,
    /// One packet's samples, and whether they were decoded ahead of their time: the first packet's, to
    /// see what they are, and those behind lost ones.
    packet: Vec<Vec<f32>>,
    packet_rate_hz: u32,
    is_ahead: bool,
    /// Where the next packet begins by what the one before it says, if times count samples.
    expected: Option<i64>,
    counts_samples: bool,
    is_mpeg: bool,
    /// What ended it before its time.
    trouble: Option<String>,
    /// Whether that was more than an early end.
    is_broken: bool,
    ended: bool,
    file: String,
}

impl Coded {
    pub(super) fn open(
        file: Box<dyn ReadSeek>,
        encoding: Encoding,
        path: &str,
    ) -> Result<Self, FileError> {
        let source = Bytes::new(file, encoding)
            .map_err(|error| FileError::unreadable(path, "read it", error))?;
        let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
        let tags = MetadataOptions::default()
            .limit_tag_bytes(Limit::Maximum(TAG_BYTES_MAX))
            .limit_visual_bytes(Limit::Maximum(TAG_BYTES_MAX));
        let format = guarded(|| {
            let probe = symphonia::default::get_probe();
            probe.probe(&Hint::new(), stream, FormatOptions::default(), tags)
        })
        .map_err(|error| undecodable(path, "is broken at its beginning", error))?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| refused(path, "holds no sound"))?
            .clone();
        let decoder = decoder(&track).map_err(|error| match error {
            Error::Unsupported(_) => {
                refused(path, "holds sound of a codec that is not read, such as Opus")
            }
            error => undecodable(path, "is broken at its beginning", error),
        })?;
        let mut coded = Self {
            format,
            decoder,
            track: track.id,
            facts: Facts { rate_hz: 0, channels: 0, samples: track.num_frames },
            packet: Vec::new(),
            packet_rate_hz: 0,
            is_ahead: false,
            expected: None,
            counts_samples: false,
            is_mpeg: encoding == Encoding::Mpeg,
            trouble: None,
            is_broken: false,
            ended: false,
            file: path.to_owned(),
        };
        coded.look_at_the_first()?;
        coded.counts_samples = counts_samples(&track, coded.facts.rate_hz);
        Ok(coded)
    }

    /// Decodes up to the first sample: what comes out says more than headers do.
    fn look_at_the_first(&mut self) -> Result<(), FileError> {
        for _ in 0..EMPTY_MAX {
            match self.packet()? {
                Packet::Samples { rate_hz, channels } => {
                    within_limits(&self.file, rate_hz, channels)?;
                    (self.facts.rate_hz, self.facts.channels) = (rate_hz, channels);
                    self.is_ahead = true;
                    return Ok(());
                }
                Packet::End => break,
                Packet::Lost(_) => {}
            }
        }
        let message = match self.trouble.take() {
            Some(trouble) => format!("holds no sample: {trouble}"),
            None => "holds no sample".to_owned(),
        };
        Err(refused(&self.file, &message))
    }

    /// Decodes a packet.
    fn packet(&mut self) -> Result<Packet, FileError> {
        loop {
            let packet = match guarded(|| self.format.next_packet()) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Packet::End),
                Err(Error::ResetRequired) if self.is_taken_up() => continue,
                Err(error) => return self.end_at(error),
            };
            if packet.track_id != self.track {
                continue;
            }
            let (begins, missing) = (packet.pts.get(), self.missing_before(packet.pts.get()));
            // Of what was trimmed off some readers do not take account in the length: too long a
            // packet hides a loss, too short a one would make it up.
            self.expected = Some(begins.saturating_add_unsigned(packet.block_dur().get()));
            if self.is_mpeg && mpeg::is_lost(&packet.data) {
                return Ok(Packet::Lost(packet.dur.get()));
            }
            let decoded = match guarded(|| self.decoder.decode(&packet)) {
                Ok(decoded) => decoded,
                Err(Error::DecodeError(_) | Error::IoError(_)) => {
                    return Ok(Packet::Lost(packet.dur.get()));
                }
                Err(error) => return self.end_at(error),
            };
            if decoded.frames() == 0 {
                continue;
            }
            decoded.copy_to_vecs_planar::<f32>(&mut self.packet);
            self.packet_rate_hz = decoded.spec().rate();
            self.is_ahead = missing > 0;
            return Ok(match missing {
                0 => self.samples(),
                missing => Packet::Lost(missing),
            });
        }
    }

    /// The packet that was decoded last.
    fn samples(&self) -> Packet {
        Packet::Samples { rate_hz: self.packet_rate_hz, channels: self.packet.len() }
    }

    /// Samples that were left out before a packet that begins there: its reader could not make sense
    /// of them.
    fn missing_before(&self, begins: i64) -> u64 {
        let expected = self.expected.filter(|_| self.counts_samples);
        let missing = expected.map_or(0, |expected| begins.saturating_sub(expected));
        u64::try_from(missing).unwrap_or(0)
    }

    /// Whether the next of several streams in one file can be decoded.
    fn is_taken_up(&mut self) -> bool {
        let Some(track) = self.format.default_track(TrackType::Audio).cloned() else {
            return false;
        };
        let Ok(decoder) = decoder(&track) else { return false };
        (self.decoder, self.track, self.expected) = (decoder, track.id, None);
        true
    }

    /// A file that is cut off ends there; what a disk refuses is another matter.
    fn end_at(&mut self, error: Error) -> Result<Packet, FileError> {
        self.ended = true;
        self.is_broken = true;
        self.trouble = Some(match error {
            Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.is_broken = false;
                "cut off: it ends in the middle of a packet".to_owned()
            }
            // How `symphonia` says that a reader had less than it wanted.
            Error::IoError(error) if error.kind() == ErrorKind::Other => {
                format!("not readable any further: {error}")
            }
            Error::IoError(error) => {
                return Err(FileError::unreadable(&self.file, "read it on", error));
            }
            Error::ResetRequired => {
                "goes on with another stream, which was not delivered".to_owned()
            }
            error => format!("not readable any further: {error}"),
        });
        Ok(Packet::End)
    }
}

/// What came of a packet.
enum Packet {
    Samples { rate_hz: u32, channels: usize },
    Lost(u64),
    End,
}

impl Decoder for Coded {
    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn step(&mut self, planes: &mut [Vec<f32>]) -> Result<Step, FileError> {
        let packet = match std::mem::take(&mut self.is_ahead) {
            true => self.samples(),
            false if self.ended => Packet::End,
            false => self.packet()?,
        };
        match packet {
            Packet::Samples { rate_hz, channels } => {
                if (rate_hz, channels) != (self.facts.rate_hz, self.facts.channels) {
                    (self.ended, self.is_broken) = (true, true);
                    self.trouble = Some(format!(
                        "goes on with {channels} channels at {rate_hz} Hz, which was not delivered"
                    ));
                    return Ok(Step::End);
                }
                for (plane, samples) in planes.iter_mut().zip(&self.packet) {
                    plane.extend_from_slice(samples);
                }
                Ok(Step::Decoded)
            }
            Packet::Lost(samples) => Ok(Step::Lost(samples)),
            Packet::End => {
                self.ended = true;
                Ok(Step::End)
            }
        }
    }

    fn trouble(&self, delivered: u64) -> Option<String> {
        let missing = self.facts.samples.and_then(|samples| samples.checked_sub(delivered));
        let Some(missing) = missing.filter(|&missing| missing > 0 && !self.is_broken) else {
            return self.trouble.clone();
        };
        let seconds = |samples: u64| samples as f64 / f64::from(self.facts.rate_hz);
        let (whole_s, missing_s) = (seconds(delivered + missing), seconds(missing));
        Some(format!("cut off: of {whole_s:.3} s the last {missing_s:.3} s are missing"))
    }
}

fn decoder(track: &Track) -> Result<Box<dyn AudioDecoder>, Error> {
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or(Error::Unsupported("no parameters"))?;
    let options = AudioDecoderOptions::default();
    guarded(|| symphonia::default::get_codecs().make_audio_decoder(params, &options))
}

/// What `symphonia` answers. Some damage makes it panic, in arithmetic that is not checked; whatever it
/// was working on is given up then, as after an error it does not come back from.
fn guarded<T>(ask: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask))
        .unwrap_or(Err(Error::LimitError("the decoder gave up")))
}

/// Whether a track's times are numbers of samples.
fn counts_samples(track: &Track, rate_hz: u32) -> bool {
    track.time_base.is_some_and(|base| base.numer.get() == 1 && base.denom.get() == rate_hz)
}

fn undecodable(path: &str, what: &str, error: Error) -> FileError {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            refused(path, "ends before its first sample")
        }
        Error::IoError(error) if error.kind() != ErrorKind::Other => {
            FileError::unreadable(path, "read it", error)
        }
        error => refused(path, &format!("{what}: {error}")),
    }
}

/// A file as `symphonia` wants it: one that may be shared, which nobody does.
struct Bytes {
    file: Mutex<Box<dyn ReadSeek>>,
    len: u64,
    /// Of MPEG audio, which is read from its beginning to its end.
    frames: Option<Frames>,
}

impl Bytes {
    /// Where seeking is said to be possible, the end of a file is looked at for its length; of MPEG audio
    /// it would be guessed from the first frame's, and what lies behind the guess cut off.
    fn new(mut file: Box<dyn ReadSeek>, encoding: Encoding) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let frames = (encoding == Encoding::Mpeg).then(Frames::default);
        Ok(Self { file: Mutex::new(file), len, frames })
    }

    fn file(&mut self) -> &mut Box<dyn ReadSeek> {
        self.file.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut self.frames {
            Some(frames) => frames.read(file, into),
            None => file.read(into),
        }
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}

impl MediaSource for Bytes {
    fn is_seekable(&self) -> bool {
        self.frames.is_none()
    }

    fn byte_len(&self) -> Option<u64> {
        self.is_seekable().then_some(self.len)
    }
}
