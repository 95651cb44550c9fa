//! Hostile callers.

use super::*;

fn serve(page: impl Fn() -> String + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    Server::start(listener, Arc::new(page))
}

fn call(server: &Server, request: &[u8]) -> String {
    let mut caller = TcpStream::connect(server.address()).expect("it listens");
    // The server may answer and hang up before it has heard all.
    let _ = caller.write_all(request);
    let mut answer = Vec::new();
    let _ = caller.read_to_end(&mut answer);
    String::from_utf8(answer).expect("answers are text")
}

#[test]
fn a_scraper_gets_the_page() {
    let server = serve(|| "up 1\n".to_owned());

    let answer = call(&server, b"GET /metrics?x=1 HTTP/1.1\r\nHost: here\r\n\r\n");

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 5\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nup 1\n"), "{answer}");
}

#[test]
fn other_requests_are_told_what_to_ask() {
    let server = serve(String::new);

    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET /metrics\r\n\r\n", "400"),
        (b"\0\xff\xfe garbage\r\n\r\n", "400"),
        (b"\r\n\r\n", "400"),
    ] {
        let answer = call(&server, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
}

#[test]
fn an_endless_request_is_cut_off() {
    let server = serve(String::new);

    let endless = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat();
    let answer = call(&server, &endless);

    // A reset may swallow the answer; what counts is that the caller is rid of.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn silent_callers_neither_stop_others_nor_stay() {
    let server = serve(|| "up 1\n".to_owned());
    let silent = TcpStream::connect(server.address()).expect("it listens");
    let mut slow = TcpStream::connect(server.address()).expect("it listens");
    slow.write_all(b"GET /metr").expect("it is heard");

    assert!(call(&server, b"GET /metrics HTTP/1.1\r\n\r\n").ends_with("up 1\n"));

    // The server hangs up at its deadline; without one this would wait for ever.
    for mut caller in [silent, slow] {
        assert_eq!(caller.read(&mut [0; 1]).expect("it hung up in good order"), 0);
    }
}

#[test]
fn callers_beyond_the_limit_are_hung_up_on() {
    let server = serve(String::new);
    let connect = |_| TcpStream::connect(server.address()).expect("it listens");
    let _held: Vec<_> = (0..CONNECTIONS_MAX).map(connect).collect();

    assert_eq!(call(&server, b"GET /metrics HTTP/1.1\r\n\r\n"), "");
}
