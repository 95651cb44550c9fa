//! Websockets: each is a session.

use std::net::TcpStream;

use tungstenite::{
    Message, WebSocket,
    client::IntoClientRequest,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{Serving, bytes, connect, serve, until};

/// The sum of all samples so far, of one visitor.
fn sums(params: &str, out: &str) -> String {
    format!(
        r#"
        [graph]
        name = "live"
        [node.live]
        op = "websocket"
        channels = ["x"]
        rate_hz = 100.0
        port = 0
        {params}
        [node.smooth]
        op = "smooth"
        from = "live"
        cutoff_hz = 1.0
        [node.say]
        op = "websocket"
        from = "smooth"
        {out}
        "#
    )
}

type Socket = WebSocket<TcpStream>;

fn visit(serving: &Serving) -> Result<Socket, Box<tungstenite::http::Response<Option<Vec<u8>>>>> {
    visit_with(serving, None)
}

fn visit_with(
    serving: &Serving,
    token: Option<&str>,
) -> Result<Socket, Box<tungstenite::http::Response<Option<Vec<u8>>>>> {
    let (address, path) = serving.at("live");
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
    if let Some(token) = token {
        let header = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", header);
    }
    match tungstenite::client(request, connect(address)) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(said))) => Err(said),
        Err(error) => panic!("{error}"),
    }
}

fn say(socket: &mut Socket, samples: &[f32]) {
    socket.send(Message::Binary(bytes(samples).into())).expect("it hears");
}

