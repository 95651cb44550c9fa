//! Parameters that `http` and `websocket` share, and what they say: where, for whom, how much.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use engine::{BuildError, Code, Diagnostic, Node, Param};

use super::{limits::Token, takes::Takes};

pub(super) const ADDRESS: Param<&str> = Param::with_default(
    "address",
    "127.0.0.1",
    "Address of this machine to listen on; \"0.0.0.0\" for all.",
);
pub(super) const PORT: Param<i64> =
    Param::with_default("port", 8080, "TCP port; 0 for one that is free.").within(0.0, 65_535.0);
pub(super) const PATH: Param<&str> =
    Param::optional("path", "Path of the URL; unless said otherwise `/` and the node's name.");
pub(super) const TOKEN_ENV: Param<&str> =
    Param::optional("token_env", "The environment variable with the bearer token to ask for.");
pub(super) const TOKEN_FILE: Param<&str> =
    Param::optional("token_file", "The file with the bearer token to ask for.");
pub(super) const QUESTIONS_PER_S: Param<f64> = Param::optional(
    "questions_per_s",
    "Most questions in a second from one address, on average; as many at once.",
)
.within(0.01, 1e6);
pub(super) const BYTES_MAX: Param<i64> = Param::optional(
    "bytes_max",
    "Longest question in bytes; unless said otherwise what its format can need as JSON.",
)
.within(1.0, 1e9);
pub(super) const PATIENCE_S: Param<f64> = Param::with_default(
    "patience_s",
    10.0,
    "How long a request may take to arrive, and a connection be idle.",
)
.within(0.05, 3_600.0);

/// Where a node is served and who may come.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) path: String,
}

/// What a question may cost.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) bytes_max: usize,
    pub(super) patience: Duration,
    pub(super) per_second: Option<f64>,
}

impl Place {
    pub(super) fn of(node: &Node<'_>) -> Result<Self, Diagnostic> {
        let written = node.get(&ADDRESS)?;
        let name = if written == "localhost" { "127.0.0.1" } else { written };
        let ip: IpAddr = name.parse().map_err(|_| {
            let message = format!("`address` = {written:?} is no IP address");
            let problem = node.problem(Code::OutOfRange, ADDRESS.name(), message);
            problem.hint("write one of this machine, \"127.0.0.1\" for itself alone")
        })?;
        let path = node.get_optional(&PATH)?;
        let path = path.map_or_else(|| format!("/{}", node.name()), str::to_owned);
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%');
        if !path.starts_with('/') || !path.chars().all(is_plain) {
            let message = format!("`path` = {path:?} is no path of a URL");
            let problem = node.problem(Code::OutOfRange, PATH.name(), message);
            return Err(problem.hint("write such as \"/classify\""));
        }
        if path == "/" || path == "/health" {
            let message = format!("`path` = {path:?} is where the graph describes itself");
            let problem = node.problem(Code::OutOfRange, PATH.name(), message);
            return Err(problem.hint("choose another, such as \"/classify\""));
        }
        let port = u16::try_from(node.get(&PORT)?).expect("checked by its range");
        Ok(Self { address: SocketAddr::new(ip, port), path })
    }
}

impl Bounds {
    pub(super) fn of(node: &Node<'_>, takes: &Takes) -> Result<Self, Diagnostic> {
        let bytes_max = node.get_optional(&BYTES_MAX)?;
        Ok(Self {
            bytes_max: bytes_max.map_or_else(|| takes.bytes_max(), |bytes| bytes as usize),
            patience: Duration::from_secs_f64(node.get(&PATIENCE_S)?),
            per_second: node.get_optional(&QUESTIONS_PER_S)?,
        })
    }
}

/// Tells that other machines may ask, if they may without a token.
pub(super) fn open_to_all(node: &Node<'_>) -> Result<Option<Diagnostic>, Diagnostic> {
    let place = Place::of(node)?;
    let (env, file) = (node.get_optional(&TOKEN_ENV)?, node.get_optional(&TOKEN_FILE)?);
    if env.is_some() && file.is_some() {
        let message = "`token_env` and `token_file` both say where the token is";
        let problem = node.problem(Code::OutOfRange, TOKEN_FILE.name(), message);
        return Err(problem.hint("keep one of them"));
    }
    if place.address.ip().is_loopback() || env.is_some() || file.is_some() {
        return Ok(None);
    }
    let message =
        format!("whoever reaches {} may ask `{}`: there is no token", place.address, node.name());
    let mut warning = Diagnostic::warning(Code::OpenToAll, message);
    warning.place.clone_from(node.place(ADDRESS.name()));
    Ok(Some(warning.hint("name one with `token_env`, or leave `address` out")))
}

/// The token to ask for, from where the graph says it is kept.
pub(super) fn token(node: &Node<'_>) -> Result<Option<Token>, BuildError> {
    let (param, kept) = match (node.get_optional(&TOKEN_ENV)?, node.get_optional(&TOKEN_FILE)?) {
        (Some(name), _) => {
            let hint = format!("set it: export {name}=…");
            let kept = std::env::var(name).map_err(|_| {
                let message = format!("the environment variable `{name}` is not set");
                node.problem(Code::OutOfRange, TOKEN_ENV.name(), message).hint(hint)
            })?;
            (TOKEN_ENV.name(), kept)
        }
        (None, Some(_)) => {
            let path = node.path(&TOKEN_FILE)?;
            let mut kept = String::new();
            let read = node.files().open(&path).and_then(|file| {
                std::io::Read::read_to_string(&mut std::io::Read::take(file, 1 << 16), &mut kept)
            });
            read.map_err(|error| {
                let message = format!("cannot read the token in `{path}`: {error}");
                let problem = node.problem(Code::FileAccess, TOKEN_FILE.name(), message);
                problem.hint("write the token into that file, readable for this user alone")
            })?;
            (TOKEN_FILE.name(), kept)
        }
        (None, None) => return Ok(None),
    };
    Token::of(kept.trim()).map(Some).ok_or_else(|| {
        let message = format!("what `{param}` names holds no token");
        let problem = node.problem(Code::OutOfRange, param, message);
        problem.hint("a token is one line of visible ASCII characters").into()
    })
}
