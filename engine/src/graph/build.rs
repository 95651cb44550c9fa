//! Graphs built in Rust.
//!
//! [`NodeSpec::set`] takes every key that a file takes, in the same words and with the same
//! checks, so what the manual says about files holds here. A value that does not fit is no error
//! here but a problem that waits in the spec, as it is for a file.
//!
//! ```text
//! let spec = GraphSpec::new("biofeedback")
//!     .set("deadline_ms", 50.0)
//!     .node("ecg", "ecg", |n| n.set("rate_hz", 250.0))
//!     .node("clean", "bandpass", |n| n.from("ecg").set("low_hz", 5.0).set("high_hz", 15.0))
//!     .node("out", "jsonl", |n| n.from(["ecg.truth", "clean"]).set("on_full", OnFull::Block));
//! ```

use std::collections::BTreeMap;

use super::place::Spanned;
use super::spec::{GraphSpec, NodeSpec, OnFault, OnFull, SectionSpec};
use super::test::TestSpec;
use super::value::Value;

impl GraphSpec {
    /// A graph without nodes.
    pub fn new(name: &str) -> Self {
        Self {
            name: Spanned::from(name),
            deadline_ms: None,
            doc: None,
            nodes: Vec::new(),
            models: Vec::new(),
            caches: Vec::new(),
            hosts: Vec::new(),
            includes: Vec::new(),
            params: Vec::new(),
            inlets: Vec::new(),
            outlets: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
            is_expanded: false,
            pending: Vec::new(),
            scopes: BTreeMap::new(),
            lost: Vec::new(),
            included: Vec::new(),
        }
    }

    /// Sets a key of `[graph]`: `name`, `deadline_ms` or `doc`.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.assign(&Spanned::from(key), value.into().into());
        self
    }

    /// Adds a node after the others.
    pub fn node(
        mut self,
        name: &str,
        op: &str,
        describe: impl FnOnce(NodeSpec) -> NodeSpec,
    ) -> Self {
        self.nodes.push(describe(NodeSpec::new(Spanned::from(name), Spanned::from(op))));
        self
    }

    /// Adds a `[model.NAME]`.
    pub fn model(mut self, name: &str, describe: impl FnOnce(SectionSpec) -> SectionSpec) -> Self {
        self.models.push(describe(SectionSpec::new(name)));
        self
    }

    /// Adds a `[cache.NAME]`.
    pub fn cache(mut self, name: &str, describe: impl FnOnce(SectionSpec) -> SectionSpec) -> Self {
        self.caches.push(describe(SectionSpec::new(name)));
        self
    }

    /// Adds a `[host.NAME]`.
    pub fn host(mut self, name: &str, describe: impl FnOnce(SectionSpec) -> SectionSpec) -> Self {
        self.hosts.push(describe(SectionSpec::new(name)));
        self
    }

    /// Adds an `[include.NAME]`.
    pub fn include(
        mut self,
        name: &str,
        describe: impl FnOnce(SectionSpec) -> SectionSpec,
    ) -> Self {
        self.includes.push(describe(SectionSpec::new(name)));
        self
    }

    /// Adds a `[[test]]`.
    pub fn test(mut self, test: TestSpec) -> Self {
        self.tests.push(test);
        self
    }
}

impl NodeSpec {
    /// Sets a parameter or a reserved key, in place of what it was.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.assign(Spanned::from(key), value.into().into());
        self
    }

    /// Says where the input comes from, as `from` in a file: `"ecg"`, `["beats", "hrv"]`.
    pub fn from(self, inputs: impl Into<Value>) -> Self {
        self.set("from", inputs)
    }

    /// Adds what feeds one port: a SOURCE, a list of them, or [`Value::input`].
    pub fn from_port(mut self, port: &str, inputs: impl Into<Value>) -> Self {
        self.add_inputs(&Spanned::from(port), inputs.into().into());
        self
    }
}

impl SectionSpec {
    fn new(name: &str) -> Self {
        Self { name: Spanned::from(name), params: Vec::new() }
    }

    /// Sets a key, in place of what it was.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.assign(Spanned::from(key), value.into().into());
        self
    }

    pub(super) fn assign(&mut self, key: Spanned<String>, value: Spanned<Value>) {
        match self.params.iter_mut().find(|(known, _)| known.value == key.value) {
            Some(entry) => *entry = (key, value),
            None => self.params.push((key, value)),
        }
    }
}

impl Value {
    /// A table with values of different types.
    pub fn table<const N: usize>(entries: [(&str, Value); N]) -> Self {
        entries.into_iter().collect()
    }

    /// `{ node = SOURCE, … }`: an input with settings of its own, such as `on_full`.
    pub fn input<const N: usize>(source: &str, settings: [(&str, Value); N]) -> Self {
        std::iter::once(("node", Value::from(source))).chain(settings).collect()
    }
}

impl From<OnFull> for Value {
    fn from(policy: OnFull) -> Self {
        Value::from(policy.word())
    }
}

impl From<OnFault> for Value {
    fn from(policy: OnFault) -> Self {
        Value::from(policy.word())
    }
}
