//! Which instructions this machine has, found out once, and how a kernel is run with them.
//!
//! A kernel is a [`Work`]: safe code, written once, inlined into one function per level and so
//! compiled once per level. This is the only file that needs `unsafe` for it.
//!
//! Invariants:
//!
//! 1. A `Level` is only made by `Level::available`, from what the processor reports, or from a
//!    level that implies it, so a level that exists can run here.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls code compiled for instructions that were detected first")
)]

use std::sync::OnceLock;

/// A set of instructions that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    #[cfg(not(target_arch = "aarch64"))]
    Baseline,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The fastest level of this machine; looked up once.
    pub fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().last().expect("one level runs everywhere"))
    }

    /// Every level of this machine, slowest first. For tests: the bits must not differ.
    pub fn available() -> impl Iterator<Item = Self> {
        let mut sets = Vec::with_capacity(3);
        // NEON is part of every aarch64 that Rust's standard library runs on.
        #[cfg(target_arch = "aarch64")]
        sets.push(Set::Neon);
        #[cfg(not(target_arch = "aarch64"))]
        sets.push(Set::Baseline);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                sets.push(Set::Avx2);
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                sets.push(Set::Avx512);
            }
        }
        sets.into_iter().map(Self)
    }

    /// `baseline`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(not(target_arch = "aarch64"))]
            Set::Baseline => "baseline",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// This level, or the one below with vectors of 256 bits.
    pub(super) fn at_most_256_bits(self) -> Self {
        match self.0 {
            // A processor with AVX-512 has AVX2.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Self(Set::Avx2),
            _ => self,
        }
    }

    /// Does the work with the instructions of this level.
    #[inline]
    pub(super) fn run(self, work: impl Work) {
        match self.0 {
            #[cfg(not(target_arch = "aarch64"))]
            Set::Baseline => work.run::<128>(),
            #[cfg(target_arch = "aarch64")]
            Set::Neon => work.run::<128>(),
            // SAFETY: a level that exists can run here (1).
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(work) },
            // SAFETY: a level that exists can run here (1).
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(work) },
        }
    }
}

/// A kernel with its arguments.
pub(super) trait Work {
    /// Does it. `BITS` is the width of a vector, for choices that do not change a result.
    ///
    /// Must be `#[inline(always)]`, and so must what it calls in its loops: only what is inlined
    /// here is compiled for the level.
    fn run<const BITS: usize>(self);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(work: impl Work) {
    work.run::<256>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn avx512(work: impl Work) {
    work.run::<512>();
}
