//! `audio` with a `from`: a signal as a WAV file.
//!
//! | port | carries     |
//! |------|-------------|
//! | `in` | one signal  |
//!
//! Full scale is 1.0. What is missing in between is silent, so that the rest stands where it belongs. The
//! file can be read at any time: its header is put right every second. Without a `from` the same word reads
//! sound files: [`source::audio`](crate::source::audio).

use std::path::Path;

use engine::{
    Body, Code, Diagnostic, Fault, Frame, Grid, Kind, Node, Outline, Param, Placement, Port, Sink,
    Timestamp, Used, WriteSeek,
};

use super::place::of_session;
use crate::files::{
    counted,
    sound::{CHANNELS_MAX, SoundWriter, Steps},
};

/// What stands in for [`source::audio::KIND`](crate::source::audio::KIND) where a node has a `from`.
pub static KIND: Kind = Kind {
    name: "audio",
    summary: "Write a signal as a WAV file.",
    doc: "Samples of full scale 1.0 as integers of 16 or 24 bits, rounded to the nearest step without \
          dither, so that what was read from such a file is written as it was; or as floats. What is \
          beyond full scale is clipped and counted; NaN and what is infinite is silent and counted; \
          the end says how many. A stretch that is missing is silent, up to an hour; the file begins \
          with the first sample. Its header is put right every second. Sessions beyond the first write to out.session1.wav, \
          out.session2.wav, … where `file` is out.wav. A WAV file holds 4 GiB. Runs on the I/O runtime. Cost: about 10 ns a sample.",
    example: "file = \"out.wav\"",
    inputs: &[Port::signal("in")],
    params: &[&FILE, &ENCODING],
    placement: Placement::Waits,
    plan: |node| {
        rate_hz(node)?;
        let channels = node.signal("in").channels.len();
        if channels > CHANNELS_MAX {
            let message = format!("a sound file of {channels} channels; at most {CHANNELS_MAX}");
            let problem = node.problem(Code::OutOfRange, FILE.name(), message);
            return Err(problem.hint("pick some: `from = \"x[0, 1]\"`").into());
        }
        let path = of_session(node, node.path(&FILE)?);
        let misnamed = misnamed(node, &path);
        Ok(Outline::default().using(FILE.name(), Used::Written(path)).warning(misnamed))
    },
    build: |node| {
        let signal = node.signal("in");
        let path = of_session(node, node.path(&FILE)?);
        let file = node.create_seekable(FILE.name(), &path)?;
        let steps = match node.get(&ENCODING)? {
            "pcm24" => Steps::Bits(24),
            "float" => Steps::Floats,
            _ => Steps::Bits(16),
        };
        let rate_hz = rate_hz(node)?;
        let writer = SoundWriter::new(file, rate_hz, signal.channels.len(), steps);
        Ok(Body::sink(Wav {
            writer,
            grid: Grid::new(signal.rate),
            rate_hz,
            end: None,
            unflushed: 0,
            silent: 0,
            path,
        }))
    },
    ..Kind::BASE
};

const FILE: Param<&str> = Param::required("file", "Where to write, such as \"out.wav\".");
const ENCODING: Param<&str> = Param::with_default(
    "encoding",
    "pcm16",
    "Integers of 16 or 24 bits, or floats, which nothing clips.",
)
.one_of(&["pcm16", "pcm24", "float"]);

/// Endings by which programs expect another encoding than what is written.
const OTHERS: [&str; 9] = ["mp3", "flac", "ogg", "oga", "opus", "m4a", "aac", "mp4", "webm"];

/// That a name promises what the file is not.
fn misnamed(node: &Node<'_>, path: &str) -> Option<Diagnostic> {
    let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    if !OTHERS.contains(&&*ending) {
        return None;
    }
    let message = format!("`{path}` will hold WAV, and its name says {}", ending.to_uppercase());
    let warning = Diagnostic::warning(Code::BadFile, message).at(node.place(FILE.name()));
    let wav = Path::new(path).with_extension("wav");
    let hint = format!("call it `{}`, and encode it with a program of its own", wav.display());
    Some(warning.of_node(node.name()).hint(hint))
}

