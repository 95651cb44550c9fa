//! Who is asked what, and when, on a clock moved by hand.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use engine::{Answer, Relay, Reply};

use super::*;
use crate::host::{Chain, Model, Workers, by_hand, way::Way};

const MS: i64 = 1_000_000;

/// Waits for an answer, and hears whether it is another's.
#[derive(Default)]
struct Waits {
    by_another: AtomicBool,
}

impl Relay for Waits {
    fn pass_on(&self, _: Result<Answer, Fault>) {}

    fn is_wanted(&self) -> bool {
        true
    }

    fn by_another(&self) {
        self.by_another.store(true, Ordering::Relaxed);
    }
}

impl Waits {
    fn is_another_s(&self) -> bool {
        self.by_another.load(Ordering::Relaxed)
    }
}

/// Models whose runs of one take so many milliseconds, and as many again for each question more.
struct Host {
    state: State,
    way: Arc<Way>,
    /// They live as long as this does.
    _models: Vec<Arc<Model>>,
}

impl Host {
    fn new(threads: usize, run_ms: &[i64]) -> Self {
        let workers = Workers::new(1);
        let way = by_hand::way();
        let mut state = State::new(threads);
        let models = run_ms.iter().map(|&ms| {
            let doubles = || Arc::new(by_hand::doubles());
            let model = Model::new("m", doubles(), 16, &workers);
            let mut seat = Seat::new(&model, Chain::one(doubles()), 1);
            let (lane, _) = seat.open(&way, &[]).expect("it takes one number");
            seat.lanes[lane].ran(1, ms * MS, 0);
            seat.lanes[lane].ran(16, 16 * ms * MS, 0);
            state.seats.push(seat);
            model
        });
        let models = models.collect();
        Self { state, way, _models: models }
    }

    fn ask(&mut self, now: i64, seats: &[usize], priority: Priority, left: i64) -> Arc<Waits> {
        let waits = Arc::new(Waits::default());
        let reply = Reply::through(waits.clone());
        let asked = by_hand::asked(&self.way, priority, now + left, reply);
        let places: Vec<Place> = seats.iter().map(|&seat| Place { seat, lane: 0 }).collect();
        assert!(self.state.admit(now, &places, asked).is_ok(), "it is taken");
        waits
    }

    /// The seat that a free worker runs something of, or when it looks again.
    fn take(&mut self, now: i64) -> Result<usize, Option<i64>> {
        let (mut into, mut late) = (Vec::new(), Vec::new());
        let (job, until) = self.state.take(0, now, &mut into, &mut late);
        assert!(late.is_empty());
        let job = job.ok_or(until)?;
        assert!(self.state.done(0));
        Ok(job.seat)
    }
}

#[test]
fn what_a_cheaper_variant_answers_is_known_to_be_its_answer() {
    let mut host = Host::new(2, &[1, 10]);
    host.state.seats[1].cheaper = Some(0);
    let own = host.ask(0, &[0, 1], Priority::Normal, 30 * MS);
    assert_eq!((host.take(0), own.is_another_s()), (Ok(1), false));
    // Too late for the better one as it is asked.
    let hasty = host.ask(0, &[0, 1], Priority::Normal, 5 * MS);
    assert_eq!((host.take(0), hasty.is_another_s()), (Ok(0), true));
    // Too late when its turn comes.
    let waited = host.ask(0, &[0, 1], Priority::Normal, 30 * MS);
    assert!(!waited.is_another_s());
    assert_eq!((host.take(25 * MS), waited.is_another_s()), (Ok(0), true));
}

#[test]
fn work_that_nobody_waits_for_and_must_wait_keeps_no_other_from_running() {
    let mut host = Host::new(1, &[30, 1]);
    // Half of 20 ms were promised to somebody: 30 are too much at any time, 1 is not.
    host.state.patience_ns = 10 * MS;
    drop(host.ask(0, &[1], Priority::Normal, 100 * MS));
    assert_eq!(host.take(0), Ok(1));
    let _long = host.ask(0, &[0], Priority::Spare, i64::MAX / 2);
    let _short = host.ask(0, &[1], Priority::Spare, i64::MAX / 2);
    assert_eq!(host.take(MS), Ok(1));
    // Nobody has asked for four times as long as it takes.
    assert_eq!(host.take(MS), Err(Some(120 * MS)));
    assert_eq!(host.take(119 * MS), Err(Some(120 * MS)));
    drop(host.ask(119 * MS, &[1], Priority::Normal, 100 * MS));
    assert_eq!(host.take(119 * MS), Ok(1));
    assert_eq!(host.take(120 * MS), Err(Some(239 * MS)));
    assert_eq!(host.take(239 * MS), Ok(0));
}

#[test]
fn what_waits_for_the_last_bars_no_variant_for_the_first() {
    let mut host = Host::new(1, &[1, 10]);
    host.state.families.push(Family::new(vec![0, 1], 100 * MS));
    let places = [0, 1].map(|seat| Place { seat, lane: 0 });
    let choose = |host: &mut Host, rank: Priority| {
        host.state.choose(0, &places, rank as usize, (0, 40 * MS))
    };
    assert_eq!(choose(&mut host, Priority::Low), 1);
    let _waiting: Vec<_> = (0..8).map(|_| host.ask(0, &[1], Priority::Low, i64::MAX / 2)).collect();
    assert_eq!(choose(&mut host, Priority::Low), 0);
    assert_eq!(choose(&mut host, Priority::High), 1);
    assert_eq!(choose(&mut host, Priority::Low), 0);
}

#[test]
fn a_model_whose_runs_are_smaller_than_they_might_be_has_no_fewer_turns_for_it() {
    let mut host = Host::new(1, &[1, 20]);
    // Four together cost as little each as sixteen.
    let lane = &mut host.state.seats[0].lanes[0];
    [(1, MS), (4, 2 * MS), (8, 4 * MS), (16, 8 * MS)]
        .repeat(10)
        .into_iter()
        .for_each(|(rows, took)| lane.ran(rows, took, 0));
    let asks = |host: &mut Host, seat: usize, count: usize| {
        for _ in 0..count {
            drop(host.ask(0, &[seat], Priority::Normal, i64::MAX / 2));
        }
    };
    asks(&mut host, 0, 12);
    asks(&mut host, 1, 40);
    let taken: Vec<_> = (0..5).map(|_| host.take(0)).collect();
    // All twelve, and then what took its turn in their place before they were split.
    assert_eq!(taken, [Ok(0), Ok(0), Ok(0), Ok(1), Ok(1)]);
    // What comes meanwhile is not owed: after as many as were there it is another's turn.
    asks(&mut host, 0, 8);
    let first = host.take(0);
    asks(&mut host, 0, 8);
    let more: Vec<_> = (0..4).map(|_| host.take(0)).collect();
    assert_eq!((first, more), (Ok(0), vec![Ok(0), Ok(1), Ok(0), Ok(0)]));
}
