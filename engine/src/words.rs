//! Words and numbers as messages and tables write them.

/// `` `a`, `b` and `c` ``; of many the first few.
pub(crate) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if words.len() > SHOWN_MAX + 1 {
        let rest = words.len() - SHOWN_MAX;
        return format!("{} and {rest} more", words[..SHOWN_MAX].join(", "));
    }
    match (words.pop(), words.is_empty()) {
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

/// `a, b, c`; of many the first few and how many more there are.
pub(crate) fn few<'w>(mut words: impl Iterator<Item = &'w str>) -> String {
    let mut shown = words.by_ref().take(SHOWN_MAX).collect::<Vec<_>>().join(", ");
    match words.count() {
        0 => {}
        more => shown += &format!(" and {more} more"),
    }
    shown
}

/// Longer lists are not read.
const SHOWN_MAX: usize = 12;

/// A span in milliseconds with as many digits as matter: `0.05`, `4.2`, `35`, `1000`.
pub(crate) fn millis(nanos: i64) -> String {
    let ms = nanos as f64 / 1e6;
    let digits = match ms.abs() {
        ms if ms < 1.0 => 3,
        ms if ms < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{ms:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A span in seconds with three digits: `0.86 s`, `12.5 s`, `300 s`.
pub(crate) fn seconds(nanos: i64) -> String {
    let s = nanos as f64 / 1e9;
    let digits = match s.abs() {
        s if s < 0.01 => return format!("{} ms", millis(nanos)),
        s if s < 10.0 => 2,
        s if s < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{s:.digits$}");
    match text.contains('.') {
        true => format!("{} s", text.trim_end_matches('0').trim_end_matches('.')),
        false => format!("{text} s"),
    }
}

/// `1 edge`, `2 edges`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // No machine counts further.
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
