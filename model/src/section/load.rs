//! Models of a section, read and loaded.

use std::{sync::Arc, time::Duration};

use engine::{Code, Diagnostic, Diagnostics, Fault, Params, SectionSpec};

use crate::{
    backend::Options,
    host::{Model, ModelService, Speed, Trial},
    kinds::absent::AbsentModel,
};

use super::{
    AGREEMENT, BACKEND, BATCH_MAX, ModelServices, OPTIONAL, PROVIDER, RELOAD, TRIAL_QUESTIONS,
    arms::{AB, Arms, DWELL_MS, Other, QUALITY, SHADOW, label},
    front::{self, Front},
    parts::{EXITS, FILE, Parts, Paths, SEGMENTS},
    reload::Reload,
};

/// Why files of a section were not read.
pub(super) enum Unread {
    /// They need not be there.
    Absent(AbsentModel),
    Wrong(Diagnostics),
}

impl From<AbsentModel> for Unread {
    fn from(absent: AbsentModel) -> Self {
        Self::Absent(absent)
    }
}

impl From<Diagnostics> for Unread {
    fn from(problems: Diagnostics) -> Self {
        Self::Wrong(problems)
    }
}

impl From<Diagnostic> for Unread {
    fn from(problem: Diagnostic) -> Self {
        Self::Wrong(problem.into())
    }
}

impl ModelServices {
    /// What identifies all that a section's models are made of.
    pub(super) fn contents(
        &self,
        section: &SectionSpec,
        params: &Params,
        arms: &Arms,
    ) -> Result<String, Unread> {
        let mut content = match &arms.variants[..] {
            [] => self.content(section, params)?,
            _ => String::new(),
        };
        let mut problems = Vec::new();
        let files = arms.variants.iter().map(|it| (&it.path, &it.at));
        let others = arms.ab.iter().chain(&arms.shadow).map(|it| (&it.path, &it.at));
        let mut read = Vec::new();
        for (path, place) in files.chain(others) {
            match Paths::single(path).read(&*self.files) {
                Ok(parts) => read.push(parts),
                Err((path, error)) if params.read(&OPTIONAL)? => {
                    return Err(absent(&path, &error).into());
                }
                Err((path, error)) => {
                    let problem =
                        Diagnostic::error(Code::of_io(&error), cannot_read(&path, &error));
                    let problem = problem.at(place).of(format!("model `{}`", section.name.value));
                    problems.push(problem.hint(CHECK_PATH));
                }
            }
        }
        if !problems.is_empty() {
            return Err(Diagnostics(problems).into());
        }
        if !arms.variants.is_empty() {
            let variants = &read[..arms.variants.len()];
            let Front { order, points, .. } = self.front(section, params, arms, variants)?;
            let (quality, dwell) = (params.read(&QUALITY)?, params.read(&DWELL_MS)?);
            content = format!("variants {order:?} {points:?} {quality:?} {dwell}");
        }
        if arms.are_there() {
            // Its name is part of who belongs to which share, and of what figures are called.
            let made_of: Vec<&str> = read.iter().map(|parts| parts.content.as_str()).collect();
            let shares = [&arms.ab, &arms.shadow].map(|it| it.as_ref().map(|it| it.split));
            content += &format!(" {} {made_of:?} {shares:?}", section.name.value);
        }
        Ok(content)
    }

    fn front(
        &self,
        section: &SectionSpec,
        params: &Params,
        arms: &Arms,
        parts: &[Parts],
    ) -> Result<Front, Diagnostics> {
        let contents: Vec<&[u8]> = parts.iter().map(Parts::bytes).collect();
        let (name, backend) = (&section.name.value, params.read(&BACKEND)?);
        front::of(name, &arms.variants, &contents, backend, &*self.files).map_err(Diagnostics)
    }

    /// The same of the model in `file` or `segments`.
    fn content(&self, section: &SectionSpec, params: &Params) -> Result<String, Unread> {
        let paths = Paths::of(section, params, self.graph_file.as_deref())?;
        let read = paths.read(&*self.files);
        if let (Err((path, error)), true) = (&read, params.read(&OPTIONAL)?) {
            return Err(absent(path, error).into());
        }
        let parts = read.map_err(|(path, error)| {
            let problem = Diagnostic::error(Code::of_io(&error), cannot_read(&path, &error));
            let written = if paths.exits.as_ref() == Some(&path) {
                EXITS.name()
            } else if paths.segments.len() > 1 {
                SEGMENTS.name()
            } else {
                FILE.name()
            };
            let place = section.param(written).and_then(|file| file.place.clone());
            let problem = problem.at(&place).of(format!("model `{}`", section.name.value));
            let hint = CHECK_PATH;
            if written == EXITS.name() && paths.segments.len() > 1 {
                let graph = self.graph_file.as_deref().unwrap_or("GRAPH");
                let writes = format!("`afferent calibrate {graph} --data FILE` writes it anew");
                let hint = if error.kind() == std::io::ErrorKind::NotFound {
                    format!(
                        "run `afferent calibrate {graph} --data FILE`, which writes it; or {hint}"
                    )
                } else {
                    writes
                };
                return problem.hint(hint);
            }
            problem.hint(hint)
        })?;
        Ok(format!("{} {:?}", parts.content, parts.watch()))
    }

