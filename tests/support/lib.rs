//! What the suite's tests share.

use std::sync::Arc;

use engine::{Catalog, Diagnostics, Files, GraphSpec, Plan, PlanOptions, ReadSeek, SourceText};

pub mod kinds;

/// A file system without files.
pub struct NoFiles;

impl Files for NoFiles {
    fn open(&self, path: &str) -> std::io::Result<Box<dyn ReadSeek>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, path.to_owned()))
    }

    fn create(&self, path: &str) -> std::io::Result<Box<dyn std::io::Write + Send>> {
        Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, path.to_owned()))
    }
}

/// Plans a graph of test kinds for two cores.
///
/// # Errors
/// What the planner says.
pub fn plan(text: &str) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("test.toml", text))?;
    let mut options = PlanOptions::new(Arc::new(NoFiles));
    options.cores = 2;
    spec.plan(&Catalog::new(&[kinds::KINDS]), &options).map(Arc::new)
}
