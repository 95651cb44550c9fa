//! The text header (`.hea`) of a WFDB recording.
//!
//! ```text
//! # comment
//! RECORD CHANNELS [RATE[/COUNTER[(BASE)]] [SAMPLES [TIME [DATE]]]]
//! FILE FORMAT[xN][:SKEW][+OFFSET]
//!     [GAIN[(BASELINE)][/UNIT] [BITS [ZERO [FIRST [CHECKSUM [BLOCK [NAME]]]]]]]
//! ```
//!
//! Defaults are those of the WFDB Applications Guide, `header(5)`: rate 250 per second, gain 200
//! per millivolt (also where the header says 0), baseline as the ADC's zero, which itself is 0.

use crate::files::{
    counted,
    error::{FileError, excerpt},
};

/// Headers are a few hundred bytes; whatever is longer than this is something else.
const BYTES_MAX: usize = 1 << 20;
/// More channels than any amplifier has; bounds memory against hostile headers.
const CHANNELS_MAX: u64 = 1_024;
const RATE_HZ_MAX: f64 = 1e9;
/// Samples of one channel in one frame of the signal file.
const SAMPLES_PER_FRAME_MAX: u64 = 4_096;
/// Bounds the window a reader must hold to bring skewed channels together.
const SKEW_FRAMES_MAX: u64 = 65_536;
/// 2^48 samples are 89 000 years at 100 per second; below it, sizes in bytes cannot overflow.
const SAMPLES_MAX: u64 = 1 << 48;

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Name of the header's file, for messages.
    pub file: String,
    /// The record's name; usually the header's without its ending.
    pub record: String,
    /// Frames per second; a channel with N samples per frame has N times as many samples.
    pub rate_hz: f64,
    /// Rate of the recorder's own counter, if it has one.
    pub counter_hz: Option<f64>,
    /// The counter's value at the first sample.
    pub counter_base: f64,
    /// Frames in the signal files; `None` where the header leaves it open (absent or 0).
    pub frames: Option<u64>,
    /// Time of day of the first sample, in nanoseconds since midnight.
    pub start_of_day_ns: Option<i64>,
    /// Date of the first sample.
    pub start_date: Option<Date>,
    /// The channels, in the order of the header.
    pub channels: Vec<Channel>,
    /// Comment lines without their `#`.
    pub comments: Vec<String>,
}

/// A calendar date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year, with its century.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// What a header says about one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// The description; file and line where the header has none.
    pub name: String,
    /// Physical unit.
    pub unit: String,
    /// Signal file; stands in the header's folder.
    pub file: String,
    /// How its samples stand in the file.
    pub encoding: Encoding,
    /// Its samples in every frame of the file.
    pub samples_per_frame: u32,
    /// Frames by which this channel is late in the file.
    pub skew_frames: u32,
    /// Bytes in front of the first sample.
    pub offset_bytes: u64,
    /// Steps of the converter per unit; neither 0 nor infinite.
    pub gain: f64,
    /// The converter's value at 0 units.
    pub baseline: i32,
    /// Bits of the converter; 0 where unknown.
    pub resolution_bits: u32,
    /// The converter's value in the middle of its range.
    pub zero: i32,
    /// The first sample.
    pub first: Option<i32>,
    /// The sum of all samples, modulo 2^16.
    pub checksum: Option<i32>,
    /// Line in the header, counted from one.
    pub line: u64,
}

/// How samples stand in a signal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Format 16: two bytes, little-endian.
    Int16,
    /// Format 212: two samples of 12 bits in three bytes.
    Packed12,
}

impl Header {
    /// Reads a header from its bytes; `file` is its name in messages.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, FileError> {
        if bytes.len() > BYTES_MAX {
            let message =
                format!("is {} bytes long; a header has at most {BYTES_MAX}", bytes.len());
            return Err(FileError::new(file, message, "give the `.hea` file of the record"));
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);

        let mut comments = Vec::new();
        let mut lines = Vec::new();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if let Some(comment) = line.strip_prefix('#') {
                comments.push(comment.trim().to_owned());
            } else if !line.is_empty() {
                lines.push(Line { file, number, text: line });
            }
        }
        let Some((first, rest)) = lines.split_first() else {
            let message = "is empty: it has no record line".to_owned();
            return Err(FileError::new(file, message, "give the `.hea` file of the record"));
        };

        let (mut header, count) = first.record()?;
        header.comments = comments;
        if (rest.len() as u64) < count {
            let message =
                format!("promises {} but describes {}", counted(count, "channel"), rest.len());
            return Err(first.wrong(message, "add the missing lines, or correct the number"));
        }
        for line in rest.iter().take(count as usize) {
            header.channels.push(line.channel()?);
        }
        Ok(header)
    }
}

