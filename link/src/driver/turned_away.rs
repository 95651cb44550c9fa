//! [`turn_away`]: says farewell to who is not let in.

use std::{future::poll_fn, time::Duration};

use super::transport::Connection;
use crate::{
    session::StreamKey,
    wire::{ByeReason, Message, OLDEST, put_preamble},
};

/// How long who called may take to hear it.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// Tells who has called why no session takes the connection, and ends it once that was heard or after a
/// second. Who is only dropped cannot know whether calling again is of use.
pub async fn turn_away(mut connection: Box<dyn Connection>, reason: ByeReason, text: String) {
    let mut bytes = Vec::new();
    // Every version reads a farewell, so it stands under the oldest.
    put_preamble(&mut bytes, OLDEST);
    Message::Bye { reason, text }.put(&mut bytes, 0);
    connection.stream(StreamKey::Control, bytes.into(), 2, true);
    let heard = poll_fn(|context| connection.poll_flushed(context));
    drop(tokio::time::timeout(HEARD_WITHIN, heard).await);
    connection.close();
}
