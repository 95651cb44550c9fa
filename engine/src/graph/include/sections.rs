//! `[model.NAME]` and `[cache.NAME]` of included files: `left/NAME` in the whole.
//!
//! A name is looked for in the file that it is written in, then in those around it.

use std::collections::HashSet;

use crate::graph::place::Spanned;
use crate::graph::spec::GraphSpec;
use crate::graph::value::Value;

/// Sections that parameters name, by the word that such a parameter is called or ends in.
const WORDS: [&str; 2] = ["model", "cache"];

impl GraphSpec {
    /// Gives the full names of models and caches to whoever names them.
    pub(super) fn name_sections(&mut self) {
        if self.includes.is_empty() {
            return;
        }
        for word in WORDS {
            let sections = if word == "model" { &self.models } else { &self.caches };
            let known: HashSet<String> =
                sections.iter().map(|section| section.name.value.clone()).collect();
            let nodes = self.nodes.iter_mut().map(|node| (&node.name.value, &mut node.params));
            let models =
                self.models.iter_mut().map(|section| (&section.name.value, &mut section.params));
            for (name, params) in nodes.chain(models) {
                let own = name.rsplit_once('/').map_or("", |(scope, _)| scope);
                let named = params.iter_mut().filter(|(key, _)| names_a(word, &key.value));
                for (_, value) in named {
                    rename(value, own, &known);
                }
            }
        }
    }
}

fn names_a(word: &str, key: &str) -> bool {
    key.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

fn rename(value: &mut Spanned<Value>, own: &str, known: &HashSet<String>) {
    let Value::Text(name) = &mut value.value else { return };
    let written = value.place.as_ref().and_then(|place| place.file.included_as());
    let scopes = [written.unwrap_or_default(), own];
    let full = scopes.iter().find_map(|scope| {
        let mut scope = *scope;
        loop {
            let full = if scope.is_empty() { name.clone() } else { format!("{scope}/{name}") };
            if known.contains(&full) {
                return Some(full);
            }
            if scope.is_empty() {
                return None;
            }
            scope = scope.rsplit_once('/').map_or("", |(outer, _)| outer);
        }
    });
    if let Some(full) = full {
        *name = full;
    }
}
