//! The samples of a WFDB recording, block by block, in physical units.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use super::header::{Channel, Encoding, Header};
use super::unpack::{Scale, to_units, unpack_16, unpack_212};
use crate::files::{counted, error::FileError};

/// Samples unpacked at a time; with the floats made of them they stay in the first-level cache.
const UNPACKED: usize = 4_096;
/// Bytes read at a time; below 32 KiB system calls begin to show, above it nothing is gained.
const WINDOW_BYTES: u64 = 32 * 1_024;
/// Bytes of one frame of all channels of a file; bounds memory against hostile headers.
const FRAME_BYTES_MAX: u64 = 1 << 18;

/// A recording being read. Constant memory; `read` and `seek` allocate nothing.
///
/// `R` is whatever the caller opens signal files as, so tests need no disk.
#[derive(Debug)]
pub struct Recording<R> {
    files: Vec<SignalFile<R>>,
    rate_hz: f64,
    samples_per_frame: u64,
    samples: u64,
    position: u64,
    selected: usize,
    unpacked: Vec<i16>,
    mismatch: Option<Mismatch>,
}

/// How a recording differs in length from what its header says.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The signal file that ends first.
    pub file: String,
    /// Samples of every channel the header promises.
    pub promised: u64,
    /// Whole samples of every channel in the file. Those that are promised are delivered.
    pub whole: u64,
    /// Bytes behind the last whole sample, which hold some channels of the next or part of one.
    pub loose_bytes: u64,
    rate_hz: f64,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, promised, whole, loose_bytes, rate_hz } = self;
        let seconds = |samples: u64| samples as f64 / rate_hz;
        if let Some(more @ 1..) = whole.checked_sub(*promised) {
            let s = seconds(more);
            return write!(
                f,
                "{file} goes on behind the {promised} samples that its header promises: \
                 {more} more ({s:.3} s) were not delivered"
            );
        }
        let mut but = "";
        if whole < promised {
            let missing = promised - whole;
            let s = seconds(missing);
            write!(
                f,
                "{file} ends early: {whole} of {promised} samples whole, {missing} ({s:.3} s) missing"
            )?;
            but = "; ";
        }
        match loose_bytes {
            0 => Ok(()),
            bytes => {
                let loose = counted(*bytes, "loose byte");
                write!(f, "{but}{file} ends in the middle of a sample ({loose})")
            }
        }
    }
}

impl<R: Read + Seek> Recording<R> {
    /// Opens the signal files of the `selected` channels (indices into `header.channels`), which
    /// must all have one rate, through `open`, which is told a file's name.
    pub fn open(
        header: &Header,
        selected: &[usize],
        mut open: impl FnMut(&str) -> std::io::Result<R>,
    ) -> Result<Self, FileError> {
        let samples_per_frame = common_samples_per_frame(header, selected)?;
        let rate_hz = header.rate_hz * samples_per_frame as f64;

        let mut files: Vec<SignalFile<R>> = Vec::new();
        for lines in groups(header)? {
            let group = &header.channels[lines.clone()];
            let places = selected.iter().zip(0..).filter(|(index, _)| lines.contains(index));
            let taps: Vec<Tap> =
                places.map(|(index, place)| tap(group, index - lines.start, place)).collect();
            if taps.is_empty() {
                continue;
            }
            let Channel { file, line, .. } = &group[0];
            let reader = open(file).map_err(|error| {
                let doing = format!("open the signal file `{file}`");
                let error = FileError::unreadable(&header.file, &doing, error).at_line(*line);
                match error.io.as_ref().map(std::io::Error::kind) {
                    Some(ErrorKind::NotFound) => {
                        let hint = format!("put `{file}` into the folder of its header");
                        FileError { hint, ..error }
                    }
                    _ => error,
                }
            })?;
            files.push(SignalFile::new(header, group, taps, reader)?);
        }

        let unpacked = files.iter().map(|file| file.samples_per_frame).fold(UNPACKED, usize::max);
        let shortest = files.iter().min_by_key(|file| file.frames).expect("a channel is selected");
        let promised = header.frames.unwrap_or(shortest.frames);
        let frames = promised.min(shortest.frames);
        // The last samples of a skewed channel stand behind the others.
        let has_more =
            shortest.frames > promised + shortest.padding(promised) + shortest.skew_frames_max;
        let is_cut = header.frames.is_none() && shortest.loose_bytes > 0;
        let mismatch = (frames < promised || has_more || is_cut).then(|| Mismatch {
            file: shortest.file.clone(),
            promised: promised * samples_per_frame,
            whole: shortest.frames * samples_per_frame,
            loose_bytes: shortest.loose_bytes,
            rate_hz,
        });
        if frames == 0 {
            let (file, promised) = (&shortest.file, promised * samples_per_frame);
            let message = match header.frames {
                Some(_) => {
                    format!("holds no whole sample of the {promised} that the header promises")
                }
                None => "holds no whole sample".to_owned(),
            };
            return Err(FileError::new(file, message, "fetch the signal file again"));
        }
        if let Some(file) = files.iter().find(|file| file.skew_frames_max >= frames) {
            let skew = file.skew_frames_max;
            let message =
                format!("a channel of `{}` is skewed by {skew} of {frames} frames", file.file);
            return Err(FileError::new(
                &header.file,
                message,
                "correct the skew behind its format",
            ));
        }
        Ok(Self {
            files,
            rate_hz,
            samples_per_frame,
            samples: frames * samples_per_frame,
            position: 0,
            selected: selected.len(),
            unpacked: vec![0; unpacked],
            mismatch,
        })
    }

