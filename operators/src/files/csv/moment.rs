//! Instants as text: exact to the nanosecond in both directions.

use super::layout::TimeUnit;

/// Nanoseconds of a day.
pub(super) const DAY_NS: i64 = 86_400_000_000_000;

/// A number in a unit, a date with a time of day, or that alone, as nanoseconds; the nearest where
/// it is finer.
///
/// A date counts from 1970 in UTC; without a zone it is taken as UTC. A time of day counts from
/// midnight.
pub(super) fn nanoseconds(cell: &[u8], unit: TimeUnit, decimal: u8) -> Option<i64> {
    decimal_nanoseconds(cell, unit, decimal).or_else(|| {
        date_nanoseconds(cell).or_else(|| clock_nanoseconds(cell)).or_else(|| {
            // Numbers with an exponent: a spreadsheet's doing, and rounded already.
            let number: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
            let ns = number * unit.nanoseconds() as f64;
            (ns.abs() < 9.2e18).then(|| ns.round() as i64)
        })
    })
}

fn decimal_nanoseconds(cell: &[u8], unit: TimeUnit, decimal: u8) -> Option<i64> {
    let (is_negative, digits) = match cell.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, cell),
    };
    // The value of one unit of the digit to come; 0 behind the last that counts.
    let mut place = i128::from(unit.nanoseconds());
    let mut whole = 0i128;
    let mut part = 0i128;
    let mut round_up = false;
    let (mut is_part, mut count) = (false, 0);
    for &byte in digits {
        if byte == decimal && !is_part {
            is_part = true;
        } else if !byte.is_ascii_digit() {
            return None;
        } else if is_part {
            let digit = i128::from(byte - b'0');
            if place == 1 {
                round_up = digit >= 5;
                place = 0;
            } else if place > 1 {
                place /= 10;
                part += digit * place;
            }
            count += 1;
        } else {
            whole = whole * 10 + i128::from(byte - b'0');
            count += 1;
            if whole > i128::from(i64::MAX) {
                return None;
            }
        }
    }
    if count == 0 {
        return None;
    }
    let ns = whole * i128::from(unit.nanoseconds()) + part + i128::from(round_up);
    i64::try_from(if is_negative { -ns } else { ns }).ok()
}

/// `YYYY-MM-DD[T ]HH:MM:SS[.fraction][Z|±HH[:]MM]`.
pub(super) fn date_nanoseconds(cell: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(cell).ok()?;
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let is_mark =
        |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|b| marks.contains(b));
    if !(is_mark(4, b"-/") && is_mark(7, b"-/") && is_mark(10, b"T ") && is_mark(13, b":")) {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let is_month = (1..=12).contains(&month);
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = |(year, month)| days_from_1970(year, month, 1);
    if !is_month || !(1..=first(next) - first((year, month))).contains(&day) {
        return None;
    }
    let rest = text.get(11..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let since_midnight_ns = clock_nanoseconds(time.trim_end().as_bytes())?;
    let offset_s = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign, h1, h2, rest @ ..] => {
            let minutes = match rest {
                [] => 0,
                [b':', a, b] | [a, b] => two_digits(*a, *b)?,
                _ => return None,
            };
            let hours = two_digits(*h1, *h2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let seconds = days_from_1970(year, month, day) * 86_400 - offset_s;
    seconds.checked_mul(1_000_000_000)?.checked_add(since_midnight_ns)
}

/// `HH:MM:SS[.fraction]`.
pub(super) fn clock_nanoseconds(cell: &[u8]) -> Option<i64> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref fraction @ ..] = cell else { return None };
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(m1, m2)?, two_digits(s1, s2)?);
    let fraction_ns = match fraction {
        [] => 0,
        [b'.' | b',', rest @ ..] => {
            let text = [b".", rest].concat();
            decimal_nanoseconds(&text, TimeUnit::Seconds, b'.')?
        }
        _ => return None,
    };
    // A leap second may stand at the end of a minute.
    let is_right = hour < 24 && minute < 60 && second < 61;
    is_right.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction_ns)
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Days of the Gregorian calendar (Howard Hinnant, *chrono-compatible low-level date algorithms*).
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of them.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Appends nanoseconds as seconds: exact, and without zeros at the end.
pub(super) fn put_seconds(ns: i64, out: &mut Vec<u8>) {
    if ns < 0 {
        out.push(b'-');
    }
    let ns = ns.unsigned_abs();
    put_whole(ns / 1_000_000_000, out);
    let mut part = ns % 1_000_000_000;
    if part == 0 {
        return;
    }
    let mut digits = [b'.'; 10];
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (part % 10) as u8;
        part /= 10;
    }
    let used = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(&digits[..used]);
}

