//! [`SoundReader`]: the samples of a sound file, piece by piece.

use std::io;

use engine::ReadSeek;

use super::{CHANNELS_MAX, RATE_HZ_MAX, coded::Coded, encoding, encoding::Encoding, wav::Wav};
use crate::files::{counted, error::FileError};

/// What the beginning of a file tells about its sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Channels.
    pub channels: usize,
    /// Samples of each channel that are there, where the file tells.
    pub samples: Option<u64>,
}

/// What came of a step of decoding.
pub(super) enum Step {
    /// Samples were appended to every plane; none, where a piece held nothing.
    Decoded,
    /// So many samples of each channel could not be decoded.
    Lost(u64),
    /// There is no more.
    End,
}

/// Whoever takes samples out of one encoding.
pub(super) trait Decoder: Send {
    fn facts(&self) -> Facts;

    /// Appends the samples of the next piece to the planes.
    fn step(&mut self, planes: &mut [Vec<f32>]) -> Result<Step, FileError>;

    /// What is wrong with how the file ends, once it has ended: a fragment that can follow its name.
    fn trouble(&self, delivered: u64) -> Option<String>;
}

/// A sound file being read. Memory is that of one piece of the file, whatever its length.
pub struct SoundReader {
    decoder: Box<dyn Decoder>,
    facts: Facts,
    file: String,
    /// Decoded and not taken yet, from `from` on.
    planes: Vec<Vec<f32>>,
    from: usize,
    /// Samples that were lost behind what is decoded.
    lost: u64,
    ended: bool,
    /// Number of the next sample, counting those that were lost.
    position: u64,
    tally: Tally,
}

/// What had to be made good.
#[derive(Default)]
struct Tally {
    lost_samples: u64,
    lost_pieces: u64,
    first_lost: u64,
    no_numbers: u64,
    first_no_number: u64,
}

impl SoundReader {
    /// Opens a file through `open`, which may be asked twice. `path` is for messages.
    ///
    /// # Errors
    /// If it cannot be read, is empty or no sound, holds no sample, or has more channels or a higher
    /// rate than is read.
    pub fn open(
        path: &str,
        open: impl Fn() -> io::Result<Box<dyn ReadSeek>>,
    ) -> Result<Self, FileError> {
        let opened = || open().map_err(|error| FileError::unreadable(path, "open it", error));
        let mut file = opened()?;
        let encoding = encoding::of(file.as_mut(), path)?;
        let decoder: Box<dyn Decoder> = match encoding {
            Encoding::Wav => match Wav::open(file, path)? {
                Some(wav) => Box::new(wav),
                None => Box::new(Coded::open(opened()?, encoding, path)?),
            },
            _ => Box::new(Coded::open(file, encoding, path)?),
        };
        let facts = decoder.facts();
        let mut reader = Self {
            planes: vec![Vec::new(); facts.channels],
            decoder,
            facts,
            file: path.to_owned(),
            from: 0,
            lost: 0,
            ended: false,
            position: 0,
            tally: Tally::default(),
        };
        // A header alone proves nothing: what has a sample is sound.
        if reader.ready(1)? == 0 && reader.lost == 0 {
            return Err(encoding::refused(path, "holds no sample"));
        }
        Ok(reader)
    }

    /// What the beginning of the file tells.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Number of the sample that comes next, from 0, where none is lost before it.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Passes over what could not be decoded before the next sample: so many samples. Zero nearly always.
    pub fn pass_lost(&mut self) -> u64 {
        if self.from < self.planes[0].len() {
            return 0;
        }
        let lost = std::mem::take(&mut self.lost);
        self.position += lost;
        lost
    }

