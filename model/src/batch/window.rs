//! [`Window`]: the policy models are served with.
//!
//! A free executor takes what waits, as many as the most urgent of them can bear: waiting for more pays only
//! where a run costs nearly the same with one question more, and then only as long as nothing is late. Where more
//! waits than can be answered in time, the batch is the one with which most of the row is answered per
//! time, and what is in its way is dropped at once rather than answered too late.

use super::{Costs, Decision, Policy, Queue, Waiting};

/// Beginnings of a batch that are compared where not everything can be answered.
const BEGINNINGS: usize = 12;
/// Dropping what is in the way must answer so many more per time.
const GAIN: f64 = 1.02;
/// What a wake-up may add to a run: one part in so many.
const SLACK_SHARE: i64 = 50;

/// See the module.
#[derive(Clone, Debug)]
pub struct Window {
    costs: Costs,
}

impl Window {
    /// For runs of at most `most` questions.
    pub fn new(most: usize) -> Self {
        Self { costs: Costs::new(most) }
    }

    /// What it has learned.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// How many can be in a run of `rows` questions for nearly nothing: at most one part in twenty more,
    /// and none of them late because of it.
    pub fn room(&self, now: i64, rows: usize, deadline: i64) -> usize {
        let limit = (self.costs.upper(rows) + self.costs.upper(rows) / 20).min(deadline - now);
        let fits = |&more: &usize| self.costs.upper(more) <= limit;
        (rows + 1..=self.costs.most()).take_while(fits).last().unwrap_or(rows)
    }

    /// A run of so many, with what a wake-up may add.
    fn cost(&self, rows: usize) -> i64 {
        let cost = self.costs.upper(rows);
        cost + cost / SLACK_SHARE
    }

    /// As many of the row from `from` on as end in time for the first of them; 0 where not even that one does.
    fn bearable(&self, now: i64, queue: &Queue, from: usize) -> usize {
        let Some(first) = queue.at(from) else { return 0 };
        let most = (queue.len() - from).min(self.costs.most());
        let left = first.deadline - now;
        if self.cost(most) <= left {
            return most;
        }
        // The curve rises: halve what is left of the range.
        let (mut fits, mut too_many) = (0, most);
        while too_many - fits > 1 {
            let middle = usize::midpoint(fits, too_many);
            if self.cost(middle) <= left {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        fits
    }

    /// How many of the row are answered in time, and when, if a batch begins at `from` and what then
    /// cannot be answered is left out.
    fn drained(&self, mut now: i64, queue: &Queue, mut from: usize) -> (usize, i64) {
        let mut answered = 0;
        while from < queue.len() {
            let batch = self.bearable(now, queue, from);
            if batch == 0 {
                from += 1;
                continue;
            }
            now += self.cost(batch);
            answered += batch;
            from += batch;
        }
        (answered, now)
    }
}

impl Policy for Window {
    fn admits(&mut self, now: i64, question: &Waiting, _: &Queue) -> bool {
        now + self.cost(1) <= question.deadline
    }

    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        // What is too late already helps nobody.
        let late = queue.iter().take_while(|w| now + self.cost(1) > w.deadline).count();
        queue.drop_first(late);
        if queue.is_empty() {
            return Decision::Idle;
        }
        let most = self.bearable(now, queue, 0).max(1);
        if most >= queue.len() {
            return Decision::Run(most);
        }
        // Not all can go at once. Is everything answered all the same?
        let (answered, ends) = self.drained(now, queue, 0);
        if answered == queue.len() {
            return Decision::Run(most);
        }
        let rate = |answered: usize, ends: i64| answered as f64 / (ends - now).max(1) as f64;
        let (mut best, mut best_rate) = (0, rate(answered, ends));
        let step = (queue.len() / BEGINNINGS).max(1);
        for from in (1..queue.len()).step_by(step).take(BEGINNINGS) {
            let (answered, ends) = self.drained(now, queue, from);
            let rate = rate(answered, ends);
            if rate > best_rate * GAIN {
                (best, best_rate) = (from, rate);
            }
        }
        queue.drop_first(best);
        Decision::Run(self.bearable(now, queue, 0).max(1))
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.costs.learn(rows, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy that knows what runs cost.
    fn taught(costs: &[(usize, i64)]) -> Window {
        let mut window = Window::new(32);
        costs.iter().for_each(|&(rows, took)| window.ran(rows, took, 0));
        window
    }

    fn queue(deadlines: &[i64]) -> Queue {
        let mut queue = Queue::default();
        for (id, &deadline) in deadlines.iter().enumerate() {
            queue.push(Waiting { id: id as u64, arrived: 0, deadline });
        }
        queue
    }

    #[test]
    fn what_waits_goes_together_as_far_as_the_first_can_bear() {
        let mut window = taught(&[(1, 100), (32, 3_200)]);
        assert_eq!(window.decide(0, &mut queue(&[10_000; 20])), Decision::Run(20));
        assert_eq!(
            window.decide(0, &mut queue(&[520, 10_000, 10_000, 10_000, 10_000, 10_000])),
            Decision::Run(5)
        );
        assert_eq!(window.decide(0, &mut Queue::default()), Decision::Idle);
    }

    #[test]
    fn what_is_too_late_is_dropped_and_refused() {
        let mut window = taught(&[(1, 100)]);
        let mut queue = queue(&[50, 1_000]);
        assert_eq!(window.decide(0, &mut queue), Decision::Run(1));
        assert_eq!(queue.take_dropped().map(|w| w.id).collect::<Vec<_>>(), [0]);
        let question = Waiting { id: 9, arrived: 0, deadline: 90 };
        assert!(!window.admits(0, &question, &queue));
    }

    #[test]
    fn one_in_the_way_of_many_is_dropped() {
        // Alone it takes as long as thirty-two together.
        let mut window = taught(&[(1, 100), (2, 110), (32, 130)]);
        let mut deadlines = vec![103];
        deadlines.extend([140; 31]);
        let mut queue = queue(&deadlines);
        assert_eq!(window.decide(0, &mut queue), Decision::Run(31));
        assert_eq!(queue.take_dropped().count(), 1);
    }
}
