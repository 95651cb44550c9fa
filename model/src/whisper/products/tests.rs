use std::{cell::Cell, slice};

use whisper_rs::whisper_rs_sys as sys;

use super::*;

/// Numbers between -1 and 1, the same every time.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state as i32) as f32 / 2_147_483_648.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// As binary16, by cutting digits off, and what that stands for.
fn halves(numbers: &[f32]) -> (Vec<u16>, Vec<f32>) {
    numbers
        .iter()
        .map(|x| {
            let bits = x.to_bits();
            let exponent = (bits >> 23 & 0xff) as i32 - 127;
            if exponent < -14 {
                return (0, 0.0);
            }
            let half =
                (bits >> 16 & 0x8000) | ((exponent + 15) as u32) << 10 | (bits >> 13 & 0x3ff);
            (half as u16, f32::from_bits(bits & 0xffff_e000))
        })
        .unzip()
}

fn name(unit: &Unit) -> &'static str {
    match unit {
        Unit::Tiles(_) => "AMX",
        Unit::Wide(_) => "AVX-512",
        Unit::Narrow(_) => "AVX2",
    }
}

#[test]
fn products_are_what_their_definition_says() {
    for (rows, columns, len) in
        [(1, 1, 1), (7, 3, 5), (16, 16, 32), (33, 65, 70), (100, 40, 1_100), (600, 20, 33)]
    {
        let (left, right) = (numbers(rows * (len + 3), 1), numbers(columns * (len + 1), 2));
        let (half, right) = halves(&right);
        let (half_left, left_cut) = halves(&left);
        for unit in Unit::all() {
            let mut unit = unit;
            for is_half in [false, true] {
                let of = |numbers, stride, rows| Matrix { numbers, stride, rows, len };
                let (known, given) = match is_half {
                    true => (&left_cut, Numbers::Half(&half_left)),
                    false => (&left, Numbers::Single(&left)),
                };
                let stride = columns + 2;
                let mut got = vec![f32::NAN; rows * stride];
                let mut out = Out { numbers: &mut got, stride };
                let left = of(given, len + 3, rows);
                let right_half = of(Numbers::Half(&half), len + 1, columns);
                assert!(unit.multiply(&left, &right_half, &mut out, || false));
                for (at, got) in got.iter().enumerate() {
                    let (row, column) = (at / stride, at % stride);
                    if column >= columns {
                        assert!(got.is_nan(), "what lies between rows is not touched");
                        continue;
                    }
                    let pairs = (0..len).map(|k| {
                        let (a, b) = (known[row * (len + 3) + k], right[column * (len + 1) + k]);
                        f64::from(a) * f64::from(b)
                    });
                    let (want, most) =
                        pairs.fold((0.0, 0.0), |(sum, most), x| (sum + x, most + f64::abs(x)));
                    // 2⁻¹⁷ and 2⁻¹⁸ of every product, and the rounding of sums of `len` numbers.
                    let error = most * (1.2e-5 + 6e-8 * len as f64);
                    let off = (f64::from(*got) - want).abs();
                    assert!(off <= error, "{} of {rows}×{columns}×{len}: {off}", name(&unit));
                }
            }
        }
    }
}

#[test]
fn a_product_that_is_to_stop_stops_midway() {
    let (left, right) = (numbers(1_500 * 384, 1), numbers(1_536 * 384, 2));
    let of = |all, rows| Matrix { numbers: Numbers::Single(all), stride: 384, rows, len: 384 };
    for mut unit in Unit::all() {
        let mut got = vec![0.0; 1_500 * 1_536];
        let asked = Cell::new(0);
        let stops = || {
            asked.set(asked.get() + 1);
            asked.get() == 5
        };
        let mut out = Out { numbers: &mut got, stride: 1_536 };
        assert!(!unit.multiply(&of(&left, 1_500), &of(&right, 1_536), &mut out, stops));
        assert_eq!(asked.get(), 5);
        assert!(got.iter().any(|x| *x != 0.0) && *got.last().unwrap() == 0.0);
    }
}