/// One line of a header and where it stands.
struct Line<'a> {
    file: &'a str,
    number: u64,
    text: &'a str,
}

impl Line<'_> {
    fn record(&self) -> Result<(Header, u64), FileError> {
        let mut fields = self.text.split_whitespace();
        let record = fields.next().unwrap_or_default();
        if let Some((name, segments)) = record.split_once('/') {
            let message = format!(
                "record `{}` is of several segments ({})",
                excerpt(name),
                excerpt(segments)
            );
            let hint = "give the header of one segment; records of several are not supported";
            return Err(FileError::new(self.file, message, hint).at_line(self.number));
        }

        let count = match fields.next() {
            Some(field) => self.whole("number of channels", field, 0, CHANNELS_MAX)?,
            None => {
                let message = format!("`{}` is no record line", excerpt(self.text));
                return Err(self.wrong(message, "write `RECORD CHANNELS RATE SAMPLES`"));
            }
        };
        if count == 0 {
            let message = "the record has no channels".to_owned();
            return Err(self.wrong(message, "give a record with signals"));
        }

        let (rate, counter) = split(fields.next().unwrap_or("250"), '/');
        let rate_hz = self.number("rate", rate)?;
        if !(rate_hz > 0.0 && rate_hz <= RATE_HZ_MAX) {
            let message = format!("the rate is {rate_hz}; it must be above 0 and at most 1e9");
            return Err(self.wrong(message, "write samples per second after the channels"));
        }
        let (counter, base) = split(counter.unwrap_or(""), '(');
        let counter_hz = match counter {
            "" => None,
            field => Some(self.number("counter rate", field)?).filter(|hz| *hz > 0.0),
        };
        let counter_base = match base {
            None => 0.0,
            Some(field) => self.number("counter base", field.trim_end_matches(')'))?,
        };

        let frames = match fields.next() {
            None => None,
            Some(field) => Some(self.whole("number of samples", field, 0, SAMPLES_MAX)?),
        };
        let start_of_day_ns = fields.next().map(|field| self.time_of_day(field)).transpose()?;
        let start_date = fields.next().map(|field| self.date(field)).transpose()?;

        let header = Header {
            file: self.file.to_owned(),
            record: record.to_owned(),
            rate_hz,
            counter_hz,
            counter_base,
            frames: frames.filter(|frames| *frames > 0),
            start_of_day_ns,
            start_date,
            channels: Vec::new(),
            comments: Vec::new(),
        };
        Ok((header, count))
    }

    fn channel(&self) -> Result<Channel, FileError> {
        let mut rest = self.text;
        let mut field = || {
            let (field, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = after.trim_start();
            Some(field).filter(|field| !field.is_empty())
        };

        let file = self.file_name(field().unwrap_or_default())?;
        let Some(format) = field() else {
            let message = format!("the line of `{}` names no format", excerpt(&file));
            return Err(self.wrong(message, "write 212 or 16 after the file's name"));
        };
        let (format, offset) = split(format, '+');
        let (format, skew) = split(format, ':');
        let (format, samples_per_frame) = split(format, 'x');
        let encoding = match format {
            "16" => Encoding::Int16,
            "212" => Encoding::Packed12,
            _ => {
                let message =
                    format!("`{file}` has format {}; supported are 212 and 16", excerpt(format));
                let hint =
                    "convert it to format 16, with `xform` of WFDB or `wfdb.wrsamp` of Python";
                return Err(FileError::new(self.file, message, hint).at_line(self.number));
            }
        };
        let samples_per_frame = match samples_per_frame {
            None => 1,
            Some(text) => self.whole("samples per frame", text, 1, SAMPLES_PER_FRAME_MAX)?,
        };
        let skew = match skew {
            None => 0,
            Some(text) => self.whole("skew", text, 0, SKEW_FRAMES_MAX)?,
        };
        let offset_bytes = match offset {
            None => 0,
            Some(text) => self.whole("byte offset", text, 0, SAMPLES_MAX)?,
        };

        let (gain, unit) = split(field().unwrap_or(""), '/');
        let (gain, baseline) = split(gain, '(');
        let gain = match gain {
            "" => 0.0,
            text => self.number("gain", text)?,
        };
        // 16 bits over a smaller one are beyond what a sample can hold.
        if gain != 0.0 && gain.abs() < 1e-33 {
            let message = format!("the gain is {gain:e}; its size must be at least 1e-33, or 0");
            return Err(self.wrong(message, "write the converter's steps per unit"));
        }
        let resolution_bits = match field() {
            None => 0,
            Some(text) => self.whole("ADC resolution", text, 0, 64)? as u32,
        };
        let zero = field().map(|text| self.step("ADC zero", text)).transpose()?.unwrap_or(0);
        let baseline = match baseline {
            None => zero,
            Some(text) => self.step("baseline", text.trim_end_matches(')'))?,
        };
        let first = field().map(|text| self.step("initial value", text)).transpose()?;
        let checksum = field().map(|text| self.step("checksum", text)).transpose()?;
        // The block size matters only to tape drives.
        field().map(|text| self.step("block size", text)).transpose()?;

        let name = match rest {
            "" => format!("{file}:{}", self.number),
            text => text.to_owned(),
        };
        Ok(Channel {
            name,
            unit: unit.filter(|unit| !unit.is_empty()).unwrap_or("mV").to_owned(),
            file,
            encoding,
            samples_per_frame: samples_per_frame as u32,
            skew_frames: skew as u32,
            offset_bytes,
            gain: if gain == 0.0 { 200.0 } else { gain },
            baseline,
            resolution_bits,
            zero,
            first,
            checksum,
            line: self.number,
        })
    }

    /// A header may come from anywhere; it must not make us open what lies outside its folder.
    fn file_name(&self, name: &str) -> Result<String, FileError> {
        let is_plain = !name.contains(['/', '\\', ':', '\0']) && !matches!(name, "." | "..");
        if is_plain && !matches!(name, "" | "-" | "~") {
            return Ok(name.to_owned());
        }
        let message = format!("`{}` is not the plain name of a signal file", excerpt(name));
        Err(self.wrong(message, "put the signal file beside its header and write its name alone"))
    }

    fn number(&self, what: &str, text: &str) -> Result<f64, FileError> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.no_number(what, text)),
        }
    }

    fn whole(&self, what: &str, text: &str, least: u64, most: u64) -> Result<u64, FileError> {
        let number: u64 = text.parse().map_err(|_| self.no_number(what, text))?;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        let message = format!("the {what} is {number}; it must be {least} to {most}");
        Err(self.wrong(message, "correct the header"))
    }

    /// A value of the converter.
    fn step(&self, what: &str, text: &str) -> Result<i32, FileError> {
        text.parse().map_err(|_| self.no_number(what, text))
    }

    fn time_of_day(&self, text: &str) -> Result<i64, FileError> {
        // `[HH:]MM:SS[.fraction]`, or seconds alone; the last part may have a fraction.
        let mut parts = text.trim_matches(['[', ']']).rsplit(':');
        let seconds: Option<f64> = parts.next().and_then(|part| part.parse().ok());
        let mut whole = || parts.next().map_or(Some(0), |part| part.parse::<u8>().ok());
        let (minutes, hours) = (whole(), whole());
        match (hours, minutes, seconds) {
            (Some(h @ 0..24), Some(m @ 0..60), Some(s)) if (0.0..60.0).contains(&s) => {
                let before = (i64::from(h) * 60 + i64::from(m)) * 60_000_000_000;
                Ok(before + (s * 1e9).round() as i64)
            }
            _ => {
                let message = format!("`{}` is no time of day", excerpt(text));
                Err(self.wrong(message, "write HH:MM:SS"))
            }
        }
    }

    fn date(&self, text: &str) -> Result<Date, FileError> {
        let mut parts = text.trim_matches(['[', ']']).split('/').map(|part| part.parse().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(day @ 1..=31), Some(month @ 1..=12), Some(year)) => {
                Ok(Date { year, month: month as u8, day: day as u8 })
            }
            _ => {
                let message = format!("`{}` is no date", excerpt(text));
                Err(self.wrong(message, "write DD/MM/YYYY"))
            }
        }
    }

    fn no_number(&self, what: &str, text: &str) -> FileError {
        let message = format!("`{}` is no {what}", excerpt(text));
        self.wrong(message, "correct the header; `man 5 header` of WFDB describes its fields")
    }

    fn wrong(&self, message: String, hint: &str) -> FileError {
        FileError::new(self.file, message, hint).at_line(self.number)
    }
}