fn put_whole(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    fn seconds(text: &str) -> Option<i64> {
        nanoseconds(text.as_bytes(), TimeUnit::Seconds, b'.')
    }

    fn written(ns: i64) -> String {
        let mut out = Vec::new();
        put_seconds(ns, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn seconds_are_written_short_and_read_back_exactly() {
        assert_eq!(written(1_500_000_000), "1.5");
        assert_eq!(written(0), "0");
        assert_eq!(written(-1), "-0.000000001");
        assert_eq!(written(120_000_000_000), "120");
        assert_eq!(written(i64::MIN), "-9223372036.854775808");
        let mut random = Random::new(4);
        for _ in 0..100_000 {
            let ns = random.next_u64().cast_signed() >> random.below(64);
            assert_eq!(seconds(&written(ns)), Some(ns));
        }
    }

    #[test]
    fn units_digits_and_exponents_are_understood() {
        let milli = |text: &str| nanoseconds(text.as_bytes(), TimeUnit::Milliseconds, b'.');
        assert_eq!(milli("8.54790319355"), Some(8_547_903));
        assert_eq!(seconds("0.0000000005"), Some(1));
        assert_eq!(seconds("1606398309.680"), Some(1_606_398_309_680_000_000));
        assert_eq!(seconds("1.5e3"), Some(1_500_000_000_000));
        for wrong in ["", "-", ".", "1.2.3", "abc", "99999999999999999999", "nan", "1e300"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29 12:00:00.25"), Some(951_825_600_250_000_000));
        // The Garmin log of the test data: `date -d … +%s` says 1571220541.
        let garmin = Some(1_571_220_541_702_000_000);
        assert_eq!(seconds("2019-10-16T12:09:01.702+02:00"), garmin);
        assert_eq!(seconds("2019-10-16T10:09:01.702"), garmin);
        assert_eq!(seconds("23:59:59.5"), Some(DAY_NS - 500_000_000));
        assert_eq!(seconds("00:00:00,25"), Some(250_000_000));
        for wrong in ["24:00:00", "12:60:00", "1:00:00", "12:00", "12:00:00 PM", "12:00:00.x"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        for wrong in
            ["2019-13-01T00:00:00", "2019-01-01", "2019-01-01T24:00:00", "2019-01-01T00:00:00x"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_and_zones_that_do_not_exist_are_none() {
        for text in [
            "2019-02-29T00:00:00",
            "2019-04-31T00:00:00",
            "2019-13-01T00:00:00",
            "2019-01-01T00:00:00+24:00",
            "2019-01-01T00:00:00+01:60",
        ] {
            assert_eq!(date_nanoseconds(text.as_bytes()), None, "{text}");
        }
        assert!(date_nanoseconds(b"2020-02-29T00:00:00+13:45").is_some());
        assert!(date_nanoseconds(b"2019-12-31 23:59:59").is_some());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = Random::new(6);
        let pieces = b"0123456789.-:+TZ eE\xc3\xa9";
        for _ in 0..100_000 {
            let cell: Vec<u8> = (0..random.below(30))
                .map(|_| pieces[random.below(pieces.len() as u64) as usize])
                .collect();
            let _ = nanoseconds(&cell, TimeUnit::Seconds, b'.');
        }
        let _ = nanoseconds("2019-10-16T12:09:0é".as_bytes(), TimeUnit::Seconds, b'.');
    }
}
