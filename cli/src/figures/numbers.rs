//! Numbers as they stand in tables.

use crate::status::rate;

/// `250 Hz`, `10.0 kHz`.
pub(crate) fn hz(value: f64) -> String {
    match value {
        value if value >= 999_950.0 => format!("{:.2} MHz", value / 1e6),
        value if value >= 9_999.5 => format!("{:.1} kHz", value / 1e3),
        value => format!("{} Hz", rate(value)),
    }
}

/// A share of something as `0.4 %`.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent >= 9.95 => format!("{percent:.0} %"),
        // None at all is not what is too little to be written.
        0.0 => "0 %".to_owned(),
        percent if percent >= 0.095 => format!("{percent:.1} %"),
        _ => "<0.1 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_from_little() {
        assert_eq!([0.0, 0.0004, 0.001, 0.1].map(percent), ["0 %", "<0.1 %", "0.1 %", "10 %"]);
        assert_eq!([9_999.4, 9_999.6, 2e6].map(hz), ["9999 Hz", "10.0 kHz", "2.00 MHz"]);
    }
}
