//! Promises of a session, kept over many seeds of a bad network.

mod agreement;
mod calls;
mod copies;
mod flushes;
mod order;
mod spooled;
mod support;
mod weathers;
