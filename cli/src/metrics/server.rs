//! A web server for one page, which survives whoever calls.
//!
//! Answers one request per connection. Everything about a connection is bounded: how many there
//! are, how long one lasts, how much it may say.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

/// Gives the page as it is now.
pub(crate) type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Scrapers come one by one; more at once are attacks or mistakes.
const CONNECTIONS_MAX: usize = 8;
/// Time from the first byte to the last. Scrapers give up after ten seconds.
const CONNECTION_LASTS: Duration = Duration::from_secs(2);
/// Bytes of a request; those of Prometheus have 300.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// The page is built as text on the heap.
const STACK_BYTES: usize = 128 << 10;

/// The server; dropping it ends it.
pub(crate) struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers on a thread of its own.
    pub(crate) fn start(listener: TcpListener, page: Page) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let ended = Arc::<AtomicBool>::default();
        let seen = ended.clone();
        let thread = Builder::new().name("metrics".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || accept(&listener, &page, &seen));
        Self { address, ended, thread: Some(thread.expect("the system has a thread to spare")) }
    }

    /// Where it answers.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The thread waits for a caller: this is one. Where none gets through, none does later.
        let home = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let home = SocketAddr::new(home, self.address.port());
        let called = TcpStream::connect_timeout(&home, Duration::from_millis(200));
        if let (Ok(_), Some(thread)) = (called, self.thread.take()) {
            // It has panicked at worst, which was told when it happened.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, page: &Page, ended: &AtomicBool) {
    let connections = Arc::<AtomicUsize>::default();
    for caller in listener.incoming() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(caller) = caller else {
            // Out of file handles, or the caller is gone already: the next may fare better.
            std::thread::park_timeout(Duration::from_millis(10));
            continue;
        };
        let Some(place) = Place::take(&connections) else {
            // Dropping it hangs up.
            continue;
        };
        let page = page.clone();
        let thread = Builder::new().name("metrics".to_owned()).stack_size(STACK_BYTES);
        // The handle is not needed: the connection ends by its own deadline. Where no thread can
        // be had, the caller hears nothing and comes again.
        drop(thread.spawn(move || {
            let _place = place;
            // Nobody is told of a caller that hung up.
            let _ = answer(&caller, &page, Instant::now() + CONNECTION_LASTS);
            let _ = caller.shutdown(Shutdown::Both);
        }));
    }
}

/// One of the connections there may be.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connections: &Arc<AtomicUsize>) -> Option<Self> {
        // Only the accepting thread adds, so nothing comes between the look and the addition.
        (connections.load(Ordering::Relaxed) < CONNECTIONS_MAX).then(|| {
            connections.fetch_add(1, Ordering::Relaxed);
            Self(connections.clone())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(caller: &TcpStream, page: &Page, until: Instant) -> io::Result<()> {
    let (status, body) = match request(caller, until)? {
        Asked::Page { with_body: true } => ("200 OK", page()),
        Asked::Page { with_body: false } => ("200 OK", String::new()),
        Asked::Other(status, hint) => (status, format!("{hint}\n")),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    send(caller, head.as_bytes(), until)?;
    send(caller, body.as_bytes(), until)
}

/// What a caller wants.
#[derive(Debug, PartialEq)]
enum Asked {
    Page { with_body: bool },
    Other(&'static str, &'static str),
}

/// Reads a request up to the empty line that ends its head.
fn request(mut caller: &TcpStream, until: Instant) -> io::Result<Asked> {
    let mut head = Vec::with_capacity(512);
    let mut part = [0; 512];
    loop {
        caller.set_read_timeout(Some(left(until)?))?;
        let read = match caller.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // The end may lie across two parts: look a little way back.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&part[..read]);
        if head[from..].windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(asked(&head));
        }
        if head.len() > REQUEST_BYTES_MAX {
            return Ok(Asked::Other("431 Request Header Fields Too Large", "say less"));
        }
    }
}

fn asked(head: &[u8]) -> Asked {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let is_http = version.is_some_and(|version| version.starts_with(b"HTTP/1."));
    let (Some(method), Some(target), true) = (method, target, is_http) else {
        return Asked::Other("400 Bad Request", "ask with GET /metrics");
    };
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match (method, path) {
        (b"GET", b"/metrics") => Asked::Page { with_body: true },
        (b"HEAD", b"/metrics") => Asked::Page { with_body: false },
        (b"GET" | b"HEAD", _) => Asked::Other("404 Not Found", "the figures are at /metrics"),
        _ => Asked::Other("405 Method Not Allowed", "ask with GET /metrics"),
    }
}

fn send(mut caller: &TcpStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        caller.set_write_timeout(Some(left(until)?))?;
        match caller.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Time until the deadline, above zero because a socket takes zero for ever.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests;
