//! What is counted of models: every question is somewhere, by name and reason.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use engine::{
    Answer, Buffer, Fault, Figures, Histogram, Series, Service,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::mock::{Behaviour, Cost, Mock},
    host::{Door, Manner, Model, ModelService, Row, Rowwise, Shed, Terms, Trial, Way, Workers},
};

use crate::{LIMIT, cold, model};

/// Reads nothing: what was asked and what became of it is all that counts here.
struct Mute;

impl Rowwise for Mute {
    fn read(&self, _: &Row<'_>) -> Result<Answer, Fault> {
        Ok(Answer::nothing())
    }
}

fn door(model: &std::sync::Arc<Model>) -> Door {
    let way = Way::new(model.signature(), 0, vec![1], &[], Box::new(Mute)).expect("a way");
    model.door(way, Terms::default(), &[]).expect("a door")
}

fn ask(door: &Door, within: Option<Duration>) -> Awaited {
    let (reply, awaited) = reply(within);
    let mut question = Buffer::with_bytes(4, 1);
    question.floats_mut().expect("fresh")[0] = 1.0;
    door.ask(question, reply);
    awaited
}

/// Figures by name and labels.
#[derive(Default)]
pub(crate) struct Page(BTreeMap<String, f64>);

impl Page {
    pub(crate) fn of(model: &std::sync::Arc<Model>) -> Self {
        let mut page = Self::default();
        ModelService::new(model.clone(), Vec::new()).figures("beats", &mut page);
        page
    }

    fn put(&mut self, series: Series<'_>, part: &str, value: f64) {
        assert!(series.help.ends_with('.') && series.name.starts_with("afferent_model_"));
        assert_eq!(series.labels[0], ("model", "beats"));
        let labels = series.labels[1..].iter().map(|(key, value)| format!(" {key}={value}"));
        let name = series.name.trim_start_matches("afferent_model_");
        let name = format!("{name}{part}{}", labels.collect::<String>());
        assert_eq!(self.0.insert(name.clone(), value), None, "{name} was told twice");
    }

    pub(crate) fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }
}

impl Figures for Page {
    fn counter(&mut self, series: Series<'_>, value: u64) {
        self.put(series, "", value as f64);
    }

    fn gauge(&mut self, series: Series<'_>, value: f64) {
        self.put(series, "", value);
    }

    fn latency(&mut self, series: Series<'_>, value: &Histogram) {
        self.put(series, ".count", value.count() as f64);
        self.put(series, ".sum_s", value.sum_ns() as f64 / 1e9);
    }

    fn sizes(&mut self, series: Series<'_>, up_to: &[(u64, u64)], sum: u64, count: u64) {
        assert!(up_to.is_sorted() && up_to.last().is_none_or(|(_, all)| *all <= count));
        self.put(series, ".limits", up_to.len() as f64);
        self.put(series, ".sum", sum as f64);
        self.put(series, ".count", count as f64);
    }
}

#[test]
fn every_question_is_somewhere() {
    let cost = Cost { first: Duration::from_millis(2), more: Duration::ZERO };
    let asked = model(Mock::new(1, cost, Behaviour::FailsEvery(3)), 4, &cold(2));
    let door = door(&asked);
    assert_eq!(ModelService::new(asked.clone(), Vec::new()).remark(), None, "nobody asked");

    let awaited: Vec<Awaited> = (0..120)
        .map(|n| ask(&door, (n % 2 == 0).then(|| Duration::from_millis(20))))
        .enumerate()
        .filter_map(|(n, awaited)| match n % 10 {
            9 => {
                awaited.forget();
                None
            }
            _ => Some(awaited),
        })
        .collect();
    let mut seen = [0; 3];
    for awaited in &awaited {
        seen[match awaited.wait(LIMIT) {
            Outcome::Answer(_) => 0,
            Outcome::Failed(_) => 1,
            Outcome::Late(_) => 2,
            Outcome::Nothing => panic!("a question was lost"),
        }] += 1;
    }
    // Those that nobody waits for may still be on their way.
    let began = Instant::now();
    while asked.tally().inside > 0 {
        assert!(began.elapsed() < LIMIT, "{:?}", asked.tally());
        std::thread::yield_now();
    }

    let tally = asked.tally();
    let all = tally.answered + tally.failed + tally.late + tally.forgotten + tally.refused;
    assert_eq!((tally.asked, all), (120, 120), "{tally:?}");
    let [answered, failed, late] = seen;
    assert!(answered > 0 && failed > 0, "{seen:?}");
    // What the asker saw, and twelve that it did not look at.
    let unseen = 12 - tally.forgotten;
    let counted = [tally.answered, tally.failed, tally.late + tally.refused];
    assert!(
        counted.iter().zip([answered, failed, late]).all(|(c, s)| (s..=s + unseen).contains(c))
    );

    let page = Page::of(&asked);
    assert_eq!(page.get("questions_total"), 120.0);
    assert_eq!(page.get("inside_questions"), 0.0);
    assert_eq!(page.get("exits_total segment=1"), tally.answered as f64);
    // Each run is in all three, and what was run waited first.
    let runs = page.get("compute_seconds.count segment=1");
    assert_eq!((runs, runs), (tally.runs as f64, page.get("batch_questions.count segment=1")));
    assert!(page.get("compute_seconds.sum_s segment=1") >= 2e-3 * runs);
    assert_eq!(page.get("batch_questions.limits segment=1"), 3.0, "1, 2, 4");
    let queued = page.get("queue_seconds.count segment=1");
    assert_eq!(queued, (tally.answered + tally.failed) as f64);
    // A batch that fails is run again, one by one.
    assert!(page.get("batch_questions.sum segment=1") >= queued);
    assert!(page.get("cost_seconds segment=1 size=4") >= 2e-3);
    let line = ModelService::new(asked, Vec::new()).remark().expect("it was asked");
    let begins = format!("{} answers, ", tally.answered);
    assert!(line.starts_with(&begins) && line.contains(" ms in the queue (p99 "), "{line}");
    assert!(line.contains(&format!("{} failed", tally.failed)), "{line}");
}

