//! [`Listening`]: recordings heard as a graph hears them, by all models of a cascade.
//!
//! A small graph does it: `audio → downmix → resample` to 16 kHz, cut into turns by `speech` with the parameters of the graph's own
//! node, into a `transcribe` with those of the node that asks. So models get what they get when it runs, prompts, partials and
//! all: as on a machine that has time for every partial. Finals are begun at the end of turns alone, and what follows in a turn
//! that is told in parts goes on from what the largest model has said.

use std::{path::Path, sync::Arc, time::Duration};

use engine::{
    Catalog, Diagnostics, Disk, GraphSpec, Kind, NodeSpec, PlanOptions, RunOptions, SectionSpec,
    Service, Services, SourceText, Spanned, Value,
};

use crate::{
    kinds::{speech, transcribe},
    section,
    transcription::{
        Cascade, Decoder, Pool, SpeechModel, Word,
        recorder::{Piece, Recorder},
    },
};

use super::{trouble::Trouble, watch::Watch};

/// What the graph is called: no name of a file.
const OWN_FILE: &str = "what hears";
const GRAPH: &str = "\
[node.audio]
op = \"audio\"

[node.mono]
op   = \"downmix\"
from = \"audio\"

[node.heard]
op      = \"resample\"
from    = \"mono\"
rate_hz = 16000.0
filter  = \"steep\"

[node.speech]
op   = \"speech\"
from = \"heard\"

[node.text]
op        = \"transcribe\"
from      = { audio = \"heard\", turns = \"speech.turns\" }
speculate = false
# It waits for models, however long they take.
wedge_ms  = 1e9

[node.end]
op   = \"null\"
from = \"text\"
";

/// What of a node that asks decides about what it is told.
const ASKED: [&str; 7] =
    [LANGUAGE, TRANSLATE, "prompt", PARTIAL_S, "tail_s", "turn_max_s", "context_min"];
const LANGUAGE: &str = "language";
const TRANSLATE: &str = "translate";
const PARTIAL_S: &str = "partial_s";
/// How often it is looked whether it shall end.
const LOOKS: Duration = Duration::from_millis(100);

/// A parameter as written.
type Written = (Spanned<String>, Spanned<Value>);

/// How a graph hears.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// The node that asks the models, if there is one.
    pub asks: Option<String>,
    /// The node that tells it turns, if that is a `speech`.
    pub turns: Option<String>,
    asked: Vec<Written>,
    cut: Vec<Written>,
    /// Models that the node of turns asks.
    models: Vec<SectionSpec>,
    graph_file: Option<String>,
}

impl Listening {
    /// As the graph's nodes do that ask a model.
    ///
    /// # Errors
    /// If they do not all do the same, or hear no turns of a `speech`.
    pub fn of(graph: &GraphSpec, model: &str, graph_file: Option<&str>) -> Result<Self, Trouble> {
        let mut all = graph.nodes.iter().filter(|node| asks(node, model));
        let Some(first) = all.next() else { return Ok(Self::default()) };
        let (turns, asked) = (turns_of(graph, first)?, picked(first));
        let cut = turns.params.clone();
        for other in all {
            if !same(&picked(other), &asked) || !same(&turns_of(graph, other)?.params, &cut) {
                let (one, other) = (&first.name.value, &other.name.value);
                let message = format!("the nodes `{one}` and `{other}` ask `{model}` differently");
                let hint = "give each a `[model.NAME]` of its own, and calibrate both";
                return Err(Trouble::asked(message, hint));
            }
        }
        let names = |name: &str| {
            let named = cut.iter().find(|(key, _)| key.value == name);
            named.and_then(|(_, value)| value.value.as_text().map(str::to_owned))
        };
        let named: Vec<String> = ["model", "turn_model"].into_iter().filter_map(names).collect();
        let is_named = |section: &&SectionSpec| named.contains(&section.name.value);
        Ok(Self {
            asks: Some(first.name.value.clone()),
            turns: Some(turns.name.value.clone()),
            asked,
            models: graph.models.iter().filter(is_named).cloned().collect(),
            cut,
            graph_file: graph_file.map(str::to_owned),
        })
    }

