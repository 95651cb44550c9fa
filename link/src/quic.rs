//! QUIC, by quinn: [`Endpoint`], [`Dialer`] and [`Listener`]. Only this file and the folder beside it
//! name quinn.
//!
//! | what | as |
//! |---|---|
//! | datagrams | QUIC datagrams; they go before streams in every packet |
//! | messages | the first stream that a side opens |
//! | a durable edge, a frame of bulk | a stream each, with its priority |
//!
//! Many sessions share an endpoint, which is one socket. Everything here runs on a tokio runtime of
//! whatever kind.
//!
//! ```text
//!  Endpoint ─┬─▶ Listener ─▶ Arrival ─┐
//!            └─▶ Dialer ──────────────┴─▶ Live, a `driver::Connection`: readers and writers of streams
//! ```

mod asked;
mod control;
mod dialer;
mod endpoint;
mod flow;
mod listener;
mod live;
mod settings;
mod streams;

pub use dialer::Dialer;
pub use endpoint::Endpoint;
pub use listener::{Arrival, Listener, TurnedAway};
pub use settings::{Settings, Succession};

use crate::{printable::printable, trust::Unwelcome};

/// Why a connection could not be made or is gone, for a person.
fn lost(error: &quinn::ConnectionError) -> String {
    let is_ours = matches!(error, quinn::ConnectionError::TransportError(_));
    match Unwelcome::read(&error.to_string()) {
        Some(Unwelcome::List) if is_ours => {
            "the list of peers cannot be read here: `afferent peers` says why".to_owned()
        }
        Some(unwelcome) => unwelcome.to_its_host(),
        None if is_unexpected(error) => "the host there shows a key that this one does not know: \
            `afferent pair` on both makes them known, or `afferent peers add` with what `afferent peers key` prints there"
            .to_owned(),
        // Whoever closes a connection says why, before it has shown a key, too.
        None => printable(&error.to_string()),
    }
}

/// Whether we have turned away whom we called: as rustls numbers it.
fn is_unexpected(error: &quinn::ConnectionError) -> bool {
    /// `access_denied`.
    const DENIED: u8 = 49;
    matches!(error, quinn::ConnectionError::TransportError(error)
        if error.code == quinn::TransportErrorCode::crypto(DENIED))
}
