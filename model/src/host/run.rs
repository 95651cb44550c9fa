//! What a worker does with a batch: runs it, gives each question its answer or passes it on.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Buffer, Fault};

use super::{
    asked::Asked,
    batch::Batch,
    chain::Feed,
    counts::Counts,
    version::{Version, agree},
    way::{Row, Way},
};

/// A worker's own means of running models: by seat and version, one for each segment.
#[derive(Default)]
pub(super) struct Runners {
    own: HashMap<(usize, u32), Kept>,
    /// Nanoseconds of the last run.
    pub(super) took: Option<i64>,
}

/// Memory and sessions for the segments of one version.
pub(super) type Kept = Vec<Option<Batch>>;

/// A batch that a worker has taken out.
pub(super) struct Job {
    pub(super) seat: usize,
    pub(super) lane: usize,
    pub(super) segment: usize,
    pub(super) way: Arc<Way>,
    /// Where what is not sure goes on.
    pub(super) next: Option<usize>,
    /// Not the model itself: a worker that had its last handle would end the workers from inside.
    pub(super) counts: Arc<Counts>,
    pub(super) version: Arc<Version>,
    /// The version that takes over should this one fail.
    pub(super) before: Option<Arc<Version>>,
    /// A version that is asked as well, and the ways of all segments.
    pub(super) trial: Option<(Arc<Version>, Vec<Arc<Way>>)>,
}

/// What became of a batch.
#[derive(Default)]
pub(super) struct Served {
    /// Nothing could be answered.
    pub(super) failed: bool,
    /// Go on into the next segment.
    pub(super) further: Vec<Asked>,
    /// Must begin again, as the version that began with them has been taken back.
    pub(super) again: Vec<Asked>,
    /// Why this version is to be taken back.
    pub(super) faulty: Option<String>,
    /// What the run took, if all ran together.
    pub(super) took_ns: Option<i64>,
    /// Each is run by itself.
    each: bool,
    /// What the model gives does not tell questions apart: they have to be run one by one.
    pub(super) mixes: bool,
}

impl Runners {
    /// Takes out those that are not kept.
    pub(super) fn take_unless(&mut self, mut keeps: impl FnMut(usize, u32) -> bool) -> Vec<Kept> {
        self.own
            .extract_if(|&(seat, version), _| !keeps(seat, version))
            .map(|(_, own)| own)
            .collect()
    }

    /// The calling thread runs that version from now on. Says no if some segment would be handed to another
    /// thread.
    pub(super) fn come_here(&mut self, seat: usize, version: u32) -> bool {
        let own = self.own.get_mut(&(seat, version));
        own.is_some_and(|own| {
            own.iter_mut().all(|part| part.as_mut().is_some_and(Batch::come_here))
        })
    }

