//! Asks a server over HTTP from some connections at once, each with one question open, and checks every
//! answer.
//!
//!     peer-serving ADDRESS PATH FOLDER CONTENT_TYPE CLIENTS SECONDS
//!
//! FOLDER holds questions `q0`, `q1`, … as they are sent and answers `a0`, `a1`, … as f32. Prints one
//! JSON object. One thread: it shares the machine with the server.

use std::{
    cell::RefCell,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

/// How far an answer may be off: sums of f32 in another order.
const TOLERANCE: f32 = 1e-4;
/// Seconds before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

struct Asked {
    request: Vec<u8>,
    answer: Vec<f32>,
}

#[derive(Default)]
struct Tally {
    us: Vec<u32>,
    wrong: u64,
    errors: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, folder, kind, clients, seconds] = &arguments[..] else {
        panic!("peer-serving ADDRESS PATH FOLDER CONTENT_TYPE CLIENTS SECONDS")
    };
    let questions = Rc::new(questions(Path::new(folder), address, path, kind));
    let clients: usize = clients.parse().expect("a number of clients");
    let seconds: f64 = seconds.parse().expect("seconds");
    let tally = Rc::new(RefCell::new(Tally::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs_f64(seconds);
    LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        let each = (0..clients).map(|client| {
            let (questions, tally, address) = (questions.clone(), tally.clone(), address.clone());
            tokio::task::spawn_local(async move {
                while Instant::now() < until {
                    if converse(&address, &questions, client, (from, until), &tally).await.is_none() {
                        tally.borrow_mut().errors += 1;
                    }
                }
            })
        });
        for one in each.collect::<Vec<_>>() {
            one.await.expect("it asks");
        }
    });
    let mut tally = tally.borrow_mut();
    tally.us.sort_unstable();
    let at = |share: f64| {
        let last = tally.us.len().saturating_sub(1) as f64;
        tally.us.get((share * last) as usize).copied().unwrap_or(0)
    };
    println!(
        "{{\"req_per_s\":{:.1},\"p50_us\":{},\"p99_us\":{},\"n\":{},\"wrong\":{},\"errors\":{}}}",
        tally.us.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        tally.us.len(),
        tally.wrong,
        tally.errors
    );
}

fn questions(folder: &Path, address: &str, path: &str, kind: &str) -> Vec<Asked> {
    let question = |n: usize| {
        let body = std::fs::read(folder.join(format!("q{n}"))).ok()?;
        let answer = std::fs::read(folder.join(format!("a{n}"))).ok()?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n\
             Accept: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = answer.chunks_exact(4);
        Some(Asked {
            request: [head.as_bytes(), &body].concat(),
            answer: answer.map(|raw| f32::from_le_bytes(raw.try_into().expect("4"))).collect(),
        })
    };
    let all: Vec<Asked> = (0..).map_while(question).collect();
    assert!(!all.is_empty(), "{} holds no questions", folder.display());
    all
}

/// One connection, until the end; none if it breaks.
async fn converse(
    address: &str,
    questions: &[Asked],
    client: usize,
    (from, until): (Instant, Instant),
    tally: &RefCell<Tally>,
) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let mut heard = Vec::with_capacity(64 << 10);
    for n in client.. {
        let asked = &questions[n % questions.len()];
        let began = Instant::now();
        if began >= until {
            break;
        }
        stream.write_all(&asked.request).await.ok()?;
        heard.clear();
        let (status, body) = loop {
            if stream.read_buf(&mut heard).await.ok()? == 0 {
                return None;
            }
            if let Some(whole) = response(&heard) {
                break whole;
            }
        };
        let ended = Instant::now();
        let mut tally = tally.borrow_mut();
        let body = &heard[body..];
        let is_right = status == 200
            && body.len() == 4 * asked.answer.len()
            && body.chunks_exact(4).zip(&asked.answer).all(|(raw, want)| {
                let got = f32::from_le_bytes(raw.try_into().expect("4"));
                (got - want).abs() <= TOLERANCE
            });
        tally.wrong += u64::from(!is_right);
        if began >= from && ended <= until {
            tally.us.push(u32::try_from((ended - began).as_micros()).unwrap_or(u32::MAX));
        }
    }
    Some(())
}

/// Status, and where the body begins, once all of it is there.
fn response(heard: &[u8]) -> Option<(u16, usize)> {
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&heard[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (heard.len() >= end + length).then_some((status, end))
}
