use std::sync::Arc;

use engine::{
    Files, Services,
    testing::{Bench, MemoryFiles, Refused, Seen},
};

use super::*;
use crate::files::testing::data;

/// Two channels, 4 Hz, 200 units per mV: sample n is n / 200 mV and −n / 200 mV.
const HEADER: &str = "t 2 4 6\nt.dat 16 200/mV 12 0 0 0 0 MLII\nt.dat 16 200/mV 12 0 0 0 0 V5\n";

fn record(header: &str, bytes: usize) -> MemoryFiles {
    let samples = (0..6i16).flat_map(|n| [n, -n]).flat_map(i16::to_le_bytes);
    let samples: Vec<u8> = samples.take(bytes).collect();
    // Code << 10 | samples since the last: a normal beat (1) at 1, a premature one (5) at 5.
    let notes = [1u16 << 10 | 1, 5 << 10 | 4, 0];
    let notes: Vec<u8> = notes.into_iter().flat_map(u16::to_le_bytes).collect();
    MemoryFiles::new().with("t.hea", header).with("t.dat", samples).with("t.atr", notes)
}

fn bench(files: impl Files + 'static, params: &str) -> Result<Bench, Refused> {
    Bench::in_world(&KIND, &[], params, Arc::new(files), Services::default())
}

fn all(files: impl Files + 'static, params: &str) -> Vec<Seen> {
    let mut bench = bench(files, params).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(bench.pull(usize::MAX - 1), "it ends");
    bench.take()
}

#[test]
fn a_record_becomes_a_signal_and_events() {
    let seen = all(record(HEADER, 24), "file = \"t.hea\"\nframe_ms = 1000.0");
    let signal: Vec<_> = seen.iter().filter(|seen| seen.port == 0).collect();
    assert_eq!(signal[0].format.to_string(), "2 ch mV @ 4 Hz × 4");
    assert_eq!(signal[1].time().nanos(), 1_000_000_000);
    assert_eq!(signal[0].frame.channel(0), [0.0, 0.005, 0.01, 0.015]);
    assert_eq!(signal[1].frame.channel(1), [-0.02, -0.025]);

    let notes = seen.iter().filter(|seen| seen.port == 1);
    let notes: Vec<_> = notes.map(|seen| (seen.time().nanos(), seen.text("class"))).collect();
    assert_eq!(notes, [(250_000_000, Some("N")), (1_250_000_000, Some("V"))]);
}

#[test]
fn the_ending_of_the_header_and_the_annotations_may_be_missing() {
    let all_files = record(HEADER, 24);
    let bare = ["t.hea", "t.dat"].into_iter().fold(MemoryFiles::new(), |files, name| {
        files.with(name, all_files.content(name).expect("there"))
    });
    let seen = all(bare, "file = \"t\"");
    assert!(seen.iter().all(|seen| seen.port == 0));
    assert_eq!(seen.iter().map(|seen| seen.frame.len()).sum::<usize>(), 6);
}

#[test]
fn annotations_that_were_asked_for_must_be_there() {
    let refused = bench(record(HEADER, 24), "file = \"t\"\nannotator = \"qrs\"");
    let problem = refused.err().expect("refused").to_string();
    assert!(problem.contains("t.qrs") && problem.contains("no such file"), "{problem}");
}

#[test]
fn channels_are_chosen_by_name() {
    let seen = all(record(HEADER, 24), "file = \"t\"\nchannels = \"V5\"\nframe_ms = 2000.0");
    assert_eq!(seen[0].format.to_string(), "1 ch mV @ 4 Hz × 8");
    assert_eq!(seen[0].frame.samples(), [0.0, -0.005, -0.01, -0.015, -0.02, -0.025]);

    let refused = bench(record(HEADER, 24), "file = \"t\"\nchannels = \"V6\"");
    let problem = refused.err().expect("refused").to_string();
    assert!(problem.contains("no channel `V6`"), "{problem}");
}

#[test]
fn a_record_that_ends_inside_a_sample_delivers_all_whole_ones_and_what_was_noted_there() {
    let seen = all(record(HEADER, 18), "file = \"t.hea\"\nframe_ms = 2000.0");
    assert_eq!(seen[0].frame.channel(1), [0.0, -0.005, -0.01, -0.015]);
    let notes: Vec<_> = seen.iter().filter_map(|seen| seen.text("class")).collect();
    assert_eq!(notes, ["N"], "the other lies behind the last sample");
}

/// What a source says at the end.
fn remark(files: impl Files + 'static) -> Option<String> {
    let spec = "[graph]\nname = \"t\"\n[node.a]\nop = \"wfdb\"\nfile = \"t.hea\"\n\
                [node.b]\nop = \"null\"\nfrom = [\"a\", \"a.annotations\"]\n";
    let spec = engine::GraphSpec::parse(&engine::SourceText::new("g", spec)).expect("parses");
    let options = engine::PlanOptions::new(Arc::new(files));
    let plan = spec.plan(&engine::Catalog::new(&[crate::CATALOG]), &options).expect("plans");
    let options = engine::RunOptions { speed: None, ..engine::RunOptions::default() };
    let running = Arc::new(plan).start(&options).expect("starts");
    running.wait_for(std::time::Duration::from_secs(60)).expect("it ends");
    running.report().remarks.into_iter().map(|(_, remark)| remark).next()
}

