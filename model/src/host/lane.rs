//! [`Lane`]: the questions that wait for one model and go together in a run, and when to run which.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use crate::batch::{Costs, Decision, Policy, Queue, Waiting, Window};

use super::{
    asked::{Asked, Priority, RANKS, WATCHED},
    way::Way,
};

/// About what it takes to ask, besides the run.
const ASKING_NS: i64 = 5_000;

/// The questions that go together, the most urgent first. A state machine: it is told the time.
pub(super) struct Lane {
    /// How they are put.
    pub(super) way: Arc<Way>,
    /// Which part of the model they are put to.
    pub(super) segment: usize,
    /// Where those wait that go on into the next.
    next: Option<usize>,
    /// By priority, the highest first.
    rows: [Row; RANKS],
    policy: Window,
    /// Somebody finds out what runs of each size cost.
    pub(super) is_explored: bool,
    /// Questions have to be run one by one.
    pub(super) one_by_one: bool,
    /// When the last two questions came.
    came: [i64; 2],
    /// From one question to the next, as of late.
    apart_ns: i64,
    /// So long questions wait for others.
    gather_ns: i64,
    /// Who asks here, as of the last count, and questions until the next one.
    askers: Vec<Weak<Way>>,
    until_count: u32,
    /// Questions taken out that nobody waited for any more, until somebody counts them.
    pub(super) forgotten: u64,
}

#[derive(Default)]
struct Row {
    queue: Queue,
    /// In the order of the queue.
    asked: VecDeque<Asked>,
}

/// Questions that come further apart are as good as none.
const APART_MOST_NS: i64 = 1_000_000_000;

/// Questions between two counts of who asks.
const COUNTED_EVERY: u32 = 256;

/// What a lane has for a free worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A batch was taken out.
    Batch,
    /// There may be more at this moment.
    At(i64),
    /// Nothing waits.
    Nothing,
}

impl Lane {
    pub(super) fn new(way: Arc<Way>, segment: usize, batch_max: usize, executors: usize) -> Self {
        // Where the file says how many rows a run has, it has them, questions or not.
        let costs = way.rows.map_or(Costs::new(batch_max), Costs::flat);
        Self {
            policy: Window::knowing(costs.among(executors)),
            segment,
            next: None,
            rows: Default::default(),
            is_explored: false,
            one_by_one: false,
            came: [i64::MIN / 2; 2],
            apart_ns: APART_MOST_NS,
            gather_ns: way.gather_ns,
            askers: vec![Arc::downgrade(&way)],
            until_count: 0,
            forgotten: 0,
            way,
        }
    }

    /// What a run leaves undecided goes on there, all at once: the next part is the better for it.
    pub(super) fn goes_on_in(&mut self, next: usize) {
        self.next = Some(next);
        self.policy.keep_whole();
    }

    /// Where those wait that go on into the next.
    pub(super) const fn next_lane(&self) -> Option<usize> {
        self.next
    }

    /// Whether questions wait that the last run could have had: it is still their turn.
    pub(super) fn is_owed(&self) -> bool {
        self.policy.owed() > 0 && self.len() > 0
    }

    /// Questions put that way go here as well.
    pub(super) fn shared_with(&mut self, way: &Arc<Way>) {
        self.gather_ns = self.gather_ns.min(way.gather_ns);
        // Who asks seldom opens no more doors than questions, so the list stays short.
        if self.askers.len() == self.askers.capacity() {
            self.askers.retain(|asker| asker.strong_count() > 0);
        }
        self.askers.push(Arc::downgrade(way));
    }