/// The most seconds in a row that are made silent: longer than that, nobody wants to hear it.
const SILENT_S_MAX: u64 = 3_600;

/// A WAV file has whole samples per second.
fn rate_hz(node: &Node<'_>) -> Result<u32, Diagnostic> {
    let rate_hz = node.rate_hz("in");
    if rate_hz.fract() == 0.0 && (1.0..=f64::from(u32::MAX / 512)).contains(&rate_hz) {
        return Ok(rate_hz as u32);
    }
    let message = format!("a WAV file cannot have {rate_hz:?} samples per second");
    let problem = node.problem(Code::OutOfRange, FILE.name(), message);
    Err(problem.hint("put a `resample` before it, to a whole number from 1 to 8 million"))
}

fn unwritable(error: std::io::Error) -> Fault {
    Fault::io("cannot write", error)
}

struct Wav {
    writer: SoundWriter<Box<dyn WriteSeek>>,
    grid: Grid,
    rate_hz: u32,
    /// Behind the last sample that was written.
    end: Option<Timestamp>,
    /// Samples since the header was right.
    unflushed: usize,
    /// Samples that were missing.
    silent: u64,
    path: String,
}

impl Wav {
    /// Makes silent what is missing before a moment.
    fn fill_until(&mut self, time: Timestamp) -> Result<(), Fault> {
        let Some(end) = self.end else { return Ok(()) };
        let missing = time.since(end) as f64 * 1e-9 * f64::from(self.rate_hz);
        // Less than half a sample is how times tremble; negative where stamps run backward.
        let missing = (missing.round().max(0.0) as u64).min(SILENT_S_MAX * u64::from(self.rate_hz));
        self.silent += missing;
        self.unflushed += missing as usize;
        self.writer.silence(missing as usize).map_err(unwritable)
    }
}

