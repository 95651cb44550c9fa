//! [`State`]: what the workers know together, under one lock.

use engine::Fault;

use super::{
    asked::{Asked, WATCHED},
    counts::Counts,
    lane::Next,
    run::{Job, Served},
    seat::{NEVER, Seat},
    short,
    workers::Ran,
};

/// What the workers know together.
pub(super) struct State {
    pub(super) seats: Vec<Seat>,
    /// Where to look first: models take turns.
    next: usize,
    /// Workers that sleep and that nobody has woken.
    pub(super) idle: usize,
    /// Workers that were woken and have not come yet.
    pub(super) woken: usize,
    pub(super) started: usize,
    /// Most there may be.
    pub(super) threads: usize,
    /// Threads that are there and not given up.
    pub(super) alive: usize,
    /// Workers that were given up and have not come back.
    lost: Vec<usize>,
    pub(super) busy: Vec<Busy>,
    pub(super) ended: bool,
    /// Somebody looks whether runs end.
    pub(super) is_watched: bool,
    /// Runs of low priority may take so long at most: half of the shortest time that was promised.
    pub(super) patience_ns: i64,
    /// Counts what there is to warm up or to forget.
    pub(super) cold: u64,
    /// Workers that run something before anybody asks.
    pub(super) warming: usize,
}

impl State {
    /// For so many threads at most.
    pub(super) fn of(threads: usize) -> Self {
        Self {
            seats: Vec::new(),
            next: 0,
            idle: 0,
            woken: 0,
            started: 0,
            threads,
            alive: 0,
            lost: Vec::new(),
            busy: Vec::new(),
            ended: false,
            is_watched: false,
            patience_ns: i64::MAX,
            cold: 0,
            warming: 0,
        }
    }
}

/// A worker in a run.
pub(super) struct Busy {
    worker: usize,
    seat: usize,
    version: u32,
    since: i64,
    /// Nobody waits for what it runs.
    is_watch: bool,
}

impl Busy {
    pub(super) const fn new(worker: usize, seat: usize, version: u32, since: i64) -> Self {
        Self { worker, seat, version, since, is_watch: false }
    }
}

impl State {
    /// Whether anything waits that somebody waits for.
    pub(super) fn has_work(&self) -> bool {
        self.seats.iter().any(Seat::has_work)
    }

    /// The next batch, of one model, the most urgent priority first; else when to look again.
    pub(super) fn take(
        &mut self,
        worker: usize,
        now: i64,
        into: &mut Vec<Asked>,
        late: &mut Vec<Asked>,
    ) -> (Option<Job>, Option<i64>) {
        let mut until = None;
        loop {
            let count = self.seats.len();
            let ranked = (0..count).filter_map(|turn| {
                let number = (self.next + turn) % count;
                Some((self.seats[number].rank()?, turn, number))
            });
            let Some((rank, _, number)) = ranked.min() else { return (None, until) };
            // What is watched has its answer: it begins only where a worker remains for those who ask.
            if rank == WATCHED && !self.can_spare_one() {
                return (None, until);
            }
            let dropped = late.len();
            let (lane, next) = self.seats[number].next(now, self.patience_ns, into, late);
            let given_up = (late.len() - dropped) as u64;
            let forgotten = self.seats[number].take_forgotten();
            let counts = &self.seats[number].counts;
            counts.late.add(given_up);
            counts.forgotten.add(forgotten);
            if next == Next::Batch {
                if self.seats[number].model.strong_count() > 0 {
                    self.next = number + 1;
                    return (Some(self.job(worker, number, lane, now, into)), None);
                }
                into.clear();
            }
            if let Next::At(at) = next {
                until = Some(at);
                return (None, until);
            }
        }
    }

    /// Whether somebody who asks now finds a worker, though this one is busy. With one worker nobody could.
    fn can_spare_one(&self) -> bool {
        self.threads == 1 || self.idle > 0 || self.started < self.threads
    }

