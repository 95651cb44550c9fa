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

use crate::trust::Unwelcome;

/// Why a connection could not be made or is gone, for a person.
fn lost(error: &quinn::ConnectionError) -> String {
    match Unwelcome::read(&error.to_string()) {
        Some(unwelcome) => unwelcome.to_its_host(),
        None => error.to_string(),
    }
}
