//! Arithmetic sample by sample: no state, no order to keep, any length.
//!
//! Every function runs at the best level of this machine; each sample is rounded after each
//! operation, so the level does not change a bit.
//!
//! # Panics
//!
//! All functions with several slices: if their lengths differ.

use super::level::{Level, Work};

/// `output = a + b`.
pub fn add(a: &[f32], b: &[f32], output: &mut [f32]) {
    assert!(a.len() == output.len() && b.len() == output.len(), "slices are equally long");
    Level::best().run(Add { a, b, output });
}

/// `output = gain · input + offset`.
pub fn affine(gain: f32, offset: f32, input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "slices are equally long");
    Level::best().run(Affine { gain, offset, input, output });
}

/// `y += gain · x`.
pub fn saxpy(gain: f32, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "slices are equally long");
    Level::best().run(Saxpy { gain, x, y });
}

/// `samples *= gain`.
pub fn scale(gain: f32, samples: &mut [f32]) {
    Level::best().run(Scale { gain, samples });
}

struct Add<'a> {
    a: &'a [f32],
    b: &'a [f32],
    output: &'a mut [f32],
}

impl Work for Add<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        for ((a, b), y) in self.a.iter().zip(self.b).zip(self.output) {
            *y = a + b;
        }
    }
}

struct Affine<'a> {
    gain: f32,
    offset: f32,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Work for Affine<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        for (x, y) in self.input.iter().zip(self.output) {
            *y = self.gain * x + self.offset;
        }
    }
}

struct Saxpy<'a> {
    gain: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Work for Saxpy<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        for (x, y) in self.x.iter().zip(self.y) {
            *y += self.gain * x;
        }
    }
}

struct Scale<'a> {
    gain: f32,
    samples: &'a mut [f32],
}

impl Work for Scale<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        for sample in self.samples {
            *sample *= self.gain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|n| ((n * (13 + seed) % 997) as f32 * 0.1).sin()).collect()
    }

    #[test]
    fn every_level_gives_the_bits_of_the_formula() {
        let (gain, offset) = (0.3, -7.1);
        for len in [0, 1, 7, 16, 100] {
            let (a, b) = (signal(0, len), signal(1, len));
            for level in Level::available() {
                let mut got = [vec![0.0; len], vec![0.0; len], b.clone(), a.clone()];
                let [sum, affine, saxpy, scaled] = &mut got;
                level.run(Add { a: &a, b: &b, output: sum });
                level.run(Affine { gain, offset, input: &a, output: affine });
                level.run(Saxpy { gain, x: &a, y: saxpy });
                level.run(Scale { gain, samples: scaled });

                for n in 0..len {
                    let (a, b) = (a[n], b[n]);
                    let want = [a + b, gain * a + offset, b + gain * a, gain * a];
                    let got = got.each_ref().map(|samples| samples[n]);
                    assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{}", level.name());
                }
            }
        }
    }
}
