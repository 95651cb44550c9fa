//! The text of `peers.toml`, read.
//!
//! ```toml
//! [peer.lab]
//! key   = "5N4W…"                  # 55 letters
//! since = 2026-03-01T09:30:00Z     # when it was added
//! from  = "192.0.2.7"              # from where; or "by hand"
//! ```
//!
//! A list that is not wholly understood is refused as a whole: whoever trusts by a list must not
//! guess what it says.

use std::ops::Range;

use engine::{is_name, nearest};
use toml_edit::{Document, Item, Table};

use super::{Peer, PeerKey, peers::PEERS_MAX};

/// What is wrong with a list of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: String,
}

const KEYS: [&str; 3] = ["key", "since", "from"];
/// Longest word on where a key came from.
const FROM_MAX: usize = 256;

/// Reads the text of a list, at most as many peers as a host can have.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str) -> Result<Vec<Peer>, Problem> {
    let problem = |span: Option<Range<usize>>, why: String| Problem {
        line: span.map(|span| 1 + text[..span.start].matches('\n').count()),
        why,
    };
    let document = Document::parse(text).map_err(|error| {
        let why = error.message().lines().next().unwrap_or("this is no TOML");
        problem(error.span(), why.to_owned())
    })?;
    let mut peers = Vec::new();
    for (name, item) in document.as_table() {
        if name != "peer" {
            let why = format!("`{name}` is unknown; a peer is `[peer.NAME]`");
            return Err(problem(item.span(), why));
        }
        let table = item.as_table();
        let table = table.ok_or_else(|| problem(item.span(), "write `[peer.NAME]`".to_owned()))?;
        if table.len() > PEERS_MAX {
            return Err(problem(None, format!("there are more than {PEERS_MAX} peers")));
        }
        for (name, item) in table {
            let span = || table.key(name).and_then(toml_edit::Key::span).or(item.span());
            let peer = item.as_table().ok_or("write `[peer.NAME]`".to_owned());
            let peer = peer.and_then(|table| read_peer(name, table));
            let peer = peer.map_err(|why| problem(span(), format!("peer `{name}`: {why}")))?;
            peers.push((peer, item.span()));
        }
    }
    let mut keys: Vec<_> = peers.iter().map(|(peer, span)| (peer.key, &peer.name, span)).collect();
    keys.sort_unstable_by_key(|&(key, ..)| key);
    if let Some([(_, first, _), (_, second, span)]) =
        keys.array_windows().find(|[(a, ..), (b, ..)]| a == b)
    {
        return Err(problem(
            (*span).clone(),
            format!("`{first}` and `{second}` have the same key"),
        ));
    }
    Ok(peers.into_iter().map(|(peer, _)| peer).collect())
}

fn read_peer(name: &str, table: &Table) -> Result<Peer, String> {
    if !is_name(name) {
        return Err(
            "names begin with a small letter, then small letters, digits and `_`".to_owned()
        );
    }
    if let Some((unknown, _)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
        let hint = nearest(unknown, KEYS).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!("`{unknown}` is unknown{}", hint.unwrap_or_default()));
    }
    let key = text(table, "key")?.ok_or("`key` is missing")?;
    let key: PeerKey = key.parse().map_err(|error| format!("`key`: {error}"))?;
    let since = table.get("since").map(|item| {
        let moment = item.as_datetime().ok_or("`since` is a date with a time, without quotes")?;
        Ok::<_, String>(moment.to_string())
    });
    let from = text(table, "from")?.map(str::to_owned);
    if from.as_ref().is_some_and(|from| from.len() > FROM_MAX || from.contains(char::is_control)) {
        return Err(format!("`from` is one line of at most {FROM_MAX} bytes"));
    }
    Ok(Peer { name: name.to_owned(), key, since: since.transpose()?, from })
}

fn text<'a>(table: &'a Table, key: &str) -> Result<Option<&'a str>, String> {
    let text = |item: &'a Item| item.as_str().ok_or_else(|| format!("`{key}` is a text"));
    table.get(key).map(text).transpose()
}
