//! [`Wide`] and [`Narrow`]: products by AVX-512 and by AVX2 with FMA, in blocks that stay in registers: a number of each
//! left row with a vector of right ones, which are transposed for it.

// 13. The processor has the instructions: `new` has asked.
// 14. `sum` reads a row of either packed matrix for each of `steps`, which its slices are cut to.

use std::{
    arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    },
    ops::Range,
};

use super::{BLOCK, DEPTH, Kernel, Matrix, Out};

/// Packed rows.
#[derive(Default)]
struct Room {
    left: Vec<f32>,
    right: Vec<f32>,
    /// Rows of the left matrix that are packed together, before they are.
    rows: Vec<f32>,
    steps: usize,
}

impl Room {
    /// Packs rows so that the first numbers of `height` rows follow each other, then the second.
    #[inline]
    #[target_feature(enable = "avx,f16c")]
    fn pack(
        (rows, packed): (&mut Vec<f32>, &mut [f32]),
        matrix: &Matrix<'_>,
        own: Range<usize>,
        from: usize,
        (height, steps): (usize, usize),
    ) {
        rows.resize(height * DEPTH, 0.0);
        for (row, numbers) in rows.chunks_exact_mut(steps).take(height).enumerate() {
            let row = own.start + row;
            matrix.read(if row < own.end { row } else { matrix.rows }, from, numbers);
        }
        for (step, packed) in packed.chunks_exact_mut(height).take(steps).enumerate() {
            for (row, to) in packed.iter_mut().enumerate() {
                *to = rows[steps * row + step];
            }
        }
    }
}

macro_rules! kernel {
    ($name:ident, $sum:ident, $doc:literal, $features:literal, [$($feature:tt),+], $lanes:literal, $tall:literal,
     $zero:ident, $load:ident, $store:ident, $all:ident, $add:ident, $multiply:ident) => {
        #[doc = $doc]
        pub(in super::super) struct $name(Room);

        impl $name {
            /// If the processor has them.
            pub(super) fn new() -> Option<Self> {
                let has = $(is_x86_feature_detected!($feature) &&)+ is_x86_feature_detected!("f16c");
                has.then(|| Self(Room::default()))
            }
        }

        impl Kernel for $name {
            const ROWS: (usize, usize) = ($tall, 2 * $lanes);

            fn pack_left(&mut self, matrix: &Matrix<'_>, rows: Range<usize>, from: usize) {
                let Room { left, rows: room, steps, .. } = &mut self.0;
                *steps = DEPTH.min(matrix.len - from);
                left.resize(DEPTH * (BLOCK + $tall), 0.0);
                let starts = rows.clone().step_by($tall);
                for (first, left) in starts.zip(left.chunks_exact_mut($tall * *steps)) {
                    let own = first..rows.end;
                    // SAFETY: 13.
                    unsafe { Room::pack((room, left), matrix, own, from, ($tall, *steps)) }
                }
            }

            fn pack_right(&mut self, matrix: &Matrix<'_>, row: usize, from: usize) {
                let Room { right, rows: room, steps, .. } = &mut self.0;
                right.resize(DEPTH * 2 * $lanes, 0.0);
                let own = row..matrix.rows;
                // SAFETY: 13.
                unsafe { Room::pack((room, right), matrix, own, from, (2 * $lanes, *steps)) }
            }

            fn multiply(&mut self, at: usize, out: &mut Out<'_>, adds: bool) {
                let Room { left, right, steps, .. } = &self.0;
                let left = left[$tall * steps * at..][..$tall * steps].as_chunks().0;
                let right = right[..2 * $lanes * steps].as_chunks().0;
                // SAFETY: 13.
                unsafe { $sum(left, right, out, adds) }
            }
        }

        #[target_feature(enable = $features)]
        fn $sum(left: &[[f32; $tall]], right: &[[f32; 2 * $lanes]], out: &mut Out<'_>, adds: bool) {
            let mut sums = [[$zero(); 2]; $tall];
            for (left, right) in left.iter().zip(right) {
                // SAFETY: 14: two vectors of a row.
                let (one, other) = unsafe {
                    ($load(right.as_ptr()), $load(right.as_ptr().add($lanes)))
                };
                for (sums, left) in sums.iter_mut().zip(left) {
                    let left = $all(*left);
                    sums[0] = $multiply(left, one, sums[0]);
                    sums[1] = $multiply(left, other, sums[1]);
                }
            }
            for (sums, to) in sums.iter().zip(out.numbers.chunks_mut(out.stride)) {
                for (sums, to) in sums.iter().zip(to[..2 * $lanes].chunks_exact_mut($lanes)) {
                    // SAFETY: 14: a vector of a row.
                    unsafe {
                        let before = if adds { $load(to.as_ptr()) } else { $zero() };
                        $store(to.as_mut_ptr(), $add(before, *sums));
                    }
                }
            }
        }
    };
}

kernel!(
    Wide,
    wide,
    "Products by AVX-512.",
    "avx512f",
    ["avx512f"],
    16,
    12,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps
);
kernel!(
    Narrow,
    narrow,
    "Products by AVX2.",
    "avx2,fma",
    ["avx2", "fma"],
    8,
    6,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps
);
