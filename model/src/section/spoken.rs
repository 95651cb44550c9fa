//! [`Spoken`]: a section with several models of speech, for who calibrates it. When each answers is not asked for: the file
//! may not be there yet.

use std::sync::Arc;

use engine::{Code, Diagnostic, Diagnostics, Disk, GraphSpec, SectionSpec};

use crate::transcription::Decoder;

use super::{
    CACHE, ModelServices, OPTIONAL, Settings,
    load::Unread,
    parts::{EXITS, FILE, SEGMENTS, THRESHOLDS},
    settings,
    speech::asked,
};

/// Models of speech from small to large, as their section describes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// The `NAME` of the section.
    pub name: String,
    /// The files, from small to large.
    pub paths: Vec<String>,
    /// The file that says when each answers, if it names one.
    pub exits: Option<String>,
    section: SectionSpec,
    graph_file: Option<String>,
}

/// What a section says of its models of speech; nothing where it has none of speech. Paths start from the folder of the graph
/// file.
///
/// # Errors
/// What is wrong with the section, or that it has not two models or more.
pub fn spoken(
    spec: &GraphSpec,
    section: &SectionSpec,
    graph_file: Option<&str>,
) -> Result<Option<Spoken>, Diagnostics> {
    let mut services = ModelServices::new(Arc::new(Disk), graph_file.map(str::to_owned));
    services.speech_asked = asked(spec);
    let Settings { params, .. } = settings(section)?;
    let Some(speech) = services.speech(section, &params) else { return Ok(None) };
    if speech.paths.len() < 2 {
        let written = [SEGMENTS.name(), FILE.name()].into_iter().find_map(|it| section.param(it));
        let place = written.map_or(&section.name.place, |value| &value.place);
        let message = "it has one model of speech, so that no other could be asked";
        let problem = Diagnostic::error(Code::OutOfRange, message).at(place);
        let problem = problem.of(format!("model `{}`", section.name.value));
        let hint = "name two or more, from small to large: `segments = [\"ggml-tiny.bin\", \"ggml-base.bin\"]`";
        return Err(problem.hint(hint).into());
    }
    let mut section = section.clone();
    let left_out = [EXITS.name(), THRESHOLDS.name(), OPTIONAL.name(), CACHE.name()];
    section.params.retain(|(key, _)| !left_out.contains(&&*key.value));
    Ok(Some(Spoken {
        name: section.name.value.clone(),
        paths: speech.paths,
        exits: speech.exits,
        section,
        graph_file: graph_file.map(str::to_owned),
    }))
}

impl Spoken {
    /// Loads the models, from small to large.
    ///
    /// # Errors
    /// What is wrong with their files.
    pub fn load(&self) -> Result<Vec<Arc<dyn Decoder>>, Diagnostics> {
        let services = ModelServices::new(Arc::new(Disk), self.graph_file.clone());
        let section = &self.section;
        let Settings { params, .. } = settings(section)?;
        let problem = |message: String| {
            let problem = Diagnostic::error(Code::BadFile, message).at(&section.name.place);
            Diagnostics::from(problem.of(format!("model `{}`", self.name)))
        };
        let Some(speech) = services.speech_anyway(section, &params) else {
            return Err(problem("its files are gone".to_owned()));
        };
        match services.plan_speech(section, &params, &speech) {
            Ok(_) => {}
            Err(Unread::Wrong(problems)) => return Err(problems),
            Err(Unread::Absent(absent)) => return Err(problem(absent.why)),
        }
        services.load_models(&speech).map_err(|fault| problem(fault.to_string()))
    }
}