    /// Samples per second of every channel read.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Samples of every channel that there are to read.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The sample that `read` gives next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What is missing against the header, or goes beyond it.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        self.mismatch.as_ref()
    }

    /// Goes on from `sample`; behind the end means at the end.
    pub fn seek(&mut self, sample: u64) {
        self.position = sample.min(self.samples);
    }

    /// Reads up to `stride` samples of every channel and says how many; 0 only at the end.
    ///
    /// The samples of the `c`th selected channel go to `out[c * stride..]`. A sample the recorder
    /// marked invalid is NaN, and so are the last samples of a skewed channel, which the file
    /// lacks.
    ///
    /// # Panics
    ///
    /// Where `out` is shorter than `stride` samples of every selected channel.
    pub fn read(&mut self, out: &mut [f32], stride: usize) -> Result<usize, FileError> {
        assert!(out.len() >= stride * self.selected, "room for `stride` samples of every channel");
        let count = (self.samples - self.position).min(stride as u64) as usize;
        let mut done = 0;
        while done < count {
            let first_frame = self.position / self.samples_per_frame;
            let mut step = count - done;
            for file in &self.files {
                let end = (first_frame + file.frames_at_once) * self.samples_per_frame;
                step = step.min((end - self.position) as usize);
            }
            let samples = self.position..self.position + step as u64;
            for file in &mut self.files {
                file.read(samples.clone(), &mut self.unpacked, out, stride, done)?;
            }
            self.position = samples.end;
            done += step;
        }
        Ok(count)
    }
}

fn common_samples_per_frame(header: &Header, selected: &[usize]) -> Result<u64, FileError> {
    let mut channels = selected.iter().map(|&index| header.channels.get(index));
    let Some(Some(first)) = channels.next() else {
        let message = format!("no channel is selected among {}", header.channels.len());
        return Err(FileError::new(&header.file, message, "name a channel of the record"));
    };
    for channel in channels {
        let Some(channel) = channel else {
            let message = format!("there are only {} channels", header.channels.len());
            return Err(FileError::new(&header.file, message, "name a channel of the record"));
        };
        if channel.samples_per_frame != first.samples_per_frame {
            let rate = |channel: &Channel| header.rate_hz * f64::from(channel.samples_per_frame);
            let message = format!(
                "`{}` has {} samples per second, but `{}` has {}",
                channel.name,
                rate(channel),
                first.name,
                rate(first)
            );
            let hint = "select channels of one rate, and read the others with a second source";
            return Err(FileError::new(&header.file, message, hint).at_line(channel.line));
        }
    }
    Ok(u64::from(first.samples_per_frame))
}

/// The channels that share a file; they stand on neighbouring lines.
fn groups(header: &Header) -> Result<Vec<Range<usize>>, FileError> {
    let channels = &header.channels;
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (index, channel) in channels.iter().enumerate() {
        let wrong = |message: String| {
            let hint = "correct the header: the lines of one file stand together and agree";
            Err(FileError::new(&header.file, message, hint).at_line(channel.line))
        };
        let known = groups.iter_mut().find(|group| channels[group.start].file == channel.file);
        let Some(group) = known else {
            groups.push(index..index + 1);
            continue;
        };
        let first = &channels[group.start];
        if group.end != index {
            return wrong(format!("`{}` stands in two places", channel.file));
        }
        if first.encoding != channel.encoding {
            return wrong(format!("`{}` has two formats", channel.file));
        }
        if channel.offset_bytes != first.offset_bytes && channel.offset_bytes != 0 {
            return wrong(format!("`{}` has two byte offsets", channel.file));
        }
        group.end += 1;
    }
    Ok(groups)
}

