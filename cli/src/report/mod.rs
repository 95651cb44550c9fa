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

use std::{fs::OpenOptions, path::Path};

use engine::{Plan, Report};

use crate::{
    exit::{Exit, Failure},
    scope::Scope,
};

use canvas::{LEFT, Page};

/// What a report is about.
pub(crate) struct Sheet<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) scope: &'a Scope,
    pub(crate) report: &'a Report,
    /// As it is told at the end of a run.
    pub(crate) summary: &'a str,
}

/// Says before anything runs whether a report can be written there.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let is_new = !path.exists();
    match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
        Ok(_) => {
            if is_new {
                // What is there already is replaced at the end, when there is something to replace it with.
                let _ = std::fs::remove_file(path);
            }
            Ok(())
        }
        Err(error) => Err(unwritable(path, &error)),
    }
}

/// Writes a report.
pub(crate) fn write(path: &Path, sheet: &Sheet<'_>) -> Result<(), Failure> {
    std::fs::write(path, svg(sheet)).map_err(|error| unwritable(path, &error))
}

pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("the report `{}` cannot be written: {error}", path.display());
    Failure::new(Exit::Io, &message, "name a file in a folder that is there, such as `run.svg`")
}

fn svg(sheet: &Sheet<'_>) -> String {
    let Sheet { plan, scope, report, summary } = sheet;
    let mut page = Page::new();
    page.text("title", LEFT, 40.0, plan.name());
    page.text("faint", LEFT, 62.0, &figures(scope));
    page.y = 84.0;
    let beats = scope.beats();
    let end_s = scope.end_s();
    for (number, signal) in scope.signals.iter().enumerate() {
        let marks = beats.filter(|beats| beats.made_of.contains(&number));
        signals::draw(&mut page, signal, marks, end_s);
    }
    if let Some(beats) = beats {
        heart::draw(&mut page, beats, end_s);
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

/// What there is to see, in a line.
fn figures(scope: &Scope) -> String {
    let mut told = Vec::new();
    if let Some(beats) = scope.beats() {
        told.extend(heart::figures(beats));
    }
    for signal in scope.signals.iter().filter(|signal| signal.others > 0) {
        told.push(format!("{} more channels of `{}` are not drawn", signal.others, signal.label));
    }
    if scope.missed > 0 {
        told.push(format!("{} frames came too fast to be drawn", scope.missed));
    }
    told.join(" · ")
}
