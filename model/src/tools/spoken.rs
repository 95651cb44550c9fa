//! `afferent calibrate` for models of speech: when the smaller ones of a cascade answer, with a promise about what that costs.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::Catalog;

use crate::{
    calibrate::{Answer, Cascaded, Heard, calibrate_cascade},
    transcription::{
        Decoder,
        exits::SpeechExits,
        hypothesis::text_of,
        recorder::{Piece, Said},
    },
};

use super::{
    hopeless::{few_recordings, hopeless, wordless},
    listening::{Listening, Told},
    recordings::{Recording, once, recordings},
    trouble::Trouble,
    watch::Watch,
    wording::{Unfound, errors, parts, words},
    write,
};

/// What is asked of [`calibrate_speech`].
#[derive(Clone, Debug)]
pub struct SpokenOptions {
    /// The `NAME` of the section.
    pub name: String,
    /// The file that its `exits` names, if it names one.
    pub exits: Option<String>,
    /// How the graph hears.
    pub listening: Listening,
    /// A folder of recordings, or a list of them.
    pub data: PathBuf,
    /// Largest share of its turns that a recording to come may lose on the average, above 0 and below 1: those that come out worse
    /// than from the largest model alone.
    pub loss: f64,
    /// Of what that is promised.
    pub unit: Unit,
    /// With so much confidence, above 0 and below 1.
    pub confidence: f64,
    /// Which recordings tune, which certify and which tell what is expected.
    pub seed: u64,
    /// Where the file goes; else where the section says.
    pub out: Option<PathBuf>,
}

/// What counts for itself: the rest resembles each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// A recording, or all of one speaker where a list says who speaks: what is promised is of recordings to come.
    #[default]
    Recording,
    /// A turn: what is promised is of turns to come of those who were recorded, where they were.
    Turn,
}

impl Unit {
    /// As in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Turn => "turn",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct SpokenExits {
    /// What was found.
    pub found: Cascaded,
    /// Names of the models, from small to large.
    pub models: Vec<String>,
    /// Mean time that a piece takes each of them, in seconds.
    pub took_s: Vec<f64>,
    /// What was heard.
    pub heard: HeardOf,
    /// The file that was written.
    pub written: PathBuf,
}

/// What was heard of the recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeardOf {
    /// How many recordings there are, those without speech among them.
    pub recordings: usize,
    /// Of these, in how many nobody speaks.
    pub silent: usize,
    /// And of how many it is not known what is said: there the largest model is right.
    pub unknown: usize,
    /// What counts for itself: recordings, or speakers where they are told, in which somebody speaks; or turns.
    pub groups: usize,
    /// Turns, and parts of long ones.
    pub pieces: usize,
    /// Their seconds.
    pub seconds: f64,
}

/// Has all models of a cascade, from small to large, understand the recordings; finds when each answers, and writes that.
///
/// # Errors
/// If files cannot be read or written, a model fails, nothing can be promised or saved, or `watch` ends it. Then nothing is
/// written.
///
/// # Panics
/// If there is one model alone.
pub fn calibrate_speech(
    options: &SpokenOptions,
    models: Vec<Arc<dyn Decoder>>,
    catalog: &Catalog,
    watch: &Watch<'_>,
) -> Result<SpokenExits, Trouble> {
    assert!(models.len() > 1, "a cascade has two models");
    let written = place(options)?;
    let all = recordings(&options.data)?;
    if all.len() < 3 {
        return Err(few_recordings(all.len(), options));
    }
    let names: Vec<String> = models.iter().map(|model| model.name().to_owned()).collect();
    let contents: Vec<u64> = models.iter().map(|model| model.content()).collect();
    once(&all, watch)?;
    let ear = options.listening.with(models, catalog)?;
    let mut of = HeardOf { recordings: all.len(), ..HeardOf::default() };
    let mut samples = Vec::new();
    let mut speakers = Speakers::default();
    for (number, recording) in all.iter().enumerate() {
        (watch.says)(&format!("hears recording {} of {}", number + 1, all.len()));
        let told = ear.hear(&recording.path, watch)?;
        let pieces = &told.pieces;
        of.silent += usize::from(pieces.is_empty());
        of.unknown += usize::from(recording.text.is_none() && !pieces.is_empty());
        of.pieces += pieces.len();
        of.seconds += pieces.iter().map(|piece| piece.seconds).sum::<f64>();
        if !pieces.is_empty() {
            let speaker = speakers.group(recording);
            let mut judged = judged(speaker, recording, &told, watch)?;
            if options.unit == Unit::Turn {
                // Parts of a turn are no more for themselves than turns of a speaker.
                let turns: BTreeSet<i64> = pieces.iter().map(|piece| piece.turn).collect();
                for (sample, piece) in judged.iter_mut().zip(pieces) {
                    sample.group = of.groups + turns.range(..piece.turn).count();
                }
                of.groups += turns.len();
            }
            samples.extend(judged);
        }
    }
    if options.unit == Unit::Recording {
        of.groups = speakers.count;
    }
    if of.pieces > 0 && samples.iter().all(|sample| sample.of == 0) {
        return Err(wordless(&names, &of));
    }
    (watch.says)("finds thresholds");
    watch.goes_on()?;
    let promise = [options.loss, 1.0 - options.confidence];
    let found = calibrate_cascade(&samples, promise, options.seed)
        .map_err(|why| hopeless(&why, options, &of, &names))?;
    let mean = |model: usize| {
        let costs = samples.iter().map(|sample| sample.answers[model][0].cost);
        costs.sum::<f64>() / samples.len() as f64
    };
    let took_s = (0..names.len()).map(mean).collect();
    let exits = SpeechExits {
        models: names.clone(),
        contents,
        language: options.listening.language().to_owned(),
        translates: options.listening.translates(),
        listening: options.listening.written(),
        samples: found.samples[1] as u64,
        groups: found.groups[1] as u64,
        unit: options.unit.name().to_owned(),
        loss: options.loss,
        confidence: options.confidence,
        cost: found.expected.cost[0] / found.expected.cost[1],
        shares: found.expected.shares[..found.gates.len()].to_vec(),
        gates: found.gates.clone(),
    };
    write::write(&written, exits.text().as_bytes())?;
    Ok(SpokenExits { found, models: names, took_s, heard: of, written })
}

