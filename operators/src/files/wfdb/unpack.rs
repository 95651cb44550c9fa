//! Bytes of a signal file to numbers, and numbers to physical units.

/// Format 212: two samples of 12 bits, two's complement, in three bytes.
///
/// ```text
/// byte 0   aaaaaaaa     low 8 bits of the first
/// byte 1   BBBBAAAA     high 4 bits of the second, high 4 bits of the first
/// byte 2   bbbbbbbb     low 8 bits of the second
/// ```
///
/// Reads `out.len()` samples from the `start`th on; `bytes` begins with sample 0.
pub(super) fn unpack_212(bytes: &[u8], start: usize, out: &mut [i16]) {
    let mut bytes = &bytes[start / 2 * 3..];
    let (odd, out) = out.split_at_mut((start % 2).min(out.len()));
    if let [first] = odd {
        *first = second_of_pair(bytes[1], bytes[2]);
        bytes = &bytes[3..];
    }

    // Four samples from six bytes at a time: one load in place of six.
    let mut fours = out.chunks_exact_mut(4);
    let mut eights = bytes.windows(8).step_by(6);
    let mut used = 0;
    for (four, eight) in fours.by_ref().zip(eights.by_ref()) {
        let word = u64::from_le_bytes(eight.try_into().expect("windows of eight"));
        four[0] = ((word << 4) as i16) >> 4;
        // The second of a pair has its high bits below its low ones.
        four[1] = (((word >> 4) & 0x0f00) as i16 | ((word >> 16) & 0xff) as i16) << 4 >> 4;
        let word = word >> 24;
        four[2] = ((word << 4) as i16) >> 4;
        four[3] = (((word >> 4) & 0x0f00) as i16 | ((word >> 16) & 0xff) as i16) << 4 >> 4;
        used += 4;
    }

    let bytes = &bytes[used / 2 * 3..];
    for (pair, three) in out[used..].chunks_mut(2).zip(bytes.chunks(3)) {
        pair[0] = ((u16::from(three[0]) | u16::from(three[1]) << 8) << 4) as i16 >> 4;
        if let Some(second) = pair.get_mut(1) {
            *second = second_of_pair(three[1], three[2]);
        }
    }
}

fn second_of_pair(high: u8, low: u8) -> i16 {
    (u16::from(high & 0xf0) << 8 | u16::from(low) << 4) as i16 >> 4
}

/// Format 16: two bytes, low one first. Reads like [`unpack_212`].
pub(super) fn unpack_16(bytes: &[u8], start: usize, out: &mut [i16]) {
    for (sample, two) in out.iter_mut().zip(bytes[start * 2..].chunks_exact(2)) {
        *sample = i16::from_le_bytes([two[0], two[1]]);
    }
}

/// Physical units of the samples of one channel that stand `step` apart: the f32 nearest to
/// (sample − baseline) / gain, and NaN for the code that says *no sample here*.
pub(super) fn to_units(samples: &[i16], step: usize, scale: Scale, out: &mut [f32]) {
    let Scale { gain, baseline, invalid } = scale;
    let convert = |sample: i16| {
        let units = ((f64::from(sample) - baseline) / gain) as f32;
        if sample == invalid { f32::NAN } else { units }
    };
    // The neighbouring case is written apart because it becomes vector instructions.
    if step == 1 {
        for (out, &sample) in out.iter_mut().zip(samples) {
            *out = convert(sample);
        }
    } else {
        for (out, &sample) in out.iter_mut().zip(samples.iter().step_by(step)) {
            *out = convert(sample);
        }
    }
}

/// How one channel's steps become units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub gain: f64,
    pub baseline: f64,
    pub invalid: i16,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one sample at a time, in the words of the format's manual page.
    fn sample_212(bytes: &[u8], index: usize) -> i16 {
        let three = &bytes[index / 2 * 3..];
        let bits = match index % 2 {
            0 => i32::from(three[0]) | i32::from(three[1] & 0x0f) << 8,
            _ => i32::from(three[2]) | i32::from(three[1] >> 4) << 8,
        };
        (if bits >= 2_048 { bits - 4_096 } else { bits }) as i16
    }

    #[test]
    fn packed_samples_follow_the_definition_from_any_start_for_any_length() {
        let bytes: Vec<u8> = (0..60u32).map(|n| (n * 89 + 17) as u8).collect();
        for start in 0..8 {
            for length in 0..32 {
                let mut out = vec![0; length];
                unpack_212(&bytes, start, &mut out);

                let want: Vec<i16> =
                    (start..start + length).map(|index| sample_212(&bytes, index)).collect();
                assert_eq!(out, want, "start {start}, length {length}");
            }
        }
    }

    #[test]
    fn a_last_single_sample_needs_two_bytes_only() {
        let mut out = [0; 3];
        unpack_212(&[1, 0, 2, 0xff, 0x0f], 0, &mut out);
        assert_eq!(out, [1, 2, -1]);
    }

    #[test]
    fn the_invalid_code_becomes_nan_and_the_others_units() {
        let scale = Scale { gain: 200.0, baseline: 1_024.0, invalid: -2_048 };
        let mut out = [0.0; 3];
        to_units(&[995, -2_048, 1_024], 1, scale, &mut out);
        assert_eq!((out[0], out[2]), (-0.145, 0.0));
        assert!(out[1].is_nan());
    }
}
