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
fn a_record_that_ends_inside_a_sample_delivers_all_whole_ones() {
    let seen = all(record(HEADER, 18), "file = \"t.hea\"\nframe_ms = 2000.0");
    assert_eq!(seen[0].frame.channel(1), [0.0, -0.005, -0.01, -0.015]);
    assert_eq!(seen.last().and_then(|seen| seen.text("class")), Some("V"), "told at the end");
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
