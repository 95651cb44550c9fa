//! Where frames leave.

pub mod collect;
pub mod csv;
pub mod jsonl;
pub mod null;
pub mod print;