#[test]
fn what_is_missing_is_told_at_the_end() {
    let cut = |notes: usize, samples: usize| {
        let whole = record(HEADER, samples);
        let list = whole.content("t.atr").expect("there");
        whole.with("t.atr", &list[..notes])
    };
    assert_eq!(remark(cut(6, 24)), None);
    let told = remark(cut(4, 24)).expect("no end mark");
    assert_eq!(told, "t.atr lacks its end mark: annotations may be missing");
    let told = remark(cut(3, 24)).expect("half a word");
    assert!(told.starts_with("t.atr is cut off inside a word at byte 2"), "{told}");
    let told = remark(cut(6, 18)).expect("a short signal");
    assert!(told.contains("4 of 6 samples whole"), "{told}");
    assert!(told.ends_with("1 annotation lies behind the last sample and was not delivered"));
}

#[test]
fn a_signal_without_a_whole_sample_is_refused() {
    for bytes in [0, 3] {
        let problem = bench(record(HEADER, bytes), "file = \"t.hea\"").err().expect("refused");
        let problem = problem.to_string();
        assert!(problem.contains("`t.dat`: holds no whole sample of the 6"), "{problem}");
    }
}

#[test]
fn names_of_records_may_have_dots() {
    let files = record(HEADER, 24);
    let dotted = MemoryFiles::new().with("t.1.hea", files.content("t.hea").expect("there"));
    let dotted = dotted.with("t.dat", files.content("t.dat").expect("there"));
    let dotted = dotted.with("t.1.atr", files.content("t.atr").expect("there"));
    for name in ["t.1", "t.1.hea"] {
        let seen = all(dotted.clone(), &format!("file = {name:?}"));
        assert_eq!(seen.iter().filter(|seen| seen.port == 1).count(), 2, "{name}");
    }
}

#[test]
fn who_names_the_signal_file_is_told_of_the_header() {
    let problem = bench(record(HEADER, 24), "file = \"t.dat\"").err().expect("refused").to_string();
    assert!(problem.contains("hint: name the record's header: `t.hea`"), "{problem}");
}

#[test]
fn every_channel_can_be_asked_for_once() {
    let twins = HEADER.replace("V5", "MLII");
    let seen = all(record(&twins, 24), "file = \"t\"\nchannels = \"MLII_2\"\nframe_ms = 500.0");
    assert_eq!(seen[0].frame.samples(), [0.0, -0.005]);

    let refused = bench(record(HEADER, 24), "file = \"t\"\nchannels = \"V5, V5\"");
    let problem = refused.err().expect("refused").to_string();
    assert!(problem.contains("channel `V5` is asked for twice"), "{problem}");
}

#[test]
fn what_cannot_be_read_is_told_before_anything_starts() {
    let none = HEADER.replace("t.dat", "u.dat");
    let odd = HEADER.replace("16 200", "99 200");
    let stopped = HEADER.replace("2 4 6", "2 0 6");
    for (header, told) in [(none, "u.dat"), (odd, "99"), (stopped, "t.hea")] {
        let problem = bench(record(&header, 24), "file = \"t.hea\"").err().expect("refused");
        assert!(problem.to_string().contains(told), "{problem}");
    }
    let nowhere = bench(MemoryFiles::new(), "file = \"t.hea\"").err().expect("refused");
    assert!(nowhere.to_string().contains("t.hea"), "{nowhere}");
}

struct Disk;

impl Files for Disk {
    fn open(&self, path: &str) -> std::io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(std::fs::File::open(path)?))
    }

    fn create(&self, path: &str) -> std::io::Result<Box<dyn std::io::Write + Send>> {
        Ok(Box::new(std::fs::File::create(path)?))
    }
}

#[test]
fn a_real_record_comes_whole_with_its_beats() {
    let Some(path) = data("MIT-LCP+wfdb-python/sample-data/100.hea") else { return };
    let seen = all(Disk, &format!("file = {:?}", path.to_str().expect("UTF-8")));
    // As PhysioNet lists record 100: 30 min 5.56 s at 360 Hz, 2 273 beats, 33 atrial premature
    // and one ventricular.
    let samples = seen.iter().filter(|seen| seen.port == 0).map(|seen| seen.frame.len());
    assert_eq!(samples.sum::<usize>(), 650_000);
    let beats = |class| seen.iter().filter(|seen| seen.text("class") == Some(class)).count();
    assert_eq!([beats("N"), beats("A"), beats("V")], [2_239, 33, 1]);
}