impl Sink for Wav {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let (time, len) = (frame.header.time, frame.len());
        self.fill_until(time)?;
        self.grid.enter(time, len);
        self.end = Some(self.grid.end());
        self.unflushed += len;
        self.writer.write(frame.samples(), len).map_err(unwritable)
    }

    fn idle(&mut self) -> Result<(), Fault> {
        if self.unflushed < self.rate_hz as usize {
            return Ok(());
        }
        self.unflushed = 0;
        self.writer.flush().map_err(unwritable)
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.writer.flush().map_err(unwritable)
    }

    fn remark(&self) -> Option<String> {
        let mut remarks = Vec::new();
        let (clipped, no_numbers) = (self.writer.clipped(), self.writer.no_numbers());
        if clipped > 0 {
            remarks.push(format!("{} beyond full scale and clipped", counted(clipped, "sample")));
        }
        if no_numbers > 0 {
            let samples = counted(no_numbers, "sample");
            remarks.push(format!("{samples} without a finite number and silent"));
        }
        if self.silent > 0 {
            let s = self.silent as f64 / f64::from(self.rate_hz);
            remarks.push(format!("{s:.3} s missing and silent"));
        }
        (!remarks.is_empty()).then(|| format!("{}: {}", self.path, remarks.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::{
        Format, Rate, Services, Unit,
        testing::{Bench, MemoryFiles},
    };

    use super::*;
    use crate::files::sound::testing::wav;

    fn bench(files: &MemoryFiles, channels: usize, params: &str) -> Bench {
        let rate = Rate::new(1_000.0).expect("valid");
        let input = [("in", Format::signal(channels, Unit::UNKNOWN, rate, 1_000))];
        Bench::in_world(&KIND, &input, params, Arc::new(files.clone()), Services::default())
            .unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// What a file holds, channel after channel.
    fn read(files: &MemoryFiles) -> Vec<Vec<f32>> {
        let params = "file = \"x.wav\"\nframe_ms = 100000.0";
        let kind = &crate::source::audio::KIND;
        let files = Arc::new(files.clone());
        let mut read = Bench::in_world(kind, &[], params, files, Services::default())
            .unwrap_or_else(|problem| panic!("{problem}"));
        assert!(read.pull(usize::MAX - 1));
        let seen = read.take();
        (0..seen[0].format.as_signal().expect("a signal").channels.len())
            .map(|channel| seen[0].frame.channel(channel).to_vec())
            .collect()
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        // Every step of 16 bits, and of 24 each 256th.
        let steps: Vec<f64> = (-32_768..32_768).map(|n| f64::from(n) / 32_768.0).collect();
        let floats: Vec<f32> = steps.iter().map(|&step| step as f32).collect();
        for (encoding, bits, is_float) in
            [("pcm16", 16, false), ("pcm24", 24, false), ("float", 32, true)]
        {
            let files = MemoryFiles::new();
            let params = format!("file = \"x.wav\"\nencoding = {encoding:?}");
            let mut sink = bench(&files, 2, &params);
            let (left, right) = floats.split_at(32_768);
            for (left, right) in left.chunks(1_000).zip(right.chunks(1_000)) {
                sink.push_samples(0, &[left, right].concat());
            }
            sink.flush();

            let (left, right) = steps.split_at(32_768);
            let interleaved: Vec<f64> =
                left.iter().zip(right).flat_map(|(&left, &right)| [left, right]).collect();
            let wanted = wav(1_000, 2, bits, is_float, &interleaved);
            assert!(files.content("x.wav").expect("written") == wanted, "{encoding}");
            assert_eq!(sink.remark(), None);
        }
    }

    #[test]
    fn what_is_too_loud_is_clipped_and_counted() {
        let files = MemoryFiles::new();
        let mut sink = bench(&files, 1, "file = \"x.wav\"");
        sink.push_samples(0, &[1.0, -1.0, 1.5, -7.0, f32::NAN, f32::INFINITY, 0.5]);
        sink.flush();

        let last = 32_767.0 / 32_768.0;
        assert_eq!(read(&files)[0], [last, -1.0, last, -1.0, 0.0, 0.0, 0.5]);
        let told = "x.wav: 2 samples beyond full scale and clipped; 2 samples without a finite number and silent";
        assert_eq!(sink.remark().as_deref(), Some(told));

        let mut sink = bench(&files, 1, "file = \"x.wav\"\nencoding = \"float\"");
        sink.push_samples(0, &[1.5, -7.0]);
        sink.flush();
        assert_eq!((read(&files)[0].as_slice(), sink.remark()), (&[1.5, -7.0][..], None));
    }

    #[test]
    fn what_is_missing_is_silent() {
        let files = MemoryFiles::new();
        let mut sink = bench(&files, 1, "file = \"x.wav\"");
        for start_ms in [5_000, 5_010, 5_020] {
            let time = Timestamp::from_nanos(start_ms * 1_000_000 + 300_000);
            sink.push(0, Frame::signal(time, 1, &[0.5; 4]));
        }
        sink.flush();

        let loud = [0.5; 4];
        let wanted = [&loud[..], &[0.0; 6], &loud, &[0.0; 6], &loud].concat();
        assert_eq!(read(&files)[0], wanted);
        assert_eq!(sink.remark().as_deref(), Some("x.wav: 0.012 s missing and silent"));
    }

    #[test]
    fn a_file_can_be_read_before_it_ends() {
        let files = MemoryFiles::new();
        let mut sink = bench(&files, 1, "file = \"x.wav\"");
        sink.push_samples(0, &[0.25; 1_000]);
        sink.run();
        sink.push_samples(0, &[0.5; 500]);
        sink.run();
        assert_eq!(read(&files)[0], [0.25; 1_000]);
        sink.flush();
        assert_eq!(read(&files)[0].len(), 1_500);
    }

    #[test]
    fn a_rate_that_no_wav_file_has_is_refused() {
        let problem = Bench::build(&KIND, 204.8, KIND.example).err().expect("refused").to_string();
        assert!(problem.contains("cannot have 204.8 samples per second"), "{problem}");
    }

    #[test]
    fn a_name_that_promises_another_encoding_is_warned_of() {
        let warned = |file: &str| {
            let params = format!("file = {file:?}");
            bench(&MemoryFiles::new(), 1, &params).warnings()
        };
        assert_eq!(warned("a/talk.MP3"), ["`a/talk.MP3` will hold WAV, and its name says MP3"]);
        assert!(warned("talk.wav").is_empty() && warned("talk").is_empty());
    }
}