/// Where it goes; that there is room is seen before anybody waits.
fn place(options: &SpokenOptions) -> Result<PathBuf, Trouble> {
    let file = options.out.clone().or_else(|| options.exits.as_ref().map(PathBuf::from));
    let Some(file) = file else {
        let name = &options.name;
        let message = format!("`[model.{name}]` names no file that says when each model answers");
        let hint = format!("write `exits = \"{name}.exits.toml\"` there, or give `--out FILE`");
        return Err(Trouble::asked(message, hint));
    };
    if file.extension().is_none_or(|extension| extension != "toml") {
        let message = format!("`{}` does not end in .toml", file.display());
        return Err(Trouble::asked(message, "name it such as `voice.exits.toml`"));
    }
    write::has_room(&file)?;
    Ok(file)
}

/// Groups by who speaks.
#[derive(Default)]
struct Speakers {
    known: HashMap<String, usize>,
    count: usize,
}

impl Speakers {
    fn group(&mut self, recording: &Recording) -> usize {
        let known = recording.speaker.as_ref().and_then(|speaker| self.known.get(speaker));
        known.copied().unwrap_or_else(|| {
            let group = self.count;
            self.known.extend(recording.speaker.clone().map(|speaker| (speaker, group)));
            self.count += 1;
            group
        })
    }
}

/// What each model has made wrong of each piece: of the text, where that is known, else of what the largest alone has said.
fn judged(
    group: usize,
    recording: &Recording,
    told: &Told,
    watch: &Watch<'_>,
) -> Result<Vec<Heard>, Trouble> {
    let alone: Vec<Vec<String>> = told.alone.iter().map(|it| words(&text_of(it))).collect();
    let references: Vec<Vec<String>> = match &recording.text {
        Some(text) => {
            let text = words(text);
            let of_models =
                told.pieces.iter().map(|piece| piece.said.iter().map(|it| words(&it[0].text)));
            let said: Vec<Vec<Vec<String>>> = of_models
                .zip(&alone)
                .map(|(models, alone)| {
                    let mut all: Vec<Vec<String>> = models.collect();
                    // None counts twice.
                    if all.last() != Some(alone) {
                        all.push(alone.clone());
                    }
                    all
                })
                .collect();
            let parts = parts(&text, &said, &|| watch.is_over()).map_err(|why| match why {
                Unfound::Words => unheard(recording, text.len()),
                Unfound::Over => Trouble::interrupted(),
            })?;
            parts.into_iter().map(|part| text[part].to_vec()).collect()
        }
        None => alone.clone(),
    };
    let all = told.pieces.iter().zip(&alone).zip(&references);
    let judge = |((piece, alone), reference): ((&Piece, &Vec<String>), &Vec<String>)| Heard {
        group,
        answers: answers(piece, reference),
        alone: errors(alone, reference),
        of: reference.len(),
    };
    Ok(all.map(judge).collect())
}

/// What its models answer, and how wrong that is.
fn answers(piece: &Piece, reference: &[String]) -> Vec<Vec<Answer>> {
    // Languages that were found out, by number.
    let mut languages: Vec<String> = Vec::new();
    let mut number = |language: &Option<String>| {
        let language = language.as_ref()?;
        let known = languages.iter().position(|it| it == language);
        Some(known.unwrap_or_else(|| {
            languages.push(language.clone());
            languages.len() - 1
        }))
    };
    let mut answer = |said: &Said| Answer {
        sure: said.said.sure(),
        errors: errors(&words(&said.text), reference),
        cost: said.said.cost_s,
        told: number(&said.told),
        tells: number(&said.tells),
    };
    piece.said.iter().map(|said| said.iter().map(&mut answer).collect()).collect()
}

fn unheard(recording: &Recording, words: usize) -> Trouble {
    let message = format!(
        "`{}`: its text has {words} words, and hardly any of them was heard",
        recording.path.display()
    );
    Trouble::file(
        message,
        "see whether the text is of this recording, or cut both into shorter ones",
    )
}

impl SpokenExits {
    /// What a person should write in the graph, where the section does not name the file.
    pub fn unnamed(&self, exits: Option<&str>) -> Option<&Path> {
        (exits.map(Path::new) != Some(&*self.written)).then_some(&*self.written)
    }
}
