//! `http_call`: ask a service over HTTP about every frame.
//!
//! | `send`   | The question                                                                       |
//! |----------|------------------------------------------------------------------------------------|
//! | `"json"` | one object, as `jsonl` writes it: `t_s` and the fields, `samples` or `values`       |
//! | `"raw"`  | the numbers as they lie in memory, little-endian, channel after channel; headers say the rest: `afferent-type: f32`, `afferent-shape: 2,250`, `afferent-time-ns`, `afferent-rate-hz` |
//!
//! | Declared        | The answer                                                                  |
//! |-----------------|-----------------------------------------------------------------------------|
//! | `fields`        | a JSON object: the declared fields become an event at the question's time   |
//! | `shape`         | as many f32 as that, little-endian: a tensor                                 |
//! | neither         | as many f32 as the question has samples: a signal like the input             |
//!
//! A question is a POST. Status 200 to 299 is an answer, anything else a failure, as is a connection that
//! cannot be made; `retries` of the node says how often to ask again. Redirects are not followed.

use std::{sync::Arc, time::Duration};

use engine::{
    Answer, Body, BuildError, Call, Code, Diagnostic, Dimension, Element, Fault, Format, Frame,
    GapNotice, Header, Kind, Node, Outline, Param, Placement, Port, Reply, TensorFormat,
};
use reqwest::{
    Client, Response, Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};

use super::{
    answer::{Reading, StandIn, fields},
    question,
};
use crate::cache::{
    Cache, Fit, Identity, Key, Question,
    section::of_node,
    unchanged::{SKIP_UNCHANGED, UNCHANGED, Unchanged},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "http_call",
    summary: "Ask a service over HTTP about every frame.",
    doc: "Sends a POST to `url` for every frame and gives its answer, in the order of the frames. \
          `send = \"json\"`: one object, as `jsonl` writes it, without `node`; \"raw\": f32 (tensors: \
          their type) little-endian, channel after channel, with headers afferent-type, -shape, -time-ns and -rate-hz. With `fields`, \
          such as [\"label: text\", \"score: number\"] (also integer, bool, numbers), the answer is a \
          JSON object and becomes an event; fields it lacks are absent. With `shape` it is so many \
          f32, a tensor; with neither as many f32 as came, a signal like the input. Status 200 to \
          299 is an answer, everything else has failed, and so has an answer that does not fit; redirects are not followed. `retries` of \
          the node says how often a failed question is asked again, while there is time: no longer \
          than `within_ms` from when it was asked first. What then has no answer gets `fallback` \
          (JSON: an object with the fields, or one number for every sample), else it is dropped, \
          counted and told at the end with the reason. At most `in_flight` questions are open; \
          further frames wait in the ring. With `cache` the same question to the same \
          service is answered by `[cache.NAME]`; for that JSON questions leave out the time of the frame. \
          `skip_unchanged` does not ask about numbers that have hardly changed. `token_env` names an environment variable with a bearer token. NaN is \
          null in JSON. Delay: none; the answer has the time of its frame. Cost: some 50 us of \
          processor time a question.",
    example: "url = \"http://127.0.0.1:8000/predict\"\nfields = [\"label: text\", \"score: number\"]",
    inputs: &[Port::any("in")],
    outputs: &[Port::any("out")],
    params: &[
        &URL,
        &SEND,
        &FIELDS,
        &SHAPE,
        &WITHIN_MS,
        &IN_FLIGHT,
        &FALLBACK,
        &CACHE,
        &SKIP_UNCHANGED,
        &UNCHANGED,
        &HEADERS,
        &TOKEN_ENV,
    ],
    placement: Placement::Asks,
    plan: |node| {
        let asked = Asked::of(node)?;
        of_node(node, &CACHE)?;
        Ok(Outline::of([asked.output]))
    },
    build: |node| Ok(Body::call(HttpCall::new(node, Asked::of(node)?)?)),
    ..Kind::BASE
};