#[test]
fn what_is_no_finite_number_leaves_none_in_its_sums_and_the_others_alone() {
    const ROWS: usize = 40;
    const LEN: usize = 70;
    let (left, right) = (numbers(ROWS * LEN, 3), numbers(ROWS * LEN, 4));
    let nans = [f32::NAN, f32::from_bits(0x7fff_ffff), f32::from_bits(0xffff_8001)];
    let nans = [&nans[..], &[f32::from_bits(0x7f80_0001), f32::from_bits(0xff80_8000)]].concat();
    let others = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    for mut unit in Unit::all() {
        let is_tiles = matches!(unit, Unit::Tiles(_));
        let mut products = |left: &[f32], right: &[f32]| {
            let of = |all| Matrix { numbers: all, stride: LEN, rows: ROWS, len: LEN };
            let mut got = vec![0.0; ROWS * ROWS];
            let mut out = Out { numbers: &mut got, stride: ROWS };
            let (left, right) = (of(Numbers::Single(left)), of(Numbers::Single(right)));
            assert!(unit.multiply(&left, &right, &mut out, || false));
            got
        };
        let whole = products(&left, &right);
        for (x, is_nan) in nans.iter().map(|x| (*x, true)).chain(others.iter().map(|x| (*x, false)))
        {
            for at in [0, 17 * LEN + 40, ROWS * LEN - 1] {
                for is_left in [true, false] {
                    let (mut left, mut right) = (left.clone(), right.clone());
                    if is_left {
                        left[at] = x
                    } else {
                        right[at] = x
                    };
                    for (place, (got, before)) in
                        products(&left, &right).iter().zip(&whole).enumerate()
                    {
                        let row = if is_left { place / ROWS } else { place % ROWS };
                        if row != at / LEN {
                            assert_eq!(got, before, "{x} in another row");
                        } else if is_tiles || is_nan {
                            assert!(got.is_nan(), "{x} ({:x}): {got}", x.to_bits());
                        } else if x.is_infinite() {
                            assert!(got.is_infinite(), "{x}: {got}");
                        }
                    }
                }
            }
        }
    }
}

/// Room for tensors of ggml.
struct Room(*mut sys::ggml_context);

impl Room {
    fn new() -> Self {
        let params = sys::ggml_init_params {
            mem_size: 64 << 20,
            mem_buffer: std::ptr::null_mut(),
            no_alloc: false,
        };
        // SAFETY: `drop` frees it.
        Self(unsafe { sys::ggml_init(params) })
    }

    /// A tensor of these numbers; what they stand for in it.
    fn tensor(
        &self,
        is_half: bool,
        shape: [usize; 4],
        seed: u32,
    ) -> (*mut sys::ggml_tensor, Vec<f32>) {
        let kind =
            if is_half { sys::ggml_type_GGML_TYPE_F16 } else { sys::ggml_type_GGML_TYPE_F32 };
        let [a, b, c, d] = shape.map(|n| n as i64);
        let all = numbers(shape.iter().product(), seed);
        let (half, cut) = halves(&all);
        // SAFETY: the room lives on, and the tensor has as many numbers of that size.
        let tensor = unsafe {
            let tensor = sys::ggml_new_tensor_4d(self.0, kind, a, b, c, d);
            let to = (*tensor).data;
            match is_half {
                true => slice::from_raw_parts_mut(to.cast(), half.len()).copy_from_slice(&half),
                false => slice::from_raw_parts_mut(to.cast(), all.len()).copy_from_slice(&all),
            }
            tensor
        };
        (tensor, if is_half { cut } else { all })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: `new` has made it.
        unsafe { sys::ggml_free(self.0) };
    }
}

/// The numbers of a tensor in f32, through its strides.
fn read(tensor: *const sys::ggml_tensor) -> impl Fn([usize; 4]) -> f32 {
    // SAFETY: the callers' rooms live on.
    let tensor = unsafe { &*tensor };
    move |at| {
        let begins: usize = at.iter().zip(tensor.nb).map(|(at, nb)| at * nb).sum();
        // SAFETY: a number of the tensor.
        unsafe {
            let number = tensor.data.byte_add(begins);
            match tensor.type_ {
                sys::ggml_type_GGML_TYPE_F16 => sys::ggml_fp16_to_fp32(*number.cast()),
                _ => *number.cast(),
            }
        }
    }
}

