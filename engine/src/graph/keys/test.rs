//! Keys of `[[test]]` blocks.

use super::{KeyTable, key};

pub(in crate::graph) const TEST: KeyTable = KeyTable {
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

pub(in crate::graph) const EXPECT: KeyTable = KeyTable {
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

pub(in crate::graph) const FEED: KeyTable = KeyTable {
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
