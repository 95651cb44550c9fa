//! A graph from a line as a file.

use std::{
    env,
    fs::File,
    io::{ErrorKind, Write},
    path::{Component, Path, PathBuf},
};

use engine::{GraphSpec, InputSpec, SectionSpec, SourceText, Spanned, Value, tidied};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure, io_words, print},
};

/// Writes the graph to a file that must not be there.
pub(super) fn save(mut spec: GraphSpec, path: &Path) -> Result<Exit, Failure> {
    if let Some(back) = way_back(path) {
        let of_nodes = spec.nodes.iter_mut().flat_map(|node| &mut node.params);
        let of_models = spec.models.iter_mut().flat_map(|section| &mut section.params);
        of_nodes.chain(of_models).for_each(|(key, value)| lead(&back, &key.value, value));
    }
    let text = written(&spec, path);
    let shown = path.display();
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let message = format!("cannot write `{shown}`: {}", io_words(&error));
        let hint = match error.kind() {
            ErrorKind::AlreadyExists => "choose another name, or remove the file",
            ErrorKind::NotFound => "create the folder, or write to another",
            _ => "choose a folder that this user may write to",
        };
        Failure::new(Exit::Io, &message, hint)
    })?;
    print(&format!("wrote {shown}; run it: afferent run {shown}\n"))?;
    Ok(Exit::Done)
}

/// From the folder of the graph file, where its paths will start, to the current one, where those of the line do.
fn way_back(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""))?;
    // One that is not there is told when the file is made.
    let (folder, here) = (folder.canonicalize().ok()?, env::current_dir().ok()?);
    let here = here.canonicalize().ok()?;
    let shared = folder.components().zip(here.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let back: PathBuf = up.chain(here.components().skip(shared)).collect();
    (back != Path::new("")).then_some(back)
}

/// Leads a file's name from another folder. Every parameter of kinds and models that names one is called so.
fn lead(back: &Path, key: &str, value: &mut Spanned<Value>) {
    if let Value::Text(file) = &mut value.value
        && key.ends_with("file")
        && !file.contains("://")
    {
        *file = back.join(&*file).to_string_lossy().into_owned();
    }
}

fn written(spec: &GraphSpec, path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut text = format!("[graph]\nname = {}\n", quoted(&name));
    for section in &spec.models {
        text += &model(section);
    }
    for node in &spec.nodes {
        text += &format!("[node.{}]\nop = {}\n", node.name.value, quoted(&node.op.value));
        text += &from(&node.from, &node.op.value);
        for (key, value) in reserved(node) {
            text += &format!("{key} = {value}\n");
        }
        for (key, value) in &node.params {
            text += &entry(key, value);
        }
    }
    let file = SourceText::new(path.to_string_lossy(), text);
    tidied(&file).expect("what was written is TOML")
}

fn model(section: &SectionSpec) -> String {
    let entries = section.params.iter().map(|(key, value)| entry(key, value));
    format!("[model.{}]\n{}", section.name.value, entries.collect::<String>())
}

fn entry(key: &Spanned<String>, value: &Spanned<Value>) -> String {
    format!("{} = {}\n", key.value, toml(&value.value))
}

/// The reserved keys that a line can set, as they were.
fn reserved(node: &engine::NodeSpec) -> Vec<(&'static str, String)> {
    let options = &node.options;
    let number = |value: &Option<Spanned<f64>>| value.as_ref().map(|it| toml(&it.value.into()));
    let count = |value: &Option<Spanned<u32>>| value.as_ref().map(|it| it.value.to_string());
    let flag = |value: &Option<Spanned<bool>>| value.as_ref().map(|it| it.value.to_string());
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|it| quoted(&it.value));
    let on: Vec<String> = options.on.iter().map(|host| quoted(&host.value)).collect();
    let all = [
        ("on", (!on.is_empty()).then(|| format!("[{}]", on.join(", ")))),
        ("stage", text(&options.stage)),
        ("core", count(&options.core)),
        ("realtime", flag(&options.realtime)),
        ("capacity_ms", number(&options.capacity_ms)),
        ("on_full", options.on_full.as_ref().map(|it| quoted(it.value.word()))),
        ("on_fault", options.on_fault.as_ref().map(|it| quoted(it.value.word()))),
        ("max_wait_ms", number(&options.max_wait_ms)),
        ("idle_ms", number(&options.idle_ms)),
        ("deadline_ms", number(&options.deadline_ms)),
        ("frame_ms", number(&options.frame_ms)),
        ("wedge_ms", number(&options.wedge_ms)),
        ("retries", count(&options.retries)),
        ("enabled", flag(&options.enabled)),
        ("doc", text(&options.doc)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// One SOURCE, a list of them, or a table by ports.
fn from(inputs: &[InputSpec], op: &str) -> String {
    let list = |inputs: &[&InputSpec]| match inputs {
        [one] => quoted(&one.source.value.to_string()),
        several => {
            let all = several.iter().map(|input| quoted(&input.source.value.to_string()));
            format!("[{}]", all.collect::<Vec<_>>().join(", "))
        }
    };
    let mut ports: Vec<(Option<&str>, Vec<&InputSpec>)> = Vec::new();
    for input in inputs {
        let port = input.port.as_ref().map(|port| port.value.as_str());
        match ports.iter_mut().find(|(known, _)| *known == port) {
            Some((_, inputs)) => inputs.push(input),
            None => ports.push((port, vec![input])),
        }
    }
    match &ports[..] {
        [] => String::new(),
        [(None, inputs)] => format!("from = {}\n", list(inputs)),
        several => {
            // The first port goes without a name in a line, and has one in a table.
            let kind = catalog().find(op);
            let first = kind.map(|kind| kind.when_fed.unwrap_or(kind));
            let first = first.and_then(|kind| kind.inputs.first()).map_or("in", |port| port.name);
            let ports = several
                .iter()
                .map(|(port, inputs)| format!("{} = {}", port.unwrap_or(first), list(inputs)));
            format!("from = {{ {} }}\n", ports.collect::<Vec<_>>().join(", "))
        }
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::List(items) => {
            let items = items.iter().map(|item| toml(&item.value));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Table(entries) => {
            let entries = entries.iter();
            let entries = entries
                .map(|(key, value)| format!("{} = {}", quoted(&key.value), toml(&value.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Text(text) => quoted(text),
        Value::Bool(_) | Value::Float(_) | Value::Integer(_) => value.to_string(),
    }
}

/// A text of TOML: of what must not stand in one, its number.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
