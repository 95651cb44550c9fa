//! [`SpeechExits`]: the file that says when a cascade of models of speech is left early, and what that promises.
//!
//! ```toml
//! # When the smaller models of a cascade answer. Written by `afferent calibrate`.
//! kind = "speech"
//! models = ["ggml-tiny", "ggml-base"]   # from small to large,
//! contents = ["1f0c…", "77aa…"]         # and the content of their files: it holds for these alone
//! language = "en"                       # what the node was told that asked them,
//! asked = ["tail_s = 0.3"]              # and what else of it is not as it is without a word;
//! cut = ["threshold = 0.4"]             # the same of the `speech` that told it turns
//! unit = "recording"                    # of what loss is promised: of recordings like these, or of each "turn" of these speakers
//! groups = 140                          # so many certified it,
//! samples = 830                         # with so many turns in all
//! loss = 0.05                           # of a recording's turns at most so many, on the average, come out worse than from
//! confidence = 0.95                     # the largest model alone, with so much confidence
//! cost = 0.41                           # expected, as a share of the largest model's alone
//!
//! [[exit]]                              # one for each model but the last
//! slope = 1.2                           # worth = σ(slope · logit(confidence) + offset): the probability that
//! offset = -0.4                         # what it says is no worse than what the largest alone would say
//! silent = 0.9                          # what it is worth that it says no word
//! threshold = 0.93                      # it answers from such a worth on; above 1 it is not asked, but for partials
//! share = 0.7                           # of turns that it is expected to answer
//! ```

use std::fmt::Write;

use toml_edit::{DocumentMut, Item, Table};

use crate::{
    calibrate::{Gate, Logistic},
    sidecar::{first_line, known, number_of, share_of},
};

/// What `kind` is in such a file.
pub const KIND: &str = "speech";
const KEYS: [&str; 14] = [
    "kind",
    "models",
    "contents",
    "language",
    "samples",
    "loss",
    "confidence",
    "cost",
    "exit",
    "translate",
    "asked",
    "cut",
    "unit",
    "groups",
];
const EXIT_KEYS: [&str; 5] = ["slope", "offset", "silent", "threshold", "share"];

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechExits {
    /// Names of the models, from small to large.
    pub models: Vec<String>,
    /// The contents of their files.
    pub contents: Vec<u64>,
    /// What was told to be spoken; "auto" where that was to be found out.
    pub language: String,
    /// Whether it was translated.
    pub translates: bool,
    /// What else of the node that asked was not as it is without a word, and of the one that told it turns: as in a graph file.
    pub listening: [Vec<String>; 2],
    /// Of what loss is promised: "recording" or "turn".
    pub unit: String,
    /// Recordings, speakers or turns that certified it, each for itself.
    pub groups: u64,
    /// Turns in them.
    pub samples: u64,
    /// At most such a share of turns comes out worse than from the largest model alone.
    pub loss: f64,
    /// With so much confidence.
    pub confidence: f64,
    /// What it costs, as a share of the largest model's cost alone.
    pub cost: f64,
    /// When each model but the last answers.
    pub gates: Vec<Gate>,
    /// Shares that are expected to be answered by each of them.
    pub shares: Vec<f64>,
}

