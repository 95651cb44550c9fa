use std::fs::File;
use std::io::Cursor;

use super::*;
use crate::files::testing::{data, reference};
use crate::math::random::Random;

/// Opens every channel of a header whose signal files are given as bytes.
fn open(text: &str, files: &[(&str, &[u8])]) -> Result<Recording<Cursor<Vec<u8>>>, FileError> {
    let header = Header::parse(text.as_bytes(), "t.hea")?;
    let selected: Vec<usize> = (0..header.channels.len()).collect();
    Recording::open(&header, &selected, |name| {
        let file = files.iter().find(|(file, _)| *file == name);
        file.map(|(_, bytes)| Cursor::new(bytes.to_vec())).ok_or(ErrorKind::NotFound.into())
    })
}

/// Everything that is left, by reads of `stride` samples; one list per channel.
fn rest<R: Read + Seek>(recording: &mut Recording<R>, stride: usize) -> Vec<Vec<f32>> {
    let mut channels = vec![Vec::new(); recording.selected];
    let mut out = vec![0.0; stride * channels.len()];
    loop {
        let count = recording.read(&mut out, stride).expect("readable");
        if count == 0 {
            return channels;
        }
        for (channel, samples) in channels.iter_mut().zip(out.chunks(stride)) {
            channel.extend_from_slice(&samples[..count]);
        }
    }
}

fn bytes_16(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    samples.into_iter().flat_map(i16::to_le_bytes).collect()
}

