//! Redis as second level, against a real server of each test's own.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use afferent_suite::{kinds::tallied, onnx};
use model::{
    backend::mock::{Behaviour, Cost, Mock},
    cache::{Cache, CacheOptions, RedisOptions},
};

use crate::{
    LIMIT,
    cache::{Asker, Gate, LEN, Listener, cache_with},
    run,
    sections::file,
    server::wait,
};

/// A Redis on a port of its own, ended with this.
struct Server {
    child: Child,
    port: u16,
    password: Option<&'static str>,
}

impl Server {
    /// None, loudly, where there is no such program.
    fn start(password: Option<&'static str>) -> Option<Self> {
        for _ in 0..20 {
            // Somebody else may take the port before it does: then it ends, and another is tried.
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "no", "--dir"]).arg(std::env::temp_dir());
            command.args(password.map(|word| ["--requirepass", word]).into_iter().flatten());
            let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
                eprintln!("SKIPPED: there is no redis-server; `make setup` installs it");
                return None;
            };
            let mut this = Self { child, port, password };
            while this.child.try_wait().expect("its child").is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(this);
                }
                wait(Duration::from_millis(5));
            }
        }
        panic!("no redis-server comes up");
    }

    fn options(&self) -> RedisOptions {
        RedisOptions {
            address: format!("redis://127.0.0.1:{}/", self.port),
            password: self.password.map(str::to_owned),
            // On a machine full of other tests a thread may wait longer than the usual budget.
            budget: Duration::from_secs(5),
            prefix: "test".to_owned(),
        }
    }

    fn cache(&self) -> Arc<Cache> {
        cached(self.options())
    }

    /// What the server says to a command, as it stands on the wire.
    fn says(&self, words: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it is there");
        let mut text = Vec::new();
        let password = self.password.map(|word| vec![&b"AUTH"[..], word.as_bytes()]);
        for words in password.into_iter().chain([words.to_vec(), vec![b"QUIT"]]) {
            text.extend(format!("*{}\r\n", words.len()).into_bytes());
            for word in words {
                text.extend(format!("${}\r\n", word.len()).into_bytes());
                text.extend([word, b"\r\n"].concat());
            }
        }
        stream.write_all(&text).expect("it listens");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("it answers and hangs up");
        let said = said.strip_suffix(b"+OK\r\n").expect("a farewell");
        let said =
            if self.password.is_some() { said.strip_prefix(b"+OK\r\n").expect("in") } else { said };
        said.to_vec()
    }

    /// The name of its only key, once that is there.
    fn only_key(&self) -> Vec<u8> {
        let began = Instant::now();
        while self.says(&[b"DBSIZE"]) != b":1\r\n" {
            assert!(began.elapsed() < LIMIT, "no answer was written");
            wait(Duration::from_millis(2));
        }
        let said = self.says(&[b"KEYS", b"*"]);
        said.split(|&byte| byte == b'\n').nth(2).expect("a name").trim_ascii_end().to_vec()
    }

    /// Waits until something else than this value is there: answers are written when they are.
    fn until_rewritten(&self, name: &[u8], before: &[u8]) {
        let began = Instant::now();
        while self.says(&[b"GET", name]) == before {
            assert!(began.elapsed() < LIMIT, "no answer was written");
            wait(Duration::from_millis(2));
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may end by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cached(redis: RedisOptions) -> Arc<Cache> {
    cache_with(CacheOptions {
        entries: 1_000,
        bytes: 1 << 20,
        lasts: Duration::from_secs(600),
        redis: Some(redis),
    })
}

fn doubles() -> Mock {
    Mock::new(LEN, Cost::default(), Behaviour::Doubles)
}

/// A model that answers nothing.
fn fails() -> Mock {
    Mock::new(LEN, Cost::default(), Behaviour::Fails)
}

#[test]
fn another_host_finds_what_was_answered_here() {
    let Some(server) = Server::start(None) else { return };
    let here = Asker::new(&server.cache(), doubles());
    assert_eq!(here.hear(1.5), Ok(vec![3.0; LEN]));
    let counts = here.cache.counts();
    assert_eq!((counts.misses, counts.redis_misses, counts.redis_failed), (1, 1, 0));
    let name = String::from_utf8(server.only_key()).expect("text");
    assert!(name.starts_with("test:1:") && name.len() == 7 + 32 + 1 + 32, "{name}");
    let left = String::from_utf8(server.says(&[b"PTTL", name.as_bytes()])).expect("a number");
    let left: i64 = left.trim_start_matches(':').trim().parse().expect("milliseconds");
    assert!((1..=600_000).contains(&left), "{left}");

    let mock = fails();
    let there = Asker::new(&server.cache(), mock.clone());
    assert_eq!(there.hear(1.5), Ok(vec![3.0; LEN]));
    assert_eq!(there.hear(1.5), Ok(vec![3.0; LEN]));
    let counts = there.cache.counts();
    assert_eq!((counts.redis_hits, counts.hits, counts.misses, mock.runs()), (1, 1, 0, 0));
    assert!(counts.saved_ns > 0);
}

#[test]
fn an_answer_is_no_younger_for_having_been_in_redis() {
    let Some(server) = Server::start(None) else { return };
    assert!(Asker::new(&server.cache(), doubles()).hear(1.0).is_ok());
    let name = server.only_key();
    assert_eq!(server.says(&[b"PEXPIRE", &name, b"300"]), b":1\r\n");

    let there = Asker::new(&server.cache(), doubles());
    assert_eq!(there.hear(1.0), Ok(vec![2.0; LEN]));
    // On a busy machine the 300 ms may be over before it asks.
    let found = there.cache.counts();
    assert_eq!(found.redis_hits + found.misses, 1);
    wait(Duration::from_millis(310));
    assert_eq!(there.hear(1.0), Ok(vec![2.0; LEN]));
    let counts = there.cache.counts();
    assert_eq!(counts.hits + counts.misses - found.misses, 1);
    assert_eq!(counts.hits, found.misses, "what Redis has let go of was still in memory");
}

#[test]
fn what_is_foreign_or_damaged_is_refused_and_asked_anew() {
    let Some(server) = Server::start(None) else { return };
    assert!(Asker::new(&server.cache(), doubles()).hear(1.0).is_ok());
    let name = server.only_key();
    let said = server.says(&[b"GET", &name]);
    let at = said.iter().position(|&byte| byte == b'\n').expect("a length") + 1;
    let value = said[at..said.len() - 2].to_vec();

    let mut bent = value.clone();
    *bent.last_mut().expect("numbers") ^= 1;
    let endless = vec![b'x'; 6 << 20];
    let cut = value[..value.len() - 4].to_vec();
    for (what, value) in
        [("bent", bent), ("cut", cut), ("text", b"hello".to_vec()), ("long", endless)]
    {
        assert_eq!(server.says(&[b"SET", &name, &value]), b"+OK\r\n", "{what}");
        let before = server.says(&[b"GET", &name]);
        let asker = Asker::new(&server.cache(), doubles());
        assert_eq!(asker.hear(1.0), Ok(vec![2.0; LEN]), "{what}");
        let counts = asker.cache.counts();
        assert_eq!((counts.redis_refused, counts.misses), (1, 1), "{what}: {counts:?}");
        server.until_rewritten(&name, &before);
    }
    // The answer to another question, whole.
    let other = String::from_utf8(name.clone()).expect("text");
    assert_eq!(server.says(&[b"FLUSHALL"]), b"+OK\r\n");
    let asker = Asker::new(&server.cache(), doubles());
    assert!(asker.hear(9.0).is_ok());
    let nine = server.only_key();
    assert_ne!(nine, other.as_bytes());
    assert!(server.says(&[b"RENAME", &nine, &name]).starts_with(b"+OK"));
    let before = server.says(&[b"GET", &name]);
    let asker = Asker::new(&server.cache(), doubles());
    assert_eq!(asker.hear(1.0), Ok(vec![2.0; LEN]));
    assert_eq!(asker.cache.counts().redis_refused, 1);
    server.until_rewritten(&name, &before);
    // Something that is no value at all.
    server.says(&[b"FLUSHALL"]);
    assert_eq!(server.says(&[b"RPUSH", &name, b"a", b"b"]), b":2\r\n");
    let asker = Asker::new(&server.cache(), doubles());
    assert_eq!(asker.hear(1.0), Ok(vec![2.0; LEN]));
    let counts = asker.cache.counts();
    assert_eq!((counts.redis_refused, counts.redis_openings), (1, 0), "{counts:?}");
}

#[test]
fn a_redis_that_stands_still_is_left_alone_until_it_moves() {
    let Some(server) = Server::start(None) else { return };
    let budget = Duration::from_millis(20);
    let asker = Asker::new(&cached(RedisOptions { budget, ..server.options() }), doubles());
    assert!(asker.hear(0.5).is_ok());
    server.signal("-STOP");
    for n in 1..=20 {
        assert_eq!(asker.hear(n as f32), Ok(vec![2.0 * n as f32; LEN]));
    }
    let counts = asker.cache.counts();
    assert_eq!((counts.misses, counts.failed), (21, 0));
    assert_eq!(counts.redis_openings, 1, "{counts:?}");
    // Those before it opened; on a busy machine the first may have been late as well.
    assert!((4..=7).contains(&(counts.redis_late + counts.redis_failed)), "{counts:?}");
    assert!(counts.redis_unwritten >= 14, "{counts:?}");

    server.signal("-CONT");
    let (began, found) = (Instant::now(), counts.redis_misses);
    let mut n = 100.0;
    while asker.cache.counts().redis_misses < found + 5 {
        assert!(began.elapsed() < LIMIT, "{:?}", asker.cache.counts());
        assert_eq!(asker.hear(n), Ok(vec![2.0 * n; LEN]));
        n += 1.0;
        wait(Duration::from_millis(5));
    }
}

#[test]
fn a_redis_that_is_not_there_is_gone_on_without() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("redis://{}", port.local_addr().expect("bound"));
    drop(port);
    let redis = RedisOptions {
        address,
        password: None,
        budget: Duration::from_secs(5),
        prefix: "test".to_owned(),
    };
    let asker = Asker::new(&cached(redis), doubles());
    for n in 0..50 {
        assert_eq!(asker.hear(n as f32), Ok(vec![2.0 * n as f32; LEN]));
    }
    let counts = asker.cache.counts();
    assert_eq!((counts.misses, counts.redis_hits, counts.failed), (50, 0, 0));
    assert!(counts.redis_openings >= 1 && counts.redis_failed < 50, "{counts:?}");
}

#[test]
fn the_password_stands_in_the_environment_alone() {
    // A variable that is set in every test process.
    const WORD: &str = "CARGO_PKG_NAME";
    let Some(server) = Server::start(Some(env!("CARGO_PKG_NAME"))) else { return };
    let path = file("behind_password.onnx", &onnx::unary("Relu", &[None, Some(10)]));
    let text = |name: &str, more: &str| {
        let sections = format!(
            "[cache.answers]\nredis = \"redis://127.0.0.1:{}\"\nredis_budget_ms = 1_000.0\n{more}\n\
             [model.m]\nfile = {path:?}\nbackend = \"rten\"\ncache = \"answers\"\n",
            server.port
        );
        crate::graph(name, &sections, "op = \"infer\"\nmodel = \"m\"\nin_flight = 1")
    };
    let told = |text: &str| run(text).0.report().services[0].1.clone();
    let want: Vec<f32> = (0..400).map(|n| n as f32).collect();

    let said = told(&text("locked_out", ""));
    assert_eq!(tallied("locked_out").0, want);
    assert!(said.contains("requests failed") && !said.contains("in Redis"), "{said}");

    let with = format!("redis_password_env = {WORD:?}");
    let said = told(&text("let_in", &with));
    assert_eq!(tallied("let_in").0, want);
    assert!(!said.contains("failed"), "{said}");
    let began = Instant::now();
    while server.says(&[b"DBSIZE"]) != b":40\r\n" {
        assert!(began.elapsed() < LIMIT, "not all answers were written");
        wait(Duration::from_millis(2));
    }
    // A run that begins again finds all of them.
    let said = told(&text("found_again", &with));
    assert_eq!(tallied("found_again").0, want);
    assert!(
        said.starts_with("40 questions, 100.0 % not asked: 0 in memory, 40 in Redis"),
        "{said}"
    );
    let options = format!("{:?}", server.options());
    assert!(!options.contains(env!("CARGO_PKG_NAME")), "{options}");
}

#[test]
fn many_lookups_at_once_keep_apart() {
    let Some(server) = Server::start(None) else { return };
    let here = Asker::new(&server.cache(), doubles());
    for n in 0..500 {
        here.ask(
            n as f32,
            Listener::reply(&mpsc::channel().0, n, &Arc::new(AtomicBool::new(true))),
        );
    }
    let began = Instant::now();
    while server.says(&[b"DBSIZE"]) != b":500\r\n" {
        assert!(began.elapsed() < LIMIT, "{:?}", here.cache.counts());
        wait(Duration::from_millis(5));
    }
    let gate = Gate::new();
    let there = Asker::new(&server.cache(), gate.clone());
    let (told, heard) = mpsc::channel();
    for n in 0..1_000 {
        let reply = Listener::reply(&told, n, &Arc::new(AtomicBool::new(true)));
        there.ask((n % 500) as f32, reply);
    }
    for _ in 0..1_000 {
        let (n, answer) = heard.recv_timeout(LIMIT).expect("everybody is answered");
        assert_eq!(answer, Ok(vec![2.0 * (n % 500) as f32; LEN]));
    }
    assert_eq!(gate.runs.load(Ordering::SeqCst), 0);
    let counts = there.cache.counts();
    assert_eq!((counts.redis_hits, counts.hits + counts.waits), (500, 500));
}
