//! [`Unit`]: products of matrices, in which whisper.cpp spends three quarters of its time on tiny, by the widest instructions
//! of this processor, and so that they can be stopped midway.
//!
//! whisper.cpp is built for every processor since 2013, and looks whether to stop between two products, the largest of
//! which take it 25 ms. [`device`] offers it these instead, which look every tenth of a millisecond:
//!
//! | instructions | how |
//! |---|---|
//! | AMX | numbers as sums of two of 8 bits, three products of these ([`tiles`]) |
//! | AVX-512 | as they are, in blocks that stay in registers ([`vectors`]) |
//! | AVX2 with FMA | the same |
//!
//! With AVX-512 a decode takes as long as with whisper.cpp's own products (`--bench transcribe --case products`), but can be
//! stopped; with AMX in a quarter of the time of these built with -O2, and of -O3 that is not measured yet.
//!
//! whisper.cpp rounds what weights are multiplied with to 16 bits, an error of up to 2⁻¹² of each; with AMX it is 2⁻¹⁶,
//! with the others none. All sum in f32, in an order that depends on nothing but the sizes.

// 10. What is read or written by vectors is an array, or a part of one, of at least as many numbers as a vector holds.

pub(super) mod device;
mod tiles;
mod vectors;

/// The numbers of a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numbers<'a> {
    /// IEEE 754's binary16.
    Half(&'a [u16]),
    Single(&'a [f32]),
}

/// A matrix: `rows` rows of `len` numbers, each `stride` behind the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    pub(super) numbers: Numbers<'a>,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) len: usize,
}

/// Where the products go: for each of the one's rows a row of those with each of the other's.
#[derive(Debug)]
pub(super) struct Out<'a> {
    pub(super) numbers: &'a mut [f32],
    pub(super) stride: usize,
}

/// Numbers of a row that are taken at once: so much of 512 rows stays in a processor's second cache.
const DEPTH: usize = 512;
/// Rows that are taken at once.
const BLOCK: usize = 512;

/// Most products that are made together.
const PRODUCTS_MAX: usize = 1_024;

/// What a processor multiplies with, and the room it needs for it.
pub(super) enum Unit {
    Tiles(tiles::Tiles),
    Wide(vectors::Wide),
    Narrow(vectors::Narrow),
}

/// A kind of instructions.
trait Kernel {
    /// Rows that are packed together, of either matrix.
    const ROWS: (usize, usize);

    /// Packs these rows' part from `from` on, at most [`DEPTH`] numbers: of the left matrix all that are taken at once.
    fn pack_left(&mut self, matrix: &Matrix<'_>, rows: std::ops::Range<usize>, from: usize);

    /// Packs `ROWS.1` rows of the right matrix, from `row` on.
    fn pack_right(&mut self, matrix: &Matrix<'_>, row: usize, from: usize);

    /// Products of the `at`th `ROWS.0` packed rows of the left matrix with those of the right: in their place, or added to
    /// what is there.
    fn multiply(&mut self, at: usize, out: &mut Out<'_>, adds: bool);
}

impl Unit {
    /// The fastest of this processor; none where whisper.cpp's own is as good.
    pub(super) fn best() -> Option<Self> {
        Self::all().next()
    }

    /// All that this processor has, the fastest first.
    fn all() -> impl Iterator<Item = Self> {
        let tiles = || tiles::Tiles::new().map(Self::Tiles);
        let wide = || vectors::Wide::new().map(Self::Wide);
        let narrow = || vectors::Narrow::new().map(Self::Narrow);
        [tiles as fn() -> Option<Self>, wide, narrow].into_iter().filter_map(|make| make())
    }

    /// Multiplies every row of `left` with every one of `right`, whose rows are as long. Says whether it came to an end,
    /// which it did not if `stops` said so.
    pub(super) fn multiply(
        &mut self,
        left: &Matrix<'_>,
        right: &Matrix<'_>,
        out: &mut Out<'_>,
        stops: impl Fn() -> bool,
    ) -> bool {
        match self {
            Self::Tiles(kernel) => multiply(kernel, left, right, out, stops),
            Self::Wide(kernel) => multiply(kernel, left, right, out, stops),
            Self::Narrow(kernel) => multiply(kernel, left, right, out, stops),
        }
    }
}

fn multiply<K: Kernel>(
    kernel: &mut K,
    left: &Matrix<'_>,
    right: &Matrix<'_>,
    out: &mut Out<'_>,
    stops: impl Fn() -> bool,
) -> bool {
    let (tall, wide) = K::ROWS;
    for from in (0..left.len).step_by(DEPTH) {
        for top in (0..left.rows).step_by(BLOCK) {
            let rows = top..left.rows.min(top + BLOCK);
            if stops() {
                return false;
            }
            kernel.pack_left(left, rows.clone(), from);
            for column in (0..right.rows).step_by(wide) {
                if stops() {
                    return false;
                }
                kernel.pack_right(right, column, from);
                let width = wide.min(right.rows - column);
                for (at, first) in rows.clone().step_by(tall).enumerate() {
                    let to = &mut out.numbers[out.stride * first + column..];
                    if first + tall <= rows.end && width == wide {
                        let mut to = Out { numbers: to, stride: out.stride };
                        kernel.multiply(at, &mut to, from > 0);
                        continue;
                    }
                    // Less than is packed together.
                    let mut products = [0.0; PRODUCTS_MAX];
                    let mut whole = Out { numbers: &mut products, stride: wide };
                    kernel.multiply(at, &mut whole, false);
                    let own = to.chunks_mut(out.stride).take(rows.end - first);
                    for (to, products) in own.zip(products.chunks_exact(wide)) {
                        let pairs = to.iter_mut().zip(&products[..width]);
                        pairs.for_each(|(to, it)| *to = if from > 0 { *to + it } else { *it });
                    }
                }
            }
        }
    }
    true
}

impl Matrix<'_> {
    /// The numbers of a row from `from` on, as many as there are and fit; zeros behind them.
    #[inline]
    #[target_feature(enable = "avx,f16c")]
    fn read(&self, row: usize, from: usize, to: &mut [f32]) {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
        let count = if row < self.rows { to.len().min(self.len - from) } else { 0 };
        let (to, rest) = to.split_at_mut(count);
        rest.fill(0.0);
        if count == 0 {
            return;
        }
        let at = row * self.stride + from;
        match self.numbers {
            Numbers::Single(all) => to.copy_from_slice(&all[at..at + count]),
            Numbers::Half(all) => {
                let eight = |half: &[u16; 8], to: &mut [f32; 8]| {
                    // SAFETY: 10: eight of each.
                    unsafe {
                        let half = _mm_loadu_si128(half.as_ptr().cast());
                        _mm256_storeu_ps(to.as_mut_ptr(), _mm256_cvtph_ps(half));
                    }
                };
                let (whole, half) = all[at..at + count].as_chunks::<8>();
                let (to, last) = to.as_chunks_mut::<8>();
                for (half, to) in whole.iter().zip(to) {
                    eight(half, to);
                }
                if !half.is_empty() {
                    let (mut padded, mut wide) = ([0; 8], [0.0; 8]);
                    padded[..half.len()].copy_from_slice(half);
                    eight(&padded, &mut wide);
                    last.copy_from_slice(&wide[..half.len()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
