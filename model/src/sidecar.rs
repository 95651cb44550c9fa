//! [`Sidecar`]: the file beside a model that says when questions leave it early, and what that promises.
//!
//! ```toml
//! # When questions leave early, and what that costs. Written by `afferent calibrate`.
//! signal = "score"
//! weights = "1f0c…"     # the content of the model's files: it holds for these alone
//! samples = 1800        # it was made with
//! loss = 0.005          # at most so much accuracy is lost,
//! confidence = 0.95     # with so much confidence
//! differs = 0.007       # at most so many answers are others than the whole model's, with as much confidence
//! cost = 0.31           # expected, as a share of running all segments
//!
//! [[exit]]              # one for each segment but the last
//! temperature = 1.42
//! threshold = 0.93      # above 1: nothing leaves here
//! share = 0.7           # expected to leave here
//! ```

use std::fmt::Write;

use toml_edit::{DocumentMut, Item, Table};

use crate::host::{Exits, Head, Signal};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// When questions leave.
    pub exits: Exits,
    /// The content of the model's files, in hex; nothing where a person wrote the thresholds.
    pub weights: Option<String>,
    /// What was promised, if it was.
    pub promise: Option<Promise>,
    /// The share of the cost of running all segments that is expected.
    pub cost: Option<f64>,
    /// Shares that are expected to leave, by exit.
    pub shares: Vec<f64>,
}

/// What the thresholds keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// At most so much accuracy is lost, as a share of all answers.
    pub loss: f64,
    /// With so much confidence.
    pub confidence: f64,
    /// It was made with so many samples.
    pub samples: u64,
    /// At most so many answers are others than the whole model's, as a share of all, with as much confidence: by this drift is
    /// seen, since nobody says what is right while a graph runs. None in files of before, or of a person.
    pub differs: Option<f64>,
}

const KEYS: [&str; 8] =
    ["signal", "weights", "samples", "loss", "confidence", "differs", "cost", "exit"];
const EXIT_KEYS: [&str; 3] = ["temperature", "threshold", "share"];

