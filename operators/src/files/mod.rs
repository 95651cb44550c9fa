//! File formats, read and written without knowing a graph.

pub mod csv;
pub mod error;
pub mod mcap;
mod names;
mod node;
mod number;
pub mod sound;
#[cfg(test)]
pub(crate) mod testing;
pub mod wfdb;

pub(crate) use names::make_unique;
pub(crate) use node::{open, problem, read_all};
pub(crate) use number::{Short, counted};
