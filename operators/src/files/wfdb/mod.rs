//! WFDB recordings, the format of PhysioNet: a text header, signal files, annotations.
//!
//! ```text
//! 100.hea ──▶ Header ──▶ Recording ──▶ planar f32 in physical units
//! 100.dat ───────────────────┘
//! 100.atr ──▶ Annotations ──▶ (sample, code) …
//! ```
//!
//! Signal formats 212 (12 bits packed) and 16 (little-endian) are read; the others are named in
//! the error. Multi-segment records are refused. Nothing here touches a disk: files come in as
//! bytes or as anything that can be read and sought.

mod annotation;
mod header;
mod signal;
mod unpack;

pub use annotation::{Annotation, Annotations};
pub use header::{Channel, Date, Encoding, Header};
pub use signal::{Mismatch, Recording};
