//! Samples as cards take and give them.

/// A sample of a card: −1 to 1, or a whole number for that.
pub trait Encoded: Copy + Send + 'static {
    /// From −1 to 1.
    fn decoded(self) -> f32;

    /// The nearest to `sample`, which is from −1 to 1; what is beyond is clipped, and NaN is silent.
    fn encoded(sample: f32) -> Self;
}

impl Encoded for f32 {
    #[inline(always)]
    fn decoded(self) -> f32 {
        self
    }

    #[inline(always)]
    fn encoded(sample: f32) -> Self {
        // `clamp` would keep NaN.
        if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
    }
}

impl Encoded for i16 {
    #[inline(always)]
    fn decoded(self) -> f32 {
        f32::from(self) / 32_768.0
    }

    #[inline(always)]
    fn encoded(sample: f32) -> Self {
        // A conversion saturates, and makes 0 of NaN.
        (sample * 32_768.0).round() as Self
    }
}

impl Encoded for u16 {
    #[inline(always)]
    fn decoded(self) -> f32 {
        (f32::from(self) - 32_768.0) / 32_768.0
    }

    #[inline(always)]
    fn encoded(sample: f32) -> Self {
        // Silence is in the middle.
        (i32::from(i16::encoded(sample)) + 32_768) as Self
    }
}

impl Encoded for i32 {
    #[inline(always)]
    fn decoded(self) -> f32 {
        (f64::from(self) / 2_147_483_648.0) as f32
    }

    #[inline(always)]
    fn encoded(sample: f32) -> Self {
        (f64::from(sample) * 2_147_483_648.0).round() as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a sample.
    fn there_and_back<S: Encoded>(sample: f32) -> f32 {
        S::encoded(sample).decoded()
    }

    #[test]
    fn what_is_encoded_comes_back() {
        for sample in [-1.0, -0.5, -1.0 / 32_768.0, 0.0, 0.25, 32_767.0 / 32_768.0] {
            assert_eq!(there_and_back::<i16>(sample), sample);
            assert_eq!(there_and_back::<u16>(sample), sample);
            assert_eq!(there_and_back::<i32>(sample), sample);
            assert_eq!(there_and_back::<f32>(sample), sample);
        }
    }

    #[test]
    fn silence_is_in_the_middle_and_loudness_has_an_end() {
        assert_eq!((u16::encoded(0.0), u16::encoded(-9.0), u16::encoded(9.0)), (32_768, 0, 65_535));
        assert_eq!((i16::encoded(-9.0), i16::encoded(f32::INFINITY)), (i16::MIN, i16::MAX));
        assert_eq!((i32::encoded(-9.0), i32::encoded(9.0)), (i32::MIN, i32::MAX));
        assert_eq!((f32::encoded(-9.0), f32::encoded(9.0)), (-1.0, 1.0));
        let nothing = f32::NAN;
        assert_eq!((i16::encoded(nothing), u16::encoded(nothing)), (0, 32_768));
        assert_eq!((i32::encoded(nothing), f32::encoded(nothing)), (0, 0.0));
    }
}