    /// Runs a segment once.
    pub(super) fn run<'a>(
        &mut self,
        seat: usize,
        version: &Version,
        segment: usize,
        way: &Way,
        rows: usize,
        samples: impl Fn(usize) -> &'a [f32] + Copy,
    ) -> Result<&Batch, Fault> {
        let segments = &version.chain.segments;
        let own = self.own.entry((seat, version.number)).or_default();
        own.resize_with(segments.len(), || None);
        let (place, loaded) = (&mut own[segment], &segments[segment].loaded);
        let panicked = || Fault::new("the model panicked");
        if place.is_none() {
            let make = || loaded.runner().map(|runner| Batch::new(runner, loaded.signature()));
            let made = catch_unwind(AssertUnwindSafe(make));
            *place = Some(made.unwrap_or_else(|_| Err(panicked()))?);
        }
        let batch = place.as_mut().expect("just made");
        let run = || {
            let began = Instant::now();
            batch.run(loaded.signature(), way, rows, samples).map(|()| began.elapsed())
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(ran) => self.took = i64::try_from(ran?.as_nanos()).ok(),
            Err(_) => {
                // What a panic has left behind is not run again.
                *place = None;
                return Err(panicked());
            }
        }
        Ok(place.as_ref().expect("it has run"))
    }

    /// What a segment was run with last.
    fn last(&self, seat: usize, version: &Version, segment: usize) -> Option<&Batch> {
        self.own.get(&(seat, version.number))?.get(segment)?.as_ref()
    }

    /// What the last segment of a version gives to questions, none of which leaves early.
    fn whole(
        &mut self,
        seat: usize,
        version: &Version,
        ways: &[Arc<Way>],
        questions: &[Buffer],
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let mut samples: Vec<Buffer> = questions.to_vec();
        for (segment, way) in ways.iter().enumerate() {
            let fed = &samples;
            let batch =
                self.run(seat, version, segment, way, fed.len(), |row| fed[row].floats())?;
            let signature = version.chain.segments[segment].loaded.signature();
            let rows: Vec<_> = (0..questions.len())
                .map(|row| batch.row(signature, row, segment))
                .collect::<Result<_, _>>()?;
            match version.chain.segments.get(segment + 1).map(|next| next.feed) {
                None => {
                    let all = 0..signature.outputs.len();
                    let of =
                        |row: &Row<'_>| all.clone().flat_map(|n| row.output(n).to_vec()).collect();
                    return Ok(rows.iter().map(of).collect());
                }
                Some(Feed::Question) => samples = questions.to_vec(),
                Some(Feed::Output(output)) => {
                    samples = rows.iter().map(|row| passed(row.output(output))).collect();
                }
            }
        }
        Err(Fault::new("it has no segments"))
    }

    /// Asks both versions the same questions: how many there were, and how many answers agree.
    pub(super) fn compare(
        &mut self,
        job: &Job,
        trial: &Version,
        ways: &[Arc<Way>],
        questions: &[Buffer],
    ) -> Result<(u64, u64), Fault> {
        // Where the one that serves fails, there is nothing to compare with.
        let Ok(old) = self.whole(job.seat, &job.version, ways, questions) else {
            return Ok((0, 0));
        };
        let new = self.whole(job.seat, trial, ways, questions)?;
        let agreed = old.iter().zip(&new).filter(|(old, new)| agree(old, new)).count();
        Ok((questions.len() as u64, agreed as u64))
    }

    /// Runs a batch and answers what can be answered. Where a run of several fails, each is run by
    /// itself, so that one that cannot be run harms no other; `again` is told before each.
    pub(super) fn serve(&mut self, job: &Job, asked: &mut Vec<Asked>, again: &dyn Fn()) -> Served {
        let mut served = Served::default();
        let Err(fault) = self.serve_with(job, &job.version, asked, &mut served) else {
            return served;
        };
        let Some(before) = job.before.as_ref().filter(|_| !served.mixes) else {
            self.serve_each(job, &job.version, fault, asked, &mut served, again);
            return served;
        };
        if job.segment > 0 {
            served.faulty = Some(fault.to_string());
            served.again = std::mem::take(asked);
            return served;
        }
        again();
        match self.serve_with(job, before, asked, &mut served) {
            Ok(()) => served.faulty = Some(fault.to_string()),
            // What neither can answer says nothing about the new one.
            Err(fault) => self.serve_each(job, before, fault, asked, &mut served, again),
        }
        served
    }

    /// Runs each question of a batch that failed by itself.
    fn serve_each(
        &mut self,
        job: &Job,
        version: &Version,
        fault: Fault,
        asked: &mut Vec<Asked>,
        served: &mut Served,
        again: &dyn Fn(),
    ) {
        served.each = true;
        let all = std::mem::take(asked);
        // What has its answer and fails is no failure of the model's.
        let awaited = all.iter().filter(|asked| !asked.is_followed()).count();
        let mut first = Some(fault).filter(|_| all.len() == 1);
        let mut failed = 0;
        for one in all {
            asked.push(one);
            let outcome = match first.take() {
                // It was by itself.
                Some(fault) => Err(fault),
                None => {
                    again();
                    self.serve_with(job, version, asked, served)
                }
            };
            if let Err(fault) = outcome {
                for asked in asked.drain(..) {
                    failed += usize::from(!asked.is_followed());
                    fail(&job.counts, asked, fault.again());
                }
            }
        }
        served.failed = awaited > 0 && failed == awaited;
    }

    /// Runs a batch with one version; on a fault of the run nothing has been answered.
    fn serve_with(
        &mut self,
        job: &Job,
        version: &Version,
        asked: &mut Vec<Asked>,
        served: &mut Served,
    ) -> Result<(), Fault> {
        let Job { seat, segment, way, next, counts, .. } = job;
        let rows = asked.len();
        let questions = &*asked;
        self.took = None;
        let began = Instant::now();
        let ran =
            self.run(*seat, version, *segment, way, rows, |row| questions[row].fed()).map(drop);
        let took = self.took.take();
        let lasted = took.map_or(began.elapsed(), |took| Duration::from_nanos(took as u64));
        counts.segments[*segment].ran(rows, lasted);
        counts.segments[*segment].padded.add((way.rows_of(rows) - rows) as u64);
        ran?;
        // Runs of another version, or one by one, are no measure.
        let is_measure = version.number == job.version.number && served.took_ns.is_none();
        served.took_ns = took.filter(|_| is_measure && !served.each);
        let batch = self.last(*seat, version, *segment).expect("it has run");
        let signature = version.chain.segments[*segment].loaded.signature();
        if batch.mixes(signature) {
            served.mixes = true;
            return Err(Fault::new("the model does not give each question its own answer"));
        }
        let may_fail = job.before.is_some() && version.number == job.version.number;
        if may_fail {
            // One of them stands for all: a new version that gives nonsense is taken back.
            for row in 0..rows {
                batch.row(signature, row, *segment)?;
            }
        }
        if version.number != job.version.number {
            asked.iter().for_each(|asked| asked.reply.by_another());
        }
        let onward = version.chain.segments.get(segment + 1).map(|next| next.feed);
        let done = Instant::now();
        for (n, mut asked) in asked.drain(..).enumerate() {
            let row = match batch.row(signature, n, *segment) {
                Ok(row) => row,
                Err(fault) => {
                    fail(counts, asked, fault);
                    continue;
                }
            };
            if let (Some(feed), Some(_)) = (onward, next) {
                if let Some(drift) = version.chain.drift.as_ref().filter(|_| *segment == 0) {
                    asked.watched = drift.takes();
                }
                let samples = || match feed {
                    Feed::Question => None,
                    Feed::Output(output) => Some(passed(row.output(output))),
                };
                let leaves = !asked.is_followed() && version.chain.leaves(*segment, row.output(0));
                if !leaves {
                    let is_last = segment + 2 == version.chain.segments();
                    if let (true, false) = (is_last, asked.is_followed())
                        && let Some(slot) = asked.watched.take()
                    {
                        slot.stays();
                    }
                    asked.samples = samples();
                    served.further.push(asked);
                    continue;
                }
                if let Some(mut slot) = asked.watched.take() {
                    slot.leaves(*segment, row.output(0));
                    served.further.push(asked.followed(slot, samples()));
                }
            } else if asked.is_followed() {
                if let Some(slot) = asked.watched.take() {
                    slot.ends(row.output(0));
                }
                continue;
            }
            let row = Row { question: asked.question.floats(), note: asked.note, ..row };
            let answer = catch_unwind(AssertUnwindSafe(|| asked.way.read(&row)));
            let unread = || Err(Fault::new("what the model gave cannot be read"));
            match answer.unwrap_or_else(|_| unread()) {
                Ok(answer) => {
                    counts.answers.record(done.duration_since(asked.began).as_nanos() as i64);
                    counts.answered.add(1);
                    counts.segments[*segment].exits.add(1);
                    asked.reply.answer(answer);
                    // Behind the answer, which must not wait for it.
                    if let Some(pair) = &asked.pair {
                        pair.told(&row, asked.began);
                    }
                }
                Err(fault) => fail(counts, asked, fault),
            }
        }
        Ok(())
    }
}

fn fail(counts: &Counts, asked: Asked, fault: Fault) {
    if asked.is_followed() {
        return;
    }
    counts.failed.add(1);
    asked.reply.fail(fault);
}

/// Numbers for the next segment.
fn passed(numbers: &[f32]) -> Buffer {
    Buffer::of_floats(numbers, numbers.len())
}
