//! `afferent calibrate` for models of speech.

use model::{
    section::Spoken,
    tools::{Listening, SpokenExits, SpokenOptions, Unit, calibrate_speech},
};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure, print},
    graph::Graph,
    page::Page,
    terminal::{ascii, speaks_unicode},
};

use super::{
    super::model::{failure, watched},
    CalibrateArguments, shown,
};

/// Pieces that may come out worse, unless said otherwise: that a text has one word more wrong is lost already.
const LOSS: f64 = 0.05;
/// With fewer recordings than this a promise about turns is worth little.
const RECORDINGS_FEW: usize = 20;

/// Calibrates models of speech, from small to large.
pub(super) fn calibrate(
    asked: &CalibrateArguments,
    graph: &Graph,
    cascade: &Spoken,
) -> Result<Exit, Failure> {
    for (option, is_given) in [
        ("--normalized", asked.normalized),
        ("--truth", asked.truth.is_some()),
        ("--labels", asked.labels.is_some()),
        ("--shape", !asked.shape.is_empty()),
        ("--signal", asked.signal.is_some()),
        ("--seconds", asked.seconds.is_some()),
    ] {
        if is_given {
            let message = format!("`{option}` means nothing to a model of speech");
            let hint = "leave it out; what is said in a recording stands in a text beside it: `afferent calibrate --help`";
            return Err(Failure::new(Exit::Usage, &message, hint));
        }
    }
    let path = asked.file.to_string_lossy();
    let listening = Listening::of(&graph.spec, &cascade.name, Some(&path)).map_err(failure)?;
    let options = SpokenOptions {
        name: cascade.name.clone(),
        exits: cascade.exits.clone(),
        listening,
        data: asked.data.clone(),
        loss: asked.loss.unwrap_or(LOSS),
        confidence: asked.confidence,
        unit: asked.unit.map_or(Unit::Recording, Unit::from),
        seed: asked.seed,
        out: asked.out.clone(),
    };
    let models = cascade.load().map_err(|problems| Failure::graph(&problems))?;
    let told = watched(|watch| calibrate_speech(&options, models, &catalog(), watch))?;
    if asked.json {
        print(&format!("{}\n", told.to_json(&options)))?;
    } else {
        let text = page(&options, &told);
        print(&if speaks_unicode() { text } else { ascii(&text) })?;
    }
    Ok(Exit::Done)
}

fn page(options: &SpokenOptions, told: &SpokenExits) -> String {
    let mut page = Page::of_stdout();
    heading(&mut page, options, told);
    table(&mut page, told);
    expected(&mut page, options, told);
    page.line("");
    let [loss, confidence] = [options.loss, options.confidence].map(shown);
    let largest = told.models.last().map_or("", |name| name);
    let of = match options.unit {
        Unit::Recording => format!(
            "in recordings like these, on the average, at most {loss} % of a recording's turns"
        ),
        Unit::Turn => {
            format!("of those who speak here, where they speak here, at most {loss} % of the turns")
        }
    };
    let what = counted(options.unit, told.found.groups[1]);
    page.paragraph(
        &format!(
            "Promised with {confidence} % confidence, by {what}: {of} come out worse than from {largest} \
             alone. Where the speakers, microphones or noise change, it holds no more: calibrate again.",
        ),
        "",
    );
    let recordings = told.heard.recordings - told.heard.silent;
    if options.unit == Unit::Turn && recordings < RECORDINGS_FEW {
        page.line("");
        page.paragraph(
            &format!(
                "They are of {recordings} recordings alone: of other speakers, or elsewhere, take it for a guess."
            ),
            "",
        );
    }
    page.line("");
    page.line(&format!("written: {}", told.written.display()));
    if let Some(file) = told.unnamed(options.exits.as_deref()) {
        let own = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        page.paragraph(
            &format!(
                "Now let `[model.{}]` name it, with a path from the folder of the graph: `exits = \"{own}\"`, and no `thresholds`.",
                options.name
            ),
            "",
        );
    }
    page.text
}

