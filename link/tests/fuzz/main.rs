//! No bytes from outside make a reader panic, wait, or take more memory than it says.
//!
//! Each target reads damaged inputs, made from whole ones by seeds: whatever fails, fails again, and the
//! input is printed. Outcomes that were not seen before join the inputs, so that damage builds on damage.
//! `AFFERENT_SEEDS=1000` looks a thousand times as long; `make fuzz` does.
//!
//! | module    | what is read                                                 |
//! |-----------|--------------------------------------------------------------|
//! | `wire`    | datagrams, streams, messages, frames                         |
//! | `session` | a session whose other side sends whatever it likes           |
//! | `pairing` | all messages of a pairing, by both sides                     |
//! | `trust`   | peers, keys, codes, the identity, a handshake of TLS         |

mod heap;
mod pairing;
mod session;
mod trust;
mod wire;

use std::collections::HashSet;

use link::testing::{Random, mutate, seeds};

#[global_allocator]
static HEAP: heap::Measured = heap::Measured;

/// Longest input.
const INPUT_MAX: usize = 8_192;
/// Most inputs kept besides the whole ones.
const KEPT_MAX: usize = 256;

/// Gives `usual` damaged inputs to `read`, more by `AFFERENT_SEEDS`; what it gives back tells outcomes
/// apart. It may take `most(input length)` bytes of memory at once.
fn fuzz(
    usual: u64,
    whole: &[Vec<u8>],
    most: impl Fn(usize) -> usize,
    mut read: impl FnMut(&[u8]) -> u64,
) {
    let mut inputs = whole.to_vec();
    let mut seen: HashSet<u64> = HashSet::new();
    for input in whole {
        seen.insert(watched(u64::MAX, input, &most, &mut read));
    }
    for seed in seeds(usual) {
        let mut random = Random::new(seed);
        let mut pick = || random.below(inputs.len() as u64) as usize;
        let (one, other) = (pick(), pick());
        let mut input = inputs[one].clone();
        mutate(&mut random, &mut input, &inputs[other], INPUT_MAX);
        if seen.insert(watched(seed, &input, &most, &mut read)) {
            let at = inputs.len() - whole.len();
            if at < KEPT_MAX {
                inputs.push(input);
            } else {
                let place = whole.len() + random.below(KEPT_MAX as u64) as usize;
                inputs[place] = input;
            }
        }
    }
}

/// Reads one input, and tells which if that fails.
fn watched(
    seed: u64,
    input: &[u8],
    most: impl Fn(usize) -> usize,
    read: &mut impl FnMut(&[u8]) -> u64,
) -> u64 {
    let _culprit = Culprit { seed, input };
    let (outcome, taken) = heap::peak_of(|| read(input));
    let most = most(input.len());
    assert!(taken <= most, "{taken} bytes of memory for {} of input, {most} allowed", input.len());
    outcome
}

struct Culprit<'a> {
    seed: u64,
    input: &'a [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.input.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("seed {}, input {hex}", self.seed);
        }
    }
}

/// What tells outcomes apart: their words without the numbers, which would make each another.
fn shape(outcome: &impl std::fmt::Debug) -> u64 {
    let text = format!("{outcome:?}");
    let letters = text.bytes().filter(|byte| !byte.is_ascii_digit()).take(512);
    // FNV-1a.
    letters.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
