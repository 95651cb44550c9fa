//! WAV files: chunks are found here, samples read by `hound`.
//!
//! Recorders that were cut off, and programs that wrote into a pipe, leave lengths in the header that are
//! not true. So `hound` is shown a header made of what the file's own says and of the length that is
//! there:
//!
//! ```text
//! file:   RIFF ? WAVE | … | fmt  | … | data ? | samples … | …
//! shown:  RIFF n WAVE |     fmt  |     data n | samples
//! ```
//!
//! Files beyond 4 GiB are shown in parts. Encodings that `hound` lacks (A-law, ADPCM, 64-bit
//! floats, twelve bits) are left to `symphonia`.

use std::io::{BufReader, Chain, Cursor, ErrorKind, Read, Seek, SeekFrom, Take};

use engine::ReadSeek;
use hound::{SampleFormat, WavReader};

use super::{
    encoding::refused,
    reader::{Decoder, Facts, Step, within_limits},
};
use crate::files::error::FileError;

/// Samples of each channel read at a time.
const PIECE: usize = 1_024;
/// Bytes of samples shown to `hound` at once; its counts have 32 bits.
const PART_BYTES: u64 = 1 << 30;
/// Chunks looked at in search of the samples; bounds the search in a file that is none.
const CHUNKS_MAX: usize = 10_000;
/// A length that was not known when the header was written.
const OPEN_ENDED: [u64; 2] = [0, 0xffff_ffff];

type Part = WavReader<BufReader<Chain<Cursor<Vec<u8>>, Take<Box<dyn ReadSeek>>>>>;

/// Samples of a WAV file.
pub(super) struct Wav {
    /// Nothing only between two parts.
    part: Option<Part>,
    layout: Layout,
    /// Bytes of samples in this part that were not read yet, and behind it.
    left: u64,
    behind: u64,
    file: String,
}

/// Where the samples lie and what they are.
struct Layout {
    /// The `fmt ` chunk as shown.
    fmt: Vec<u8>,
    rate_hz: u32,
    channels: usize,
    /// Bytes of a sample of all channels.
    block: u64,
    /// Where the samples begin.
    start: u64,
    /// Bytes of samples: those that are there, and those that the header promises.
    there: u64,
    promised: Option<u64>,
}

impl Wav {
    /// Opens a file; nothing if `hound` does not know its samples.
    pub(super) fn open(mut file: Box<dyn ReadSeek>, path: &str) -> Result<Option<Self>, FileError> {
        let Some(layout) = Layout::find(file.as_mut(), path)? else { return Ok(None) };
        within_limits(path, layout.rate_hz, layout.channels)?;
        let first = layout.there.min(PART_BYTES / layout.block * layout.block);
        file.seek(SeekFrom::Start(layout.start))
            .map_err(|error| FileError::unreadable(path, "read it", error))?;
        let Ok(part) = show(&layout.fmt, file, first) else { return Ok(None) };
        let spec = part.spec();
        let is_known = match spec.sample_format {
            SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
            SampleFormat::Float => spec.bits_per_sample == 32,
        };
        let is_whole =
            u64::from(spec.channels) * u64::from(spec.bits_per_sample) / 8 == layout.block;
        if !is_known || !is_whole {
            return Ok(None);
        }
        let (left, behind) = (first, layout.there - first);
        Ok(Some(Self { part: Some(part), layout, left, behind, file: path.to_owned() }))
    }

    /// Shows `hound` the next part.
    fn next_part(&mut self) -> Result<(), FileError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        // Nothing lies in the buffer, as the part was read to its end.
        let (_, samples) = part.into_inner().into_inner().into_inner();
        let part_bytes = PART_BYTES / self.layout.block * self.layout.block;
        self.left = self.behind.min(part_bytes);
        self.behind -= self.left;
        let part = show(&self.layout.fmt, samples.into_inner(), self.left);
        self.part = Some(part.map_err(|error| unreadable(&self.file, error))?);
        Ok(())
    }
}