#[test]
fn products_of_tensors_follow_their_views_and_broadcast() {
    let room = Room::new();
    for (is_half, half_left) in [(false, false), (true, false), (false, true), (true, true)] {
        // Of the right: two matrices for four of the left, of rows and planes that lie apart and out of order.
        let (right, _) = room.tensor(is_half, [80, 3, 24, 2], 5);
        let (left, _) = room.tensor(half_left, [96, 4, 40, 3], 6);
        // SAFETY: ggml makes them within what there is of each.
        let (right, left) = unsafe {
            let size = if is_half { 2 } else { 4 };
            let nb = (*right).nb;
            let view = sys::ggml_view_4d(
                room.0,
                right,
                70,
                2,
                20,
                1,
                nb[1],
                nb[2],
                nb[3],
                2 * nb[2] + nb[1] + 5 * size,
            );
            // Rows are what was the third axis.
            let right = sys::ggml_permute(room.0, view, 0, 2, 1, 3);
            let (size, nb) = (if half_left { 2 } else { 4 }, (*left).nb);
            let view = sys::ggml_view_4d(
                room.0,
                left,
                70,
                4,
                33,
                3,
                nb[1],
                nb[2],
                nb[3],
                3 * nb[2] + 9 * size,
            );
            (right, sys::ggml_permute(room.0, view, 0, 2, 1, 3))
        };
        // SAFETY: as above.
        let node = unsafe { &*sys::ggml_mul_mat(room.0, right, left) };
        assert_eq!(node.ne, [20, 33, 4, 3]);
        // SAFETY: a tensor of a graph.
        assert!(unsafe { device::supports(std::ptr::null_mut(), node) });
        let (one, other, got) = (read(left), read(right), read(node));
        for mut unit in Unit::all() {
            // SAFETY: 16.
            assert!(unsafe { device::product(&mut unit, node) });
            for (outer, inner, row, column) in (0..3)
                .flat_map(|a| (0..4).map(move |b| (a, b)))
                .flat_map(|(a, b)| (0..33).map(move |c| (a, b, c)))
                .flat_map(|(a, b, c)| (0..20).map(move |d| (a, b, c, d)))
            {
                let pairs = (0..70).map(|k| {
                    // Two of the left's matrices for each of the right's.
                    let (a, b) = (one([k, row, inner, outer]), other([k, column, inner / 2, 0]));
                    f64::from(a) * f64::from(b)
                });
                let (want, most) =
                    pairs.fold((0.0, 0.0), |(sum, most), x| (sum + x, most + f64::abs(x)));
                let off = (f64::from(got([column, row, inner, outer])) - want).abs();
                // As in `products_are_what_their_definition_says`.
                assert!(off <= most * (1.2e-5 + 6e-8 * 70.0), "{}: {off}", name(&unit));
            }
        }
    }
}

#[test]
fn sums_that_are_finite_are_those_that_ggml_has_finite() {
    let room = Room::new();
    for x in [f32::NAN, f32::from_bits(0x7fff_ffff), f32::INFINITY, f32::NEG_INFINITY, 70_000.0] {
        for is_half in [true, false] {
            let (right, _) = room.tensor(is_half, [64, 16, 1, 1], 7);
            let (left, _) = room.tensor(false, [64, 16, 1, 1], 8);
            // SAFETY: a number of it.
            unsafe { *(*left).data.cast::<f32>().add(64 * 5 + 20) = x };
            // SAFETY: ggml makes a graph of one product and computes it.
            let node = unsafe {
                let node = sys::ggml_mul_mat(room.0, right, left);
                let graph = sys::ggml_new_graph(room.0);
                sys::ggml_build_forward_expand(graph, node);
                sys::ggml_graph_compute_with_ctx(room.0, graph, 1);
                &*node
            };
            let finite = || -> Vec<bool> {
                let got = read(node);
                (0..256).map(|at| got([at % 16, at / 16, 0, 0]).is_finite()).collect()
            };
            let theirs = finite();
            // What weights of 16 bits are multiplied with ggml rounds to such.
            let is_lost = is_half && x == 70_000.0;
            for mut unit in Unit::all() {
                // SAFETY: 16.
                assert!(unsafe { device::product(&mut unit, node) });
                for (at, (ours, theirs)) in finite().into_iter().zip(&theirs).enumerate() {
                    assert_eq!(ours != *theirs, is_lost && at / 16 == 5, "{x} by {}", name(&unit));
                }
            }
        }
    }
}
