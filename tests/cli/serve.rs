//! A graph that answers, as a program: where, and how it ends.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Command,
};

use crate::program::{Folder, afferent, end_of, start};

const ECHO: &str = r#"
[graph]
name = "echo"

[node.ask]
op     = "http"
fields = ["text: text"]
port   = 0

[node.answer]
op   = "http"
from = "ask"
"#;

fn ask(address: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "POST /ask HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("it is heard");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer
}

#[test]
fn it_says_where_it_answers_and_an_interrupt_ends_it_well() {
    let folder = Folder::with(&[("echo.toml", ECHO)]);
    let mut child = start(&folder, &["run", "echo.toml"]);
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("stderr is text");
    let address = line.trim().strip_prefix("`ask` answers at http://").expect("it says where");
    let address = address.strip_suffix("/ask").expect("it says where").to_owned();

    let answer = ask(&address, r#"{"text":"hello"}"#);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(r#""text":"hello"}"#), "{answer}");
    let refused = ask(&address, "hello");
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(refused.contains("\"expects\""), "{refused}");

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("every Unix has `kill`").success());
    let (status, _) = end_of(&mut child);
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("stderr is text");
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(rest.starts_with("draining what is inside"), "{rest}");
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_runs() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let folder = Folder::with(&[("echo.toml", ECHO)]);

    let ended = afferent(&folder, &["run", "echo.toml", "--set", &format!("ask.port={port}")]);
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("choose another `port`"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
