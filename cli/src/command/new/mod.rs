//! `afferent new`: a graph to start from.

mod templates;

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use engine::{SourceText, tidied};

use crate::{
    exit::{Exit, Failure, io_words, print},
    terminal::Ink,
};

use self::templates::{FILES, TEMPLATES, Template};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct NewArguments {
    /// What to call it: `heart` becomes `heart.toml`
    #[arg(value_name = "NAME", required_unless_present = "list")]
    name: Option<PathBuf>,

    /// What to start from; `--list` tells what each does
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = "biofeedback",
        hide_possible_values = true
    )]
    #[arg(value_parser = templates::names())]
    template: String,

    /// List the templates
    #[arg(long)]
    list: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent new --list
  afferent new heart
  afferent new calm --template stress_index

Templates are the graphs that come with afferent, each with a built-in body in place of your sensors and a
test of its own. Models and parts that one needs are written beside it. Nothing is overwritten.";

/// Writes a graph, with what it needs, or lists what there is to start from.
pub(crate) fn new(asked: &NewArguments) -> Result<Exit, Failure> {
    let Some(name) = asked.name.as_ref().filter(|_| !asked.list) else {
        print(&listed(Ink::of_stdout()))?;
        return Ok(Exit::Done);
    };
    let template = TEMPLATES.iter().find(|template| template.name == asked.template);
    let template = template.expect("clap takes no other");
    if name.file_name().is_none() || name.to_string_lossy().ends_with(['/', '\\']) {
        let message = format!("`{}` is a folder, and the graph needs a name", name.display());
        let hint = format!("write such as `{}`", name.join("heart").display());
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    let path = if name.extension().is_some_and(|ending| ending == "toml") {
        name.clone()
    } else {
        PathBuf::from(format!("{}.toml", name.display()))
    };
    let text = renamed(template, &path);
    let mut files = vec![(path.clone(), text.into_bytes())];
    let folder = path.parent().unwrap_or(Path::new(""));
    for (needed, content) in FILES.iter().filter(|(needed, _)| template.needs(needed)) {
        let at = folder.join(needed);
        // The same file is as good as ours.
        if !fs::read(&at).is_ok_and(|there| there == *content) {
            files.push((at, content.to_vec()));
        }
    }
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        let message = format!("`{}` is there already, and nothing was written", taken.display());
        return Err(Failure::new(Exit::Io, &message, "choose another name or another folder"));
    }
    for (path, content) in &files {
        write(path, content)?;
    }
    let written = files.iter().map(|(path, _)| format!("wrote {}\n", path.display()));
    let file = path.display();
    let next = format!(
        "next:\n  afferent check {file}    what would run\n  afferent run   {file}    with a built-in body; \
         its first lines say what to expect\n  afferent test  {file}    its own tests\n"
    );
    print(&(written.collect::<String>() + &next))?;
    Ok(Exit::Done)
}

fn listed(ink: Ink) -> String {
    let width = TEMPLATES.iter().map(|template| template.name.len()).max().unwrap_or(0);
    let line = |template: &Template| {
        let name = format!("{:width$}", template.name);
        format!("{}{name}{}  {}\n", ink.bold, ink.off, template.summary())
    };
    TEMPLATES.iter().map(line).collect()
}

/// The template under its new name, where it says its own.
fn renamed(template: &Template, path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    // What would have to be escaped is left out.
    let stem: String =
        stem.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    let text = template.text.replace(
        &format!("graphs/{}.toml", template.name),
        &path.display().to_string().replace(char::is_control, " "),
    );
    let (before, behind) = text.split_once("[graph]").expect("every delivered graph has one");
    let own = format!("\"{}\"", template.name);
    let behind = behind.replacen(&own, &format!("\"{stem}\""), 1);
    let text = format!("{before}[graph]{behind}");
    tidied(&SourceText::new(template.name, text)).expect("delivered graphs are TOML")
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    let written =
        made.and_then(|()| File::create_new(path)).and_then(|mut file| file.write_all(content));
    written.map_err(|error| {
        let message = format!("cannot write `{}`: {}", path.display(), io_words(&error));
        let hint = match error.kind() {
            ErrorKind::AlreadyExists => "choose another name or another folder",
            _ => "choose a folder that this user may write to",
        };
        Failure::new(Exit::Io, &message, hint)
    })
}

#[cfg(test)]
mod tests;
