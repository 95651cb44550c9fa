//! Keys of includes, and of what a file declares for those who include it.

use super::{KeyTable, key};

pub(in crate::graph) const INCLUDE: KeyTable = KeyTable {
    name: "include",
    header: "[include.NAME]",
    doc: "Another graph file within this one. What it declares as `[param.…]` is given here like a parameter of \
          a node, its `[input.…]` are fed by `from`, and `from = \"NAME.output\"` elsewhere takes what it declares \
          as `[output.…]`. Its nodes are called `NAME/node`: so they stand in messages, in metrics, in `from` \
          and in `--set NAME/node.param=value`. Its models and caches are its own; a name that it does not \
          have is looked for here. Paths in it start from its own folder. Its `[graph]`, `[host.…]` and \
          `[[test]]` do not count here. Files within files may be 16 deep.",
    keys: &[
        key(
            "file",
            "a path, from the folder of this file",
            "none: it must be written",
            "The graph file.",
            "file = \"parts/beats.toml\"",
        ),
        key(
            "from",
            "SOURCE, a list of them, or a table from inputs to either",
            "none: inputs must be fed unless they are `optional`",
            "What feeds its inputs. Without a table it is the first one.",
            "from = { signal = \"ecg\" }",
        ),
        key(
            "on",
            "the name of a host",
            "where its producers run",
            "The host of those of its nodes that do not say `on` themselves.",
            "on = \"cloud\"",
        ),
        key("enabled", "true or false", "true", "`false` leaves out all of it.", "enabled = false"),
        key("doc", "text", "none", "A sentence for people.", "doc = \"The left hand.\""),
    ],
};

pub(super) const INCLUDE_EXAMPLE: &str = "\
# parts/beats.toml, which is also a graph of its own
[param.low_hz]
default = 5.0
min     = 0.1
doc     = \"Below this the signal is wandering.\"

[input.signal]                 # fed by whoever includes the file
op = \"ecg\"                     # what stands in where it runs by itself

[output.beats]
from = \"detector\"

[node.clean]
op      = \"bandpass\"
from    = \"signal\"
low_hz  = \"$low_hz\"
high_hz = 15.0

[node.detector]
op   = \"qrs\"
from = \"clean\"

# the graph that includes it
[node.ecg]
op = \"ecg\"

[include.left]
file   = \"parts/beats.toml\"
from   = \"ecg\"
low_hz = 8.0

[node.out]
op   = \"jsonl\"
from = \"left.beats\"            # or \"left/detector\", by the node's own name";

pub(in crate::graph) const PARAM: KeyTable = KeyTable {
    name: "param",
    header: "[param.NAME]",
    doc: "A parameter of this file. Where a value is the text \"$NAME\", whatever whoever includes the file gives \
          stands in its place (`afferent explain include`), or what `--set param.NAME=VALUE` says; \"$$\" at the \
          beginning of a text is a mere `$`.",
    keys: &[
        key(
            "type",
            "\"boolean\", \"integer\", \"list\", \"number\" or \"text\"",
            "that of `default`",
            "What its value may be.",
            "type = \"number\"",
        ),
        key(
            "default",
            "a value of this type",
            "none: it must be given",
            "What holds where nobody gives one.",
            "default = 5.0",
        ),
        key("min", "a number", "no limit", "Smallest value.", "min = 0.1"),
        key("max", "a number", "no limit", "Largest value.", "max = 100.0"),
        key("choices", "a list", "any", "The only values there are.", "choices = [5.0, 8.0]"),
        key("unit", "text", "what the name ends in", "Its unit, for people.", "unit = \"Hz\""),
        key(
            "doc",
            "text",
            "none",
            "A sentence for people: what it is for. Messages show it.",
            "doc = \"Below this the signal is wandering.\"",
        ),
    ],
};

pub(in crate::graph) const INLET: KeyTable = KeyTable {
    name: "input",
    header: "[input.NAME]",
    doc: "An input of this file: a name for `from`, which whoever includes the file feeds \
          (`afferent explain include`). With an `op` it is a node as well, with all that nodes have, which stands \
          in where the file runs by itself.",
    keys: &[
        key(
            "op",
            "the name of a kind",
            "none: the file does not run by itself",
            "The kind that stands in where nobody includes the file; its parameters follow.",
            "op = \"ecg\"",
        ),
        key(
            "optional",
            "true or false",
            "false",
            "Whether it may be left unfed. What names it in `from` then goes without.",
            "optional = true",
        ),
        key("doc", "text", "none", "A sentence for people.", "doc = \"An ECG, one channel.\""),
    ],
};

pub(in crate::graph) const OUTLET: KeyTable = KeyTable {
    name: "output",
    header: "[output.NAME]",
    doc: "An output of this file, which whoever includes it takes by `from = \"INCLUDE.NAME\"` \
          (`afferent explain include`). `from = \"INCLUDE\"` alone takes the first one.",
    keys: &[
        key(
            "from",
            "SOURCE",
            "none: it must be written",
            "Where it comes from: a node of this file, an input, or the output of an include.",
            "from = \"detector\"",
        ),
        key("doc", "text", "none", "A sentence for people.", "doc = \"One event per beat.\""),
    ],
};
