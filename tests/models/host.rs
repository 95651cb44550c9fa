//! The host of models by itself: who goes first, what is refused, versions that prove themselves or do not.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{
    Answer, Buffer, Fault,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::{Array, Loaded, Runner, Values},
    host::{
        Chain, Door, Exits, Head, Manner, Model, Priority, Row, Rowwise, Signal, Terms, Trial, Way,
        Workers,
    },
    signature::{Element, Signature, Slot},
};

use crate::{LIMIT, cold};

/// Rows and their numbers to outputs.
type Run = dyn Fn(usize, &[f32]) -> Outputs + Send + Sync;
type Outputs = Result<Vec<Vec<f32>>, Fault>;
/// Batches as they were run.
type Seen = Arc<Mutex<Vec<Vec<f32>>>>;

/// A model of one input `x` of `taken` numbers, made of a closure from the numbers of a batch to its outputs.
#[derive(Clone)]
pub(crate) struct Made {
    signature: Signature,
    run: Arc<Run>,
}

impl Made {
    pub(crate) fn new(
        input: (&str, usize),
        outputs: &[(&str, usize)],
        run: impl Fn(usize, &[f32]) -> Result<Vec<Vec<f32>>, Fault> + Send + Sync + 'static,
    ) -> Self {
        let slot = |&(name, len): &(&str, usize)| Slot {
            name: name.to_owned(),
            element: Element::F32,
            shape: vec![None, Some(len)],
        };
        let outputs = outputs.iter().map(slot).collect();
        Self { signature: Signature { inputs: vec![slot(&input)], outputs }, run: Arc::new(run) }
    }

    /// The same, as a file that fixes how many rows a run has.
    pub(crate) fn in_rows(mut self, rows: usize) -> Self {
        let Signature { inputs, outputs } = &mut self.signature;
        inputs.iter_mut().chain(outputs).for_each(|slot| slot.shape[0] = Some(rows));
        self
    }

    /// One number in, that number times `factor` out.
    fn times(factor: f32) -> Self {
        Self::new(("x", 1), &[("y", 1)], move |_, x| {
            Ok(vec![x.iter().map(|x| factor * x).collect()])
        })
    }
}

impl Loaded for Made {
    fn backend(&self) -> &'static str {
        "made"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(self.clone()))
    }
}

impl Runner for Made {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let Values::F32(values) = &inputs[0].values else { return Err(Fault::new("no floats")) };
        for (output, made) in outputs.iter_mut().zip((self.run)(inputs[0].shape[0], values)?) {
            *output = made;
        }
        Ok(())
    }
}

/// Reads the first output, and behind it the number of the exit.
pub(crate) struct Plain;

impl Rowwise for Plain {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers: Vec<f32> = row.output(0).iter().copied().chain([row.exit() as f32]).collect();
        Ok(buffer(&numbers).into())
    }
}

fn buffer(numbers: &[f32]) -> Buffer {
    Buffer::of_floats(numbers, numbers.len())
}

pub(crate) fn door(model: &Arc<Model>, terms: Terms) -> Door {
    let len = model.signature().inputs[0].count().expect("a length");
    let way = Way::new(model.signature(), 0, vec![len], &[], Box::new(Plain)).expect("a way");
    model.door(way, terms, &[]).expect("a door")
}

pub(crate) fn ask(door: &Door, numbers: &[f32]) -> Awaited {
    ask_within(door, numbers, None)
}

fn ask_within(door: &Door, numbers: &[f32], within: Option<u64>) -> Awaited {
    let (reply, awaited) = reply(within.map(Duration::from_millis));
    door.ask(buffer(numbers), reply);
    awaited
}

