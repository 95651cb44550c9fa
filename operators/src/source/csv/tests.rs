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
        (header.time.nanos() / 1_000_000, header.gap.get(), seen.frame.samples().to_vec())
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

/// The largest distance of a sample's time from what `at_ns` says of its row, and from the one
/// before it, less the period.
fn distances(seen: &[Seen], at_ns: impl Fn(i64) -> i64, period_ns: i64) -> (i64, i64) {
    let (mut row, mut far, mut jump, mut last) = (0, 0, 0, None::<i64>);
    for seen in seen {
        let rate = seen.format.rate().expect("a signal");
        for n in 0..seen.frame.len() {
            let time = seen.time().nanos() + rate.span_ns(n as i64);
            far = far.max((time - at_ns(row)).abs());
            jump = jump.max(last.map_or(0, |last| (time - last - period_ns).abs()));
            (row, last) = (row + 1, Some(time));
        }
    }
    (far, jump)
}

fn table(rows: i64, at_ns: impl Fn(i64) -> i64) -> String {
    let row = |n| format!("{:.9},{}\n", at_ns(n) as f64 / 1e9, n % 7);
    std::iter::once("t_s,x\n".to_owned()).chain((0..rows).map(row)).collect()
}

#[test]
fn the_column_is_the_truth_beside_a_rate_that_is_nearly_right() {
    let at_ns = |row| row * 4_020_000;
    let seen = all(&table(3_000, at_ns), "rate_hz = 250.0");
    assert!((seen[0].format.rate().expect("a rate").hz() - 1e9 / 4_020_000.0).abs() < 1e-6);
    // Rounding of rate and times.
    assert_eq!(distances(&seen, at_ns, 4_020_000).0.max(2), 2);
}

#[test]
fn a_clock_that_drifts_is_followed_in_small_steps() {
    // The first 2 000 rows are even; then the clock is 0.1 % slow.
    let at_ns = |row: i64| row * 4_000_000 + (row - 2_000).max(0) * 4_000;
    for frame_ms in ["20.0", "1000.0"] {
        let seen = all(&table(6_000, at_ns), &format!("frame_ms = {frame_ms}"));
        let (far, jump) = distances(&seen, at_ns, 4_000_000);
        // A hundredth of a period, and the step of one row that shows it.
        assert!(far <= 40_001 && jump <= 44_001, "{far} ns off, {jump} ns at once");
        assert!(seen.iter().all(|seen| seen.frame.header.gap.is_none()));
        assert!(seen.len() < 1_000 || frame_ms == "20.0", "{} frames", seen.len());
    }
}

#[test]
fn coarse_stamps_are_followed_no_further_than_they_are_coarse() {
    // 256 per second in whole milliseconds.
    let at_ns = |row: i64| (row * 1_000 + 128) / 256 * 1_000_000;
    let seen = all(&table(3_000, at_ns), "");
    assert_eq!(seen[0].format.rate().expect("a rate").hz(), 256.0);
    assert!(distances(&seen, at_ns, 3_906_250).1 <= 1, "even, as they were taken");
}

