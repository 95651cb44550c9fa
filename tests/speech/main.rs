//! Speech to text in graphs: with a model that says what it is told to, and, where whisper.cpp is built in (feature
//! `whisper`), with models that have no weights, or random ones: those have the architecture and cost of real ones, and
//! say nothing that makes sense. With `AFFERENT_WHISPER_MODEL` naming a real one words are checked, too.

mod calibrate;
#[cfg(feature = "whisper")]
mod graphs;
mod kinds;
mod sections;
#[cfg(feature = "whisper")]
mod talkative;
#[cfg(feature = "whisper")]
mod whisper;