    pub(super) fn job(
        &mut self,
        worker: usize,
        number: usize,
        lane: usize,
        now: i64,
        asked: &[Asked],
    ) -> Job {
        let seat = &mut self.seats[number];
        let version = seat.serving.clone();
        let is_watch = asked.iter().all(Asked::is_followed);
        self.busy.push(Busy { is_watch, ..Busy::new(worker, number, version.number, now) });
        let here = &seat.lanes[lane];
        let (way, segment, next) = (here.way.clone(), here.segment, here.next);
        let is_due =
            segment == 0 && seat.trial.as_mut().is_some_and(|trial| trial.is_due(asked.len()));
        let trial = seat.trial.as_ref().filter(|_| is_due).map(|trial| {
            let mut ways = vec![way.clone()];
            let mut at = next;
            while let Some(lane) = at {
                ways.push(seat.lanes[lane].way.clone());
                at = seat.lanes[lane].next;
            }
            (trial.version.clone(), ways)
        });
        let (counts, before) = (seat.counts.clone(), seat.before());
        Job { seat: number, lane, segment, way, next, counts, version, before, trial }
    }

    /// Frees the places of workers whose run does not end; the versions they run are taken back, or their
    /// models not asked again, and what waits for those has failed. Gives what to tell.
    pub(super) fn give_up_stuck(&mut self, now: i64, limit: i64) -> Vec<String> {
        let mut told = Vec::new();
        for busy in self.busy.extract_if(.., |busy| now - busy.since > limit) {
            let seat = &mut self.seats[busy.seat];
            let (waited, news) =
                if busy.is_watch { seat.watched_in_vain() } else { seat.wedged(busy.version) };
            fail_all(&seat.counts, waited);
            // A version may have gone.
            self.cold += u64::from(news.is_some() && !busy.is_watch);
            told.extend(news);
            // One who asks is no worker.
            if !short::is_guest(busy.worker) {
                self.started -= 1;
                self.alive -= 1;
                self.lost.push(busy.worker);
            }
        }
        told
    }

    /// A worker's thread ends.
    pub(super) fn leave(&mut self, worker: usize) {
        match self.lost.iter().position(|&lost| lost == worker) {
            Some(at) => drop(self.lost.swap_remove(at)),
            None => self.alive -= 1,
        }
    }

    /// Another run begins within the same piece of work.
    pub(super) fn begins_again(&mut self, worker: usize, now: i64) {
        if let Some(busy) = self.busy.iter_mut().find(|busy| busy.worker == worker) {
            busy.since = now;
        }
    }

    /// A worker is out of its run. Says no if it was given up meanwhile.
    pub(super) fn done(&mut self, worker: usize) -> bool {
        let at = self.busy.iter().position(|busy| busy.worker == worker);
        at.map(|at| self.busy.swap_remove(at)).is_some()
    }

    /// Notes how a run ended. Says no if the worker was given up meanwhile.
    pub(super) fn ran(
        &mut self,
        worker: usize,
        job: &Job,
        served: Served,
        ran: Ran,
        now: i64,
        tell: &dyn Fn(&str),
    ) -> bool {
        let here = self.done(worker);
        let seat = &mut self.seats[job.seat];
        let Served { failed, further, again, faulty, mixes: served_mixes, .. } = served;
        if seat.stuck {
            fail_all(&seat.counts, further.into_iter().chain(again));
            return here;
        }
        if job.version.chain.is_shut() {
            seat.has_shut();
        }
        let is_sound = faulty.is_none();
        if let Some(why) = faulty
            && let Some(told) = seat.roll_back(job.version.number, &why)
        {
            tell(&told);
            self.cold += 1;
        }
        if served_mixes && let Some(lane) = seat.lanes.get_mut(job.lane) {
            lane.one_by_one = true;
        }
        let had_before = seat.before().is_some();
        seat.ran(now, failed);
        // Its sessions are needed no more.
        self.cold += u64::from(had_before && seat.before().is_none());
        if let (true, Some(took_ns), Some(lane)) =
            (is_sound, ran.took_ns, seat.lanes.get_mut(job.lane))
        {
            lane.ran(ran.rows, took_ns, ran.late);
        }
        // What another version has begun is begun again.
        let is_same = is_sound && seat.serving.number == job.version.number;
        for mut asked in further {
            if asked.is_followed() && !job.version.chain.is_watched() {
                continue;
            }
            asked.since = now;
            match job.next.filter(|_| is_same) {
                Some(next) => seat.lanes[next].push(asked),
                None => seat.put_back(asked),
            }
        }
        for mut asked in again {
            asked.since = now;
            seat.put_back(asked);
        }
        here
    }
}

/// Tells whoever waits that a run of the model never ended.
fn fail_all(counts: &Counts, waited: impl IntoIterator<Item = Asked>) {
    for asked in waited.into_iter().filter(|asked| !asked.is_followed()) {
        counts.failed.add(1);
        asked.reply.fail(Fault::new(NEVER));
    }
}
