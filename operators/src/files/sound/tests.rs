use std::{f64::consts::TAU, io::Cursor};

use super::{
    SoundReader,
    testing::{aiff, flac, fmt, riff, stepped, wav},
};
use crate::{files::testing::data, math::random::Random};

/// All of a file: its facts, the channels' samples, what lies before lost pieces, and its remark.
struct Heard {
    rate_hz: u32,
    told: Option<u64>,
    channels: Vec<Vec<f32>>,
    lost: u64,
    remark: Option<String>,
}

fn heard(bytes: &[u8]) -> Result<Heard, String> {
    let open = || Ok(Box::new(Cursor::new(bytes.to_vec())) as Box<dyn engine::ReadSeek>);
    let mut reader = SoundReader::open("x", open).map_err(|error| error.to_string())?;
    let facts = reader.facts().clone();
    let mut channels = vec![Vec::new(); facts.channels];
    let mut lost = 0;
    loop {
        let len = reader.ready(777).map_err(|error| error.to_string())?;
        if len == 0 {
            match reader.pass_lost() {
                0 => break,
                more => lost += more,
            }
            continue;
        }
        let mut planes = vec![0.0; len * facts.channels];
        reader.take(&mut planes, len);
        for (channel, plane) in channels.iter_mut().zip(planes.chunks_exact(len)) {
            channel.extend_from_slice(plane);
        }
    }
    let remark = reader.remark();
    Ok(Heard { rate_hz: facts.rate_hz, told: facts.samples, channels, lost, remark })
}

