//! What an answer from a cache costs: from memory, on the asking thread, and from Redis.
//!
//! A question of 1 KiB that was asked before: nanoseconds of processor time from its bytes to its answer, beside a lookup in the
//! standard library's map behind a lock with the same hash; and in a graph, from source to sink. A
//! thousand who ask the same at once from four threads: how often the model runs. Answers that only Redis
//! has: microseconds from asking to hearing, one after the other, beside a bare GET over a blocking
//! socket to the same server.

mod support;

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use afferent_suite::NoFiles;
use engine::{
    Answer, Buffer, Catalog, Dimension, Element, Fault, Format, GraphSpec, PlanOptions, Relay,
    Reply, Service, Services, SourceText, TensorFormat,
};
use model::{
    backend::mock::{Behaviour, Cost, Mock},
    cache::{Cache, CacheOptions, Fit, Identity, Key, Question, RedisOptions},
    host::{Manner, Model, ModelService, Workers},
};
use support::{
    Bench,
    graph::{at_max, run_to_end},
    kinds::KINDS,
    process, quantile,
};
use xxhash_rust::xxh3::xxh3_128;

/// Samples of a question: 1 KiB.
const LEN: usize = 256;

fn main() {
    let bench = Bench::start("caching");
    let count = bench.scale(1_000_000, 2_000);
    let looked_up = bench.scale(2_000, 50);
    let server = Server::start();
    let names = [
        "hit of 1 KiB",
        "hash and a locked map",
        "hit of 64 B",
        "hit in a graph",
        "runs of 1 000 at once",
    ];
    let runs = bench.interleaved([
        (names[0], &mut || hits(count, LEN)),
        (names[1], &mut || locked_map(count)),
        (names[2], &mut || hits(count, 16)),
        (names[3], &mut || in_a_graph(count)),
        (names[4], &mut || flock()),
    ]);
    let figures = runs.map(|runs| runs.of(|&figure| figure));
    for (variant, figure) in names.into_iter().zip(&figures) {
        let unit = if variant == names[4] { "runs" } else { "ns" };
        bench.report("caching", &[("variant", variant)], &[(unit, figure)]);
    }
    bench.verdict("an exact hit of 1 KiB, ns", &figures[0], 1_000.0);
    bench.verdict("runs for a thousand at once", &figures[4], 1.0);
    let Some(server) = server else {
        println!("  SKIPPED: there is no redis-server; `make setup` installs it");
        return;
    };
    let names = ["hit in Redis, p50", "bare GET, p50"];
    let runs = bench.interleaved([
        (names[0], &mut || from_redis(&server, looked_up)),
        (names[1], &mut || bare_get(&server, looked_up)),
    ]);
    let figures = runs.map(|runs| runs.of(|&figure| figure));
    for (variant, figure) in names.into_iter().zip(&figures) {
        bench.report("caching", &[("variant", variant)], &[("us", figure)]);
    }
    bench.verdict("a hit in Redis, us, p50", &figures[0], 1_000.0);
}

fn cache(redis: Option<RedisOptions>) -> Arc<Cache> {
    let lasts = Duration::from_secs(3_600);
    Cache::new(&CacheOptions { entries: 10_000, bytes: 64_000_000, lasts, redis }).expect("sound")
}

fn question(number: usize, len: usize) -> Buffer {
    let mut samples = Buffer::signal(1, len);
    samples.floats_mut().expect("fresh").fill(number as f32);
    samples
}

fn fit(len: usize) -> Arc<Fit> {
    let shape = vec![Dimension::Fixed(len)];
    Arc::new(Fit::of(vec![Format::Tensor(TensorFormat { element: Element::F32, shape }.into())]))
}

/// Adds up what it hears.
#[derive(Default)]
struct Sum {
    answers: AtomicU64,
    sum: AtomicU64,
}

