//! [`Listening`]: recordings heard as a graph hears them, by all models of a cascade.
//!
//! A small graph does it: `audio → downmix → resample` to 16 kHz, cut into turns by `speech` with the parameters of the graph's own
//! node, into a `transcribe` with those of the node that asks. So models get what they get when it runs, prompts and all.

use std::{path::Path, sync::Arc, time::Duration};

use engine::{
    Catalog, Diagnostics, Disk, GraphSpec, NodeSpec, PlanOptions, RunOptions, SectionSpec, Service,
    Services, SourceText, Spanned, Value,
};

use crate::{
    kinds::{speech, transcribe},
    section,
    transcription::{
        Cascade, Decoder, Pool, SpeechModel,
        recorder::{Piece, Recorder},
    },
};

use super::{trouble::Trouble, watch::Watch};

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
partial_s = 0.0
speculate = false

[node.end]
op   = \"null\"
from = \"text\"
";

/// What of a node that asks decides about what it is told.
const ASKED: [&str; 6] = ["language", "translate", "prompt", "tail_s", "turn_max_s", "context_min"];
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
    /// If they do not all do the same.
    pub fn of(graph: &GraphSpec, model: &str, graph_file: Option<&str>) -> Result<Self, Trouble> {
        let asks = |node: &&NodeSpec| {
            node.op.value == transcribe::KIND.name
                && node.param("model").and_then(|it| it.value.as_text()) == Some(model)
        };
        let mut all = graph.nodes.iter().filter(asks);
        let Some(first) = all.next() else { return Ok(Self::default()) };
        let asked = picked(first);
        if let Some(other) = all.find(|other| !same(&picked(other), &asked)) {
            let (one, other) = (&first.name.value, &other.name.value);
            let message = format!("the nodes `{one}` and `{other}` ask `{model}` differently");
            let hint = "give each a `[model.NAME]` of its own, and calibrate both";
            return Err(Trouble::asked(message, hint));
        }
        let port = |input: &&engine::InputSpec| {
            input.port.as_ref().is_some_and(|port| port.value == "turns")
        };
        let source = first.from.iter().find(port).map(|input| input.source.value.node());
        let turns = source.and_then(|name| graph.find(&name));
        let turns = turns.filter(|node| node.op.value == speech::KIND.name);
        let cut = turns.map(|node| node.params.clone()).unwrap_or_default();
        let names = |name: &str| {
            let named = cut.iter().find(|(key, _)| key.value == name);
            named.and_then(|(_, value)| value.value.as_text().map(str::to_owned))
        };
        let named: Vec<String> = ["model", "turn_model"].into_iter().filter_map(names).collect();
        let is_named = |section: &&SectionSpec| named.contains(&section.name.value);
        Ok(Self {
            asks: Some(first.name.value.clone()),
            turns: turns.map(|node| node.name.value.clone()),
            asked,
            models: graph.models.iter().filter(is_named).cloned().collect(),
            cut,
            graph_file: graph_file.map(str::to_owned),
        })
    }

    /// What is spoken, or "auto".
    pub fn language(&self) -> &str {
        let written = self.asked.iter().find(|(key, _)| key.value == "language");
        written.and_then(|(_, value)| value.value.as_text()).unwrap_or("auto")
    }

    /// Whether it is translated.
    pub fn translates(&self) -> bool {
        let written = self.asked.iter().find(|(key, _)| key.value == "translate");
        written.is_some_and(|(_, value)| value.value == Value::Bool(true))
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
            GraphSpec::parse(&SourceText::new("calibrate", GRAPH)).expect("a graph that is right");
        let mut others = spec.clone();
        others.models.clone_from(&self.models);
        let (others, problems) =
            section::services(&others, Arc::new(Disk), self.graph_file.clone(), |_| ());
        if problems.has_errors() {
            return Err(refused("", &problems));
        }
        let gates = vec![crate::calibrate::Gate::SHUT; models.len() - 1];
        let cascade = Cascade::gated(models, gates).expect("a gate for each model but the last");
        let recorder = Arc::new(Recorder::new(Arc::new(cascade)));
        // One at a time, so that none takes the other's time.
        let own = SpeechModel::new(Cascade::single(recorder.clone()), Pool::new(1));
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
        Ok(Ear { spec, services: own.beside("", &others), recorder, catalog: catalog.clone() })
    }
}

/// What the models are called in the graph that hears: no name that a file can give to another one.
const OWN: &str = "all models";

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
}

impl Ear {
    /// What all models say of the pieces of a recording.
    ///
    /// # Errors
    /// If it cannot be read, a model fails, or `watch` ends it.
    pub(super) fn hear(&self, path: &Path, watch: &Watch<'_>) -> Result<Vec<Piece>, Trouble> {
        let shown = path.display().to_string();
        let mut spec = self.spec.clone();
        let audio = spec.nodes.iter_mut().find(|node| node.name.value == "audio");
        let file = Value::Text(shown.clone());
        audio.expect("it is in the graph").params.push(("file".to_owned().into(), file.into()));
        let mut options = PlanOptions::new(Arc::new(Disk));
        options.services = self.services.clone();
        let plan = spec.plan(&self.catalog, &options).map_err(|all| refused(&shown, &all))?;
        let failed = |why: String| Trouble::file(format!("`{shown}`: {why}"), LEAVE_OUT);
        let running = Arc::new(plan)
            .start(&RunOptions { speed: None, ..RunOptions::default() })
            .map_err(|error| failed(error.to_string()))?;
        let outcome = loop {
            if let Some(outcome) = running.wait_for(LOOKS) {
                break outcome;
            }
            if watch.is_over() {
                running.stop();
                return Err(Trouble::interrupted());
            }
        };
        let pieces = self.recorder.take().map_err(|fault| {
            Trouble::file(format!("`{shown}`: a model has failed: {fault}"), LEAVE_OUT)
        })?;
        match outcome.fault {
            Some((node, why, _)) => Err(failed(format!("node {node}: {why}"))),
            None => Ok(pieces),
        }
    }
}

const LEAVE_OUT: &str = "look at the recording, or leave it out";

fn refused(of: &str, problems: &Diagnostics) -> Trouble {
    let Some(first) = problems.0.iter().find(|problem| problem.level == engine::Level::Error)
    else {
        return Trouble::file(format!("`{of}`: {problems}"), LEAVE_OUT);
    };
    let of = if of.is_empty() || first.message.contains(of) {
        String::new()
    } else {
        format!("`{of}`: ")
    };
    let hint = first.hint.clone().unwrap_or_else(|| LEAVE_OUT.to_owned());
    Trouble::file(format!("{of}{}", first.message), hint)
}
