//! New versions of models while they serve: looks at their files now and then.

use std::{
    sync::{Arc, Weak},
    thread::Builder,
    time::{Duration, SystemTime},
};

use engine::Files;

use crate::{
    backend::Options,
    host::{Model, Trial},
};

use super::parts::Paths;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What is needed to load a model again.
pub(super) struct Reload {
    pub(super) paths: Paths,
    pub(super) backend: String,
    pub(super) options: Options,
    pub(super) trial: Trial,
    pub(super) files: Arc<dyn Files>,
    /// The content that serves, as [`super::parts::Parts::content`].
    pub(super) content: String,
    pub(super) tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Reload {
    /// Looks at the model's files as long as somebody holds the model.
    pub(super) fn start(self, model: &Arc<Model>) {
        let (tell, name) = (self.tell.clone(), model.called());
        let model = Arc::downgrade(model);
        let thread = Builder::new().name("afferent-reload".to_owned());
        if thread.spawn(move || self.watch(&model)).is_err() {
            tell(&format!("model `{name}`: its files are not looked at: no thread to spare"));
        }
    }

    fn watch(mut self, model: &Weak<Model>) {
        let mut before = self.marks();
        // It may have changed since it was loaded.
        let mut changed = true;
        loop {
            std::thread::park_timeout(LOOK);
            if model.strong_count() == 0 {
                return;
            }
            let now = self.marks();
            let moves = now != before;
            before = now;
            // A file that is being written is looked at once it rests.
            if moves || !std::mem::take(&mut changed) {
                changed |= moves;
                continue;
            }
            if let Some(model) = model.upgrade() {
                self.offer(&model);
            }
        }
    }

    /// Offers what the files hold now, if that is something else.
    fn offer(&mut self, model: &Model) {
        let name = model.called();
        let refused = |why: String| {
            let version = model.version();
            (self.tell)(&format!(
                "model `{name}`: its files have changed, and version {version} serves on: {why}"
            ));
        };
        let parts = match self.paths.read(&*self.files) {
            Ok(parts) if parts.content == self.content => return,
            Ok(parts) => parts,
            Err((path, error)) => return refused(format!("`{path}`: {error}")),
        };
        let content = parts.content.clone();
        match parts.load(&self.backend, &self.options) {
            Ok(chain) => match model.offer(chain, self.trial) {
                Ok(()) => self.content = content,
                Err(why) => refused(why),
            },
            Err(fault) => refused(fault.to_string()),
        }
    }

    /// When each file was written, and how long it is.
    fn marks(&self) -> Vec<Option<(SystemTime, u64)>> {
        let paths = self.paths.segments.iter().chain(&self.paths.exits);
        let mark = |path: &String| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        paths.map(mark).collect()
    }
}
