//! The plan as a picture: what `afferent draw` prints.

use std::fmt::Write;

use crate::graph::OnFull;

use super::{Home, Plan, PlanEdge};

impl Plan {
    /// A Mermaid flowchart: stages as boxes around their nodes, formats along edges. Thick edges
    /// are rings, dotted ones rings that drop. A graph on several hosts has hosts as boxes, and thick
    /// edges from one to another.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        self.draw(&mut text).expect("writing to a String cannot fail");
        text
    }

    fn draw(&self, text: &mut String) -> std::fmt::Result {
        if let Some(homes) = self.several_homes() {
            return self.draw_hosts(&homes, text);
        }
        for (number, stage) in self.stages.iter().enumerate() {
            let mut label = self.stage_label(number);
            if let Some(core) = stage.core {
                write!(label, ", core {core}")?;
            }
            writeln!(text, "  subgraph s{number}[{}]", quoted(&label))?;
            for &node in &stage.nodes {
                writeln!(text, "    {}", self.shape(node))?;
            }
            writeln!(text, "  end")?;
        }
        for node in (0..self.nodes.len()).filter(|&node| self.nodes[node].home == Home::Io) {
            writeln!(text, "  {}", self.shape(node))?;
        }
        for edge in &self.edges {
            let arrow = match edge.ring.map(|ring| ring.on_full) {
                None => "-->",
                Some(OnFull::Block) => "==>",
                Some(_) => "-.->",
            };
            self.draw_edge(edge, arrow, text)?;
        }
        Ok(())
    }

    /// The nodes of each host, where there are several and it is said what runs where.
    fn several_homes(&self) -> Option<Vec<(String, Vec<String>)>> {
        let has_several = self.spec.hosts.len() > 1;
        has_several.then(|| self.homes().ok()).flatten()
    }

    fn draw_hosts(&self, homes: &[(String, Vec<String>)], text: &mut String) -> std::fmt::Result {
        let mut host_of = vec![homes.len(); self.nodes.len()];
        for (number, (host, names)) in homes.iter().enumerate() {
            writeln!(text, "  subgraph h{number}[{}]", quoted(host))?;
            let is_here = |node: &usize| names.contains(&self.nodes[*node].name);
            for node in (0..self.nodes.len()).filter(is_here) {
                host_of[node] = number;
                writeln!(text, "    {}", self.shape(node))?;
            }
            writeln!(text, "  end")?;
        }
        for edge in &self.edges {
            let crosses = host_of[edge.from.0] != host_of[edge.to.0];
            self.draw_edge(edge, if crosses { "==>" } else { "-->" }, text)?;
        }
        Ok(())
    }

    fn draw_edge(&self, edge: &PlanEdge, arrow: &str, text: &mut String) -> std::fmt::Result {
        let label = match self.source_label(edge).split_once(['.', '[']) {
            // What is more than the node's name tells two edges of one node apart.
            Some(_) => format!("{}: {}", self.source_label(edge), edge.format),
            None => edge.format.to_string(),
        };
        writeln!(text, "  n{} {arrow}|{}| n{}", edge.from.0, quoted(&label), edge.to.0)
    }

    /// A node: sources rounded, sinks with double sides.
    fn shape(&self, number: usize) -> String {
        let node = &self.nodes[number];
        let label = match node.kind.name == node.name {
            true => quoted(&node.name),
            false => quoted(&format!("{}\n{}", node.name, node.kind.name)),
        };
        match (node.kind.is_source(), node.kind.is_sink()) {
            (true, _) => format!("n{number}([{label}])"),
            (_, true) => format!("n{number}[[{label}]]"),
            _ => format!("n{number}[{label}]"),
        }
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
