//! [`Viewer`]: somebody who looks, and the thread that talks with him.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::ErrorKind,
    net::TcpStream,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tungstenite::{
    Error, Message, WebSocket,
    handshake::server::{ErrorResponse, Request, Response},
    http::{HeaderValue, StatusCode},
    protocol::WebSocketConfig,
};

use super::server::{House, lock};

/// Of the protocols that are spoken, the first that a viewer offers.
const PROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];
/// How long a viewer may take to say what it wants.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Between two looks at what there is to send.
const LOOK: Duration = Duration::from_millis(10);
/// A viewer that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// What may wait for a viewer; of more the oldest is lost.
const WAITING_BYTES: usize = 8 << 20;
const WAITING_MESSAGES: usize = 50_000;
/// What a viewer may say at once.
const SAID_BYTES_MAX: usize = 1 << 20;
/// The opcode of a message.
const DATA: u8 = 1;

/// Somebody who looks.
#[derive(Default)]
pub(super) struct Viewer(Mutex<Waiting>);

/// What waits for a viewer.
#[derive(Default)]
struct Waiting {
    texts: VecDeque<String>,
    messages: VecDeque<Waits>,
    bytes: usize,
    /// Topics by the numbers of subscriptions.
    subscriptions: BTreeMap<u32, u32>,
}

/// What waits for its turn.
enum Waits {
    Data(Vec<u8>),
    /// That topics have gone, behind all that they have shown.
    Text(String),
}

impl Waits {
    const fn bytes(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Text(text) => text.len(),
        }
    }
}

impl Viewer {
    /// Puts a text in front of all messages.
    pub(super) fn say(&self, text: String) {
        lock(&self.0).texts.push_back(text);
    }

    pub(super) fn watches(&self, channel: u32) -> bool {
        lock(&self.0).subscriptions.values().any(|watched| *watched == channel)
    }

    /// Lets a message wait; says how many had to go for it.
    pub(super) fn show(&self, channel: u32, log_ns: u64, message: &[u8]) -> u64 {
        let Waiting { messages, bytes, subscriptions, .. } = &mut *lock(&self.0);
        for (subscription, _) in subscriptions.iter().filter(|(_, watched)| **watched == channel) {
            let mut data = Vec::with_capacity(13 + message.len());
            data.push(DATA);
            data.extend_from_slice(&subscription.to_le_bytes());
            data.extend_from_slice(&log_ns.to_le_bytes());
            data.extend_from_slice(message);
            *bytes += data.len();
            messages.push_back(Waits::Data(data));
        }
        let mut lost = 0;
        while messages.len() > 1 && (*bytes > WAITING_BYTES || messages.len() > WAITING_MESSAGES) {
            let oldest = messages.iter().position(|waits| matches!(waits, Waits::Data(_)));
            let Some(oldest) = oldest.and_then(|at| messages.remove(at)) else { break };
            *bytes -= oldest.bytes();
            lost += 1;
        }
        lost
    }

    fn next(&self) -> Option<Message> {
        let Waiting { texts, messages, bytes, .. } = &mut *lock(&self.0);
        if let Some(text) = texts.pop_front() {
            return Some(Message::text(text));
        }
        let message = messages.pop_front()?;
        *bytes -= message.bytes();
        Some(match message {
            Waits::Data(data) => Message::binary(data),
            Waits::Text(text) => Message::text(text),
        })
    }

    /// Topics have gone, of which this tells behind all that they have shown.
    pub(super) fn forget(&self, channels: &[u32], text: String) {
        let Waiting { messages, bytes, subscriptions, .. } = &mut *lock(&self.0);
        subscriptions.retain(|_, watched| !channels.contains(watched));
        *bytes += text.len();
        messages.push_back(Waits::Text(text));
    }

    /// Does what the viewer asks.
    fn hear(&self, text: &str, is_there: impl Fn(u32) -> bool) {
        let Ok(said) = serde_json::from_str::<Value>(text) else { return };
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let list = |key: &str| said[key].as_array().cloned().unwrap_or_default();
        match said["op"].as_str() {
            Some("subscribe") => {
                let wanted = list("subscriptions");
                let wanted =
                    wanted.iter().filter_map(|it| number(&it["id"]).zip(number(&it["channelId"])));
                let wanted: Vec<_> = wanted.filter(|(_, channel)| is_there(*channel)).collect();
                let subscriptions = &mut lock(&self.0).subscriptions;
                for (id, channel) in wanted {
                    // Once each: that is what the protocol asks, and bounds what is made for it.
                    if !subscriptions.values().any(|known| *known == channel) {
                        subscriptions.insert(id, channel);
                    }
                }
            }
            Some("unsubscribe") => {
                let subscriptions = &mut lock(&self.0).subscriptions;
                for id in list("subscriptionIds").iter().filter_map(number) {
                    subscriptions.remove(&id);
                }
            }
            // A later version may ask for more.
            _ => {}
        }
    }

