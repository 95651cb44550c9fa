//! Where frames leave.

pub mod audio;
pub mod collect;
pub mod csv;
pub mod jsonl;
pub mod null;
mod place;
pub mod print;
pub mod subtitles;