impl Decoder for Wav {
    fn facts(&self) -> Facts {
        let Layout { rate_hz, channels, there, block, .. } = self.layout;
        Facts { rate_hz, channels, samples: Some(there / block) }
    }

    fn step(&mut self, planes: &mut [Vec<f32>]) -> Result<Step, FileError> {
        if self.left == 0 && self.behind > 0 {
            self.next_part()?;
        }
        let count = ((self.left / self.layout.block) as usize).min(PIECE);
        let Some(part) = self.part.as_mut().filter(|_| count > 0) else { return Ok(Step::End) };
        self.left -= count as u64 * self.layout.block;
        let spec = part.spec();
        let read = match spec.sample_format {
            SampleFormat::Float => fill(part.samples::<f32>(), planes, count, |sample| sample),
            SampleFormat::Int => {
                // Exact: a power of two, and f32 rounds what has more than 24 bits.
                let unit = (f64::from(spec.bits_per_sample) - 1.0).exp2().recip();
                fill(part.samples::<i32>(), planes, count, |n| (f64::from(n) * unit) as f32)
            }
        };
        read.map_err(|error| unreadable(&self.file, error))?;
        Ok(Step::Decoded)
    }

    fn trouble(&self, _: u64) -> Option<String> {
        let Layout { there, promised, block, rate_hz, .. } = self.layout;
        let seconds = |bytes: u64| (bytes / block) as f64 / f64::from(rate_hz);
        let missing = promised?.checked_sub(there).filter(|&missing| missing > 0)?;
        let (whole_s, missing_s) = (seconds(there + missing), seconds(missing));
        Some(match missing <= block {
            true => "cut off in its last sample".to_owned(),
            false => format!("cut off: of {whole_s:.3} s the last {missing_s:.3} s are missing"),
        })
    }
}

/// Puts `count` samples of every channel behind what the planes hold.
fn fill<S>(
    mut samples: impl Iterator<Item = hound::Result<S>>,
    planes: &mut [Vec<f32>],
    count: usize,
    of: impl Fn(S) -> f32,
) -> hound::Result<()> {
    for _ in 0..count {
        for plane in planes.iter_mut() {
            let sample = samples.next().ok_or(hound::Error::UnfinishedSample)?;
            plane.push(of(sample?));
        }
    }
    Ok(())
}

/// What `hound` says of `bytes` bytes of samples behind this `fmt ` chunk.
fn show(fmt: &[u8], samples: Box<dyn ReadSeek>, bytes: u64) -> hound::Result<Part> {
    let bytes_shown = u32::try_from(bytes).expect("parts are short");
    let mut header = Vec::with_capacity(28 + fmt.len());
    let chunks = [(b"fmt ", fmt.len() as u32), (b"data", bytes_shown)];
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&(bytes_shown + 20 + fmt.len() as u32).to_le_bytes());
    header.extend_from_slice(b"WAVE");
    for (name, len) in chunks {
        header.extend_from_slice(name);
        header.extend_from_slice(&len.to_le_bytes());
        if name == b"fmt " {
            header.extend_from_slice(fmt);
        }
    }
    WavReader::new(BufReader::new(Cursor::new(header).chain(samples.take(bytes))))
}

fn unreadable(file: &str, error: hound::Error) -> FileError {
    match error {
        hound::Error::IoError(error) => FileError::unreadable(file, "read it on", error),
        error => {
            FileError::new(file, format!("cannot be read on: {error}"), "fetch the file again")
        }
    }
}