impl SpeechExits {
    /// Reads the text of such a file.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: DocumentMut =
            text.parse().map_err(|error| format!("it is no TOML: {}", first_line(&error)))?;
        let table = document.as_table();
        if table.get("kind").and_then(Item::as_str) != Some(KIND) {
            let why = "it is not of models of speech: those say `kind = \"speech\"`";
            return Err(why.to_owned());
        }
        known(table, &KEYS)?;
        let texts = |key: &str| -> Result<Vec<String>, String> {
            let items = table.get(key).and_then(Item::as_array);
            let texts = items.map(|all| all.iter().map(|it| it.as_str().map(str::to_owned)));
            let texts = texts.and_then(|all| all.collect::<Option<Vec<_>>>());
            texts.ok_or_else(|| format!("`{key}` is a list of texts"))
        };
        let written = |key: &str| if table.contains_key(key) { texts(key) } else { Ok(Vec::new()) };
        let unit = table.get("unit").and_then(Item::as_str).unwrap_or("turn");
        if !["recording", "turn"].contains(&unit) {
            return Err("`unit` is \"recording\" or \"turn\"".to_owned());
        }
        let hex = |text: &String| u64::from_str_radix(text, 16).ok();
        let contents = texts("contents")?.iter().map(hex).collect::<Option<Vec<_>>>();
        let contents = contents.ok_or("`contents` are numbers in hex")?;
        let models = texts("models")?;
        let (mut gates, mut shares) = (Vec::new(), Vec::new());
        let exits = table.get("exit").and_then(Item::as_array_of_tables);
        for (number, exit) in exits.ok_or("it has no `[[exit]]`")?.iter().enumerate() {
            let of = |why: String| format!("exit {}: {why}", number + 1);
            let (gate, share) = gate(exit).map_err(of)?;
            gates.push(gate);
            shares.push(share);
        }
        if models.len() != contents.len() || models.len() != gates.len() + 1 || gates.is_empty() {
            let (named, of, exits) = (models.len(), contents.len(), gates.len());
            return Err(format!("it has {named} models, {of} contents and {exits} exits"));
        }
        let promised = |key: &str| share_of(table, key)?.ok_or(format!("it has no `{key}`"));
        Ok(Self {
            models,
            contents,
            language: table.get("language").and_then(Item::as_str).unwrap_or("auto").to_owned(),
            translates: table.get("translate").and_then(Item::as_bool).unwrap_or(false),
            listening: [written("asked")?, written("cut")?],
            unit: unit.to_owned(),
            groups: number_of(table, "groups")?.unwrap_or(0.0) as u64,
            samples: number_of(table, "samples")?.unwrap_or(0.0) as u64,
            loss: promised("loss")?,
            confidence: promised("confidence")?,
            cost: number_of(table, "cost")?.unwrap_or(1.0),
            gates,
            shares,
        })
    }

    /// As the text of a file.
    pub fn text(&self) -> String {
        let list = |all: Vec<String>| {
            let all: Vec<String> =
                all.into_iter().map(|one| toml_edit::Value::from(one).to_string()).collect();
            all.join(", ")
        };
        let contents = self.contents.iter().map(|content| format!("{content:016x}"));
        let mut text = String::from(
            "# When the smaller models of a cascade answer, and what that costs. Written by `afferent calibrate`.\n",
        );
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(format!("kind = \"{KIND}\""));
        line(format!("models = [{}]", list(self.models.clone())));
        line(format!("contents = [{}]", list(contents.collect())));
        line(format!("language = \"{}\"", self.language));
        if self.translates {
            line("translate = true".to_owned());
        }
        for (key, written) in ["asked", "cut"].into_iter().zip(&self.listening) {
            if !written.is_empty() {
                line(format!("{key} = [{}]", list(written.clone())));
            }
        }
        line(format!("unit = \"{}\" # what counts for itself:", self.unit));
        line(format!("groups = {} # so many certify,", self.groups));
        line(format!("samples = {} # with so many turns of speech", self.samples));
        line(format!(
            "loss = {:?} # on the average at most so many of its turns come out worse than from the largest alone,",
            self.loss
        ));
        line(format!("confidence = {:?} # with so much confidence", self.confidence));
        line(format!("cost = {:.4} # expected, of what the largest model takes alone", self.cost));
        for (gate, share) in self.gates.iter().zip(&self.shares) {
            let worth = gate.worth.unwrap_or(Logistic::SAME);
            let shut = if gate.is_shut() { " # not asked, but for partials" } else { "" };
            let threshold = if gate.is_shut() { 2.0 } else { gate.threshold };
            line(format!("\n[[exit]]\nslope = {:?}\noffset = {:?}", worth.slope, worth.offset));
            line(format!("silent = {:?}\nthreshold = {threshold:?}{shut}", gate.silent));
            line(format!("share = {share:.4}"));
        }
        text
    }

    /// What of this way of asking, and of cutting turns, it was not made for.
    pub fn heard_otherwise(&self, now: &[Vec<String>; 2]) -> Option<String> {
        let of = |all: &[Vec<String>; 2]| {
            let [asked, cut] = all.each_ref().map(|all| all.join(", "));
            match (&*asked, &*cut) {
                ("", "") => "nothing written".to_owned(),
                (asked, "") => format!("`{asked}`"),
                ("", cut) => format!("turns cut with `{cut}`"),
                (asked, cut) => format!("`{asked}` and turns cut with `{cut}`"),
            }
        };
        (self.listening != *now).then(|| {
            format!("they were made for {}, and here it is {}", of(&self.listening), of(now))
        })
    }

    /// That it is for these models in this order.
    ///
    /// # Errors
    /// What they are not, as a fragment.
    pub fn fits(&self, contents: &[u64]) -> Result<(), String> {
        if self.contents == contents {
            return Ok(());
        }
        let sorted = |all: &[u64]| {
            let mut all = all.to_vec();
            all.sort_unstable();
            all
        };
        let named = || {
            let all: Vec<String> = self.models.iter().map(|name| format!("`{name}`")).collect();
            all.join(", ")
        };
        Err(if self.contents.len() != contents.len() {
            let (made, given) = (self.contents.len(), contents.len());
            format!("it was made for {made} models ({}), and `segments` has {given}", named())
        } else if sorted(&self.contents) == sorted(contents) {
            format!("it was made for these models in another order: {}", named())
        } else {
            format!("it was made for other models: {}, of another content", named())
        })
    }
}

