//! Numbers as people read them at a glance.

/// A latency with about two digits that count: `0.4 µs`, `41 µs`, `3.1 ms`, `250 ms`.
pub(crate) fn span(ns: i64) -> String {
    match ns as f64 {
        ns if ns.abs() >= 995e3 => format!("{} ms", digits(ns / 1e6)),
        ns => format!("{} µs", digits(ns / 1e3)),
    }
}

/// Minutes and seconds, with hours where there are any: `1:05`, `2:00:07`.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A factor: `1.0 ×`, `21 400 ×`.
pub(crate) fn times(factor: f64) -> String {
    format!("{} ×", digits(factor))
}

/// So many per second: `250 frames/s`, `12.3 k frames/s`.
pub(crate) fn per_second(count: f64, noun: &str) -> String {
    format!("{} {noun}/s", rate(count))
}

/// A rate with about three digits that count, the same wherever it stands: `50.0`, `9842`, `10.0 k`, `2.00 M`.
pub(crate) fn rate(value: f64) -> String {
    // Each as it is rounded, so that no number is written in two ways.
    match value {
        value if value >= 999_950.0 => format!("{:.2} M", value / 1e6),
        value if value >= 9_999.5 => format!("{:.1} k", value / 1e3),
        value if value >= 99.95 || value == 0.0 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    match count as f64 {
        count if count >= 999_950.0 => format!("{:.1} MB", count / 1e6),
        count if count >= 999.5 => format!("{:.1} kB", count / 1e3),
        count => format!("{count} B"),
    }
}

fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 9_999.5 => grouped(value),
        size if size >= 9.95 => format!("{value:.0}"),
        size if size >= 0.995 || size == 0.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Whole, in groups of three.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A moment on the wall, in UTC, by the seconds since 1970 began: `2026-11-23 05:41:07`.
pub(crate) fn date_and_time(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let [year, month, day] = date(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days since 1970 (Hinnant, "chrono-compatible low-level date
/// algorithms", <https://howardhinnant.github.io/date_algorithms.html>).
fn date(days: i64) -> [i64; 3] {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    [year + era * 400 + i64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_the_digits_that_count() {
        assert_eq!(span(410), "0.41 µs");
        assert_eq!(span(41_000), "41 µs");
        assert_eq!(span(3_140_000), "3.1 ms");
        assert_eq!(span(249_900_000), "250 ms");
        assert_eq!(times(1.0), "1.0 ×");
        assert_eq!(times(21_437.2), "21 437 ×");
        assert_eq!(per_second(12_345.0, "frames"), "12.3 k frames/s");
    }

    #[test]
    fn a_rate_is_written_in_one_way() {
        for near in [9_999.6, 10_000.0, 10_000.4] {
            assert_eq!(rate(near), "10.0 k");
        }
        assert_eq!([999_949.0, 999_951.0].map(rate), ["999.9 k", "1.00 M"]);
        assert_eq!(
            [0.0, 9.994, 9.996, 99.94, 99.96].map(rate),
            ["0", "9.99", "10.0", "99.9", "100"]
        );
        assert_eq!([12, 999, 48_211, 999_999].map(bytes), ["12 B", "999 B", "48.2 kB", "1.0 MB"]);
    }

    #[test]
    fn clocks_show_hours_only_where_there_are_any() {
        assert_eq!(clock(65.9), "1:05");
        assert_eq!(clock(7_207.0), "2:00:07");
        assert_eq!(clock(-1.0), "0:00");
    }
}
