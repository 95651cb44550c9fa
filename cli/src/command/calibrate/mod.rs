//! `afferent calibrate`: when questions leave a model in segments early, or which of several models of speech answers. The
//! work is in the crate `model`.

mod speech;

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::ValueParser};
use engine::SectionSpec;
use model::{
    calibrate::Signal,
    section::{segmented, spoken},
    tools::{AsAsked, CalibrateOptions, EarlyExits, calibrate as find, span},
};

use crate::{
    exit::{Exit, Failure, print},
    graph::Graph,
    page::Page,
    terminal::{ascii, speaks_unicode},
};

use super::model::{failure, percent, seconds, shape, watched};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CalibrateArguments {
    /// The graph file, with a section `[model.NAME]` that has `segments`
    #[arg(value_name = "GRAPH")]
    file: PathBuf,

    /// Questions as they come to the node that asks: `.npz` with an array `x`, `.npy`, or `.jsonl` as the sink `jsonl` writes tensors;
    /// for models of speech recordings: a folder, or a list
    ///
    /// What the node does to them with its `normalize` is done here, too, unless `--normalized` says that it has been done.
    ///
    /// The first dimension counts questions. An array `y`, or a key `y` in every line, says the right class of each, by number or
    /// name. Without, what counts is how often an early answer differs from that of the whole model.
    ///
    /// Recordings are any that `audio` reads: those of a folder, what is said in `talk.flac` in `talk.txt` beside it; or `LIST.tsv` or
    /// `LIST.csv` with the heading `file`, `text` and `speaker`, the last two if they are known, paths from its folder. A recording
    /// without a text is judged by what the largest model says.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,

    /// The questions are as the model gets them: nothing is done to them before
    #[arg(long)]
    normalized: bool,

    /// The right class of each question, if the data does not say: `.npy`, or text with one a line
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,

    /// Names of the classes, in the order of the model's scores
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    labels: Option<Vec<String>>,

    /// The shape of one question for an input whose lengths are open; may be given several times
    #[arg(long, value_name = "INPUT=N,…", value_parser = ValueParser::new(shape))]
    shape: Vec<(String, Vec<usize>)>,

    /// Which model, where the graph has several in segments
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// Points of accuracy, of all answers, that may be lost; of speech, pieces that may come out worse than from the largest
    /// model [default: 0.5%, of speech 5%]
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    #[arg(value_parser = ValueParser::new(inner_percent))]
    loss: Option<f64>,

    /// How sure it must be that no more is lost
    #[arg(long, value_name = "PERCENT", default_value = "95%", allow_negative_numbers = true)]
    #[arg(value_parser = ValueParser::new(inner_percent))]
    confidence: f64,

    /// What tells how sure an exit is [default: score]
    #[arg(long, value_enum)]
    signal: Option<SignalArgument>,

    /// What of speech counts for itself, and what loss is promised of [default: recording]
    #[arg(long, value_enum)]
    unit: Option<UnitArgument>,

    /// Which questions, or recordings, tune and which certify, drawn by this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Where the file goes, and of segments a picture beside it [default: the `exits` of the section]
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,

    /// Seconds that the measurement of each segment takes [default: 0.3]
    #[arg(long, value_name = "S", value_parser = ValueParser::new(seconds))]
    seconds: Option<f64>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent calibrate graph.toml --data beats.npz
  afferent calibrate graph.toml --data beats.npz --loss 1% --confidence 99%
  afferent calibrate graph.toml --data unlabelled.npy --model beats --out beats.exits.toml
  afferent calibrate graph.toml --data beats.npz --json | jq .saved
  afferent calibrate voice.toml --data recordings/ --loss 5%

Three tenths of the questions fit a temperature for each exit and lay a path of thresholds; the others say
how far along it the promise holds (Learn then Test). It holds for questions of the same kind that do not depend
on each other: take them from as many people and devices as there will be, and not the ones that trained the model.
With 0.5 % and 95 % at least 856 are needed, a few thousand to save much. What is right of a class that is
rarely asked can become worse by more than the whole.

Of models of speech in `segments`, from small to large, each hears every turn of every recording, cut as the graph's `speech`
cuts it and asked as its `transcribe` asks, partials of the first model before it: what these have told is not taken back.
Lost is a turn of which what is told has more wrong words than what the largest model alone would have said; what each model's
confidence is worth is fitted, too, and that it says nothing; a model that saves nothing is left out. Three tenths of the
recordings tune, half certify, and the rest chose nothing: of them it is told what to expect.

Turns of one recording resemble each other, so that recordings count, each for itself (`--unit recording`): with 5 % and 95 % at
least 119 of a turn each, or 131 longer ones; some hundreds to save much. Recordings of one person are to be named so, by a
list with `speaker`. Where the very people speak who were recorded, as and where they were, turns count (`--unit turn`). Whoever
tries seeds or units until one of them promises has no promise. Recordings are heard as `downmix` and `resample` give them: what
else the graph does to sound before, such as `denoise`, is to be done to them.

Where nothing can be promised nothing is written and the program ends with 1.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SignalArgument {
    /// The likeliest class's score
    Score,
    /// By how much it is ahead of the second
    Margin,
    /// One less the entropy of the scores
    Entropy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnitArgument {
    /// A recording, or all of one speaker where a list says who speaks: of speakers and places to come
    Recording,
    /// A turn: where the very people speak who were recorded, as and where they were
    Turn,
}

impl From<UnitArgument> for model::tools::Unit {
    fn from(unit: UnitArgument) -> Self {
        match unit {
            UnitArgument::Recording => Self::Recording,
            UnitArgument::Turn => Self::Turn,
        }
    }
}

/// A share that promises something and leaves something.
fn inner_percent(text: &str) -> Result<f64, String> {
    let share = percent(text)?;
    if (1e-6..=1.0 - 1e-6).contains(&share) {
        Ok(share)
    } else {
        Err("write a percentage above 0 and below 100, such as 0.5%".to_owned())
    }
}

/// Calibrates a model of a graph.
pub(crate) fn calibrate(asked: &CalibrateArguments) -> Result<Exit, Failure> {
    let graph = Graph::read(&asked.file)?;
    let section =
        chosen(&graph.spec.models, asked.model.as_deref(), &asked.file.to_string_lossy())?;
    let path = asked.file.to_string_lossy();
    let cascade = spoken(&graph.spec, section, Some(&path));
    if let Some(cascade) = cascade.map_err(|problems| Failure::graph(&problems))? {
        return speech::calibrate(asked, &graph, &cascade);
    }
    if asked.unit.is_some() {
        let message =
            "`--unit` means nothing but to a model of speech: questions are each for themselves";
        return Err(Failure::new(Exit::Usage, message, "leave it out"));
    }
    let model = segmented(section, Some(&path)).map_err(|problems| Failure::graph(&problems))?;
    let as_asked = match asked.normalized {
        true => None,
        false => AsAsked::of(&graph.spec, &section.name.value).map_err(failure)?,
    };
    let options = CalibrateOptions {
        model,
        as_asked,
        data: asked.data.clone(),
        truth: asked.truth.clone(),
        labels: asked.labels.clone(),
        shapes: asked.shape.clone(),
        loss: asked.loss.unwrap_or(0.005),
        confidence: asked.confidence,
        signal: match asked.signal {
            None | Some(SignalArgument::Score) => Signal::Top,
            Some(SignalArgument::Margin) => Signal::Margin,
            Some(SignalArgument::Entropy) => Signal::Entropy,
        },
        seed: asked.seed,
        out: asked.out.clone(),
        seconds: asked.seconds.unwrap_or(0.3),
    };
    let calibration = watched(|watch| find(&options, watch))?;
    if asked.json {
        print(&format!("{}\n", calibration.to_json(&options)))?;
    } else {
        print(&page(&options, &calibration))?;
    }
    Ok(Exit::Done)
}

/// The section that is meant.
fn chosen<'a>(
    models: &'a [SectionSpec],
    name: Option<&str>,
    graph: &str,
) -> Result<&'a SectionSpec, Failure> {
    let usage = |message: String, hint: &str| Failure::new(Exit::Usage, &message, hint);
    let names = |models: &[&SectionSpec]| {
        models.iter().map(|model| model.name.value.as_str()).collect::<Vec<_>>().join("`, `")
    };
    if let Some(name) = name {
        return models.iter().find(|model| model.name.value == name).ok_or_else(|| {
            let all: Vec<_> = models.iter().collect();
            let hint = match &all[..] {
                [] => "it has no model at all".to_owned(),
                all => format!("it has `{}`", names(all)),
            };
            usage(format!("`{graph}` has no `[model.{name}]`"), &hint)
        });
    }
    let in_segments: Vec<_> =
        models.iter().filter(|model| model.param("segments").is_some()).collect();
    match &in_segments[..] {
        [one] => Ok(one),
        [] => {
            let message = format!("`{graph}` has no `[model.NAME]` with `segments`");
            Err(usage(
                message,
                "a model that can be left early is written `segments = [\"a.onnx\", \"b.onnx\"]`, several of speech, from small to large, \
                 `segments = [\"ggml-tiny.bin\", \"ggml-base.bin\"]`",
            ))
        }
        several => {
            let message = format!("`{graph}` has several models in segments: `{}`", names(several));
            Err(usage(message, "say which: `--model NAME`"))
        }
    }
}

