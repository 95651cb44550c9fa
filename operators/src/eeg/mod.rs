//! What a brain's rhythms do, told soon, and what is no brain at all.

pub mod reject;
pub mod rhythm;
