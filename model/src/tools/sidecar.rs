//! [`Profile`]: what was measured of a model, as it stands beside the model in `NAME.profile.toml`.

use serde::{Deserialize, Serialize};

use super::{
    accuracy::{Agreement, Score},
    latency::{Latency, Ratio},
    machine::Machine,
    trouble::Trouble,
};

/// Version of the form.
const FORMAT: u32 = 1;

/// What was measured of a model, with the keys of the file:
///
/// ```toml
/// format = 1                          # of this file
/// file = "beats.int8.onnx"            # beside this file
/// content = "xxh3-128:0f…"            # of the model's bytes: if it differs, the profile is of another model
/// bytes = 48211
/// takes = ["piece f32[?, 1, 256]"]    # `?` is open
/// gives = ["logits f32[?, 3]"]
/// asked = "data"                      # or "noise": numbers from −1 to 1, the same in every run
/// notes = []                          # what was not measured, and why
///
/// [machine]
/// processor = "AMD EPYC 7B13"
/// processors = 2
/// system = "linux x86_64"
///
/// [[latency]]                         # one per backend, number of workers and of questions in a run
/// backend = "onnxruntime"
/// workers = 1                         # that run at once, one thread each, as `[model.NAME]` does it
/// batch = 1
/// runs = 4100
/// p50_us = 71.2                       # of one run
/// p99_us = 90.4
/// per_s = 13900.0                     # questions answered by all workers
/// economy = 1.0                       # batch · p50(1) / p50(batch), of as many workers: above 1, batching pays
///
/// [[memory]]                          # by which a process grew, model loaded and asked once
/// backend = "onnxruntime"
/// bytes = 5160960
///
/// [accuracy]                          # where labelled data was given
/// data = "beats.npz"
/// data_content = "xxh3-128:…"
/// backend = "onnxruntime"
/// output = "logits"
/// rows = 1000
/// top1 = 0.981                        # share of right answers
/// labels = ["normal", "premature", "artefact"]
/// confusion = [[…], […], […]]         # questions by right class, then by answered class
///
/// [against]                           # where another model was measured beside it
/// file = "beats.onnx"
/// content = "xxh3-128:…"
/// backend = "onnxruntime"
/// asked = "data"
/// rows = 1000
/// same = 0.996                        # share of questions with the same class
/// error = 0.013                       # RMS difference of all numbers, in parts of the other's RMS
/// top1 = 0.983                        # of the other, on the same labelled data
///
/// [[against.latency]]                 # both run in turn
/// batch = 1
/// pairs = 900
/// old_us = 171.0                      # the other's median run, then this model's
/// new_us = 71.0
/// median = 0.415                      # of this by the other, pair by pair: below 1 is faster
/// low = 0.412                         # 95 % interval of that median
/// high = 0.419
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "[`Profile`] tells every key in its place")]
pub struct Profile {
    pub format: u32,
    pub file: String,
    pub content: String,
    pub bytes: u64,
    pub takes: Vec<String>,
    pub gives: Vec<String>,
    pub asked: String,
    #[serde(default)]
    pub notes: Vec<String>,
    pub machine: Machine,
    #[serde(default)]
    pub latency: Vec<Point>,
    #[serde(default)]
    pub memory: Vec<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// What runs took with one backend, number of workers and size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "[`Profile`] tells every key in its place")]
pub struct Point {
    pub backend: String,
    pub workers: usize,
    pub batch: usize,
    pub runs: usize,
    pub p50_us: f64,
    pub p99_us: f64,
    pub per_s: f64,
    pub economy: f64,
}

/// What a model takes of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "[`Profile`] tells every key in its place")]
pub struct Memory {
    pub backend: String,
    pub bytes: u64,
}

/// How often it is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "[`Profile`] tells every key in its place")]
pub struct Accuracy {
    pub data: String,
    pub data_content: String,
    pub backend: String,
    pub output: String,
    pub rows: usize,
    pub top1: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    pub confusion: Vec<Vec<usize>>,
}

/// How it does beside another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "[`Profile`] tells every key in its place")]
pub struct Against {
    pub file: String,
    pub content: String,
    pub backend: String,
    pub asked: String,
    pub rows: usize,
    pub same: f64,
    pub error: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1: Option<f64>,
    pub latency: Vec<Ratio>,
}

impl Profile {
    pub(super) const FORMAT: u32 = FORMAT;

