//! [`Window`]: the policy models are served with.
//!
//! A free executor takes what waits, as many as the most urgent of them can bear: waiting for more pays only
//! where a run costs nearly the same with one question more, and then only as long as nothing is late. It takes
//! fewer where those cost about as little each, if nobody is late for it: they are answered sooner, and a second
//! executor has something to do. What is left of such a run is owed: it goes on before anything waits again. Where more
//! waits than can be answered in time, a rule says what is left out, at once rather than answered too
//! late; which rule, what came lately decides.

use super::{
    Costs, Decision, Policy, Queue, Waiting,
    rules::{Came, Deadlines, Rule, bearable, cost, judge},
};

/// Questions between two judgements of the rules, and looked at in one.
const JUDGED: usize = 1_024;
/// After so long without a run, what one costs is found out anew, whatever it was.
const PROBE_NS: i64 = 1_000_000_000;
/// Of so many questions one is in a run of another size, larger or smaller, to see what that costs now: few enough
/// that their waiting is not to be seen in the slowest hundredth, of two or three sizes together.
const TRIED_ONE_IN: usize = 256;
/// As long as too little is known of smaller runs, one run in so many is one.
const LEARNT_ONE_IN: u32 = 8;
/// Sizes of runs from one power of two to the next, up to the largest batch there is.
const OCTAVES: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub struct Window {
    costs: Costs,
    rule: Rule,
    /// What came since the last judgement.
    came: Vec<Came>,
    /// Something was left out since.
    has_dropped: bool,
    /// When something was run last.
    ran_at: Option<i64>,
    /// Questions since a run of about each size was tried.
    since: [usize; OCTAVES],
    /// Runs that were as large as possible, as they are counted.
    whole: u32,
    /// Questions that a run has left which could have had them.
    owed: usize,
    /// Every run has all it may.
    is_whole: bool,
}

impl Deadlines for Queue {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn at(&self, place: usize) -> i64 {
        Self::at(self, place).map_or(i64::MAX, |waiting| waiting.deadline)
    }
}

impl Window {
    /// For runs of at most `most` questions.
    pub fn new(most: usize) -> Self {
        Self::knowing(Costs::new(most))
    }

    /// For runs whose costs are like these.
    pub fn knowing(costs: Costs) -> Self {
        Self {
            costs,
            rule: Rule::PerTime,
            came: Vec::with_capacity(JUDGED),
            has_dropped: false,
            ran_at: None,
            since: [0; OCTAVES],
            whole: 0,
            owed: 0,
            is_whole: false,
        }
    }

    /// Takes as many as may run together from now on, as whatever runs behind it is the better for it.
    pub fn keep_whole(&mut self) {
        self.is_whole = true;
    }

    /// Questions that were left by a run which could have had them, and have not run since.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// What one question alone takes; nothing where that was found out too long ago to keep anybody out.
    fn one(&self, now: i64) -> i64 {
        let is_stale = self.ran_at.is_some_and(|ran_at| now - ran_at > PROBE_NS);
        if is_stale { 0 } else { cost(&self.costs, 1) }
    }

    /// What a run with one question is expected to take: at most, or, where nothing was run for a while, as
    /// a rule. One run that took long for another reason is not held against it for ever.
    pub fn expected(&self, now: i64) -> i64 {
        let is_stale = self.ran_at.is_some_and(|ran_at| now - ran_at > PROBE_NS);
        if is_stale { self.costs.usual(1) } else { self.costs.upper(1) }
    }

    /// How many of the `most` that may run together do, and notes what is owed then.
    fn at_once(&mut self, now: i64, most: usize, queue: &Queue) -> usize {
        let rows = self.fewer(now, most, queue);
        self.owed = match self.owed {
            0 => most - rows,
            owed => owed.saturating_sub(rows),
        };
        self.owed = self.owed.min(queue.len() - rows);
        rows
    }

    /// Fewer than `most` where those cost about as little each, or that is not known, unless others might be late
    /// for it.
    fn fewer(&mut self, now: i64, most: usize, queue: &Queue) -> usize {
        let waiting = queue.len();
        if self.is_whole || most == 1 || !self.is_early(now, most, queue) {
            return most;
        }
        let thrifty = self.costs.thrifty(most, waiting);
        if thrifty == most
            && waiting <= self.costs.most()
            && let Some(fewer) = self.costs.unsure(most)
        {
            self.whole = (self.whole + 1) % LEARNT_ONE_IN;
            return if self.whole == 0 { fewer } else { most };
        }
        // What other runs cost may have been another's fault, or may not be so any more.
        for size in [most, most.min(2 * thrifty), (thrifty / 2).max(1)] {
            let since = &mut self.since[octave(size)];
            if size != thrifty && *since >= TRIED_ONE_IN * size.max(thrifty) {
                *since = 0;
                return size;
            }
        }
        self.since.iter_mut().for_each(|since| *since = since.saturating_add(thrifty));
        thrifty
    }