fn gate(exit: &Table) -> Result<(Gate, f64), String> {
    known(exit, &EXIT_KEYS)?;
    let number = |key: &str| number_of(exit, key)?.ok_or_else(|| format!("it has no `{key}`"));
    let worth = Logistic { slope: number("slope")?, offset: number("offset")? };
    if !(worth.slope >= 0.0 && worth.slope.is_finite() && worth.offset.is_finite()) {
        return Err("`slope` is 0 or more, and `offset` a number".to_owned());
    }
    let threshold = number("threshold")?;
    if threshold.is_nan() || threshold < 0.0 {
        return Err("`threshold` is 0 or more".to_owned());
    }
    let silent = number_of(exit, "silent")?.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&silent) {
        return Err("`silent` is from 0 to 1".to_owned());
    }
    let share = number_of(exit, "share")?.unwrap_or(0.0);
    let gate = Gate { worth: Some(worth), silent, threshold };
    Ok((if gate.is_shut() { Gate { threshold: 2.0, ..gate } } else { gate }, share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits() -> SpeechExits {
        let worth = |slope, offset| Some(Logistic { slope, offset });
        SpeechExits {
            models: vec!["ggml \"tiny\"".to_owned(), "base".to_owned(), "small".to_owned()],
            contents: vec![1, 0xffff_ffff_ffff_fff0, 3],
            language: "de".to_owned(),
            translates: true,
            listening: [vec!["prompt = \"a \\\"b\\\"\"".to_owned()], Vec::new()],
            unit: "recording".to_owned(),
            groups: 40,
            samples: 230,
            loss: 0.05,
            confidence: 0.95,
            cost: 0.4125,
            gates: vec![
                Gate { worth: worth(1.25, -0.5), silent: 0.5, threshold: 0.875 },
                Gate { worth: worth(0.0, 0.1), silent: 0.0, threshold: 2.0 },
            ],
            shares: vec![0.75, 0.0],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(SpeechExits::parse(&exits().text()), Ok(exits()));
        assert!(exits().text().contains("threshold = 2.0 # not asked"), "{}", exits().text());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let why = |text: &str| SpeechExits::parse(text).expect_err("it is wrong");
        let with = |from: &str, to: &str| {
            let text = exits().text();
            assert!(text.contains(from), "{from}: {text}");
            why(&text.replace(from, to))
        };
        assert!(why("kind = ").starts_with("it is no TOML: "));
        assert!(why("signal = \"score\"").contains("not of models of speech"));
        assert!(why("kind = \"speech\"\nsginal = 1").starts_with("it has no `sginal`"));
        assert!(with("models = [", "models = [1, ").contains("`models` is a list of texts"));
        assert!(with("0000000000000001", "zero").contains("`contents` are numbers in hex"));
        assert!(with("models = [", "models = [\"x\", ").contains("4 models, 3 contents and 2"));
        assert_eq!(with("loss = 0.05", "loss = 5"), "`loss` is above 0 and below 1");
        assert_eq!(with("loss = 0.05", ""), "it has no `loss`");
        assert_eq!(
            with("slope = 1.25", "slope = -1"),
            "exit 1: `slope` is 0 or more, and `offset` a number"
        );
        assert_eq!(with("threshold = 2.0", "threshold = nan"), "exit 2: `threshold` is 0 or more");
        assert_eq!(with("silent = 0.5", "silent = 1.5"), "exit 1: `silent` is from 0 to 1");
        assert!(with("unit = \"recording\"", "unit = \"word\"").starts_with("`unit` is"));
        assert!(with("asked = [", "asked = [1, ").contains("`asked` is a list of texts"));
        assert!(with("share = 0.0", "shar = 0.0").starts_with("exit 2: it has no `shar`"));
    }

    #[test]
    fn it_is_for_its_models_in_their_order_alone() {
        let exits = exits();
        let [one, two, three] = [1, 0xffff_ffff_ffff_fff0, 3];
        assert_eq!(exits.fits(&[one, two, three]), Ok(()));
        let why = |contents: &[u64]| exits.fits(contents).expect_err("it does not fit");
        assert!(why(&[two, one, three]).contains("in another order: `ggml \"tiny\"`, `base`"));
        assert!(
            why(&[one, three]).contains("for 3 models") && why(&[one, three]).contains("has 2")
        );
        assert!(why(&[one, two, 4]).contains("for other models"));
    }
}
