//! `[include.NAME]` itself: which file, what feeds it, what it is given.

use crate::graph::code::Code;
use crate::graph::declare::InletSpec;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::place::Spanned;
use crate::graph::read::{Reader, listed};
use crate::graph::spec::{InputSpec, SectionSpec};
use crate::graph::suggest::nearest;
use crate::graph::value::Value;

/// An `[include.NAME]` as understood.
pub(super) struct Call {
    pub(super) file: Spanned<String>,
    from: Vec<InputSpec>,
    /// For nodes that do not say it themselves.
    pub(super) on: Option<Spanned<String>>,
    pub(super) enabled: Option<Spanned<bool>>,
    /// Everything else.
    pub(super) params: Vec<(Spanned<String>, Spanned<Value>)>,
}

impl Call {
    pub(super) fn read(section: &SectionSpec, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let origin = format!("include `{}`", section.name.value);
        let before = problems.len();
        let mut reader = Reader { origin: &origin, problems };
        let (mut file, mut from, mut on, mut enabled) = (None, Vec::new(), None, None);
        let (mut params, mut has_file) = (Vec::new(), false);
        for (key, value) in section.params.iter().cloned() {
            match key.value.as_str() {
                "file" => {
                    has_file = true;
                    file = reader.text("file", value);
                }
                "from" => from = reader.inputs(value).unwrap_or_default(),
                "on" => on = reader.name("on", value),
                "enabled" => enabled = reader.flag("enabled", value),
                "doc" => drop(reader.text("doc", value)),
                "op" => {
                    let message = "an include has no `op`: its nodes are those of its file";
                    let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.place);
                    reader.refuse::<()>(problem.hint("name a graph file with `file = \"…\"`"));
                }
                _ => params.push((key, value)),
            }
        }
        if !has_file {
            let what = format!("which file `{}` is, is not said", section.name.value);
            reader.missing::<()>(what, &section.name.place, "write `file = \"….toml\"`");
        }
        let is_sound = reader.problems.len() == before;
        file.filter(|_| is_sound).map(|file| Self { file, from, on, enabled, params })
    }

    /// What feeds each input of the included file, by name.
    pub(super) fn feeds(
        &self,
        name: &Spanned<String>,
        inlets: &[InletSpec],
        problems: &mut Vec<Diagnostic>,
        lost: &mut Vec<String>,
    ) -> Vec<(String, Vec<InputSpec>)> {
        let (include, file) = (&name.value, &self.file.value);
        let names = || inlets.iter().map(|inlet| inlet.name.value.as_str());
        let origin = format!("include `{include}`");
        let mut fed: Vec<(String, Vec<InputSpec>)> =
            names().map(|name| (name.to_owned(), Vec::new())).collect();
        let mut is_lost = false;
        for input in &self.from {
            let port = match (&input.port, inlets) {
                (_, []) => {
                    let message =
                        format!("`{include}` has a `from`, but `{file}` declares no input");
                    let problem = Diagnostic::error(Code::TakesNoInput, message);
                    let problem = problem.at(&input.source.place).of(origin.as_str());
                    problems.push(problem.hint("declare one there: `[input.NAME]`"));
                    return fed;
                }
                (None, [first, ..]) => &first.name.value,
                (Some(port), _) => &port.value,
            };
            let Some(at) = names().position(|name| name == port) else {
                is_lost = true;
                let message = format!("`{file}` has no input `{port}`");
                let place = input.port.as_ref().and_then(|port| port.place.clone());
                let problem = Diagnostic::error(Code::UnknownPort, message).at(&place);
                let problem = problem.of(origin.as_str());
                let problem = problem.hint(format!("its inputs are {}", listed(names())));
                problems.push(problem.did_you_mean(nearest(port, names())));
                continue;
            };
            fed[at].1.push(InputSpec { port: None, ..input.clone() });
        }
        for (inlet, (port, inputs)) in inlets.iter().zip(&fed) {
            if !inputs.is_empty() || inlet.optional {
                continue;
            }
            // What hangs on it is then better left unsaid.
            lost.push(format!("{include}/{port}"));
            if !is_lost {
                let message = format!("`{include}` does not feed the input `{port}` of `{file}`");
                let problem = Diagnostic::error(Code::MissingInput, message).at(&name.place);
                let hint = match inlets {
                    [_] => "write `from = \"NODE\"`".to_owned(),
                    _ => format!("write `from = {{ {port} = \"NODE\" }}`"),
                };
                let problem = problem.of(origin.as_str()).hint(hint);
                problems.push(problem.see("declared here", &inlet.name.place));
            }
        }
        fed
    }
}