fn bytes_212(samples: &[i16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for pair in samples.chunks(2) {
        let (a, b) = (pair[0] as u16, pair.get(1).copied().unwrap_or(0) as u16);
        bytes.extend([a as u8, (a >> 8 & 0x0f | b >> 4 & 0xf0) as u8, b as u8]);
    }
    bytes
}

#[test]
fn reads_of_any_size_from_anywhere_give_the_same_samples() {
    // Three channels of an odd total: frames begin in the middle of a byte in format 212.
    let samples: Vec<i16> = (0..3 * 30_001i32).map(|n| (n * 37 % 4_095 - 2_047) as i16).collect();
    let head = "t 3 100 30001\n";
    let lines = |format| format!("{head}{}", format!("t.dat {format} 1(0)\n").repeat(3));
    for (format, bytes) in [("16", bytes_16(samples.clone())), ("212", bytes_212(&samples))] {
        let mut recording = open(&lines(format), &[("t.dat", &bytes)]).expect("opens");
        let whole = rest(&mut recording, 30_001);
        for (channel, got) in whole.iter().enumerate() {
            let want: Vec<f32> =
                samples.iter().skip(channel).step_by(3).map(|&sample| sample.into()).collect();
            assert_eq!(*got, want, "format {format}, channel {channel}");
        }

        recording.seek(0);
        assert_eq!(rest(&mut recording, 7), whole);
        let mut random = Random::new(3);
        for _ in 0..200 {
            let from = random.below(30_001);
            recording.seek(from);
            let mut out = [0.0; 3 * 50];
            let count = recording.read(&mut out, 50).expect("readable");
            assert_eq!(count as u64, 50.min(30_001 - from));
            assert_eq!(out[50..50 + count], whole[1][from as usize..][..count]);
        }
    }
}

#[test]
fn channels_of_several_files_come_together_and_selected_ones_alone() {
    let text = "t 3 100\na.dat 16 1\na.dat 16 2\nb.dat 212 1\n";
    let header = Header::parse(text.as_bytes(), "t.hea").expect("valid");
    let (a, b) = (bytes_16(0..20), bytes_212(&(100..110).collect::<Vec<i16>>()));
    let open_file = |name: &str| Ok(Cursor::new(if name == "a.dat" { &a[..] } else { &b[..] }));

    let mut recording = Recording::open(&header, &[2, 1], open_file).expect("opens");
    let channels = rest(&mut recording, 4);

    assert_eq!(channels[0], (100..110).map(|n| n as f32).collect::<Vec<_>>());
    assert_eq!(channels[1], (0..10).map(|n| n as f32 + 0.5).collect::<Vec<_>>());
}

#[test]
fn several_samples_per_frame_raise_the_rate() {
    let text = "t 2 100 3\nt.dat 16x2 1\nt.dat 16x2 1\n";
    let bytes = bytes_16([0, 1, 10, 11, 2, 3, 12, 13, 4, 5, 14, 15]);

    let mut recording = open(text, &[("t.dat", &bytes)]).expect("opens");

    assert_eq!((recording.rate_hz(), recording.samples()), (200.0, 6));
    recording.seek(1);
    assert_eq!(rest(&mut recording, 2)[1], [11.0, 12.0, 13.0, 14.0, 15.0]);
}

#[test]
fn channels_of_different_rates_are_refused_unless_selected_apart() {
    let text = "t 2 100 3\nt.dat 16x2 1 0 0 0 0 0 fast\nt.dat 16 1 0 0 0 0 0 slow\n";
    let bytes = bytes_16([0, 1, 10, 2, 3, 12, 4, 5, 14]);

    let refusal = open(text, &[("t.dat", &bytes)]).expect_err("refused").to_string();
    assert!(refusal.starts_with("t.hea:3: `slow` has 100 samples per second, but `fast` has 200"));

    let header = Header::parse(text.as_bytes(), "t.hea").expect("valid");
    let mut slow = Recording::open(&header, &[1], |_| Ok(Cursor::new(&bytes))).expect("opens");
    assert_eq!(rest(&mut slow, 9), [[10.0, 12.0, 14.0]]);
}

#[test]
fn a_skewed_channel_is_brought_forward_and_ends_in_nan() {
    let text = "t 2 100 10001\nt.dat 212 1\nt.dat 212:3 1\n";
    let bytes = bytes_212(&(0..20_002).map(|n| (n / 2 % 2_000) as i16).collect::<Vec<_>>());

    let mut recording = open(text, &[("t.dat", &bytes)]).expect("opens");
    let channels = rest(&mut recording, 501);

    let want: Vec<f32> = (0..10_001).map(|n| (n % 2_000) as f32).collect();
    assert_eq!(channels[0], want);
    assert_eq!(channels[1][..9_998], want[3..]);
    assert!(channels[1][9_998..].iter().all(|sample| sample.is_nan()));
}

#[test]
fn a_file_that_ends_inside_a_sample_delivers_all_whole_ones_and_says_what_is_missing() {
    // Two channels of format 16: seven samples are three and a half of both, and a byte.
    let bytes = [bytes_16([1, 2, 3, 4, 5, 6, 7]), vec![8]].concat();
    let mut recording =
        open("t 2 10 10\nt.dat 16 1\nt.dat 16 1\n", &[("t.dat", &bytes)]).expect("opens");

    assert_eq!(rest(&mut recording, 8), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
    assert_eq!(
        recording.mismatch().expect("short").to_string(),
        "t.dat ends early: 3 of 10 samples whole, 7 (0.700 s) missing; \
         t.dat ends in the middle of a sample (3 loose bytes)"
    );
}

#[test]
fn a_file_that_is_longer_than_its_header_says_is_told() {
    let told = |header: &str, bytes: &[u8]| {
        let recording = open(header, &[("t.dat", bytes)]).expect("opens");
        recording.mismatch().map(ToString::to_string)
    };
    let bytes = bytes_16([1, 2, 3, 4, 5]);
    assert_eq!(
        told("t 1 10 2\nt.dat 16 1\n", &bytes).expect("longer"),
        "t.dat goes on behind the 2 samples that its header promises: 3 more (0.300 s) were not \
         delivered"
    );
    assert_eq!(told("t 1 10 5\nt.dat 16 1\n", &bytes), None);
    assert_eq!(
        told("t 1 10\nt.dat 16 1\n", &bytes[..9]).expect("cut"),
        "t.dat ends in the middle of a sample (1 loose byte)"
    );
    // What fills up the last pair is no sample, and a skewed channel ends behind the others.
    assert_eq!(told("t 1 10 3\nt.dat 212 1\n", &bytes_212(&[1, 2, 3, 0])), None);
    assert_eq!(told("t 1 10 3\nt.dat 16:2 1\n", &bytes), None);
}

#[test]
fn a_skew_longer_than_the_file_is_refused() {
    let bytes = bytes_16([1, 2, 3]);
    let refusal = open("t 1 10 3\nt.dat 16:3 1\n", &[("t.dat", &bytes)]).expect_err("refused");
    assert!(refusal.to_string().contains("a channel of `t.dat` is skewed by 3 of 3 frames"));
}

#[test]
fn every_length_of_a_packed_file_delivers_its_whole_samples() {
    let samples: Vec<i16> = (1..=12).collect();
    let bytes = bytes_212(&samples);
    for length in 0..=bytes.len() {
        let whole = length / 3 * 2 + usize::from(length % 3 == 2);
        let opened = open("t 1 10 12\nt.dat 212 1\n", &[("t.dat", &bytes[..length])]);
        if whole == 0 {
            let refused = opened.expect_err("nothing to deliver").to_string();
            assert!(refused.starts_with("t.dat: holds no whole sample of the 12"), "{refused}");
            continue;
        }
        let mut recording = opened.expect("a short file opens");

        assert_eq!(rest(&mut recording, 5)[0].len(), whole);
        assert_eq!(recording.mismatch().is_some(), whole < 12);
    }
}

#[test]
fn a_missing_signal_file_is_named() {
    let refusal = open("t 1 10\nt.dat 16\n", &[]).expect_err("refused").to_string();
    assert_eq!(
        refusal,
        "t.hea:2: cannot open the signal file `t.dat`: there is no such file\n  \
         hint: put `t.dat` into the folder of its header"
    );
}

#[test]
fn lines_of_one_file_that_disagree_are_refused() {
    for (lines, part) in [
        ("a.dat 16\na.dat 212\n", "two formats"),
        ("a.dat 16+4\na.dat 16+8\n", "two byte offsets"),
        ("a.dat 16\nb.dat 16\na.dat 16\n", "two places"),
    ] {
        let count = lines.lines().count();
        let text = format!("t {count} 10\n{lines}");
        let refusal = open(&text, &[("a.dat", &[]), ("b.dat", &[])]).expect_err("refused");
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn no_header_and_no_signal_file_make_it_panic() {
    let mut random = Random::new(11);
    for _ in 0..2_000 {
        let channels = 1 + random.below(4);
        let mut text = format!("t {channels} {}\n", 1 + random.below(1_000));
        for _ in 0..channels {
            let format = ["16", "212", "16x2", "212:5", "212x3", "16+7"][random.below(6) as usize];
            text += &format!("{}.dat {format} {}\n", random.below(2), random.below(300));
        }
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next_u64() as u8).collect();
        if let Ok(mut recording) = open(&text, &[("0.dat", &bytes), ("1.dat", &bytes)]) {
            recording.seek(random.below(40));
            rest(&mut recording, 1 + random.below(20) as usize);
        }
    }
}

#[test]
fn real_recordings_have_the_checksums_of_their_headers() {
    for path in [
        "MIT-LCP+wfdb-python/sample-data/100.hea",
        "MIT-LCP+wfdb-python/sample-data/test01_00s.hea",
        "MIT-LCP+wfdb-python/sample-data/v102s.hea",
        "DeepPSP+torch_ecg/sample-data/cinc2021/HR06000.hea",
        "DeepPSP+torch_ecg/sample-data/cpsc2021/data_8_2.hea",
        "derived-mitdb-wfdb/104.hea",
        "derived-mitdb-wfdb/123.hea",
    ] {
        let Some(path) = data(path) else { return };
        let header =
            Header::parse(&std::fs::read(&path).expect("readable"), "r.hea").expect("valid");
        let selected: Vec<usize> = (0..header.channels.len()).collect();
        let open_file = |name: &str| File::open(path.with_file_name(name));
        let mut recording = Recording::open(&header, &selected, open_file).expect("opens");
        assert_eq!(recording.mismatch(), None);

        for (channel, samples) in header.channels.iter().zip(rest(&mut recording, 1_000)) {
            let invalid = if channel.encoding == Encoding::Int16 { -32_768.0 } else { -2_048.0 };
            let step = |&units: &f32| match units.is_nan() {
                true => invalid,
                false => (f64::from(units) * channel.gain + f64::from(channel.baseline)).round(),
            };
            let sum: f64 = samples.iter().map(step).sum();
            assert_eq!(samples.len() as u64, header.frames.expect("given"));
            assert_eq!(sum as i64 as i16, channel.checksum.expect("given") as i16, "{path:?}");
        }
    }
}

#[test]
fn real_recordings_agree_with_the_reference_in_units() {
    for (record, key) in [
        ("MIT-LCP+wfdb-python/sample-data/100.hea", "mitdb-100"),
        ("derived-mitdb-wfdb/106.hea", "mitdb-106"),
        ("MIT-LCP+wfdb-python/sample-data/v102s.hea", "challenge2015-v102s"),
    ] {
        let Some(path) = data(record) else { return };
        let header =
            Header::parse(&std::fs::read(&path).expect("readable"), "r.hea").expect("valid");
        let open_file = |name: &str| File::open(path.with_file_name(name));
        let mut recording = Recording::open(&header, &[0], open_file).expect("opens");
        let samples = rest(&mut recording, 4_096).remove(0);

        let numbers: Vec<f64> =
            samples.iter().filter(|x| !x.is_nan()).map(|&x| f64::from(x)).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let want = |name| reference("ecg.json", &[key, name]).expect("there");
        assert_eq!((samples.len() - numbers.len()) as f64, want("nan"));
        // The reference is printed with four decimals.
        assert!((mean - want("mean")).abs() <= 0.5001e-4);
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        assert!((least - want("min")).abs() <= 0.5001e-4);
    }
}
