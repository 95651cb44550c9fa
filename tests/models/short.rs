//! Short runs are made by whoever asks; all others on threads of the host.

use std::{
    sync::{Arc, Mutex},
    thread::ThreadId,
    time::{Duration, Instant},
};

use afferent_suite::onnx;
use engine::{Fault, RunOptions};
use model::{
    backend::{
        Array, Loaded, Runner,
        mock::{Behaviour, Cost, Mock},
        rten,
    },
    host::{Chain, Door, Model, Priority, Terms, Trial, Workers},
    signature::Signature,
};

use crate::{
    LIMIT,
    host::{answer, ask, door},
    plan_with, suite,
};

/// A mock that notes who runs it.
#[derive(Clone)]
struct Noted {
    mock: Mock,
    factor: f32,
    is_bounded: bool,
    ran_on: Arc<Mutex<Option<ThreadId>>>,
}

impl Noted {
    fn new(cost: Cost, is_bounded: bool) -> Self {
        let mock = Mock::new(1, cost, Behaviour::Doubles);
        Self { mock, factor: 1.0, is_bounded, ran_on: Arc::default() }
    }

    fn ran_here(&self) -> bool {
        *self.ran_on.lock().expect("whole") == Some(std::thread::current().id())
    }
}

impl Loaded for Noted {
    fn backend(&self) -> &'static str {
        "noted"
    }

    fn signature(&self) -> &Signature {
        self.mock.signature()
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(self.clone()))
    }

    fn is_bounded(&self) -> bool {
        self.is_bounded
    }
}

impl Runner for Noted {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        *self.ran_on.lock().expect("whole") = Some(std::thread::current().id());
        self.mock.run(inputs, outputs)?;
        outputs[0].iter_mut().for_each(|value| *value *= self.factor);
        Ok(())
    }
}

fn ns(nanos: u64) -> Cost {
    Cost { first: Duration::from_nanos(nanos), more: Duration::ZERO }
}

/// Asks now and then until the answer comes from this very thread; says how often.
fn until_here(door: &Door, noted: &Noted) -> usize {
    let began = Instant::now();
    (1..)
        .find(|&n| {
            assert!(began.elapsed() < LIMIT, "never ran here");
            seldom(door, n as f32);
            noted.ran_here()
        })
        .expect("or it panics")
}

/// Asks once, a while after the last time; the answer per what was asked.
fn seldom(door: &Door, n: f32) -> f32 {
    std::thread::park_timeout(Duration::from_millis(2));
    answer(&ask(door, &[n]))[0] / n
}

#[test]
fn a_short_run_is_made_by_whoever_asks_unless_it_is_of_low_priority() {
    let noted = Noted::new(ns(1_000), true);
    let model = Model::new("m", Arc::new(noted.clone()), 4, &Workers::new(1));
    let normal = door(&model, Terms::default());
    until_here(&normal, &noted);
    assert!(model.tally().short > 0);

    let low = door(&model, Terms { priority: Priority::Low, ..Terms::default() });
    for n in 1..100 {
        assert_eq!(seldom(&low, n as f32), 2.0);
        assert!(!noted.ran_here());
    }
    let tally = model.tally();
    assert_eq!((tally.answered, tally.failed, tally.inside), (tally.asked, 0, 0));
}

#[test]
fn what_may_never_end_or_takes_long_is_run_by_workers() {
    let short = Noted::new(ns(1_000), true);
    let model = Model::new("m", Arc::new(short.clone()), 4, &Workers::new(1));
    let times = until_here(&door(&model, Terms::default()), &short);

    for others in [Noted::new(ns(1_000), false), Noted::new(ns(300_000), true)] {
        let model = Model::new("m", Arc::new(others.clone()), 4, &Workers::new(1));
        let door = door(&model, Terms::default());
        for n in 0..(4 * times).max(100) {
            assert_eq!(seldom(&door, 1.0 + n as f32), 2.0);
            assert!(!others.ran_here());
        }
        assert_eq!(model.tally().short, 0);
    }
}

#[test]
fn another_version_is_run_by_whoever_asks_as_well() {
    let old = Noted::new(ns(1_000), true);
    let model = Model::new("m", Arc::new(old.clone()), 4, &Workers::new(2));
    let door = door(&model, Terms::default());
    until_here(&door, &old);

    let new = Noted { factor: 1.01, ..Noted::new(ns(1_000), true) };
    let trial = Trial { questions: 20, agreement: 0.9, share: 0.5 };
    model.offer(Chain::one(Arc::new(new.clone())), trial).expect("it is alike");
    until_here(&door, &new);
    assert_eq!((model.version(), model.tally().failed), (2, 0));
    assert_eq!(seldom(&door, 100.0), 2.02);
}

#[test]
fn cores_of_a_graph_run_the_pure_rust_backend_themselves() {
    let bytes = onnx::unary("Relu", &[None, Some(10)]);
    let loaded = rten::load(bytes, &model::backend::Options::default()).expect("a model");
    let model = Model::new("m", loaded, 4, &Workers::new(1));
    let text = r#"
        [graph]
        name = "short"
        [node.count]
        op = "count"
        samples = 4_000
        [node.ask]
        op = "infer"
        from = "count"
        model = "m"
        [node.short]
        op = "tally"
        from = "ask"
        "#;
    let plan = plan_with(text, &model).unwrap_or_else(|problems| panic!("{problems}"));
    let running = plan
        .start(&RunOptions { speed: Some(4.0), sessions: 1, cores: 2 })
        .expect("bodies can be built");
    running.wait_for(LIMIT).expect("ends");
    assert!(running.report().is_balanced());
    let frames = suite::tally("short");
    assert_eq!(frames.len(), 400);
    let numbers = frames.iter().flat_map(|(_, frame)| frame.buffer().floats().to_vec());
    assert!(numbers.eq((0..4_000).map(|n| n as f32)));
    assert!(model.tally().short > 0, "{:?}", model.tally());
}
