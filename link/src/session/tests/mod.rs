//! Promises of a session, kept over many seeds of a bad network.

mod agreement;
mod support;
mod weathers;
