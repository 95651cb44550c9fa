//! Where sinks write: to a file, one per session, or to standard output.

use std::{
    io::{BufWriter, Write},
    path::Path,
};

use engine::{AsTheyCome, BuildError, Diagnostic, Node, Outline, Param, Policy, Used};

/// The parameter all of them have.
pub(super) const FILE: Param<&str> =
    Param::optional("file", "Where to write; standard output if left out.");

/// In which order the lines of several inputs are written.
pub(super) const ORDER: Param<&str> = Param::with_default(
    "order",
    "auto",
    "Of lines from several inputs: \"time\" merges them by their times, so that a line waits until nothing older can \
     come; \"arrival\" writes each as it comes; \"auto\" is \"arrival\" at the pace of the content and \"time\" \
     at full speed, where the same input gives the same bytes.",
)
.one_of(&["auto", "time", "arrival"]);

/// The same outline, its inputs in the order that the node says.
pub(super) fn ordered(node: &Node<'_>, outline: Outline) -> Result<Outline, Diagnostic> {
    let as_they_come = match node.get(&ORDER)? {
        "time" => AsTheyCome::Never,
        "arrival" => AsTheyCome::Always,
        _ => AsTheyCome::Paced,
    };
    Ok(outline.joining(node.join(Policy::Merge, None).taking(as_they_come)))
}

/// A sink's outline: what it writes, `stdout` where no file is written.
pub(super) fn outline(node: &Node<'_>, stdout: Used) -> Result<Outline, Diagnostic> {
    let what = path(node)?.map_or(stdout, Used::Written);
    Ok(Outline::default().using(FILE.name(), what))
}

/// The session's own file, created; `None` for standard output.
pub(super) fn create(
    node: &Node<'_>,
) -> Result<Option<BufWriter<Box<dyn Write + Send>>>, BuildError> {
    let Some(path) = path(node)? else { return Ok(None) };
    Ok(Some(BufWriter::new(node.create(FILE.name(), &path)?)))
}

/// One file per session: of two writers in one place the second would empty what the first wrote.
fn path(node: &Node<'_>) -> Result<Option<String>, Diagnostic> {
    if node.get_optional(&FILE)?.is_none() {
        return Ok(None);
    }
    let path = node.path(&FILE)?;
    Ok(Some(of_session(node, path)))
}

/// The path of a session's own file.
pub(super) fn of_session(node: &Node<'_>, path: String) -> String {
    numbered(path, node.session())
}

/// A path that says the session, in front of the ending by which programs tell what they open; the first is as it is
/// written. A file that is called so is of a session before, and hardly a recording of somebody's.
fn numbered(path: String, session: u32) -> String {
    if session == 0 {
        return path;
    }
    match Path::new(&path).extension() {
        Some(ending) => {
            let ending = ending.to_string_lossy().into_owned();
            Path::new(&path)
                .with_extension(format!("session{session}.{ending}"))
                .display()
                .to_string()
        }
        None => format!("{path}.session{session}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_further_sessions_keep_their_ending() {
        for (path, first, second) in [
            ("m.srt", "m.srt", "m.session1.srt"),
            ("a.b/said", "a.b/said", "a.b/said.session1"),
            ("of/talk.of.may.wav", "of/talk.of.may.wav", "of/talk.of.may.session1.wav"),
            (".hidden", ".hidden", ".hidden.session1"),
        ] {
            assert_eq!(numbered(path.to_owned(), 0), first);
            assert_eq!(numbered(path.to_owned(), 1), second);
        }
    }
}
