//! A service that counts.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    fault::Fault,
    graph::{Code, Diagnostic, Diagnostics, SectionSpec},
    service::{Service, ServiceKind},
};

/// A service that counts what it is asked. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct MockService(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    file: String,
    asked: AtomicUsize,
    open: AtomicUsize,
    open_max: AtomicUsize,
}

impl MockService {
    /// The `file` its section gave.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// Questions so far, of all who share it.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Most questions that were open at once.
    pub fn open_max(&self) -> usize {
        self.0.open_max.load(Ordering::SeqCst)
    }

    /// Counts a question; it is open until what this returns is dropped.
    pub fn ask(&self) -> impl Drop + Send + use<> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.open_max.fetch_max(open, Ordering::SeqCst);
        Open(self.0.clone())
    }
}

/// An open question.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service for MockService {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Makes a [`MockService`] of every section; sections with the same `file` share one.
#[derive(Debug, Default)]
pub struct MockServiceKind(AtomicUsize);

impl MockServiceKind {
    /// Services opened so far.
    pub fn opened(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl ServiceKind for MockServiceKind {
    fn plan(&self, section: &SectionSpec) -> Result<String, Diagnostics> {
        let file = section.param("file").and_then(|file| file.value.as_text());
        file.map(str::to_owned).ok_or_else(|| {
            let problem = Diagnostic::error(Code::MissingParameter, "`file` is missing");
            problem.at(&section.name.place).hint("name the file with the weights").into()
        })
    }

    fn open(&self, section: &SectionSpec) -> Result<Arc<dyn Service>, Fault> {
        let file = self.plan(section).map_err(|_| Fault::new("has no `file`"))?;
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(MockService(Arc::new(Counts { file, ..Counts::default() }))))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        graph::{Spanned, Value},
        service::Services,
    };

    #[test]
    fn sections_of_one_file_share_a_service() {
        let section = |name: &str, file: &str| {
            let params = vec![(Spanned::from("file"), Spanned::from(Value::from(file)))];
            SectionSpec { name: Spanned::from(name), params }
        };
        let kind = MockServiceKind::default();
        let sections = [section("a", "x"), section("b", "x"), section("c", "y")];
        let services = Services::open(&kind, &sections).expect("valid");

        drop(services.find::<MockService>("a").expect("there").ask());

        assert_eq!(kind.opened(), 2);
        let b = services.find::<MockService>("b").expect("there");
        assert_eq!((b.file(), b.asked(), b.open_max()), ("x", 1, 1));
    }
}