impl Layout {
    /// Walks over the chunks to the samples; nothing if the format chunk is not one `hound` is shown.
    fn find(file: &mut dyn ReadSeek, path: &str) -> Result<Option<Self>, FileError> {
        let failed = |error| FileError::unreadable(path, "read it", error);
        let end = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let (mut at, mut fmt, mut long) = (12, None, None);
        for _ in 0..CHUNKS_MAX {
            file.seek(SeekFrom::Start(at)).map_err(failed)?;
            let mut head = [0; 8];
            match file.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(failed(error)),
            }
            let len = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            let start = at + 8;
            match &head[..4] {
                b"data" => {
                    let Some(fmt) = fmt else {
                        return Err(refused(
                            path,
                            "is a WAV file without a `fmt ` chunk before its samples",
                        ));
                    };
                    let len = long.unwrap_or(len);
                    // Programs that write into a pipe leave a length of zero, too. It is true where nothing or other
                    // chunks follow.
                    let is_empty = len == 0 && chunks_to(file, start, end).map_err(failed)?;
                    let room = if is_empty { 0 } else { end.saturating_sub(start) };
                    return Ok(Self::of(fmt, start, room, len));
                }
                b"fmt " => fmt = Some(chunk(file, len.min(64)).map_err(failed)?),
                b"ds64" => long = ds64(&chunk(file, len.min(64)).map_err(failed)?),
                _ => {}
            }
            // Chunks begin at even places.
            at = start + len + (len & 1);
            if at >= end {
                break;
            }
        }
        let what = match fmt {
            None => "is a WAV file that ends before it tells what its samples are",
            Some(_) => "is a WAV file that ends before its samples",
        };
        Err(refused(path, what))
    }

    /// Nothing for formats that `hound` does not read.
    /// `room` bytes follow that may be samples.
    fn of(mut fmt: Vec<u8>, start: u64, room: u64, len: u64) -> Option<Self> {
        const PCM: u16 = 1;
        const FLOAT: u16 = 3;
        const EXTENSIBLE: u16 = 0xfffe;
        let short =
            |fmt: &[u8], at: usize| Some(u16::from_le_bytes(fmt.get(at..at + 2)?.try_into().ok()?));
        let tag = short(&fmt, 0)?;
        let (channels, bits) = (short(&fmt, 2)?, short(&fmt, 14)?);
        let rate_hz = u32::from_le_bytes(fmt.get(4..8)?.try_into().ok()?);
        let block = u64::from(channels) * u64::from(bits) / 8;
        match tag {
            PCM | FLOAT => fmt.truncate(16),
            EXTENSIBLE if fmt.len() >= 40 => {
                fmt.truncate(40);
                fmt[16..18].copy_from_slice(&22u16.to_le_bytes());
                // Of 24 bits in four bytes the lowest byte is empty: the four are the sample.
                let bits = fmt[14..16].to_vec();
                fmt[18..20].copy_from_slice(&bits);
            }
            _ => return None,
        }
        if block == 0 || block != u64::from(short(&fmt, 12)?) {
            return None;
        }
        // `hound` wants what others leave wrong.
        let bytes_per_second = u32::try_from(block).ok()?.checked_mul(rate_hz)?;
        fmt[8..12].copy_from_slice(&bytes_per_second.to_le_bytes());
        let promised = (!OPEN_ENDED.contains(&len)).then_some(len);
        let there = promised.map_or(room, |len| len.min(room)) / block * block;
        Some(Self { fmt, rate_hz, channels: channels.into(), block, start, there, promised })
    }
}

/// Whether chunks, or nothing, lie between two places.
fn chunks_to(file: &mut dyn ReadSeek, mut at: u64, end: u64) -> std::io::Result<bool> {
    for _ in 0..CHUNKS_MAX {
        if at >= end {
            // The last one may lack the byte that makes it even.
            return Ok(at <= end + 1);
        }
        if end - at < 8 {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        if !head[..4].iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Ok(false);
        }
        let len = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        at += 8 + len + (len & 1);
    }
    Ok(false)
}

fn chunk(file: &mut dyn ReadSeek, len: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Length of the samples as RF64 tells it.
fn ds64(chunk: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(chunk.get(8..16)?.try_into().ok()?))
}
