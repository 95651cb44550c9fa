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

use engine::Load;

use crate::{
    exit::Failure,
    report::{
        canvas::{LEFT, Page},
        unwritable,
    },
};

pub(crate) use words::{limit, of_sink, text};

/// Writes the picture.
pub(crate) fn write(path: &Path, graph: &str, load: &Load) -> Result<(), Failure> {
    std::fs::write(path, svg(graph, load)).map_err(|error| unwritable(path, &error))
}

fn svg(graph: &str, load: &Load) -> String {
    let mut page = Page::new();
    page.text("title", LEFT, 40.0, &format!("{graph}: where the time goes"));
    page.y = 50.0;
    for line in words::limit(load) {
        page.y += 16.0;
        page.text("faint", LEFT, page.y, &line);
    }
    page.y += 18.0;
    flame::draw(&mut page, load);
    sinks::draw(&mut page, load);
    page.finish(&format!("{graph}: profile of a run"))
}

#[cfg(test)]
mod tests;
