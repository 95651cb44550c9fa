//! [`Tiles`]: products by AMX, whose tiles hold 16 rows of 32 numbers of 8 significant bits each.
//!
//! A number of more bits is the sum of two such, what the first leaves out and the second: weights of 16 bits exactly,
//! others but for 2⁻¹⁷ of them. (a + a′)(b + b′) is ab + ab′ + a′b but for 2⁻¹⁸ of it: three products in place of one,
//! of instructions that do sixteen times what AVX-512 does.
//!
//! What is not finite, and what is at least 2¹²⁸ − 2¹¹⁹ and has no first part that is, makes NaN of every sum that it is in.
//! ggml, and the other units, make infinity of some of these: of those with an infinity, no zero to multiply it with and no
//! other one of the other sign. So what is finite there is finite here, and the other way round; and ggml has infinity from 65 520 on
//! where it multiplies with weights of 16 bits, of which nothing is lost here.
//!
//! ```text
//!             right, transposed:     a tile is 16 rows of 64 bytes; in memory, for every 32
//!             16 pairs × 16 rows     numbers: left    a₀ a₁ a′₀ a′₁   (16 rows each)
//!                  b₀ b₁                     right   b₀ b₁ b′₀ b′₁
//! left   a₀        0  1              tmm0 to 3: the sums
//! 16×32  a₁        2  3              tmm4, 5: a₀ a₁; tmm6, 7: b₀ b₁
//! ```

// 11. The processor has AMX-TILE, AMX-BF16, AVX-512F and BW, and the system has said that this process may use tiles:
//     `Tiles::new` has asked. The configuration is loaded before any other instruction on tiles, and released on the
//     same thread before this returns.
// 12. The pointers of `sum` point to `steps` · 64 lines each, and to 32 rows of 32 numbers, `stride` apart.

use std::{
    arch::{
        asm,
        x86_64::{
            __cpuid, __cpuid_count, __m256i, __m512i, _CMP_ORD_Q, _mm512_add_epi32,
            _mm512_and_si512, _mm512_castps_si512, _mm512_castsi256_si512, _mm512_castsi512_ps,
            _mm512_cmp_ps_mask, _mm512_cvtepi32_epi16, _mm512_inserti64x4, _mm512_loadu_ps,
            _mm512_mask_add_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_i32x4,
            _mm512_srli_epi32, _mm512_store_si512, _mm512_sub_ps, _mm512_unpackhi_epi32,
            _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
        },
    },
    ops::Range,
    sync::OnceLock,
};

use super::{BLOCK, DEPTH, Kernel, Matrix, Out};

/// Numbers of a row in a tile.
const LINE: usize = 32;
/// Rows of a tile.
const TILE: usize = 16;
/// Rows that are packed together.
const PACKED: usize = 2 * TILE;
/// Lines of packed rows: two tiles, each of two parts.
const LINES: usize = 4 * TILE;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u16; LINE]);

#[repr(C, align(64))]
struct Shapes([u8; 64]);

/// Two tiles by two of eight rows and columns: palette 1, 64 bytes by 16 rows.
static SHAPES: Shapes = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = TILE as u8;
        tile += 1;
    }
    Shapes(bytes)
};

pub(in super::super) struct Tiles {
    left: Vec<Line>,
    right: Vec<Line>,
    /// Rows of the right matrix before they are transposed.
    rows: Vec<f32>,
    /// Of 32 numbers each.
    steps: usize,
}

impl Tiles {
    /// If the processor has them and the system lets this process use them.
    pub(super) fn new() -> Option<Self> {
        static MAY: OnceLock<bool> = OnceLock::new();
        MAY.get_or_init(|| has_tiles() && may_use_tiles()).then(|| Self {
            left: Vec::new(),
            right: Vec::new(),
            rows: Vec::new(),
            steps: 0,
        })
    }
}

fn has_tiles() -> bool {
    // Where ggml was built to use tiles itself, it sets them up once for each thread and relies on that.
    // SAFETY: it says how it was built.
    if unsafe { whisper_rs::whisper_rs_sys::ggml_cpu_has_amx_int8() } != 0 {
        return false;
    }
    let has_vectors = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("f16c");
    if !has_vectors || __cpuid(0).eax < 7 {
        return false;
    }
    // AMX-BF16 and AMX-TILE.
    let named = __cpuid_count(7, 0).edx;
    named & (1 << 22) != 0 && named & (1 << 24) != 0
}