    /// What of it, but the language, is not as it is without a word, as in a graph file: of the node that asks, and of the one that
    /// tells it turns.
    pub fn written(&self) -> [Vec<String>; 2] {
        let of = |all: &[Written], kind: &Kind| {
            let usual = |name: &str| {
                let param = kind.params.iter().find(|param| param.name() == name);
                let usual = param.and_then(|param| param.default_text());
                usual.or_else(|| (name == PARTIAL_S).then(|| "1.0".to_owned()))
            };
            let differs = |(key, value): &&Written| {
                usual(&key.value).is_none_or(|usual| match value.value.as_number() {
                    Some(number) => usual.parse() != Ok(number),
                    None => usual != value.value.to_string(),
                })
            };
            let shown = |(key, value): &Written| match (value.value.as_number(), &value.value) {
                (Some(number), _) => format!("{} = {number:?}", key.value),
                (None, Value::Text(text)) => format!("{} = {text:?}", key.value),
                (None, value) => format!("{} = {value}", key.value),
            };
            // These have keys of their own.
            let is_own = |(key, _): &&Written| [LANGUAGE, TRANSLATE].contains(&&*key.value);
            let all = all.iter().filter(|written| !is_own(written) && differs(written));
            let mut all: Vec<String> = all.map(shown).collect();
            all.sort();
            all
        };
        [of(&self.asked, &transcribe::KIND), of(&self.cut, &speech::KIND)]
    }

    /// What is spoken, or "auto".
    pub fn language(&self) -> &str {
        self.asked(LANGUAGE).and_then(Value::as_text).unwrap_or("auto")
    }

    /// Whether it is translated.
    pub fn translates(&self) -> bool {
        self.asked(TRANSLATE) == Some(&Value::Bool(true))
    }

    /// Whether what is said is told while it is said, too.
    pub fn has_partials(&self) -> bool {
        self.asked(PARTIAL_S).and_then(Value::as_number).is_none_or(|seconds| seconds > 0.0)
    }

    fn asked(&self, name: &str) -> Option<&Value> {
        let written = self.asked.iter().find(|(key, _)| key.value == name);
        written.map(|(_, value)| &value.value)
    }

    /// Ready to hear, with these models.
    ///
    /// # Errors
    /// If a model that the node of turns asks cannot be used.
    pub(super) fn with(
        &self,
        models: Vec<Arc<dyn Decoder>>,
        catalog: &Catalog,
    ) -> Result<Ear, Trouble> {
        let mut spec =
            GraphSpec::parse(&SourceText::new(OWN_FILE, GRAPH)).expect("a graph that is right");
        let mut others = spec.clone();
        others.models.clone_from(&self.models);
        let (others, problems) =
            section::services(&others, Arc::new(Disk), self.graph_file.clone(), |_| ());
        if problems.has_errors() {
            return Err(refused(None, &problems));
        }
        let gates = vec![crate::calibrate::Gate::SHUT; models.len() - 1];
        let cascade = Cascade::gated(models, gates).expect("a gate for each model but the last");
        let recorder = Arc::new(Recorder::new(Arc::new(cascade)));
        // One at a time, so that none takes the other's time.
        let own = SpeechModel::new(Cascade::single(recorder.clone()), Pool::awaited());
        let own = Services::new([(OWN.to_owned(), Arc::new(own) as Arc<dyn Service>)]);
        for node in &mut spec.nodes {
            match &*node.name.value {
                "speech" => node.params.clone_from(&self.cut),
                "text" => {
                    node.params.push(("model".to_owned().into(), Value::Text(OWN.into()).into()));
                    node.params.extend(self.asked.iter().cloned());
                }
                _ => {}
            }
        }
        Ok(Ear {
            spec,
            services: own.beside("", &others),
            recorder,
            catalog: catalog.clone(),
            has_partials: self.has_partials(),
        })
    }
}

