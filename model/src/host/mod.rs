//! What serves the models of a host: questions wait in a queue per model, worker threads run them in
//! batches and give each its answer.
//!
//! ```text
//! calls ─ ask ─▶ queue of a model ─┐
//! calls ─ ask ─▶ queue of a model ─┴─ policy ─▶ workers, one per processor ─▶ replies
//! ```

mod batch;
mod model;
mod queue;
mod workers;

pub use model::{Asked, Model, ModelService, Row, Rowwise, Way};
pub use workers::Workers;
