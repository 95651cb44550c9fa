//! Caches: what was asked before is not asked again, whoever asks, and nobody waits for what never comes.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use afferent_suite::{kinds::tallied, onnx};
use engine::{
    Answer, Buffer, Dimension, Element, Fault, Format, GraphSpec, Relay, Reply, Service, Services,
    SourceText, TensorFormat,
};
use model::{
    backend::{
        Array, Loaded, Runner, Values,
        mock::{Behaviour, Cost, Mock},
    },
    cache::{Cache, CacheOptions, Fit, Identity, Key, Question},
    host::{Chain, Door, Model, ModelService, Moment, Row, Rowwise, Terms, Trial, Way},
    signature::{Element as Number, Signature, Slot},
};

use crate::{LIMIT, cold, plan_of, run, run_plan, sections::file, try_plan};

pub(crate) const LEN: usize = 4;

/// A cache of its own, without Redis.
fn cache() -> Arc<Cache> {
    cache_with(CacheOptions {
        entries: 1_000,
        bytes: 1 << 20,
        lasts: Duration::from_secs(600),
        redis: None,
    })
}

pub(crate) fn cache_with(options: CacheOptions) -> Arc<Cache> {
    Cache::new(&options).expect("sound options")
}

/// Gives the first output as it is.
struct Whole;

impl Rowwise for Whole {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(0);
        let mut buffer = Buffer::signal(1, numbers.len());
        buffer.floats_mut().expect("fresh").copy_from_slice(numbers);
        Ok(buffer.into())
    }
}

/// A model that is asked through a cache.
pub(crate) struct Asker {
    pub(crate) cache: Arc<Cache>,
    door: Door,
    fit: Arc<Fit>,
    patience: Duration,
}

impl Asker {
    pub(crate) fn new(cache: &Arc<Cache>, loaded: impl Loaded + 'static) -> Self {
        let model = Model::new("m", Arc::new(loaded), 8, &cold(2));
        let way = Way::new(model.signature(), 0, vec![LEN], &[], Box::new(Whole)).expect("a way");
        let door = model.door(way, Terms::default(), &[]).expect("a door");
        let shape = vec![Dimension::Fixed(LEN)];
        let tensor = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        let fit = Arc::new(Fit::of(vec![tensor]));
        Self { cache: cache.clone(), door, fit, patience: LIMIT }
    }

    fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(crate) fn key(number: f32) -> Key {
        Key::of(Identity::of(&[b"test"]), question(number).bytes())
    }

    /// Asks about four times that number.
    pub(crate) fn ask(&self, number: f32, reply: Reply) {
        let samples = question(number);
        let about = Question {
            key: Self::key(number),
            bytes: samples.bytes_len(),
            patience: self.patience,
            fit: &self.fit,
            serves: None,
            cost: None,
        };
        let door = self.door.clone();
        self.cache.ask(about, reply, || move |reply| door.ask(samples, reply));
    }

    /// Asks and waits for what is said.
    pub(crate) fn hear(&self, number: f32) -> Result<Vec<f32>, String> {
        let (told, heard) = mpsc::channel();
        self.ask(number, Listener::reply(&told, 0, &Arc::new(AtomicBool::new(true))));
        heard.recv_timeout(LIMIT).expect("something is said").1
    }
}

fn question(number: f32) -> Buffer {
    let mut samples = Buffer::signal(1, LEN);
    samples.floats_mut().expect("fresh").fill(number);
    samples
}

type Heard = (usize, Result<Vec<f32>, String>);

/// Somebody who asks.
pub(crate) struct Listener {
    number: usize,
    told: Mutex<mpsc::Sender<Heard>>,
    wanted: Arc<AtomicBool>,
}

impl Listener {
    pub(crate) fn reply(
        told: &mpsc::Sender<Heard>,
        number: usize,
        wanted: &Arc<AtomicBool>,
    ) -> Reply {
        let told = Mutex::new(told.clone());
        Reply::through(Arc::new(Self { number, told, wanted: wanted.clone() }))
    }
}

