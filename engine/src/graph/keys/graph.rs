//! Keys of `[graph]`, of nodes and of their inputs.

use super::{KeyTable, key};

pub(in crate::graph) const GRAPH: KeyTable = KeyTable {
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
             refuses what waiting at a join alone exceeds; for the rest the summary says whether it was \
             kept.",
            "deadline_ms = 50",
        ),
        key("doc", "text", "none", "A sentence for people.", "doc = \"For the chest strap.\""),
    ],
};

pub(in crate::graph) const NODE: KeyTable = KeyTable {
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
            "The host that runs it; described by `[host.NAME]`. What asks a model or a service may name \
             two: its home, where its input comes and its output goes, and another that answers what \
             home is in doubt of, late with or fails at. Its events then say in `host` who has answered.",
            "on = [\"edge\", \"cloud\"]",
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

pub(in crate::graph) const INPUT: KeyTable = KeyTable {
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
            "Room on this input, in milliseconds of data; at least 16 frames.",
            "capacity_ms = 800",
        ),
    ],
};
