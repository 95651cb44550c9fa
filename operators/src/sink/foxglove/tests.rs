use std::{collections::BTreeSet, net::TcpStream};

use engine::{EventWriter, Field, Header, Rate, Unit, testing::Bench};
use serde_json::{Value, json};
use tungstenite::{
    Message, WebSocket, client::IntoClientRequest, handshake::client::Response, http::HeaderValue,
};

use super::*;

type Socket = WebSocket<TcpStream>;

fn formats() -> [Format; 2] {
    let rate = Rate::new(1_000.0).expect("a rate");
    let events = Format::event(vec![Field::f64("rr_ms")], 5.0);
    [Format::signal(2, Unit::MILLIVOLT, rate, 10), events]
}

fn viewing(messages_hz: f64) -> Viewing {
    let server =
        Server::open("127.0.0.1:0".parse().expect("an address"), BTreeSet::new()).expect("free");
    let formats = formats();
    Viewing::of(["ecg", "beats"].into_iter().zip(&formats), server, messages_hz, 0)
}

fn ask(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), tungstenite::Error> {
    let mut request = format!("ws://{address}/").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("text"));
    }
    let stream = TcpStream::connect(address).expect("somebody listens");
    tungstenite::client(request, stream).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        tungstenite::HandshakeError::Interrupted(_) => panic!("the socket blocks"),
    })
}

fn visit(viewing: &Viewing) -> Socket {
    let protocol = ("Sec-WebSocket-Protocol", "foxglove.websocket.v1");
    ask(viewing.server.address, &[protocol]).expect("let in").0
}

