//! What goes over the page's connections: server-sent events one way, questions in JSON the other.
//!
//! ```text
//! GET  /api/events                    hello · shape · tick (ten a second) · lost · set · end
//! POST /api/viewers/N  {"outputs":[{"session":0,"output":"ecg"}]}      what to show, from now on
//! POST /api/control    {"do":"set","session":0,"node":"clean","param":"low_hz","value":"4.0"}
//! ```

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    figures::Figures,
    local::message::{Hello, Look, Shape, TimeLook},
};

use super::offer::Offer;

/// Bytes of a question.
pub(super) const ASKED_BYTES_MAX: usize = 16 << 10;
/// Outputs that one viewer sees at once.
pub(super) const OUTPUTS_MAX: usize = 16;

/// First of all: who answers, and what there is.
#[derive(Serialize)]
pub(super) struct Greeting<'a> {
    /// Its number, by which it says what it wants to see.
    pub(super) viewer: u64,
    pub(super) process: &'a Hello,
    pub(super) may_control: bool,
    pub(super) sets: Vec<SetDone>,
    #[serde(flatten)]
    pub(super) parts: Parts<'a>,
}

/// What does not change while a plan runs; told anew when another one takes its place.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Parts<'a> {
    pub(super) shape: &'a Shape,
    pub(super) offer: &'a Offer,
}

/// What two looks at the counters say.
#[derive(Serialize)]
pub(super) struct Now<'a> {
    pub(super) is_draining: bool,
    #[serde(flatten)]
    pub(super) figures: &'a Figures,
}

/// What is told once a second, as it is longer.
#[derive(Serialize)]
pub(super) struct Counted<'a> {
    pub(super) counts: &'a Look,
    pub(super) troubles: Vec<String>,
    /// Numbers of the first of the sessions that are open.
    pub(super) sessions: &'a [u32],
    /// Where time went in the last seconds.
    pub(super) time: Option<TimeLook>,
}

/// What a viewer wants to see.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Want {
    pub(super) session: u32,
    /// As it is written in `from`.
    pub(super) output: String,
}

/// All that a viewer wants to see.
#[derive(Deserialize)]
pub(super) struct Wants {
    pub(super) outputs: Vec<Want>,
}

/// A parameter that was set on a page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SetDone {
    pub(super) session: u32,
    pub(super) node: String,
    pub(super) param: String,
    pub(super) value: String,
}

/// An event of a stream.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    // Lists and names alone, none of which can fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