    fn waiting(&self) -> u64 {
        let waits = &lock(&self.0).messages;
        waits.iter().filter(|waits| matches!(waits, Waits::Data(_))).count() as u64
    }
}

/// Talks with a viewer until it goes, or the server is closed.
pub(super) fn serve(stream: TcpStream, house: &House) {
    let Some(mut socket) = shake_hands(stream, house) else { return };
    let viewer = Arc::new(Viewer::default());
    house.enter(&viewer);
    let ended = talk(&mut socket, &viewer, house);
    house.leave(&viewer);
    if ended.is_err() {
        house.count_missed(viewer.waiting());
    } else {
        let _ = socket.close(None);
        let _ = socket.flush();
    }
}

fn shake_hands(stream: TcpStream, house: &House) -> Option<WebSocket<TcpStream>> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(HANDSHAKE)).ok()?;
    stream.set_write_timeout(Some(HANDSHAKE)).ok()?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(SAID_BYTES_MAX))
        .max_frame_size(Some(SAID_BYTES_MAX))
        .read_buffer_size(16 << 10);
    #[expect(clippy::result_large_err, reason = "what the handshake asks for")]
    let judge = |request: &Request, response: Response| judged(request, response, &house.origins);
    let socket = tungstenite::accept_hdr_with_config(stream, judge, Some(config)).ok()?;
    socket.get_ref().set_read_timeout(Some(LOOK)).ok()?;
    socket.get_ref().set_write_timeout(Some(LOOK)).ok()?;
    Some(socket)
}

/// Whether who asks may look, and speaks a protocol that is spoken here.
#[expect(clippy::result_large_err, reason = "the signature is that of the crate")]
fn judged(
    request: &Request,
    mut response: Response,
    origins: &BTreeSet<String>,
) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        let mut refused = ErrorResponse::new(Some(why.to_owned()));
        *refused.status_mut() = status;
        Err(refused)
    };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if !header("Origin").is_none_or(|origin| may_look(origin, origins)) {
        return refuse(StatusCode::FORBIDDEN, "this page may not look; name it in `origins`");
    }
    let offered: Vec<&str> =
        header("Sec-WebSocket-Protocol").unwrap_or("").split(',').map(str::trim).collect();
    let Some(chosen) = PROTOCOLS.into_iter().find(|known| offered.contains(known)) else {
        return refuse(StatusCode::BAD_REQUEST, "foxglove.websocket.v1 is spoken here");
    };
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(chosen));
    Ok(response)
}

/// Whether a page may look: any page of a browser could ask this machine, and what is shown here is nobody's business.
fn may_look(origin: &str, more: &BTreeSet<String>) -> bool {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    // Desktop programs are pages of a file.
    let is_local =
        origin.starts_with("file://") || matches!(name, "localhost" | "127.0.0.1" | "::1");
    let is_theirs = origin.starts_with("https://")
        && (name == "foxglove.dev" || name.ends_with(".foxglove.dev"));
    is_local || is_theirs || more.contains(origin)
}

/// Ends well where the viewer has gone or the server is closed.
fn talk(socket: &mut WebSocket<TcpStream>, viewer: &Viewer, house: &House) -> Result<(), Error> {
    let mut took = Instant::now();
    loop {
        let is_last = house.is_closed();
        // What is on its way goes before anything else does.
        let mut is_free = waits_not(socket.flush())?;
        while is_free {
            let Some(message) = viewer.next() else { break };
            // Behind, perhaps for good, but it takes something.
            took = Instant::now();
            is_free = waits_not(socket.write(message))? && waits_not(socket.flush())?;
        }
        if is_free {
            took = Instant::now();
        } else if is_last || took.elapsed() > PATIENCE {
            return Err(Error::ConnectionClosed);
        }
        if is_last {
            return Ok(());
        }
        match socket.read() {
            Ok(Message::Text(text)) => viewer.hear(&text, |channel| house.has(channel)),
            Ok(Message::Close(_)) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                waits_not(Err(error))?;
            }
        }
    }
}

/// Whether all went; not where the socket is full, or has nothing to say.
fn waits_not(done: Result<(), Error>) -> Result<bool, Error> {
    match done {
        Ok(()) => Ok(true),
        Err(Error::Io(error))
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
