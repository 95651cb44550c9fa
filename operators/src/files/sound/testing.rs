//! Sound files for tests, written byte by byte.

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

/// A WAV file as `hound` writes it: of `bits` bits, or of floats. Samples are interleaved; those of
/// integers are rounded to the nearest step.
pub(crate) fn wav(
    rate_hz: u32,
    channels: u16,
    bits: u16,
    is_float: bool,
    samples: &[f64],
) -> Vec<u8> {
    let sample_format = if is_float { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate_hz, bits_per_sample: bits, sample_format };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).expect("a valid header");
    for &sample in samples {
        match is_float {
            true => writer.write_sample(sample as f32),
            false => writer.write_sample(stepped(sample, bits)),
        }
        .expect("written");
    }
    writer.finalize().expect("written");
    file.into_inner()
}

/// A sample as an integer of so many bits.
pub(crate) fn stepped(sample: f64, bits: u16) -> i32 {
    let full = (f64::from(bits) - 1.0).exp2();
    (sample * full).round().clamp(-full, full - 1.0) as i32
}

/// A WAV file of these chunks, one after the other as they are.
pub(crate) fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (name, content) in chunks {
        body.extend_from_slice(*name);
        body.extend_from_slice(&(content.len() as u32).to_le_bytes());
        body.extend_from_slice(content);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A `fmt ` chunk of 16 bytes.
pub(crate) fn fmt(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits / 8;
    [
        &tag.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &(u32::from(block) * rate_hz).to_le_bytes(),
        &block.to_le_bytes(),
        &bits.to_le_bytes(),
    ]
    .concat()
}

/// An AIFF file of 16 bits.
pub(crate) fn aiff(rate_hz: u16, channels: u16, samples: &[f64]) -> Vec<u8> {
    // The rate is an 80-bit float: of 16 bits all are in the mantissa's first two bytes.
    let shift = rate_hz.leading_zeros();
    let exponent = (16_383 + 15 - shift) as u16;
    let mantissa = u64::from(rate_hz << shift) << 48;
    let frames = samples.len() as u32 / u32::from(channels);
    let common = [
        &channels.to_be_bytes()[..],
        &frames.to_be_bytes(),
        &16u16.to_be_bytes(),
        &exponent.to_be_bytes(),
        &mantissa.to_be_bytes(),
    ]
    .concat();
    let sound = samples.iter().flat_map(|&sample| (stepped(sample, 16) as i16).to_be_bytes());
    let sound: Vec<u8> = [0; 8].into_iter().chain(sound).collect();
    let mut body = b"AIFF".to_vec();
    for (name, content) in [(b"COMM", common), (b"SSND", sound)] {
        body.extend_from_slice(name);
        body.extend_from_slice(&(content.len() as u32).to_be_bytes());
        body.extend(content);
    }
    [b"FORM", &(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// A FLAC file of 16 bits whose blocks are not compressed, 1 024 samples each.
pub(crate) fn flac(rate_hz: u32, channels: u8, samples: &[f64]) -> Vec<u8> {
    const BLOCK: usize = 1_024;
    let frames = samples.len() as u64 / u64::from(channels);
    let mut file = b"fLaC\x80\x00\x00\x22".to_vec();
    file.extend_from_slice(&[(BLOCK >> 8) as u8, 0, (BLOCK >> 8) as u8, 0]);
    file.extend_from_slice(&[0; 6]);
    // 20 bits of rate, 3 of channels, 5 of bits per sample, 36 of samples.
    let packed = u64::from(rate_hz) << 44 | u64::from(channels - 1) << 41 | 15 << 36 | frames;
    file.extend_from_slice(&packed.to_be_bytes());
    file.extend_from_slice(&[0; 16]);
    for (number, block) in samples.chunks(BLOCK * usize::from(channels)).enumerate() {
        let len = block.len() / usize::from(channels);
        // Fixed blocks whose length, in 16 bits, stands at the end of the header.
        let mut frame = vec![0xff, 0xf8, 0x70, (channels - 1) << 4 | 0x08];
        assert!(number < 0x80, "a number of one byte");
        frame.push(number as u8);
        frame.extend_from_slice(&(len as u16 - 1).to_be_bytes());
        frame.push(crc8(&frame));
        for channel in 0..usize::from(channels) {
            frame.push(0x02);
            for sample in block.iter().skip(channel).step_by(channels.into()) {
                frame.extend_from_slice(&(stepped(*sample, 16) as i16).to_be_bytes());
            }
        }
        let crc = crc16(&frame);
        frame.extend_from_slice(&crc.to_be_bytes());
        file.extend(frame);
    }
    file
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| crc << 1 ^ if crc & 0x80 != 0 { 0x07 } else { 0 })
    })
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let crc = crc ^ u16::from(byte) << 8;
        (0..8).fold(crc, |crc: u16, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x8005 } else { 0 })
    })
}
