use engine::{
    Services,
    testing::{Bench, MemoryFiles, Refused, Seen},
};

use super::*;

fn bench(table: &str, params: &str) -> Result<Bench, Refused> {
    let files = Arc::new(MemoryFiles::new().with("t.csv", table));
    let params = format!("file = \"t.csv\"\n{params}");
    Bench::in_world(&KIND, &[], &params, files, Services::default())
}

fn all(table: &str, params: &str) -> Vec<Seen> {
    let mut bench = bench(table, params).unwrap_or_else(|problem| panic!("{problem}"));
    bench.pull(usize::MAX - 1);
    bench.take()
}

fn frames(seen: &[Seen]) -> Vec<(i64, Option<Gap>, Vec<f32>)> {
    let frame = |seen: &Seen| {
        let header = seen.frame.header;
        (header.time.nanos() / 1_000_000, header.gap, seen.frame.samples().to_vec())
    };
    seen.iter().map(frame).collect()
}

#[test]
fn columns_become_channels_and_the_first_row_is_time_zero() {
    let table = "t_s,ecg (mV),breath\n100.0,1,10\n100.1,2,\n100.2,3,30\n100.3,4,40\n";
    let seen = all(table, "frame_ms = 200.0");

    let Format::Signal(signal) = &seen[0].format else { panic!("a signal") };
    let channels: Vec<_> =
        signal.channels.iter().map(|c| (c.name.as_str(), c.unit.name())).collect();
    assert_eq!(channels, [("ecg", "mV"), ("breath", "")]);
    assert_eq!(signal.rate.hz(), 10.0);
    assert_eq!(seen.iter().map(|seen| seen.time().nanos()).collect::<Vec<_>>(), [0, 200_000_000]);
    assert_eq!(seen[1].frame.samples(), [3.0, 4.0, 30.0, 40.0]);
    assert!(seen[0].frame.channel(1)[1].is_nan(), "an empty cell");

    let seen = all(table, "zero = \"column\"\ncolumns = \"breath\"");
    assert_eq!(seen[0].time().nanos(), 100_000_000_000);
    assert_eq!(seen[0].frame.samples(), [10.0]);
}

#[test]
fn what_is_missing_is_a_gap_with_true_times() {
    let table = "t_s,x\n0.0,0\n0.1,1\n0.2,2\n0.7,7\n0.8,8\n";
    let want = [(0, None, vec![0.0, 1.0, 2.0]), (700, Some(Gap::Source), vec![7.0, 8.0])];
    assert_eq!(frames(&all(table, "frame_ms = 300.0")), want);
}

#[test]
fn times_follow_a_column_that_runs_away_from_its_rate() {
    // Half a per cent fast, which `rate_hz` may be: half a period is lost in a hundred rows.
    let rows = (0..400).map(|n| format!("{},{n}\n", f64::from(n) * 0.100_5));
    let table: String = std::iter::once("t_s,x\n".to_owned()).chain(rows).collect();
    let mut row = 0;
    for seen in all(&table, "rate_hz = 10.0") {
        let late_ns = seen.time().nanos() - row * 100_500_000;
        assert!(late_ns.abs() <= 50_000_000, "row {row} is {late_ns} ns off");
        assert_eq!(seen.frame.header.gap, None);
        row += seen.frame.len() as i64;
    }
    assert_eq!(row, 400);
}

#[test]
fn without_times_rows_follow_each_other_at_the_rate() {
    let want = [(0, None, vec![5.0, 6.0]), (500, None, vec![7.0])];
    assert_eq!(frames(&all("5\n6\n7\n", "rate_hz = 4.0\nframe_ms = 500.0")), want);
    let params = "rate_hz = 4.0\ntime_column = \"\"\ncolumns = \"2\"";
    assert_eq!(all("0,5\n0,6\n", params)[1].time().nanos(), 250_000_000);
}

#[test]
#[should_panic(expected = "t.csv:4:2")]
fn a_cell_that_is_no_number_is_named_by_file_line_and_column() {
    all("t_s,x\n0.0,1\n0.1,2\n0.2,oops\n0.3,4\n", "");
}

#[test]
fn what_was_left_out_is_told_at_the_end() {
    let text = b"t_s,x\n0.0,1\n0.1,2\n0.05,3\n0.2,4\n0.9,5\n1.0,6.";
    let cut = b"t_s,x\n0,1\n1,2\n2";
    let mut told = Vec::new();
    for text in [&text[..], &cut[..]] {
        let file: Box<dyn ReadSeek> = Box::new(std::io::Cursor::new(text.to_vec()));
        let options = CsvOptions::default();
        let mut table = Table {
            reader: CsvReader::open(file, "t.csv", &options).expect("opens"),
            files: Arc::new(MemoryFiles::new()),
            path: "t.csv".to_owned(),
            options,
            rate: Rate::new(10.0).expect("valid"),
            from_first: true,
            zero: None,
            anchor: Timestamp::MIN,
            since: 0,
            ahead: Ahead::new(1, 4),
        };
        assert_eq!(table.remark(), None);
        while table.reader.read(&mut [0.0; 4], 4, &mut [0; 4]).expect("reads").rows > 0 {}
        told.push(table.remark().expect("something was left out"));
    }
    assert_eq!(
        told[0],
        "t.csv: 1 rows were out of order and skipped, first line 4; the times have 1 gaps"
    );
    assert_eq!(told[1], "t.csv: line 4 is cut off and was not delivered");
}

#[test]
fn what_cannot_be_read_is_told_before_anything_starts() {
    let table = "t_s,x\n0.0,1\n0.1,2\n0.2,3\n";
    for (table, params, told) in [
        (table, "rate_hz = 20.0", "the times say 10.0"),
        (table, "columns = \"y\"", "has no column `y`"),
        ("1\n2\n", "", "has no time column"),
        ("", "", "holds no rows"),
    ] {
        let problem = bench(table, params).err().expect("refused").to_string();
        assert!(problem.contains(told) && problem.contains("hint:"), "{problem}");
    }
    let nowhere = Bench::build(&KIND, 0.0, "file = \"nowhere.csv\"").err().expect("refused");
    assert!(nowhere.to_string().contains("nowhere.csv"), "{nowhere}");
}

#[test]
fn it_begins_again_as_it_began() {
    let mut bench = bench("t_s,x\n5,1\n6,2\n9,3\n", "").expect("valid");
    bench.pull(usize::MAX - 1);
    let first = frames(&bench.take());
    bench.reset();
    bench.pull(usize::MAX - 1);
    assert_eq!(frames(&bench.take()), first);
}