/// What the models are called in the graph that hears: no name that a file can give to another one.
const OWN: &str = "all models";

fn asks(node: &NodeSpec, model: &str) -> bool {
    node.op.value == transcribe::KIND.name
        && node.param("model").and_then(|it| it.value.as_text()) == Some(model)
}

/// The node that tells turns to the one that asks.
fn turns_of<'a>(graph: &'a GraphSpec, asks: &NodeSpec) -> Result<&'a NodeSpec, Trouble> {
    let asking = &asks.name.value;
    // Inputs that name no port are in the order of the ports.
    let input = asks
        .from
        .iter()
        .enumerate()
        .find(|(at, input)| input.port.as_ref().map_or(*at == 1, |port| port.value == "turns"));
    let Some((_, input)) = input else {
        let message = format!(
            "`{asking}` hears windows of audio, of which no promise can be made: they go on from each other"
        );
        let hint = "give it turns: `from = { audio = \"…\", turns = \"speech.turns\" }`, of a node with `op = \"speech\"`";
        return Err(Trouble::graph(message, hint));
    };
    let name = input.source.value.node();
    let node = graph.find(&name);
    node.filter(|node| node.op.value == speech::KIND.name).ok_or_else(|| {
        let message = format!("`{asking}` is told turns by `{name}`, which is no `speech`: recordings cannot be cut as it would");
        let hint = "take the turns of a node with `op = \"speech\"` while you calibrate";
        Trouble::graph(message, hint)
    })
}

fn picked(node: &NodeSpec) -> Vec<Written> {
    node.params.iter().filter(|(key, _)| ASKED.contains(&&*key.value)).cloned().collect()
}

fn same(one: &[Written], other: &[Written]) -> bool {
    let sorted = |all: &[Written]| {
        let mut all: Vec<String> =
            all.iter().map(|(key, value)| format!("{} {:?}", key.value, value.value)).collect();
        all.sort();
        all
    };
    sorted(one) == sorted(other)
}

/// Hears one recording after the other.
pub(super) struct Ear {
    spec: GraphSpec,
    services: Services,
    recorder: Arc<Recorder>,
    catalog: Catalog,
    has_partials: bool,
}

/// What was heard of a recording.
pub(super) struct Told {
    /// What all models made of its pieces.
    pub(super) pieces: Vec<Piece>,
    /// By piece, what the largest model says were it there alone, and nobody told anything before a turn ends.
    pub(super) alone: Vec<Vec<Word>>,
}

impl Ear {
    /// What all models say of a recording.
    ///
    /// # Errors
    /// If it cannot be read, a model fails, or `watch` ends it.
    pub(super) fn hear(&self, path: &Path, watch: &Watch<'_>) -> Result<Told, Trouble> {
        self.recorder.forget();
        let alone = if self.has_partials { Some(self.listen(path, true, watch)?) } else { None };
        let pieces = self.listen(path, false, watch)?;
        let alone = alone.as_ref().unwrap_or(&pieces);
        let alone = (0..pieces.len()).map(|at| words_of(&pieces, at, alone)).collect();
        Ok(Told { pieces, alone })
    }

