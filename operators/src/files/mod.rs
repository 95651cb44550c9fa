//! File formats, read and written without knowing a graph.

pub mod csv;
pub mod error;
mod node;
#[cfg(test)]
pub(crate) mod testing;
pub mod wfdb;

pub(crate) use node::{open, problem, read_all};