fn page(options: &CalibrateOptions, told: &EarlyExits) -> String {
    let CalibrateOptions { model, loss, confidence, .. } = options;
    let (found, mut page) = (&told.found, Page::of_stdout());
    let (segments, data) = (model.segments.len(), options.data.display());
    page.line(&format!(
        "{}  {segments} segments in {}, {} questions of {data}",
        model.name, told.backend, told.rows
    ));
    if let Some(asked) = &options.as_asked {
        page.line(&format!(
            "  each with `normalize` = {:?}, as node `{}` does it (`--normalized`: that has been done)",
            asked.word, asked.node
        ));
    }
    page.line("");
    let alone = if told.is_labelled { "right alone" } else { "as the whole" };
    page.line(&format!(
        "  exit  leaves from   share  temperature  {alone:>12}  time of its segment"
    ));
    for (exit, share) in found.shares.iter().enumerate() {
        let from = match found.thresholds.get(exit) {
            Some(threshold) if threshold.is_finite() => format!("{threshold:.4}"),
            Some(_) => "never".to_owned(),
            None => "the rest".to_owned(),
        };
        page.line(&format!(
            "  {:>4}  {from:>11}  {:>4.1} %  {:>11.2}  {:>10.2} %  {:>8}",
            exit + 1,
            100.0 * share,
            found.temperatures[exit].value,
            100.0 * told.alone[exit],
            span(told.costs_us[exit])
        ));
    }
    page.line("");
    let [early, whole] = found.cost;
    page.line(&format!(
        "  cost      {:.1} % saved: {} instead of {} a question",
        100.0 * (1.0 - told.cost()),
        span(early),
        span(whole)
    ));
    match found.accuracy.filter(|_| told.is_labelled) {
        Some([early, whole]) => page.line(&format!(
            "  accuracy  {:.2} %, instead of {:.2} %, on {} questions that chose no threshold",
            100.0 * early,
            100.0 * whole,
            found.samples[1]
        )),
        None => page.line(&format!(
            "  answers   {:.2} % as of the whole model, on {} questions that chose no threshold",
            100.0 * (1.0 - found.risk),
            found.samples[1]
        )),
    }
    let lost = if told.is_labelled {
        "are answered wrong that the whole model would have answered right"
    } else {
        "are answered otherwise than by the whole model"
    };
    page.line("");
    page.paragraph(
        &format!(
            "Promised with {} % confidence: of questions like these, at most {} % {lost}. Where what is asked \
             changes, it holds no more: calibrate again.",
            shown(*confidence),
            shown(*loss)
        ),
        "",
    );
    if let Some([seen, most]) = found.differs {
        let (seen, most) = (shown(seen), shown(most));
        page.line("");
        page.paragraph(
            &format!(
                "A run follows a sample of the questions to the end (`watch`) and says when that is so: {seen} % of these \
                 answers differ from the whole model's, and at most {most} % are to."
            ),
            "",
        );
    }
    page.line("");
    let [file, picture] = &told.written;
    page.line(&format!("written: {}, {}", file.display(), picture.display()));
    if let Some(file) = told.unnamed(model) {
        let own = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        page.paragraph(
            &format!(
                "Now let `[model.{}]` name it, with a path from the folder of the graph: `exits = \"{own}\"`, and no `thresholds`.",
                model.name
            ),
            "",
        );
    }
    if speaks_unicode() { page.text } else { ascii(&page.text) }
}

/// A share in per cent, without the noise of its last digits.
fn shown(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}
