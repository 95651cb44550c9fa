//! `afferent pair`: two hosts come to know each other. The exchange is in the crate `link`.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    net::SocketAddr,
    time::Duration,
};

use clap::{Args, builder::ValueParser};
use link::trust::{
    Identity, Peers, Reach, as_name, home,
    pairing::{
        Code, Introduction, PairError, Paired, Refusal,
        talk::{TALK_TIME, TalkError, guest, wait},
    },
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::exit::{Exit, Failure, print, tell};

use super::peers::{failure, line, now};

/// Where a code waits unless said otherwise.
const PORT: u16 = 24_434;
/// How long a code is good.
const LASTS: Duration = Duration::from_secs(300);
/// Most that is read of what somebody types.
const TYPED_MAX: u64 = 1_024;

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct PairArguments {
    /// The host that shows a code; without it, this one does
    #[arg(value_name = "ADDRESS", value_parser = ValueParser::new(address))]
    address: Option<String>,

    /// Where to wait with a code: an address of this host, or 0.0.0.0 or [::] for all it has
    ///
    /// Unless said, only this machine can come.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "address")]
    #[arg(default_value_t = format!("127.0.0.1:{PORT}"), value_parser = ValueParser::new(address))]
    listen: String,

    /// What to call the other host here [default: what it calls itself]
    #[arg(long, value_name = "NAME", value_parser = ValueParser::new(name))]
    name: Option<String>,

    /// What to call ourselves there [default: the name of this machine]
    #[arg(long = "as", value_name = "NAME", value_parser = ValueParser::new(name))]
    ourselves: Option<String>,

    /// Print one JSON object for the other host; before, where we wait, one with the code
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  on the one host:    afferent pair --listen 0.0.0.0          shows a code of 12 letters and waits
  on the other host:  afferent pair 192.0.2.7                 asks for the code, and both are paired

Both hosts then list each other, and may talk over links; `afferent peers` shows whom, and removes
them. The code is good once and for 5 minutes, and a wrong one ends it. It proves each host to the
other: who only listens in learns nothing, and nobody between them can pass for one. Capital and
small letters, dashes and blanks are all the same, and so are O and 0, or I, L and 1.

Where a code cannot be read out: `afferent peers add`. Processes of one user on one machine share
one key and need no pairing.";

/// Shows a code and waits, or asks for one and calls.
pub(crate) fn pair(asked: &PairArguments) -> Result<Exit, Failure> {
    let folder = home().map_err(|error| failure(&error))?;
    let identity = Identity::open(&folder).map_err(|error| failure(&error))?;
    let peers = Peers::at(&folder);
    // Whatever is wrong with the list or the name is told before anybody reads out a code.
    let listed = peers.list().map_err(|error| failure(&error))?;
    if let Some(name) = asked.name.as_ref().filter(|name| listed.iter().any(|p| p.name == **name)) {
        let message = format!("`{name}` is listed already");
        let hint = format!("take another name, or first `afferent peers remove {name}`");
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    let ourselves = asked.ourselves.clone().unwrap_or_else(|| as_name(&machine()));
    let pairing = Pairing {
        asked,
        me: Introduction { identity: &identity, name: &ourselves },
        peers: &peers,
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(Exit::Io, &format!("cannot wait for connections: {error}"), "")
    })?;
    let known = match &asked.address {
        Some(address) => pairing.call(address, &runtime)?,
        None => pairing.wait(&runtime)?,
    };
    print(&known)?;
    Ok(Exit::Done)
}

struct Pairing<'a> {
    asked: &'a PairArguments,
    me: Introduction<'a>,
    peers: &'a Peers,
}

impl Pairing<'_> {
    /// Shows a code and waits.
    fn wait(&self, runtime: &Runtime) -> Result<String, Failure> {
        let address = &self.asked.listen;
        runtime.block_on(async {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                let message = format!("cannot listen on {address}: {error}");
                Failure::new(Exit::Io, &message, "choose another `--listen` address or port")
            })?;
            let address =
                listener.local_addr().map_err(|error| unreachable_host(address, &error))?;
            let code = Code::new();
            self.show(&code, address)?;
            let keep =
                |paired: &Paired, from: SocketAddr| self.keep(paired, &from.ip().to_string());
            let note = |from: SocketAddr, error: &TalkError| {
                tell(&format!("{}: {error}\n", from.ip()));
            };
            wait(&listener, self.me, code, LASTS, keep, note).await.map_err(|error| told(&error))
        })
    }

    /// The code, and what to do with it.
    fn show(&self, code: &Code, address: SocketAddr) -> Result<(), Failure> {
        if self.asked.json {
            let (code, address) = (code.to_string(), address.to_string());
            return print(&line(&json!({ "code": code, "address": address })));
        }
        let minutes = LASTS.as_secs() / 60;
        let there = match (address.ip().is_unspecified(), address.port()) {
            (true, PORT) => "THIS_HOST".to_owned(),
            (true, port) => format!("THIS_HOST:{port}"),
            (false, PORT) if address.is_ipv4() => address.ip().to_string(),
            (false, _) => address.to_string(),
        };
        let mut text = format!(
            "code: {code}\n\nWithin {minutes} minutes, on the other host: afferent pair {there}\n\
             Waiting on {address}; Ctrl-C gives up.\n"
        );
        if Reach::of(address.ip()) == Reach::Machine {
            text += "Only this machine reaches that address; for others, `--listen 0.0.0.0`.\n";
        }
        tell(&text);
        Ok(())
    }

    /// Asks for the code and calls.
    fn call(&self, address: &str, runtime: &Runtime) -> Result<String, Failure> {
        if io::stdin().is_terminal() {
            // Nobody should read out a code for nothing. A look uses up no try.
            drop(runtime.block_on(connected(address))?);
        }
        let code = typed()?;
        runtime.block_on(async {
            let stream = connected(address).await?;
            let from = stream.peer_addr().map_err(|error| unreachable_host(address, &error))?;
            let paired = guest(stream, self.me, &code).await.map_err(|error| told(&error))?;
            self.keep(&paired, &from.ip().to_string()).map_err(|error| {
                let hint = "the other host lists this one already: mend this, and pair again";
                Failure::new(Exit::Io, &error, hint)
            })
        })
    }

    /// Lists the other host, and gives what is said about it.
    fn keep(&self, paired: &Paired, from: &str) -> Result<String, String> {
        let name = self.asked.name.as_ref().unwrap_or(&paired.name);
        let name = self.peers.add_proved(name, paired.key, now(), from);
        let name = name.map_err(|error| error.to_string())?;
        let fingerprint = paired.key.fingerprint().to_string();
        let own = self.me.identity.key().fingerprint().to_string();
        Ok(if self.asked.json {
            line(&json!({
                "done": "paired",
                "name": name,
                "key": paired.key.to_string(),
                "fingerprint": fingerprint,
                "own_fingerprint": own,
            }))
        } else {
            format!("paired with {name}  {fingerprint}\nthis host is       {own}\n")
        })
    }
}

