//! [`Kernel`]: what finite filters have in common, for whoever feeds them.

use crate::math::state::StateError;

/// A finite filter of planar samples, with its state.
pub trait Kernel: Send {
    /// How many samples become one.
    fn factor(&self) -> usize {
        1
    }

    /// How many samples come in before the one at which the next output is due.
    fn to_skip(&self) -> usize {
        0
    }

    /// How many samples per channel come out when the next frame has `len` of them.
    fn output_len(&self, len: usize) -> usize {
        len
    }

    /// Filters planes of equal length, one per channel, of any length.
    ///
    /// # Panics
    ///
    /// If `input` does not divide into the channels, or `output` has not `output_len` samples for
    /// each.
    fn run(&mut self, input: &[f32], output: &mut [f32]);

    /// Back to rest: the next sample is the first.
    fn reset(&mut self);

    /// Appends the state.
    fn save(&self, bytes: &mut Vec<u8>);

    /// Takes over the state of a filter with as many taps and channels and the same factor. On an
    /// error nothing has changed.
    ///
    /// # Errors
    ///
    /// What does not fit.
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError>;
}
