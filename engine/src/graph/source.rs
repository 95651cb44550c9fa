//! The `from` grammar: `SOURCE = path[.port][\[channels\]]`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::place::{Place, Spanned};

/// Where an edge begins: a node, perhaps one of its ports, perhaps some of its channels.
///
/// Written `path[.port][\[channels\]]`: `ecg`, `ecg.truth`, `eeg[Fz,Cz]`, `left/clean.out[0..4]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRef {
    /// Names joined by `/` in the text: into includes first, the node last. Never empty.
    pub path: Spanned<Vec<String>>,
    /// The output; without one, the node's only or first.
    pub port: Option<Spanned<String>>,
    /// The channels to take, in this order; without any, all.
    pub channels: Option<Spanned<Vec<ChannelRef>>>,
}

impl SourceRef {
    /// The path as written: `left/clean`, for most simply the name of the node.
    pub fn node(&self) -> String {
        self.path.value.join("/")
    }

    /// The output as written: `ecg`, `ecg.truth`.
    pub(super) fn output(&self) -> String {
        match &self.port {
            Some(port) => format!("{}.{}", self.node(), port.value),
            None => self.node(),
        }
    }

    /// Reads `text`; `place` is where exactly this text stands, if it stands somewhere.
    pub(super) fn read(text: &str, place: &Option<Place>) -> Result<Self, Diagnostic> {
        let exact = place.as_ref().and_then(|place| place.inside(text));
        let part = |span: Range<usize>| match &exact {
            Some(exact) => Some(exact.part(span)),
            None => place.clone(),
        };
        let refuse = |refusal: Refusal| {
            let message = match refusal.span.len() == text.len() {
                true => refusal.what,
                false => format!("{} in `{text}`", refusal.what),
            };
            let problem = Diagnostic::error(Code::BadFrom, message).at(&part(refusal.span));
            problem.hint(refusal.hint.unwrap_or_else(|| GRAMMAR.to_owned()))
        };

        let (head, channels) = split_channels(text).map_err(refuse)?;
        let (path, port) = match head.split_once('.') {
            Some((path, port)) => (path, Some(port)),
            None => (head, None),
        };
        let mut at = 0;
        for name in path.split('/') {
            name_fits(name, at, "a node").map_err(refuse)?;
            at += name.len() + 1;
        }
        if let Some(port) = port {
            name_fits(port, path.len() + 1, "a port").map_err(refuse)?;
        }
        let names = path.split('/').map(str::to_owned).collect();
        Ok(Self {
            path: Spanned::new(names, part(0..path.len())),
            port: port.map(|port| Spanned::new(port.to_owned(), part(path.len() + 1..head.len()))),
            channels: channels.map(|channels| Spanned::new(channels, part(head.len()..text.len()))),
        })
    }
}

impl FromStr for SourceRef {
    type Err = Diagnostic;

    fn from_str(text: &str) -> Result<Self, Diagnostic> {
        Self::read(text, &None)
    }
}

/// As it stands in a graph file.
impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node())?;
        if let Some(port) = &self.port {
            write!(f, ".{}", port.value)?;
        }
        if let Some(channels) = &self.channels {
            let channels: Vec<_> = channels.value.iter().map(ChannelRef::to_string).collect();
            write!(f, "[{}]", channels.join(","))?;
        }
        Ok(())
    }
}

/// One entry of the brackets after a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelRef {
    /// Counted from 0.
    Index(usize),
    /// As the format calls it.
    Name(String),
    /// Counted from 0, without the last: `0..4` are four channels. Never empty.
    Range(Range<usize>),
}

impl fmt::Display for ChannelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
            Self::Range(range) => write!(f, "{}..{}", range.start, range.end),
        }
    }
}

/// Whether `name` may name a node, a port, or another thing of a graph: `[a-z][a-z0-9_]*`.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Names stand in metrics, in file names and on every line of output.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// The name that `text` would be in lower case with `_` for what names cannot hold.
pub(super) fn as_name(text: &str) -> Option<String> {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.trim().chars().take(NAME_BYTES_MAX + 1).map(letter).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    Some(name.trim_end_matches('_').to_owned()).filter(|name| is_name(name))
}

const GRAMMAR: &str = "write `node`, `node.port`, `node[channels]` or `node.port[channels]`";