    /// Decodes until `most` samples of each channel lie ready, and says how many do: fewer before
    /// what is lost and before the end, where it is zero.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn ready(&mut self, most: usize) -> Result<usize, FileError> {
        while self.planes[0].len() - self.from < most && self.lost == 0 && !self.ended {
            let kept = self.planes[0].len() - self.from;
            for plane in &mut self.planes {
                plane.copy_within(self.from.., 0);
                plane.truncate(kept);
            }
            self.from = 0;
            match self.decoder.step(&mut self.planes)? {
                Step::Decoded => self.silence_no_numbers(kept),
                Step::Lost(samples) => self.lose(samples),
                Step::End => self.ended = true,
            }
        }
        Ok((self.planes[0].len() - self.from).min(most))
    }

    /// Takes the next `len` samples of each channel, which are [ready](Self::ready), into planes of
    /// that length.
    ///
    /// # Panics
    /// If they are not ready, or `into` is not of `len` samples for each channel.
    pub fn take(&mut self, into: &mut [f32], len: usize) {
        assert_eq!(into.len(), len * self.planes.len(), "a plane for every channel");
        for (to, plane) in into.chunks_exact_mut(len).zip(&self.planes) {
            to.copy_from_slice(&plane[self.from..self.from + len]);
        }
        self.from += len;
        self.position += len as u64;
    }

    /// What there is to say of the file once it was read: that it is cut off, that parts of it could not
    /// be decoded, that samples were no numbers.
    pub fn remark(&self) -> Option<String> {
        let Tally { lost_samples, lost_pieces, first_lost, no_numbers, first_no_number } =
            self.tally;
        let seconds = |samples: u64| samples as f64 / f64::from(self.facts.rate_hz);
        let mut remarks = Vec::new();
        if self.ended {
            remarks.extend(self.decoder.trouble(self.position));
        }
        if lost_pieces > 0 {
            let (pieces, s, at_s) =
                (counted(lost_pieces, "piece"), seconds(lost_samples), seconds(first_lost));
            remarks.push(format!(
                "{pieces} ({s:.3} s) could not be decoded, the first at {at_s:.3} s"
            ));
        }
        if no_numbers > 0 {
            let at_s = seconds(first_no_number);
            let are = if no_numbers == 1 { "is" } else { "are" };
            let samples = counted(no_numbers, "sample");
            remarks.push(format!(
                "{samples} {are} no finite number and silent, the first at {at_s:.3} s"
            ));
        }
        (!remarks.is_empty()).then(|| format!("{}: {}", self.file, remarks.join("; ")))
    }

    fn lose(&mut self, samples: u64) {
        let at = self.position + (self.planes[0].len() - self.from) as u64;
        if self.tally.lost_pieces == 0 {
            self.tally.first_lost = at;
        }
        self.tally.lost_pieces += 1;
        self.tally.lost_samples += samples;
        self.lost += samples;
    }

    /// What a model or a filter remembers would be spoilt for ever by what is no number.
    fn silence_no_numbers(&mut self, kept: usize) {
        for plane in &mut self.planes {
            // A sum of finite numbers below 1e38 is finite, so most pieces are looked at once, quickly.
            let sum: f32 = plane[kept..].iter().map(|sample| sample * 0.0).sum();
            if sum == 0.0 {
                continue;
            }
            for (n, sample) in plane[kept..].iter_mut().enumerate() {
                if !sample.is_finite() {
                    *sample = 0.0;
                    let at = self.position + (kept + n) as u64;
                    if self.tally.no_numbers == 0 || at < self.tally.first_no_number {
                        self.tally.first_no_number = at;
                    }
                    self.tally.no_numbers += 1;
                }
            }
        }
    }
}

/// Refuses what would take too much memory.
pub(super) fn within_limits(path: &str, rate_hz: u32, channels: usize) -> Result<(), FileError> {
    if !(1..=CHANNELS_MAX).contains(&channels) {
        let message = format!("has {channels} channels; 1 to {CHANNELS_MAX} are read");
        return Err(FileError::new(
            path,
            message,
            "take one of them: ffmpeg -i FILE -af \"pan=mono|c0=c0\" sound.wav",
        ));
    }
    if !(1..=RATE_HZ_MAX).contains(&rate_hz) {
        let message = format!("has {rate_hz} samples per second; 1 to {RATE_HZ_MAX} are read");
        return Err(FileError::new(
            path,
            message,
            "resample it: ffmpeg -i FILE -ar 48000 sound.wav",
        ));
    }
    Ok(())
}
