//! [`Seat`]: a model among the workers: its questions, its versions, and how it behaves.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use super::{
    asked::{Asked, Priority},
    chain::Chain,
    counts::{Counts, Shed},
    lane::{Lane, Next},
    model::Model,
    short::Guest,
    version::{Content, OnTrial, Standing, Trial, Version},
    way::Way,
};

/// Questions of one kind that may wait; more are refused at once.
const WAITING_MAX: usize = 16 << 10;
/// The same of those that nobody waits for.
const SPARE_MAX: usize = 256;
/// Failed runs in a row after which a model is left alone for a while.
const FAILURES_MAX: u32 = 8;
/// How long it is left alone.
const REST_NS: i64 = 5_000_000_000;
/// Runs in which a new version may still be taken back.
const PROBATION: u32 = 1_000;

/// What is said where a run does not end.
pub(super) const NEVER: &str = "a run of the model never ended; it is not asked any more";

/// A model and its questions.
pub(super) struct Seat {
    pub(super) model: Weak<Model>,
    name: String,
    pub(super) counts: Arc<Counts>,
    /// The content of the version that serves, for whoever keeps answers.
    content: Arc<Content>,
    batch_max: usize,
    /// Workers that may run it at a time.
    executors: usize,
    /// Those of its model, which may be gone.
    pub(super) lanes: Vec<Lane>,
    failures: u32,
    rests_until: i64,
    /// A run of it never ended.
    pub(super) stuck: bool,
    pub(super) serving: Arc<Version>,
    /// The version before, as long as it may have to come back, and runs until then.
    before: Option<(Arc<Version>, u32)>,
    pub(super) trial: Option<OnTrial>,
    versions: u32,
    /// Means for whoever asks to run it, unless somebody has them.
    pub(super) guest: Option<Guest>,
    /// The version that such means were made for.
    guest_of: u32,
    /// The next cheaper variant, which answers what would be too late here.
    pub(super) cheaper: Option<usize>,
}

/// Why a question is not taken.
pub(super) enum Refusal {
    /// It would be answered too late.
    Late(String),
    /// The model is not asked now.
    Closed(Shed, &'static str),
}

impl Seat {
    pub(super) fn new(model: &Arc<Model>, chain: Chain, executors: usize) -> Self {
        Self {
            model: Arc::downgrade(model),
            name: model.called(),
            content: model.content.clone(),
            batch_max: model.batch_max,
            executors,
            counts: model.counts.clone(),
            lanes: Vec::new(),
            failures: 0,
            rests_until: 0,
            stuck: false,
            serving: Arc::new(Version { number: 1, chain }),
            before: None,
            trial: None,
            versions: 1,
            guest: None,
            guest_of: 0,
            cheaper: None,
        }
    }

    /// The lane for questions put that way; says whether it is new.
    pub(super) fn open(
        &mut self,
        way: &Arc<Way>,
        fixed: &[(String, f64)],
    ) -> Result<(usize, bool), String> {
        let first = self.lane(way, 0);
        let (mut at, mut fresh) = first;
        for segment in 1..self.serving.chain.segments() {
            let further = self.serving.chain.further(segment, way, fixed)?;
            let (next, is_new) = self.lane(&Arc::new(further), segment);
            self.lanes[at].goes_on_in(next);
            (at, fresh) = (next, fresh || is_new);
        }
        Ok((first.0, fresh))
    }

    fn lane(&mut self, way: &Arc<Way>, segment: usize) -> (usize, bool) {
        let fits = |lane: &Lane| lane.segment == segment && lane.way.goes_with(way);
        if let Some(known) = self.lanes.iter().position(fits) {
            self.lanes[known].shared_with(way);
            return (known, false);
        }
        self.lanes.push(Lane::new(way.clone(), segment, self.batch_max, self.executors));
        (self.lanes.len() - 1, true)
    }

    /// Lets a question wait, or says why not.
    pub(super) fn admit(
        &mut self,
        now: i64,
        lane: usize,
        asked: Asked,
    ) -> Result<(), Box<(Asked, Refusal)>> {
        let closed = |asked, shed, why| Err(Box::new((asked, Refusal::Closed(shed, why))));
        if self.stuck {
            return closed(asked, Shed::Stuck, NEVER);
        }
        if now < self.rests_until {
            let why = "the model failed again and again and is left alone for 5 s";
            return closed(asked, Shed::Resting, why);
        }
        let most = if asked.priority == Priority::Spare { SPARE_MAX } else { WAITING_MAX };
        if self.lanes[lane].len() >= most {
            return closed(asked, Shed::Full, "too many questions wait for the model");
        }
        self.lanes[lane].admit(now, asked).map_err(|refused| {
            let (asked, why) = *refused;
            Box::new((asked, Refusal::Late(why)))
        })
    }

    /// Whether it is still the turn of what waits in a lane.
    pub(super) fn is_owed(&self, lane: usize) -> bool {
        self.lanes[lane].is_owed()
    }