    /// Loads what a section describes.
    pub(super) fn load(
        &self,
        section: &SectionSpec,
        params: &Params,
        fixed: Vec<(String, f64)>,
    ) -> Result<ModelService, Fault> {
        let refused = |problem: Diagnostic| Fault::new(problem.message);
        let unplanned = |_| Fault::new("its section is wrong");
        let arms = Arms::of(section, params, self.graph_file.as_deref()).map_err(unplanned)?;
        let service = if arms.variants.is_empty() {
            let paths =
                Paths::of(section, params, self.graph_file.as_deref()).map_err(unplanned)?;
            let own = match params.read_optional(&FILE).map_err(refused)? {
                Some(file) => label(file),
                None => label(paths.segments.last().map_or("", |path| path)),
            };
            let own = arms.are_there().then_some(own);
            let speed = self.speed(params, &paths);
            let model = self.one(section, params, paths, own.as_deref())?;
            ModelService::new(model, fixed).measured(speed)
        } else {
            let read = |path: &String| Paths::single(path).read(&*self.files).map_err(unreadable);
            let parts: Vec<Parts> =
                arms.variants.iter().map(|it| read(&it.path)).collect::<Result<_, Fault>>()?;
            let front = self.front(section, params, &arms, &parts).map_err(unplanned)?;
            front.news.iter().for_each(|news| (self.tell)(news));
            let one = |&number: &usize| {
                let variant = &arms.variants[number];
                let paths = Paths::single(&variant.path);
                let of = |fault| Fault::data(format!("variant `{}`: {fault}", variant.label));
                self.one(section, params, paths, Some(&variant.label)).map_err(of)
            };
            let models: Vec<Arc<Model>> =
                front.order.iter().map(one).collect::<Result<_, Fault>>()?;
            for pair in models.windows(2) {
                check_alike(&pair[0], &pair[1])?;
            }
            let dwell = Duration::from_secs_f64(params.read(&DWELL_MS).map_err(refused)? / 1e3);
            let quality = params.read(&QUALITY).map_err(refused)?;
            ModelService::of_variants(models, fixed, quality, dwell).measured(front.speed)
        };
        let other = |name: &str, Other { label, path, .. }: &Other| {
            let paths = Paths::single(path);
            let of = |fault| Fault::data(format!("`{name}`: {fault}"));
            let other = self.one(section, params, paths, Some(label)).map_err(of)?;
            check_alike(&service.model, &other).map_err(of)?;
            Ok::<_, Fault>(other)
        };
        let ab = arms.ab.as_ref().map(|it| Ok((other(AB.name(), it)?, it.split)));
        let shadow = arms.shadow.as_ref().map(|it| Ok((other(SHADOW.name(), it)?, it.split)));
        let (ab, shadow) = (ab.transpose()?, shadow.transpose()?);
        let service = match ab {
            Some((other, split)) => service.with_ab(other, split),
            None => service,
        };
        Ok(match shadow {
            Some((other, split)) => service.with_shadow(other, split),
            None => service,
        })
    }

    /// What the profile beside a model of one file says.
    fn speed(&self, params: &Params, paths: &Paths) -> Option<Speed> {
        let [path] = &paths.segments[..] else { return None };
        let parts = paths.read(&*self.files).ok()?;
        front::speed_of(path, parts.bytes(), params.read(&BACKEND).ok()?, &*self.files)
    }

    /// Loads one model of a section.
    fn one(
        &self,
        section: &SectionSpec,
        params: &Params,
        paths: Paths,
        variant: Option<&str>,
    ) -> Result<Arc<Model>, Fault> {
        let refused = |problem: Diagnostic| Fault::new(problem.message);
        let parts = paths.read(&*self.files).map_err(unreadable)?;
        let content = parts.content.clone();
        let providers = params.read(&PROVIDER).map_err(refused)?;
        let options = Options { providers: providers.into_iter().map(str::to_owned).collect() };
        let backend = params.read(&BACKEND).map_err(refused)?;
        let chain = parts.load(backend, &options)?;
        let batch_max = params.read(&BATCH_MAX).map_err(refused)? as usize;
        let name = &section.name.value;
        let model = Model::variant_of(name, variant, chain, batch_max, &self.workers);
        if params.read(&RELOAD).map_err(refused)? {
            let trial = Trial {
                questions: params.read(&TRIAL_QUESTIONS).map_err(refused)? as u64,
                agreement: params.read(&AGREEMENT).map_err(refused)?,
                ..Trial::default()
            };
            let (files, tell) = (self.files.clone(), self.tell.clone());
            let backend = backend.to_owned();
            Reload { paths, backend, options, trial, files, content, tell }.start(&model);
        }
        Ok(model)
    }
}

/// What helps where a file cannot be read.
pub(super) const CHECK_PATH: &str = "check the path: it starts from the folder of the graph file, in a `--set` from the current one";

/// What is told of a file that cannot be read.
pub(super) fn cannot_read(path: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("cannot read `{path}`: there is no such file"),
        _ => format!("cannot read `{path}`: {error}"),
    }
}

fn absent(path: &str, error: &std::io::Error) -> AbsentModel {
    AbsentModel { why: cannot_read(path, error), remedy: CHECK_PATH.to_owned() }
}

fn unreadable((path, error): (String, std::io::Error)) -> Fault {
    Fault::io(format!("`{path}` cannot be read"), error)
}

/// That two models take and give the same.
fn check_alike(one: &Model, other: &Model) -> Result<(), Fault> {
    let (a, b) = (one.signature(), other.signature());
    let sides = [("takes", &a.inputs, &b.inputs), ("gives", &a.outputs, &b.outputs)];
    for (does, ours, theirs) in sides {
        if ours == theirs {
            continue;
        }
        let list = |slots: &[crate::signature::Slot]| {
            slots.iter().map(|slot| format!("`{slot}`")).collect::<Vec<_>>().join(", ")
        };
        let called = |model: &Model| model.variant().unwrap_or_else(|| model.name()).to_owned();
        return Err(Fault::data(format!(
            "`{}` {does} {}, but `{}` {}: they must take and give the same names, types and shapes",
            called(other),
            list(theirs),
            called(one),
            list(ours)
        )));
    }
    Ok(())
}
