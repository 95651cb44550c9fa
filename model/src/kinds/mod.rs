//! Kinds that ask a model of the graph: `[model.NAME]` describes it, a node's `model = "NAME"` asks it.

pub mod absent;
mod asking;
mod call;
pub mod classify;
pub(crate) mod cut;
pub mod detect;
pub mod embed;
pub mod infer;
mod labels;
pub mod speech;
mod stand_in;
pub mod transcribe;
