//! Where frames leave.

pub mod jsonl;
pub mod null;
