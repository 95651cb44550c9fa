//! A graph that answers, as a program: where, and how it ends.

#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// A question in a file beside the delivered graph, put to where it answers.
fn beat(address: &str, name: &str) -> String {
    let path = format!("{}/graphs/{name}_beat.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(path).expect("it is delivered");
    let mut stream = TcpStream::connect(address).expect("it listens");
    // As curl says it, whose `-d` also leaves line ends out.
    let kind = "application/x-www-form-urlencoded";
    let length = body.len();
    let head = format!(
        "POST /beat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).expect("it is heard");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    answer
}

fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is heard");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

/// Series by name and labels, of a page in which each name is told once, with what it means.
fn parsed(page: &str) -> BTreeMap<&str, f64> {
    let mut series = BTreeMap::new();
    let (mut told, mut sort) = (BTreeSet::new(), ("", ""));
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a name and a sentence");
            assert!(told.insert(name) && help.ends_with('.'), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            sort = kind.split_once(' ').expect("a name and its sort");
            assert!(told.contains(sort.0), "{line}");
        } else {
            let (key, value) = line.rsplit_once(' ').expect("a series and its value");
            let name = key.split_once('{').expect("labels").0;
            let parts = ["_bucket", "_sum", "_count"];
            let whole = match sort.1 {
                "histogram" => parts.iter().find_map(|part| name.strip_suffix(part)),
                _ => Some(name),
            };
            assert_eq!(whole, Some(sort.0), "{line}");
            assert_eq!(sort.1 == "counter", name.ends_with("_total"), "{line}");
            assert!(key.ends_with("\"}"), "{line}");
            let value = value.parse().expect("a number");
            assert!(series.insert(key, value).is_none(), "{line}");
        }
    }
    series
}

#[test]
fn the_delivered_graph_tells_beats_apart_and_what_it_was_asked() {
    let folder = Folder::with(&[]);
    let graph = concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/serve.toml");
    let arguments = ["run", graph, "--set", "beat.port=0", "--metrics", "127.0.0.1:0", "--json"];
    let mut child = start(&folder, &arguments);
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let (mut served, mut metrics) = (None, None);
    while served.is_none() || metrics.is_none() {
        let mut line = String::new();
        assert!(said.read_line(&mut line).expect("stderr is text") > 0, "it ended");
        let at = |before: &str, after: &str| {
            Some(line.trim().strip_prefix(before)?.strip_suffix(after)?.to_owned())
        };
        served = served.or_else(|| at("`beat` answers at http://", "/beat"));
        metrics = metrics.or_else(|| at("metrics at http://", "/metrics"));
    }
    let (served, metrics) = (served.expect("told"), metrics.expect("told"));

    for name in ["premature", "normal"] {
        let answer = beat(&served, name);
        assert!(answer.contains(&format!("\"label\":\"{name}\"")), "{answer}");
        let score = answer.split_once("\"score\":").expect("a score").1;
        let score = score.trim_end_matches(['}', '\n']).split(',').next().expect("a number");
        assert!(score.parse::<f64>().expect("a number") > 0.9, "{answer}");
    }
    let page = page(&metrics);
    let series = parsed(&page);
    let value = |name: &str, labels: &str| {
        let key = format!("afferent_model_{name}{{graph=\"serve\",model=\"beats\"{labels}}}");
        *series.get(key.as_str()).unwrap_or_else(|| panic!("no {key} in\n{page}"))
    };
    assert_eq!((value("questions_total", ""), value("answered_total", "")), (2.0, 2.0));
    let by_segment = |name: &str| -> f64 {
        ["1", "2", "3"].map(|n| value(name, &format!(",segment=\"{n}\""))).iter().sum()
    };
    assert_eq!(by_segment("exits_total"), 2.0);
    assert_eq!(value("queue_seconds_count", ",segment=\"1\""), 2.0);
    assert_eq!(by_segment("batch_questions_count"), by_segment("compute_seconds_count"));
    assert_eq!(value("batch_questions_bucket", ",segment=\"1\",le=\"32\""), 2.0);
    for reason in ["late", "resting", "stuck", "full"] {
        assert_eq!(value("refused_total", &format!(",reason=\"{reason}\"")), 0.0);
    }

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("every Unix has `kill`").success());
    let (status, _) = end_of(&mut child);
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("stderr is text");
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(rest.contains("`beats`: 2 answers, "), "{rest}");
}