fn all(bytes: &[u8]) -> Heard {
    heard(bytes).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Two channels of 2 500 samples at 44 100 Hz, interleaved: two sines, the second half as loud.
fn sound() -> Vec<f64> {
    let sample = |n: usize| {
        let (frame, channel) = ((n / 2) as f64, (n % 2) as f64);
        0.9 / (1.0 + channel) * (TAU * (440.0 + 110.0 * channel) * frame / 44_100.0).sin()
    };
    (0..5_000).map(sample).collect()
}

/// How far what was heard is from the sound, at most.
fn error(heard: &Heard) -> f64 {
    let sound = sound();
    assert_eq!((heard.rate_hz, heard.channels.len(), heard.channels[0].len()), (44_100, 2, 2_500));
    assert!(heard.remark.is_none(), "{:?}", heard.remark);
    let wanted = |channel: usize| sound.iter().skip(channel).step_by(2);
    let off = heard.channels.iter().enumerate().flat_map(|(channel, samples)| {
        let pairs = samples.iter().zip(wanted(channel));
        pairs.map(|(&got, want)| (f64::from(got) - want).abs())
    });
    off.fold(0.0, f64::max)
}

#[test]
fn one_sound_is_the_same_in_every_encoding() {
    let sound = sound();
    // An integer is off by half a step, 2^-bits, and an f32 near 1 by half of 2^-23.
    let rounding = |bits: u16| (-f64::from(bits)).exp2() + (-24f64).exp2();
    for bits in [8, 16, 24, 32] {
        let heard = all(&wav(44_100, 2, bits, false, &sound));
        let (off, most) = (error(&heard), rounding(bits));
        // Being a sample late would be off by 2π · 440 / 44 100 · 0.9 = 0.056.
        assert!(off <= most, "{bits} bits: {off} is more than {most}");
        assert_eq!(heard.told, Some(2_500));
    }
    assert!(error(&all(&wav(44_100, 2, 32, true, &sound))) <= (-24f64).exp2());
    for (name, bytes) in [("aiff", aiff(44_100, 2, &sound)), ("flac", flac(44_100, 2, &sound))] {
        let heard = all(&bytes);
        assert!(error(&heard) <= rounding(16), "{name}");
        assert_eq!(heard.told, Some(2_500), "{name}");
        // The same integers give the same bits whoever reads them.
        assert_eq!(heard.channels, all(&wav(44_100, 2, 16, false, &sound)).channels, "{name}");
    }
}

#[test]
fn encodings_beyond_the_usual_are_read() {
    let sound = sound();
    let doubles: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert!(
        error(&all(&riff(&[(b"fmt ", &fmt(3, 2, 44_100, 64)), (b"data", &doubles)])))
            <= (-24f64).exp2()
    );

    // 24 bits at the top of four bytes, told as the extensible header does.
    let mut extensible = fmt(0xfffe, 2, 44_100, 32);
    extensible.extend_from_slice(&[22, 0, 24, 0, 3, 0, 0, 0]);
    extensible
        .extend_from_slice(b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    let wide = sound.iter().flat_map(|&sample| (stepped(sample, 24) << 8).to_le_bytes());
    let wide: Vec<u8> = wide.collect();
    let off = error(&all(&riff(&[(b"fmt ", &extensible), (b"data", &wide)])));
    assert!(off <= (-24f64).exp2() + (-24f64).exp2(), "{off}");

    // A-law's steps are a 32nd of the sample or finer: 13 bits of which it keeps five.
    let law: Vec<u8> = sound.iter().map(|&sample| a_law(sample)).collect();
    let format = [fmt(6, 2, 44_100, 8), vec![0, 0]].concat();
    let off = error(&all(&riff(&[(b"fmt ", &format), (b"data", &law)])));
    assert!(off <= 0.9 / 32.0, "{off}");
}

/// A sample as G.711 writes it: a sign, three bits of exponent, four of mantissa, every other bit turned.
fn a_law(sample: f64) -> u8 {
    let step = (sample.abs() * 4_096.0).min(4_095.0) as u32;
    let exponent = (32 - step.leading_zeros()).saturating_sub(5);
    let code = match exponent {
        0 | 1 if step < 64 => (step >> 1) as u8,
        _ => {
            let exponent = exponent.min(7);
            (exponent as u8) << 4 | (step >> exponent & 0x0f) as u8
        }
    };
    (code | if sample >= 0.0 { 0x80 } else { 0 }) ^ 0x55
}

#[test]
fn any_rate_and_up_to_64_channels_are_read() {
    for rate_hz in [1, 7_351, 11_025, 44_056, 192_000, 3_072_000] {
        let heard = all(&wav(rate_hz, 1, 16, false, &[0.25; 5]));
        assert_eq!((heard.rate_hz, heard.channels), (rate_hz, vec![vec![0.25; 5]]));
    }
    let sound: Vec<f64> = (0..96).map(|n| f64::from(n % 32) / 32.0).collect();
    let heard = all(&wav(48_000, 32, 24, false, &sound));
    let wanted: Vec<Vec<f32>> = (0..32u8).map(|n| vec![f32::from(n) / 32.0; 3]).collect();
    assert_eq!(heard.channels, wanted);

    for (bytes, says) in [
        (
            riff(&[(b"fmt ", &fmt(1, 65, 8_000, 8)), (b"data", &[0; 650])]),
            "has 65 channels; 1 to 64 are read",
        ),
        (riff(&[(b"fmt ", &fmt(1, 1, 0, 8)), (b"data", &[0; 8])]), "has 0 samples per second"),
        (riff(&[(b"fmt ", &fmt(1, 1, 4_000_000, 8)), (b"data", &[0; 8])]), "1 to 3072000 are read"),
    ] {
        let problem = heard_problem(&bytes);
        assert!(problem.contains(says) && problem.contains("hint: "), "{problem}");
    }
}

fn heard_problem(bytes: &[u8]) -> String {
    heard(bytes).err().expect("refused")
}

#[test]
fn a_header_that_is_wrong_about_its_length_is_put_right() {
    let samples: Vec<u8> = (0..1_000u16).flat_map(|n| n.to_le_bytes()).collect();
    let format = fmt(1, 1, 1_000, 16);
    // An odd chunk before the samples is padded, a chunk behind them is none of them.
    let whole =
        riff(&[(b"LIST", b"abc"), (b"fmt ", &format), (b"data", &samples), (b"LIST", b"de")]);
    let wanted = all(&whole).channels;
    assert_eq!(wanted[0].len(), 1_000);

    let plain = riff(&[(b"fmt ", &format), (b"data", &samples)]);
    let with_len = |len: u32| {
        let mut bytes = plain.clone();
        bytes[40..44].copy_from_slice(&len.to_le_bytes());
        bytes
    };
    for len in [0, u32::MAX] {
        // Written into a pipe: the length was not known.
        let heard = all(&with_len(len));
        assert_eq!((heard.channels, heard.remark, heard.told), (wanted.clone(), None, Some(1_000)));
    }
    let heard = all(&with_len(4_000));
    assert_eq!(heard.channels, wanted);
    let cut = "x: cut off: of 2.000 s the last 1.000 s are missing";
    assert_eq!((heard.remark.as_deref(), heard.told), (Some(cut), Some(1_000)));

    // RF64 keeps the length in a chunk of its own.
    let ds64 = [&[0; 8][..], &2_000u64.to_le_bytes(), &[0; 12]].concat();
    let mut long =
        riff(&[(b"ds64", &ds64), (b"fmt ", &format), (b"data", &samples), (b"LIST", b"de")]);
    long[..4].copy_from_slice(b"RF64");
    let at = long.windows(4).position(|name| name == b"data").expect("there") + 4;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let heard = all(&long);
    assert_eq!((heard.channels, heard.remark), (wanted, None));
}

#[test]
fn chunks_behind_no_samples_are_no_sound() {
    let list = b"INFOISFT\x0e\0\0\0Lavf60.16.100\0";
    let format = fmt(1, 1, 16_000, 16);
    for behind in [&[(b"LIST", &list[..])][..], &[(b"LIST", &list[..]), (b"odd ", b"abc")], &[]] {
        let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"fmt ", &format), (b"data", &[])];
        chunks.extend(behind);
        let bytes = riff(&chunks);
        for bytes in [&bytes[..], &bytes[..bytes.len() - usize::from(behind.len() == 2)]] {
            let told = heard(bytes).err().expect("it has no sample");
            assert!(told.contains("holds no sample"), "{told}");
        }
    }
    // What only begins like a chunk is sound whose length was not known.
    let mut bytes = riff(&[(b"fmt ", &format), (b"data", b"LIST\x09\0\0\0samples!")]);
    bytes[40..44].fill(0);
    assert_eq!(all(&bytes).channels[0].len(), 8);
}