const URL: Param<&str> = Param::required("url", "Where to ask: http:// or https://.");
const SEND: Param<&str> =
    Param::with_default("send", "json", "How the question is written.").one_of(&["json", "raw"]);
const FIELDS: Param<&[&str]> =
    Param::optional("fields", "Fields of the answer, as \"name: type\"; it is JSON then.");
const SHAPE: Param<&[f64]> = Param::optional(
    "shape",
    "Lengths of the answer's dimensions, outermost first; it is raw then.",
)
.within(1.0, 1e6);
const WITHIN_MS: Param<f64> = Param::with_default(
    "within_ms",
    1_000.0,
    "How long an answer may take from when it was asked for first.",
)
.within(1.0, 600_000.0)
.live();
const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 4, "Most questions open at once.").within(1.0, 1_024.0).live();
const FALLBACK: Param<&str> = Param::optional(
    "fallback",
    "What stands in for an answer, as JSON: an object with `fields`, else a number.",
);
const CACHE: Param<&str> =
    Param::optional("cache", "Where answers are kept, as in `[cache.NAME]`.");
const HEADERS: Param<&[&str]> =
    Param::with_default("headers", &[] as &[&str], "Further headers, as \"name: value\".");
const TOKEN_ENV: Param<&str> =
    Param::optional("token_env", "The environment variable with the bearer token.");

/// How long a request goes on when whoever asked first waits no more.
const GRACE: Duration = Duration::from_secs(1);
/// Longest answer in JSON.
const JSON_BYTES_MAX: usize = 1 << 20;
/// Most numbers of a tensor that is answered.
const NUMBERS_MAX: f64 = 16e6;

/// What a node asks for, checked.
struct Asked {
    url: Url,
    is_json: bool,
    input: Format,
    output: Format,
    reading: Reading,
    fallback: Option<StandIn>,
    headers: HeaderMap,
}

impl Asked {
    fn of(node: &Node<'_>) -> Result<Self, Diagnostic> {
        let input = node.input("in").clone();
        let is_json = node.get(&SEND)? == "json";
        if is_json && matches!(input, Format::Image(_)) {
            let problem =
                node.problem(Code::OutOfRange, SEND.name(), "pictures are not sent as JSON");
            return Err(problem.hint("write `send = \"raw\"`"));
        }
        let is_f32 = match &input {
            Format::Signal(_) => true,
            Format::Tensor(tensor) => tensor.element == Element::F32,
            Format::Event(_) | Format::Image(_) => false,
        };
        if node.get_optional(&SKIP_UNCHANGED)?.is_some() && !is_f32 {
            let message =
                "`skip_unchanged` compares numbers, and what is asked about here has none";
            let problem = node.problem(Code::OutOfRange, SKIP_UNCHANGED.name(), message);
            return Err(problem.hint("leave it out, or give the node a signal or tensors of f32"));
        }
        let (output, count) = output(node, &input)?;
        let reading = Reading::of(&output, count);
        let fallback = node.get_optional(&FALLBACK)?;
        let fallback = fallback.map(|written| reading.stand_in(written)).transpose();
        let fallback = fallback.map_err(|why| {
            let problem = node.problem(Code::OutOfRange, FALLBACK.name(), why);
            problem.hint("write an object with `fields`, such as '{\"label\": \"none\"}', else a number, such as \"0\"")
        })?;
        Ok(Self {
            url: url(node)?,
            is_json,
            input,
            output,
            reading,
            fallback,
            headers: headers(node)?,
        })
    }
}

