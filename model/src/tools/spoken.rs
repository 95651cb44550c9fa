//! `afferent calibrate` for models of speech: when the smaller ones of a cascade answer, with a promise about what that costs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::Catalog;

use crate::{
    calibrate::{Cascaded, Heard, Hopeless, calibrate_cascade, cascade_samples_needed},
    transcription::{Decoder, exits::SpeechExits, hypothesis::text_of, recorder::Piece},
};

use super::{
    listening::Listening,
    recordings::{Recording, recordings},
    trouble::Trouble,
    watch::Watch,
    wording::{errors, parts, words},
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
    /// Largest share of pieces that may come out worse than from the largest model, above 0 and below 1.
    pub loss: f64,
    /// With so much confidence, above 0 and below 1.
    pub confidence: f64,
    /// Which recordings tune, which certify and which tell what is expected.
    pub seed: u64,
    /// Where the file goes; else where the section says.
    pub out: Option<PathBuf>,
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
    /// Pieces of speech.
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
    let ear = options.listening.with(models, catalog)?;
    let mut of = HeardOf { recordings: all.len(), ..HeardOf::default() };
    let mut samples = Vec::new();
    for (group, recording) in all.iter().enumerate() {
        (watch.says)(&format!("hears recording {} of {}", group + 1, all.len()));
        let pieces = ear.hear(&recording.path, watch)?;
        of.silent += usize::from(pieces.is_empty());
        of.unknown += usize::from(recording.text.is_none() && !pieces.is_empty());
        of.pieces += pieces.len();
        of.seconds += pieces.iter().map(|piece| piece.seconds).sum::<f64>();
        samples.extend(judged(group, recording, &pieces)?);
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
        samples.iter().map(|sample| sample.costs[model]).sum::<f64>() / samples.len() as f64
    };
    let took_s = (0..names.len()).map(mean).collect();
    let exits = SpeechExits {
        models: names.clone(),
        contents,
        language: options.listening.language().to_owned(),
        translates: options.listening.translates(),
        samples: found.samples[1] as u64,
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

/// What each model has made wrong of each piece: of the text, where that is known, else of what the largest has said.
fn judged(group: usize, recording: &Recording, pieces: &[Piece]) -> Result<Vec<Heard>, Trouble> {
    let said: Vec<Vec<Vec<String>>> = pieces
        .iter()
        .map(|piece| piece.said.iter().map(|one| words(&text_of(&one.words))).collect())
        .collect();
    let references: Vec<Vec<String>> = match &recording.text {
        Some(_) if pieces.is_empty() => Vec::new(),
        Some(text) => {
            let text = words(text);
            let parts = parts(&text, &said).ok_or_else(|| {
                let message = format!(
                    "`{}`: its text has {} words, and hardly any of them was heard",
                    recording.path.display(),
                    text.len()
                );
                let hint =
                    "see whether the text is of this recording, or cut both into shorter ones";
                Trouble::file(message, hint)
            })?;
            parts.into_iter().map(|part| text[part].to_vec()).collect()
        }
        None => said.iter().map(|models| models[models.len() - 1].clone()).collect(),
    };
    let judge = |((piece, said), reference): ((&Piece, &Vec<Vec<String>>), &Vec<String>)| Heard {
        group,
        confidence: piece.said.iter().map(|it| it.is_whole().then_some(it.confidence)).collect(),
        errors: said.iter().map(|said| errors(said, reference)).collect(),
        of: reference.len(),
        costs: piece.said.iter().map(|it| it.cost_s).collect(),
    };
    Ok(pieces.iter().zip(&said).zip(&references).map(judge).collect())
}

fn few_recordings(count: usize, options: &SpokenOptions) -> Trouble {
    let are = if count == 1 { "recording is" } else { "recordings are" };
    let message =
        format!("{count} {are} too few: some tune, some certify, and some tell what to expect");
    let needed = needed(options);
    let hint = format!(
        "give three or more, and {needed} pieces of speech in all; one of many speakers, cut into a file for each, will do"
    );
    Trouble::refused(message, hint)
}

fn wordless(names: &[String], of: &HeardOf) -> Trouble {
    let largest = names.last().map_or("", |name| name);
    let message = format!(
        "`{largest}` says no word of {} pieces of speech, so that nothing can be judged",
        of.pieces
    );
    let hint = "see whether the file is a model with weights, and give what is said in texts";
    Trouble::refused(message, hint)
}

fn needed(options: &SpokenOptions) -> usize {
    cascade_samples_needed([options.loss, 1.0 - options.confidence])
}

/// A share in per cent, without the noise of its last digits.
fn percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

/// Why nothing was written, and what to do.
fn hopeless(why: &Hopeless, options: &SpokenOptions, of: &HeardOf, names: &[String]) -> Trouble {
    let [loss, confidence] = [options.loss, options.confidence].map(percent);
    let largest = names.last().map_or("", |name| name);
    let head = format!(
        "nothing can be promised of a loss of at most {loss} % at {confidence} % confidence"
    );
    let needed = needed(options);
    if of.pieces == 0 {
        let message = format!("nobody speaks in these {} recordings", of.recordings);
        let hint =
            "listen to them, or change what `speech` takes for speech in the graph: `threshold`";
        return Trouble::refused(message, hint);
    }
    if of.pieces < needed {
        let message = format!("{head}: {} pieces of speech are too few", of.pieces);
        let hint = format!(
            "give {needed} pieces or more, or ask a larger `--loss` or a smaller `--confidence`"
        );
        return Trouble::refused(message, hint);
    }
    match why {
        Hopeless::Groups(count) => {
            let message = format!(
                "somebody speaks in {count} of the {} recordings, which are too few",
                of.recordings
            );
            Trouble::refused(message, "give three recordings with speech, or more")
        }
        Hopeless::Cost([ours, alone]) => {
            let message = format!(
                "nothing is saved: with smaller models in front a piece takes {:.0} ms, and `{largest}` alone {:.0} ms",
                1e3 * ours,
                1e3 * alone
            );
            let hint = format!("name `{largest}` alone as `file`, or ask a larger `--loss`");
            Trouble::refused(message, hint)
        }
        Hopeless::Promise(samples, lost) if *lost <= options.loss => {
            let message = format!(
                "{head}: {samples} pieces are too few to certify it, though they have lost {} %",
                percent(*lost)
            );
            let hint = "give more recordings, as long as each other; half of them certify";
            Trouble::refused(message, hint)
        }
        Hopeless::Promise(samples, lost) => {
            let message = format!(
                "{head}: even of the surest answers of a smaller model too many are worse than `{largest}`'s; with the best of \
                 them {} % of {samples} pieces are lost",
                percent(*lost)
            );
            let hint =
                "give more recordings, ask a larger `--loss`, or put a better model in front";
            Trouble::refused(message, hint)
        }
    }
}

impl SpokenExits {
    /// What a person should write in the graph, where the section does not name the file.
    pub fn unnamed(&self, exits: Option<&str>) -> Option<&Path> {
        (exits.map(Path::new) != Some(&*self.written)).then_some(&*self.written)
    }
}
