//! [`Vitals`]: what the lines of a graph say about the person at its sensor.

use std::collections::VecDeque;

/// Beats the shown heart rate is the mean of: steady enough to read, quick enough to follow.
const BEATS: usize = 8;

/// The newest values worth showing, picked from lines by the names of their fields.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    rr_ms: VecDeque<f64>,
    rmssd_ms: Option<f64>,
    sdnn_ms: Option<f64>,
    /// For graphs without a heart: the newest line in a few words.
    newest: Option<String>,
}

impl Vitals {
    /// Takes one line such as `{"node":"beats","t_s":12.3,"rr_ms":812.5}`.
    pub(crate) fn take(&mut self, line: &str) {
        let mut node = "";
        let mut first: Option<(&str, &str)> = None;
        for (key, value) in fields(line) {
            let number = || value.parse::<f64>().ok().filter(|number| number.is_finite());
            match key {
                "node" => node = value.trim_matches('"'),
                "t_s" | "session" => {}
                "rr_ms" => {
                    if let Some(rr_ms) = number().filter(|rr_ms| *rr_ms > 0.0) {
                        self.rr_ms.truncate(BEATS - 1);
                        self.rr_ms.push_front(rr_ms);
                    }
                }
                "rmssd_ms" => self.rmssd_ms = number().or(self.rmssd_ms),
                "sdnn_ms" => self.sdnn_ms = number().or(self.sdnn_ms),
                _ if value.starts_with(['[', '{']) => {}
                _ => first = first.or(Some((key, value))),
            }
        }
        if let Some((key, value)) = first {
            self.newest = Some(format!("{node} {key} {}", value.trim_matches('"')));
        }
    }

    /// Beats per minute.
    pub(crate) fn heart_bpm(&self) -> Option<f64> {
        let mean_ms = self.rr_ms.iter().sum::<f64>() / self.rr_ms.len() as f64;
        (!self.rr_ms.is_empty()).then_some(60_000.0 / mean_ms)
    }

    /// Heart-rate variability in milliseconds, and by which measure.
    pub(crate) fn variability(&self) -> Option<(&'static str, f64)> {
        let rmssd = self.rmssd_ms.map(|rmssd| ("RMSSD", rmssd));
        rmssd.or(self.sdnn_ms.map(|sdnn| ("SDNN", sdnn)))
    }

    /// The newest line in a few words.
    pub(crate) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

/// Keys and values of a flat JSON object, values as they stand there.
fn fields(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line.trim().strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let start = rest.find('"')? + 1;
        let key_end = start + rest[start..].find('"')?;
        let value_at = key_end + 1 + rest[key_end + 1..].find(':')? + 1;
        let value_end = value_at + value_len(&rest[value_at..]);
        let field = (&rest[start..key_end], rest[value_at..value_end].trim());
        rest = &rest[value_end..];
        Some(field)
    })
}

/// Bytes until the comma or bracket that ends a JSON value.
fn value_len(text: &str) -> usize {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b',' if depth == 0 => return at,
            b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heart_rate_is_the_mean_of_the_last_beats() {
        let mut vitals = Vitals::default();
        assert_eq!(vitals.heart_bpm(), None);

        vitals.take(r#"{"node":"beats","t_s":1.0,"rr_ms":100.0}"#);
        for _ in 0..BEATS {
            vitals.take(r#"{"node":"beats","t_s":12.3,"rr_ms":750.0,"ectopic":false}"#);
        }
        vitals.take(r#"{"node":"beats","t_s":13.1,"rr_ms":null}"#);

        // 750 is exact in binary, and so is the sum of eight of it.
        assert_eq!(vitals.heart_bpm(), Some(80.0));
    }

    #[test]
    fn fields_are_found_whatever_stands_in_texts() {
        let line = r#"{"node":"x","label":"a, \"b\": {","wave":[1,2],"mean":-1.5}"#;

        let found: Vec<_> = fields(line).collect();

        assert_eq!(found[1], ("label", r#""a, \"b\": {""#));
        assert_eq!(found[2], ("wave", "[1,2]"));
        assert_eq!(found[3], ("mean", "-1.5"));
    }

    #[test]
    fn any_text_is_survived() {
        for line in ["", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "}{", "\u{0}", "{\"é\":\"é"] {
            Vitals::default().take(line);
        }
    }

    #[test]
    fn other_graphs_show_their_newest_line() {
        let mut vitals = Vitals::default();

        vitals.take(r#"{"node":"pacer","t_s":3.0,"phase":"in"}"#);

        assert_eq!(vitals.newest(), Some("pacer phase in"));
    }
}