/// One selected channel of a file.
#[derive(Debug)]
struct Tap {
    /// Its first sample in a frame of the file.
    offset: usize,
    samples_per_frame: usize,
    skew_frames: u64,
    scale: Scale,
    /// Its place among the selected channels.
    place: usize,
}

fn tap(group: &[Channel], index: usize, place: usize) -> Tap {
    let channel = &group[index];
    let offset: u32 = group[..index].iter().map(|channel| channel.samples_per_frame).sum();
    let invalid = match channel.encoding {
        Encoding::Int16 => i16::MIN,
        Encoding::Packed12 => -2_048,
    };
    Tap {
        offset: offset as usize,
        samples_per_frame: channel.samples_per_frame as usize,
        skew_frames: u64::from(channel.skew_frames),
        scale: Scale { gain: channel.gain, baseline: f64::from(channel.baseline), invalid },
        place,
    }
}

/// A signal file, of which a window of whole frames is in memory.
#[derive(Debug)]
struct SignalFile<R> {
    file: String,
    reader: R,
    encoding: Encoding,
    offset_bytes: u64,
    samples_per_frame: usize,
    /// Whole frames in the file.
    frames: u64,
    loose_bytes: u64,
    /// Frames of which all samples can be unpacked together.
    frames_at_once: u64,
    skew_frames_max: u64,
    taps: Vec<Tap>,
    window: Vec<u8>,
    /// Frames in the window. The first is even, so that it begins with a byte.
    held: Range<u64>,
}

impl<R: Read + Seek> SignalFile<R> {
    fn new(
        header: &Header,
        group: &[Channel],
        taps: Vec<Tap>,
        mut reader: R,
    ) -> Result<Self, FileError> {
        let first = &group[0];
        let samples_per_frame: u64 =
            group.iter().map(|channel| u64::from(channel.samples_per_frame)).sum();
        if samples_per_frame * 2 > FRAME_BYTES_MAX {
            let message = format!("`{}` has {samples_per_frame} samples per frame", first.file);
            let error = FileError::new(&header.file, message, "correct the header");
            return Err(error.at_line(first.line));
        }

        let size = reader.seek(SeekFrom::End(0)).map_err(|error| {
            FileError::unreadable(&first.file, "measure the signal file", error)
        })?;
        let bytes = size.saturating_sub(first.offset_bytes);
        let samples = match first.encoding {
            Encoding::Int16 => bytes / 2,
            // Two bytes behind the last pair hold one more sample.
            Encoding::Packed12 => bytes / 3 * 2 + u64::from(bytes % 3 == 2),
        };
        let frames = samples / samples_per_frame;
        // A single 12-bit sample at the end may be filled up to a whole pair.
        let used = match first.encoding {
            Encoding::Int16 => frames * samples_per_frame * 2,
            Encoding::Packed12 => (frames * samples_per_frame * 3).div_ceil(2),
        };
        let skew_frames_max = taps.iter().map(|tap| tap.skew_frames).max().unwrap_or(0);

        let mut file = Self {
            file: first.file.clone(),
            reader,
            encoding: first.encoding,
            offset_bytes: first.offset_bytes,
            samples_per_frame: samples_per_frame as usize,
            frames,
            loose_bytes: bytes - used,
            frames_at_once: (UNPACKED as u64 / samples_per_frame).max(1),
            skew_frames_max,
            taps,
            window: Vec::new(),
            held: 0..0,
        };
        // Room for what one turn needs, skew and the even start included.
        let needed = file.bytes_before(file.frames_at_once + skew_frames_max + 2);
        let whole = file.bytes_before(frames + 2);
        file.window = vec![0; needed.max(WINDOW_BYTES).min(whole) as usize];
        Ok(file)
    }

    /// Frames that fill up the last pair of samples.
    fn padding(&self, promised: u64) -> u64 {
        let is_odd = self.samples_per_frame == 1 && promised % 2 == 1;
        u64::from(self.encoding == Encoding::Packed12 && is_odd)
    }

