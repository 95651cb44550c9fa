//! `afferent peers`: the hosts that this one trusts. The list itself is in the crate `link`.

use clap::{Args, Subcommand};
use link::trust::{Identity, Peer, PeerKey, Peers, TrustError, home};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, print, tell},
    terminal::Ink,
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct PeersArguments {
    #[command(subcommand)]
    what: Option<What>,

    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the peers, as without a word
    List,
    /// Add a peer by the key that `afferent peers key` prints there
    ///
    /// Both hosts must add each other. Take the key from where nobody can have changed it.
    Add {
        /// What it is called here; `[host.NAME]` in a graph finds it by this
        name: String,
        /// Its key: 55 letters
        key: String,
    },
    /// Remove a peer: from its next connection on it is a stranger
    Remove {
        /// What it is called here
        name: String,
    },
    /// Give a peer another name
    Rename {
        /// What it is called now
        name: String,
        /// What it shall be called
        new: String,
    },
    /// Print our own key, to be added on another host
    Key,
}

const EXAMPLES: &str = "\
Examples:
  afferent peers                          who is trusted, since when, from where
  afferent peers key                      our own key, to be carried to another host
  afferent peers add lab 5N4W…            trusts the host with this key
  afferent peers rename lab ward_3
  afferent peers remove ward_3

Keys and peers lie in AFFERENT_HOME, else in $XDG_CONFIG_HOME/afferent or ~/.config/afferent
(macOS: ~/Library/Application Support/afferent; Windows: %APPDATA%\\afferent). `identity.key` is
secret; `peers.toml` may be read and edited. `afferent pair` needs no keys to be carried.";

/// Does what is asked of the list of peers.
pub(crate) fn peers(asked: &PeersArguments) -> Result<Exit, Failure> {
    let folder = home().map_err(|error| failure(&error))?;
    let peers = Peers::at(&folder);
    let said = |error: TrustError| failure(&error);
    let text = match asked.what.as_ref().unwrap_or(&What::List) {
        What::List => {
            let peers = peers.list().map_err(said)?;
            if asked.json { as_json(&peers) } else { table(&peers, Ink::of_stdout()) }
        }
        What::Add { name, key } => {
            let key = PeerKey::parse(key).map_err(said)?;
            if Identity::open(&folder).map_err(said)?.key() == key {
                return Err(failure(&TrustError::OwnKey));
            }
            peers.add(name, key, now(), "by hand").map_err(said)?;
            one("added", name, key, asked.json)
        }
        What::Remove { name } => {
            let peer = peers.remove(name).map_err(said)?;
            one("removed", name, peer.key, asked.json)
        }
        What::Rename { name, new } => {
            let peer = peers.with_name(name).map_err(said)?;
            peers.rename(name, new).map_err(said)?;
            one("renamed", new, peer.key, asked.json)
        }
        What::Key => {
            let key = Identity::open(&folder).map_err(said)?.key();
            if asked.json {
                line(
                    &json!({ "key": key.to_string(), "fingerprint": key.fingerprint().to_string() }),
                )
            } else {
                // On stdout stands the key alone, for programs that carry it.
                tell(&format!("fingerprint: {}\n", key.fingerprint()));
                format!("{key}\n")
            }
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

/// What went wrong with keys and peers, as all failures are told.
pub(super) fn failure(error: &TrustError) -> Failure {
    let exit = if error.is_about_a_file() { Exit::Io } else { Exit::Usage };
    Failure::new(exit, &error.to_string(), &error.hint())
}

/// The wall clock: when a peer was added is written down, and nothing goes by it.
#[expect(clippy::disallowed_methods, reason = "the only place that reads it")]
pub(super) fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// What was done to one peer.
fn one(done: &str, name: &str, key: PeerKey, json: bool) -> String {
    let fingerprint = key.fingerprint().to_string();
    if json {
        line(
            &json!({ "done": done, "name": name, "key": key.to_string(), "fingerprint": fingerprint }),
        )
    } else {
        format!("{done} {name}  {fingerprint}\n")
    }
}

fn as_json(peers: &[Peer]) -> String {
    let peers: Vec<_> = peers
        .iter()
        .map(|peer| {
            json!({
                "name": peer.name,
                "key": peer.key.to_string(),
                "fingerprint": peer.key.fingerprint().to_string(),
                "since": peer.since,
                "from": peer.from,
            })
        })
        .collect();
    line(&json!({ "peers": peers }))
}

pub(super) fn line(value: &serde_json::Value) -> String {
    format!("{value}\n")
}

fn table(peers: &[Peer], ink: Ink) -> String {
    if peers.is_empty() {
        return "no peers yet; `afferent pair --help` tells how to get one\n".to_owned();
    }
    let width = peers.iter().map(|peer| peer.name.len()).max().unwrap_or(0).max(4);
    let Ink { bold, off, .. } = ink;
    let mut text =
        format!("{bold}{:width$}  {:19}  {:20}  from{off}\n", "name", "fingerprint", "since");
    for peer in peers {
        let (since, from) =
            [&peer.since, &peer.from].map(|said| said.as_deref().unwrap_or("-")).into();
        let fingerprint = peer.key.fingerprint().to_string();
        text += &format!("{:width$}  {fingerprint:19}  {since:20}  {from}\n", peer.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_peer() {
        let peer = |name: &str, n, since: Option<&str>| Peer {
            name: name.to_owned(),
            key: PeerKey::from_bytes([n; 32]),
            since: since.map(str::to_owned),
            from: since.map(|_| "192.0.2.7".to_owned()),
        };
        let peers = [peer("lab", 1, Some("2026-03-01T09:30:00Z")), peer("ward_3", 2, None)];

        let text = table(&peers, Ink::OFF);

        let [lab, ward] = [1, 2].map(|n| PeerKey::from_bytes([n; 32]).fingerprint());
        assert_eq!(
            text,
            format!(
                "name    fingerprint          since                 from\n\
                 lab     {lab}  2026-03-01T09:30:00Z  192.0.2.7\n\
                 ward_3  {ward}  -                     -\n"
            )
        );
        assert!(table(&[], Ink::OFF).contains("afferent pair"));
    }
}