/// Asks Linux, which otherwise does not keep tiles where threads take turns.
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XTILEDATA: i64 = 18;
    let answer: i64;
    // SAFETY: a system call that reads and writes no memory; it leaves `rcx` and `r11` as it likes.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

impl Kernel for Tiles {
    const ROWS: (usize, usize) = (PACKED, PACKED);

    fn pack_left(&mut self, matrix: &Matrix<'_>, rows: Range<usize>, from: usize) {
        self.steps = DEPTH.min(matrix.len - from).div_ceil(LINE);
        self.left.resize(LINES * DEPTH / LINE * BLOCK / PACKED, Line([0; LINE]));
        // SAFETY: 11.
        unsafe { pack_left(&mut self.left, self.steps, matrix, rows, from) }
    }

    fn pack_right(&mut self, matrix: &Matrix<'_>, row: usize, from: usize) {
        self.right.resize(LINES * DEPTH / LINE, Line([0; LINE]));
        self.rows.resize(TILE * DEPTH, 0.0);
        for tile in 0..2 {
            let first = row + TILE * tile;
            // SAFETY: 11.
            unsafe {
                pack_right(
                    &mut self.right,
                    (self.steps, tile),
                    &mut self.rows,
                    matrix,
                    first,
                    from,
                );
            }
        }
    }

    fn multiply(&mut self, at: usize, out: &mut Out<'_>, adds: bool) {
        let left = &self.left[LINES * self.steps * at..][..LINES * self.steps];
        let right = &self.right[..LINES * self.steps];
        let stride = out.stride;
        let to = &mut out.numbers[..stride * (PACKED - 1) + PACKED];
        // SAFETY: 11, 12.
        unsafe {
            sum((left.as_ptr(), right.as_ptr()), self.steps, (to.as_mut_ptr(), stride), adds);
        }
    }
}

/// What the first eight bits of 32 numbers say, and the next eight, each rounded.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn split(numbers: &[f32; LINE]) -> (__m512i, __m512i) {
    let half = |at: usize| {
        // SAFETY: 10: the first or the last sixteen of the numbers.
        let x = unsafe { _mm512_loadu_ps(numbers.as_ptr().add(at)) };
        let bits = _mm512_castps_si512(x);
        let even = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let half = _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff));
        // A NaN of many digits would become a zero.
        let is_number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x);
        let up = _mm512_mask_add_epi32(bits, is_number, bits, half);
        let first = _mm512_and_si512(up, _mm512_set1_epi32(0xffff_0000_u32 as i32));
        let rest = _mm512_castps_si512(_mm512_sub_ps(x, _mm512_castsi512_ps(first)));
        let second = _mm512_add_epi32(rest, _mm512_set1_epi32(0x8000));
        let word = |x: __m512i| _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(x));
        (word(first), word(second))
    };
    let (low, high) = (half(0), half(16));
    let join =
        |low: __m256i, high: __m256i| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
    (join(low.0, high.0), join(low.1, high.1))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn put(line: &mut Line, words: __m512i) {
    // SAFETY: 10: a line is as long, and aligned.
    unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), words) }
}