    /// Whether the first has time for as many of the largest runs as all that waits makes, and two more.
    fn is_early(&self, now: i64, most: usize, queue: &Queue) -> bool {
        let due = queue.at(0).map_or(i64::MAX, |first| first.deadline);
        let runs = (queue.len() / most + 2) as i64;
        now.saturating_add(cost(&self.costs, most).saturating_mul(runs)) <= due
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
}

impl Policy for Window {
    fn admits(&mut self, now: i64, question: &Waiting, _: &Queue) -> bool {
        if self.came.len() == JUDGED {
            if std::mem::take(&mut self.has_dropped) {
                self.rule = judge(self.rule, &self.costs, &self.came);
            }
            self.came.clear();
        }
        self.came.push((now, question.deadline));
        now.saturating_add(self.one(now)) <= question.deadline
    }

    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        // What is too late already helps nobody.
        let one = self.one(now);
        let late = queue.iter().take_while(|w| now + one > w.deadline).count();
        queue.drop_first(late);
        if queue.is_empty() {
            self.has_dropped |= late > 0;
            self.owed = 0;
            return Decision::Idle;
        }
        let most = bearable(&self.costs, now, queue, 0);
        if most >= queue.len() || queue.len() > JUDGED {
            self.has_dropped |= late > 0;
            self.ran_at = Some(now);
            return Decision::Run(self.at_once(now, most.max(1), queue));
        }
        let (drop, run) = self.rule.apply(&self.costs, now, queue);
        queue.drop_first(drop);
        self.has_dropped |= late + drop > 0;
        self.ran_at = Some(now);
        Decision::Run(self.at_once(now, run, queue))
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.costs.learn(rows, took);
    }
}

/// Which power of two a size goes up to.
fn octave(size: usize) -> usize {
    (size.next_power_of_two().ilog2() as usize).min(OCTAVES - 1)
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
    fn questions_that_cost_more_together_go_in_smaller_runs_as_long_as_nobody_is_late() {
        let costs = [(1, 100_000), (8, 600_000), (16, 1_400_000), (32, 3_200_000)];
        let mut window = taught(&costs.repeat(5));
        let mut decide = |due: i64| window.decide(0, &mut queue(&[due; 20]));
        assert_eq!(decide(i64::MAX), Decision::Run(8));
        assert_eq!(decide(6_000_000), Decision::Run(8));
        // Twenty at once are in time for sure.
        assert_eq!(decide(5_000_000), Decision::Run(20));
        // Now and then it looks whether others are still dearer.
        let runs: Vec<_> = (0..1_280).map(|_| decide(i64::MAX)).collect();
        let count = |rows| runs.iter().filter(|&&run| run == Decision::Run(rows)).count();
        let [eight, others @ ..] = [8, 20, 16, 4].map(count);
        // Each of 256 times as many questions as there are in the larger of the two.
        assert_eq!((eight + others.iter().sum::<usize>(), others), (1_280, [1, 2, 4]));
    }

    #[test]
    fn where_the_last_of_many_would_be_late_runs_are_whole() {
        let costs = [(1, 110_000), (8, 804_000), (32, 3_000_000)].repeat(5);
        let mut window = Window::knowing(Costs::new(32).among(2));
        costs.iter().for_each(|&(rows, took)| window.ran(rows, took, 0));
        let mut decide =
            |waiting: usize, due: i64| window.decide(0, &mut queue(&vec![due; waiting]));
        assert_eq!(decide(60, i64::MAX), Decision::Run(8), "two share what is not enough for both");
        assert_eq!(decide(64, i64::MAX), Decision::Run(32), "there is enough for both");
        assert_eq!(
            [decide(60, 10_000_000), decide(60, 8_000_000)].map(|run| run == Decision::Run(8)),
            [true, false]
        );
    }

    #[test]
    fn what_a_run_leaves_of_those_it_could_have_had_is_owed() {
        let costs = [(1, 110_000), (8, 804_000), (16, 1_640_000), (32, 3_300_000)];
        let mut window = taught(&costs.repeat(5));
        let mut waiting = queue(&[i64::MAX; 20]);
        let mut owed = Vec::new();
        while let Decision::Run(rows) = window.decide(0, &mut waiting) {
            waiting.skip(rows);
            owed.push((rows, window.owed()));
            if owed.len() == 1 {
                // What comes meanwhile is not.
                let come = |id| Waiting { id, arrived: 0, deadline: i64::MAX };
                for id in 20..25 {
                    waiting.push(come(id));
                }
            }
        }
        assert_eq!(owed, [(8, 12), (8, 4), (9, 0)]);
        window.keep_whole();
        assert_eq!(window.decide(0, &mut queue(&[i64::MAX; 20])), Decision::Run(20));
        assert_eq!(window.owed(), 0);
    }

    #[test]
    fn what_smaller_runs_cost_is_found_out_where_there_is_time() {
        let mut window = taught(&[(32, 1_650_000)]);
        let runs = |window: &mut Window, due: i64| -> Vec<usize> {
            let mut run = || match window.decide(0, &mut queue(&[due; 32])) {
                Decision::Run(rows) => {
                    window.ran(rows, 50_000 * rows as i64 + 50_000, 0);
                    rows
                }
                other => panic!("{other:?} where some wait"),
            };
            (0..400).map(|_| run()).collect()
        };
        assert!(runs(&mut window, 3_000_000).iter().all(|&rows| rows == 32), "they would be late");
        let tried = runs(&mut window, i64::MAX);
        let count = |rows| tried.iter().filter(|&&run| run == rows).count();
        assert_eq!([1, 2, 4, 8, 16].map(count), [5; 5]);
        assert_eq!(tried[300..], [32; 100]);
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