#[test]
fn columns_may_be_given_by_number() {
    let text = "Zeit;MLII;V5\n".to_owned()
        + &(0..20)
            .map(|n| format!("{};{};{}\n", 0.004 * f64::from(n), n % 3, n % 5))
            .collect::<String>();
    let seen = all(&text, "time_column = 1\ncolumns = 3");
    assert_eq!(seen[0].format.rate().expect("a rate").hz(), 250.0);
    assert_eq!(seen[0].frame.samples()[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn times_are_not_taken_for_a_channel() {
    let text = "Zeit;MLII;V5\n".to_owned()
        + &(0..20)
            .map(|n| format!("{};{};{}\n", 0.004 * f64::from(n), n % 3, n % 5))
            .collect::<String>();
    for params in ["", "rate_hz = 360.0"] {
        let problem = bench(&text, params).err().expect("refused").to_string();
        assert!(problem.contains("`time_column = \"Zeit\"`"), "{problem}");
    }
    assert_eq!(
        all(&text, "time_column = \"\"\nrate_hz = 250.0")[0].format.to_string(),
        "3 ch @ 250 Hz × 5"
    );
    assert_eq!(
        all(&text, "columns = \"V5\"\nrate_hz = 250.0")[0].format.to_string(),
        "1 ch @ 250 Hz × 5"
    );
}

#[test]
fn what_counts_rows_is_left_out_or_told() {
    let rows = |head: &str| {
        let rows = (0..20).map(|n| format!("{n},{},{}\n", 0.004 * f64::from(n), n % 3));
        format!("{head}\n{}", rows.collect::<String>())
    };
    let unnamed = bench(&rows(",t_s,ecg"), "").expect("valid");
    let names = |bench: &Bench| {
        let signal = bench.output(0).as_signal().expect("a signal");
        signal.channels.iter().map(|channel| channel.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&unnamed), ["ecg"]);
    assert_eq!(
        unnamed.warnings(),
        ["`t.csv`: column 1 has no name and counts rows: it is left out"]
    );

    let named = bench(&rows("n,t_s,ecg"), "").expect("valid");
    assert_eq!(names(&named), ["n", "ecg"]);
    assert!(named.warnings()[0].contains("`n`, the first channel, rises evenly"));
    assert!(bench(&rows("n,t_s,ecg"), "columns = \"ecg\"").expect("valid").warnings().is_empty());
}

#[test]
fn the_true_cause_is_told() {
    let rows = |row: &dyn Fn(i64) -> String| (0..20).map(row).collect::<String>();
    let utf16: Vec<u8> = "t_s,x\n0,1\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = String::from_utf8(utf16).expect("zeros are UTF-8");
    for (table, params, told) in [
        (
            rows(&|n| format!("{} {}\n", n * 4, n % 3)),
            "rate_hz = 250.0",
            "has blanks or `|` between its columns",
        ),
        (utf16, "", "it may be UTF-16"),
        (
            format!("time,x\n{}", rows(&|n| format!("{},1\n", 1_600_000_000_000 + 4 * n))),
            "",
            "hint: write `time_unit = \"ms\"`",
        ),
        (
            format!("t_s,label,hr\n{}", rows(&|n| format!("{n},rest,{}\n", n % 3))),
            "",
            "hint: choose the columns that hold numbers: `columns = \"hr\"`",
        ),
        (
            format!("t_s,x\n{}", rows(&|n| format!("{n},1e400\n"))),
            "",
            "beyond what a sample can hold",
        ),
        (format!("t_s,x\n{}", rows(&|_| "nan,1\n".to_owned())), "", "hint: write times as numbers"),
    ] {
        let problem = bench(&table, params).err().expect("refused").to_string();
        assert!(problem.contains(told), "{problem}");
    }
    let slow = format!("time,x\n{}", rows(&|n| format!("{},1\n", 4 * n)));
    let warnings = bench(&slow, "").expect("valid").warnings();
    assert_eq!(warnings, ["`t.csv`: its times, taken as seconds, say 0.250000 rows per second"]);
    assert!(bench(&slow, "time_unit = \"s\"").expect("valid").warnings().is_empty());
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
            reach_ns: 1e6,
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
    assert_eq!(told[0], "t.csv: 1 row out of order and skipped, first line 4; 1 gap in the times");
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

#[test]
fn a_device_faster_than_its_first_rows_keeps_its_promises() {
    let mut table = "t_s,x\n".to_owned();
    let mut time_s = 0.0;
    for row in 0..2_000 {
        table += &format!("{time_s:.6},1\n");
        time_s += if row < 500 { 1.0 / 250.0 } else { 1.0 / 256.0 };
    }
    let mut bench = bench(&table, "").expect("valid");
    bench.pull(usize::MAX - 1);
    assert!(bench.take().len() > 100, "many frames begin where the column says");
    assert_eq!(bench.late(), 0);
}
