//! The graph's side of a link: which edges are cut, how each travels, and the ends of them that the
//! engine runs.
//!
//! ```text
//!  [host.NAME] ─▶ Host ─┐
//!  CutEdge ─▶ EdgePlan ─┴─▶ SessionConfig ─▶ Driver ─▶ Ports ─▶ LinkCarrier ─▶ Sink, LiveSource
//! ```

mod edges;
mod ends;
mod lent;
mod section;
mod sink;
mod source;

pub use edges::{EdgePlan, edge_plans};
pub use ends::{Berth, Coming, Ends, Leaving, Lines, LinkCarrier, Look, Manner, Parked, TooLate};
pub(crate) use lent::{LentInlet, LentOutlet};
pub use section::{DOC, EXAMPLE, Host, PARAMS, SpoolAt, hosts};

use xxhash_rust::xxh3::xxh3_128;

/// What two hosts compare to see whether they run the same graph: a hash of the file's text, in which
/// ends of lines and blanks before them make no difference. Nothing that is `--set` is in it.
pub fn graph_hash(text: &str) -> [u8; 16] {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    xxh3_128(lines.join("\n").trim_end().as_bytes()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_make_no_other_graph_and_a_changed_number_does() {
        let unix = graph_hash("[node.a]\nrate_hz = 250.0\n");
        assert_eq!(graph_hash("[node.a]  \r\nrate_hz = 250.0\r\n\r\n"), unix);
        assert_ne!(graph_hash("[node.a]\nrate_hz = 251.0\n"), unix);
    }
}
