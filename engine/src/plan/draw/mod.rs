//! [`Picture`]: the plan as boxes and arrows, whoever draws it.

mod mermaid;

use std::collections::BTreeMap;

use crate::graph::OnFull;

use super::{Plan, PlanEdge};

/// What there is to draw of a plan.
///
/// Nodes stand in boxes: in those of hosts where there are several, in those of includes where there
/// are any, else in those of stages.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Boxes; one stands before those within it.
    pub boxes: Vec<PictureBox>,
    /// Producers before consumers.
    pub nodes: Vec<PictureNode>,
    /// In the order of their consumers.
    pub edges: Vec<PictureEdge>,
}

/// A box around nodes.
#[derive(Clone, Debug)]
pub struct PictureBox {
    /// What is written on it.
    pub label: String,
    /// What it is.
    pub is: BoxOf,
    /// The box that it stands in.
    pub within: Option<usize>,
}

/// What a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxOf {
    /// All that runs on one host.
    Host,
    /// All that one `[include.NAME]` stands for, as far as it runs on one host.
    Include,
    /// Nodes that run together.
    Stage,
}

/// A node of a picture.
#[derive(Clone, Debug)]
pub struct PictureNode {
    /// Its name, without that of the includes whose boxes it stands in.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether frames enter here.
    pub is_source: bool,
    /// Whether frames leave here.
    pub is_sink: bool,
    /// The innermost box around it.
    pub within: Option<usize>,
}

/// An arrow.
#[derive(Clone, Debug)]
pub struct PictureEdge {
    /// Number of the producer.
    pub from: usize,
    /// Number of the consumer.
    pub to: usize,
    /// The output, where it is not the only one or not whole.
    pub output: Option<String>,
    /// What it carries.
    pub format: String,
    /// How it carries that.
    pub by: Arrow,
}

/// How an edge carries frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrow {
    /// Within a stage, or in a picture of hosts within one.
    Plain,
    /// By a ring that loses nothing, or to another host.
    Ring,
    /// By a ring that drops when it is full.
    Dropping,
}

impl Plan {
    /// The plan as boxes and arrows.
    pub fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        let homes = self.several_homes();
        let has_includes = self.nodes.iter().any(|node| node.name.contains('/'));
        let mut host_of = vec![usize::MAX; self.nodes.len()];
        let mut within = vec![None; self.nodes.len()];
        if let Some(homes) = &homes {
            for (host, names) in homes {
                let number = picture.boxed(host.clone(), BoxOf::Host, None);
                for (node, planned) in self.nodes.iter().enumerate() {
                    if names.contains(&planned.name) {
                        (host_of[node], within[node]) = (number, Some(number));
                    }
                }
            }
        }
        if has_includes {
            self.box_includes(&mut picture, &mut within);
        } else if homes.is_none() {
            for (number, stage) in self.stages.iter().enumerate() {
                let mut label = self.stage_label(number);
                if let Some(core) = stage.core {
                    label += &format!(", core {core}");
                }
                let number = picture.boxed(label, BoxOf::Stage, None);
                stage.nodes.iter().for_each(|&node| within[node] = Some(number));
            }
        }
        for (node, within) in self.nodes.iter().zip(within) {
            let name = node.name.rsplit_once('/').map_or(node.name.as_str(), |(_, last)| last);
            picture.nodes.push(PictureNode {
                name: name.to_owned(),
                kind: node.kind.name,
                is_source: node.kind.is_source(),
                is_sink: node.kind.is_sink(),
                within,
            });
        }
        for edge in &self.edges {
            let crosses = host_of[edge.from.0] != host_of[edge.to.0];
            let by = match (homes.is_some(), edge.ring.map(|ring| ring.on_full)) {
                (true, _) if crosses => Arrow::Ring,
                (true, _) | (_, None) => Arrow::Plain,
                (_, Some(OnFull::Block)) => Arrow::Ring,
                (_, Some(_)) => Arrow::Dropping,
            };
            picture.edges.push(self.arrow(edge, by));
        }
        picture
    }

    fn arrow(&self, edge: &PlanEdge, by: Arrow) -> PictureEdge {
        let label = self.source_label(edge);
        // Names of channels may have points and slashes of their own.
        let path = label.split(['.', '[']).next().unwrap_or_default();
        let short = &label[path.rfind('/').map_or(0, |at| at + 1)..];
        // What is more than the node's name tells two edges of one node apart.
        let output = short.contains(['.', '[']).then(|| short.to_owned());
        let format = edge.format.to_string();
        PictureEdge { from: edge.from.0, to: edge.to.0, output, format, by }
    }

    /// Puts nodes of includes into boxes, one for each include and host, and those into each other.
    fn box_includes(&self, picture: &mut Picture, within: &mut [Option<usize>]) {
        let mut known: BTreeMap<(Option<usize>, String), usize> = BTreeMap::new();
        for (node, within) in self.nodes.iter().zip(within) {
            let host = *within;
            let Some((path, _)) = node.name.rsplit_once('/') else { continue };
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                let include = &path[..end];
                let number = *known.entry((host, include.to_owned())).or_insert_with(|| {
                    let name = include.rsplit_once('/').map_or(include, |(_, last)| last);
                    let label = match self.file_of(include) {
                        Some(file) => format!("{name} ({file})"),
                        None => name.to_owned(),
                    };
                    picture.boxed(label, BoxOf::Include, *within)
                });
                *within = Some(number);
            }
        }
    }

    /// The file of an include, as it is written.
    fn file_of(&self, include: &str) -> Option<&str> {
        let section = self.spec.includes.iter().find(|section| section.name.value == include);
        section?.param("file")?.value.as_text()
    }

    /// The nodes of each host, where there are several and it is said what runs where.
    fn several_homes(&self) -> Option<Vec<(String, Vec<String>)>> {
        let has_several = self.spec.hosts.len() > 1;
        has_several.then(|| self.homes().ok()).flatten()
    }
}

impl Picture {
    fn boxed(&mut self, label: String, is: BoxOf, within: Option<usize>) -> usize {
        self.boxes.push(PictureBox { label, is, within });
        self.boxes.len() - 1
    }
}