impl Relay for Sum {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        let answer = answer.expect("nothing fails");
        let first = answer.payloads()[0].1.floats()[0];
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(first as u64, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

/// Answers with twice what was asked about.
fn twice(samples: &Buffer) -> impl FnOnce(Reply) + Send + 'static {
    let samples = samples.clone();
    move |reply: Reply| {
        let mut answer = samples.copied();
        answer.floats_mut().expect("a copy").iter_mut().for_each(|sample| *sample *= 2.0);
        reply.answer(answer);
    }
}

fn ask(cache: &Arc<Cache>, way: Identity, fit: &Arc<Fit>, samples: &Buffer, reply: Reply) {
    let about = Question {
        key: Key::of(way, samples.bytes()),
        bytes: samples.bytes_len(),
        patience: Duration::from_secs(60),
        fit,
        serves: None,
        cost: None,
    };
    cache.ask(about, reply, || twice(samples));
}

/// Questions that differ, asked in turn.
const QUESTIONS: usize = 1_000;

/// Nanoseconds of processor time a question that is answered from memory.
fn hits(count: usize, len: usize) -> f64 {
    let (cache, way, fit) = (cache(None), Identity::of(&[b"bench"]), fit(len));
    let questions: Vec<Buffer> = (0..QUESTIONS).map(|n| question(n, len)).collect();
    let heard = Arc::new(Sum::default());
    for samples in &questions {
        ask(&cache, way, &fit, samples, Reply::through(heard.clone()));
    }
    let before = heard.sum.load(Ordering::Relaxed);
    let began = process::thread_cpu_s();
    for n in 0..count {
        ask(&cache, way, &fit, &questions[n % QUESTIONS], Reply::through(heard.clone()));
    }
    let took_s = process::thread_cpu_s() - began;
    let want: usize = (0..count).map(|n| 2 * (n % QUESTIONS)).sum();
    assert_eq!(heard.sum.load(Ordering::Relaxed) - before, want as u64);
    let counts = cache.counts();
    assert_eq!((counts.hits, counts.misses), (count as u64, QUESTIONS as u64));
    1e9 * took_s / count as f64
}

/// Nanoseconds a question to a map behind a lock.
fn locked_map(count: usize) -> f64 {
    let questions: Vec<Buffer> = (0..QUESTIONS).map(|n| question(n, LEN)).collect();
    let answers: HashMap<u128, Buffer> =
        questions.iter().map(|samples| (xxh3_128(samples.bytes()), samples.copied())).collect();
    let answers = Mutex::new(answers);
    let (mut sum, began) = (0.0, process::thread_cpu_s());
    for n in 0..count {
        let key = xxh3_128(questions[n % QUESTIONS].bytes());
        let answer = answers.lock().expect("sound").get(&key).cloned().expect("it is there");
        sum += f64::from(answer.floats()[0]);
    }
    let took_s = process::thread_cpu_s() - began;
    assert_eq!(sum, (0..count).map(|n| (n % QUESTIONS) as f64).sum::<f64>());
    1e9 * took_s / count as f64
}

/// Nanoseconds a question of a graph whose answers are all in memory, from its source to its sink.
fn in_a_graph(count: usize) -> f64 {
    let text = format!(
        r#"
        [graph]
        name = "caching"
        [node.same]
        op = "sine"
        rate_hz = 256e3
        seconds = {}
        amplitude = 0.0
        offset = 1.0
        frame_ms = 1.0
        [node.ask]
        op = "infer"
        from = "same"
        model = "m"
        in_flight = 64
        [node.out]
        op = "bench_taken"
        from = "ask"
        "#,
        count as f64 / 1e3
    );
    let spec = GraphSpec::parse(&SourceText::new("caching.toml", text)).expect("a graph");
    let mock = Mock::new(LEN, Cost::default(), Behaviour::Doubles);
    let model = Model::new(
        "m",
        Arc::new(mock.clone()),
        32,
        &Workers::with(Manner { threads: 1, warms_up: false, ..Manner::default() }),
    );
    let service = ModelService::new(model, Vec::new()).cached(cache(None));
    let service: Arc<dyn Service> = Arc::new(service);
    let services = Services::new([("m".to_owned(), service)]);
    let options = PlanOptions { services, ..PlanOptions::new(Arc::new(NoFiles)) };
    let catalog = Catalog::new(&[KINDS, operators::CATALOG, model::CATALOG]);
    let plan = spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}"));
    let began = Instant::now();
    let report = run_to_end(&Arc::new(plan), &at_max(1));
    let took = began.elapsed();
    let answered = report.edges.iter().find(|edge| edge.to == "out").expect("an edge");
    assert_eq!((answered.frames.taken, mock.questions()), (count as u64, 1));
    1e9 * took.as_secs_f64() / count as f64
}

