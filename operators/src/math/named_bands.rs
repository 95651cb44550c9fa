//! Bands of frequency by name: the rhythms of the brain, and one's own.

use std::fmt;

/// A band with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedBand {
    /// What it is called.
    pub name: String,
    /// Where it begins.
    pub low_hz: f64,
    /// Where it ends.
    pub high_hz: f64,
}

/// The rhythms of the brain with the edges of neurokit2's `eeg_power`, and the sensorimotor one.
pub const RHYTHMS: [(&str, f64, f64); 6] = [
    ("delta", 1.0, 4.0),
    ("theta", 4.0, 8.0),
    ("alpha", 8.0, 13.0),
    ("smr", 12.0, 15.0),
    ("beta", 13.0, 30.0),
    ("gamma", 30.0, 80.0),
];

/// What is wrong with a list of bands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BandsError {
    /// No band is there.
    Empty,
    /// A word is no rhythm and has no edges.
    Unknown(String),
    /// The edges of a band are no numbers, or do not rise from at least 0.
    Edges(String),
    /// Two bands have one name.
    Twice(String),
}

impl fmt::Display for BandsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no band is named"),
            Self::Unknown(word) => write!(f, "{word:?} is no band"),
            Self::Edges(word) => write!(f, "{word:?} has no edges that rise from 0 or more"),
            Self::Twice(name) => write!(f, "{name:?} is named twice"),
        }
    }
}

impl std::error::Error for BandsError {}

/// Reads bands from words: names of rhythms, or `name=low-high` in hertz.
///
/// # Errors
/// The first word that is no band.
pub fn parse(text: &str) -> Result<Vec<NamedBand>, BandsError> {
    let mut bands: Vec<NamedBand> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let band = one(word)?;
        if bands.iter().any(|other| other.name == band.name) {
            return Err(BandsError::Twice(band.name));
        }
        bands.push(band);
    }
    if bands.is_empty() { Err(BandsError::Empty) } else { Ok(bands) }
}

fn one(word: &str) -> Result<NamedBand, BandsError> {
    let Some((name, edges)) = word.split_once('=') else {
        let rhythm = RHYTHMS.iter().find(|(name, ..)| *name == word);
        let (name, low_hz, high_hz) = rhythm.ok_or_else(|| BandsError::Unknown(word.to_owned()))?;
        return Ok(NamedBand { name: (*name).to_owned(), low_hz: *low_hz, high_hz: *high_hz });
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|hz| hz.is_finite());
    let edges = edges.split_once('-').and_then(|(low, high)| Some((number(low)?, number(high)?)));
    match edges {
        Some((low_hz, high_hz)) if 0.0 <= low_hz && low_hz < high_hz && !name.is_empty() => {
            Ok(NamedBand { name: name.to_owned(), low_hz, high_hz })
        }
        _ => Err(BandsError::Edges(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_edges_are_read() {
        let bands = parse("alpha low=0.5-4, beta").expect("three bands");
        let edges: Vec<_> = bands.iter().map(|b| (b.name.as_str(), b.low_hz, b.high_hz)).collect();
        assert_eq!(edges, [("alpha", 8.0, 13.0), ("low", 0.5, 4.0), ("beta", 13.0, 30.0)]);
    }

    #[test]
    fn what_is_no_band_is_named() {
        for (text, error) in [
            ("", BandsError::Empty),
            ("alfa", BandsError::Unknown("alfa".to_owned())),
            ("x=8-4", BandsError::Edges("x=8-4".to_owned())),
            ("x=-1-4", BandsError::Edges("x=-1-4".to_owned())),
            ("=1-4", BandsError::Edges("=1-4".to_owned())),
            ("x=1-inf", BandsError::Edges("x=1-inf".to_owned())),
            ("alpha alpha", BandsError::Twice("alpha".to_owned())),
        ] {
            assert_eq!(parse(text), Err(error));
        }
    }
}
