//! The thread that serves: connections with time limits, and which path leads where.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    pin::pin,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Method, Request, Response, StatusCode, header},
};
use futures_util::stream;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::{
    net::TcpStream,
    runtime,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{
    Inside,
    assets::asset,
    control, gate,
    gate::Refusal,
    message::{ASKED_BYTES_MAX, OUTPUTS_MAX, Wants},
    viewers::{Place, VIEWERS_MAX},
};

/// Connections at once: a browser opens a few for each page.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a head, or a question, may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// A pause after the system had no socket to give.
const NO_SOCKET: Duration = Duration::from_millis(20);
/// What it takes is made up on the heap.
const STACK_BYTES: usize = 512 << 10;

type Closing = watch::Receiver<bool>;

/// Begins to serve, until `closing` says that it is over.
pub(super) fn start(
    inside: &Arc<Inside>,
    listener: TcpListener,
    closing: Closing,
) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = inside.clone();
    let named = Builder::new().name("afferent-web".to_owned()).stack_size(STACK_BYTES);
    named.spawn(move || {
        super::stand_back();
        runtime.block_on(accept(&inside, listener, closing));
        // What waits for the graph is left behind: the run is over.
        runtime.shutdown_background();
    })
}

async fn accept(inside: &Arc<Inside>, listener: TcpListener, mut closing: Closing) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, or the caller is gone already: the next may fare better.
            tokio::time::sleep(NO_SOCKET).await;
            continue;
        };
        // Where there are too many, dropping the stream hangs up.
        if let Ok(place) = places.clone().try_acquire_owned() {
            // It ends with its caller, by its time limits, or with the server.
            drop(tokio::spawn(connection(inside.clone(), stream, place, closing.clone())));
        }
    }
}

async fn connection(
    inside: Arc<Inside>,
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    mut closing: Closing,
) {
    // A caller that has hung up already is found out when it is read from.
    let _ = stream.set_nodelay(true);
    let hang_up = Arc::new(Notify::new());
    let hangs_up = hang_up.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (inside, hang_up) = (inside.clone(), hang_up.clone());
        async move { Ok::<_, Infallible>(handle(&inside, request, hang_up).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD_BYTES_MAX);
    let served = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends concerns nobody but its caller.
    tokio::select! {
        _ = served => {}
        () = hangs_up.notified() => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

async fn handle(
    inside: &Arc<Inside>,
    request: Request<Incoming>,
    hang_up: Arc<Notify>,
) -> Response<Body> {
    let mut response = match answer(inside, request, hang_up).await {
        Ok(response) => response,
        Err(refusal) => refused(refusal),
    };
    gate::guard(response.headers_mut());
    response
}

fn refused((status, error, hint): Refusal) -> Response<Body> {
    let mut said = json!({ "error": error });
    if !hint.is_empty() {
        said["hint"] = hint.into();
    }
    let mut response = with_media("application/json", format!("{said}\n"));
    *response.status_mut() = status;
    if status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

fn with_media(media: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// What is at a path.
enum Way {
    Events,
    Wants(u64),
    Control,
}

fn way(path: &str) -> Option<Way> {
    match path.strip_prefix("/api/")? {
        "events" => Some(Way::Events),
        "control" => Some(Way::Control),
        path => path.strip_prefix("viewers/")?.parse().ok().map(Way::Wants),
    }
}

async fn answer(
    inside: &Arc<Inside>,
    request: Request<Incoming>,
    hang_up: Arc<Notify>,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    if !inside.gate.is_meant(&parts.headers) {
        return Err(gate::foreign());
    }
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let path = parts.uri.path();
    if let Some(asset) = asset(path) {
        // The page holds nothing of the graph; what it asks for does.
        return if reads { Ok(with_media(asset.media, asset.text)) } else { Err(method("GET")) };
    }
    let Some(way) = way(path) else {
        let said = format!("nothing is at {path}");
        return Err((StatusCode::NOT_FOUND, said, "the page is at /"));
    };
    if !inside.gate.opens(&parts.headers) {
        return Err(gate::closed());
    }
    match way {
        Way::Events if parts.method == Method::GET => events(inside, hang_up),
        Way::Events => Err(method("GET")),
        _ if parts.method != Method::POST => Err(method("POST")),
        Way::Wants(number) => {
            let Wants { outputs } = read(body).await?;
            if outputs.len() > OUTPUTS_MAX {
                let said = format!("at most {OUTPUTS_MAX} outputs are shown at once");
                return Err((StatusCode::BAD_REQUEST, said, "choose fewer"));
            }
            match inside.viewers.want(number, outputs) {
                true => Ok(with_media("application/json", "{}\n")),
                false => Err((StatusCode::NOT_FOUND, format!("there is no viewer {number}"), "")),
            }
        }
        Way::Control if !inside.may_control => Err(control::forbidden()),
        Way::Control => {
            let asked = read(body).await?;
            let inside = inside.clone();
            // It may wait for the graph, and others are served meanwhile.
            let done = tokio::task::spawn_blocking(move || control::done(&inside, asked)).await;
            let lost = |_| (StatusCode::INTERNAL_SERVER_ERROR, "it failed".to_owned(), "");
            done.map_err(lost)??;
            Ok(with_media("application/json", "{}\n"))
        }
    }
}

fn method(allowed: &str) -> Refusal {
    (StatusCode::METHOD_NOT_ALLOWED, format!("ask with {allowed}"), "")
}

/// The stream of a viewer: it is let go when its reader hangs up.
fn events(inside: &Arc<Inside>, hang_up: Arc<Notify>) -> Result<Response<Body>, Refusal> {
    let place = Place::take(inside, hang_up).ok_or_else(|| {
        let said = format!("{VIEWERS_MAX} look at this run already, or it is ending");
        (StatusCode::SERVICE_UNAVAILABLE, said, "close another page")
    })?;
    let said = stream::unfold(place, |place| async move {
        let said = place.next().await?;
        Some((Ok::<_, Infallible>(said), place))
    });
    Ok(with_media("text/event-stream", Body::from_stream(said)))
}

/// Reads a question.
async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Refusal> {
    let read = timeout(PATIENCE, to_bytes(Body::new(body), ASKED_BYTES_MAX)).await;
    let late = |_| (StatusCode::REQUEST_TIMEOUT, "the question never came".to_owned(), "");
    let bytes = read.map_err(late)?.map_err(|_| {
        let said = format!("a question has at most {ASKED_BYTES_MAX} bytes");
        (StatusCode::PAYLOAD_TOO_LARGE, said, "")
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("not understood: {error}"), ""))
}
