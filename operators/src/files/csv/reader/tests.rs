use std::fs::File;

use super::*;
use crate::files::testing::data;
use crate::math::random::Random;

fn open<'a>(text: &'a str, options: &CsvOptions) -> Result<CsvReader<&'a [u8]>, FileError> {
    CsvReader::open(text.as_bytes(), "t.csv", options)
}

fn at(rate_hz: f64) -> CsvOptions {
    CsvOptions { rate_hz: Some(rate_hz), ..CsvOptions::default() }
}

/// All blocks of up to `stride` rows: samples by channel, times, gaps.
type Everything = (Vec<Vec<f32>>, Vec<i64>, Vec<CsvGap>);

fn rest<R: Read>(csv: &mut CsvReader<R>, stride: usize) -> Result<Everything, FileError> {
    let channels = csv.columns().len();
    let (mut out, mut times) = (vec![0.0; stride * channels], vec![0; stride]);
    let mut all: Everything = (vec![Vec::new(); channels], Vec::new(), Vec::new());
    loop {
        let block = csv.read(&mut out, stride, &mut times)?;
        if block.rows == 0 {
            return Ok(all);
        }
        for (channel, samples) in all.0.iter_mut().zip(out.chunks(stride)) {
            channel.extend_from_slice(&samples[..block.rows]);
        }
        all.1.extend_from_slice(&times[..block.rows]);
        all.2.extend(block.gap);
    }
}

fn refusal(text: &str, options: &CsvOptions) -> String {
    let outcome = open(text, options).and_then(|mut csv| rest(&mut csv, 4));
    outcome.expect_err("refused").to_string()
}

#[test]
fn delimiters_comments_line_ends_and_marks_do_not_matter() {
    for text in [
        "t_s,ecg (mV),resp\n0,1.5,2\n0.25,,4\n0.5,3,-5e1\n",
        "\u{feff}# made by hand\r\n\r\nt_s;ecg_mv;resp\r\n0;1,5;2\r\n0,25;;4\r\n0,5;3;-5e1\r\n",
        "# c\nt_s\tecg [mV]\tresp\n0\t1.5\t2\n# in between\n0.25\t\t4\n0.5\t3\t-50",
        "\"t_s\",\"ecg (mV)\",\"resp\"\n0, 1.5 ,2,\n0.25,NaN,4,\n\n0.5,3,-50,\n",
    ] {
        let mut csv = open(text, &CsvOptions::default()).expect(text);
        let names: Vec<_> = csv.columns().iter().map(|c| (&*c.name, c.unit.as_deref())).collect();
        assert_eq!(names, [("ecg", Some("mV")), ("resp", None)], "{text}");
        assert_eq!((csv.rate_hz(), csv.has_time()), (4.0, true));

        let (samples, times, gaps) = rest(&mut csv, 2).expect(text);
        assert_eq!((samples[0][0], samples[0][2]), (1.5, 3.0));
        assert!(samples[0][1].is_nan());
        assert_eq!(samples[1], [2.0, 4.0, -50.0]);
        assert_eq!((times, gaps), (vec![0, 250_000_000, 500_000_000], Vec::new()));
    }
}

#[test]
fn without_a_time_column_rows_follow_each_other_at_the_rate_given() {
    let mut csv = open("530\n518\n506\n", &at(300.0)).expect("opens");
    assert_eq!(csv.columns()[0].name, "channel_1");
    let (samples, times, _) = rest(&mut csv, 8).expect("reads");
    assert_eq!(samples, [[530.0, 518.0, 506.0]]);
    assert_eq!(times, [0, 3_333_333, 6_666_667]);

    assert_eq!(
        refusal("530\n518\n", &CsvOptions::default()),
        "t.csv: has no time column that is known by its name; it has `channel_1`\n  \
         hint: give `rate_hz`, or name the time column with `time_column`"
    );
}

#[test]
fn columns_and_times_can_be_named() {
    let text = "timer,label,hr\n0.0,a,515\n8.5,b,514\n17.0,c,513\n";
    let options = CsvOptions {
        time_column: TimeColumn::Named("timer".to_owned()),
        time_unit: Some(TimeUnit::Milliseconds),
        columns: vec!["hr".to_owned()],
        ..CsvOptions::default()
    };
    let mut csv = open(text, &options).expect("opens");
    assert!((csv.rate_hz() - 1_000.0 / 8.5).abs() < 1e-9);
    assert_eq!(rest(&mut csv, 8).expect("reads").0, [[515.0, 514.0, 513.0]]);

    let wrong = CsvOptions { columns: vec!["ecg".to_owned()], ..options };
    assert_eq!(
        refusal(text, &wrong),
        "t.csv: has no column `ecg`; it has `timer`, `label`, `hr`\n  \
         hint: name one of its columns, or give its number"
    );
}

