//! What packing saves on real recordings.

use std::path::PathBuf;

use engine::{Format, Frame, Rate, Timestamp, Unit};

use crate::wire::{FRAME_HEAD, FrameWriter, NEWEST, RECORD_HEAD, read_frame};

/// As the suite's tests find it: `AFFERENT_DATA`, else beside the project.
fn folder() -> Option<PathBuf> {
    let asked = std::env::var_os("AFFERENT_DATA").map(PathBuf::from);
    let is_asked = asked.is_some();
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = asked.unwrap_or_else(|| beside.into());
    let there = folder.join("README.md").exists();
    assert!(there || !is_asked, "AFFERENT_DATA is {}, where no data is", folder.display());
    if !there {
        eprintln!("SKIPPED: no test data at {} (set AFFERENT_DATA)", folder.display());
    }
    there.then_some(folder)
}

/// Two leads of WFDB's format 212: two numbers of twelve bits in three bytes.
fn format_212(bytes: &[u8], steps: f64, zero: i32) -> [Vec<f32>; 2] {
    let sign = |raw: u16| (i32::from(raw) << 20) >> 20;
    let unit = |raw: u16| (f64::from(sign(raw) - zero) / steps) as f32;
    let leads = bytes.chunks_exact(3).map(|b| {
        let (low, mid, high) = (u16::from(b[0]), u16::from(b[1]), u16::from(b[2]));
        (unit(low | (mid & 0x0f) << 8), unit(high | (mid & 0xf0) << 4))
    });
    let (one, two) = leads.unzip();
    [one, two]
}

/// Samples of a 16-bit WAV file with one channel.
fn wav(bytes: &[u8]) -> Vec<f32> {
    let data = bytes.windows(4).position(|word| word == b"data").expect("a WAV file") + 8;
    let samples = bytes[data..].chunks_exact(2);
    samples.map(|raw| f32::from(i16::from_le_bytes([raw[0], raw[1]])) / 32_768.0).collect()
}

/// One column of numbers of a text file, lines that are none skipped.
fn column(text: &str, column: usize) -> Vec<f32> {
    let numbers = text.lines().filter_map(|line| {
        let cell = line.split([',', '\t', ' ']).filter(|cell| !cell.is_empty()).nth(column)?;
        cell.parse().ok()
    });
    numbers.collect()
}

/// Raw bytes over packed ones, content alone, after every bit was seen to come back.
fn ratio(channels: &[Vec<f32>], frame_len: usize) -> f64 {
    let format =
        Format::signal(channels.len(), Unit::UNKNOWN, Rate::new(1e3).expect("valid"), frame_len);
    let mut writer = FrameWriter::new(&format, NEWEST, true);
    let (mut raw, mut packed) = (0, 0);
    let (mut out, mut at) = (Vec::new(), 0);
    while at < channels[0].len() {
        let end = channels[0].len().min(at + frame_len);
        let planes: Vec<f32> = channels.iter().flat_map(|plane| &plane[at..end]).copied().collect();
        let frame = Frame::signal(Timestamp::ZERO, channels.len(), &planes);
        out.clear();
        writer.put(&mut out, 0, 0, &frame);
        let (_, back) = read_frame(NEWEST, &out[RECORD_HEAD..], &format).expect("just written");
        assert_eq!(back.buffer().bytes(), frame.buffer().bytes());
        raw += planes.len() * 4;
        packed += out.len() - RECORD_HEAD - FRAME_HEAD;
        at = end;
    }
    raw as f64 / packed as f64
}

#[test]
fn recordings_come_back_to_the_bit_in_fewer_bytes() {
    let Some(folder) = folder() else { return };
    let bytes = |path: &str| std::fs::read(folder.join(path)).expect("in the test data");
    let text = |path: &str| String::from_utf8_lossy(&bytes(path)).into_owned();
    let ecg = format_212(&bytes("MIT-LCP+wfdb-python/sample-data/100.dat"), 200.0, 1_024);
    // A filtered signal has no steps, and bits that nobody can foretell.
    let filtered: Vec<f32> = ecg[0]
        .iter()
        .scan(0.0f64, |y, &x| {
            *y += 0.2 * (f64::from(x) - *y);
            Some(*y as f32)
        })
        .collect();
    let speech = wav(&bytes(SPEECH));
    let eda = column(&text(EDA), 0);
    let recordings: [(&str, &[Vec<f32>]); 4] = [
        ("ECG, 2 leads of 11 bits", &ecg),
        ("the same ECG, low-passed", &[filtered]),
        ("speech, 16 bits", &[speech]),
        ("skin conductance, text", &[eda]),
    ];
    let mut shown = String::from("recording                  frames of 10      100    1000\n");
    for (name, channels) in recordings {
        assert!(channels[0].len() > 1_000, "{name} was not read");
        let ratios = [10, 100, 1_000].map(|frame_len| ratio(channels, frame_len));
        let [ten, hundred, thousand] = ratios;
        shown += &format!("{name:26} {ten:12.2} {hundred:8.2} {thousand:7.2}\n");
        // Nothing may grow by more than the byte that says so; that it is not packed is free.
        assert!(ratios.iter().all(|&ratio| ratio >= 1.0), "{shown}");
    }
    println!("{shown}");
    // Quantised at 12 bits, a raw sample of 32 must at least be halved.
    assert!(ratio(&ecg, 100) > 2.0, "{shown}");
}

const SPEECH: &str = "ggml-org+whisper.cpp/samples/jfk.wav";
const EDA: &str = "PIA-Group+BioSPPy/examples/eda.txt";
