//! [`Service`]: what lives once per host and is shared by all sessions: models, later caches
//! and stores.

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc};

use crate::graph::{Diagnostics, SectionSpec};

/// A kind of service: the implementation behind `[model.*]` sections.
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
}

/// A running service. Bodies find it by name and ask for the type they know.
pub trait Service: Send + Sync {
    /// The service as its own type.
    fn as_any(&self) -> &dyn Any;
}

/// The services of a host, by name in the graph. Cheap to clone.
#[derive(Clone, Default)]
pub struct Services {
    by_name: Arc<BTreeMap<String, Arc<dyn Service>>>,
}

impl Services {
    /// These services.
    pub fn new(services: impl IntoIterator<Item = (String, Arc<dyn Service>)>) -> Self {
        Self { by_name: Arc::new(services.into_iter().collect()) }
    }

    /// Opens every section with `kind`; sections of one identity share an instance.
    ///
    /// # Errors
    /// All problems of all sections, or the fault of the first that would not open.
    pub fn open(
        kind: &dyn ServiceKind,
        sections: &[SectionSpec],
    ) -> Result<Self, crate::BuildError> {
        let mut problems = Vec::new();
        let mut identities = Vec::new();
        for section in sections {
            match kind.plan(section) {
                Ok(identity) => identities.push(identity),
                Err(found) => problems.extend(found.0),
            }
        }
        if !problems.is_empty() {
            return Err(crate::BuildError::Graph(Diagnostics(problems)));
        }
        let mut running: BTreeMap<String, Arc<dyn Service>> = BTreeMap::new();
        let mut by_name = BTreeMap::new();
        for (section, identity) in sections.iter().zip(identities) {
            let service = match running.get(&identity) {
                Some(service) => service.clone(),
                None => kind.open(section)?,
            };
            running.insert(identity, service.clone());
            by_name.insert(section.name.value.clone(), service);
        }
        Ok(Self { by_name: Arc::new(by_name) })
    }

    /// The same services and one more.
    #[must_use]
    pub(crate) fn with(&self, name: &str, service: Arc<dyn Service>) -> Self {
        let mut by_name = BTreeMap::clone(&self.by_name);
        by_name.insert(name.to_owned(), service);
        Self { by_name: Arc::new(by_name) }
    }

    /// The service called `name`, if it is a `T`.
    pub fn find<T: 'static>(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)?.as_any().downcast_ref()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}