fn heard(socket: &mut Socket) -> Value {
    match socket.read().expect("something is said") {
        Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

/// Subscription, time and message.
fn shown(socket: &mut Socket) -> (u32, u64, Vec<u8>) {
    let Message::Binary(data) = socket.read().expect("something is shown") else {
        panic!("a text");
    };
    assert_eq!(data[0], 1);
    let number = u32::from_le_bytes(data[1..5].try_into().expect("four bytes"));
    let time = u64::from_le_bytes(data[5..13].try_into().expect("eight bytes"));
    (number, time, data[13..].to_vec())
}

/// Subscribes, and waits until that is heard.
fn subscribe(viewing: &Viewing, socket: &mut Socket, wanted: &[(u32, u32)]) {
    let list: Vec<_> =
        wanted.iter().map(|(id, channel)| json!({"id": id, "channelId": channel})).collect();
    let text = json!({"op": "subscribe", "subscriptions": list}).to_string();
    socket.send(Message::text(text)).expect("it listens");
    while !wanted.iter().all(|(_, channel)| viewing.server.is_watched(*channel)) {
        std::thread::yield_now();
    }
}

fn frame(n: i64) -> Frame {
    let samples: Vec<f32> = (0..20).map(|sample| (n * 20 + sample) as f32).collect();
    Frame::signal(Timestamp::from_nanos(n * 10_000_000), 2, &samples)
}

#[test]
fn a_viewer_hears_what_there_is_and_sees_what_it_asks_for() {
    let mut viewing = viewing(500.0);
    let mut socket = visit(&viewing);
    let hello = heard(&mut socket);
    assert_eq!((&hello["op"], &hello["name"]), (&json!("serverInfo"), &json!("afferent")));
    let told = heard(&mut socket);
    let [ecg, beats] = &told["channels"].as_array().expect("a list")[..] else { panic!("{told}") };
    assert_eq!((&ecg["topic"], &ecg["encoding"]), (&json!("/ecg"), &json!("protobuf")));
    assert_eq!(
        (&beats["topic"], &beats["schemaName"]),
        (&json!("/beats"), &json!("afferent.beats"))
    );
    let schema = Schema::of("ecg", &formats()[0]);
    let descriptors = data_encoding::BASE64.encode(&schema.descriptors);
    assert_eq!(ecg["schema"], json!(descriptors));

    subscribe(&viewing, &mut socket, &[(7, 0), (9, 1)]);
    let signal = frame(3);
    viewing.take(0, &signal).expect("never fails");
    let [format, events] = &formats();
    // A message for every two samples.
    let codec = Codec::new(format);
    for part in 0..5 {
        let (number, log_ns, message) = shown(&mut socket);
        let told = codec.read(&message).expect("of the format");
        let time = signal.header.time.plus_nanos(part as i64 * 2_000_000);
        assert_eq!((number, log_ns, told.frame.header.time), (7, viewing.world(time), time));
        assert_eq!(told.frame.channel(1), &signal.channel(1)[2 * part..2 * part + 2]);
    }
    let event = EventWriter::new(events.as_event().expect("events")).f64(0, 812.5).finish();
    let event = Frame::new(Header::at(Timestamp::from_nanos(5)), event);
    viewing.take(1, &event).expect("never fails");
    let (number, _, message) = shown(&mut socket);
    let told = Codec::new(events).read(&message).expect("of the format");
    assert_eq!((number, told.frame.buffer().bytes()), (9, event.buffer().bytes()));

    // What comes later is told, too; what is asked for no more is not shown.
    let late = viewing.server.advertise("/late", &schema);
    assert_eq!(heard(&mut socket)["channels"][0]["id"], json!(late));
    let text = json!({"op": "unsubscribe", "subscriptionIds": [7]}).to_string();
    socket.send(Message::text(text)).expect("it listens");
    while viewing.server.is_watched(0) {
        std::thread::yield_now();
    }
    viewing.take(0, &signal).expect("never fails");
    viewing.take(1, &event).expect("never fails");
    assert_eq!(shown(&mut socket).0, 9);
}

#[test]
fn a_viewer_that_takes_nothing_loses_the_oldest_and_nobody_waits() {
    let mut viewing = viewing(1.0);
    let mut slow = visit(&viewing);
    let mut other = visit(&viewing);
    heard(&mut slow);
    for socket in [&mut slow, &mut other] {
        subscribe(&viewing, socket, &[(1, 0)]);
    }
    drop(other);
    // More than a viewer has room for, and than sockets hold.
    let moment = |n: i64| Timestamp::from_nanos(n * 50_000_000_000);
    for n in 0..200 {
        let long = Frame::signal(moment(n), 2, &vec![1.0; 100_000]);
        viewing.take(0, &long).expect("never fails");
    }
    let missed = viewing.server.missed();
    assert!(missed > 0);
    assert!(viewing.remark().expect("it is told").contains("viewers were too slow"));
    // Once it takes something again, it sees what is newest.
    heard(&mut slow);
    // A message for every second of content.
    let newest = viewing.world(moment(200)) - 1_000_000_000;
    let mut times = Vec::new();
    while times.last() != Some(&newest) {
        let (_, time, _) = shown(&mut slow);
        times.push(time);
    }
    assert!(times.is_sorted() && times.len() < 10_000, "{} of 10 000", times.len());
    assert!(viewing.server.missed() >= missed);
}

#[test]
fn a_topic_that_ends_is_withdrawn_behind_all_that_it_has_shown() {
    let server =
        Server::open("127.0.0.1:0".parse().expect("an address"), BTreeSet::new()).expect("free");
    let formats = formats();
    let of = |session| {
        let inputs = ["ecg", "beats"].into_iter().zip(&formats);
        Viewing::of(inputs, server.clone(), 100.0, session)
    };
    let (mut first, second) = (of(0), of(1));
    let mut socket = visit(&second);
    heard(&mut socket);
    assert_eq!(heard(&mut socket)["channels"].as_array().expect("a list").len(), 4);
    subscribe(&second, &mut socket, &[(7, 0)]);
    first.take(0, &frame(1)).expect("never fails");
    drop(first);
    assert_eq!(shown(&mut socket).0, 7);
    let gone = json!({"op": "unadvertise", "channelIds": [0, 1]});
    assert_eq!(heard(&mut socket), gone);
    assert!(!server.is_watched(0));
    // Who comes now does not hear of it, and what comes now has another number.
    let mut later = visit(&second);
    heard(&mut later);
    let told = heard(&mut later);
    let ids: Vec<_> =
        told["channels"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [2, 3]);
    assert_eq!(server.advertise("/late", &Schema::of("ecg", &formats[0])), 4);
}

#[test]
fn a_topic_is_shown_once_and_one_that_is_not_there_never() {
    let mut viewing = viewing(100.0);
    let mut socket = visit(&viewing);
    for _ in 0..2 {
        heard(&mut socket);
    }
    let many: Vec<(u32, u32)> = (0..5_000).map(|n| (n, if n < 10 { 0 } else { 77 })).collect();
    let list: Vec<_> =
        many.iter().map(|(id, channel)| json!({"id": id, "channelId": channel})).collect();
    let text = json!({"op": "subscribe", "subscriptions": list}).to_string();
    socket.send(Message::text(text)).expect("it listens");
    subscribe(&viewing, &mut socket, &[(9_999, 1)]);
    assert!(!viewing.server.is_watched(77));
    viewing.take(0, &frame(0)).expect("never fails");
    // One message, for the first of them.
    assert_eq!(shown(&mut socket).0, 0);
    let late = viewing.server.advertise("/late", &Schema::of("ecg", &formats()[0]));
    assert_eq!(heard(&mut socket)["channels"][0]["id"], json!(late));
}

#[test]
fn who_says_nothing_takes_a_place_and_an_address_is_free_again_at_once() {
    let server =
        Server::open("127.0.0.1:0".parse().expect("an address"), BTreeSet::new()).expect("free");
    let address = server.address;
    let silent: Vec<TcpStream> =
        (0..16).map(|_| TcpStream::connect(address).expect("somebody listens")).collect();
    let protocol = ("Sec-WebSocket-Protocol", "foxglove.websocket.v1");
    // The seventeenth is let go without a word.
    assert!(ask(address, &[protocol]).is_err());
    drop(silent);
    while ask(address, &[protocol]).is_err() {
        std::thread::yield_now();
    }
    drop(server);
    Server::open(address, BTreeSet::new()).expect("nobody listens any more");
}

#[test]
fn two_nodes_at_one_address_let_the_same_pages_in() {
    let hall = Hall::default();
    let address = "127.0.0.1:0".parse().expect("an address");
    let pages = || vec!["https://viewer.example.org".to_owned()];
    let first = hall.open("one", address, pages()).expect("free");
    assert!(Arc::ptr_eq(&first, &hall.open("two", address, pages()).expect("the same")));
    let error = hall.open("three", address, vec![]).err().expect("refused");
    assert!(error.to_string().contains("`one` listens there"), "{error}");
}

#[test]
fn pages_of_others_and_other_protocols_are_refused() {
    let origins = BTreeSet::from(["https://viewer.example.org".to_owned()]);
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::open(address, origins).expect("free");
    let protocol = ("Sec-WebSocket-Protocol", "other, foxglove.websocket.v1, foxglove.sdk.v1");
    let asked = |origin: Option<&str>| {
        let origin = origin.map(|origin| ("Origin", origin));
        let headers: Vec<_> = [protocol].into_iter().chain(origin).collect();
        ask(server.address, &headers).map(|(_, response)| {
            response.headers()["Sec-WebSocket-Protocol"].to_str().expect("text").to_owned()
        })
    };
    let let_in = [
        None,
        Some("file://"),
        Some("http://localhost:8080"),
        Some("http://[::1]:3000"),
        Some("https://app.foxglove.dev"),
        Some("https://viewer.example.org"),
    ];
    for origin in let_in {
        assert_eq!(asked(origin).ok().as_deref(), Some("foxglove.sdk.v1"), "{origin:?}");
    }
    let refused = [
        "https://evil.example.org",
        "https://foxglove.dev.evil.org",
        "http://app.foxglove.dev",
        "https://localhost.evil.org",
        "null",
    ];
    for origin in refused {
        let error = asked(Some(origin)).err().unwrap_or_else(|| panic!("{origin} was let in"));
        assert!(error.to_string().contains("403"), "{error}");
    }
    let asked = ask(server.address, &[("Sec-WebSocket-Protocol", "chat")]);
    let Err(error) = asked else { panic!("it was let in") };
    assert!(error.to_string().contains("400"), "{error}");
}

#[test]
fn a_wrong_address_is_refused_where_it_stands() {
    let problem = Bench::build(&KIND, 100.0, "listen = \"nowhere\"").err().expect("refused");
    assert!(problem.to_string().contains("`listen` = \"nowhere\" is no address"), "{problem}");
}