#[test]
fn questions_without_trouble_are_in_one_run_each() {
    let asked = model(Mock::new(1, Cost::default(), Behaviour::Doubles), 8, &cold(2));
    let door = door(&asked);
    let awaited: Vec<Awaited> = (0..1_000).map(|_| ask(&door, None)).collect();
    awaited.iter().for_each(|one| assert!(matches!(one.wait(LIMIT), Outcome::Answer(_))));

    let page = Page::of(&asked);
    for name in ["answered_total", "batch_questions.sum segment=1", "queue_seconds.count segment=1"]
    {
        assert_eq!(page.get(name), 1_000.0, "{name}");
    }
    assert_eq!(page.get("warm_up_runs_total"), 0.0);
}

#[test]
fn refusals_are_told_apart_by_their_reason() {
    let refused = |model: &std::sync::Arc<Model>| {
        let page = Page::of(model);
        Shed::ALL.map(|why| page.get(&format!("refused_total reason={}", why.word())) as u64)
    };

    let failing = model(Mock::new(1, Cost::default(), Behaviour::Fails), 1, &cold(1));
    let at = door(&failing);
    (0..8).for_each(|_| assert!(matches!(ask(&at, None).wait(LIMIT), Outcome::Failed(_))));
    // The worker may not have noted its last run when the answer is there.
    let began = Instant::now();
    while failing.tally().refused == 0 {
        assert!(began.elapsed() < LIMIT, "never left alone");
        assert!(matches!(ask(&at, None).wait(LIMIT), Outcome::Failed(_)));
    }
    assert_eq!(refused(&failing), [0, 1, 0, 0]);

    let slow = Cost { first: Duration::from_millis(20), more: Duration::ZERO };
    let slow = model(Mock::new(1, slow, Behaviour::Doubles), 1, &cold(1));
    let at = door(&slow);
    (0..2).for_each(|_| drop(ask(&at, None).wait(LIMIT)));
    assert!(matches!(ask(&at, Some(Duration::from_millis(2))).wait(LIMIT), Outcome::Late(_)));
    assert_eq!(refused(&slow), [1, 0, 0, 0]);

    let stuck = Duration::from_secs(3);
    let workers = Workers::with(Manner { threads: 1, stuck, warms_up: false, ..Manner::default() });
    let never = model(Mock::new(1, Cost::default(), Behaviour::NeverReturns(0)), 1, &workers);
    let at = door(&never);
    let mut waiting = Vec::new();
    while never.tally().refused == 0 {
        waiting.push(ask(&at, None));
    }
    assert_eq!(refused(&never), [0, 0, 0, 1]);
    let began = Instant::now();
    while never.tally().failed == 0 {
        assert!(began.elapsed() < LIMIT, "never given up");
        std::thread::yield_now();
    }
    assert!(matches!(ask(&at, None).wait(LIMIT), Outcome::Failed(_)));
    assert_eq!(refused(&never), [0, 0, 1, 1]);
    // All but the one whose run never ends, and the two that were refused.
    let tally = never.tally();
    assert_eq!((tally.inside, tally.failed), (1, tally.asked - 3), "{tally:?}");
}

#[test]
fn runs_without_questions_and_versions_on_trial_are_counted_apart() {
    let mock = Mock::new(1, Cost::default(), Behaviour::Doubles);
    let asked = model(mock.clone(), 4, &Workers::new(1));
    let door = door(&asked);
    let began = Instant::now();
    // One, two, four, and one for whoever asks: twice each.
    while asked.tally().warm_ups < 8 {
        assert!(began.elapsed() < LIMIT, "{:?}", asked.tally());
        std::thread::yield_now();
    }
    assert_eq!((mock.runs(), asked.tally().runs), (8, 0));

    let trial = Trial { questions: 20, agreement: 0.9, share: 0.5 };
    let chain = model::host::Chain::one(std::sync::Arc::new(mock));
    asked.offer(chain, trial).expect("it is alike");
    while asked.version() < 2 {
        assert!(began.elapsed() < LIMIT, "{:?}", asked.tally());
        drop(ask(&door, None).wait(LIMIT));
    }
    let (page, tally) = (Page::of(&asked), asked.tally());
    assert_eq!(page.get("version"), 2.0);
    assert_eq!(page.get("trial_questions_total"), 20.0);
    assert_eq!(page.get("trial_agreed_total"), 20.0);
    assert_eq!(tally.runs, tally.asked, "one by one, and no other run among them");
}
