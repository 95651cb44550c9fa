//! [`Service`]: what lives once per host and is shared by all sessions: models, caches, later stores.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    figures::Figures,
    graph::{Code, Diagnostic, Diagnostics, SectionSpec},
};

/// A kind of service: the implementation behind `[model.*]` or `[cache.*]` sections.
pub trait ServiceKind: Send + Sync {
    /// Checks the section and says what identifies the service: sections of equal identity
    /// (kind, content and settings) share one instance.
    ///
    /// # Errors
    /// Every problem of the section.
    fn plan(&self, section: &SectionSpec) -> Result<String, Diagnostics>;

    /// Starts the service.
    ///
    /// # Errors
    /// What keeps it from starting, as a sentence fragment.
    fn open(&self, section: &SectionSpec) -> Result<Arc<dyn Service>, crate::Fault>;

    /// What a section is called.
    fn word(&self) -> &'static str {
        "model"
    }

    /// What its author can do about a section that does not start, as a whole hint.
    fn remedy(&self, _section: &SectionSpec) -> String {
        "name what can be opened here".to_owned()
    }
}

/// A running service. Bodies find it by name and ask for the type they know.
pub trait Service: Send + Sync {
    /// The service as its own type.
    fn as_any(&self) -> &dyn Any;

    /// What it tells the user of a run so far, such as how often it was asked.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Tells what it has counted so far; `name` is what the graph calls it. May be asked at any time, and
    /// must not wait long.
    fn figures(&self, _name: &str, _to: &mut dyn Figures) {}

    /// Carries the loop of a core's thread: calls `run` once and returns when that has, on a thread of its own
    /// if that is where it can be asked without a way to another.
    fn carry(&self, run: &mut (dyn FnMut() + Send)) {
        run();
    }
}

/// The services of a host, by name in the graph. Cheap to clone.
#[derive(Clone, Default)]
pub struct Services {
    by_name: Arc<BTreeMap<String, Arc<dyn Service>>>,
    /// Sections whose problems have been told.
    broken: Arc<BTreeSet<String>>,
}

impl Services {
    /// These services.
    pub fn new(services: impl IntoIterator<Item = (String, Arc<dyn Service>)>) -> Self {
        Self { by_name: Arc::new(services.into_iter().collect()), broken: Arc::default() }
    }

    /// Opens every section with `kind`; sections of one identity share an instance.
    ///
    /// # Errors
    /// All problems of all sections.
    pub fn open(
        kind: &dyn ServiceKind,
        sections: &[SectionSpec],
    ) -> Result<Self, crate::BuildError> {
        let (services, problems) = Self::open_sound(kind, sections);
        if problems.has_errors() { Err(crate::BuildError::Graph(problems)) } else { Ok(services) }
    }

    /// As [`Services::open`], leaving out the sections with problems, so that those are told together
    /// with the rest of the graph's.
    pub fn open_sound(kind: &dyn ServiceKind, sections: &[SectionSpec]) -> (Self, Diagnostics) {
        let mut problems = Vec::new();
        let mut running: BTreeMap<String, Arc<dyn Service>> = BTreeMap::new();
        let (mut by_name, mut broken) = (BTreeMap::new(), BTreeSet::new());
        for section in sections {
            let name = &section.name.value;
            let opened = kind.plan(section).and_then(|identity| {
                if let Some(service) = running.get(&identity) {
                    return Ok(service.clone());
                }
                let service = kind.open(section).map_err(|fault| {
                    let what = format!("{} `{name}`", kind.word());
                    let message = format!("{what} cannot be used: {fault}");
                    let problem = Diagnostic::error(Code::BadFile, message);
                    let place = section.param("file").map_or(&section.name.place, |f| &f.place);
                    Diagnostics::from(problem.at(place).of(what).hint(kind.remedy(section)))
                })?;
                running.insert(identity, service.clone());
                Ok(service)
            });
            match opened {
                Ok(service) => drop(by_name.insert(name.clone(), service)),
                Err(found) => {
                    problems.extend(found.0);
                    broken.insert(name.clone());
                }
            }
        }
        (Self { by_name: Arc::new(by_name), broken: Arc::new(broken) }, Diagnostics(problems))
    }

    /// The same services and one more.
    #[must_use]
    pub(crate) fn with(&self, name: &str, service: Arc<dyn Service>) -> Self {
        let mut by_name = BTreeMap::clone(&self.by_name);
        by_name.insert(name.to_owned(), service);
        Self { by_name: Arc::new(by_name), broken: self.broken.clone() }
    }

    /// The same services and those of another sort, each under its name behind `prefix`, so that a model
    /// and a cache may have one name.
    #[must_use]
    pub fn beside(&self, prefix: &str, others: &Self) -> Self {
        let (mut by_name, mut broken) =
            (BTreeMap::clone(&self.by_name), BTreeSet::clone(&self.broken));
        let named = |name: &str| format!("{prefix}{name}");
        by_name.extend(others.by_name.iter().map(|(name, it)| (named(name), it.clone())));
        broken.extend(others.broken.iter().map(|name| named(name)));
        Self { by_name: Arc::new(by_name), broken: Arc::new(broken) }
    }

    /// What the services tell the user of a run so far, by name.
    pub fn remarks(&self) -> Vec<(String, String)> {
        self.once().filter_map(|(name, service)| Some((name.clone(), service.remark()?))).collect()
    }

    /// Has all services tell what they count.
    pub fn figures(&self, to: &mut dyn Figures) {
        self.once().for_each(|(name, service)| service.figures(name, to));
    }

    /// Calls `run` once, within what every service puts around the loop of a core's thread.
    pub(crate) fn carry(&self, run: &mut (dyn FnMut() + Send)) {
        carry(&mut self.once().map(|(_, service)| &**service), run);
    }

    /// Every service under the first of its names, so that what sections share is not told twice.
    fn once(&self) -> impl Iterator<Item = (&String, &Arc<dyn Service>)> {
        let is_first = |(at, (_, service)): &(usize, (&String, &Arc<dyn Service>))| {
            !self.by_name.values().take(*at).any(|other| Arc::ptr_eq(other, service))
        };
        self.by_name.iter().enumerate().filter(is_first).map(|(_, named)| named)
    }

    /// Names of all, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether the section of that name has problems that have been told.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// The service called `name`, if it is a `T`.
    pub fn find<T: 'static>(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)?.as_any().downcast_ref()
    }
}

fn carry(
    services: &mut (dyn Iterator<Item = &dyn Service> + Send),
    run: &mut (dyn FnMut() + Send),
) {
    match services.next() {
        Some(service) => service.carry(&mut || carry(services, run)),
        None => run(),
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}
