//! Graphs that answer, asked over real sockets of this machine.

mod answers;
mod drain;
mod hostile;
mod kinds;
mod refusals;
mod sockets;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use afferent_suite::kinds as suite;
use engine::{
    Catalog, Diagnostics, Disk, GraphSpec, Plan, PlanOptions, RunOptions, Running, Services,
    SourceText,
};
use model::section::ModelServices;

use crate::LIMIT;

/// A graph that runs, and where it answers.
struct Serving {
    plan: Arc<Plan>,
    running: Running,
}

/// What came back: status, head in lower case, body.
#[derive(Debug)]
struct Said {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn floats(&self) -> Vec<f32> {
        let numbers = self.body.chunks_exact(4);
        numbers.map(|raw| f32::from_le_bytes(raw.try_into().expect("four bytes"))).collect()
    }
}

fn try_plan(text: &str) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("serve.toml", text))?;
    let kind = ModelServices::new(Arc::new(Disk), None);
    let (services, problems) = Services::open_sound(&kind, &spec.models);
    assert!(problems.0.is_empty(), "{problems}");
    let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, suite::KINDS, kinds::KINDS]);
    let options = PlanOptions { services, ..PlanOptions::new(Arc::new(Disk)) };
    spec.plan(&catalog, &options).map(Arc::new)
}

fn serve(text: &str) -> Serving {
    serve_in(text, 1)
}

fn serve_in(text: &str, sessions: u32) -> Serving {
    let plan = try_plan(text).unwrap_or_else(|problems| panic!("{problems}"));
    let options = RunOptions { sessions, cores: sessions as usize, ..RunOptions::default() };
    let running = plan.start(&options).unwrap_or_else(|error| panic!("{error}"));
    Serving { plan, running }
}

impl Serving {
    /// Address and path of a node.
    fn at(&self, node: &str) -> (SocketAddr, String) {
        let served = model::serve::served(&self.plan);
        let served = served.iter().find(|served| served.node == node).expect("it is served");
        let (_, rest) = served.url.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').expect("a path");
        (address.parse().expect("an address"), format!("/{path}"))
    }

    fn ask(&self, node: &str, body: &[u8], headers: &[&str]) -> Said {
        let (address, path) = self.at(node);
        ask(address, &request("POST", &path, body, headers))
    }

    fn ask_floats(&self, node: &str, numbers: &[f32]) -> Said {
        let raw = "content-type: application/octet-stream";
        self.ask(node, &bytes(numbers), &[raw, "accept: application/octet-stream"])
    }

    /// Ends the sources, and checks that every frame is accounted for.
    fn drain(&self) {
        self.running.drain();
        let outcome = self.running.wait_for(LIMIT).expect("ends");
        assert_eq!(outcome.fault, None);
        assert!(model::serve::settle(&self.plan, LIMIT), "connections stay open");
        let report = self.running.report();
        assert!(report.is_balanced(), "{:?}", report.edges);
    }
}

/// Looks again and again until something has come about.
fn until(has_come: impl Fn() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !has_come() {
        assert!(Instant::now() < limit, "it never comes about");
        crate::server::wait(Duration::from_millis(1));
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn request(method: &str, path: &str, body: &[u8], headers: &[&str]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: here\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    [text.as_bytes(), body].concat()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// One question on a connection of its own.
fn ask(address: SocketAddr, request: &[u8]) -> Said {
    let mut stream = connect(address);
    // The server may answer and hang up before it has heard all.
    let _ = stream.write_all(request);
    let said = hear(&mut BufReader::new(&stream)).expect("an answer");
    let _ = stream.shutdown(Shutdown::Both);
    said
}

/// The next response on a connection; none if it is closed.
fn hear(stream: &mut BufReader<impl Read>) -> Option<Said> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let before = head.len();
        stream.read_line(&mut head).ok()?;
        if head.len() == before {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).ok()?;
    Some(Said { status, head, body })
}

/// Questions of four numbers, an oracle, and its answers.
fn oracle(params: &str, oracle: &str) -> String {
    format!(
        r#"
        [graph]
        name = "oracle"
        [node.ask]
        op = "http"
        shape = [4]
        port = 0
        {params}
        [node.picky]
        op = "picky"
        from = "ask"
        [node.oracle]
        op = "oracle"
        from = "picky"
        {oracle}
        [node.answer]
        op = "http"
        from = "oracle"
        "#
    )
}