impl Relay for Listener {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        let heard = answer.map(|answer| answer.payloads()[0].1.floats().to_vec());
        let heard = heard.map_err(|fault| fault.to_string());
        // A test that has ended listens no more.
        let _ = self.told.lock().expect("sound").send((self.number, heard));
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// A model that runs when it is let, and then doubles or fails.
#[derive(Clone)]
pub(crate) struct Gate {
    signature: Signature,
    open: Arc<(Mutex<bool>, Condvar)>,
    pub(crate) runs: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let slot = |name: &str| Slot {
            name: name.to_owned(),
            element: Number::F32,
            shape: vec![None, Some(LEN)],
        };
        Self {
            signature: Signature { inputs: vec![slot("x")], outputs: vec![slot("y")] },
            open: Arc::default(),
            runs: Arc::default(),
            fails: Arc::default(),
        }
    }

    pub(crate) fn open(&self) {
        *self.open.0.lock().expect("sound") = true;
        self.open.1.notify_all();
    }

    /// Waits until so many runs have begun.
    fn until(&self, runs: usize) {
        while self.runs.load(Ordering::SeqCst) < runs {
            std::thread::yield_now();
        }
    }
}

impl Loaded for Gate {
    fn backend(&self) -> &'static str {
        "gate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(self.clone()))
    }
}

impl Runner for Gate {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let (open, opened) = &*self.open;
        drop(opened.wait_while(open.lock().expect("sound"), |open| !*open).expect("sound"));
        if self.fails.load(Ordering::SeqCst) {
            return Err(Fault::new("the gate fails, as planned"));
        }
        let Values::F32(values) = &inputs[0].values else { panic!("floats") };
        outputs[0].extend(values.iter().map(|value| 2.0 * value));
        Ok(())
    }
}

#[test]
fn whoever_is_asked_has_as_long_as_the_first_who_asked() {
    let (cache, fit) = (cache(), Arc::new(Fit::of(Vec::new())));
    for limit in [None, Some(Duration::from_secs(5))] {
        let (told, heard) = mpsc::channel();
        let about = Question {
            key: Asker::key(1.0),
            bytes: 4 * LEN,
            patience: LIMIT,
            fit: &fit,
            serves: None,
            cost: None,
        };
        let (reply, _awaited) = engine::testing::reply(limit);
        cache.ask(about, reply, || {
            move |reply: Reply| told.send(reply.left()).expect("somebody listens")
        });
        let left = heard.recv_timeout(LIMIT).expect("it is asked");
        assert_eq!(left.is_some(), limit.is_some());
        assert!(left <= limit, "{left:?}");
        assert!(left.is_none_or(|left| left > Duration::ZERO), "{left:?}");
    }
}

#[test]
fn an_answer_that_another_version_may_have_given_is_not_kept() {
    let (cache, fit) = (cache(), Arc::new(Fit::of(Vec::new())));
    let made = |content| {
        let mock = Mock::new(LEN, Cost::default(), Behaviour::Doubles);
        Chain::one(Arc::new(mock)).with_content(content)
    };
    let model = Model::chained("m", made(1), 8, &cold(1));
    let way = Way::new(model.signature(), 0, vec![LEN], &[], Box::new(Whole)).expect("a way");
    let door = model.door(way, Terms::default(), &[]).expect("a door");
    let held = Mutex::new(None);
    let ask = |moment: &Moment| {
        let about = Question {
            key: Key::of(Identity::of(&[b"held"]).of_content(moment.hash()), &[1]),
            bytes: 1,
            patience: LIMIT,
            fit: &fit,
            serves: Some(moment),
            cost: None,
        };
        let (reply, awaited) = engine::testing::reply(None);
        let (told, heard) = mpsc::channel();
        cache.ask(about, reply, || move |reply: Reply| told.send(reply).expect("sound"));
        *held.lock().expect("sound") = heard.try_recv().ok();
        awaited
    };
    let give = || {
        let reply: Option<Reply> = held.lock().expect("sound").take();
        reply.map(|reply| reply.answer(question(2.0))).is_some()
    };
    // The same version all the time: it is kept.
    let before = model.content().now();
    ask(&before);
    assert!(give());
    ask(&before);
    assert!(!give(), "it is answered already");

    let trial = Trial { questions: 20, agreement: 0.9, share: 0.5 };
    let swap = |to, version| {
        model.offer(made(to), trial).expect("it is alike");
        let began = Instant::now();
        while model.version() < version {
            assert!(began.elapsed() < LIMIT, "never took over");
            let (reply, awaited) = engine::testing::reply(None);
            door.ask(question(1.0), reply);
            drop(awaited.wait(LIMIT));
        }
    };
    swap(2, 2);
    let between = model.content().now();
    assert_eq!((before.is_over(), between.hash()), (true, 2));
    // It was put to version 2; before it is answered another takes over, and the first content is back.
    ask(&between);
    swap(3, 3);
    swap(2, 4);
    assert!(give());
    assert_eq!(model.content().hash(), 2);
    ask(&model.content().now());
    assert!(give(), "nobody can tell who gave the answer before");
}

