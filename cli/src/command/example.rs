//! An example of a kind: a graph that can be run as it stands, from the sources down to a node of
//! the kind.

use std::sync::Arc;

use engine::{Catalog, Disk, Format, GraphSpec, Kind, Plan, PlanOptions, Port, Shape, SourceText};

/// A graph with a node of the kind at its end.
pub(crate) struct Example {
    /// As a graph file says it.
    pub(crate) text: String,
    node: &'static str,
}

impl Example {
    /// A node of the kind behind kinds that deliver what its ports are for.
    pub(crate) fn of(kind: &Kind, catalog: &Catalog) -> Self {
        // A sink may be called like the source it reads from.
        let node = if kind.is_sink() { "out" } else { kind.name };
        let mut tables = Vec::new();
        add(kind, node, catalog, &mut tables);
        let tables: Vec<String> = tables.into_iter().map(|(_, table)| table).collect();
        Self { text: tables.join("\n"), node }
    }

    /// What leaves the node, where the example can be planned: a file that it names may not be there.
    pub(crate) fn outputs(&self, catalog: &Catalog) -> Vec<Format> {
        let spec = GraphSpec::parse(&SourceText::new("example", self.text.clone())).ok();
        let options = PlanOptions::new(Arc::new(Disk));
        let plan: Option<Plan> = spec.and_then(|spec| spec.plan(catalog, &options).ok());
        plan.and_then(|plan| Some(plan.outputs_of(self.node)?.to_vec())).unwrap_or_default()
    }
}

/// The name and the table of the node, behind those that feed it, each once.
fn add(kind: &Kind, name: &'static str, catalog: &Catalog, tables: &mut Vec<(String, String)>) {
    let mut ports = Vec::new();
    for port in kind.inputs.iter().filter(|port| !port.optional) {
        let sources = sources(port);
        for source in sources {
            let above = source.split(['.', '[']).next().unwrap_or(source);
            let is_new = tables.iter().all(|(known, _)| known != above);
            if let Some(found) = catalog.find(above).filter(|_| is_new) {
                add(found, found.name, catalog, tables);
            }
        }
        let written = match sources {
            [one] => format!("{one:?}"),
            several => format!("{several:?}"),
        };
        ports.push((port.name, written));
    }
    let mut table = format!("[node.{name}]\nop = {:?}\n", kind.name);
    match &ports[..] {
        [] => {}
        [(_, source)] => table += &format!("from = {source}\n"),
        several => {
            let fed = several.iter().map(|(port, source)| format!("{port} = {source}"));
            table += &format!("from = {{ {} }}\n", fed.collect::<Vec<_>>().join(", "));
        }
    }
    for line in kind.example.trim().lines() {
        table += &format!("{line}\n");
    }
    tables.push((name.to_owned(), table));
}

/// What feeds a port: what it is for, or the heart that everything here begins with.
fn sources(port: &Port) -> &'static [&'static str] {
    match (port.fed_by, port.shape) {
        ([], Shape::Event) => &["qrs"],
        ([], _) => &["ecg"],
        (all, _) if port.variadic => all,
        (any, _) => &any[..1],
    }
}
