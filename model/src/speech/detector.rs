#![expect(unsafe_code, reason = "the state of a detector, which it does not show")]
//! [`Detector`]: the net that is in the program, with a state that can be saved.
//!
//! [`earshot`](https://github.com/pykeio/earshot) keeps its state to itself. A state that is saved is its memory, byte by
//! byte, with a fingerprint of how it lies there: another build may lay it out differently and refuses it.
//!
//! Invariants:
//!   1. The dependency is pinned to one version, whose detector is made of arrays of `f32` and `i16` and nothing else: any
//!      bytes are values of it.
//!   2. It is as long as those arrays together (checked below), so none of its bytes is padding.

use std::{ptr, slice, sync::OnceLock};

use engine::Fault;
use xxhash_rust::xxh3::xxh3_64;

use super::state::{State, wrong};

/// Samples at 16 kHz that it takes at once: 16 ms.
pub const CHUNK: usize = 256;

const BYTES: usize = size_of::<earshot::Detector>();
// Signal, window, features, scratch; state of the net.
const _: () = assert!(BYTES == 4 * (1 + 768 + 120 + 1_026) + 2 * 128);

/// A detector of speech. See the module.
pub struct Detector(Box<earshot::Detector>);

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Detector")
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self(earshot::Detector::default_boxed())
    }
}

impl Detector {
    /// How likely a chunk is speech; its samples are between −1 and 1.
    pub fn hear(&mut self, chunk: &[f32; CHUNK]) -> f32 {
        self.0.predict_f32(chunk)
    }

    /// Forgets what it has heard.
    pub fn reset(&mut self) {
        // What its own `reset` leaves is scratch, which would be saved.
        *self = Self::default();
    }

    /// Appends the state.
    pub(super) fn save(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&fingerprint().to_le_bytes());
        into.extend_from_slice(self.bytes());
    }

    /// Takes up a state.
    pub(super) fn load(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        let mut found = [0; 8];
        state.raw(&mut found)?;
        if u64::from_le_bytes(found) != fingerprint() {
            return Err(wrong());
        }
        state.raw(self.bytes_mut())
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes lie there, none of them padding (2), and they live as long as `self`.
        unsafe { slice::from_raw_parts(ptr::from_ref(&*self.0).cast(), BYTES) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; nobody else sees them meanwhile, and whatever is written is a value (1).
        unsafe { slice::from_raw_parts_mut(ptr::from_mut(&mut *self.0).cast(), BYTES) }
    }
}

/// Says how a detector lies in memory, and what it makes of the same sound: the same of every detector of a build.
fn fingerprint() -> u64 {
    static FOUND: OnceLock<u64> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let mut detector = Detector::default();
        let chunk = std::array::from_fn(|n| (n as f32 / 100.0).sin() * 0.3);
        for _ in 0..4 {
            detector.hear(&chunk);
        }
        xxh3_64(detector.bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_goes_on_from_a_saved_state() {
        let sound = |n: usize| std::array::from_fn(|m| ((n * CHUNK + m) as f32 * 0.05).sin() * 0.5);
        let mut first = Detector::default();
        for n in 0..20 {
            first.hear(&sound(n));
        }
        let mut saved = Vec::new();
        first.save(&mut saved);

        let mut second = Detector::default();
        second.load(&mut State::Load(&saved)).expect("its own");
        for n in 20..40 {
            assert_eq!(second.hear(&sound(n)), first.hear(&sound(n)));
        }
        assert_ne!(Detector::default().hear(&sound(40)), first.hear(&sound(40)));

        saved[0] ^= 1;
        assert!(second.load(&mut State::Load(&saved)).is_err());
    }
}
