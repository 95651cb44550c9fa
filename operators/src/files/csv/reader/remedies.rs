//! Tables as devices and spreadsheets write them: read, or refused with what has to be done.

use std::fmt::Write;

use super::*;

/// A table of eight rows with these times, and its first line.
fn table(first: &str, time: impl Fn(u32) -> String) -> String {
    let mut text = first.to_owned();
    for row in 0..8 {
        writeln!(text, "{},{row}", time(row)).expect("writing to a String cannot fail");
    }
    text
}

fn open(bytes: &[u8]) -> Result<CsvReader<&[u8]>, FileError> {
    CsvReader::open(bytes, "t.csv", &CsvOptions::default())
}

#[test]
fn dates_and_times_of_day_are_times_whatever_their_column_is_called() {
    for text in [
        table("", |row| format!("2019-10-16T12:09:01.{row}00+02:00")),
        table("when,ecg\n", |row| format!("2019/10/16 12:09:01.{row}")),
        table("clock,ecg\n", |row| format!("12:09:01.{row}")),
    ] {
        let csv = open(text.as_bytes()).expect(&text);
        assert_eq!((csv.rate_hz(), csv.columns().len()), (10.0, 1), "{text}");
        assert_eq!(csv.remarks(), []);
    }
}

#[test]
fn after_midnight_another_day_begins() {
    let of_day = |row: u32| (86_397 + row) % 86_400;
    let clock = |s: u32| format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60);
    let text = table("time,ecg\n", |row| clock(of_day(row)));
    for stride in [1, 3, 8] {
        let mut csv = open(text.as_bytes()).expect("opens");
        let (mut out, mut times, mut all) = (vec![0.0; stride], vec![0; stride], Vec::new());
        loop {
            let rows = csv.read(&mut out, stride, &mut times).expect("reads").rows;
            if rows == 0 {
                break;
            }
            all.extend_from_slice(&times[..rows]);
        }
        let want: Vec<i64> = (86_397..86_405).map(|s| s * 1_000_000_000).collect();
        assert_eq!(all, want, "blocks of {stride}");
        assert_eq!((csv.tally().gaps, csv.tally().rows_out_of_order), (0, 0));
    }
}

#[test]
fn a_row_of_the_evening_that_comes_after_midnight_moves_no_other() {
    let times = [
        "23:59:59.4",
        "23:59:59.6",
        "23:59:59.8",
        "00:00:00.0",
        "23:59:59.9",
        "00:00:00.2",
        "00:00:00.4",
        "00:00:00.6",
    ];
    let late = |row: u32| times[row as usize].to_owned();
    let text = table("time,ecg\n", late);
    let mut csv = open(text.as_bytes()).expect("opens");
    let (mut all, mut times) = (Vec::new(), [0; 8]);
    loop {
        let rows = csv.read(&mut [0.0; 8], 8, &mut times).expect("reads").rows;
        if rows == 0 {
            break;
        }
        all.extend_from_slice(&times[..rows]);
    }
    assert_eq!(csv.tally().rows_out_of_order, 1, "{all:?}");
    assert!(all.last() < Some(&(DAY_NS + 2_000_000_000)), "{all:?}");
}

#[test]
fn quoted_decimal_commas_are_read() {
    for first in ["\"0,0\",\"1,5\"", "\"0\",\"1,5\""] {
        let text = format!("\"t_s\",\"ecg\"\n{first}\n\"0,5\",\"2,5\"\n");
        let csv = open(text.as_bytes());
        assert_eq!(csv.expect(&text).rate_hz(), 2.0);
    }
}

#[test]
fn a_row_may_lack_what_is_not_asked_for() {
    let text = "t_s,ecg,remark\n0,1\n0.5,2,x\n1,3\n";
    let options = CsvOptions { columns: vec!["ecg".to_owned()], ..CsvOptions::default() };
    let mut csv = CsvReader::open(text.as_bytes(), "t.csv", &options).expect("opens");
    let mut out = [0.0; 4];
    assert_eq!(csv.read(&mut out, 4, &mut [0; 4]).expect("reads").rows, 3);
    assert_eq!(out[..3], [1.0, 2.0, 3.0]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_remedy() {
    for (bytes, message, hint) in [
        (&b"\x1f\x8b\x08\0"[..], "t.csv: is packed by gzip", "unpack it"),
        (b"PK\x03\x04", "t.csv: is a ZIP archive", "save the sheet as CSV"),
        (b"t_s,ecg\r0,1\r1,2\r", "ends its lines by carriage returns", "line feeds"),
        (b"\xff\xfet\0", "is no UTF-8 text", "save it as CSV in UTF-8"),
        (b"t_s,ecg\n", "t.csv: has no row of numbers", "one row per line"),
        (b"t_s|ecg\n0|1\n", "has blanks or `|` between its columns", "put `,`"),
        (b"t_s,ecg\ns,mV\n0,1\n", "t.csv:2:1: `s` is no time", "except one row of names"),
        (b"Device: X\nRate: 250\necg\n1\n", "t.csv:2:1: `Rate: 250` is no", "begin with `#`"),
        (b"t_s,ecg\n0,000,1,5\n", "t.csv:2: the row has 4 cells, the first one 2", "put `;`"),
        (b"t_s,ecg,x\n0,1\n", "t.csv:2: the row has 2 cells", "choose `columns` that all rows"),
        (
            b"# Sampling Rate (Hz):= 1000.00\n1\n2\n",
            "has no time column",
            "a comment says \
          `Sampling Rate (Hz):= 1000.00`",
        ),
        (
            b"# Generated 2024-05-01\n# Sampling rate: 250\n1\n2\n",
            "has no time column",
            "a comment says `Sampling rate: 250`",
        ),
        (
            b"1571219541.0\n64.0\n1\n",
            "t.csv:1: begins with a start time (1571219541) and a rate \
          (64)",
            "write `rate_hz = 64`",
        ),
        (b"t,ecg\n1606398309680,1\n", "a time beyond the year 2262", "`time_unit = \"ms\"`"),
        (b"t,ecg\n1606398309680000000,1\n", "a time beyond the year", "`time_unit = \"ns\"`"),
        (b"t,ecg\n01/16/2020 12:00,1\n", "`01/16/2020 12:00` is no time", "YYYY-MM-DD HH:MM:SS"),
        (b"t,ecg\n1,1\n1,1\n1,1\n", "mostly repeat or run backward", "`time_column = \"\"`"),
    ] {
        let told = open(bytes).expect_err("refused").to_string();
        let (what, to_do) = told.split_once("\n  hint: ").expect("a hint");
        assert!(what.contains(message), "{message}: {told}");
        assert!(to_do.contains(hint), "{hint}: {told}");
    }
}

#[test]
fn a_column_that_counts_rows_is_not_taken_for_times() {
    let mut text = String::from("sample,ecg\n");
    for row in 0..20 {
        writeln!(text, "{row},0.5").expect("writing to a String cannot fail");
    }

    let told = open(text.as_bytes()).expect_err("refused").to_string();

    assert!(
        told.contains("hint: give `rate_hz`, the rows per second: \"sample\" counts rows"),
        "{told}"
    );
    let in_steps = text.replace(",0.5", "0,0.5");
    let told = open(in_steps.as_bytes()).expect_err("refused").to_string();
    assert!(told.contains("hint: write `time_column = \"sample\"`"), "{told}");
}
