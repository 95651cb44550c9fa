use std::cell::Cell;

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