#[target_feature(enable = "avx512f,avx512bw,avx,f16c")]
fn pack_left(
    lines: &mut [Line],
    steps: usize,
    matrix: &Matrix<'_>,
    rows: Range<usize>,
    from: usize,
) {
    let mut numbers = [0.0; DEPTH];
    let numbers = &mut numbers[..LINE * steps];
    let packs = rows.len().div_ceil(PACKED);
    for (pack, lines) in lines.chunks_exact_mut(LINES * steps).take(packs).enumerate() {
        for row in 0..PACKED {
            let own = rows.start + PACKED * pack + row;
            // Rows behind the last are zeros.
            matrix.read(if own < rows.end { own } else { matrix.rows }, from, numbers);
            for (numbers, lines) in numbers.as_chunks().0.iter().zip(lines.chunks_exact_mut(LINES))
            {
                let (first, second) = split(numbers);
                put(&mut lines[row], first);
                put(&mut lines[PACKED + row], second);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx,f16c")]
fn pack_right(
    lines: &mut [Line],
    (steps, tile): (usize, usize),
    rows: &mut [f32],
    matrix: &Matrix<'_>,
    first: usize,
    from: usize,
) {
    let len = LINE * steps;
    for (row, numbers) in rows.chunks_exact_mut(len).take(TILE).enumerate() {
        matrix.read(first + row, from, numbers);
    }
    for (step, lines) in lines.chunks_exact_mut(LINES).take(steps).enumerate() {
        let mut parts = [[_mm512_setzero_si512(); TILE]; 2];
        let [firsts, seconds] = &mut parts;
        for (row, (one, other)) in firsts.iter_mut().zip(seconds).enumerate() {
            let numbers = &rows[len * row + LINE * step..];
            (*one, *other) = split(numbers.first_chunk().expect("a line of every step"));
        }
        for (part, words) in parts.into_iter().enumerate() {
            let lines = &mut lines[PACKED * part + TILE * tile..][..TILE];
            for (line, words) in lines.iter_mut().zip(transposed(words)) {
                put(line, words);
            }
        }
    }
}

/// Sixteen rows of sixteen pairs, as rows of the first pairs, the second and so on.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512i; TILE]) -> [__m512i; TILE] {
    // Pairs of rows, of pairs of these, within each quarter; then the quarters.
    let mut twos = rows;
    for at in (0..TILE).step_by(2) {
        twos[at] = _mm512_unpacklo_epi32(rows[at], rows[at + 1]);
        twos[at + 1] = _mm512_unpackhi_epi32(rows[at], rows[at + 1]);
    }
    let mut fours = twos;
    for at in (0..TILE).step_by(4) {
        fours[at] = _mm512_unpacklo_epi64(twos[at], twos[at + 2]);
        fours[at + 1] = _mm512_unpackhi_epi64(twos[at], twos[at + 2]);
        fours[at + 2] = _mm512_unpacklo_epi64(twos[at + 1], twos[at + 3]);
        fours[at + 3] = _mm512_unpackhi_epi64(twos[at + 1], twos[at + 3]);
    }
    // `fours[4 · q + c]` has, in quarter `p`, what rows 4 q to 4 q + 3 have in column 4 p + c.
    let mut all = fours;
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let (even_ab, odd_ab) =
            (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (even_de, odd_de) =
            (_mm512_shuffle_i32x4::<0x88>(d, e), _mm512_shuffle_i32x4::<0xdd>(d, e));
        all[c] = _mm512_shuffle_i32x4::<0x88>(even_ab, even_de);
        all[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even_ab, even_de);
        all[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd_ab, odd_de);
        all[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd_ab, odd_de);
    }
    all
}

/// The sums of the products of packed rows, in the place of what is there or added to it.
///
/// # Safety
/// 11, 12.
unsafe fn sum(
    (left, right): (*const Line, *const Line),
    steps: usize,
    (to, stride): (*mut f32, usize),
    adds: bool,
) {
    debug_assert!(steps > 0);
    // SAFETY: 12: the second half of the rows.
    let below = unsafe { to.add(TILE * stride) };
    // SAFETY: 11, 12.
    unsafe {
        asm!(
            "ldtilecfg [{shapes}]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "test {adds}, {adds}",
            "jz 2f",
            "tileloadd tmm0, [{to} + {stride}]",
            "tileloadd tmm1, [{to} + {stride} + 64]",
            "tileloadd tmm2, [{below} + {stride}]",
            "tileloadd tmm3, [{below} + {stride} + 64]",
            "2:",
            // ab′
            "tileloadd tmm4, [{left} + {line}]",
            "tileloadd tmm5, [{left} + {line} + 1024]",
            "tileloadd tmm6, [{right} + {line} + 2048]",
            "tileloadd tmm7, [{right} + {line} + 3072]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // ab
            "tileloadd tmm6, [{right} + {line}]",
            "tileloadd tmm7, [{right} + {line} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // a′b
            "tileloadd tmm4, [{left} + {line} + 2048]",
            "tileloadd tmm5, [{left} + {line} + 3072]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {left}, 4096",
            "add {right}, 4096",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{to} + {stride}], tmm0",
            "tilestored [{to} + {stride} + 64], tmm1",
            "tilestored [{below} + {stride}], tmm2",
            "tilestored [{below} + {stride} + 64], tmm3",
            "tilerelease",
            shapes = in(reg) &raw const SHAPES,
            left = inout(reg) left => _,
            right = inout(reg) right => _,
            steps = inout(reg) steps => _,
            to = in(reg) to,
            below = in(reg) below,
            stride = in(reg) size_of::<f32>() * stride,
            adds = in(reg) u64::from(adds),
            line = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