    /// Whether it takes no questions now.
    pub(super) fn is_closed(&self, now: i64) -> bool {
        self.stuck || now < self.rests_until
    }

    /// Takes a question over that would be too late for another variant, or gives it back.
    pub(super) fn take_over(&mut self, now: i64, mut asked: Asked) -> Result<(), Box<Asked>> {
        let fits = |lane: &Lane| lane.segment == 0 && lane.way.goes_with(&asked.way);
        let Some(lane) = self.lanes.iter().position(fits) else { return Err(Box::new(asked)) };
        (asked.samples, asked.since) = (None, now);
        self.admit(now, lane, asked).map_err(|refused| Box::new(refused.0))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether anything waits that can be run and that somebody waits for.
    pub(super) fn has_work(&self) -> bool {
        !self.stuck && self.lanes.iter().any(Lane::is_awaited)
    }

    /// The highest priority of what waits and may run now.
    pub(super) fn rank(&self, now: i64) -> Option<usize> {
        let may_run = |lane: &&Lane| !self.stuck && lane.gathers(now).is_none();
        let heads = self.lanes.iter().filter(may_run).filter_map(Lane::head);
        heads.map(|(rank, _)| rank).min()
    }

    /// Until when what waits waits for more at the latest, if some of it does.
    pub(super) fn gathers(&self, now: i64) -> Option<i64> {
        self.lanes.iter().filter(|_| !self.stuck).filter_map(|lane| lane.gathers(now)).min()
    }

    /// Takes the next batch out, and says of which lane.
    pub(super) fn next(
        &mut self,
        now: i64,
        patience_ns: i64,
        into: &mut Vec<Asked>,
        late: &mut Vec<Asked>,
    ) -> (usize, Next) {
        loop {
            let may_run = self.lanes.iter().enumerate();
            let may_run = may_run.filter(|(_, lane)| lane.gathers(now).is_none());
            let heads = may_run.filter_map(|(number, lane)| {
                let (rank, deadline) = lane.head()?;
                Some(((rank, deadline, Reverse(lane.segment)), number))
            });
            let Some((_, lane)) = heads.min() else { return (0, Next::Nothing) };
            match self.lanes[lane].next(now, patience_ns, into, late) {
                // All that waited there has been dropped.
                Next::Nothing => {}
                next => return (lane, next),
            }
        }
    }

    /// Notes how a run went.
    pub(super) fn ran(&mut self, now: i64, failed: bool) {
        self.failures = if failed { self.failures + 1 } else { 0 };
        if self.failures >= FAILURES_MAX {
            (self.failures, self.rests_until) = (0, now + REST_NS);
        }
        if let Some((_, runs)) = &mut self.before {
            *runs -= 1;
            if *runs == 0 {
                self.before = None;
            }
        }
    }

    /// The version that comes back if the one that serves fails.
    pub(super) fn before(&self) -> Option<Arc<Version>> {
        self.before.as_ref().map(|(version, _)| version.clone())
    }

    /// Its model is gone. Gives what was loaded, to be dropped by whoever holds no lock.
    pub(super) fn leave(&mut self) -> (Vec<Arc<Version>>, Option<Guest>) {
        self.lanes.clear();
        let none = Arc::new(Version { number: 0, chain: Chain::none() });
        let versions = [
            Some(std::mem::replace(&mut self.serving, none)),
            self.before.take().map(|(version, _)| version),
            self.trial.take().map(|trial| trial.version),
        ];
        (versions.into_iter().flatten().collect(), self.guest.take())
    }

    /// The version that means for whoever asks are to be made for, if its runs are short enough: it is noted that
    /// somebody makes them.
    pub(super) fn wants_guest(&mut self, short_ns: i64) -> Option<Arc<Version>> {
        let is_new = self.guest_of != self.serving.number && !self.stuck;
        // What was measured once may be off.
        let is_cheap = is_new && self.lanes.iter().any(|lane| lane.is_cheap(2 * short_ns));
        if !is_cheap || !self.serving.chain.is_bounded() {
            return None;
        }
        self.guest_of = self.serving.number;
        Some(self.serving.clone())
    }

    /// Whether a version serves, may have to, or is on trial.
    pub(super) fn keeps(&self, version: u32) -> bool {
        self.serving.number == version
            || self.before.as_ref().is_some_and(|(before, _)| before.number == version)
            || self.trial.as_ref().is_some_and(|trial| trial.version.number == version)
    }

    /// Puts a version on trial, in the place of one that is.
    pub(super) fn offer(&mut self, chain: Chain, terms: Trial) -> Result<String, String> {
        if !chain.is_like(&self.serving.chain) {
            return Err("it takes or gives something else than the one that serves".to_owned());
        }
        self.versions += 1;
        let version = Arc::new(Version { number: self.versions, chain });
        self.trial = Some(OnTrial::new(version, terms));
        let (new, old) = (self.versions, self.serving.number);
        Ok(format!(
            "model `{}`: version {new} is compared with version {old} on {} questions",
            self.name, terms.questions
        ))
    }

    /// Takes note of what a trial showed; `fault` says that it did not answer. Says what became of it.
    pub(super) fn tried(
        &mut self,
        version: u32,
        compared: u64,
        agreed: u64,
        fault: Option<&str>,
    ) -> Option<String> {
        let trial = self.trial.as_mut().filter(|trial| trial.version.number == version)?;
        let standing = trial.compared(compared, agreed);
        let told = trial.told();
        let name = &self.name;
        match (fault, standing) {
            (Some(fault), _) => {
                self.trial = None;
                Some(format!("model `{name}`: version {version} is refused: {fault}"))
            }
            (None, Standing::Failed) => {
                self.trial = None;
                Some(format!("model `{name}`: version {version} is refused: {told}"))
            }
            (None, Standing::Passed) => {
                let new = self.trial.take().expect("it is there").version;
                let old = std::mem::replace(&mut self.serving, new);
                self.before = Some((old, PROBATION));
                let again = self.before.as_ref().and_then(|(old, _)| old.chain.drift.as_ref());
                let again = again.is_some_and(|old| old.is_broken()) && self.is_promised();
                let again =
                    if again { "; what it promises of leaving early is watched anew" } else { "" };
                let told =
                    format!("model `{name}`: version {version} serves from now on: {told}{again}");
                self.begin_again();
                Some(told)
            }
            (None, Standing::Goes) => None,
        }
    }

    /// Whether the version that serves promises something of leaving early.
    fn is_promised(&self) -> bool {
        self.serving.chain.drift.as_ref().is_some_and(|drift| drift.has_promise())
    }

    /// Answers are others now that no question leaves early: those kept are not for these.
    pub(super) fn has_shut(&self) {
        self.content.turn(self.serving.chain.content());
    }

    /// Takes a new version back that has failed.
    pub(super) fn roll_back(&mut self, version: u32, why: &str) -> Option<String> {
        if self.serving.number != version {
            return None;
        }
        let (before, _) = self.before.take()?;
        let told = format!(
            "model `{}`: version {version} is taken back, version {} serves again: {why}",
            self.name, before.number
        );
        self.serving = before;
        self.begin_again();
        Some(told)
    }

    /// What another version has begun is begun again.
    fn begin_again(&mut self) {
        self.content.turn(self.serving.chain.content());
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].segment == 0 {
                continue;
            }
            for asked in self.lanes[lane].clear().collect::<Vec<_>>() {
                self.put_back(asked);
            }
        }
    }