/// How often a model runs that a thousand ask the same, from four threads.
fn flock() -> f64 {
    let (cache, way, fit) = (cache(None), Identity::of(&[b"bench"]), fit(LEN));
    let (samples, runs) = (question(21, LEN), Arc::new(AtomicUsize::new(0)));
    let heard = Arc::new(Sum::default());
    let (held, model) = mpsc::channel::<Reply>();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    let about = Question {
                        key: Key::of(way, samples.bytes()),
                        bytes: samples.bytes_len(),
                        patience: Duration::from_secs(60),
                        fit: &fit,
                        serves: None,
                        cost: None,
                    };
                    cache.ask(about, Reply::through(heard.clone()), || {
                        let (held, runs) = (held.clone(), runs.clone());
                        move |reply| {
                            runs.fetch_add(1, Ordering::Relaxed);
                            held.send(reply).expect("the model listens");
                        }
                    });
                }
            });
        }
    });
    drop(held);
    model.into_iter().for_each(|reply| twice(&samples)(reply));
    assert_eq!(heard.answers.load(Ordering::Relaxed), 1_000);
    assert_eq!(heard.sum.load(Ordering::Relaxed), 42 * 1_000);
    runs.load(Ordering::Relaxed) as f64
}

/// A Redis on a port of its own, ended with this.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut this = Self { child: quiet.spawn().ok()?, port };
            while this.child.try_wait().expect("its child").is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(this);
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        None
    }

    fn cache(&self) -> Arc<Cache> {
        cache(Some(RedisOptions {
            address: format!("redis://127.0.0.1:{}", self.port),
            password: None,
            budget: Duration::from_secs(1),
            prefix: "bench".to_owned(),
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells a thread what was said.
struct Tell(mpsc::Sender<f32>);

impl Relay for Tell {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        let answer = answer.expect("nothing fails");
        self.0.send(answer.payloads()[0].1.floats()[0]).expect("somebody listens");
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

/// The median of microseconds from asking to hearing what only Redis has.
fn from_redis(server: &Server, count: usize) -> f64 {
    let (way, fit) = (Identity::of(&[b"bench"]), fit(LEN));
    let (told, heard) = mpsc::channel();
    let hear = |cache: &Arc<Cache>, n: usize| {
        ask(cache, way, &fit, &question(n, LEN), Reply::through(Arc::new(Tell(told.clone()))));
        assert_eq!(heard.recv().expect("an answer"), 2.0 * n as f32);
    };
    let before = server.cache();
    (0..count).for_each(|n| hear(&before, n));
    // Its last answers are written when it is let go.
    drop(before);
    let fresh = server.cache();
    hear(&fresh, 0);
    let mut took = Vec::with_capacity(count);
    for n in 1..count {
        let began = Instant::now();
        hear(&fresh, n);
        took.push(1e6 * began.elapsed().as_secs_f64());
    }
    let counts = fresh.counts();
    assert_eq!((counts.redis_hits, counts.misses), (count as u64, 0), "{counts:?}");
    took.sort_by(f64::total_cmp);
    quantile(&took, 0.5)
}

/// The median of microseconds of a GET of 1 KiB over a blocking socket.
fn bare_get(server: &Server, count: usize) -> f64 {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it is there");
    stream.set_nodelay(true).expect("a socket");
    let value = vec![b'v'; 4 * LEN];
    let set = format!("*3\r\n$3\r\nSET\r\n$4\r\nbare\r\n${}\r\n", value.len());
    stream.write_all(&[set.as_bytes(), &value, b"\r\n"].concat()).expect("it listens");
    let mut said = [0; 5];
    stream.read_exact(&mut said).expect("it answers");
    assert_eq!(&said, b"+OK\r\n");
    let mut said = vec![0; format!("${}\r\n", value.len()).len() + value.len() + 2];
    let mut took = Vec::with_capacity(count);
    for _ in 1..count {
        let began = Instant::now();
        stream.write_all(b"*2\r\n$3\r\nGET\r\n$4\r\nbare\r\n").expect("it listens");
        stream.read_exact(&mut said).expect("it answers");
        took.push(1e6 * began.elapsed().as_secs_f64());
    }
    assert!(said.ends_with(b"v\r\n"));
    took.sort_by(f64::total_cmp);
    quantile(&took, 0.5)
}
