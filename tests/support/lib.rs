//! What the suite's tests share.

use std::sync::Arc;

use engine::{
    Catalog, Diagnostics, Disk, Files, GraphSpec, Override, Plan, PlanOptions, ReadSeek, Services,
    SourceText,
};
use model::section::ModelServices;

pub mod allocations;
pub mod data;
pub mod kinds;
pub mod motion;
pub mod onnx;
pub mod record;
pub mod score;
pub mod sound;
pub mod waiting;

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

/// Plans one of the delivered graphs, or any text, with its models and the kinds of `operators`, `model` and
/// of the tests. What it names relatively starts from the folder of `name`.
///
/// # Panics
/// If an override, a model or the graph is wrong.
pub fn plan_with(name: &str, text: &str, sets: &[&str], cores: usize) -> Arc<Plan> {
    let mut spec = GraphSpec::parse(&SourceText::new(name, text)).expect("a graph file");
    let overrides: Vec<_> =
        sets.iter().map(|set| Override::parse(set).expect("an override")).collect();
    spec.apply(&overrides);
    let mut options = PlanOptions::new(Arc::new(Disk));
    options.cores = cores;
    let models = ModelServices::new(Arc::new(Disk), Some(name.to_owned()));
    options.services =
        Services::open(&models, &spec.models).unwrap_or_else(|problem| panic!("{problem}"));
    options.graph_file = Some(name.to_owned());
    let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, kinds::KINDS]);
    let plan = spec.plan(&catalog, &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}