pub(crate) fn answer(awaited: &Awaited) -> Vec<f32> {
    match awaited.wait(LIMIT) {
        Outcome::Answer(Some(buffer)) => buffer.floats().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// A gate at which runs of a model wait.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    moved: Condvar,
    at: AtomicUsize,
}

impl Gate {
    pub(crate) fn pass(&self) {
        self.at.fetch_add(1, Ordering::SeqCst);
        let shut = self.is_open.lock().expect("whole");
        drop(self.moved.wait_while(shut, |is_open| !*is_open).expect("whole"));
    }

    pub(crate) fn wait_for_one(&self) {
        let began = Instant::now();
        while self.at.load(Ordering::SeqCst) == 0 {
            assert!(began.elapsed() < LIMIT, "nobody came");
            std::thread::yield_now();
        }
    }

    /// How many have come.
    pub(crate) fn count(&self) -> usize {
        self.at.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        *self.is_open.lock().expect("whole") = true;
        self.moved.notify_all();
    }
}

/// A model that notes what it was asked, in order, and first waits at a gate.
fn noting(batch_max: usize, workers: &Workers) -> (Arc<Model>, Arc<Gate>, Seen) {
    let (gate, seen) = (Arc::new(Gate::default()), Arc::new(Mutex::new(Vec::new())));
    let (own, noted) = (gate.clone(), seen.clone());
    let made = Made::new(("x", 1), &[("y", 1)], move |_, x| {
        own.pass();
        noted.lock().expect("whole").push(x.to_vec());
        Ok(vec![x.to_vec()])
    });
    (Model::new("m", Arc::new(made), batch_max, workers), gate, seen)
}

fn terms(priority: Priority) -> Terms {
    Terms { within: None, priority }
}

#[test]
fn what_is_urgent_goes_first_and_low_priority_last() {
    let (model, gate, seen) = noting(1, &cold(1));
    let [high, normal, low] =
        [Priority::High, Priority::Normal, Priority::Low].map(|p| door(&model, terms(p)));
    let first = ask(&normal, &[0.0]);
    gate.wait_for_one();
    let asked = [
        (&low, 5.0, None),
        (&normal, 4.0, None),
        (&normal, 3.0, Some(50_000)),
        (&high, 1.0, None),
        (&high, 2.0, None),
    ];
    let waiting: Vec<Awaited> =
        asked.iter().map(|(door, x, within)| ask_within(door, &[*x], *within)).collect();
    gate.open();
    assert_eq!(answer(&first), [0.0, 0.0]);
    waiting.iter().for_each(|waiting| drop(answer(waiting)));
    let order: Vec<f32> = seen.lock().expect("whole").iter().flatten().copied().collect();
    assert_eq!(order, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn what_nobody_could_answer_in_time_is_refused_with_the_reason() {
    let workers = cold(1);
    let made = Made::new(("x", 1), &[("y", 1)], |_, x| {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(30) {}
        Ok(vec![x.to_vec()])
    });
    let model = Model::new("m", Arc::new(made), 1, &workers);
    let patient = door(&model, Terms::default());
    answer(&ask(&patient, &[1.0]));
    answer(&ask(&patient, &[1.0]));
    // What the first run cost is known by now.
    match ask_within(&patient, &[1.0], Some(5)).wait(LIMIT) {
        Outcome::Late(why) => assert!(why.starts_with("a run takes "), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(model.tally().refused, 1);
    // And what waited too long behind others is given up before its run.
    let asked: Vec<Awaited> =
        (0..12).map(|n| ask_within(&patient, &[n as f32], Some(70))).collect();
    let mut late = 0;
    for awaited in &asked {
        match awaited.wait(LIMIT) {
            Outcome::Answer(_) => {}
            Outcome::Late(why) => {
                assert!(why.contains("waited"), "{why}");
                late += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    let tally = model.tally();
    assert!(late > 0 && tally.late == late, "{late} {tally:?}");
    assert_eq!(tally.answered + tally.late + tally.refused, 15);
}

/// Asks until something has happened.
fn ask_until(door: &Door, factors: &[f32], happened: impl Fn() -> bool) {
    let began = Instant::now();
    let mut n = 0.0;
    while !happened() {
        assert!(began.elapsed() < LIMIT, "did not happen");
        n += 1.0;
        let got = answer(&ask(door, &[n]))[0];
        assert!(factors.iter().any(|factor| (got - factor * n).abs() < 0.2 * got), "{got} for {n}");
    }
}

pub(crate) fn told(threads: usize) -> (Workers, Arc<Mutex<Vec<String>>>) {
    let news = Arc::new(Mutex::new(Vec::new()));
    let own = news.clone();
    let tell = Arc::new(move |text: &str| own.lock().expect("whole").push(text.to_owned()));
    let stuck = Duration::from_millis(300);
    (Workers::with(Manner { threads, stuck, warms_up: false, tell, ..Manner::default() }), news)
}

const TRIAL: Trial = Trial { questions: 20, agreement: 0.9, share: 0.5 };

#[test]
fn a_version_that_agrees_takes_over_without_a_failed_question() {
    let (workers, news) = told(2);
    let model = Model::new("m", Arc::new(Made::times(2.0)), 8, &workers);
    let door = door(&model, Terms::default());
    answer(&ask(&door, &[1.0]));
    model.offer(Chain::one(Arc::new(Made::times(2.02))), TRIAL).expect("it is alike");
    assert_eq!(model.version(), 1);
    ask_until(&door, &[2.0, 2.02], || model.version() == 2);
    assert_eq!(answer(&ask(&door, &[100.0]))[0], 202.0);
    assert_eq!(model.tally().failed, 0);
    let news = news.lock().expect("whole").join("\n");
    assert!(news.contains("version 2 is compared with version 1 on 20 questions"), "{news}");
    assert!(news.contains("version 2 serves from now on: 100.0 % of "), "{news}");
}

#[test]
fn a_version_that_disagrees_or_faults_or_hangs_never_serves() {
    let panics =
        || -> Result<Vec<Vec<f32>>, Fault> { std::panic::resume_unwind(Box::new("on purpose")) };
    let faulty: [(&str, Made, &str); 5] = [
        ("other", Made::times(3.0), "0.0 % of "),
        ("nan", Made::times(f32::NAN), "the model gave NaN in `y`"),
        ("fails", Made::new(("x", 1), &[("y", 1)], |_, _| Err(Fault::new("no"))), "refused: no"),
        ("panics", Made::new(("x", 1), &[("y", 1)], move |_, _| panics()), "the model panicked"),
        (
            "hangs",
            Made::new(("x", 1), &[("y", 1)], |_, _| {
                loop {
                    std::thread::park();
                }
            }),
            "a run of it never ended",
        ),
    ];
    for (name, made, why) in faulty {
        let (workers, news) = told(2);
        let model = Model::new(name, Arc::new(Made::times(2.0)), 8, &workers);
        let door = door(&model, Terms::default());
        model.offer(Chain::one(Arc::new(made)), TRIAL).expect("it is alike");
        let is_refused =
            || news.lock().expect("whole").iter().any(|told| told.contains("is refused"));
        ask_until(&door, &[2.0], is_refused);
        assert_eq!((model.version(), model.tally().failed), (1, 0), "{name}");
        let news = news.lock().expect("whole").join("\n");
        assert!(news.contains(why), "{name}: {news}");
    }
}

#[test]
fn a_version_that_fails_later_is_taken_back_without_a_failed_question() {
    let (workers, news) = told(1);
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = broken.clone();
    let made = Made::new(("x", 1), &[("y", 1)], move |_, x| {
        if is_broken.load(Ordering::SeqCst) {
            Err(Fault::new("it broke"))
        } else {
            Ok(vec![x.iter().map(|x| 2.0 * x).collect()])
        }
    });
    let model = Model::new("m", Arc::new(Made::times(2.0)), 8, &workers);
    let door = door(&model, Terms::default());
    model.offer(Chain::one(Arc::new(made)), TRIAL).expect("it is alike");
    ask_until(&door, &[2.0], || model.version() == 2);
    broken.store(true, Ordering::SeqCst);
    ask_until(&door, &[2.0], || model.version() == 1);
    assert_eq!(model.tally().failed, 0);
    let news = news.lock().expect("whole").join("\n");
    assert!(news.contains("version 2 is taken back, version 1 serves again: it broke"), "{news}");
}

#[test]
fn a_version_of_other_shapes_is_refused() {
    let model = Model::new("m", Arc::new(Made::times(2.0)), 8, &cold(1));
    let other = Made::new(("x", 1), &[("y", 2)], |_, x| Ok(vec![[x, x].concat()]));
    let why = model.offer(Chain::one(Arc::new(other)), TRIAL).expect_err("it is another");
    assert!(why.contains("takes or gives something else"), "{why}");
}

/// Two segments: the first is sure of what is far from zero, the second sees twice the number.
pub(crate) fn segments(exits: Exits) -> Chain {
    let first = Made::new(("x", 1), &[("logits", 2), ("hidden", 1)], |_, x| {
        let logits = x.iter().flat_map(|x| [*x, -*x]).collect();
        Ok(vec![logits, x.iter().map(|x| 2.0 * x).collect()])
    });
    let second = Made::new(("hidden", 1), &[("logits", 2)], |_, x| {
        Ok(vec![x.iter().flat_map(|x| [100.0 + *x, 0.0]).collect()])
    });
    Chain::new(vec![Arc::new(first), Arc::new(second)], exits).expect("they fit")
}

#[test]
fn what_is_sure_leaves_early_and_the_rest_goes_on() {
    let exits =
        Exits { signal: Signal::Score, heads: vec![Head { temperature: 1.0, threshold: 0.9 }] };
    for batch_max in [1, 16] {
        let workers = cold(2);
        let model = Model::chained("m", segments(exits.clone()), batch_max, &workers);
        let door = door(&model, Terms::default());
        let numbers: Vec<f32> = (0..200).map(|n| (n as f32 - 100.0) / 25.0).collect();
        let asked: Vec<Awaited> = numbers.iter().map(|&x| ask(&door, &[x])).collect();
        let mut left = [0, 0];
        for (x, awaited) in numbers.iter().zip(&asked) {
            // softmax(x, −x) ≥ 0.9 where 2 |x| ≥ ln 9.
            let is_sure = 2.0 * x.abs() >= 9.0_f32.ln();
            let want = if is_sure { [*x, -*x, 0.0] } else { [100.0 + 2.0 * x, 0.0, 1.0] };
            assert_eq!(answer(awaited), want, "{x}");
            left[usize::from(!is_sure)] += 1;
        }
        let tally = model.tally();
        assert_eq!(tally.exits, left);
        assert!(left[0] > 50 && left[1] > 20);
        assert_eq!(model.signature().outputs.len(), 1);
    }
}

#[test]
fn without_thresholds_all_go_to_the_end() {
    let model = Model::chained("m", segments(Exits::default()), 4, &cold(1));
    let door = door(&model, Terms::default());
    assert_eq!(answer(&ask(&door, &[50.0])), [200.0, 0.0, 1.0]);
}

#[test]
fn whole_models_behind_each_other_are_a_cascade() {
    let tiny = Made::new(("x", 1), &[("y", 2)], |_, x| {
        Ok(vec![x.iter().flat_map(|x| [*x, 0.0]).collect()])
    });
    let large = Made::new(("pixels", 1), &[("z", 2)], |_, x| {
        Ok(vec![x.iter().flat_map(|x| [0.0, 10.0 * x]).collect()])
    });
    let exits =
        Exits { signal: Signal::Margin, heads: vec![Head { temperature: 1.0, threshold: 0.9 }] };
    let chain = Chain::new(vec![Arc::new(tiny), Arc::new(large)], exits).expect("they fit");
    let model = Model::chained("m", chain, 8, &cold(1));
    let door = door(&model, Terms::default());
    assert_eq!(answer(&ask(&door, &[8.0])), [8.0, 0.0, 0.0]);
    // The large one gets what was asked.
    assert_eq!(answer(&ask(&door, &[1.0])), [0.0, 10.0, 1.0]);
}

#[test]
fn segments_that_do_not_fit_are_named() {
    let first =
        || Made::new(("x", 1), &[("logits", 2), ("hidden", 3)], |_, _| Err(Fault::new("-")));
    let misfit = |second: Made| {
        let chain = Chain::new(vec![Arc::new(first()), Arc::new(second)], Exits::default());
        chain.err().expect("they do not fit")
    };
    let why = misfit(Made::new(("other", 9), &[("logits", 2)], |_, _| Err(Fault::new("-"))));
    assert!(why.contains("segment 2 takes `other f32[?, 9]`"), "{why}");
    let why = misfit(Made::new(("hidden", 3), &[("logits", 4)], |_, _| Err(Fault::new("-"))));
    assert!(
        why.contains("answers with `logits f32[?, 4]`, the first with `logits f32[?, 2]`"),
        "{why}"
    );
}

#[test]
fn a_new_version_of_segments_begins_again_with_what_was_on_its_way() {
    let (workers, _) = told(2);
    let exits =
        Exits { signal: Signal::Score, heads: vec![Head { temperature: 1.0, threshold: 0.9 }] };
    let model = Model::chained("m", segments(exits.clone()), 4, &workers);
    let door = door(&model, Terms::default());
    model.offer(segments(exits), TRIAL).expect("it is alike");
    let began = Instant::now();
    while model.version() == 1 {
        assert!(began.elapsed() < LIMIT, "it never serves");
        let asked: Vec<Awaited> = (0..40).map(|n| ask(&door, &[n as f32 / 10.0])).collect();
        for (n, awaited) in asked.iter().enumerate() {
            let x = n as f32 / 10.0;
            let is_sure = 2.0 * x >= 9.0_f32.ln();
            let want = if is_sure { [x, -x, 0.0] } else { [100.0 + 2.0 * x, 0.0, 1.0] };
            assert_eq!(answer(awaited), want, "{x}");
        }
    }
    assert_eq!(model.tally().failed, 0);
}

#[test]
fn a_model_that_nobody_holds_lets_go_of_its_weights() {
    let held = Arc::new(());
    let own = held.clone();
    let made = Made::new(("x", 1), &[("y", 1)], move |_, x| {
        let _ = &own;
        Ok(vec![x.to_vec()])
    });
    let workers = Workers::new(2);
    let model = Model::new("m", Arc::new(made), 8, &workers);
    let asked = door(&model, Terms::default());
    answer(&ask(&asked, &[1.0]));
    drop((asked, model));
    let began = Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(began.elapsed() < LIMIT, "{} hold it", Arc::strong_count(&held));
        std::thread::yield_now();
    }
}

#[test]
fn the_end_waits_for_a_run_whose_model_is_gone() {
    let workers = cold(1);
    let (model, gate, seen) = noting(1, &workers);
    let asked = door(&model, Terms::default());
    let awaited = ask(&asked, &[1.0]);
    gate.wait_for_one();
    drop((asked, model));
    let ending = std::thread::spawn(move || {
        drop(workers);
        seen.lock().expect("whole").len()
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(200) && !ending.is_finished() {
        std::thread::yield_now();
    }
    gate.open();
    assert_eq!(ending.join().expect("whole"), 1, "it ended while the model was run");
    assert_eq!(answer(&awaited), [1.0, 0.0]);
}

#[test]
fn a_model_that_mixes_its_questions_is_asked_one_by_one() {
    // As one that suppresses boxes: it gives one number for every number above nought, whoever asked.
    let made = Made::new(("x", 4), &[("found", 1)], |_, x| {
        Ok(vec![x.iter().copied().filter(|x| *x > 0.0).collect()])
    });
    for workers in [cold(1), Workers::new(1)] {
        let model = Model::new("m", Arc::new(made.clone()), 8, &workers);
        let door = door(&model, Terms::default());
        let numbers = |n: usize| [0.0, n as f32 + 1.0, 0.0, (n % 3) as f32 + 1.0];
        let asked: Vec<Awaited> = (0..200).map(|n| ask(&door, &numbers(n))).collect();
        for (n, awaited) in asked.iter().enumerate() {
            let mut want: Vec<f32> = numbers(n).into_iter().filter(|x| *x > 0.0).collect();
            want.push(0.0);
            assert_eq!(answer(awaited), want, "{n}");
        }
        assert_eq!(model.tally().failed, 0);
    }
}
