//! Every key that a graph file knows apart from the parameters of kinds: what it takes, what holds
//! without it, what it means. The readers know their keys from here, and so does
//! `afferent explain node`.

mod graph;
mod include;
mod test;

pub(super) use graph::{GRAPH, INPUT, NODE};
pub(super) use include::{INCLUDE, INLET, OUTLET, PARAM};
pub(super) use test::{EXPECT, FEED, TEST};

/// A table of a graph file and its keys.
#[derive(Debug)]
pub struct KeyTable {
    /// What to ask for: `node`.
    pub name: &'static str,
    /// As it stands in a file: `[node.NAME]`.
    pub header: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// In the order of the manual.
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value may be.
    pub takes: &'static str,
    /// What holds where it is not written.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// A line with it.
    pub example: &'static str,
}

const fn key(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    doc: &'static str,
    example: &'static str,
) -> Key {
    Key { name, takes, default, doc, example }
}

impl KeyTable {
    /// Every table, in the order of the manual.
    pub const ALL: &[&KeyTable] =
        &[&GRAPH, &NODE, &INPUT, &INCLUDE, &PARAM, &INLET, &OUTLET, &TEST, &EXPECT, &FEED];

    /// A whole example, where its keys alone tell too little.
    pub fn example(&self) -> Option<&'static str> {
        (self.name == INCLUDE.name).then_some(include::INCLUDE_EXAMPLE)
    }

    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

const NODE_KEYS: [(&str, &str); NODE.keys.len()] = {
    let mut keys = [("", ""); NODE.keys.len()];
    let mut n = 0;
    while n < keys.len() {
        keys[n] = (NODE.keys[n].name, NODE.keys[n].doc);
        n += 1;
    }
    keys
};

/// Keys that mean the same on every node and are no parameters, with what they say.
pub const RESERVED_KEYS: &[(&str, &str)] = &NODE_KEYS;

/// Whether `key` means the same on every node and so cannot be a parameter of a kind.
pub fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.iter().any(|(reserved, _)| *reserved == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphSpec, SourceText};

    #[test]
    fn every_key_is_told_in_full() {
        for (table, key) in
            KeyTable::ALL.iter().flat_map(|table| table.keys.iter().map(move |key| (table, key)))
        {
            let told = [key.takes, key.default, key.doc, key.example];
            assert!(told.iter().all(|text| !text.is_empty()), "{} {}", table.name, key.name);
            assert!(key.doc.ends_with('.'), "{} {}", table.name, key.name);
            assert!(key.example.contains(key.name), "{} {}", table.name, key.name);
        }
    }

    /// The readers' own keys are the table's: what is an example here is understood there.
    #[test]
    fn every_example_of_a_node_and_of_the_graph_is_understood() {
        let lines = |table: &KeyTable| {
            table.keys.iter().map(|key| format!("{}\n", key.example)).collect::<String>()
        };
        let text = format!("[graph]\n{}[node.a]\n{}", lines(&GRAPH), lines(&NODE));

        let spec = GraphSpec::parse(&SourceText::new("g.toml", text)).expect("TOML");

        assert_eq!(spec.problems(), []);
        assert!(spec.nodes[0].params.is_empty(), "{:?}", spec.nodes[0].params);
    }
}
