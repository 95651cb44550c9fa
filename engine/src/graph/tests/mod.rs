//! The graph language as a whole, from the outside.

mod diagnostics;
mod limits;
mod overrides;
mod rendering;
mod specs;
