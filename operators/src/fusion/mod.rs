//! Operators that make one stream of several.

pub mod align;
pub mod merge;