    /// As the text of a file.
    ///
    /// # Panics
    /// Never: all of it can be written.
    pub fn to_toml(&self) -> String {
        let text =
            toml_edit::ser::to_string_pretty(self).expect("tables, lists, texts and numbers");
        format!(
            "# Measured by `afferent model`; the keys are told at `model::tools::Profile`.\n{text}"
        )
    }

    /// As one JSON object with the same keys.
    ///
    /// # Panics
    /// Never: all of it can be written.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("tables, lists, texts and numbers")
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// If it is no profile, or of a form this program does not know.
    pub fn parse(text: &str) -> Result<Self, Trouble> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let again = "make it anew: `afferent model profile FILE.onnx --save`";
        let wrong = |error: toml_edit::de::Error| {
            Trouble::file(format!("it is no profile of a model: {}", error.message()), again)
        };
        let Form { format } = toml_edit::de::from_str(text).map_err(wrong)?;
        if format != FORMAT {
            let message = format!("the profile is of form {format}, this program knows {FORMAT}");
            return Err(Trouble::file(message, again));
        }
        toml_edit::de::from_str(text).map_err(wrong)
    }
}

impl Point {
    /// `alone` is the median of a run of one, of as many workers.
    pub(super) fn new(
        backend: &str,
        workers: usize,
        batch: usize,
        latency: &Latency,
        alone: f64,
    ) -> Self {
        let Latency { runs, p50_us, p99_us, per_s } = *latency;
        let economy = batch as f64 * alone / p50_us.max(1e-6);
        Self { backend: backend.to_owned(), workers, batch, runs, p50_us, p99_us, per_s, economy }
    }
}

impl Against {
    pub(super) fn with(mut self, agreement: &Agreement, other: Option<&Score>) -> Self {
        self.rows = agreement.rows;
        self.same = agreement.share();
        self.error = agreement.error;
        self.top1 = other.map(Score::top1);
        self
    }
}

/// A content's hash as it is written.
pub(super) fn hash(content: u128) -> String {
    format!("xxh3-128:{content:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let ratio = Ratio {
            batch: 1,
            pairs: 9,
            old_us: 2.0,
            new_us: 1.0,
            median: 0.5,
            low: 0.4,
            high: 0.6,
        };
        Profile {
            format: FORMAT,
            file: "a \"b\".onnx".to_owned(),
            content: hash(7),
            bytes: 12,
            takes: vec!["x f32[?, 2]".to_owned()],
            gives: vec!["y f32[?, 2]".to_owned()],
            asked: "data".to_owned(),
            notes: Vec::new(),
            machine: Machine { processor: "p".to_owned(), processors: 2, system: "s".to_owned() },
            latency: vec![Point::new(
                "rten",
                1,
                8,
                &Latency { runs: 10, p50_us: 4.0, p99_us: 5.0, per_s: 2e6 },
                1.0,
            )],
            memory: vec![Memory { backend: "rten".to_owned(), bytes: 4096 }],
            accuracy: Some(Accuracy {
                data: "d.npz".to_owned(),
                data_content: hash(1),
                backend: "rten".to_owned(),
                output: "y".to_owned(),
                rows: 3,
                top1: 1.0,
                labels: Vec::new(),
                confusion: vec![vec![1, 0], vec![0, 2]],
            }),
            against: Some(Against {
                file: "o.onnx".to_owned(),
                content: hash(2),
                backend: "rten".to_owned(),
                asked: "data".to_owned(),
                rows: 3,
                same: 1.0,
                error: 0.0,
                top1: None,
                latency: vec![ratio],
            }),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = profile();
        assert_eq!(Profile::parse(&written.to_toml()), Ok(written.clone()));
        let bare = Profile { accuracy: None, against: None, ..written };
        assert_eq!(Profile::parse(&bare.to_toml()), Ok(bare));
    }

    #[test]
    fn eight_at_the_price_of_four_are_an_economy_of_two() {
        assert!((profile().latency[0].economy - 2.0).abs() < 1e-12);
    }

    #[test]
    fn other_files_and_other_forms_are_refused() {
        let said = |text: &str| Profile::parse(text).expect_err("no profile").message;
        assert!(said("a = 1").contains("no profile of a model"));
        assert!(said("format = 2").contains("of form 2, this program knows 1"));
        assert!(said("format = 1").contains("missing field"));
        assert!(said("= =").contains("no profile of a model"));
    }
}