async fn connected(address: &str) -> Result<TcpStream, Failure> {
    let connected = timeout(TALK_TIME, TcpStream::connect(address)).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    stream.map_err(|error| unreachable_host(address, &error))
}

/// The code that a person types, or a program pipes in.
fn typed() -> Result<Code, Failure> {
    if io::stdin().is_terminal() {
        tell("code: ");
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(TYPED_MAX).read_line(&mut text);
    read.map_err(|error| Failure::new(Exit::Io, &format!("cannot read the code: {error}"), ""))?;
    text.parse().map_err(|error| {
        let hint = "type the code that `afferent pair` shows on the other host";
        Failure::new(Exit::Usage, &format!("{error}"), hint)
    })
}

fn unreachable_host(address: &str, error: &io::Error) -> Failure {
    let hint = "is `afferent pair --listen …` waiting there, and may this host reach its port?";
    Failure::new(Exit::Io, &format!("cannot reach {address}: {error}"), hint)
}

/// Why no pairing came about.
fn told(error: &TalkError) -> Failure {
    let again = "a new code is needed: start `afferent pair` anew on both hosts";
    let (exit, hint) = match error {
        TalkError::Io(_) | TalkError::Left | TalkError::Slow => (
            Exit::Io,
            "the code is used up: it is good for one try. Start `afferent pair` anew on both hosts, and see \
             that it is `afferent pair` that listens there",
        ),
        TalkError::Keep(_) => (Exit::Io, again),
        TalkError::Pair(PairError::OwnKey | PairError::Refused(Refusal::OwnKey)) => (
            Exit::Fault,
            "processes of one user on one machine need no pairing; if this is another machine, its \
             `identity.key` is a copy: delete it there",
        ),
        TalkError::Pair(PairError::Malformed(_)) => {
            (Exit::Fault, "is it `afferent pair` that listens there, of the same version?")
        }
        TalkError::Pair(_) => (Exit::Fault, again),
    };
    Failure::new(exit, &error.to_string(), hint)
}

/// What this machine is called.
fn machine() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name
}

/// An address with its port, which may be left out.
fn address(text: &str) -> Result<String, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<std::net::IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT).to_string());
    }
    match text.rsplit_once(':') {
        _ if text.is_empty() => Err("write HOST or HOST:PORT".to_owned()),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(text.to_owned())
        }
        Some(_) => Err("write HOST or HOST:PORT".to_owned()),
        None => Ok(format!("{text}:{PORT}")),
    }
}

fn name(text: &str) -> Result<String, String> {
    if engine::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("write small letters, digits and `_`, such as `{}`", as_name(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out() {
        let known = [
            ("192.0.2.7", "192.0.2.7:24434"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("::1", "[::1]:24434"),
            ("[::1]", "[::1]:24434"),
            ("[::1]:99", "[::1]:99"),
            ("lab.local", "lab.local:24434"),
            ("lab.local:80", "lab.local:80"),
        ];
        for (typed, meant) in known {
            assert_eq!(address(typed).as_deref(), Ok(meant));
        }
        for wrong in ["", ":80", "lab:port", "lab:99999"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_name_comes_with_a_right_one() {
        assert_eq!(name("ward_3"), Ok("ward_3".to_owned()));
        assert!(name("Ward 3").expect_err("no name").contains("`ward_3`"));
    }
}
