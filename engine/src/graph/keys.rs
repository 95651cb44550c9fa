//! Every key that a graph file knows apart from the parameters of kinds: what it takes, what holds
//! without it, what it means. The readers know their keys from here, and so does
//! `afferent explain node`.

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
    pub const ALL: &[&KeyTable] = &[&GRAPH, &NODE, &INPUT, &TEST, &EXPECT, &FEED];

    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

pub(super) const GRAPH: KeyTable = KeyTable {
    name: "graph",
    header: "[graph]",
    doc: "What holds for the whole graph.",
    keys: &[
        key(
            "name",
            "text",
            "the file's name",
            "What the graph is called.",
            "name = \"biofeedback\"",
        ),
        key(
            "deadline_ms",
            "a number above 0",
            "none",
            "Latency that every sink may have: from the moment a frame comes in at the door to the \
             moment it leaves. Counts what the engine takes, not delay by construction. Planning \
             refuses what cannot be kept; the summary says whether it was.",
            "deadline_ms = 50",
        ),
        key("doc", "text", "none", "A sentence for people.", "doc = \"For the chest strap.\""),
    ],
};

pub(super) const NODE: KeyTable = KeyTable {
    name: "node",
    header: "[node.NAME]",
    doc: "A node. Every other key is a parameter of its kind (`afferent explain KIND`).",
    keys: &[
        key(
            "op",
            "the name of a kind",
            "none: it must be written",
            "The kind of the node.",
            "op = \"bandpass\"",
        ),
        key(
            "from",
            "SOURCE, a list of them, or a table from ports to either",
            "none: a source has none",
            "Where its input comes from. A SOURCE is `node`, `node.port` or `node[channels]`. In \
             place of one may stand an input with settings of its own: `afferent explain input`.",
            "from = { base = \"ecg\", other = \"eeg[Fz,Cz]\" }",
        ),
        key(
            "on",
            "the name of a host, or a list of them",
            "where its producers run",
            "The host, or hosts, that may run it; described by `[host.NAME]`.",
            "on = \"edge\"",
        ),
        key(
            "stage",
            "a name",
            "fused with its neighbours where that pays",
            "Nodes with one stage name run together, apart from the others: they share a thread's turn and an actor.",
            "stage = \"filters\"",
        ),
        key(
            "core",
            "a whole number from 0",
            "any core",
            "The data core it runs on. `--cores` says how many there are.",
            "core = 1",
        ),
        key(
            "realtime",
            "true or false",
            "false",
            "Ask the system for real-time scheduling. Not done yet: it changes nothing.",
            "realtime = true",
        ),
        key(
            "capacity_ms",
            "a number above 0",
            "100, and at least 16 frames",
            "Room on every input, in milliseconds of data. Only edges between stages have any; there it also cuts a stage.",
            "capacity_ms = 500",
        ),
        key(
            "on_full",
            "\"block\", \"drop_newest\", \"drop_oldest\" or \"latest\"",
            "\"block\"; \"drop_oldest\" behind a live source",
            "What happens to a frame when an input is full: its producer waits, it is dropped, the \
             oldest is dropped, or only the newest is kept. Every drop is counted and travels on as \
             a gap.",
            "on_full = \"latest\"",
        ),
        key(
            "on_fault",
            "\"restart\", \"stop\", \"bypass\" or \"hold_last\"",
            "\"restart\"",
            "What happens when it keeps failing, that is, more often than `retries` in ten seconds: \
             it is tried again every second, the session ends, its input passes unchanged, or it \
             goes on saying what it said last.",
            "on_fault = \"stop\"",
        ),
        key(
            "max_wait_ms",
            "0 or a number above it",
            "no limit",
            "How long a join waits for a late input, in event time. What comes later is dropped as late.",
            "max_wait_ms = 200",
        ),
        key(
            "idle_ms",
            "a number above 0",
            "never",
            "Silence of a live source after which the clock says in its place that nothing older will come, so that joins need not wait for it.",
            "idle_ms = 100",
        ),
        key(
            "deadline_ms",
            "a number above 0",
            "that of `[graph]`",
            "Latency its output may have, in place of the graph's.",
            "deadline_ms = 20",
        ),
        key(
            "frame_ms",
            "a number above 0",
            "the kind's",
            "Length of the frames a source makes: shorter for less latency, longer for less work.",
            "frame_ms = 10",
        ),
        key(
            "wedge_ms",
            "a number above 0",
            "1000",
            "Length of a turn after which the node counts as wedged: it is left behind with its thread, and replaced.",
            "wedge_ms = 250",
        ),
        key(
            "retries",
            "a whole number from 0",
            "5",
            "Restarts within ten seconds before `on_fault` decides; attempts of a call.",
            "retries = 2",
        ),
        key(
            "enabled",
            "true or false",
            "true",
            "`false` leaves the node out, as if it were not written.",
            "enabled = false",
        ),
        key("doc", "text", "none", "A sentence for people.", "doc = \"Takes the hum out.\""),
    ],
};

