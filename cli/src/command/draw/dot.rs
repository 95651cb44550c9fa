//! A picture for Graphviz.

use std::fmt::Write;

use engine::{Arrow, BoxOf, Picture, PictureNode};

use super::short;

pub(super) fn written(name: &str, picture: &Picture) -> String {
    let mut text = format!("digraph {} {{\n", quoted(name));
    dot(picture, &mut text).expect("writing to a String cannot fail");
    text + "}\n"
}

fn dot(picture: &Picture, text: &mut String) -> std::fmt::Result {
    writeln!(text, "  rankdir=LR;")?;
    writeln!(text, "  node [shape=box, style=rounded, fontname=\"Helvetica\"];")?;
    writeln!(text, "  edge [fontname=\"Helvetica\", fontsize=10];")?;
    within(picture, None, 1, text)?;
    for edge in &picture.edges {
        let format = short(&edge.format);
        let label = match &edge.output {
            Some(output) => format!("{output}: {format}"),
            None => format,
        };
        let style = match edge.by {
            Arrow::Plain => "",
            Arrow::Ring => ", penwidth=2.5",
            Arrow::Dropping => ", style=dashed",
        };
        writeln!(text, "  n{} -> n{} [label={}{style}];", edge.from, edge.to, quoted(&label))?;
    }
    Ok(())
}

/// Boxes with what is in them, then the nodes that stand in one, or in none.
fn within(
    picture: &Picture,
    around: Option<usize>,
    depth: usize,
    text: &mut String,
) -> std::fmt::Result {
    let indent = "  ".repeat(depth);
    for (number, inner) in picture.boxes.iter().enumerate() {
        if inner.within != around {
            continue;
        }
        let colour = match inner.is {
            BoxOf::Host => "#4a7ab5",
            BoxOf::Include => "#5d8a5a",
            BoxOf::Stage => "#999999",
        };
        // Graphviz draws a box around what is called a cluster.
        writeln!(text, "{indent}subgraph cluster_{number} {{")?;
        writeln!(text, "{indent}  label={}; color=\"{colour}\";", quoted(&inner.label))?;
        within(picture, Some(number), depth + 1, text)?;
        writeln!(text, "{indent}}}")?;
    }
    for (number, node) in picture.nodes.iter().enumerate() {
        if node.within == around {
            writeln!(text, "{indent}n{number} [{}];", shape(node))?;
        }
    }
    Ok(())
}

fn shape(node: &PictureNode) -> String {
    let label = match node.kind == node.name {
        true => quoted(&node.name),
        false => quoted(&format!("{}\n{}", node.name, node.kind)),
    };
    match (node.is_source, node.is_sink) {
        (true, _) => format!("label={label}, shape=oval"),
        (_, true) => format!("label={label}, peripheries=2"),
        _ => format!("label={label}"),
    }
}

/// Text in quotes, whatever channels are called.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
