//! Does what the program advises.

use super::{planted::Planted, told::Told};

/// The graph with the advice taken. Where that is to do less, less is done; none where nothing is advised.
pub(crate) fn changed(planted: &Planted, told: &Told) -> Option<Planted> {
    let mut changed = planted.clone();
    let pieces: Vec<&str> = told.change.split('`').skip(1).step_by(2).collect();
    let mut did = false;
    for (at, piece) in pieces.iter().enumerate() {
        if piece.starts_with("--") {
            changed.words.extend(piece.split(' ').map(str::to_owned));
        }
        let (key, value) = match piece.split_once(" = ") {
            Some(pair) => pair,
            None if *piece == "max_wait_ms" => ("max_wait_ms", "20.0"),
            None => continue,
        };
        let behind = pieces[at + 1..].iter().take_while(|piece| !piece.contains(" = "));
        let mut places: Vec<&str> = behind.filter_map(|piece| node_of(piece)).collect();
        if places.is_empty() {
            places.push(&told.node);
        }
        for node in places {
            changed.text = with(&changed.text, node, key, value)?;
        }
        did = true;
    }
    // More questions at once are of no use to whoever answers one at a time: faster answers are advised beside it.
    if let Some(service) = changed.service.as_mut().filter(|service| service.one_by_one) {
        service.answer_ms /= 4.0;
    }
    if !did && let Some((heavy, light)) = &planted.lighter {
        changed.text = changed.text.replace(heavy, light);
        did = true;
    }
    did.then_some(changed)
}

fn node_of(piece: &str) -> Option<&str> {
    piece.strip_prefix("[node.")?.strip_suffix(']')
}

/// A graph in which a key of a node has a value, wherever it stands now.
fn with(text: &str, node: &str, key: &str, value: &str) -> Option<String> {
    let head = format!("[node.{node}]\n");
    let (before, rest) = text.split_once(&head)?;
    let (own, after) = rest.find("[node.").map_or((rest, ""), |end| rest.split_at(end));
    let written = format!("{key} = ");
    let own = match own.split_once(&written) {
        None => format!("{key} = {value}\n{own}"),
        Some((first, rest)) => {
            let end = rest.find([',', ' ', '\n']).unwrap_or(rest.len());
            format!("{first}{key} = {value}{}", &rest[end..])
        }
    };
    Some(format!("{before}{head}{own}{after}"))
}

/// Whether a limit has moved away, or there is less of it.
pub(crate) fn is_less(before: &Told, after: &Told) -> bool {
    let is_other = (&before.cause, &before.node) != (&after.cause, &after.node);
    let less = |before: f64, after: f64| after < 0.9 * before;
    let has_run = after.lasted_ms > 0.0;
    has_run
        && (is_other
            || less(before.lasted_ms, after.lasted_ms)
            || less(before.dropped, after.dropped)
            || less(before.p99_ms, after.p99_ms))
}