    /// Lets a question begin again with the first segment.
    pub(super) fn put_back(&mut self, mut asked: Asked) {
        // What has its answer was followed for the sake of the version before.
        if asked.is_followed() {
            return;
        }
        asked.watched = None;
        asked.samples = None;
        let first = |lane: &&mut Lane| lane.segment == 0 && lane.way.goes_with(&asked.way);
        if let Some(lane) = self.lanes.iter_mut().find(first) {
            lane.push(asked);
        }
    }

    /// A run of this version never ended. Says what waits in vain, and what to tell.
    pub(super) fn wedged(&mut self, version: u32) -> (Vec<Asked>, Option<String>) {
        let why = "a run of it never ended";
        if let Some(trial) = &mut self.trial {
            trial.is_asked_no_more();
        }
        if let Some(told) = self.tried(version, 0, 0, Some(why)) {
            return (Vec::new(), Some(told));
        }
        if let Some(told) = self.roll_back(version, why) {
            return (Vec::new(), Some(told));
        }
        self.stuck = true;
        (self.lanes.iter_mut().flat_map(Lane::clear).collect(), None)
    }

    /// A run of this version for the sake of the sample never ended: nothing is watched any more, if it still serves.
    pub(super) fn watched_in_vain(&mut self, version: u32) -> (Vec<Asked>, Option<String>) {
        if self.serving.number != version {
            return (Vec::new(), None);
        }
        let Some(drift) = &self.serving.chain.drift else { return (Vec::new(), None) };
        drift.end();
        let told = format!(
            "model `{}`: a run of it never ended that followed questions to the end whose answers had been given; \
             its early exits are watched no more",
            self.name
        );
        (self.lanes.iter_mut().flat_map(Lane::take_watched).collect(), Some(told))
    }

    /// Questions that nobody waited for any more, since it was asked last.
    pub(super) fn take_forgotten(&mut self) -> u64 {
        self.lanes.iter_mut().map(|lane| std::mem::take(&mut lane.forgotten)).sum()
    }

    /// See [`Model::costs`].
    pub(super) fn costs(&self, segments: usize) -> Vec<Vec<(usize, i64)>> {
        let of = |segment| {
            let mut sizes = BTreeMap::new();
            let lanes = self.lanes.iter().filter(|lane| lane.segment == segment);
            for (rows, cost) in lanes.flat_map(Lane::costs) {
                let known = sizes.entry(rows).or_insert(cost);
                *known = cost.max(*known);
            }
            sizes.into_iter().collect()
        };
        (0..segments).map(of).collect()
    }
}