#[test]
fn a_thousand_who_ask_the_same_at_once_make_one_run() {
    let (cache, gate) = (cache(), Gate::new());
    let asker = Arc::new(Asker::new(&cache, gate.clone()));
    let (told, heard) = mpsc::channel();
    let wanted = Arc::new(AtomicBool::new(true));
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (asker, told, wanted) = (asker.clone(), told.clone(), wanted.clone());
            scope.spawn(move || {
                for n in 0..250 {
                    asker.ask(7.0, Listener::reply(&told, 250 * part + n, &wanted));
                }
            });
        }
    });
    gate.open();
    let mut seen = vec![0; 1_000];
    for _ in 0..1_000 {
        let (number, answer) = heard.recv_timeout(LIMIT).expect("everybody is answered");
        assert_eq!(answer, Ok(vec![14.0; LEN]));
        seen[number] += 1;
    }
    assert_eq!(seen, vec![1; 1_000]);
    assert_eq!(gate.runs.load(Ordering::SeqCst), 1);
    let counts = cache.counts();
    assert_eq!((counts.misses, counts.waits + counts.hits), (1, 999));

    assert_eq!(asker.hear(7.0), Ok(vec![14.0; LEN]));
    assert_eq!(asker.hear(8.0), Ok(vec![16.0; LEN]));
    let counts = cache.counts();
    assert_eq!((counts.misses, counts.entries, counts.questions()), (2, 2, 1_002));
    assert_eq!(counts.saved_bytes, 1_000 * 2 * 4 * LEN as u64);
    assert!(cache.bytes() > 0 && counts.saved_ns > 0);
}

#[test]
fn all_who_wait_for_what_fails_have_failed_and_the_next_asks_anew() {
    let (cache, gate) = (cache(), Gate::new());
    let asker = Asker::new(&cache, gate.clone());
    gate.fails.store(true, Ordering::SeqCst);
    let (told, heard) = mpsc::channel();
    let wanted = Arc::new(AtomicBool::new(true));
    for n in 0..3 {
        asker.ask(1.0, Listener::reply(&told, n, &wanted));
    }
    gate.open();
    for _ in 0..3 {
        let (_, answer) = heard.recv_timeout(LIMIT).expect("nobody hangs");
        assert_eq!(answer, Err("the gate fails, as planned".to_owned()));
    }
    assert_eq!(cache.counts().failed, 3);
    gate.fails.store(false, Ordering::SeqCst);
    assert_eq!(asker.hear(1.0), Ok(vec![2.0; LEN]));
}