#[test]
fn what_is_cut_off_is_delivered_up_to_there() {
    let sound = sound();
    let whole = wav(44_100, 2, 24, false, &sound);
    let wanted = all(&whole).channels;
    // Bytes of samples begin at 68 in an extensible header; two bytes of a sample are left.
    let heard = all(&whole[..68 + 6 * 1_000 + 2]);
    assert_eq!(heard.channels[1], wanted[1][..1_000]);
    let cut = "x: cut off: of 0.057 s the last 0.034 s are missing";
    assert_eq!((heard.remark.as_deref(), heard.told), (Some(cut), Some(1_000)));
    let heard = all(&whole[..whole.len() - 1]);
    assert_eq!(heard.remark.as_deref(), Some("x: cut off in its last sample"));

    // Of FLAC's three blocks of 1 024 two and a half are there.
    let whole = flac(44_100, 2, &sound);
    let heard = all(&whole[..whole.len() - 500]);
    assert_eq!(heard.channels[0].len(), 2_048);
    let remark = heard.remark.expect("it is cut off");
    assert!(remark.starts_with("x: cut off: of 0.057 s the last 0.010 s"), "{remark}");

    for (bytes, says) in [
        (&b""[..], "x: is empty"),
        (b"hello, world\n", "x: is no sound file but text: `hello, world\\n`"),
        (&wav(8_000, 1, 16, false, &[]), "x: holds no sample"),
        (&wav(8_000, 1, 16, false, &[0.0])[..16], "ends before it tells what its samples are"),
        (&riff(&[(b"fmt ", &fmt(1, 1, 8_000, 16))]), "ends before its samples"),
        (&riff(&[(b"data", &[0; 8])]), "without a `fmt ` chunk before its samples"),
        (&flac(44_100, 2, &sound)[..40], "x: "),
    ] {
        let problem = heard_problem(bytes);
        assert!(problem.contains(says) && problem.contains("\n  hint: "), "{problem}");
    }
}

