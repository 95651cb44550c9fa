//! `afferent fmt`: graph files laid out as graphs are.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use engine::{FILE_BYTES_MAX, SourceText, tidied};

use crate::{
    exit::{Exit, Failure, io_words, print, tell},
    graph::{graphs_in, read},
    whole,
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct FmtArguments {
    /// The graph files, or folders of them; `-` is standard input, laid out on standard output
    #[arg(value_name = "GRAPH", required = true)]
    files: Vec<PathBuf>,

    /// Write nothing, and end with 1 if a file would be changed
    #[arg(long)]
    check: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent fmt graphs
  afferent fmt --check graphs
  afferent fmt - < graphs/biofeedback.toml

Equals signs of a block stand in one column, comments behind lines in another; a blank line stands
before each table. Comments, the order of keys and how values are written stay. What is no TOML is
left as it is. Files that were changed are listed.

Ends with 0, with 1 if `--check` found a file that would be changed, with 78 if one is no TOML.";

/// Lays files out, each by itself: one that is wrong keeps no other from it.
pub(crate) fn fmt(asked: &FmtArguments) -> Result<Exit, Failure> {
    let mut ended = Exit::Done;
    for path in &asked.files {
        if path.as_os_str() == "-" {
            ended = worse(ended, standard_input(asked.check)?);
            continue;
        }
        let paths = match path.is_dir() {
            true => graphs_in(path).into_iter().map(|name| path.join(name)).collect(),
            false => vec![path.clone()],
        };
        if paths.is_empty() {
            let message = format!("there is no graph file in `{}`", path.display());
            let failure = Failure::new(Exit::Io, &message, "name a file that ends in `.toml`");
            ended = worse(ended, failure.tell());
        }
        for path in paths {
            ended = worse(ended, one(&path, asked.check).unwrap_or_else(|failure| failure.tell()));
        }
    }
    Ok(ended)
}

/// What is wrong with a file tells more than that another would be changed.
fn worse(one: Exit, other: Exit) -> Exit {
    if one as u8 >= other as u8 { one } else { other }
}

fn one(path: &Path, check: bool) -> Result<Exit, Failure> {
    let name = path.to_string_lossy();
    let bytes = read(path, &name)?;
    let before = text_of(&name, bytes)?;
    let after = tidied(&before)
        .map_err(|problems| Failure::graph_saying(&problems, "nothing was changed"))?;
    if after == before.text() {
        return Ok(Exit::Done);
    }
    if check {
        let line = first_difference(before.text(), &after);
        print(&format!("would change {name}, from line {line}\n"))?;
        return Ok(Exit::Fault);
    }
    whole::put(path, after.as_bytes()).map_err(|error| {
        let message = format!("cannot write `{name}`: {}", io_words(&error));
        Failure::new(Exit::Io, &message, "make the file and its folder writable for this user")
    })?;
    print(&format!("{name}\n"))?;
    Ok(Exit::Done)
}

fn standard_input(check: bool) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        Failure::new(Exit::Io, &format!("cannot read standard input: {error}"), "")
    })?;
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("standard input has more than {FILE_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Graph, &message, "give it a graph file"));
    }
    let before = text_of("standard input", bytes)?;
    let after = tidied(&before)
        .map_err(|problems| Failure::graph_saying(&problems, "nothing was changed"))?;
    if !check {
        print(&after)?;
        return Ok(Exit::Done);
    }
    if after == before.text() {
        return Ok(Exit::Done);
    }
    let line = first_difference(before.text(), &after);
    tell(&format!("would change standard input, from line {line}\n"));
    Ok(Exit::Fault)
}

fn text_of(name: &str, bytes: Vec<u8>) -> Result<std::sync::Arc<SourceText>, Failure> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceText::new(name, text)),
        Err(error) => {
            let byte = error.utf8_error().valid_up_to();
            let message = format!("`{name}` is not UTF-8 text from byte {byte} on");
            Err(Failure::new(Exit::Graph, &message, "save it as UTF-8"))
        }
    }
}

fn first_difference(before: &str, after: &str) -> usize {
    let same = before.lines().zip(after.lines()).take_while(|(before, after)| before == after);
    same.count() + 1
}