#[test]
fn the_first_who_gives_up_fails_nobody_else() {
    let (cache, gate) = (cache(), Gate::new());
    let asker = Asker::new(&cache, gate.clone());
    let (told, heard) = mpsc::channel();
    let (gone, there) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    // Both workers are at work, so that what follows waits to be run.
    for n in 0..2 {
        asker.ask(100.0 + n as f32, Listener::reply(&told, n, &there));
        gate.until(n + 1);
    }
    asker.ask(1.0, Listener::reply(&told, 2, &gone));
    asker.ask(1.0, Listener::reply(&told, 3, &there));
    asker.ask(2.0, Listener::reply(&told, 4, &gone));
    gone.store(false, Ordering::Relaxed);
    gate.open();
    let heard = || heard.recv_timeout(LIMIT).expect("nobody hangs");
    let mut answers = [heard(), heard(), heard(), heard(), heard()];
    answers.sort_by_key(|(number, _)| *number);
    assert_eq!(answers[3].1, Ok(vec![2.0; LEN]));
    // What nobody waits for is not run, and asked anew by the next.
    assert_eq!(answers[4].1, Err("the question was given up".to_owned()));
    assert_eq!(asker.hear(2.0), Ok(vec![4.0; LEN]));
}

#[test]
fn what_runs_longer_than_somebody_would_wait_is_not_waited_for() {
    let (cache, gate) = (cache(), Gate::new());
    let asker = Asker::new(&cache, gate.clone());
    let hasty = Asker::new(&cache, Mock::new(LEN, Cost::default(), Behaviour::Doubles))
        .patient_for(Duration::ZERO);
    let (told, heard) = mpsc::channel();
    let wanted = Arc::new(AtomicBool::new(true));
    asker.ask(3.0, Listener::reply(&told, 0, &wanted));
    gate.until(1);

    assert_eq!(hasty.hear(3.0), Ok(vec![6.0; LEN]));
    assert!(heard.try_recv().is_err());
    gate.open();
    assert_eq!(heard.recv_timeout(LIMIT).expect("still answered").1, Ok(vec![6.0; LEN]));
}

/// A constant signal, about which `nodes` ask.
fn constant(nodes: &str) -> String {
    format!(
        r#"
        [graph]
        name = "asks"
        [node.sine]
        op = "sine"
        seconds = 4.0
        rate_hz = 100.0
        amplitude = 0.0
        offset = 3.0
        frame_ms = 100.0
        {nodes}
        "#
    )
}

fn services(service: ModelService) -> Services {
    let service: Arc<dyn Service> = Arc::new(service);
    Services::new([("m".to_owned(), service)])
}

#[test]
fn all_sessions_share_what_was_answered() {
    let (cache, mock) = (cache(), Mock::new(10, Cost::default(), Behaviour::Doubles));
    let model = crate::model(mock.clone(), 8, &cold(2));
    let service = ModelService::new(model, Vec::new()).cached(cache.clone());
    let nodes = "[node.ask]\nop = \"infer\"\nfrom = \"sine\"\nmodel = \"m\"\n\
                 [node.cached]\nop = \"tally\"\nfrom = \"ask\"";
    let spec = GraphSpec::parse(&SourceText::new("cache.toml", constant(nodes))).expect("a graph");
    run_plan(&plan_of(&spec, services(service)).expect("a plan"), 5);

    assert_eq!(tallied("cached").0, vec![6.0; 5 * 400]);
    assert_eq!(mock.questions(), 1);
    let counts = cache.counts();
    assert_eq!((counts.questions(), counts.misses), (5 * 40, 1));
}

#[test]
fn what_is_read_differently_is_another_question() {
    let (cache, mock) = (cache(), Mock::new(10, Cost::default(), Behaviour::Doubles));
    let model = crate::model(mock.clone(), 8, &cold(2));
    let labels: Vec<String> = (0..10).map(|n| format!("\"{n}\"")).collect();
    let asks = |name: &str, op: &str| {
        format!("[node.{name}]\nop = {op}\nfrom = \"sine\"\nmodel = \"m\"\nin_flight = 1\n")
    };
    let nodes = [
        asks("plain", "\"infer\""),
        asks("scaled", "\"infer\"\nnormalize = \"peak\""),
        asks("again", "\"infer\""),
        asks("kind", &format!("\"classify\"\nlabels = [{}]", labels.join(", "))),
        asks("other", "\"classify\"\nmin_score = 0.5"),
        "[node.read]\nop = \"tally\"\nfrom = [\"plain\", \"scaled\", \"again\"]\n".to_owned(),
        "[node.kinds]\nop = \"tally\"\nfrom = [\"kind\", \"other\"]".to_owned(),
    ];
    let spec = GraphSpec::parse(&SourceText::new("cache.toml", constant(&nodes.concat())));
    let service = ModelService::new(model, Vec::new()).cached(cache.clone());
    run_plan(&plan_of(&spec.expect("a graph"), services(service)).expect("a plan"), 1);

    // As it is and scaled, as numbers; as a class with names and without.
    assert_eq!(mock.questions(), 4);
    assert_eq!(cache.counts().entries, 4);
}

