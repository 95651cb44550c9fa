//! Units at the end of names: `window_ms` was meant to be `window_s`, a thousandth of its number.

/// Quantities, each with the endings of names that tell its unit, and what a unit is in the first.
const QUANTITIES: &[&[(&str, f64)]] = &[
    &[("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("min", 60.0), ("h", 3_600.0)],
    &[("hz", 1.0), ("khz", 1e3), ("mhz", 1e6), ("bpm", 1.0 / 60.0), ("per_min", 1.0 / 60.0)],
    &[("v", 1.0), ("mv", 1e-3), ("uv", 1e-6), ("nv", 1e-9)],
    &[("turns", 1.0), ("deg", 1.0 / 360.0), ("rad", 0.5 / std::f64::consts::PI)],
    &[("share", 1.0), ("ratio", 1.0), ("pct", 1e-2)],
    &[("m", 1.0), ("cm", 1e-2), ("mm", 1e-3)],
];

/// By what a number under the name `from` is multiplied to stand under the name `to`, where the
/// names differ in nothing but the unit of one quantity.
pub(super) fn factor(from: &str, to: &str) -> Option<f64> {
    let unit = |name: &str, stem: &str, units: &[(&str, f64)]| {
        let ending = name.strip_prefix(stem)?.strip_prefix('_')?;
        units.iter().find(|(unit, _)| *unit == ending).map(|(_, size)| *size)
    };
    let stems = from.match_indices('_').map(|(at, _)| &from[..at]);
    let mut factors = stems.flat_map(|stem| {
        QUANTITIES.iter().filter_map(move |units| {
            Some((unit(from, stem, units)?, unit(to, stem, units)?)).filter(|_| from != to)
        })
    });
    factors.next().map(|(from, to)| from / to)
}

/// A number of twelve digits: what conversions leave behind them is rounding.
pub(super) fn rounded(number: f64) -> f64 {
    format!("{number:.11e}").parse().expect("a number as Rust writes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_quantity_are_converted() {
        let converted = |number: f64, from, to| factor(from, to).map(|by| rounded(by * number));

        assert_eq!(converted(60_000.0, "window_ms", "window_s"), Some(60.0));
        assert_eq!(converted(0.1, "window_s", "window_ms"), Some(100.0));
        assert_eq!(converted(0.05, "cutoff_khz", "cutoff_hz"), Some(50.0));
        assert_eq!(converted(0.1, "flat_mv", "flat_uv"), Some(100.0));
        assert_eq!(converted(6.0, "rate_per_min", "rate_hz"), Some(0.1));
        assert_eq!(converted(5.0, "percentile_share", "percentile_pct"), Some(500.0));
    }

    #[test]
    fn names_of_two_quantities_are_not() {
        for (from, to) in [
            ("window_ms", "step_s"),
            ("window_ms", "window_hz"),
            ("window_ms", "window_ms"),
            ("window", "window_s"),
            ("window_samples", "window_s"),
        ] {
            assert_eq!(factor(from, to), None, "{from} {to}");
        }
    }
}