/// So many of what counts for itself.
fn counted(unit: Unit, count: usize) -> String {
    let name = unit.name();
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

fn heading(page: &mut Page, options: &SpokenOptions, told: &SpokenExits) {
    let heard = &told.heard;
    let (name, models) = (&options.name, told.models.len());
    page.line(&format!(
        "{name}  {models} models, {} turns of speech, {:.1} min, in {} recordings of {}",
        heard.pieces,
        heard.seconds / 60.0,
        heard.recordings - heard.silent,
        options.data.display()
    ));
    let listening = &options.listening;
    let cut = match &listening.turns {
        Some(node) => format!("cut into turns as `{node}` does it"),
        None => "cut into turns by `speech` as it is without parameters".to_owned(),
    };
    let asked = match &listening.asks {
        Some(node) => format!("asked as `{node}` asks"),
        None => "asked as a `transcribe` without parameters asks, as the graph has none".to_owned(),
    };
    page.paragraph(&format!("{cut}, {asked}"), "  ");
    if listening.has_partials() {
        let first = told.models.first().map_or("", |name| name);
        page.paragraph(&format!("with partials by {first}, which are not taken back"), "  ");
    }
    if heard.silent > 0 {
        page.line(&format!("  in {} recordings more nobody speaks", heard.silent));
    }
    let (largest, with) = (
        told.models.last().map_or("", |name| name),
        heard.recordings - heard.silent - heard.unknown,
    );
    let judged = match (with, heard.unknown) {
        (_, 0) => "judged by their texts".to_owned(),
        (0, _) => format!("without texts: what {largest} says is taken for right"),
        (_, unknown) => format!(
            "judged by their texts; {unknown} have none: there what {largest} says is taken for right"
        ),
    };
    page.paragraph(&judged, "  ");
    page.line("");
}

fn table(page: &mut Page, told: &SpokenExits) {
    let width = told.models.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    page.line(&format!(
        "  {:<width$}  answers from  by its own word  expected share  alone as good   time a turn",
        "model"
    ));
    let last = told.models.len() - 1;
    for (at, name) in told.models.iter().enumerate() {
        let own = told.own_threshold(at);
        let from = match told.found.gates.get(at) {
            None => "the rest".to_owned(),
            Some(gate) if gate.is_shut() => "never".to_owned(),
            Some(gate) => format!("{:.4}", gate.threshold),
        };
        let own = own.map_or_else(String::new, |own| format!("{own:.4}"));
        let alone = if at == last {
            String::new()
        } else {
            format!("{:.1} %", 100.0 * told.found.alone[at])
        };
        page.line(&format!(
            "  {name:<width$}  {from:>12}  {own:>15}  {:>12.1} %  {alone:>13}  {:>9.0} ms",
            100.0 * told.found.expected.shares[at],
            1e3 * told.took_s[at],
        ));
    }
}

fn expected(page: &mut Page, options: &SpokenOptions, told: &SpokenExits) {
    let (found, confidence) = (&told.found, shown(options.confidence));
    let expected = &found.expected;
    let between = |[least, most]: [f64; 2]| {
        format!("{confidence} %: {:.1} to {:.1} %", 100.0 * least, 100.0 * most)
    };
    let largest = told.models.last().map_or("", |name| name);
    page.line("");
    page.line(&format!(
        "  Expected, of {} turns{} that chose nothing:",
        found.samples[2],
        match options.unit {
            Unit::Recording => format!(" in {}", counted(options.unit, found.groups[2])),
            Unit::Turn => String::new(),
        }
    ));
    page.line(&format!(
        "  time   {:.1} % saved ({}): {:.0} ms instead of {:.0} ms of {largest} alone",
        100.0 * expected.saved,
        expected.saved_between.map_or_else(|| "too few to say how sure".to_owned(), between),
        1e3 * expected.cost[0],
        1e3 * expected.cost[1]
    ));
    let [lost, least, most] = expected.lost;
    let of = match options.unit {
        Unit::Recording => "a recording's turns, on the average",
        Unit::Turn => "the turns",
    };
    let between = between([least, most]);
    page.line(&format!("  worse  {:.1} % of {of} ({between})", 100.0 * lost));
    let [ours, theirs, of] = expected.errors;
    let rate = |wrong: usize| 100.0 * wrong as f64 / of.max(1) as f64;
    page.line(&format!(
        "  words  {:.1} % wrong instead of {:.1} %, of {of}",
        rate(ours),
        rate(theirs)
    ));
}