/// What stands before a mark, and what stands after it if there is one.
fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    fn parse(text: &str) -> Result<Header, FileError> {
        Header::parse(text.as_bytes(), "t.hea")
    }

    fn refusal(text: &str) -> String {
        parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn every_field_is_read() {
        let header = parse(
            "# made by hand\r\nr 2 360.5/100(-5) 650000 12:30:01.5 01/02/1990\r\n\
             a.dat 212x2:3+24 200.5(-7)/uV 12 5 995 -22131 0 chest lead V5\r\n\
             b.dat 16\r\n# 69 M\r\n",
        )
        .expect("valid");

        assert_eq!((header.rate_hz, header.frames), (360.5, Some(650_000)));
        assert_eq!((header.counter_hz, header.counter_base), (Some(100.0), -5.0));
        assert_eq!(header.start_of_day_ns, Some(45_001_500_000_000));
        assert_eq!(header.start_date, Some(Date { year: 1990, month: 2, day: 1 }));
        assert_eq!(header.comments, ["made by hand", "69 M"]);
        let a = &header.channels[0];
        assert_eq!((a.encoding, a.samples_per_frame), (Encoding::Packed12, 2));
        assert_eq!((a.skew_frames, a.offset_bytes), (3, 24));
        assert_eq!((a.gain, a.baseline, a.unit.as_str()), (200.5, -7, "uV"));
        assert_eq!((a.zero, a.first, a.checksum), (5, Some(995), Some(-22_131)));
        assert_eq!((a.name.as_str(), a.line), ("chest lead V5", 3));
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_standard() {
        let header = parse("r 2\na.dat 16\nb.dat 212 0 11 1024\n").expect("valid");

        assert_eq!((header.rate_hz, header.frames), (250.0, None));
        let [a, b] = &header.channels[..] else { panic!("two channels") };
        assert_eq!((a.gain, a.baseline, a.unit.as_str()), (200.0, 0, "mV"));
        assert_eq!((b.gain, b.baseline), (200.0, 1_024));
        assert_ne!(a.name, b.name);
    }

    #[test]
    fn a_wrong_format_is_named_with_those_that_would_do() {
        assert_eq!(
            refusal("r 1 250\n\nr.dat 310 200\n"),
            "t.hea:3: `r.dat` has format 310; supported are 212 and 16\n  \
             hint: convert it to format 16, with `xform` of WFDB or `wfdb.wrsamp` of Python"
        );
    }

    #[test]
    fn hostile_headers_are_refused_in_words() {
        for (text, part) in [
            ("", "no record line"),
            ("r", "no record line"),
            ("r 1 0\nr.dat 16", "the rate is 0"),
            ("r 1 -360\nr.dat 16", "the rate is -360"),
            ("r 1 nan\nr.dat 16", "`nan` is no rate"),
            ("r 1 inf\nr.dat 16", "`inf` is no rate"),
            ("r 1000000000 360", "the number of channels is 1000000000; it must be 0 to 1024"),
            ("r 99999999999999999999 360", "is no number of channels"),
            ("r -1 360", "`-1` is no number of channels"),
            ("r 0 360", "no channels"),
            ("r 3 360\nr.dat 16", "promises 3 channels but describes 1"),
            ("r/5 2 360", "is of several segments (5)"),
            ("r 1 360\n../../etc/passwd 16", "not the plain name"),
            ("r 1 360\nC:\\x.dat 16", "not the plain name"),
            ("r 1 360\n- 16", "not the plain name"),
            ("r 1 360 99999999999999999\nr.dat 16", "the number of samples is"),
            ("r 1 360\nr.dat 16x0", "samples per frame is 0"),
            ("r 1 360\nr.dat 16:99999999", "the skew is 99999999"),
            ("r 1 360\nr.dat 16 nan", "`nan` is no gain"),
            ("r 1 360\nr.dat 16 1e-300", "the gain is 1e-300"),
            ("r 1 360\nr.dat", "names no format"),
            ("r 1 360 10 25:00:00\nr.dat 16", "no time of day"),
            ("r 1 360 10 12:00:00 45/01/2000\nr.dat 16", "no date"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(part), "{text:?} gave {refusal:?}");
            assert!(refusal.contains("\n  hint: "), "{refusal:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let seed = 1;
        let mut random = Random::new(seed);
        let pieces =
            ["r", " ", "2", "\n", ".dat", "212", "x", ":", "+", "(", ")", "/", "-", "1e9", "é"];
        for _ in 0..5_000 {
            let length = random.below(40);
            let text: String =
                (0..length).map(|_| pieces[random.below(pieces.len() as u64) as usize]).collect();
            let _ = Header::parse(text.as_bytes(), "t.hea");
            let noise: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
            let _ = Header::parse(&noise, "t.hea");
        }
    }
}
