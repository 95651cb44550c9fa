//! [`SoundWriter`]: samples as a WAV file, by `hound`.

use std::io::{self, Seek, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

/// How samples are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Integers of so many bits, 16 or 24: full scale is 2^(bits − 1).
    Bits(u16),
    /// As they are.
    Floats,
}

/// Bytes of samples a WAV file has room for; its lengths have 32 bits and count the header too.
const BYTES_MAX: u64 = u32::MAX as u64 - 1_024;

/// A WAV file being written. Its header is right after every [`SoundWriter::flush`], and when it is dropped.
pub struct SoundWriter<W: Write + Seek> {
    /// Until something is written.
    file: Option<W>,
    writer: Option<WavWriter<W>>,
    spec: WavSpec,
    steps: Steps,
    channels: usize,
    bytes: u64,
    clipped: u64,
    no_numbers: u64,
}

impl<W: Write + Seek> SoundWriter<W> {
    /// A file whose header is written with the first samples, or when it is flushed.
    ///
    /// # Panics
    /// If there are no channels, or more than 65 535.
    pub fn new(file: W, rate_hz: u32, channels: usize, steps: Steps) -> Self {
        let (bits_per_sample, sample_format) = match steps {
            Steps::Bits(bits) => (bits, SampleFormat::Int),
            Steps::Floats => (32, SampleFormat::Float),
        };
        let count = u16::try_from(channels).expect("the caller looked at the format");
        let spec =
            WavSpec { channels: count, sample_rate: rate_hz, bits_per_sample, sample_format };
        let (file, writer) = (Some(file), None);
        Self { file, writer, spec, steps, channels, bytes: 0, clipped: 0, no_numbers: 0 }
    }

    /// Writes `len` samples of each channel, plane after plane. Those beyond full scale are clipped, those
    /// that are no finite number are silent; both are counted.
    ///
    /// # Errors
    /// As the file says; `FileTooLarge` beyond 4 GiB.
    pub fn write(&mut self, planes: &[f32], len: usize) -> io::Result<()> {
        self.grow(len)?;
        self.begin()?;
        for n in 0..len {
            for channel in 0..self.channels {
                self.put(planes[channel * len + n])?;
            }
        }
        Ok(())
    }

    /// Writes `len` samples of silence on each channel.
    ///
    /// # Errors
    /// As [`SoundWriter::write`].
    pub fn silence(&mut self, len: usize) -> io::Result<()> {
        self.grow(len)?;
        self.begin()?;
        (0..len * self.channels).try_for_each(|_| self.put(0.0))
    }

    fn begin(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            self.writer = Some(WavWriter::new(file, self.spec).map_err(as_io)?);
        }
        Ok(())
    }

    /// It was begun, unless that has failed.
    fn begun(&mut self) -> io::Result<&mut WavWriter<W>> {
        self.writer.as_mut().ok_or_else(|| io::Error::other("its beginning could not be written"))
    }

    /// Writes out what is buffered, and a header that is right about it.
    ///
    /// # Errors
    /// As the file says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        self.begun()?.flush().map_err(as_io)
    }

    /// Samples that were beyond full scale.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Samples that were no finite number.
    pub fn no_numbers(&self) -> u64 {
        self.no_numbers
    }

    fn grow(&mut self, len: usize) -> io::Result<()> {
        let each = match self.steps {
            Steps::Bits(bits) => u64::from(bits) / 8,
            Steps::Floats => 4,
        };
        let bytes = self.bytes + (len * self.channels) as u64 * each;
        if bytes > BYTES_MAX {
            let message = "a WAV file has room for 4 GiB: record in parts, or fewer bits";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.bytes = bytes;
        Ok(())
    }

    fn put(&mut self, sample: f32) -> io::Result<()> {
        let sample = if sample.is_finite() {
            sample
        } else {
            self.no_numbers += 1;
            0.0
        };
        match self.steps {
            Steps::Floats => self.begun()?.write_sample(sample),
            Steps::Bits(bits) => {
                self.clipped += u64::from(sample.abs() > 1.0);
                let full = (f32::from(bits) - 1.0).exp2();
                // Exact but for the rounding: a power of two. The last step below full scale is the
                // highest there is.
                let step = (sample * full).round_ties_even().clamp(-full, full - 1.0);
                self.begun()?.write_sample(step as i32)
            }
        }
        .map_err(as_io)
    }
}

fn as_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        error => io::Error::other(error.to_string()),
    }
}
