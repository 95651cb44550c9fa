//! Numbers as they stand in tables.

/// A rate with about three digits that count.
pub(crate) fn rate(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

pub(crate) fn hz(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} MHz", value / 1e6),
        value if value >= 1e4 => format!("{:.1} kHz", value / 1e3),
        value => format!("{} Hz", rate(value)),
    }
}

/// A share of something as `0.4 %`.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent >= 9.95 => format!("{percent:.0} %"),
        percent if percent >= 0.095 || percent == 0.0 => format!("{percent:.1} %"),
        _ => "<0.1 %".to_owned(),
    }
}
