//! Callers who mean no good: whoever means well notices nothing.

use std::{
    io::{BufReader, Read, Write},
    net::{Shutdown, SocketAddr},
};

use super::{Serving, bytes, connect, hear, oracle, request, serve};

fn is_well(serving: &Serving) {
    let said = serving.ask_floats("ask", &[0.0, 1.0, 2.0, 3.0]);
    assert_eq!((said.status, said.floats()), (200, vec![0.0, 2.0, 4.0, 6.0]));
}

/// What comes back until the server hangs up.
fn until_hung_up(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = connect(address);
    let _ = stream.write_all(sent);
    let mut back = Vec::new();
    // A reset may swallow the answer; what counts is that the caller is rid of.
    let _ = stream.read_to_end(&mut back);
    String::from_utf8_lossy(&back).into_owned()
}

#[test]
fn garbage_is_refused() {
    let serving = serve(&oracle("", ""));
    let (address, path) = serving.at("ask");

    for garbage in [&b"\0\xff\xfe\r\n\r\n"[..], b"GET\r\n\r\n", b"POST /ask HTTP/9.9\r\n\r\n"] {
        let back = until_hung_up(address, garbage);
        assert!(back.is_empty() || back.starts_with("HTTP/1.1 400 "), "{back}");
        is_well(&serving);
    }
    let endless = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 1 << 20]].concat();
    let back = until_hung_up(address, &endless);
    assert!(back.is_empty() || back.starts_with("HTTP/1.1 431 "), "{back}");

    let lies = format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999999\r\n\r\n");
    let back = until_hung_up(address, lies.as_bytes());
    assert!(back.is_empty() || back.starts_with("HTTP/1.1 413 "), "{back}");
    is_well(&serving);
    serving.drain();
}

#[test]
fn the_slow_and_the_silent_are_hung_up_on() {
    let serving = serve(&oracle("patience_s = 0.3", ""));
    let (address, path) = serving.at("ask");

    let half = format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 16\r\n\r\nabc");
    for sent in ["", "POST /as", &half] {
        // Without a limit of the server's this would wait as long as the test may.
        let back = until_hung_up(address, sent.as_bytes());
        assert!(back.is_empty() || back.starts_with("HTTP/1.1 408 "), "{back}");
        is_well(&serving);
    }
    serving.drain();
}

#[test]
fn those_who_hang_up_leave_nothing_behind() {
    let serving = serve(&oracle("in_flight = 4", ""));
    let (address, path) = serving.at("ask");

    // More than may be open: each must have been counted back.
    for n in 0..40 {
        let mut stream = connect(address);
        let question = [if n % 2 == 0 { 5.0 } else { 0.0 }, 0.0, 0.0, 0.0];
        let raw = "content-type: application/octet-stream";
        let sent = request("POST", &path, &bytes(&question), &[raw]);
        let cut = if n % 3 == 0 { sent.len() - 7 } else { sent.len() };
        let _ = stream.write_all(&sent[..cut]);
        let _ = stream.shutdown(Shutdown::Both);
    }
    // Questions of those who left are answered in order before that of one who stayed.
    loop {
        let said = serving.ask_floats("ask", &[0.0, 1.0, 2.0, 3.0]);
        if said.status == 200 {
            break;
        }
        assert_eq!(said.status, 503, "{}", said.text());
    }
    is_well(&serving);
    serving.drain();
}

#[test]
fn a_thousand_connections_are_one_like_another() {
    let serving = serve(&oracle("in_flight = 1024\nwithin_ms = 60_000.0", ""));
    let (address, path) = serving.at("ask");

    let mut streams: Vec<_> = (0..1_000).map(|_| connect(address)).collect();
    is_well(&serving);
    let raw = "content-type: application/octet-stream";
    let headers = [raw, "accept: application/octet-stream"];
    // All ask before anybody listens.
    for (n, stream) in streams.iter_mut().enumerate() {
        let question = [0.0, n as f32, 0.0, 0.0];
        stream.write_all(&request("POST", &path, &bytes(&question), &headers)).expect("it hears");
    }
    for (n, stream) in streams.iter().enumerate() {
        let said = hear(&mut BufReader::new(stream)).expect("an answer");
        assert_eq!((said.status, said.floats()), (200, vec![0.0, 2.0 * n as f32, 0.0, 0.0]));
    }
    drop(streams);
    serving.drain();
}