    /// Bytes from the start of an even frame to the start of the one `frames` later.
    fn bytes_before(&self, frames: u64) -> u64 {
        let samples = frames * self.samples_per_frame as u64;
        match self.encoding {
            Encoding::Int16 => samples * 2,
            Encoding::Packed12 => (samples * 3).div_ceil(2),
        }
    }

    /// Decodes `samples` of every tap to `out[place * stride + at..]`.
    fn read(
        &mut self,
        samples: Range<u64>,
        unpacked: &mut [i16],
        out: &mut [f32],
        stride: usize,
        at: usize,
    ) -> Result<(), FileError> {
        let per_frame = self.taps[0].samples_per_frame as u64;
        let frames = samples.start / per_frame..samples.end.div_ceil(per_frame);
        let last = (frames.end + self.skew_frames_max).min(self.frames);
        self.hold(frames.start..last)?;

        let mut skew_unpacked = None;
        for index in 0..self.taps.len() {
            let skew = self.taps[index].skew_frames;
            let start = (frames.start + skew).min(self.frames);
            let end = (frames.end + skew).min(self.frames);
            if skew_unpacked != Some(skew) {
                self.unpack(start..end, unpacked);
                skew_unpacked = Some(skew);
            }
            let tap = &self.taps[index];
            let out = &mut out[tap.place * stride + at..][..(samples.end - samples.start) as usize];
            let whole = ((end - start) * per_frame).saturating_sub(samples.start % per_frame);
            let (out, lacking) = out.split_at_mut(out.len().min(whole as usize));
            lacking.fill(f32::NAN);

            let step = self.samples_per_frame;
            let first = (samples.start % per_frame) as usize;
            if per_frame == 1 {
                to_units(&unpacked[tap.offset.min(unpacked.len())..], step, tap.scale, out);
            } else {
                for (index, out) in (first..).zip(out) {
                    let (frame, in_frame) =
                        (index / per_frame as usize, index % per_frame as usize);
                    let sample = unpacked[frame * step + tap.offset + in_frame];
                    to_units(&[sample], 1, tap.scale, std::slice::from_mut(out));
                }
            }
        }
        Ok(())
    }

    fn unpack(&self, frames: Range<u64>, unpacked: &mut [i16]) {
        let start =
            (frames.start.saturating_sub(self.held.start)) as usize * self.samples_per_frame;
        let count = (frames.end - frames.start) as usize * self.samples_per_frame;
        match self.encoding {
            Encoding::Int16 => unpack_16(&self.window, start, &mut unpacked[..count]),
            Encoding::Packed12 => unpack_212(&self.window, start, &mut unpacked[..count]),
        }
    }

    /// Brings `frames` into the window, and as many behind them as fit.
    fn hold(&mut self, frames: Range<u64>) -> Result<(), FileError> {
        if self.held.start <= frames.start && frames.end <= self.held.end {
            return Ok(());
        }
        let start = frames.start & !1;
        let fit = match self.encoding {
            Encoding::Int16 => self.window.len() / 2,
            Encoding::Packed12 => self.window.len() / 3 * 2,
        } / self.samples_per_frame;
        let end = (start + fit as u64).max(frames.end).min(self.frames);
        let bytes = self.bytes_before(end - start) as usize;

        // Skewed and small reads would read most bytes twice if they were not kept.
        let mut kept = 0;
        if (self.held.start..self.held.end).contains(&start) {
            let from = self.bytes_before(start - self.held.start) as usize;
            let to = self.bytes_before(self.held.end - self.held.start) as usize;
            self.window.copy_within(from..to, 0);
            // A byte shared by two frames is read again with the second.
            kept = (to - from).min(self.bytes_before((self.held.end - start) & !1) as usize);
        }
        // Until the read has succeeded the window holds nothing.
        self.held = 0..0;
        let from = self.offset_bytes + self.bytes_before(start) + kept as u64;
        self.reader
            .seek(SeekFrom::Start(from))
            .and_then(|_| self.reader.read_exact(&mut self.window[kept..bytes]))
            .map_err(|error| self.unreadable(start, error))?;
        self.held = start..end;
        Ok(())
    }

    fn unreadable(&self, frame: u64, error: std::io::Error) -> FileError {
        let doing = match error.kind() {
            ErrorKind::UnexpectedEof => format!("read on from frame {frame}: the file has shrunk"),
            _ => format!("read on from frame {frame}"),
        };
        FileError::unreadable(&self.file, &doing, error)
    }
}

#[cfg(test)]
mod tests;
