//! A listener with its connections: which path leads to which node, and what every request must pass.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    num::NonZero,
    pin::pin,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
    thread::available_parallelism,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Response, StatusCode, request::Parts},
};
use engine::{BuildError, Fault, Node};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use super::{
    ask::HttpRoute, house::House, limits::Token, params::Place, refusal::Refusal, takes::describe,
    visit::SocketRoute,
};

/// Connections of one listener. Each costs some ten KiB, and what its question has.
const CONNECTIONS_MAX: usize = 4_096;
/// Callers that the system lets wait to be accepted.
const BACKLOG: u32 = 4_096;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// A pause after the system had no socket to give.
const NO_SOCKET: Duration = Duration::from_millis(20);

/// A path and where it leads.
#[derive(Clone)]
pub(super) enum Route {
    Http(Arc<HttpRoute>),
    Socket(Arc<SocketRoute>),
}

/// What a route tells of itself.
pub(super) struct Shown {
    pub(super) method: &'static str,
    pub(super) takes: Value,
    pub(super) more: Map<String, Value>,
}

/// A listener, as whoever is served by it holds it. Dropping the last one ends it: no connection is
/// accepted any more, those that are open get their answers and end.
pub(super) struct Door {
    pub(super) hall: Arc<Hall>,
    closing: watch::Sender<bool>,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.closing.send(true);
    }
}

/// What all connections of a listener share.
pub(super) struct Hall {
    pub(super) address: SocketAddr,
    pub(super) house: Arc<House>,
    routes: RwLock<BTreeMap<String, (String, Route)>>,
    patience: Duration,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

/// The runtime of all sockets that are served; made when the first is asked for, and never ended.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        // Most of a question's work is the graph's, on cores of its own.
        let threads = available_parallelism().map_or(1, NonZero::get).div_ceil(8).min(4);
        Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("afferent-serve")
            .thread_stack_size(1 << 20)
            .enable_all()
            .build()
            .expect("the system has a thread to spare")
    })
}

impl Door {
    /// The listener for a place: that of the plan's other nodes at the same address, else a new one.
    pub(super) fn at(
        house: &Arc<House>,
        place: &Place,
        patience: Duration,
    ) -> Result<Arc<Self>, Fault> {
        let mut doors = house.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(&place.address).and_then(Weak::upgrade) {
            return Ok(door);
        }
        let listener = listen(place.address)
            .map_err(|error| Fault::io(unheard(place.address, &error), error))?;
        let address = listener.local_addr().unwrap_or(place.address);
        let (closing, closed) = watch::channel(false);
        let hall = Arc::new(Hall {
            address,
            house: house.clone(),
            routes: RwLock::default(),
            patience,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            closing: closed,
        });
        // It ends when the door is closed.
        drop(runtime().spawn(accept(hall.clone(), listener)));
        let door = Arc::new(Self { hall, closing });
        doors.insert(place.address, Arc::downgrade(&door));
        Ok(door)
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let _inside = runtime().enter();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // After a restart the port is free at once, though connections of before still linger.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Why nobody can be heard there, and what to do.
fn unheard(address: SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program has this port; choose another `port`, or 0 for one that is free"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such `address`; \"127.0.0.1\" is itself"
        }
        ErrorKind::PermissionDenied => "ports below 1024 are for the system; choose another `port`",
        _ => "choose another `port`, or 0 for one that is free",
    };
    format!("cannot listen on {address} ({remedy})")
}

impl Hall {
    /// The route of a node at a path, made by the first of its sessions.
    pub(super) fn route(
        &self,
        node: &Node<'_>,
        path: &str,
        make: impl FnOnce() -> Result<Route, BuildError>,
    ) -> Result<Route, BuildError> {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        match routes.get(path) {
            Some((owner, route)) if owner == node.name() => Ok(route.clone()),
            Some((owner, _)) => {
                let text = format!("`{owner}` is served at {path} already; choose another `path`");
                Err(Fault::new(text).into())
            }
            None => {
                let route = make()?;
                routes.insert(path.to_owned(), (node.name().to_owned(), route.clone()));
                Ok(route)
            }
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.clone()
    }

    fn find(&self, path: &str) -> Option<Route> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(path).map(|(_, route)| route.clone())
    }