#[test]
fn a_section_names_its_cache_and_a_line_tells_of_it() {
    let (relu, negative) =
        (onnx::unary("Relu", &[None, Some(10)]), onnx::unary("Neg", &[None, Some(10)]));
    let (relu, negative) = (file("cached_relu.onnx", &relu), file("cached_neg.onnx", &negative));
    let nodes = format!(
        "[cache.answers]\nttl_s = 600.0\n\
         [model.relu]\nfile = {relu:?}\nbackend = \"rten\"\ncache = \"answers\"\n\
         [model.neg]\nfile = {negative:?}\nbackend = \"rten\"\ncache = \"answers\"\n\
         [node.up]\nop = \"infer\"\nfrom = \"sine\"\nmodel = \"relu\"\n\
         [node.down]\nop = \"infer\"\nfrom = \"sine\"\nmodel = \"neg\"\n\
         [node.ups]\nop = \"tally\"\nfrom = \"up\"\n[node.downs]\nop = \"tally\"\nfrom = \"down\"\n"
    );
    let (running, _) = run(&constant(&nodes));
    // Models of other files are others.
    assert_eq!((tallied("ups").0, tallied("downs").0), (vec![3.0; 400], vec![-3.0; 400]));
    let services = running.report().services;
    // The two models tell of one run each.
    let names: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cache.answers", "neg", "relu"]);
    let told = &services[0].1;
    assert!(services[1..].iter().all(|(_, told)| told.starts_with("1 answer,")), "{services:?}");
    assert!(told.starts_with("80 questions, 97.5 % not asked: "), "{told}");
    assert!(told.ends_with("holds 2 answers"), "{told}");
}

#[test]
fn a_wrong_section_is_told_with_its_place() {
    let path = file("cached.onnx", &onnx::unary("Relu", &[None, Some(10)]));
    let said = |section: &str| {
        let nodes = format!(
            "{section}\n[model.m]\nfile = {path:?}\nbackend = \"rten\"\ncache = \"answers\"\n\
             [node.ask]\nop = \"infer\"\nfrom = \"sine\"\nmodel = \"m\"\n\
             [node.out]\nop = \"tally\"\nfrom = \"ask\"\n"
        );
        try_plan(&constant(&nodes)).map(|_| ()).unwrap_err().to_string()
    };
    let text = said("[cache.anwers]");
    assert!(text.contains("the graph has no `[cache.answers]`"), "{text}");
    assert!(text.contains("did you mean `anwers`?"), "{text}");

    let text = said("[cache.answers]\nentrys = 3");
    assert!(text.contains("a cache has no parameter `entrys`"), "{text}");
    assert!(text.contains("did you mean `entries`?") && !text.contains("has no `[cache"), "{text}");

    let text = said("[cache.answers]\nredis = \"rediss://far\"");
    assert!(text.contains("a Redis behind TLS is not reached"), "{text}");
    let text = said("[cache.answers]\nredis = \"127.0.0.1\"");
    assert!(text.contains("`redis` is no address of a Redis"), "{text}");
    let text = said("[cache.answers]\nredis = \"redis://:open_sesame@127.0.0.1\"");
    assert!(text.contains("a password in `redis` is read by everybody"), "{text}");
    let text = said("[cache.answers]\nredis = \"redis://h\"\nredis_password_env = \"NOT_SET_1\"");
    assert!(text.contains("the environment variable `NOT_SET_1` holds no password"), "{text}");
}
