//! The page that `?` shows.

use super::{
    detail::put,
    table::{Line, Tone},
};

const KEYS: &[(&str, &str)] = &[
    ("1 … 8", "a page; also ← → and Tab"),
    ("↑ ↓  k j", "choose a row; Page Up, Page Down, Home, End"),
    ("Enter", "look into the node of the row; Esc goes back"),
    ("s", "another order of rows"),
    ("/", "show only rows that contain some letters; Esc shows all"),
    ("p", "stop here; p again goes on"),
    ("?", "this page"),
    ("q", "leave; the graph goes on"),
];

const WORDS: &[(&str, &str)] = &[
    ("now", "over the last 5 seconds; everything else is since the start, over all sessions"),
    (
        "nominal",
        "samples per second that the format of a source promises, times the speed of the run",
    ),
    ("measured", "samples per second that came lately, per session"),
    ("gaps", "frames of a source that said that something before them is missing"),
    ("late", "frames older than their node had promised"),
    ("depth", "frames inside the ring of an edge, of those that find room in it"),
    ("fused", "no ring: the consumer is called as soon as the frame is there"),
    (
        "dropped",
        "frames by reason, such as full, late, poison, closed (`afferent explain on_full`)",
    ),
    ("latency", "from the host's door to the sink: what the engine adds, not what filters delay"),
    ("per call", "mean time of a call, of frames that are followed"),
    ("of a core", "calls per second times the time of one: an estimate"),
    ("poison", "frames that a body died on"),
    (
        "Limit",
        "what keeps the graph from being faster or sooner, and what to change, of the last 5 seconds",
    ),
    (
        "waiting",
        "in a ring, at a join for another input, for other bodies of the stage (turn), or for an answer",
    ),
    ("computing", "in the body of a node"),
    ("moving", "handed over, woken up for, passed on between two nodes"),
    (
        "share",
        "of the latency at a sink; while somebody looks, about one frame in five milliseconds is followed",
    ),
];

pub(super) fn lines(width: usize) -> Vec<Line> {
    let mut lines = vec![Line::toned("Keys", Tone::Bold)];
    let rows = |lines: &mut Vec<Line>, all: &[(&str, &str)]| {
        for (name, text) in all {
            put(lines, width, (name, (*text).to_owned(), Tone::Plain));
        }
    };
    rows(&mut lines, KEYS);
    lines.push(Line::default());
    lines.push(Line::toned("Words", Tone::Bold));
    rows(&mut lines, WORDS);
    lines
}
