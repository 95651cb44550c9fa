//! Where the page is served and for whom; a wrong wish is told before anything starts.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
};

use data_encoding::HEXLOWER;
use model::serve::Token;
use ring::rand::{SecureRandom, SystemRandom};

use crate::exit::{Exit, Failure};

use super::gate::Gate;

/// The token, where it should not be seen by who lists processes.
const VARIABLE: &str = "AFFERENT_WEB_TOKEN";
/// A token that others than this machine may guess at has at least so many characters.
const TOKEN_MIN: usize = 16;
/// Bytes of chance in a token that is made up.
const TOKEN_BYTES: usize = 16;

/// An address that is taken, and who is let in.
pub(crate) struct Opened {
    pub(super) listener: TcpListener,
    #[cfg(test)]
    pub(super) address: SocketAddr,
    pub(super) gate: Gate,
    pub(super) may_control: bool,
    /// What to open in a browser.
    pub(crate) url: String,
}

/// Takes the address, so that a wrong one is told before anything starts.
pub(crate) fn open(
    address: &str,
    token: Option<&str>,
    may_control: bool,
) -> Result<Opened, Failure> {
    let kept = std::env::var(VARIABLE).ok().filter(|kept| !kept.is_empty());
    let token = token.map(str::to_owned).or(kept);
    let token = token.as_deref().map(|text| given(text).map(|token| (token, text))).transpose()?;
    let resolved = address.to_socket_addrs().map_err(|error| {
        let message = format!("`--web {address}` is no address: {error}");
        Failure::new(Exit::Usage, &message, "write host and port, such as `127.0.0.1:8080`")
    })?;
    let resolved: Vec<SocketAddr> = resolved.collect();
    let is_here_alone = resolved.iter().all(|address| address.ip().is_loopback());
    if !is_here_alone {
        refuse_strangers(address, token.as_ref().map(|(_, text)| *text))?;
    }
    let listener = TcpListener::bind(&resolved[..]).map_err(|error| unheard(address, &error))?;
    let io = |error: std::io::Error| {
        Failure::new(Exit::Io, &format!("cannot listen on `{address}`: {error}"), "")
    };
    let at = listener.local_addr().map_err(io)?;
    listener.set_nonblocking(true).map_err(io)?;
    let (token, fragment) = match token {
        Some((token, _)) => (token, String::new()),
        None => {
            let made = made()?;
            let fragment = format!("#token={made}");
            (given(&made)?, fragment)
        }
    };
    let name = address.rsplit_once(':').map(|(name, _)| name.to_owned());
    let gate = Gate::new(token, at.ip().is_loopback(), name);
    // Where every address of this machine is listened on, its own is as good as any.
    let shown = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let shown = SocketAddr::new(shown, at.port());
    Ok(Opened {
        listener,
        #[cfg(test)]
        address: at,
        gate,
        may_control,
        url: format!("http://{shown}/{fragment}"),
    })
}

/// The token that somebody gave.
fn given(text: &str) -> Result<Token, Failure> {
    Token::of(text).ok_or_else(|| {
        let hint = "a token is one word of visible ASCII characters";
        Failure::new(Exit::Usage, "`--web-token` is no token", hint)
    })
}

/// Other machines get in with a token that they cannot guess, or not at all.
fn refuse_strangers(address: &str, token: Option<&str>) -> Result<(), Failure> {
    let remedy = format!(
        "set {VARIABLE} to {TOKEN_MIN} characters or more that nobody guesses, or stay on this machine: \
         `--web 127.0.0.1:8080`"
    );
    match token.map(str::len) {
        None => {
            let message =
                format!("`--web {address}` is open to other machines, and there is no token");
            Err(Failure::new(Exit::Usage, &message, &remedy))
        }
        Some(length) if length < TOKEN_MIN => {
            let message =
                format!("`--web {address}` is open to other machines, and its token is short");
            Err(Failure::new(Exit::Usage, &message, &remedy))
        }
        Some(_) => Ok(()),
    }
}

/// A token that nobody can guess.
fn made() -> Result<String, Failure> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new(Exit::Io, "the system has no random numbers for a token", ""))?;
    Ok(HEXLOWER.encode(&bytes))
}

fn unheard(address: &str, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program has this port; choose another, or 0 for one that is free"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address; write `127.0.0.1:PORT`",
        ErrorKind::PermissionDenied => "ports below 1024 are for the system; choose another",
        _ => "choose another port, or 0 for one that is free",
    };
    Failure::new(Exit::Io, &format!("cannot listen on `{address}`: {error}"), hint)
}
