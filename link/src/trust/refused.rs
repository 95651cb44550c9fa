//! [`Reason`]s why somebody is turned away, and how often each was: [`Refused`].

use std::fmt;

use super::PeerKey;

/// Why somebody who called is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// There are as many connections as there may be.
    Connections,
    /// Its key is a copy of our own, and it calls from another machine.
    Copy,
    /// Too many handshakes are under way.
    Crowded,
    /// It runs another graph or another version, or says nothing after its hello.
    Differs,
    /// The list of peers cannot be read, so nobody is known.
    List,
    /// It called, and does not accept this host's key.
    Mistrusts,
    /// What it says is not what a host says that calls.
    Protocol,
    /// The peer has all the connections it may have.
    Quota,
    /// It asked for a session that another host has opened.
    Session,
    /// There are as many sessions as there may be.
    Sessions,
    /// It did not say in time who it is.
    Silent,
    /// Too many handshakes from one address, or too often.
    Source,
    /// Its key is not listed.
    Stranger,
}

impl Reason {
    /// All of them, in the order of their words.
    pub const ALL: [Self; 13] = [
        Self::Connections,
        Self::Copy,
        Self::Crowded,
        Self::Differs,
        Self::List,
        Self::Mistrusts,
        Self::Protocol,
        Self::Quota,
        Self::Session,
        Self::Sessions,
        Self::Silent,
        Self::Source,
        Self::Stranger,
    ];

    /// Its word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Copy => "copy",
            Self::Crowded => "crowded",
            Self::Differs => "differs",
            Self::List => "list",
            Self::Mistrusts => "mistrusts",
            Self::Protocol => "protocol",
            Self::Quota => "quota",
            Self::Session => "session",
            Self::Sessions => "sessions",
            Self::Silent => "silent",
            Self::Source => "source",
            Self::Stranger => "stranger",
        }
    }
}

/// How often somebody was turned away, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Asked to prove its address first, and free to come again.
    pub retried: u64,
    counts: [u64; Reason::ALL.len()],
}

impl Refused {
    /// How often for this reason.
    pub const fn of(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    pub(super) const fn count(&mut self, reason: Reason) {
        self.counts[reason as usize] += 1;
    }
}

/// Why a key does not pass. The QUIC library hands on nothing of a failed handshake but a text, to us
/// and to whoever called, so that is how it travels: it says nothing the caller may not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwelcome {
    Stranger(PeerKey),
    Copy(PeerKey),
    List,
}

const STRANGER: &str = "no peer here has the key ";
const COPY: &str = "from another machine this host's own key can only be a copy: ";
const LIST: &str = "the list of peers cannot be read here";

impl Unwelcome {
    /// What an error's text says, if one of ours is in it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let key = |head| {
            let (_, rest) = text.split_once(head)?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        };
        let list = || text.contains(LIST).then_some(Self::List);
        key(STRANGER).map(Self::Stranger).or_else(|| key(COPY).map(Self::Copy)).or_else(list)
    }

    /// What the user of the host that was turned away can do.
    pub(crate) fn to_its_host(self) -> String {
        match self {
            Self::Stranger(key) => format!(
                "it does not know this host's key: `afferent pair` on both, or there `afferent peers add \
                 NAME {key}`"
            ),
            Self::Copy(_) => {
                "it has the same key as this host: for processes of one user on one machine let it listen at 127.0.0.1; on \
                 two machines the key is a copy: delete `identity.key` on one of them, and `afferent pair`"
                    .to_owned()
            }
            Self::List => "it cannot read its list of peers: mend `peers.toml` there".to_owned(),
        }
    }
}

impl fmt::Display for Unwelcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(key) => write!(f, "{STRANGER}{key}"),
            Self::Copy(key) => write!(f, "{COPY}{key}"),
            Self::List => f.write_str(LIST),
        }
    }
}

/// As text: TLS writes errors of others by this alone.
impl fmt::Debug for Unwelcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Unwelcome {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_key_is_read_from_the_error_that_tls_gives() {
        let key = PeerKey::from_bytes([7; 32]);
        for unwelcome in [Unwelcome::Stranger(key), Unwelcome::Copy(key), Unwelcome::List] {
            let error =
                rustls::CertificateError::Other(rustls::OtherError(std::sync::Arc::new(unwelcome)));
            let text = rustls::Error::from(error).to_string();
            assert_eq!(Unwelcome::read(&text), Some(unwelcome), "{text}");
        }
        assert_eq!(Unwelcome::read("no peer here has the key of the door"), None);
    }

    #[test]
    fn each_reason_counts_for_itself_and_stands_in_the_order_of_its_word() {
        let mut refused = Refused::default();
        for (times, reason) in Reason::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| refused.count(reason));
        }
        let counts = Reason::ALL.map(|reason| refused.of(reason));
        assert!(counts.into_iter().eq(0..Reason::ALL.len() as u64), "{counts:?}");
        assert!(Reason::ALL.map(Reason::word).is_sorted());
    }
}