/// More channels than any format has; keeps sums of ranges far from overflow.
const CHANNELS_MAX: usize = 65_536;

/// What does not fit the grammar, and where in the text.
struct Refusal {
    what: String,
    span: Range<usize>,
    hint: Option<String>,
}

fn name_fits(name: &str, at: usize, what: &str) -> Result<(), Refusal> {
    if is_name(name) {
        return Ok(());
    }
    let problem = match name {
        "" => format!("the name of {what} is missing"),
        _ => format!("`{name}` does not name {what}"),
    };
    let hint = as_name(name).filter(|_| !name.contains('.'));
    let hint = hint.map(|near| format!("names look like `{near}`"));
    Err(Refusal { what: problem, span: at..at + name.len(), hint })
}

fn split_channels(text: &str) -> Result<(&str, Option<Vec<ChannelRef>>), Refusal> {
    let Some(open) = text.find('[') else {
        return Ok((text, None));
    };
    let (head, rest) = (&text[..open], &text[open + 1..]);
    let refuse = |what: &str, span| Refusal { what: what.to_owned(), span, hint: None };
    let Some(close) = rest.find(']') else {
        return Err(refuse("`[` is not closed", open..text.len()));
    };
    if close + 1 < rest.len() {
        let after = open + 1 + close + 1..text.len();
        return Err(refuse("something follows the channels", after));
    }
    let mut channels = Vec::new();
    let mut at = open + 1;
    for entry in rest[..close].split(',') {
        channels.push(channel(entry, at)?);
        at += entry.len() + 1;
    }
    Ok((head, Some(channels)))
}

fn channel(entry: &str, at: usize) -> Result<ChannelRef, Refusal> {
    let refuse = |what: String, hint: &str| Refusal {
        what,
        span: at..at + entry.len(),
        hint: Some(hint.to_owned()),
    };
    let text = entry.trim();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let index = |text: &str| text.parse().ok().filter(|index| *index < CHANNELS_MAX);
    let too_large = || {
        let what = format!("channel {text} is not below {CHANNELS_MAX}");
        refuse(what, "count channels from 0")
    };

    if text.is_empty() {
        let hint = "write channels as `[0]`, `[0..4]` or `[Fz,Cz]`";
        return Err(refuse("a channel is missing".to_owned(), hint));
    }
    if is_number(text) {
        return index(text).map(ChannelRef::Index).ok_or_else(too_large);
    }
    let Some((first, end)) = text.split_once("..").filter(|(first, _)| is_number(first)) else {
        return Ok(ChannelRef::Name(text.to_owned()));
    };
    if !is_number(end) {
        let what = format!("`{text}` is not a range of channels");
        return Err(refuse(what, "write `0..4` for the channels 0, 1, 2 and 3"));
    }
    match (index(first), index(end)) {
        (Some(first), Some(end)) if first < end => Ok(ChannelRef::Range(first..end)),
        (Some(_), Some(_)) => Err(refuse(
            format!("the range `{text}` holds no channel"),
            "write `0..4` for the channels 0, 1, 2 and 3",
        )),
        _ => Err(too_large()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        let forms = [
            "ecg",
            "ecg.truth",
            "ecg[0]",
            "eeg[Fz,Cz]",
            "left/clean.out[0..4,7]",
            "x[EEG Fpz-Cz.]",
        ];
        for form in forms {
            assert_eq!(form.parse::<SourceRef>().expect("valid").to_string(), form);
        }
    }

    #[test]
    fn the_parts_are_told_apart() {
        let source: SourceRef = "a/b.out[0..4, MLII ,2]".parse().expect("valid");

        assert_eq!(source.path.value, ["a", "b"]);
        assert_eq!(source.port.expect("written").value, "out");
        let channels =
            [ChannelRef::Range(0..4), ChannelRef::Name("MLII".to_owned()), ChannelRef::Index(2)];
        assert_eq!(source.channels.expect("written").value, channels);
    }

    #[test]
    fn names_are_lower_case_and_bounded() {
        assert!(is_name("a") && is_name("n_1") && is_name(&"n".repeat(64)));
        for bad in ["", "A", "1a", "_a", "a-b", "ä", "a b", &"n".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert_eq!(as_name("2 My-Node!"), Some("my_node".to_owned()));
        assert_eq!(as_name("12"), None);
    }
}