    /// Until when what waits waits for more, if it does: not if a run is full or everybody has asked, nor if few would
    /// come by then, nor if a run of two costs what two runs do, nor what has waited already.
    pub(super) fn gathers(&self, now: i64) -> Option<i64> {
        let is_ready = self.one_by_one || self.is_owed();
        if self.gather_ns == 0 || is_ready || 2 * self.apart_ns > self.gather_ns {
            return None;
        }
        let awaited = || self.rows[..Priority::Spare as usize].iter();
        let waiting: usize = awaited().map(|row| row.asked.len()).sum();
        if waiting >= self.most().min(self.askers.len()) {
            return None;
        }
        let oldest = awaited().filter_map(|row| Some(row.asked.front()?.since)).min()?;
        let due = awaited().filter_map(|row| Some(row.queue.at(0)?.deadline)).min()?;
        let at = (oldest + self.gather_ns).min(due.saturating_sub(2 * self.upper(self.most())));
        let costs = self.policy.costs();
        let pays = !costs.knows(1) || 10 * costs.usual(2) < 18 * costs.usual(1);
        (now < at && pays).then_some(at)
    }

    /// Most questions of a run.
    pub(super) fn most(&self) -> usize {
        self.policy.costs().most()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.iter().map(|row| row.asked.len()).sum()
    }