/// The next message that is no ping.
fn hear(socket: &mut Socket) -> Message {
    loop {
        match socket.read().expect("a message") {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

fn floats(message: &Message) -> Vec<f32> {
    let Message::Binary(raw) = message else { panic!("{message:?} is no numbers") };
    let numbers = raw.chunks_exact(4);
    numbers.map(|raw| f32::from_le_bytes(raw.try_into().expect("four bytes"))).collect()
}

fn parting(socket: &mut Socket) -> CloseFrame {
    loop {
        if let Message::Close(Some(frame)) = hear(socket) {
            return frame;
        }
    }
}

fn sessions(serving: &Serving) -> (u64, u64) {
    serving.running.report().sessions
}

#[test]
fn each_connection_is_a_session_with_a_state_of_its_own() {
    let serving = serve(&sums("", "send = \"raw\""));
    assert_eq!(sessions(&serving), (0, 0));

    let [mut one, mut other] = [0, 1].map(|_| visit(&serving).expect("let in"));
    assert_eq!(sessions(&serving), (2, 2));
    let step: Vec<f32> = vec![1.0; 40];
    // Cut anywhere, the signal goes on where it ended.
    say(&mut one, &step[..15]);
    say(&mut one, &step[15..]);
    let mut pieces = floats(&hear(&mut one));
    pieces.extend(floats(&hear(&mut one)));
    say(&mut other, &step);
    let whole = floats(&hear(&mut other));
    assert_eq!(pieces, whole);
    assert!(whole[39] > 0.5 && whole[0] < 0.1, "it smooths: {whole:?}");

    // Closing one, whether it says so or not, is nothing to the other.
    one.close(None).expect("it hears");
    until(|| sessions(&serving) == (2, 1));
    let rude = visit(&serving).expect("let in");
    drop(rude);
    until(|| sessions(&serving) == (3, 1));
    say(&mut other, &step);
    assert!(floats(&hear(&mut other))[0] > whole[39], "it remembers");
    drop(other);
    until(|| sessions(&serving) == (3, 0));
    assert!(serving.running.wait_for(std::time::Duration::ZERO).is_none(), "it goes on");
    visit(&serving).expect("let in");
    serving.drain();
}

#[test]
fn text_is_json_and_what_is_wrong_is_told() {
    let serving = serve(&sums("", ""));
    let mut socket = visit(&serving).expect("let in");

    socket.send(Message::text("{\"samples\":{\"y\":[1]}}")).expect("it hears");
    let told = hear(&mut socket).into_text().expect("text").to_string();
    assert!(told.contains("lacks the channel `x`") && told.contains("\"expects\""), "{told}");
    socket.send(Message::text("[1.0, 1.0, 1.0]")).expect("it hears");
    let told = hear(&mut socket).into_text().expect("text").to_string();
    assert!(told.contains("\"rate_hz\":100.0,\"samples\":{\"x\":[0."), "{told}");
    socket.send(Message::Binary(vec![0; 3].into())).expect("it hears");
    let told = hear(&mut socket).into_text().expect("text").to_string();
    assert!(told.contains("the body has 3 bytes"), "{told}");

    // An empty text is the end: everything is finished, then it says goodbye.
    socket.send(Message::text("")).expect("it hears");
    let parting = parting(&mut socket);
    assert_eq!((parting.code, &*parting.reason), (CloseCode::Normal, "the stream has ended"));
    until(|| sessions(&serving) == (1, 0));
    serving.drain();
}

#[test]
fn there_is_an_end_to_how_many_and_how_long() {
    let serving = serve(&sums("sessions_max = 2\nbytes_max = 400", ""));
    let _held = [0, 1].map(|_| visit(&serving).expect("let in"));

    let said = visit(&serving).expect_err("turned away");
    assert_eq!(said.status(), 503);
    drop(_held);
    until(|| sessions(&serving).1 == 0);
    let mut socket = visit(&serving).expect("let in");
    say(&mut socket, &[0.0; 101]);
    assert_eq!(parting(&mut socket).code, CloseCode::Size);
    until(|| sessions(&serving).1 == 0);
    serving.drain();
}

#[test]
fn a_slow_reader_is_dropped_by_name_and_nobody_else_notices() {
    let serving = serve(&sums("queue = 4\nsamples_max = 20_000", "send = \"raw\""));
    let [mut slow, mut other] = [0, 1].map(|_| visit(&serving).expect("let in"));

    // It speaks and never listens, until the sockets hold no more and its answers wait.
    let loud = vec![1.0; 20_000];
    slow.get_ref().set_write_timeout(Some(crate::LIMIT)).expect("a limit");
    let mut spoken = 0;
    while slow.send(Message::Binary(bytes(&loud).into())).is_ok() {
        spoken += 1;
        assert!(spoken < 10_000, "800 MB in, and it is still let in");
        if sessions(&serving).1 == 1 {
            break;
        }
    }
    until(|| sessions(&serving).1 == 1);
    say(&mut other, &[1.0]);
    assert_eq!(floats(&hear(&mut other)).len(), 1);
    let (address, _) = serving.at("live");
    let health = super::ask(address, &super::request("GET", "/health", b"", &[])).text();
    assert!(health.contains("\"slow_readers\": 1"), "{health}");
    drop(slow);
    serving.drain();
}

#[test]
fn a_visitor_needs_the_token() {
    let secret = std::env::temp_dir().join(format!("afferent-visit-{}", std::process::id()));
    std::fs::write(&secret, "of-this-visit").expect("a folder for it");
    let serving = serve(&sums(&format!("token_file = {:?}", secret.display().to_string()), ""));
    std::fs::remove_file(&secret).expect("it is there");

    assert_eq!(visit(&serving).expect_err("refused").status(), 401);
    assert_eq!(visit_with(&serving, Some("else")).expect_err("refused").status(), 401);
    visit_with(&serving, Some("of-this-visit")).expect("let in");
    serving.drain();
}

#[test]
fn a_drained_graph_says_goodbye() {
    let serving = serve(&sums("", "send = \"raw\""));
    let mut socket = visit(&serving).expect("let in");
    say(&mut socket, &[1.0; 10]);
    let (address, path) = serving.at("live");
    let no_upgrade = super::ask(address, &super::request("GET", &path, b"", &[]));
    assert_eq!(no_upgrade.status, 426, "{}", no_upgrade.text());
    let edge = || serving.running.report().edge("smooth", "say").expect("an edge").frames.taken;
    until(|| edge() == 1);

    serving.running.drain();
    assert_eq!(floats(&hear(&mut socket)).len(), 10);
    let parting = parting(&mut socket);
    assert_eq!((parting.code, &*parting.reason), (CloseCode::Away, "the graph is ending"));
    drop(socket);
    serving.drain();
}

#[test]
fn a_run_without_a_visitor_ends_when_it_is_drained() {
    let serving = serve(&sums("", ""));

    assert!(serving.running.wait_for(std::time::Duration::ZERO).is_none());
    serving.drain();
    assert_eq!(sessions(&serving), (0, 0));
}
