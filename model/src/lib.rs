//! Models of Afferent: inference as a service that all sessions share, and services of others.
//!
//! Each kind is one file with its catalogue entry, documentation and tests; [`CATALOG`] lists them.

pub mod remote;

mod names;

use engine::Kind;

/// Every kind of this crate, in the order of the manual.
pub static CATALOG: &[&Kind] = &[
    // remote
    &remote::http_call::KIND,
];