#[test]
fn no_number_is_silent_and_told() {
    let mut sound = vec![0.5; 3_000];
    (sound[1_500], sound[1_501], sound[2_000]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
    let heard = all(&wav(1_000, 1, 32, true, &sound));

    let mut wanted = vec![0.5; 3_000];
    (wanted[1_500], wanted[1_501], wanted[2_000]) = (0.0, 0.0, 0.0);
    assert_eq!(heard.channels[0], wanted);
    let told = "x: 3 samples are no finite number and silent, the first at 1.500 s";
    assert_eq!(heard.remark.as_deref(), Some(told));
    // What is louder than full scale, or huge, is a number.
    let loud = all(&wav(1_000, 1, 32, true, &[1.5, -3.0e38, 3.0e38]));
    assert_eq!((loud.channels[0].clone(), loud.remark), (vec![1.5, -3.0e38, 3.0e38], None));
}

#[test]
fn a_block_that_is_broken_is_a_gap() {
    let sound = sound();
    let whole = flac(44_100, 2, &sound);
    let wanted = all(&whole).channels;
    let mut broken = whole;
    // In the second of three blocks, each of some 4 KB.
    broken[42 + 4_200 + 2_000] ^= 0x40;
    let heard = all(&broken);
    // Whether the block is passed over or decoded wrongly, what follows stands where it stood.
    let left = heard.channels[0].len() + heard.lost as usize;
    assert_eq!(left, 2_500, "{:?}", heard.remark);
    assert_eq!(heard.channels[0][..1_024], wanted[0][..1_024]);
    assert!(heard.channels[0].ends_with(&wanted[0][2_048..]));
}

#[test]
fn recordings_agree_whatever_they_were_encoded_as() {
    let bytes = |path: &str| data(path).map(|path| std::fs::read(path).expect("readable"));
    let Some(of_wav) = bytes("ggml-org+whisper.cpp/samples/jfk.wav") else { return };
    let of_mp3 = bytes("ggml-org+whisper.cpp/samples/jfk.mp3").expect("beside it");
    let of_ogg = bytes("librosa+data/audio/198-209-0000.hq.ogg").expect("the data is there");
    let (of_wav, of_mp3, of_ogg) = (all(&of_wav), all(&of_mp3), all(&of_ogg));

    for (name, heard, rate_hz, samples) in [
        ("wav", &of_wav, 16_000, 176_000),
        ("mp3", &of_mp3, 16_000, 176_000),
        ("ogg", &of_ogg, 16_000, 222_561),
    ] {
        assert_eq!((heard.rate_hz, heard.channels.len()), (rate_hz, 1), "{name}");
        assert_eq!((heard.channels[0].len(), &heard.remark), (samples, &None), "{name}");
    }
    // What MP3 leaves out is quiet; a sample late would be nearly as loud as the sound is above 2 kHz.
    let (exact, coded) = (&of_wav.channels[0], &of_mp3.channels[0]);
    let off = |late: usize| -> f64 {
        let pairs = exact.iter().zip(&coded[late..]);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
    };
    let loud: f64 = exact.iter().map(|a| f64::from(*a).powi(2)).sum();
    assert!(off(0) < 0.01 * loud, "{} dB", 10.0 * (off(0) / loud).log10());
    assert!(off(1) > 4.0 * off(0), "a sample late is told apart");
}

#[test]
fn damage_in_the_middle_of_an_mp3_is_a_gap_and_shifts_nothing() {
    let Some(path) = data("ggml-org+whisper.cpp/samples/jfk.mp3") else { return };
    let whole = std::fs::read(path).expect("readable");
    let wanted = all(&whole);
    let mut random = Random::new(19);
    for (from, len) in [(20_000, 10), (20_000, 300), (30_000, 5_000), (50_001, 20_000)] {
        for fill in [Some(0), Some(0xff), None] {
            let mut damaged = whole.clone();
            for byte in &mut damaged[from..from + len] {
                *byte = fill.unwrap_or_else(|| random.below(256) as u8);
            }
            let heard = all(&damaged);
            let told = format!("{len} bytes of {fill:?} at {from}: {:?}", heard.remark);
            assert_eq!(heard.channels[0].len() as u64 + heard.lost, 176_000, "{told}");
            assert!(heard.channels[0].ends_with(&wanted.channels[0][165_000..]), "{told}");
            // 56 kbit/s or so, and what the frames at both ends have lost.
            let most = 176_000 * len as u64 / whole.len() as u64 + 4 * 1_152;
            assert!(heard.lost <= most, "{} lost of {most}: {told}", heard.lost);
            assert!(len < 2_000 || heard.lost > most / 3, "{} lost of {most}: {told}", heard.lost);
        }
    }
}

#[test]
fn damaged_files_are_read_or_refused_in_words() {
    let sound = sound();
    let mut files = vec![
        wav(44_100, 2, 16, false, &sound[..600]),
        wav(44_100, 2, 32, true, &sound[..600]),
        aiff(44_100, 2, &sound[..600]),
        flac(44_100, 2, &sound[..600]),
    ];
    for path in ["ggml-org+whisper.cpp/samples/jfk.mp3", "librosa+data/audio/198-209-0000.hq.ogg"] {
        let Some(path) = data(path) else { continue };
        files.push(std::fs::read(path).expect("readable")[..12_000].to_vec());
    }
    let mut random = Random::new(0x50);
    let rounds =
        std::env::var("AFFERENT_FUZZ").map_or(40, |rounds| rounds.parse().expect("a number"));
    for bytes in &files {
        for _ in 0..rounds {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(4) {
                // Headers are where mistakes hurt.
                let reach = if random.below(2) == 0 { 100 } else { damaged.len() as u64 };
                let at = random.below(reach.min(damaged.len() as u64)) as usize;
                match random.below(4) {
                    0 => damaged.truncate(at.max(1)),
                    1 => damaged[at] = 0xff,
                    _ => damaged[at] = random.next_u64() as u8,
                }
            }
            match heard(&damaged) {
                Ok(heard) => assert!(heard.channels.iter().flatten().all(|s| s.is_finite())),
                Err(problem) => assert!(problem.contains("hint: "), "{problem}"),
            }
        }
    }
}
