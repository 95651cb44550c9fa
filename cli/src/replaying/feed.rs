//! Kinds that bring what a node once brought.

use std::sync::Arc;

use engine::{Body, BuildError, Fault, Format, Kind, Node, Outline, Port};
use operators::files::mcap::Recording;

use super::source::Replay;

/// What was recorded of a node, as its kind finds it.
struct Feed {
    recording: Arc<Recording>,
    formats: Vec<Format>,
    /// Numbers of the recorded outputs by session, then by port.
    sessions: Vec<Vec<Option<usize>>>,
    duration_ns: Option<i64>,
}

/// A kind with the ports of `kind` that brings what was recorded of the node `name`, or why there is none.
pub(super) fn kind(
    recording: &Arc<Recording>,
    name: &str,
    kind: &'static Kind,
    taken: &[String],
) -> Result<&'static Kind, String> {
    let of_node =
        |(_, output): &(usize, &operators::files::mcap::read::Recorded)| output.node == name;
    let recorded: Vec<_> = recording.outputs.iter().enumerate().filter(of_node).collect();
    if recorded.is_empty() {
        return Err(format!("`{name}` was not recorded"));
    }
    let mut formats = Vec::new();
    for port in kind.outputs {
        let format = recorded.iter().find(|(_, output)| output.port == port.name);
        match format {
            Some((_, output)) => formats.push(output.format.clone()),
            None if taken.iter().any(|taken| taken == port.name) => {
                return Err(format!("`{name}.{}` was not recorded", port.name));
            }
            None => formats.push(Format::event(Vec::new(), 1.0)),
        }
    }
    let sessions = (0..super::sessions(recording)).map(|session| {
        let number = |port: &Port| {
            let is_its = |(_, output): &&(usize, &operators::files::mcap::read::Recorded)| {
                output.session == session && output.port == port.name
            };
            recorded.iter().find(is_its).map(|(number, _)| *number)
        };
        kind.outputs.iter().map(number).collect()
    });
    let sessions = sessions.collect();
    let ends = recorded.iter().filter_map(|(_, output)| output.counts.span);
    let duration_ns = ends.map(|(_, last)| last.nanos()).max().filter(|&last| last > 0);
    let outputs = kind.outputs.iter().zip(&formats).map(|(port, format)| match format {
        Format::Signal(_) => Port::signal(port.name),
        Format::Event(_) => Port::event(port.name),
        Format::Tensor(_) => Port::tensor(port.name),
        Format::Image(_) => Port::any(port.name),
    });
    let outputs: Vec<Port> = outputs.collect();
    let feed = Feed { recording: recording.clone(), formats, sessions, duration_ns };
    Ok(Box::leak(Box::new(Kind {
        name: Box::leak(format!("(replay {name})").into_boxed_str()),
        summary: "Brings what was recorded.",
        outputs: Vec::leak(outputs),
        plan: |node| {
            let feed = feed_of(node);
            Ok(Outline { duration_ns: feed.duration_ns, ..Outline::of(feed.formats.clone()) })
        },
        build,
        data: Some(Box::leak(Box::new(feed))),
        ..Kind::BASE
    })))
}

fn feed_of(node: &Node<'_>) -> &'static Feed {
    let data = node.kind().data.expect("the kind was made with it");
    data.downcast_ref().expect("the kind was made with it")
}

fn build(node: &Node<'_>) -> Result<Body, BuildError> {
    let feed = feed_of(node);
    let Some(ports) = feed.sessions.get(node.session() as usize) else {
        let text = format!("the recording has no session {}", node.session());
        return Err(BuildError::Fault(Fault::new(text)));
    };
    Ok(Body::source(Replay::new(feed.recording.clone(), ports)))
}
