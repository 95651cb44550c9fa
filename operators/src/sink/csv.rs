//! `csv` with a `from`: a signal as a table.
//!
//! One header row `t_s,<channels>`, then a row per sample: its time on the session's line, exact to
//! the nanosecond, and the samples in the shortest digits that read back as the same number. A NaN
//! is an empty cell. Rows go to `file`, else to standard output; see [`crate::lines`]. Without a
//! `from` the same word reads a table: [`source::csv`](crate::source::csv).
//!
//! | port | carries     |
//! |------|-------------|
//! | `in` | one signal  |

use std::{
    io::{BufWriter, Write},
    sync::Arc,
};

use engine::{
    Body, Code, Diagnostic, Fault, Format, Frame, Grid, Kind, Node, Placement, Port, Sink, Used,
};

use super::{
    outrun,
    place::{self, FILE},
};
use crate::{
    files::csv::CsvWriter,
    lines::{self, Line, Lines},
};

/// What stands in for [`source::csv::KIND`](crate::source::csv::KIND) where a node has a `from`.
pub static KIND: Kind = Kind {
    name: "csv",
    summary: "Write a signal as a table.",
    doc: "One header row t_s,<channels>, then a row per sample: its time on the session's line, \
          exact to the nanosecond, and the samples in the shortest digits that read back as the \
          same number. A NaN is an empty cell. Without `file` to standard output, where there is \
          room for one session and nothing else; with it, sessions beyond the first write to out.session1.csv, out.session2.csv, … where `file` is out.csv. \
          Runs on the I/O runtime. Cost: about 100 ns a number.",
    example: "file = \"out.csv\"",
    inputs: &[Port::signal("in").others_by(&["jsonl", "print"])],
    params: &[&FILE],
    placement: Placement::Waits,
    plan: |node| Ok(place::outline(node, Used::Alone)?.warning(outrun::by_text(node))),
    build: |node| {
        let signal = node.signal("in");
        let names = signal.channels.iter().map(|channel| channel.name.as_str());
        let rows = match place::create(node)? {
            Some(file) => Rows::File(CsvWriter::new(file, names).map_err(unwritable)?),
            None => {
                let csv = CsvWriter::new(Vec::new(), names).map_err(unwritable)?;
                Rows::Shared(csv, out(node)?)
            }
        };
        Ok(Body::sink(Table { rows, grid: Grid::new(signal.rate) }))
    },
    ..Kind::BASE
};

/// Standard output, and what it is told about the rows.
fn out(node: &Node<'_>) -> Result<Shared, Diagnostic> {
    if node.session() > 0 {
        let message = "several sessions cannot write one table to standard output";
        return Err(node
            .problem(Code::MissingParameter, FILE.name(), message)
            .hint("write `file`, or use `jsonl`"));
    }
    let input = &node.inputs()[0];
    Ok(Shared { to: lines::out(), node: input.label.clone(), format: input.format.clone() })
}

fn unwritable(error: std::io::Error) -> Fault {
    Fault::io("cannot write", error)
}

struct Table {
    rows: Rows,
    grid: Grid,
}

enum Rows {
    File(CsvWriter<BufWriter<Box<dyn Write + Send>>>),
    /// Rows are made up in memory, since lines are handed on whole.
    Shared(CsvWriter<Vec<u8>>, Shared),
}

struct Shared {
    to: Arc<dyn Lines>,
    node: String,
    format: Format,
}

impl Sink for Table {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let len = frame.len();
        self.grid.enter(frame.header.time, len);
        let time_ns = |row| self.grid.time_of(row as i64).nanos();
        match &mut self.rows {
            Rows::File(csv) => csv.write(frame.samples(), len, len, time_ns),
            Rows::Shared(csv, shared) => {
                csv.write(frame.samples(), len, len, time_ns).map_err(unwritable)?;
                let text = std::str::from_utf8(csv.get_ref()).expect("numbers and names are UTF-8");
                let (node, format) = (&*shared.node, &shared.format);
                let told = shared.to.line(&Line { node, session: 0, text, format, frame });
                csv.get_mut().clear();
                told
            }
        }
        .map_err(unwritable)
    }

    fn idle(&mut self) -> Result<(), Fault> {
        match &mut self.rows {
            Rows::File(csv) => csv.flush(),
            Rows::Shared(_, shared) => shared.to.idle(),
        }
        .map_err(unwritable)
    }
}

#[cfg(test)]
mod tests {
    use engine::{
        Channel, Rate, Services, SignalFormat, Timestamp, Unit,
        testing::{Bench, MemoryFiles},
    };

    use super::*;

    fn two_channels() -> Format {
        let channel = |name: &str| Channel { name: name.to_owned(), unit: Unit::UNKNOWN };
        let channels = vec![channel("ecg"), channel("left, raw")];
        let rate = Rate::new(3.0).expect("valid");
        Format::Signal(SignalFormat { channels, rate, frame_len: 4 }.into())
    }

    #[test]
    fn a_row_per_sample_under_one_header_row() {
        let files = MemoryFiles::new();
        let (inputs, world) = ([("in", two_channels())], Arc::new(files.clone()));
        let params = "file = \"out.csv\"";
        let mut csv = Bench::in_world(&KIND, &inputs, params, world, Services::default())
            .unwrap_or_else(|problem| panic!("{problem}"));
        csv.push_samples(0, &[0.1, 1.0, f32::NAN, -2.5]);
        csv.push_samples(0, &[1e-7, 3.0]);
        csv.flush();

        assert_eq!(
            files.text("out.csv").expect("written"),
            "t_s,ecg,\"left, raw\"\n0,0.1,\n0.333333333,1,-2.5\n0.666666667,1e-7,3\n"
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        let files = Arc::new(MemoryFiles::new());
        let (inputs, params) = ([("in", two_channels())], "file = \"t.csv\"");
        let mut csv = Bench::in_world(&KIND, &inputs, params, files.clone(), Services::default())
            .expect("valid");
        let start = Timestamp::from_nanos(5_000_000_000);
        let samples = [0.1, -1e-30, 16_777_216.0, f32::MAX, 0.3, 0.7];
        csv.push(0, Frame::signal(start, 2, &samples));
        csv.flush();

        let params = "file = \"t.csv\"\nzero = \"column\"\nframe_ms = 2000.0";
        let kind = &crate::source::csv::KIND;
        let mut read =
            Bench::in_world(kind, &[], params, files, Services::default()).expect("readable");
        read.pull(usize::MAX - 1);
        let seen = read.take();
        assert_eq!((seen[0].time(), seen[0].frame.samples()), (start, &samples[..]));
    }
}
