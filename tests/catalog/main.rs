//! The laws of the catalogue: what holds for every kind, tried with its own example.
//!
//! A new kind is tested here before its author writes a test; see `CONTRIBUTING.md`. Where a law
//! does not apply to a kind, the test says so and why.

mod bits;
mod cards;
mod files;
mod headers;
mod known;
mod memory;
mod params;
mod recordings;
mod signals;
mod subject;
mod words;