    fn listen(
        &self,
        path: &Path,
        is_alone: bool,
        watch: &Watch<'_>,
    ) -> Result<Vec<Piece>, Trouble> {
        let shown = path.display().to_string();
        let mut spec = self.spec.clone();
        for node in &mut spec.nodes {
            match &*node.name.value {
                "audio" => {
                    let file = Value::Text(shown.clone());
                    node.params.push(("file".to_owned().into(), file.into()));
                }
                "text" if is_alone => {
                    node.params.retain(|(key, _)| key.value != PARTIAL_S);
                    node.params.push((PARTIAL_S.to_owned().into(), Value::Float(0.0).into()));
                }
                _ => {}
            }
        }
        let mut options = PlanOptions::new(Arc::new(Disk));
        options.services = self.services.clone();
        let plan = spec.plan(&self.catalog, &options).map_err(|all| refused(Some(&shown), &all))?;
        let failed = |why: String| Trouble::file(format!("`{shown}`: {why}"), LEAVE_OUT);
        self.recorder.hear_alone(is_alone);
        let running = Arc::new(plan)
            .start(&RunOptions { speed: None, ..RunOptions::default() })
            .map_err(|error| failed(error.to_string()))?;
        let outcome = loop {
            if let Some(outcome) = running.wait_for(LOOKS) {
                break outcome;
            }
            if watch.is_over() {
                self.recorder.end();
                running.stop();
                return Err(Trouble::interrupted());
            }
        };
        let pieces = self.recorder.take().map_err(|fault| {
            Trouble::file(format!("`{shown}`: a model has failed: {fault}"), LEAVE_OUT)
        })?;
        if let Some((node, why, _)) = outcome.fault {
            return Err(failed(format!("node {node}: {why}")));
        }
        // What was begun anew has lost what it had heard.
        let report = running.report();
        match report.nodes.iter().find(|node| node.restarts > 0) {
            Some(node) => Err(failed(format!("node {} had to be begun anew", node.name))),
            None => Ok(pieces),
        }
    }
}

/// The words that the largest model alone says of a piece: those of its turn that begin within it.
fn words_of(pieces: &[Piece], at: usize, alone: &[Piece]) -> Vec<Word> {
    let piece = &pieces[at];
    let is_of_turn = |it: &&Piece| it.turn == piece.turn;
    let from_s = match pieces[..at].iter().any(|it| it.turn == piece.turn) {
        true => piece.start_s,
        false => f64::NEG_INFINITY,
    };
    let until_s = pieces[at + 1..].iter().find(is_of_turn).map_or(f64::INFINITY, |it| it.start_s);
    let last = |it: &Piece| it.said.last().map(|said| said[0].words.clone()).unwrap_or_default();
    let words = alone.iter().filter(is_of_turn).flat_map(last);
    words.filter(|word| (from_s..until_s).contains(&word.start_s)).collect()
}

const LEAVE_OUT: &str = "look at the recording, or leave it out";

/// Why a graph cannot be: for a mistake in what a person wrote, else for the recording.
fn refused(recording: Option<&str>, problems: &Diagnostics) -> Trouble {
    let first = problems.0.iter().find(|problem| problem.level == engine::Level::Error);
    let Some(first) = first else {
        return Trouble::file(format!("{problems}"), LEAVE_OUT);
    };
    if let Some(place) = first.place.as_ref().filter(|place| place.file.name() != OWN_FILE) {
        let (line, column) = place.line_and_column();
        let at = format!("{}:{line}:{column}", place.file.name());
        let hint = first.hint.clone().unwrap_or_default();
        return Trouble::graph(format!("{}, at {at}", first.message), hint);
    }
    let of = recording.filter(|path| !first.message.contains(path));
    let of = of.map_or_else(String::new, |path| format!("`{path}`: "));
    let hint = first.hint.clone().unwrap_or_else(|| LEAVE_OUT.to_owned());
    Trouble::file(format!("{of}{}", first.message), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::{mock::hypothesis, recorder::Said};

    fn piece(turn: i64, start_s: f64, text: &str) -> Piece {
        let said = hypothesis(text, 1.0, 0.9);
        let words = said.words.iter().cloned().map(|word| word.later(start_s)).collect();
        let said = Said { told: None, tells: None, said, text: text.to_owned(), words };
        Piece { turn, start_s, seconds: 1.0, said: vec![vec![said]] }
    }

    #[test]
    fn a_piece_has_the_words_that_begin_within_it() {
        let alone = [piece(0, 1.0, "a b c d e f"), piece(1, 20.0, "g h")];
        // The first turn was told in two parts.
        let pieces = [piece(0, 1.2, ""), piece(0, 3.5, ""), piece(1, 20.5, "")];
        let text = |at| crate::transcription::hypothesis::text_of(&words_of(&pieces, at, &alone));
        assert_eq!([0, 1, 2].map(text), ["a b c", "d e f", "g h"]);
    }
}
