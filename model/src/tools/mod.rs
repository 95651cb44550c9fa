//! What the commands `afferent model …` and `afferent calibrate` do: measure models, make smaller ones of them, and find
//! when questions may leave early.
//!
//! ```text
//! model file ─┬─▶ profile ───────────▶ tables, JSON, NAME.profile.toml
//! data ───────┤      ▲
//!             └─▶ quantize ─▶ Python: onnxruntime.quantization ─▶ a variant, if it is faster and right enough
//!
//! segments, data ─▶ calibrate ─▶ NAME.exits.toml, NAME.exits.svg
//! models of speech, recordings ─▶ calibrate_speech ─▶ NAME.exits.toml
//! ```

mod accuracy;
mod calibrate;
mod calibrated;
mod chain;
mod data;
mod feed;
mod hopeless;
mod latency;
mod listening;
mod machine;
mod npy;
mod plot;
mod profile;
mod python;
mod quantize;
mod recordings;
mod scaled;
mod sidecar;
mod spoken;
mod spoken_told;
mod subject;
mod trouble;
mod variant;
mod verdict;
mod watch;
mod wording;
mod write;

pub use accuracy::{Agreement, Answers, Score};
pub use calibrate::{CalibrateOptions, EarlyExits, calibrate, rows_needed};
pub use data::{Column, Dataset, Truth};
pub use feed::{Feed, Given};
pub use latency::{Latency, Ratio, span};
pub use listening::Listening;
pub use machine::Machine;
pub use profile::{ProfileOptions, Weigh, batching, profile, weigh};
pub use quantize::{Calibration, Mode, QuantizeOptions, Quantized, quantize};
pub use scaled::AsAsked;
pub use sidecar::{Accuracy, Against, Memory, Point, Profile};
pub use spoken::{HeardOf, SpokenExits, SpokenOptions, Unit, calibrate_speech};
pub use trouble::{Blame, Trouble};
pub use watch::Watch;
pub use write::{save, sidecar_of};
