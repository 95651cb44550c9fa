//! Cells of a line, and numbers in cells.

/// What stands between delimiters, without spaces and quotes around it.
pub(super) fn cells(line: &[u8], delimiter: u8) -> Cells<'_> {
    Cells { rest: Some(line), delimiter }
}

pub(super) struct Cells<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        // A delimiter inside quotes belongs to the cell; only names have them.
        let quoted = match rest.first() {
            Some(b'"') => {
                1 + rest[1..].iter().position(|&byte| byte == b'"').map_or(0, |at| at + 1)
            }
            _ => 0,
        };
        let end = rest[quoted..].iter().position(|&byte| byte == self.delimiter);
        let (cell, rest) = match end {
            Some(end) => (&rest[..quoted + end], Some(&rest[quoted + end + 1..])),
            None => (rest, None),
        };
        self.rest = rest;
        let cell = cell.trim_ascii();
        Some(cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell))
    }
}

/// The f32 nearest to a number; NaN for an empty cell and the usual words for a missing value.
#[inline]
pub(super) fn number(cell: &[u8], decimal: u8) -> Option<f32> {
    short_number(cell, decimal).or_else(|| any_number(cell, decimal))
}

/// Up to 2^24 with up to ten decimals. Both numbers are exact as f32, so the quotient is rounded
/// once, which makes it the nearest (Clinger 1990). Other cells are left to the standard library.
#[inline]
fn short_number(cell: &[u8], decimal: u8) -> Option<f32> {
    const POWERS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
    let (is_negative, digits) = match cell.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, cell),
    };
    if digits.len() > 12 {
        return None;
    }
    let mut mantissa = 0u64;
    let mut point = None;
    for (index, &byte) in digits.iter().enumerate() {
        if byte.is_ascii_digit() {
            mantissa = mantissa * 10 + u64::from(byte - b'0');
        } else if byte == decimal && point.is_none() {
            point = Some(index);
        } else {
            return None;
        }
    }
    let decimals = point.map_or(0, |point| digits.len() - point - 1);
    if mantissa > 1 << 24 || decimals > 10 || digits.len() == usize::from(point.is_some()) {
        return None;
    }
    let magnitude = mantissa as f32 / POWERS[decimals];
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cold]
fn any_number(cell: &[u8], decimal: u8) -> Option<f32> {
    if is_missing(cell) {
        return Some(f32::NAN);
    }
    let number = real_number(cell, decimal)? as f32;
    // Infinity is taken by name; a number that becomes one is too large for a sample.
    let is_named = || !cell.iter().any(u8::is_ascii_digit);
    (number.is_finite() || is_named()).then(|| exact(cell, decimal))?
}

/// Rounded once: from the text to f32, not by way of f64.
fn exact(cell: &[u8], decimal: u8) -> Option<f32> {
    let text = std::str::from_utf8(cell).ok()?;
    if decimal == b',' { text.replace(',', ".").parse().ok() } else { text.parse().ok() }
}

/// A number of any size, with double precision.
pub(super) fn real_number(cell: &[u8], decimal: u8) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?;
    if decimal == b',' && text.len() < 64 {
        return text.replace(',', ".").parse().ok();
    }
    text.parse().ok()
}

/// Words for a value that is not there, in any case; so does an empty cell.
pub(super) const MISSING: &str = "`-`, `?`, `NaN`, `NA`, `n/a`, `null`, `none` and `missing`";

/// Whether a cell says that there is no value.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] =
        [b"", b"-", b"--", b"?", b"nan", b"na", b"n/a", b"#n/a", b"null", b"none", b"missing"];
    WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    #[test]
    fn every_number_is_the_one_that_rust_reads() {
        let mut random = Random::new(2);
        for _ in 0..200_000 {
            let text = match random.below(4) {
                0 => format!("{}", f32::from_bits(random.next_u64() as u32)),
                1 => format!("{:.3}", random.normals().0),
                2 => format!("{:.9}", random.normals().0),
                _ => format!("{:e}", random.normals().0),
            };
            let want: f32 = text.parse().expect("a number");
            let got = number(text.as_bytes(), b'.').expect("a number");
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{text}");
        }
        for text in ["-0", "-0.0", ".5", "5.", "+3", "1e3", "16777216", "16777217", "0.1"] {
            let want: f32 = text.parse().expect("a number");
            assert_eq!(number(text.as_bytes(), b'.').map(f32::to_bits), Some(want.to_bits()));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            [".", "-.", "1e400", "-4e38", "1.2.3", "1,5", "0x10", "1 2", "abc", "--1", "\u{e9}"]
        {
            assert_eq!(number(text.as_bytes(), b'.'), None, "{text}");
        }
        assert_eq!(number(b"1,5", b','), Some(1.5));
        assert_eq!(number(b"1,5e1", b','), Some(15.0));
        for text in ["", "-", "?", "NA", "nan", "None", "NULL", "missing"] {
            assert!(number(text.as_bytes(), b'.').expect("missing").is_nan(), "{text}");
        }
        assert_eq!(number(b"-inf", b'.'), Some(f32::NEG_INFINITY));
    }

    #[test]
    fn cells_may_be_quoted_and_padded() {
        let got: Vec<&[u8]> = cells(b" a ;\"b;c\";;\"d", b';').collect();
        assert_eq!(got, [&b"a"[..], b"b;c", b"", b"\"d"]);
    }
}
