//! A picture as a Mermaid flowchart: what `afferent draw` prints unless asked for something else.

use std::fmt::Write;

use super::{Arrow, BoxOf, Picture, PictureEdge, PictureNode};
use crate::plan::Plan;

impl Plan {
    /// A Mermaid flowchart: stages as boxes around their nodes, formats along edges. Thick edges
    /// are rings, dotted ones rings that drop. A graph on several hosts has hosts as boxes, and thick
    /// edges from one to another; one that includes others has includes as boxes.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        self.picture().mermaid(&mut text).expect("writing to a String cannot fail");
        text
    }
}

impl Picture {
    fn mermaid(&self, text: &mut String) -> std::fmt::Result {
        self.within(None, 1, text)?;
        for edge in &self.edges {
            arrow(edge, text)?;
        }
        Ok(())
    }

    /// The boxes and then the nodes that stand in one, or in none.
    fn within(&self, around: Option<usize>, depth: usize, text: &mut String) -> std::fmt::Result {
        let indent = "  ".repeat(depth);
        for (number, inner) in self.boxes.iter().enumerate() {
            if inner.within != around {
                continue;
            }
            let letter = match inner.is {
                BoxOf::Host => 'h',
                BoxOf::Include => 'i',
                BoxOf::Stage => 's',
            };
            let label = quoted(&inner.label);
            writeln!(text, "{indent}subgraph {letter}{number}[{label}]")?;
            self.within(Some(number), depth + 1, text)?;
            writeln!(text, "{indent}end")?;
        }
        for (number, node) in self.nodes.iter().enumerate() {
            if node.within == around {
                writeln!(text, "{indent}{}", shape(number, node))?;
            }
        }
        Ok(())
    }
}

fn arrow(edge: &PictureEdge, text: &mut String) -> std::fmt::Result {
    let arrow = match edge.by {
        Arrow::Plain => "-->",
        Arrow::Ring => "==>",
        Arrow::Dropping => "-.->",
    };
    let label = match &edge.output {
        Some(output) => format!("{output}: {}", edge.format),
        None => edge.format.clone(),
    };
    writeln!(text, "  n{} {arrow}|{}| n{}", edge.from, quoted(&label), edge.to)
}

/// A node: sources rounded, sinks with double sides.
fn shape(number: usize, node: &PictureNode) -> String {
    let label = match node.kind == node.name {
        true => quoted(&node.name),
        false => quoted(&format!("{}\n{}", node.name, node.kind)),
    };
    match (node.is_source, node.is_sink) {
        (true, _) => format!("n{number}([{label}])"),
        (_, true) => format!("n{number}[[{label}]]"),
        _ => format!("n{number}[{label}]"),
    }
}

/// Text as Mermaid takes it, whatever channels are called.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '\n' => out.push_str("<br/>"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
