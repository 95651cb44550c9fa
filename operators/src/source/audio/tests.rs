use std::sync::Arc;

use engine::{
    Disk, Services,
    testing::{Bench, MemoryFiles},
};

use super::*;
use crate::files::{
    sound::testing::{flac, wav},
    testing::data,
};

fn bench(files: Arc<dyn Files>, params: &str) -> Result<Bench, String> {
    let bench = Bench::in_world(&KIND, &[], params, files, Services::default());
    bench.map_err(|problem| problem.to_string())
}

/// What a file in memory delivers in frames of this length.
fn in_memory(bytes: Vec<u8>, frame_ms: f64) -> Bench {
    let files = Arc::new(MemoryFiles::new().with("x.dat", bytes));
    let params = format!("file = \"x.dat\"\nframe_ms = {frame_ms:?}");
    bench(files, &params).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Time in nanoseconds and value of every sample of the first channel.
fn all(bench: &mut Bench) -> Vec<(i64, f32)> {
    assert!(bench.pull(usize::MAX - 1), "it ends");
    let seen = bench.take();
    let samples = seen.iter().flat_map(|seen| {
        let rate = seen.format.rate().expect("a signal");
        let start = seen.time().nanos();
        let samples = seen.frame.channel(0).iter().enumerate();
        samples
            .map(move |(n, &sample)| (start + rate.span_ns(n as i64), sample))
            .collect::<Vec<_>>()
    });
    samples.collect()
}

fn ramp(len: usize) -> Vec<f64> {
    (0..len).map(|n| n as f64 / 8_192.0 - 0.5).collect()
}

#[test]
fn a_recording_is_known_before_it_is_read() {
    let Some(path) = data("ggml-org+whisper.cpp/samples/jfk.wav") else { return };
    let params = format!("file = {:?}", path.to_string_lossy());
    let mut jfk = bench(Arc::new(Disk), &params).unwrap_or_else(|problem| panic!("{problem}"));

    assert_eq!(jfk.output(0).to_string(), "1 ch @ 16000 Hz × 320");
    assert_eq!(jfk.duration_ns(), Some(11_000_000_000));
    assert_eq!(all(&mut jfk).len(), 176_000);
    assert_eq!(jfk.remark(), None);
}

#[test]
fn channels_have_the_names_people_use() {
    let named = |channels: u16| {
        let bench = in_memory(wav(8_000, channels, 16, false, &vec![0.0; 320]), 20.0);
        let signal = bench.output(0).as_signal().expect("a signal").clone();
        signal.channels.iter().map(|channel| channel.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(named(1), "mono");
    assert_eq!(named(2), "left right");
    assert_eq!(named(4), "0 1 2 3");
}

#[test]
fn frames_of_any_length_carry_the_same_samples() {
    let samples: Vec<(i64, f32)> =
        (0..).zip(ramp(5_000)).map(|(n, sample)| (n * 1_000_000, sample as f32)).collect();
    for bytes in [wav(1_000, 1, 16, false, &ramp(5_000)), flac(1_000, 1, &ramp(5_000))] {
        for frame_ms in [1.0, 7.0, 20.0, 1_500.0, 10_000.0] {
            let mut audio = in_memory(bytes.clone(), frame_ms);
            assert_eq!(all(&mut audio), samples, "{frame_ms} ms");
            audio.reset();
            assert_eq!(all(&mut audio), samples, "{frame_ms} ms, again");
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_a_gap() {
    let mut bytes = flac(1_000, 1, &ramp(5_000));
    // In the second of five blocks, of 2 KB each.
    bytes[42 + 2_058 + 1_000] ^= 0x40;
    let mut audio = in_memory(bytes, 20.0);
    assert!(audio.pull(usize::MAX - 1));
    let seen = audio.take();

    let gaps: Vec<i64> = seen
        .iter()
        .filter(|seen| seen.frame.header.gap == Some(Gap::Source))
        .map(|seen| seen.time().nanos() / 1_000_000)
        .collect();
    assert_eq!(gaps, [2_048]);
    let samples: usize = seen.iter().map(|seen| seen.frame.len()).sum();
    assert_eq!(samples, 5_000 - 1_024);
    let remark = audio.remark().expect("told");
    assert_eq!(remark, "x.dat: 1 piece (1.024 s) could not be decoded, the first at 1.024 s");
}

#[test]
fn a_file_that_is_none_is_refused_where_it_is_named() {
    let files = MemoryFiles::new().with("empty.wav", "").with("notes.wav", "# notes");
    for (file, says) in [
        ("none.wav", "`none.wav`: cannot open it: there is no such file"),
        ("empty.wav", "`empty.wav`: is empty"),
        ("notes.wav", "`notes.wav`: is no sound file but text: `# notes`"),
    ] {
        let problem = bench(Arc::new(files.clone()), &format!("file = {file:?}"));
        let problem = problem.err().expect("refused");
        assert!(problem.contains(says) && problem.contains("hint: "), "{problem}");
    }
}
