//! [`Segmented`]: a section with segments, for who calibrates it. When questions leave is not asked for: the file may not
//! be there yet.

use engine::{Code, Diagnostic, Diagnostics, SectionSpec};

use super::{BACKEND, PROVIDER, parts::Paths, parts::SEGMENTS, settings};

/// A model in segments as its section describes it, nothing read.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmented {
    /// The `NAME` of the section.
    pub name: String,
    /// Its files, in order.
    pub segments: Vec<String>,
    /// The file that says when questions leave early, if it names one.
    pub exits: Option<String>,
    /// Who runs it.
    pub backend: String,
    /// Where to run, the first that is there.
    pub providers: Vec<String>,
    /// Numbers of the inputs that no node feeds.
    pub fixed: Vec<(String, f64)>,
}

/// What a section says of its segments; paths start from the folder of the graph file.
///
/// # Errors
/// What is wrong with the section, or that it has not two segments or more.
pub fn segmented(
    section: &SectionSpec,
    graph_file: Option<&str>,
) -> Result<Segmented, Diagnostics> {
    let super::Settings { params, fixed } = settings(section)?;
    let paths = Paths::of(section, &params, graph_file)?;
    if paths.segments.len() < 2 {
        let place =
            section.param(SEGMENTS.name()).map_or(&section.name.place, |value| &value.place);
        let message = "it has one segment, so that nothing can leave early";
        let problem = Diagnostic::error(Code::OutOfRange, message).at(place);
        let problem = problem.of(format!("model `{}`", section.name.value));
        return Err(problem.hint("name two ONNX files or more in `segments`").into());
    }
    Ok(Segmented {
        name: section.name.value.clone(),
        segments: paths.segments,
        exits: paths.exits,
        backend: params.read(&BACKEND)?.to_owned(),
        providers: params.read(&PROVIDER)?.into_iter().map(str::to_owned).collect(),
        fixed,
    })
}
