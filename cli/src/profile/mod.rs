//! `--profile FILE.svg`: where the time of a run has gone, and what limits it.
//!
//! ```text
//! title, what limits
//! flame graph: data cores ─ each core ─ its stages ─ their nodes, as wide as what they computed
//! each sink: what its latency is made of, on the mean and of the slowest frames
//! ```

mod flame;
mod sinks;
mod words;

use std::path::Path;

use engine::{Load, Plan};

use crate::{
    exit::{Exit, Failure},
    report::{
        self,
        canvas::{LEFT, Page},
    },
};

pub(crate) use words::{limit, of_sink, off, said, sum, text};

/// Writes the picture.
pub(crate) fn write(path: &Path, graph: &str, load: &Load) -> Result<(), Failure> {
    report::put("profile", path, &svg(graph, load))
}

/// Whether the picture can be put there, beside the report if there is one.
pub(crate) fn check(path: &Path, report: Option<&Path>, plan: &Plan) -> Result<(), Failure> {
    let place = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    if report.is_some_and(|report| place(report) == place(path)) {
        let message = format!("the report and the profile would both be `{}`", path.display());
        return Err(Failure::new(Exit::Usage, &message, "name another file for one of them"));
    }
    report::check("profile", path, plan)
}

fn svg(graph: &str, load: &Load) -> String {
    let mut page = Page::new();
    page.text("title", LEFT, 40.0, &format!("{graph}: where the time goes"));
    page.y = 50.0;
    for line in words::limit(load) {
        page.paragraph("faint", &line);
    }
    page.y += 18.0;
    flame::draw(&mut page, load);
    sinks::draw(&mut page, load);
    page.finish(&format!("{graph}: profile of a run"))
}

#[cfg(test)]
mod tests;