    fn paths(&self) -> Vec<String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        ["/".to_owned(), "/health".to_owned()].into_iter().chain(routes.keys().cloned()).collect()
    }

    /// What there is to ask, for callers whose token opens it.
    fn describe(&self, authorization: Option<&[u8]>) -> Value {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let open = routes.iter().filter(|(_, (_, route))| opens(route.token(), authorization));
        let shown = open.map(|(path, (node, route))| {
            let Shown { method, takes, mut more } = route.show();
            more.insert("node".to_owned(), node.as_str().into());
            more.insert("path".to_owned(), path.as_str().into());
            more.insert("method".to_owned(), method.into());
            more.insert("takes".to_owned(), takes);
            Value::Object(more)
        });
        let shown: Vec<Value> = shown.collect();
        let gives = self.house.gives();
        let gives: Map<String, Value> = gives
            .iter()
            .filter(|_| !shown.is_empty())
            .map(|(node, format)| (node.clone(), describe(format, false)))
            .collect();
        json!({ "paths": shown, "gives": gives, "served": self.house.tally.describe() })
    }
}

impl Route {
    fn token(&self) -> Option<&Token> {
        match self {
            Self::Http(route) => route.token.as_ref(),
            Self::Socket(route) => route.token.as_ref(),
        }
    }

    fn show(&self) -> Shown {
        match self {
            Self::Http(route) => route.show(),
            Self::Socket(route) => route.show(),
        }
    }
}

fn opens(token: Option<&Token>, authorization: Option<&[u8]>) -> bool {
    token.is_none_or(|token| token.opens(authorization))
}

async fn accept(hall: Arc<Hall>, listener: TcpListener) {
    let mut closing = hall.closing();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, caller)) = accepted else {
            // Out of file handles, or the caller is gone already: the next may fare better.
            tokio::time::sleep(NO_SOCKET).await;
            continue;
        };
        match hall.places.clone().try_acquire_owned() {
            // It ends with its caller, by its time limits, or when the door is closed.
            Ok(place) => drop(tokio::spawn(connection(hall.clone(), stream, caller, place))),
            Err(_) => turn_away(stream),
        }
    }
}

/// Says that there are too many, as far as that can be said without waiting.
fn turn_away(stream: TcpStream) {
    let said = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
                 Content-Length: 0\r\n\r\n";
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(said);
    }
}

async fn connection(
    hall: Arc<Hall>,
    stream: TcpStream,
    caller: SocketAddr,
    _place: OwnedSemaphorePermit,
) {
    let _open = hall.house.connection();
    // A caller that has hung up already is found out when it is read from.
    let _ = stream.set_nodelay(true);
    let mut closing = hall.closing();
    let here = hall.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let hall = here.clone();
        async move { Ok::<_, std::convert::Infallible>(handle(hall, caller, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(hall.patience).max_buf_size(HEAD_BYTES_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    // How a connection ends concerns nobody but its caller.
    tokio::select! {
        _ = served.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

async fn handle(hall: Arc<Hall>, caller: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let tally = &hall.house.tally;
    match answer(&hall, caller, parts, body).await {
        Ok(response) => response,
        Err(refusal) => {
            let what = match refusal.status {
                StatusCode::GATEWAY_TIMEOUT => &tally.late,
                StatusCode::INTERNAL_SERVER_ERROR => &tally.lost,
                _ => &tally.refused,
            };
            tally.count(what);
            refusal.response()
        }
    }
}

async fn answer(
    hall: &Arc<Hall>,
    caller: SocketAddr,
    parts: Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let path = parts.uri.path();
    let authorization = parts.headers.get("authorization").map(|value| value.as_bytes());
    let Some(route) = hall.find(path) else {
        let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
        return match path {
            "/" | "/health" if !is_reading => Err(Refusal::method("GET, HEAD")),
            "/" | "/health" => {
                let mut said = hall.describe(authorization);
                said["status"] = if hall.is_closing() { "draining" } else { "ok" }.into();
                let response = Response::builder().header("content-type", "application/json");
                Ok(response.body(Body::from(format!("{said:#}\n"))).expect("a sound header"))
            }
            _ => {
                let refusal = Refusal::new(StatusCode::NOT_FOUND, format!("nothing is at {path}"));
                Err(refusal.with("paths", hall.paths()))
            }
        };
    };
    if !opens(route.token(), authorization) {
        return Err(Refusal::no_token().and_hang_up());
    }
    match route {
        Route::Http(route) => route.ask(hall, caller, &parts, body).await,
        Route::Socket(route) => route.visit(hall, caller, parts).await,
    }
}
