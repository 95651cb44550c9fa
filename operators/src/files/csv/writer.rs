//! Samples written as a table.

use std::io::Write;

use super::moment::put_seconds;
use crate::files::Short;

/// Writes rows `t_s,<channels>`. A NaN is an empty cell; other numbers have the fewest digits that
/// read back as the same f32, below 1e-5 and from 1e16 on with an exponent.
///
/// Holds the text of one block in memory, and allocates nothing once the largest has been written.
#[derive(Debug)]
pub struct CsvWriter<W> {
    writer: W,
    channels: usize,
    /// The block that is written, or before the first one the header row.
    text: Vec<u8>,
    is_begun: bool,
}

impl<W: Write> CsvWriter<W> {
    /// A table of these channels. Its header row is written with the first rows, or when it is flushed.
    pub fn new<'a>(writer: W, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut csv = Self { writer, channels: 0, text: b"t_s".to_vec(), is_begun: false };
        for name in names {
            csv.text.push(b',');
            put_name(name, &mut csv.text);
            csv.channels += 1;
        }
        csv.text.push(b'\n');
        csv
    }

    /// Writes the header row, unless it is written.
    pub fn begin(&mut self) -> std::io::Result<()> {
        if !self.is_begun {
            self.writer.write_all(&self.text)?;
            self.is_begun = true;
        }
        Ok(())
    }

    /// Writes `rows` rows; the samples of the `c`th channel stand at `samples[c * stride..]`, and
    /// `time_ns` tells the time of each.
    ///
    /// # Panics
    ///
    /// Where `samples` is shorter than `rows` samples of every channel.
    pub fn write(
        &mut self,
        samples: &[f32],
        stride: usize,
        rows: usize,
        time_ns: impl Fn(usize) -> i64,
    ) -> std::io::Result<()> {
        self.begin()?;
        self.text.clear();
        for row in 0..rows {
            put_seconds(time_ns(row), &mut self.text);
            for channel in 0..self.channels {
                self.text.push(b',');
                let sample = samples[channel * stride + row];
                if !sample.is_nan() {
                    write!(self.text, "{}", Short(sample))?;
                }
            }
            self.text.push(b'\n');
        }
        self.writer.write_all(&self.text)
    }

    /// The writer below.
    pub fn get_ref(&self) -> &W {
        &self.writer
    }

    /// The writer below, to take away what it holds.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Hands on what the writer below still holds.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.begin()?;
        self.writer.flush()
    }
}

/// A name, in quotes where it would else be read as something else.
fn put_name(name: &str, out: &mut Vec<u8>) {
    if name.contains([',', ';', '\t', '"', '\n', '\r']) {
        out.push(b'"');
        let clean = |byte| if matches!(byte, b'"' | b'\n' | b'\r') { b'\'' } else { byte };
        out.extend(name.bytes().map(clean));
        out.push(b'"');
    } else {
        out.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::csv::{CsvOptions, CsvReader};
    use crate::math::random::Random;

    #[test]
    fn rows_are_short_and_exact() {
        let mut out = Vec::new();
        let mut csv = CsvWriter::new(&mut out, ["ecg", "a,\"b\""]);
        let samples = [0.1, f32::NAN, -1.5e-7, 1.0, 2.0, 16_777_216.0];
        csv.write(&samples, 3, 3, |row| row as i64 * 500_000_000 - 500_000_000).expect("rows");
        csv.flush().expect("flushed");

        assert_eq!(
            String::from_utf8(out).expect("text"),
            "t_s,ecg,\"a,'b'\"\n-0.5,0.1,1\n0,,2\n0.5,-1.5e-7,16777216\n"
        );
    }

    #[test]
    fn what_was_written_is_read_back_bit_for_bit() {
        let mut random = Random::new(8);
        let rows = 5_000;
        let any = |_| f32::from_bits(random.next_u64() as u32);
        let samples: Vec<f32> = (0..2 * rows).map(any).collect();
        let time_ns = |row: usize| (row as f64 * 1e9 / 360.0).round() as i64;
        let mut text = Vec::new();
        let mut csv = CsvWriter::new(&mut text, ["a", "b"]);
        csv.write(&samples, rows, rows, time_ns).expect("rows");

        let mut reader =
            CsvReader::open(&text[..], "t.csv", &CsvOptions::default()).expect("opens");
        let (mut out, mut times) = (vec![0.0; 2 * rows], vec![0; rows]);
        let block = reader.read(&mut out, rows, &mut times).expect("reads");

        assert_eq!((block.rows, block.gap, reader.rate_hz()), (rows, None, 360.0));
        assert!(times.iter().enumerate().all(|(row, &time)| time == time_ns(row)));
        for (got, want) in out.iter().zip(&samples) {
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan());
        }
    }
}
