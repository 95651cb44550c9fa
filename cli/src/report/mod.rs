//! `--report FILE.svg`: a run as one picture, for a person to keep or to show.
//!
//! ```text
//! title, figures
//! each signal: the whole with beats and gaps, its first and its last seconds
//! a heart: tachogram and Poincaré plot
//! what else events told, over time; words, counted
//! latency at each sink
//! the summary
//! ```

pub(crate) mod canvas;
mod heart;
mod latency;
mod signals;
mod told;

use std::path::Path;

use engine::{Plan, Report};

use crate::{
    exit::{Exit, Failure, io_words},
    scope::Scope,
    whole,
};

use canvas::{LEFT, Page};

/// What a report is about.
pub(crate) struct Sheet<'a> {
    pub(crate) plan: &'a Plan,
    /// Which file, what was changed in it, by which program, when.
    pub(crate) about: &'a str,
    pub(crate) scope: &'a Scope,
    pub(crate) report: &'a Report,
    /// As it is told at the end of a run.
    pub(crate) summary: &'a str,
}

/// Says before anything runs whether a report can be written there, and nothing that the graph is or has is.
pub(crate) fn check(what: &str, path: &Path, plan: &Plan) -> Result<(), Failure> {
    if let Some(said) = path.to_str().and_then(|path| plan.file_taken(path)) {
        let message = format!("the {what} would replace `{}`, which {said}", path.display());
        return Err(Failure::new(Exit::Usage, &message, "name another file, such as `run.svg`"));
    }
    if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("svg")) {
        let message = format!("the {what} `{}` would be a picture in SVG", path.display());
        let hint = format!("call it `{}`", path.with_extension("svg").display());
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    whole::check(path).map_err(|error| unwritable(what, path, &error))
}

/// Writes a report.
pub(crate) fn write(path: &Path, sheet: &Sheet<'_>) -> Result<(), Failure> {
    put("report", path, &svg(sheet))
}

/// Puts a picture in its place whole.
pub(crate) fn put(what: &str, path: &Path, picture: &str) -> Result<(), Failure> {
    whole::put(path, picture.as_bytes()).map_err(|error| unwritable(what, path, &error))
}

fn unwritable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("the {what} `{}` cannot be written: {}", path.display(), io_words(error));
    Failure::new(Exit::Io, &message, "name a file in a folder that is there, such as `run.svg`")
}

fn svg(sheet: &Sheet<'_>) -> String {
    let Sheet { plan, about, scope, report, summary } = sheet;
    let mut page = Page::new();
    page.text("title", LEFT, 40.0, plan.name());
    page.text("faint", LEFT, 62.0, about);
    page.y = 62.0;
    for line in figures(scope) {
        page.y += 18.0;
        page.text("faint", LEFT, page.y, &line);
    }
    page.y += 22.0;
    let hearts = scope.hearts();
    let end_s = scope.end_s();
    for (number, signal) in scope.signals.iter().enumerate() {
        let marks = hearts.iter().copied().find(|beats| beats.made_of.contains(&number));
        signals::draw(&mut page, signal, marks, end_s);
    }
    for beats in &hearts {
        heart::draw(&mut page, beats, hearts.len() > 1, end_s);
    }
    told::draw(&mut page, scope, end_s);
    latency::draw(&mut page, report);
    page.text("head", LEFT, page.y + 16.0, "Summary");
    page.y += 20.0;
    for line in summary.lines() {
        page.y += 15.0;
        page.text("code", LEFT, page.y, line);
    }
    page.y += 24.0;
    page.finish(&format!("{}: report of a run", plan.name()))
}

/// What there is to see: a line for each heart, and one for what is not drawn.
fn figures(scope: &Scope) -> Vec<String> {
    let hearts = scope.hearts();
    let mut lines: Vec<String> = Vec::new();
    for beats in &hearts {
        let figures = heart::figures(beats).join(" · ");
        lines.push(match hearts.len() {
            1 => figures,
            _ => format!("{}: {figures}", beats.label),
        });
    }
    let mut told = Vec::new();
    for signal in scope.signals.iter().filter(|signal| signal.others > 0) {
        told.push(format!("{} more channels of `{}` are not drawn", signal.others, signal.label));
    }
    if scope.missed > 0 {
        told.push(format!("{} frames came too fast to be drawn", scope.missed));
    }
    lines.extend((!told.is_empty()).then(|| told.join(" · ")));
    lines
}
