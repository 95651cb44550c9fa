//! [`Cache`]: the answers that all sessions of a host share.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Answer, Fault, Figures, Reply, Series, Service};

use crate::host::Moment;

use super::{
    CacheCounts, Fit, Key, PREFIX, RedisOptions,
    counts::Counts,
    flight::{Flights, Joined},
    memory::{Kept, Memory, until},
    redis::{LookUp, Redis},
};

/// How a cache keeps answers.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// Most answers in memory.
    pub entries: usize,
    /// Most bytes they may take.
    pub bytes: u64,
    /// How long an answer holds.
    pub lasts: Duration,
    /// Where else they are kept.
    pub redis: Option<RedisOptions>,
}

/// Answers that were given before. A hit costs some 200 ns and is given on the thread that asks.
pub struct Cache {
    pub(super) memory: Memory,
    pub(super) flights: Flights,
    pub(super) counts: Counts,
    redis: Option<Redis>,
    lasts: Duration,
}

/// A question as a cache sees it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What it is.
    pub key: Key,
    /// Its length in bytes.
    pub bytes: usize,
    /// How long whoever asks will wait: the same question that has run for longer is not waited for.
    pub patience: Duration,
    /// What its answers look like.
    pub fit: &'a Arc<Fit>,
    /// The version that it is put to, if there are versions: an answer that
    /// another may have given, or has said to give ([`Reply::by_another`]), is not kept.
    pub serves: Option<&'a Moment>,
    /// What an answer says that it has cost, where that is not the time it took to come: part of that it may have
    /// waited.
    pub cost: Option<fn(&Answer) -> Option<Duration>>,
}

impl Cache {
    /// An empty cache.
    ///
    /// # Errors
    /// If the address of the Redis means none.
    pub fn new(options: &CacheOptions) -> Result<Arc<Self>, Fault> {
        Ok(Arc::new(Self {
            memory: Memory::new(options.entries, options.bytes),
            flights: Flights::default(),
            counts: Counts::default(),
            redis: options.redis.as_ref().map(Redis::new).transpose()?,
            lasts: options.lasts,
        }))
    }

    /// Gives `reply` the answer that is there, or that is on its way; else asks what `ask` makes, perhaps on
    /// another thread. An answer that fails is kept by nobody: all who wait for it have failed.
    pub fn ask<A>(self: &Arc<Self>, question: Question<'_>, reply: Reply, ask: impl FnOnce() -> A)
    where
        A: FnOnce(Reply) + Send + 'static,
    {
        let Question { key, bytes, patience, fit, serves, cost } = question;
        let known = || self.memory.get(&key, Instant::now());
        let (reply, kept) = match known() {
            Some(kept) => (reply, kept),
            None => {
                let about = (key, bytes as u64, serves, cost);
                match self.flights.join(self, about, reply, patience, known) {
                    Joined::Waits => return self.counts.waits.add(1),
                    Joined::Answered(reply, kept) => (reply, kept),
                    Joined::First(flight) => {
                        let redis = self.redis.as_ref().filter(|redis| redis.is_asked());
                        let Some(redis) = redis else {
                            self.counts.misses.add(1);
                            let left = flight.left();
                            return ask()(Reply::through(flight).within(left));
                        };
                        let look_up = LookUp::new(flight, fit.clone(), Box::new(ask()), self.lasts);
                        return redis.look_up(self, look_up);
                    }
                }
            }
        };
        self.counts.hits.add(1);
        self.count_spared(1, &kept, bytes as u64);
        reply.answer(kept.answer);
    }

    /// What it has done so far.
    pub fn counts(&self) -> CacheCounts {
        self.counts.snapshot(self.memory.len() as u64)
    }

    /// Bytes of memory that the answers take. Looks at each of them.
    pub fn bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// Keeps an answer to a question that took so long, if it `is_sure` that nobody else has given it.
    pub(super) fn keep(
        self: &Arc<Self>,
        key: &Key,
        answer: &Answer,
        cost: Duration,
        is_sure: bool,
    ) -> Kept {
        let cost_ns = u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX);
        let kept = Kept::compact(answer, until(Instant::now(), self.lasts), cost_ns);
        if !is_sure {
            return kept;
        }
        self.memory.put(*key, kept.clone());
        if let Some(redis) = &self.redis {
            redis.write(self, key, &kept, self.lasts);
        }
        kept
    }

    /// Counts what so many questions would have cost.
    pub(super) fn count_spared(&self, questions: u64, kept: &Kept, question_bytes: u64) {
        self.counts.saved_ns.add(questions * kept.cost_ns);
        self.counts.saved_bytes.add(questions * (question_bytes + kept.bytes()));
    }
}

/// A cache as the service that nodes and models find by its name.
pub(crate) struct CacheService(pub(crate) Arc<Cache>);

impl Service for CacheService {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn remark(&self) -> Option<String> {
        let counts = self.0.counts();
        (counts.questions() > 0).then(|| counts.to_string())
    }

    fn figures(&self, name: &str, to: &mut dyn Figures) {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        self.0.counts().figures(name, to);
        let help = "Bytes of memory that the answers take.";
        let labels = &[("cache", name)];
        let series = Series { name: "afferent_cache_bytes", help, labels };
        to.gauge(series, self.0.bytes() as f64);
    }
}
