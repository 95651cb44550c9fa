//! What the columns of a table are, as far as its first rows tell.

use super::cell::{cells, number};
use super::moment;

/// A column of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name without its unit; `channel_1` and so on where there is no header row.
    pub name: String,
    /// Its unit, where the name ends in one: `ecg (mV)`, `ecg [mV]`, `ecg_mv`.
    pub unit: Option<String>,
}

/// The unit of a column of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// 10^9 nanoseconds.
    #[default]
    Seconds,
    /// 10^6 nanoseconds.
    Milliseconds,
    /// 1 000 nanoseconds.
    Microseconds,
    /// 1 nanosecond.
    Nanoseconds,
}

impl TimeUnit {
    pub(super) fn nanoseconds(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    /// As `time_unit` takes it.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// The unit in which a number is a moment since 1970 that somebody may have recorded: between
    /// 2001 and 2096.
    pub(super) fn since_1970(number: f64) -> Option<Self> {
        [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds]
            .into_iter()
            .find(|unit| (1e18..4e18).contains(&(number * unit.nanoseconds() as f64)))
    }

    fn of(unit: &str) -> Option<Self> {
        match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "seconds" => Some(Self::Seconds),
            "ms" => Some(Self::Milliseconds),
            "us" | "µs" => Some(Self::Microseconds),
            "ns" => Some(Self::Nanoseconds),
            _ => None,
        }
    }
}

/// Names that mean a column of times, without unit.
const TIME_NAMES: [&str; 8] =
    ["t", "time", "timestamp", "timestamps", "seconds", "datetime", "date_time", "time_stamp"];

/// Units that a name may end in behind an underscore, as written there and as we write them.
const UNITS: [(&str, &str); 12] = [
    ("mv", "mV"),
    ("uv", "uV"),
    ("v", "V"),
    ("s", "s"),
    ("ms", "ms"),
    ("us", "us"),
    ("ns", "ns"),
    ("hz", "Hz"),
    ("bpm", "bpm"),
    ("g", "g"),
    ("pct", "%"),
    ("degc", "°C"),
];

impl Column {
    /// Parts a header cell into name and unit.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        for (open, close) in [('(', ')'), ('[', ']')] {
            if let Some((name, unit)) = text.strip_suffix(close).and_then(|t| t.rsplit_once(open))
                && !name.trim().is_empty()
                && !unit.trim().is_empty()
            {
                let (name, unit) = (name.trim().to_owned(), Some(unit.trim().to_owned()));
                return Self { name, unit };
            }
        }
        if let Some((name, suffix)) = text.rsplit_once('_')
            && !name.is_empty()
            && let Some((_, unit)) =
                UNITS.iter().find(|(ending, _)| suffix.eq_ignore_ascii_case(ending))
        {
            return Self { name: name.to_owned(), unit: Some((*unit).to_owned()) };
        }
        Self { name: text.to_owned(), unit: None }
    }

    /// The columns of a table with these names; those without get their number for one.
    pub(super) fn all(names: &[String], has_header: bool) -> Vec<Self> {
        let named = |(index, name): (usize, &String)| match (has_header, name.is_empty()) {
            (true, false) => Self::parse(name),
            (true, true) => Self { name: format!("column_{}", index + 1), unit: None },
            (false, _) => Self { name: format!("channel_{}", index + 1), unit: None },
        };
        let mut all: Vec<Self> = names.iter().enumerate().map(named).collect();
        crate::files::make_unique(all.iter_mut().map(|column| &mut column.name));
        all
    }

    pub(super) fn is_time(&self) -> bool {
        let is_known = TIME_NAMES.iter().any(|name| self.name.eq_ignore_ascii_case(name));
        is_known && self.unit.as_ref().is_none_or(|unit| TimeUnit::of(unit).is_some())
    }

    pub(super) fn time_unit(&self) -> Option<TimeUnit> {
        self.unit.as_deref().and_then(TimeUnit::of)
    }
}

/// What is no table at all, by its first bytes: what it is, and what to do about it.
pub(super) fn no_table(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match bytes {
        [0x1f, 0x8b, ..] => ("is packed by gzip", "unpack it: `gunzip FILE`"),
        [b'P', b'K', 3, 4, ..] => (
            "is a ZIP archive, or a workbook such as `.xlsx`",
            "unpack it, or save the sheet as CSV in UTF-8",
        ),
        _ if bytes.iter().take(512).any(|&byte| byte == 0)
            || bytes.starts_with(b"\xff\xfe")
            || bytes.starts_with(b"\xfe\xff") =>
        {
            ("is no UTF-8 text: it may be UTF-16, or no table at all", "save it as CSV in UTF-8")
        }
        _ if bytes.contains(&b'\r') && !bytes.contains(&b'\n') => (
            "ends its lines by carriage returns alone",
            "save it with line feeds: `tr '\\r' '\\n' < OLD > NEW`",
        ),
        _ => return None,
    })
}

/// The delimiter of a line: a tab or `;` where it has one, else `,`.
pub(super) fn delimiter_of(line: &[u8]) -> u8 {
    let mut is_quoted = false;
    let mut outside = line.iter().filter(|&&byte| {
        is_quoted ^= byte == b'"';
        !is_quoted
    });
    outside.find(|byte| matches!(byte, b'\t' | b';')).copied().unwrap_or(b',')
}

/// Whether a line names columns: at least one cell is neither a number nor an instant.
pub(super) fn is_header(line: &[u8], delimiter: u8, decimal: u8) -> bool {
    cells(line, delimiter).any(|cell| {
        let is_time = || moment::nanoseconds(cell, TimeUnit::Seconds, decimal).is_some();
        number(cell, decimal).is_none() && !is_time()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_taken_from_names() {
        for (text, name, unit) in [
            ("ecg (mV)", "ecg", Some("mV")),
            (" Gyroscope X (deg/s) ", "Gyroscope X", Some("deg/s")),
            ("EDA [uS]", "EDA", Some("uS")),
            ("ecg_mv", "ecg", Some("mV")),
            ("acc_x", "acc_x", None),
            ("(odd)", "(odd)", None),
            ("_s", "_s", None),
            ("", "", None),
        ] {
            let unit = unit.map(str::to_owned);
            assert_eq!(Column::parse(text), Column { name: name.to_owned(), unit }, "{text}");
        }
    }

    #[test]
    fn time_columns_are_known_by_name() {
        for (text, unit) in [
            ("t_s", Some(TimeUnit::Seconds)),
            ("Time (s)", Some(TimeUnit::Seconds)),
            ("timestamp_ms", Some(TimeUnit::Milliseconds)),
            ("TimeStamp", None),
        ] {
            let column = Column::parse(text);
            assert!(column.is_time(), "{text}");
            assert_eq!(column.time_unit(), unit);
        }
        assert!(!Column::parse("ecg").is_time() && !Column::parse("t (mV)").is_time());
    }

    #[test]
    fn the_first_line_shows_delimiter_and_header() {
        assert_eq!(delimiter_of(b"a,b;c"), b';');
        assert_eq!(delimiter_of(b"\"a;b\",c"), b',');
        assert!(is_header(b"0,ecg", b',', b'.'));
        assert!(!is_header(b"2019-10-16T12:09:01.702+02:00;-36;", b';', b'.'));
    }
}