    /// Whether somebody waits for an answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.rows[..WATCHED].iter().any(|row| !row.asked.is_empty())
    }

    /// Takes out what has its answer.
    pub(super) fn take_watched(&mut self) -> impl Iterator<Item = Asked> + use<> {
        std::mem::take(&mut self.rows[WATCHED]).asked.into_iter()
    }

    /// The most urgent question: its priority and deadline.
    pub(super) fn head(&self) -> Option<(usize, i64)> {
        let heads = self.rows.iter().enumerate();
        heads.filter_map(|(rank, row)| Some((rank, row.queue.at(0)?.deadline))).next()
    }

    /// What a run of one question mostly takes, if that is known.
    fn usual(&self) -> Option<i64> {
        let costs = self.policy.costs();
        costs.knows(1).then(|| costs.usual(1))
    }

    /// Whether a run of one question mostly takes `limit_ns` at most.
    pub(super) fn is_cheap(&self, limit_ns: i64) -> bool {
        self.usual().is_some_and(|took| took <= limit_ns)
    }

    /// Whether it is cheap, and the question that came last came `calm` runs or more after the one before.
    pub(super) fn is_short(&self, limit_ns: i64, calm: i64) -> bool {
        let took = self.usual().filter(|&took| took <= limit_ns);
        took.is_some_and(|took| self.came[1] - self.came[0] >= calm * (took + ASKING_NS))
    }

    /// Lets a question wait, or gives it back with the reason why it would wait in vain.
    pub(super) fn admit(&mut self, now: i64, asked: Asked) -> Result<(), Box<(Asked, String)>> {
        let row = &self.rows[asked.rank()];
        let waiting = Waiting { id: 0, arrived: asked.arrived, deadline: asked.deadline };
        if !self.policy.admits(now, &waiting, &row.queue) {
            let left = (asked.deadline - now).max(0) as f64 / 1e6;
            let takes = self.policy.costs().upper(1) as f64 / 1e6;
            let why = format!("a run takes {takes:.2} ms, and {left:.2} ms were left");
            return Err(Box::new((asked, why)));
        }
        self.came = [self.came[1], now];
        self.until_count = match self.until_count.checked_sub(1) {
            Some(left) => left,
            None => {
                self.askers.retain(|asker| asker.strong_count() > 0);
                COUNTED_EVERY
            }
        };
        let apart = (now - self.came[0]).min(APART_MOST_NS);
        self.apart_ns += (apart - self.apart_ns) / 16;
        self.push(asked);
        Ok(())
    }

    /// Lets a question wait.
    pub(super) fn push(&mut self, asked: Asked) {
        let row = &mut self.rows[asked.rank()];
        let waiting = Waiting { id: 0, arrived: asked.arrived, deadline: asked.deadline };
        let place = row.queue.push(waiting);
        row.asked.insert(place, asked);
    }

    /// Takes the next batch out, and what will not be answered in time. Work of low priority begins only
    /// if it is done within `patience_ns`; beside more urgent work it goes as far as it costs nothing.
    pub(super) fn next(
        &mut self,
        now: i64,
        patience_ns: i64,
        into: &mut Vec<Asked>,
        late: &mut Vec<Asked>,
    ) -> Next {
        for rank in 0..self.rows.len() {
            while !self.rows[rank].asked.is_empty() {
                let row = &mut self.rows[rank];
                let decision = self.policy.decide(now, &mut row.queue);
                let dropped = row.queue.take_dropped().count();
                late.extend(row.asked.drain(..dropped));
                let rows = match decision {
                    // A run that cannot be stopped is no longer than it must be.
                    Decision::Run(_) if rank == Priority::Spare as usize => 1,
                    Decision::Run(rows) if rank >= Priority::Low as usize && !self.one_by_one => {
                        self.gentle(rows, patience_ns)
                    }
                    Decision::Run(_) if self.one_by_one => 1,
                    Decision::Run(rows) => rows,
                    Decision::Wait(at) => return Next::At(at),
                    Decision::Idle => break,
                };
                self.take(rank, rows, into);
                if !into.is_empty() {
                    self.fill(now, rank, into);
                    return Next::Batch;
                }
            }
        }
        Next::Nothing
    }

    /// Takes out the most urgent of a priority that somebody still waits for.
    fn take(&mut self, rank: usize, count: usize, into: &mut Vec<Asked>) {
        let Row { queue, asked } = &mut self.rows[rank];
        let count = count.min(asked.len());
        queue.skip(count);
        let before = into.len();
        into.extend(asked.drain(..count).filter(|asked| asked.reply.is_wanted()));
        self.forgotten += (count - (into.len() - before)) as u64;
    }

    /// As many of `rows` as run within the patience, or as cost no more than one.
    fn gentle(&self, rows: usize, patience_ns: i64) -> usize {
        let costs = self.policy.costs();
        let limit = patience_ns.max(costs.upper(1));
        (1..=rows).rev().find(|&rows| costs.upper(rows) <= limit).unwrap_or(1)
    }

    /// Lets less urgent questions ride where the run has room for them, and everybody more urgent is in it.
    fn fill(&mut self, now: i64, rank: usize, into: &mut Vec<Asked>) {
        let is_empty = |row: &Row| row.asked.is_empty();
        let is_first = is_empty(&self.rows[rank]);
        if self.one_by_one || !is_first || self.rows[rank + 1..].iter().all(is_empty) {
            return;
        }
        let first = into.iter().map(|asked| asked.deadline).min().unwrap_or(i64::MAX);
        let room = self.policy.room(now, into.len(), first);
        for rank in (rank + 1..RANKS).filter(|&rank| rank != Priority::Spare as usize) {
            while into.len() < room && !self.rows[rank].asked.is_empty() {
                self.take(rank, room - into.len(), into);
            }
        }
    }

    /// Learns that a run took so long.
    pub(super) fn ran(&mut self, rows: usize, took_ns: i64, late: usize) {
        self.policy.ran(rows, took_ns, late);
    }

    /// What a run of so many takes at most.
    pub(super) fn upper(&self, rows: usize) -> i64 {
        self.policy.costs().upper(rows)
    }

    /// What its questions of that rank and the ranks before it take one worker.
    pub(super) fn work(&self, rank: usize) -> i64 {
        let (runs, rest) = self.runs(rank);
        self.full(runs) + if rest > 0 { self.upper(rest) } else { 0 }
    }

    /// What a question of that rank would find: the work that waits here, as much of it as is in runs before
    /// its own, and what its own takes.
    pub(super) fn outlook(&self, rank: usize, now: i64) -> (i64, i64, i64) {
        let (runs, rest) = self.runs(rank);
        let run = if rest == 0 { self.policy.expected(now) } else { self.upper(rest + 1) };
        (self.work(rank), self.full(runs), run)
    }

    /// Full runs that wait, and questions besides.
    fn runs(&self, rank: usize) -> (usize, usize) {
        let waiting: usize = self.rows[..=rank].iter().map(|row| row.asked.len()).sum();
        let most = if self.one_by_one { 1 } else { self.most() };
        (waiting / most, waiting % most)
    }

    fn full(&self, runs: usize) -> i64 {
        let most = if self.one_by_one { 1 } else { self.most() };
        self.upper(most).saturating_mul(runs as i64)
    }

    /// What a run of each size that was seen takes at most.
    pub(super) fn costs(&self) -> impl Iterator<Item = (usize, i64)> {
        let costs = self.policy.costs();
        costs.sizes().map(|rows| (rows, costs.upper(rows)))
    }

    /// Takes out all.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Asked> + use<> {
        let rows = std::mem::take(&mut self.rows);
        rows.into_iter().flat_map(|row| row.asked)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::testing::{Awaited, reply};

    use super::*;
    use crate::{backend::Loaded, host::by_hand};

    /// A lane that knows what runs cost, and a way to ask.
    fn lane(costs: &[(usize, i64)]) -> (Lane, Arc<Way>) {
        let way = by_hand::way();
        let mut lane = Lane::new(way.clone(), 0, 16, 1);
        costs.iter().for_each(|&(rows, took)| lane.ran(rows, took, 0));
        (lane, way)
    }

    fn question(way: &Arc<Way>, priority: Priority, deadline: i64) -> (Asked, Awaited) {
        let (reply, awaited) = reply(Some(Duration::ZERO));
        (by_hand::asked(way, priority, deadline, reply), awaited)
    }

    fn ask(lane: &mut Lane, way: &Arc<Way>, priority: Priority, deadline: i64) -> Awaited {
        let (asked, awaited) = question(way, priority, deadline);
        lane.push(asked);
        awaited
    }

    fn next(lane: &mut Lane, now: i64, patience: i64) -> (Next, usize, usize) {
        let (mut into, mut late) = (Vec::new(), Vec::new());
        let next = lane.next(now, patience, &mut into, &mut late);
        (next, into.len(), late.len())
    }

    #[test]
    fn low_priority_rides_where_a_run_has_room() {
        use Priority::{Low, Normal};
        // Up to eight cost what one costs.
        let (mut lane, way) = lane(&[(1, 100), (8, 102), (16, 200)]);
        let _asked: Vec<_> = [Low, Low, Normal, Low]
            .map(|priority| ask(&mut lane, &way, priority, 10_000))
            .into_iter()
            .collect();
        assert_eq!(lane.head(), Some((1, 10_000)));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 4, 0));
        assert_eq!(lane.len(), 0);

        let _asked: Vec<_> = (0..12).map(|_| ask(&mut lane, &way, Low, 10_000)).collect();
        let _urgent = ask(&mut lane, &way, Normal, 10_000);
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 8, 0));
        // Alone they go as far as whoever is urgent can wait.
        assert_eq!(next(&mut lane, 0, 100), (Next::Batch, 4, 0));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 0));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Nothing, 0, 0));
    }

    #[test]
    fn low_priority_does_not_ride_in_front_of_what_a_run_has_left() {
        use Priority::{Low, Normal};
        // Four cost as little each as sixteen, and one run of four took as long as those.
        let (mut lane, way) =
            lane(&[(1, 1_000_000), (4, 2_000_000), (8, 4_000_000), (16, 8_000_000)].repeat(9));
        lane.ran(4, 8_000_000, 0);
        let _normal: Vec<_> = (0..10).map(|_| ask(&mut lane, &way, Normal, i64::MAX)).collect();
        let _low: Vec<_> = (0..6).map(|_| ask(&mut lane, &way, Low, i64::MAX)).collect();
        let runs = [(); 2].map(|()| next(&mut lane, 0, i64::MAX));
        // Those that are left of the ten have the six with them.
        assert_eq!(runs, [(Next::Batch, 4, 0), (Next::Batch, 12, 0)]);
    }

    #[test]
    fn what_is_put_to_the_next_part_is_put_there_together() {
        let (mut lane, way) =
            lane(&[(1, 1_000_000), (4, 2_000_000), (8, 4_000_000), (16, 8_000_000)].repeat(9));
        lane.goes_on_in(1);
        let _asked: Vec<_> =
            (0..12).map(|_| ask(&mut lane, &way, Priority::Normal, i64::MAX)).collect();
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 12, 0));
    }

    #[test]
    fn low_priority_rides_in_rows_that_would_be_padding() {
        use Priority::{Low, Normal};
        let (_, way) = lane(&[]);
        let (reader, doubles) = (Box::new(by_hand::Mute), by_hand::doubles());
        let by_rows =
            Way::new(doubles.signature(), 0, vec![1], &[], reader).expect("a way").in_rows(8);
        let mut lane = Lane::new(Arc::new(by_rows), 0, 1, 1);
        lane.ran(3, 1_000, 0);
        let _low: Vec<_> = (0..20).map(|_| ask(&mut lane, &way, Low, 10_000)).collect();
        let _urgent: Vec<_> = (0..3).map(|_| ask(&mut lane, &way, Normal, 1_100)).collect();
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 8, 0));
        // Alone they fill a run however little patience there is: one costs as much.
        assert_eq!(next(&mut lane, 0, 10), (Next::Batch, 8, 0));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 7, 0));
    }

    #[test]
    fn low_priority_makes_nobody_late() {
        let (mut lane, way) = lane(&[(1, 1_000), (16, 1_040)]);
        let _urgent = ask(&mut lane, &way, Priority::Normal, 1_025);
        let _asked: Vec<_> = (0..15).map(|_| ask(&mut lane, &way, Priority::Low, 9_000)).collect();
        // 1000 + 40 (n − 1) / 15 ≤ 1025.
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 10, 0));
    }

    #[test]
    fn spare_questions_ride_with_nobody_and_run_one_by_one() {
        use Priority::{Normal, Spare};
        let (mut lane, way) = lane(&[(1, 100), (8, 102), (16, 200)]);
        let _asked: Vec<_> = [Spare, Normal, Spare]
            .map(|priority| ask(&mut lane, &way, priority, 10_000))
            .into_iter()
            .collect();
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 0));
        assert_eq!((lane.len(), lane.head()), (2, Some((3, 10_000))));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 0));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 0));
        assert_eq!(lane.len(), 0);
    }

    #[test]
    fn a_question_sees_the_runs_before_its_own() {
        let (mut lane, way) = lane(&[(1, 100), (16, 400)]);
        let rank = Priority::Normal as usize;
        assert_eq!(lane.outlook(rank, 0), (0, 0, 100));
        let _asked: Vec<_> =
            (0..17).map(|_| ask(&mut lane, &way, Priority::Normal, 10_000)).collect();
        // A full run, then it shares one with the question that is there: 100 + 300 / 15.
        assert_eq!(lane.outlook(rank, 0), (500, 400, 120));
        assert_eq!(lane.outlook(Priority::High as usize, 0), (0, 0, 100));
        assert_eq!(lane.work(Priority::Low as usize), 500);
    }

    /// A lane whose questions wait for each other, and who asks there.
    fn gathering(gather_ns: u64, askers: usize, costs: &[(usize, i64)]) -> (Lane, Vec<Arc<Way>>) {
        let way = || {
            let doubles = by_hand::doubles();
            let way = Way::new(doubles.signature(), 0, vec![1], &[], Box::new(by_hand::Mute));
            Arc::new(way.expect("a way").gathering(Duration::from_nanos(gather_ns)))
        };
        let ways: Vec<_> = (0..askers).map(|_| way()).collect();
        let mut lane = Lane::new(ways[0].clone(), 0, 4, 1);
        ways[1..].iter().for_each(|way| lane.shared_with(way));
        // Often enough to be sure.
        costs.repeat(5).iter().for_each(|&(rows, took)| lane.ran(rows, took, 0));
        (lane, ways)
    }

    /// Admits questions that come so far apart; gives what a free worker finds at each.
    fn come(lane: &mut Lane, ways: &[Arc<Way>], apart: i64, count: usize) -> Vec<Next> {
        let mut found = Vec::new();
        for n in 0..count {
            let now = n as i64 * apart;
            let (mut asked, awaited) = question(&ways[n % ways.len()], Priority::Normal, i64::MAX);
            (asked.arrived, asked.since) = (now, now);
            lane.admit(now, asked).unwrap_or_else(|_| panic!("there is time"));
            std::mem::forget(awaited);
            // As the seat does.
            let waits = lane.gathers(now).map(Next::At);
            found.push(waits.unwrap_or_else(|| next(lane, now, i64::MAX).0));
        }
        found
    }

    #[test]
    fn questions_wait_for_each_other_where_that_pays() {
        let pays = [(1, 100), (2, 130), (4, 190)];
        let (mut lane, ways) = gathering(1_000, 8, &pays);
        let found = come(&mut lane, &ways, 100, 400);
        // Once it is known how far apart they come, three wait and the fourth makes a run full.
        let (waits, full) = found[300..].iter().fold((0, 0), |(waits, full), next| match next {
            Next::At(_) => (waits + 1, full),
            _ => (waits, full + 1),
        });
        assert_eq!((waits, full), (75, 25));
        let Some(Next::At(at)) = found.iter().rev().find(|next| matches!(next, Next::At(_))) else {
            panic!("some wait")
        };
        assert!(at % 100 == 0 && lane.gathers(*at).is_none(), "no longer than it may");
    }

    #[test]
    fn what_has_waited_for_a_full_run_does_not_wait_again() {
        // Two cost as little each as four.
        let (mut lane, ways) = gathering(1_000_000, 8, &[(1, 100_000), (2, 110_000), (4, 224_000)]);
        // So close that it pays to wait.
        come(&mut lane, &ways, 10, 400);
        while next(&mut lane, 0, i64::MAX).0 == Next::Batch {}
        for (n, way) in ways[..4].iter().enumerate() {
            let (mut asked, awaited) = question(way, Priority::Normal, i64::MAX);
            (asked.arrived, asked.since) = (0, 0);
            lane.push(asked);
            std::mem::forget(awaited);
            assert_eq!(lane.gathers(0).is_some(), n < 3, "they wait for the fourth");
        }
        let run = |lane: &mut Lane| (lane.gathers(0), next(lane, 0, i64::MAX).1);
        assert_eq!([run(&mut lane), run(&mut lane)], [(None, 2), (None, 2)]);
        assert_eq!(lane.gathers(0), None, "nobody is left");
    }

    #[test]
    fn nobody_waits_in_vain() {
        let pays = [(1, 100), (2, 130), (4, 190)];
        let never = |gather, askers, apart, costs: &[(usize, i64)]| {
            let (mut lane, ways) = gathering(gather, askers, costs);
            let found = come(&mut lane, &ways, apart, 400);
            found[300..].iter().all(|next| *next == Next::Batch)
        };
        assert!(!never(1_000, 8, 100, &pays));
        assert!(never(0, 8, 100, &pays), "nobody is to wait");
        assert!(never(1_000, 1, 100, &pays), "nobody else asks");
        assert!(never(1_000, 8, 900, &pays), "few come");
        assert!(never(1_000, 8, 100, &[(1, 100), (2, 195), (4, 380)]), "it saves nothing");
    }

    #[test]
    fn who_is_gone_is_not_waited_for() {
        let (mut lane, mut ways) = gathering(1_000, 8, &[(1, 100), (2, 130), (4, 190)]);
        come(&mut lane, &ways, 100, 400);
        ways.truncate(1);
        let found = come(&mut lane, &ways, 100, 600);
        assert!(found[500..].iter().all(|next| *next == Next::Batch));
    }

    #[test]
    fn what_nobody_waits_for_is_not_run() {
        let (mut lane, way) = lane(&[(1, 100), (16, 1_600)]);
        let gone = ask(&mut lane, &way, Priority::Normal, 10_000);
        let _kept = ask(&mut lane, &way, Priority::Normal, 10_000);
        gone.forget();
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 0));
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Nothing, 0, 0));
    }

    #[test]
    fn what_is_too_late_is_given_back() {
        let (mut lane, way) = lane(&[(1, 100), (16, 1_600)]);
        let _late = ask(&mut lane, &way, Priority::High, 50);
        let _good = ask(&mut lane, &way, Priority::Normal, 10_000);
        assert_eq!(next(&mut lane, 0, i64::MAX), (Next::Batch, 1, 1));
        let (asked, _awaited) = question(&way, Priority::Normal, 60);
        let refused = lane.admit(0, asked).expect_err("it cannot be answered in time");
        let (_, why) = *refused;
        assert_eq!(why, "a run takes 0.00 ms, and 0.00 ms were left");
    }
}