#[test]
fn a_cell_that_is_no_number_is_named_by_line_and_column() {
    assert_eq!(
        refusal("t_s,ecg\n0,1\n# x\n0.5,abc\n1,2\n", &CsvOptions::default()),
        "t.csv:4:2: `abc` is no number\n  hint: correct the cell, or leave it empty if the sample \
         is missing, as `-`, `?`, `NaN`, `NA`, `n/a`, `null`, `none` and `missing` say, too"
    );
    assert!(
        refusal("t_s,a\n0,1\n0.5,1\nx,2\n", &CsvOptions::default())
            .contains(":4:1: `x` is no time")
    );
    assert!(refusal("a,b\n1,2\n1\n3,4\n", &at(10.0)).contains("t.csv:3: the row has 1 cell,"));
    assert!(refusal("a,b\n1,2\n1,2,3\n", &at(10.0)).contains("t.csv:3: the row has 3 cells"));
    assert!(
        refusal("t_s,b\n1,2\n,2\n2,3\n", &CsvOptions::default())
            .contains(":3: the row has no time")
    );
}

#[test]
fn rows_before_a_wrong_one_are_delivered_first() {
    let mut csv = open("t_s,a\n0,0\n1,1\n2,x\n", &CsvOptions::default()).expect("opens");
    let (mut out, mut times) = ([0.0; 8], [0; 8]);

    assert_eq!(csv.read(&mut out, 8, &mut times).expect("two rows").rows, 2);
    assert!(csv.read(&mut out, 8, &mut times).is_err());
}

#[test]
fn the_rate_is_checked_against_the_times() {
    let text = "t_s,ecg\n0,1\n0.004,1\n0.008,1\n";
    assert_eq!(open(text, &at(251.0)).expect("within 1 %").rate_hz(), 250.0);
    assert_eq!(
        refusal(text, &at(360.0)),
        "t.csv: `rate_hz` = 360, but the times say 250.000000 rows per second\n  \
         hint: leave `rate_hz` out: the times are the truth"
    );
    let milliseconds = "t,ecg\n0,1\n4,1\n8,1\n";
    assert!(refusal(milliseconds, &at(250.0)).contains("say that the times are in milliseconds"));
    assert!(refusal(text, &at(0.0)).contains("`rate_hz` = 0 must be above 0"));
}

#[test]
fn coarse_stamps_and_gaps_do_not_spoil_the_rate() {
    // 256 per second in whole milliseconds, with a pause of ten seconds after every 300 rows.
    let stamp = |n: u32| f64::from(n) / 256.0 + f64::from(n / 300) * 10.0;
    let text: String = (0..3_000).map(|n| format!("{:.3},{n}\n", stamp(n))).collect();

    let text = format!("time,a\n{text}");
    let mut csv = open(&text, &CsvOptions::default()).expect("opens");

    assert_eq!(csv.rate_hz(), 256.0);
    let (samples, _, gaps) = rest(&mut csv, 64).expect("reads");
    assert_eq!((samples[0].len(), gaps.len(), csv.tally().gaps), (3_000, 9, 9));
}

#[test]
fn blocks_end_at_gaps_and_say_what_is_missing() {
    let text = "t_s,a\n0,0\n1,1\n2,2\n5,5\n6,6\n7.4,7\n8.4,8\n";
    for stride in [1, 2, 3, 10] {
        let mut csv = open(text, &CsvOptions::default()).expect("opens");
        let (samples, times, gaps) = rest(&mut csv, stride).expect("reads");
        assert_eq!((samples[0].len(), times[3]), (7, 5_000_000_000));
        let gap = CsvGap { from_ns: 2_000_000_000, to_ns: 5_000_000_000, line: 5 };
        assert_eq!(gaps, [gap], "blocks of {stride}");
    }
}

#[test]
fn backward_and_repeated_times_are_skipped_and_counted() {
    let mut csv = open("t_s,a\n0,0\n1,1\n1,9\n0.5,9\n2,2\n3,3\n4,4\n", &CsvOptions::default())
        .expect("opens");
    let (samples, _, _) = rest(&mut csv, 3).expect("reads");

    assert_eq!(samples, [[0.0, 1.0, 2.0, 3.0, 4.0]]);
    assert_eq!(csv.tally().rows_out_of_order, 2);
    assert_eq!(csv.tally().first_out_of_order, Some(4));
    let stuck = refusal("t_s,a\n1,0\n1,1\n1,2\n1,3\n", &CsvOptions::default());
    assert!(stuck.contains("mostly repeat or run backward"), "{stuck}");
}

