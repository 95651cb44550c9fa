//! Where frames leave.

pub mod audio;
pub mod collect;
pub mod csv;
pub mod foxglove;
pub mod jsonl;
pub mod null;
mod outrun;
mod place;
pub mod print;
pub mod subtitles;