fn url(node: &Node<'_>) -> Result<Url, Diagnostic> {
    let written = node.get(&URL)?;
    let problem = |why: String| {
        let problem = node.problem(Code::OutOfRange, URL.name(), why);
        problem.hint("write it in full, such as \"http://127.0.0.1:8000/predict\"")
    };
    let url = Url::parse(written)
        .map_err(|error| problem(format!("`url` = {written:?} is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(problem(format!("`url` = {written:?} is neither http:// nor https://")));
    }
    Ok(url)
}

/// What the answers are, and how many numbers they have where that is fixed.
fn output(node: &Node<'_>, input: &Format) -> Result<(Format, Option<usize>), Diagnostic> {
    match (node.get_optional(&FIELDS)?, node.get_optional(&SHAPE)?) {
        (Some(_), Some(_)) => {
            let message = "`fields` and `shape` are two sorts of answers";
            let problem = node.problem(Code::OutOfRange, SHAPE.name(), message);
            Err(problem.hint("keep `fields` for an event, or `shape` for a tensor"))
        }
        (Some(written), None) => {
            let fields = fields(&written).map_err(|why| {
                let problem = node.problem(Code::OutOfRange, FIELDS.name(), why);
                problem.hint("write such as [\"label: text\", \"score: number\"]")
            })?;
            Ok((Format::event(fields, input.frames_per_second()), None))
        }
        (None, Some(lens)) => {
            let count: f64 = lens.iter().product();
            if lens.is_empty() || lens.iter().any(|len| len.fract() != 0.0) || count > NUMBERS_MAX {
                let message =
                    format!("`shape` = {lens:?} is no shape of 1 to {NUMBERS_MAX} numbers");
                let problem = node.problem(Code::OutOfRange, SHAPE.name(), message);
                return Err(problem.hint("write whole lengths, such as [1, 10]"));
            }
            let shape = lens.iter().map(|&len| Dimension::Fixed(len as usize)).collect();
            let tensor = TensorFormat { element: Element::F32, shape };
            Ok((Format::Tensor(tensor.into()), Some(count as usize)))
        }
        (None, None) if matches!(input, Format::Signal(_)) => Ok((input.clone(), None)),
        (None, None) => {
            let message = "neither `fields` nor `shape` says what the answer is";
            let problem = Diagnostic::error(Code::MissingParameter, message);
            Err(problem.hint("write such as `fields = [\"label: text\", \"score: number\"]`"))
        }
    }
}

fn headers(node: &Node<'_>) -> Result<HeaderMap, Diagnostic> {
    let mut headers = HeaderMap::new();
    for written in node.get(&HEADERS)? {
        let pair = written.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = pair else {
            let message = format!("{written:?} in `headers` is no header");
            let problem = node.problem(Code::OutOfRange, HEADERS.name(), message);
            return Err(problem.hint("write such as \"x-api: 2\""));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// The bearer token, from where the graph says it is kept.
fn token(node: &Node<'_>) -> Result<Option<HeaderValue>, BuildError> {
    let Some(name) = node.get_optional(&TOKEN_ENV)? else { return Ok(None) };
    let value = std::env::var(name).ok().and_then(|token| {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    match value {
        Some(value) => Ok(Some(value)),
        None => {
            let message = format!("the environment variable `{name}` holds no token");
            let problem = node.problem(Code::OutOfRange, TOKEN_ENV.name(), message);
            Err(problem.hint(format!("set it: export {name}=…")).into())
        }
    }
}

/// Asks.
struct HttpCall {
    service: Arc<Service>,
    is_json: bool,
    format: Format,
    in_flight: usize,
    within: Duration,
    fallback: Option<StandIn>,
    cache: Option<Arc<Cache>>,
    /// Who is asked and how, for the cache.
    identity: Identity,
    fit: Arc<Fit>,
    unchanged: Option<Unchanged>,
}

struct Service {
    client: Client,
    url: Url,
    /// Without name and password.
    shown: Url,
    headers: HeaderMap,
    reading: Reading,
}

impl HttpCall {
    fn new(node: &Node<'_>, asked: Asked) -> Result<Self, BuildError> {
        let mut headers = asked.headers;
        if let Some(token) = token(node)? {
            headers.insert(reqwest::header::AUTHORIZATION, token);
        }
        let mut shown = asked.url.clone();
        // What stands in messages is read by others.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        let service = Service {
            client: client(&asked.url)?,
            url: asked.url,
            shown,
            headers,
            reading: asked.reading,
        };
        Ok(Self {
            identity: identity(&service, &asked.input, asked.is_json),
            service: Arc::new(service),
            is_json: asked.is_json,
            format: asked.input,
            in_flight: node.get(&IN_FLIGHT)? as usize,
            within: within(node)?,
            fallback: asked.fallback,
            cache: of_node(node, &CACHE).map_err(BuildError::Graph)?,
            fit: Arc::new(Fit::of(vec![asked.output])),
            unchanged: Unchanged::of(node)?,
        })
    }

    /// Channels, and samples of each.
    fn size(&self, question: &Frame) -> (usize, usize) {
        let len = question.len();
        (question.buffer().bytes_len() / 4 / len.max(1), len)
    }
}

fn within(node: &Node<'_>) -> Result<Duration, Diagnostic> {
    Ok(Duration::from_secs_f64(node.get(&WITHIN_MS)? / 1e3))
}

/// Everything that decides an answer besides the frame: where it is asked, as whom, and how it is read.
fn identity(service: &Service, input: &Format, is_json: bool) -> Identity {
    let way = format!("{is_json} {input:?} {:?}", service.reading);
    let mut parts = vec![&b"http"[..], service.url.as_str().as_bytes(), way.as_bytes()];
    for (name, value) in &service.headers {
        parts.extend([name.as_str().as_bytes(), value.as_bytes()]);
    }
    Identity::of(&parts)
}

/// A client that keeps its connections.
fn client(url: &Url) -> Result<Client, Fault> {
    // Another part of the process may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("afferent/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true);
    // Certificates are looked for where they are needed: a machine may have none.
    let client = if url.scheme() == "https" { client } else { client.tls_certs_only([]) };
    client.build().map_err(|error| Fault::new("no connection can be made").because(error))
}

impl Call for HttpCall {
    fn keeps_here(&self) -> Option<&'static str> {
        let why = "with `skip_unchanged` each question is compared with the one before it";
        self.unchanged.as_ref().map(|_| why)
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        // Another host may ask, which has gathered the question.
        if !is_of(&self.format, question) {
            reply.fail(Fault::data("a question that is no frame of the input's format"));
            return Ok(());
        }
        let reply = match &mut self.unchanged {
            None => reply,
            Some(unchanged) => match unchanged.meet(question.buffer(), reply) {
                Some(reply) => reply,
                None => return Ok(()),
            },
        };
        let (asked, within) = (self.size(question), self.within);
        let (body, headers) = question::written(&self.format, question, self.is_json)?;
        let service = self.service.clone();
        let ask = move |reply: Reply| {
            reply.spawn(async move { Ok(service.ask(body, headers, asked, within).await?.into()) });
        };
        let Some(cache) = &self.cache else {
            ask(reply);
            return Ok(());
        };
        let written = what(&self.format, question);
        let question = Question {
            key: Key::of(self.identity, &written),
            bytes: written.len(),
            patience: self.within,
            fit: &self.fit,
            serves: None,
            cost: None,
        };
        cache.ask(question, reply, || ask);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice) {
        if let Some(unchanged) = &mut self.unchanged {
            unchanged.forget();
        }
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let wrong = |problem: Diagnostic| Fault::new(problem.message);
        let (in_flight, within) =
            (node.get(&IN_FLIGHT).map_err(wrong)?, within(node).map_err(wrong)?);
        let unchanged = Unchanged::of(node).map_err(wrong)?;
        (self.in_flight, self.within) = (in_flight as usize, within);
        self.unchanged = unchanged.map(|it| it.after(self.unchanged.take()));
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        self.unchanged.as_ref()?.remark()
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.within)
    }

    fn fallback(&mut self, question: &Frame) -> Option<Answer> {
        let asked = self.size(question);
        self.fallback.as_ref().map(|stands_in| stands_in.buffer(asked).into())
    }
}

/// Whether a frame has the size that its format says, so that what reads it stays inside.
fn is_of(format: &Format, frame: &Frame) -> bool {
    let (count, bytes) = (frame.len(), frame.buffer().bytes_len());
    match format {
        Format::Signal(signal) => {
            count <= signal.frame_len && bytes == 4 * signal.channels.len() * count
        }
        Format::Image(image) => {
            let depth = if image.pixel == engine::Pixel::Gray8 { 1 } else { 3 };
            bytes == image.width * image.height * depth
        }
        Format::Event(event) => bytes >= 16 + 8 * event.fields.len(),
        Format::Tensor(_) => true,
    }
}

/// What makes two questions the same: everything but when. As many numbers may be of several shapes.
fn what(format: &Format, frame: &Frame) -> Vec<u8> {
    let timeless = Frame::new(Header::at(engine::Timestamp::ZERO), frame.buffer().clone());
    match format {
        // Two events of equal fields need not be equal in every byte of their buffers.
        Format::Event(_) => question::json(format, &timeless)
            .map_or(Vec::new(), |json| json.to_string().into_bytes()),
        Format::Signal(_) | Format::Tensor(_) | Format::Image(_) => {
            let shape = match format {
                Format::Tensor(tensor) => question::shape(tensor, frame).unwrap_or_default(),
                _ => vec![frame.len()],
            };
            let lens = shape.iter().flat_map(|len| (*len as u64).to_le_bytes());
            let mut bytes: Vec<u8> = lens.collect();
            bytes.extend_from_slice(frame.buffer().bytes());
            bytes
        }
    }
}

impl Service {
    async fn ask(
        &self,
        body: Vec<u8>,
        headers: HeaderMap,
        asked: (usize, usize),
        within: Duration,
    ) -> Result<engine::Buffer, Fault> {
        let request = self.client.post(self.url.clone());
        let accept = match &self.reading {
            Reading::Event(_) => "application/json",
            Reading::Floats { .. } => "application/octet-stream",
        };
        let request = request.header(ACCEPT, accept).headers(headers);
        let request = request.headers(self.headers.clone()).body(body);
        // Others may wait for the answer when whoever asked first does no more: this ends it for all, a
        // little later, so that for whoever asked it is late and has not failed.
        let request = request.timeout(within.saturating_add(GRACE));
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = body_of(answer, self.bytes_max(asked)).await?;
        if !status.is_success() {
            let said = String::from_utf8_lossy(&bytes);
            let said: String = said.trim().chars().take(200).collect();
            let text = if said.is_empty() { String::new() } else { format!(": {said}") };
            return Err(Fault::data(format!("`{}` answered {status}{text}", self.shown)));
        }
        self.reading.read(&bytes, asked)
    }

    fn bytes_max(&self, asked: (usize, usize)) -> usize {
        match &self.reading {
            Reading::Event(_) => JSON_BYTES_MAX,
            // An error may be told in more words than the answer has bytes.
            Reading::Floats { count } => 4 * count.unwrap_or(asked.0 * asked.1) + (4 << 10),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        // The innermost reason is what the reader can do something about.
        let mut reason: &dyn std::error::Error = error;
        while let Some(inner) = reason.source() {
            reason = inner;
        }
        Fault::data(format!("cannot ask `{}`: {reason}", self.shown))
    }
}

/// The body of an answer, unless it is longer than anything that could be meant.
async fn body_of(mut answer: Response, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let broken = |error| Fault::data("the answer broke off").because(error);
    while let Some(part) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + part.len() > bytes_max {
            return Err(Fault::data(format!("the answer has more than {bytes_max} bytes")));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
