//! The graph language: text in, [`GraphSpec`] and [`Diagnostics`] out.
//!
//! Nothing here asks for the time or knows a kind; included files come through the [`Files`](crate::Files)
//! of whoever loads a graph. The planner works on top.
//!
//! ```text
//! text ──toml──▶ values with places ──bind, parse, node, test──▶ GraphSpec ◀──build── Rust code
//!                                                                │ │   ▲
//!                                      problems, with places ◀───┘ │   └── overrides (`--set`)
//!                                                                  ▼
//!                                    include: files within files, made flat
//! ```
//!
//! A mistake does not end the reading: a spec carries the problems found so far, and whoever plans
//! it reports them with its own, so that a person sees all of them at once.

mod advice;
mod bind;
mod build;
mod code;
mod declare;
mod diagnostic;
mod include;
mod keys;
mod node;
mod overrides;
mod parse;
mod place;
mod read;
mod render;
mod source;
mod spec;
mod suggest;
mod test;
mod tidy;
mod toml;
mod value;

#[cfg(test)]
mod tests;

pub use code::Code;
pub use declare::{InletSpec, OutletSpec, ParamSpec, Takes};
pub use diagnostic::{Diagnostic, Diagnostics, Level};
pub use include::Loaded;
pub use keys::{Key, KeyTable, RESERVED_KEYS, is_reserved};
pub use overrides::{Forgotten, Override};
pub use parse::FILE_BYTES_MAX;
pub use place::{Place, SourceText, Spanned};
pub use source::{ChannelRef, SourceRef, is_name};
pub use spec::{GraphSpec, InputSpec, NodeOptions, NodeSpec, OnFault, OnFull, SectionSpec};
pub use suggest::nearest;
pub use test::{At, Check, Expectation, Feed, TestEvent, TestInput, TestSpec, Wanted};
pub use tidy::{tables, tidied};
pub use value::Value;
