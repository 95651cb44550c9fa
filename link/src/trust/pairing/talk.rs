//! A pairing over a connection: who says what when, with limits.
//!
//! A plain TCP connection will do. There is no key yet that TLS or QUIC could check, the exchange
//! protects itself, four messages of at most 150 bytes go in turn, and the port is open only while a
//! person waits. Each message is read into a buffer of that size; who is slow is hung up on.

use std::{
    cell::RefCell,
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use engine::Timestamp;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

use super::{
    Code, Fresh, Guest, Introduction, MESSAGE_MAX, Message, Offer, PairError, Paired, Refusal,
    message::HEAD,
};

/// How long one exchange may take from the first byte to the last; a person is not in it.
pub const TALK_TIME: Duration = Duration::from_secs(10);
/// Most guests that are heard at once.
const TALKS_MAX: usize = 64;
/// Most of them from one address, so that one host that dawdles does not keep others out.
const TALKS_PER_SOURCE: usize = 8;
/// Before the system is asked for a connection again after it had none to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why a talk failed.
#[derive(Debug)]
pub enum TalkError {
    /// The connection broke, or nobody answers there.
    Io(io::Error),
    /// The other side hung up before it said anything: it only looked whether anybody is here.
    Left,
    /// The other side was silent too long.
    Slow,
    /// The pairing itself.
    Pair(PairError),
    /// The other side could not be listed; it was told.
    Keep(String),
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Left => f.write_str("the other side hung up without a word"),
            Self::Slow => write!(f, "the other side took longer than {} s", TALK_TIME.as_secs()),
            Self::Pair(error) => error.fmt(f),
            Self::Keep(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for TalkError {}

impl From<io::Error> for TalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PairError> for TalkError {
    fn from(error: PairError) -> Self {
        Self::Pair(error)
    }
}

/// Pairs as a guest, over a connection to a host that shows this code.
///
/// # Errors
/// Whatever went wrong. The code is not to be used again.
pub async fn guest<S>(mut stream: S, me: Introduction<'_>, code: &Code) -> Result<Paired, TalkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let talk = async {
        let (guest, greeting) = Guest::new(me, code, Fresh::new());
        stream.write_all(&greeting).await?;
        let (proving, proof) = guest.answered(&receive(&mut stream).await?)?;
        stream.write_all(&proof).await?;
        Ok(proving.proved(&receive(&mut stream).await?)?)
    };
    timeout(TALK_TIME, talk).await.unwrap_or(Err(TalkError::Slow))
}

/// Pairs as a host with whoever is at the other end, if it knows the code. `keep` lists it, before it
/// is told that all is well.
///
/// # Errors
/// Whatever went wrong.
async fn host<S, T>(
    mut stream: S,
    me: Introduction<'_>,
    offer: &RefCell<Offer>,
    now: impl Fn() -> Timestamp,
    keep: impl FnOnce(&Paired) -> Result<T, String>,
) -> Result<T, TalkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let talk = async {
        let greeting = begun(&mut stream).await?.ok_or(TalkError::Left)?;
        // Never borrowed across a wait.
        let greeted = offer.borrow_mut().greeted(now(), me, &greeting, Fresh::new());
        let (host, answer) = or_tell(&mut stream, greeted).await?;
        stream.write_all(&answer).await?;
        let proof = receive(&mut stream).await?;
        let proved = offer.borrow_mut().proved(now(), host, &proof);
        let (paired, proof) = or_tell(&mut stream, proved).await?;
        match keep(&paired) {
            Ok(kept) => {
                // The guest is listed whatever becomes of this: it may have gone away by now, and
                // pairs again then.
                let _ = stream.write_all(&proof).await;
                let _ = stream.shutdown().await;
                Ok(kept)
            }
            Err(error) => {
                tell(&mut stream, Refusal::Failed).await;
                Err(TalkError::Keep(error))
            }
        }
    };
    timeout(TALK_TIME, talk).await.unwrap_or(Err(TalkError::Slow))
}

async fn or_tell<T>(
    stream: &mut (impl AsyncWrite + Unpin),
    result: Result<T, PairError>,
) -> Result<T, TalkError> {
    if let Err(error) = &result {
        tell(stream, error.refusal()).await;
    }
    Ok(result?)
}

/// Says why; who is gone already needs no reason.
async fn tell(stream: &mut (impl AsyncWrite + Unpin), refusal: Refusal) {
    let _ = stream.write_all(&Message::Refusal(refusal).to_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The next message.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, TalkError> {
    let hung_up = || TalkError::Io(io::ErrorKind::UnexpectedEof.into());
    begun(stream).await?.ok_or_else(hung_up)
}

/// One message, if there is one before the other side hangs up; what cannot be one is refused by its head.
async fn begun(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, TalkError> {
    let mut bytes = [0; MESSAGE_MAX];
    let (head, body) = bytes.split_first_chunk_mut::<HEAD>().expect("longer");
    let first = stream.read(head).await?;
    if first == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[first..]).await?;
    let len = Message::body_len(*head).map_err(PairError::from)?;
    stream.read_exact(&mut body[..len]).await?;
    Ok(Some(bytes[..HEAD + len].to_vec()))
}

/// Waits for a guest that knows the code, hearing several at once, until one is paired, the code is
/// burned, or its time is over. `keep` lists the guest; `note` hears of those that failed.
///
/// # Errors
/// Why the code is worth nothing now, or why the guest could not be listed.
pub async fn wait<T>(
    listener: &TcpListener,
    me: Introduction<'_>,
    code: Code,
    lasts: Duration,
    keep: impl Fn(&Paired, SocketAddr) -> Result<T, String>,
    mut note: impl FnMut(SocketAddr, &TalkError),
) -> Result<T, TalkError> {
    let start = Instant::now();
    let now = || Timestamp::ZERO + start.elapsed();
    let offer = RefCell::new(Offer::new(code, Timestamp::ZERO + lasts));
    let mut talks = FuturesUnordered::new();
    let mut sources: Vec<IpAddr> = Vec::new();
    let over = sleep(lasts);
    tokio::pin!(over);
    loop {
        tokio::select! {
            Some((from, talked)) = talks.next(), if !talks.is_empty() => {
                let from: SocketAddr = from;
                sources.swap_remove(sources.iter().position(|ip| *ip == from.ip()).expect("put in"));
                match talked {
                    // One that only looks tries no code.
                    Err(TalkError::Left) => {}
                    Err(error) => {
                        note(from, &error);
                        if matches!(error, TalkError::Keep(_)) {
                            return Err(error);
                        }
                        offer.borrow().is_open(now())?;
                    }
                    Ok(kept) => return Ok(kept),
                }
            }
            accepted = listener.accept(), if talks.len() < TALKS_MAX => match accepted {
                Ok((stream, from)) => {
                    let before = sources.iter().filter(|ip| **ip == from.ip()).count();
                    if before < TALKS_PER_SOURCE {
                        sources.push(from.ip());
                        let (offer, keep) = (&offer, &keep);
                        talks.push(async move {
                            (from, host(stream, me, offer, now, |paired| keep(paired, from)).await)
                        });
                    }
                }
                // That one is gone, or there is no room now; the next may come.
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
            () = &mut over => return Err(PairError::Expired.into()),
        }
    }
}