pub(super) const INPUT: KeyTable = KeyTable {
    name: "input",
    header: "from = { node = … }",
    doc: "One input with settings of its own, in place of a SOURCE in `from`.",
    keys: &[
        key(
            "node",
            "SOURCE",
            "none: it must be written",
            "Where the input comes from.",
            "node = \"net.out\"",
        ),
        key(
            "on_full",
            "as of a node",
            "that of the node",
            "What happens to a frame when this input is full.",
            "on_full = \"drop_oldest\"",
        ),
        key(
            "capacity_ms",
            "a number above 0",
            "that of the node",
            "Room on this input, in milliseconds of data.",
            "capacity_ms = 800",
        ),
    ],
};

pub(super) const TEST: KeyTable = KeyTable {
    name: "test",
    header: "[[test]]",
    doc: "A test of the graph, on manual time: `afferent test FILE` runs it, `afferent check FILE` \
          looks whether it could run. Sinks are left out, so it writes no file.",
    keys: &[
        key("name", "text", "its number", "What the test claims.", "name = \"a slow heart\""),
        key(
            "seconds",
            "a number above 0",
            "until the sources end",
            "Event time to run.",
            "seconds = 30.0",
        ),
        key(
            "set",
            "a table",
            "nothing",
            "What is changed in the graph, as by `--set`.",
            "set = { \"ecg.heart_rate_bpm\" = 45 }",
        ),
        key(
            "input",
            "tables, see `afferent explain test.input`",
            "nothing",
            "What stands in for nodes.",
            "[test.input.ecg]",
        ),
        key(
            "expect",
            "tables, see `afferent explain test.expect`",
            "none: there must be one",
            "What must be seen.",
            "[[test.expect]]",
        ),
    ],
};

pub(super) const EXPECT: KeyTable = KeyTable {
    name: "test.expect",
    header: "[[test.expect]]",
    doc: "What a test must see at one output. It says how many (`count…`), or which values: `is`, \
          `near` with `within`, or `min` and `max`; of a `field` of events, or of samples.",
    keys: &[
        key(
            "from",
            "SOURCE",
            "none: it must be written",
            "The output it looks at. Every channel the SOURCE names must fit.",
            "from = \"beats\"",
        ),
        key(
            "count",
            "a whole number from 0",
            "any",
            "So many events, or frames of a signal.",
            "count = 22",
        ),
        key("count_min", "a whole number from 0", "any", "At least so many.", "count_min = 21"),
        key("count_max", "a whole number from 0", "any", "At most so many.", "count_max = 23"),
        key(
            "field",
            "the name of a field",
            "samples",
            "The field of events to look at; `t_s` is an event's own time. Events without it are passed over.",
            "field = \"rr_ms\"",
        ),
        key(
            "at",
            "\"every\", \"first\", \"last\" or an index from 0",
            "\"every\"",
            "Which of the values to look at.",
            "at = \"last\"",
        ),
        key(
            "t_s",
            "a number",
            "see `at`",
            "The time of the sample to look at, in place of `at`; one must be there within a sample's period.",
            "t_s = 1.5",
        ),
        key("is", "a number, a text, true or false", "any", "The very value.", "is = \"inhale\""),
        key(
            "near",
            "a number",
            "any",
            "The middle of what is accepted; goes with `within`.",
            "near = 1333.0",
        ),
        key(
            "within",
            "0 or a number above it",
            "none: `near` needs it",
            "How far from `near` a value may be.",
            "within = 5.0",
        ),
        key("min", "a number", "any", "Not below.", "min = -0.1"),
        key("max", "a number", "any", "Not above.", "max = 0.1"),
    ],
};

pub(super) const FEED: KeyTable = KeyTable {
    name: "test.input",
    header: "[test.input.NODE]",
    doc: "What stands in for a node during a test: samples, events, or another kind with its \
          parameters. For one of several outputs: `[test.input.\"NODE.port\"]`.",
    keys: &[
        key(
            "samples",
            "a list of numbers, or one list per channel",
            "none",
            "Samples, the first at time zero.",
            "samples = [0.0, 1.0, 0.0]",
        ),
        key(
            "rate_hz",
            "a number above 0",
            "none: samples need it",
            "Samples per second.",
            "rate_hz = 250.0",
        ),
        key(
            "channels",
            "a list of names",
            "\"0\", \"1\", …",
            "Names of the channels.",
            "channels = [\"left\", \"right\"]",
        ),
        key("unit", "text", "unknown", "Unit of all channels.", "unit = \"mV\""),
        key(
            "events",
            "a list of tables",
            "none",
            "Events in the order of `t_s`, each with its fields.",
            "events = [{ t_s = 0.8, rr_ms = 800.0 }]",
        ),
        key(
            "op",
            "the name of a kind",
            "none",
            "Another kind; every other key is one of its parameters.",
            "op = \"sine\"",
        ),
    ],
};

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