#[test]
fn a_last_row_that_is_cut_off_is_left_out_and_told() {
    let whole = "t_s,a,b\n0,1,2\n1,3,4\n";
    for tail in ["2", "2,5", "2,-", "2,5,-", "2,5,1e"] {
        let text = format!("{whole}{tail}");
        let mut csv = open(&text, &CsvOptions::default()).expect("opens");
        assert_eq!(rest(&mut csv, 8).expect("reads").1.len(), 2, "{tail}");
        assert_eq!(csv.tally().cut_off, Some(4));
    }
    // No line end is no sign of being cut off.
    let text = format!("{whole}2,5,6");
    let mut csv = open(&text, &CsvOptions::default()).expect("opens");
    assert_eq!(rest(&mut csv, 8).expect("reads").1.len(), 3);
    assert_eq!(csv.tally().cut_off, None);
}

#[test]
fn rows_without_a_cell_are_skipped_and_counted() {
    let mut csv = open("a,b\n1,2\n,\n\n3,4\n", &at(10.0)).expect("opens");
    assert_eq!(rest(&mut csv, 8).expect("reads").0, [[1.0, 3.0], [2.0, 4.0]]);
    assert_eq!(csv.tally().empty_rows, 1);
}

#[test]
fn what_is_no_table_is_refused() {
    assert!(refusal("", &at(10.0)).contains("holds no rows"));
    assert!(refusal("# only\n\n", &at(10.0)).contains("holds no rows"));
    assert!(refusal("t_s\n1\n2\n", &CsvOptions::default()).contains("no column beside the times"));
    let long = "x".repeat(BUFFER_BYTES + 1);
    assert!(refusal(&long, &at(10.0)).contains("t.csv:1: the line is longer than 131072 bytes"));
}

#[test]
fn no_bytes_make_it_panic_or_run_for_ever() {
    let mut random = Random::new(12);
    let pieces = b"0123456789.,;\t\n\r#\"-eE tTs_nan\xc3\xa9";
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..random.below(80))
            .map(|_| pieces[random.below(pieces.len() as u64) as usize])
            .collect();
        for options in [at(10.0), CsvOptions::default()] {
            if let Ok(mut csv) = CsvReader::open(&text[..], "t.csv", &options) {
                let _ = rest(&mut csv, 1 + random.below(5) as usize);
            }
        }
    }
}

#[test]
fn real_tables_are_read() {
    for (path, options, rate_hz, columns, rows) in [
        ("mixue-t+NeuroKit/data/ecg_1000hz.csv", at(1_000.0), 1_000.0, 1, 50_000),
        ("mixue-t+NeuroKit/data/bio_eventrelated_100hz.csv", at(100.0), 100.0, 4, 15_000),
        ("PIA-Group+BioSPPy/examples/ecg.txt", at(1_000.0), 1_000.0, 1, 15_000),
        (
            "mad-lab-fau+BioPsyKit/example_data/eeg_muse_example.csv",
            CsvOptions::default(),
            256.0,
            5,
            0,
        ),
        (
            "xioTechnologies+Fusion/Examples/Python/sensor_data.csv",
            CsvOptions::default(),
            0.0,
            9,
            0,
        ),
        (
            "paulvangentcom+heartrate_analysis_python/heartpy/data/data2.csv",
            CsvOptions {
                time_column: TimeColumn::Named("timer".to_owned()),
                time_unit: Some(TimeUnit::Milliseconds),
                ..at(117.0)
            },
            // The times say a little less than what was asked for, and are the truth.
            0.0,
            1,
            0,
        ),
        (
            "im-ethz+flirt/test/wearable-data/garmin/acc.csv",
            CsvOptions { time_column: TimeColumn::Named("1".to_owned()), ..CsvOptions::default() },
            25.0,
            3,
            0,
        ),
    ] {
        let Some(full) = data(path) else { return };
        let file = File::open(full).expect("readable");
        let mut csv = CsvReader::open(file, path, &options).expect(path);
        let all = rest(&mut csv, 1_000).expect(path);

        println!("{path}: {} rows at {} Hz, {:?}", all.1.len(), csv.rate_hz(), csv.tally());
        assert_eq!(csv.columns().len(), columns, "{path}");
        assert!(rate_hz == 0.0 || csv.rate_hz() == rate_hz, "{path}: {}", csv.rate_hz());
        assert!(rows == 0 && !all.1.is_empty() || all.1.len() == rows, "{path}: {}", all.1.len());
        assert!(all.1.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