impl Sidecar {
    /// Reads the text of such a file.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: DocumentMut =
            text.parse().map_err(|error| format!("it is no TOML: {}", first_line(&error)))?;
        let table = document.as_table();
        if table.get("kind").and_then(Item::as_str) == Some(crate::transcription::exits::KIND) {
            return Err("it is of models of speech".to_owned());
        }
        known(table, &KEYS)?;
        let signal = match table.get("signal") {
            None => Signal::default(),
            Some(item) => {
                let name = item.as_str().unwrap_or_default();
                if !Signal::NAMES.contains(&name) {
                    return Err(format!("`signal` is one of `{}`", Signal::NAMES.join("`, `")));
                }
                Signal::named(name)
            }
        };
        let (mut heads, mut shares) = (Vec::new(), Vec::new());
        let exits = match table.get("exit") {
            Some(item) => item.as_array_of_tables().ok_or("`exit` is written `[[exit]]`")?.iter(),
            None => return Err("it has no `[[exit]]`".to_owned()),
        };
        for (number, exit) in exits.enumerate() {
            let of = |why: String| format!("exit {}: {why}", number + 1);
            known(exit, &EXIT_KEYS).map_err(of)?;
            let temperature = number_of(exit, "temperature").map_err(of)?.unwrap_or(1.0);
            let threshold =
                number_of(exit, "threshold").map_err(of)?.ok_or("it has no `threshold`".to_owned());
            let threshold = threshold.map_err(of)?;
            if !(temperature > 0.0 && temperature.is_finite()) {
                return Err(of("`temperature` is above 0".to_owned()));
            }
            if threshold.is_nan() || threshold < 0.0 {
                return Err(of("`threshold` is 0 or more".to_owned()));
            }
            heads.push(Head { temperature, threshold });
            shares.extend(number_of(exit, "share").map_err(of)?);
        }
        let promised = |key| share_of(table, key);
        let promise = match (promised("loss")?, promised("confidence")?, promised("differs")?) {
            (Some(loss), Some(confidence), differs) => {
                let samples = number_of(table, "samples")?.unwrap_or(0.0) as u64;
                Some(Promise { loss, confidence, samples, differs })
            }
            (_, _, Some(_)) => return Err("`differs` needs `loss` and `confidence`".to_owned()),
            _ => None,
        };
        Ok(Self {
            exits: Exits { signal, heads },
            weights: table.get("weights").and_then(Item::as_str).map(str::to_owned),
            promise,
            cost: number_of(table, "cost")?,
            shares,
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = "# When questions leave early, and what that costs. Written by \
                        `afferent calibrate`.\n"
            .to_owned();
        let _ = writeln!(text, "signal = \"{}\"", self.exits.signal.name());
        if let Some(weights) = &self.weights {
            let _ = writeln!(text, "weights = \"{weights}\"");
        }
        if let Some(Promise { loss, confidence, samples, differs }) = self.promise {
            let _ = writeln!(text, "samples = {samples}");
            let _ = writeln!(text, "loss = {loss:?} # at most so much accuracy is lost,");
            let _ = writeln!(text, "confidence = {confidence:?} # with so much confidence");
            if let Some(differs) = differs {
                let what =
                    "at most so many answers are others than the whole model's, with as much";
                let _ = writeln!(text, "differs = {differs:?} # {what}");
            }
        }
        if let Some(cost) = self.cost {
            let _ = writeln!(text, "cost = {cost:.4} # of running all segments, expected");
        }
        for (number, head) in self.exits.heads.iter().enumerate() {
            let _ = writeln!(text, "\n[[exit]]\ntemperature = {:?}", head.temperature);
            let shut = if head.threshold > 1.0 { " # nothing leaves here" } else { "" };
            let threshold = if head.threshold.is_finite() { head.threshold } else { 2.0 };
            let _ = writeln!(text, "threshold = {threshold:?}{shut}");
            if let Some(share) = self.shares.get(number) {
                let _ = writeln!(text, "share = {share:.4}");
            }
        }
        text
    }
}

pub(crate) fn known(table: &Table, keys: &[&str]) -> Result<(), String> {
    let stranger = table.iter().map(|(key, _)| key).find(|key| !keys.contains(key));
    stranger.map_or(Ok(()), |key| {
        Err(format!("it has no `{key}`; its keys are `{}`", keys.join("`, `")))
    })
}

pub(crate) fn number_of(table: &Table, key: &str) -> Result<Option<f64>, String> {
    let Some(item) = table.get(key) else { return Ok(None) };
    let number = item.as_float().or_else(|| item.as_integer().map(|whole| whole as f64));
    number.map(Some).ok_or_else(|| format!("`{key}` is a number"))
}

/// Of what is promised: neither nothing nor all.
pub(crate) fn share_of(table: &Table, key: &str) -> Result<Option<f64>, String> {
    match number_of(table, key)? {
        Some(share) if !(share > 0.0 && share < 1.0) => {
            Err(format!("`{key}` is above 0 and below 1"))
        }
        share => Ok(share),
    }
}

pub(crate) fn first_line(error: &toml_edit::TomlError) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let sidecar = Sidecar {
            exits: Exits {
                signal: Signal::Margin,
                heads: vec![
                    Head { temperature: 1.25, threshold: 0.875 },
                    Head { temperature: 0.5, threshold: 2.0 },
                ],
            },
            weights: Some("00ff".to_owned()),
            promise: Some(Promise {
                loss: 0.005,
                confidence: 0.95,
                samples: 1_800,
                differs: Some(0.0075),
            }),
            cost: Some(0.25),
            shares: vec![0.75, 0.0],
        };
        assert_eq!(Sidecar::parse(&sidecar.text()).expect("its own text"), sidecar);
        assert!(sidecar.text().contains("threshold = 2.0 # nothing leaves here"));
    }

    #[test]
    fn a_person_writes_no_more_than_thresholds() {
        let sidecar = Sidecar::parse("[[exit]]\nthreshold = 1\n").expect("it is whole");
        let head = Head { temperature: 1.0, threshold: 1.0 };
        assert_eq!(sidecar.exits, Exits { signal: Signal::Score, heads: vec![head] });
        assert_eq!((sidecar.weights, sidecar.promise), (None, None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let why = |text: &str| Sidecar::parse(text).expect_err("it is wrong");
        assert!(why("[[exit").starts_with("it is no TOML: "), "{}", why("[[exit"));
        assert_eq!(why("signal = \"score\""), "it has no `[[exit]]`");
        assert_eq!(why("exit = 1"), "`exit` is written `[[exit]]`");
        assert_eq!(why("[[exit]]\ntemperature = 1.0"), "exit 1: it has no `threshold`");
        assert_eq!(why("[[exit]]\nthreshold = \"a\""), "exit 1: `threshold` is a number");
        assert_eq!(why("[[exit]]\nthreshold = nan"), "exit 1: `threshold` is 0 or more");
        let zero = "[[exit]]\nthreshold = 0.5\ntemperature = 0.0";
        assert_eq!(why(zero), "exit 1: `temperature` is above 0");
        assert_eq!(
            why("signal = \"sure\"\n[[exit]]\nthreshold = 1"),
            "`signal` is one of `score`, `margin`, `entropy`"
        );
        let exit = "[[exit]]\nthreshold = 1.0";
        assert_eq!(why(&format!("loss = 1\n{exit}")), "`loss` is above 0 and below 1");
        let alone = why(&format!("differs = 0.1\n{exit}"));
        assert_eq!(alone, "`differs` needs `loss` and `confidence`");
        assert!(why("sginal = 1").starts_with("it has no `sginal`; its keys are"));
    }
}
