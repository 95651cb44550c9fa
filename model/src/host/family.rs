//! [`Family`]: the variants of one model among the workers, and how they are chosen from.

use super::{
    asked::Priority,
    door::Place,
    state::State,
    variants::{Choice, Outlook},
};

/// Deadlines within a factor of two share a choice, and each priority has its own: what bars a variant for the
/// hasty need not bar it for the patient, nor what waits for the last bar it for the first.
const CLASSES: usize = 64;

/// The variants of one model.
pub(super) struct Family {
    /// Numbers of their seats, the cheapest first.
    seats: Vec<usize>,
    /// By priority, and by the binary logarithm of the time a question has.
    choices: Box<[Choice]>,
}

impl Family {
    pub(super) fn new(seats: Vec<usize>, dwell_ns: i64) -> Self {
        let choices = vec![Choice::new(seats.len(), dwell_ns); CLASSES * Priority::COUNT];
        Self { seats, choices: choices.into() }
    }

    /// The next cheaper variant of each, by seat.
    pub(super) fn steps(&self) -> impl Iterator<Item = (usize, usize)> {
        self.seats.windows(2).map(|pair| (pair[1], pair[0]))
    }
}

impl State {
    /// The variant for a question that comes now and has `left` nanoseconds; `places` are those of its
    /// family, in its order.
    pub(super) fn choose(
        &mut self,
        family: usize,
        places: &[Place],
        rank: usize,
        (now, left): (i64, i64),
    ) -> usize {
        let before = self.before(rank, now);
        let is_free = self.occupied() < self.threads;
        // Taken out for as long as the rest of the state is looked at.
        let class = rank * CLASSES + (63 - left.max(1).leading_zeros()) as usize;
        let mut choice = std::mem::take(&mut self.families[family].choices[class]);
        let chosen = choice.choose(now, left, |variant| {
            let Place { seat, lane } = places[variant];
            let seat = &self.seats[seat];
            if seat.is_closed(now) {
                return None;
            }
            let (own, full, run) = seat.lanes[lane].outlook(rank, now);
            let wait = before.waiting - own + full;
            let wait = if wait == 0 && is_free { 0 } else { wait + before.running };
            Some(Outlook { wait: wait / self.threads as i64, run })
        });
        self.families[family].choices[class] = choice;
        chosen
    }

    /// What there is to do before a question of that rank that comes now.
    fn before(&self, rank: usize, now: i64) -> Before {
        let lanes = self.seats.iter().filter(|seat| !seat.stuck).flat_map(|seat| &seat.lanes);
        let waiting = lanes.map(|lane| lane.work(rank)).fold(0, i64::saturating_add);
        Before { waiting, running: self.running_ns(now) }
    }
}

/// Nanoseconds of work for one worker.
struct Before {
    waiting: i64,
    running: i64,
}
