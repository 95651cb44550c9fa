//! The thread that looks: at the taps fifty times a second, and ten times at the counters, or where there are very
//! many as often as they are added up. It sleeps while nobody looks at the page.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use engine::{Plan, Report, Running};

use crate::{
    figures::{Figures, History, Seen, troubles},
    followers::Follows,
    local::{
        look,
        message::{Hello, PROTOCOL, Shape},
        times,
    },
};

use super::{
    Inside,
    message::{Counted, Greeting, Now, Parts, Want, event},
    offer::Offer,
    taps::Taps,
};

/// Between two looks at the taps: at a hundred thousand frames a second a quarter of their room.
const DRAIN: Duration = Duration::from_millis(20);
/// Between two ticks.
const TICK: Duration = Duration::from_millis(100);
/// Between two looks that tell all there is.
const ALL: Duration = Duration::from_secs(1);
/// Sessions that are named.
const SESSIONS_MAX: usize = 500;
/// What it takes is made up on the heap.
const STACK_BYTES: usize = 512 << 10;

/// Begins to wait for somebody who looks.
pub(super) fn start(inside: &Arc<Inside>) -> io::Result<JoinHandle<()>> {
    let inside = inside.clone();
    let named = Builder::new().name("afferent-look".to_owned()).stack_size(STACK_BYTES);
    named.spawn(move || {
        super::stand_back();
        while inside.viewers.wait_for_somebody() {
            let Some(running) = inside.running.upgrade() else { break };
            let mut lookout = Lookout::new(&inside, &running);
            drop(running);
            lookout.until_nobody_looks();
        }
        let end = inside.end.lock().unwrap_or_else(PoisonError::into_inner);
        inside.viewers.part(end.as_ref().map(|end| event("end", end)).as_ref());
    })
}

/// What is looked at while somebody does.
struct Lookout<'a> {
    inside: &'a Inside,
    plan: Arc<Plan>,
    shape: Shape,
    offer: Offer,
    history: History,
    taps: Taps,
    next_tick: Instant,
    next_all: Instant,
    /// What was told last, and whether it was draining then.
    told: Option<(Arc<Report>, bool)>,
    /// Frames are followed while somebody looks.
    _follows: Follows,
}

impl<'a> Lookout<'a> {
    fn new(inside: &'a Inside, running: &Running) -> Self {
        let plan = running.plan();
        let (shape, offer) = (shape(inside, running), Offer::of(&plan));
        let (history, taps, now) = (History::default(), Taps::default(), Instant::now());
        Self {
            inside,
            plan,
            shape,
            offer,
            history,
            taps,
            next_tick: now,
            next_all: now,
            told: None,
            _follows: inside.followers.ask(),
        }
    }

    fn until_nobody_looks(&mut self) {
        let viewers = &self.inside.viewers;
        loop {
            let is_last = viewers.is_over();
            let Some(running) = self.inside.running.upgrade() else { return };
            let now = Instant::now();
            self.follow(&running);
            self.greet(&running);
            if !is_last {
                self.taps.follow(&viewers.wants(), &running, now);
            }
            self.inside.taps.store(self.taps.len(), Ordering::Relaxed);
            self.taps.drain();
            if is_last || now >= self.next_tick {
                // Ten a second on average, whenever this thread gets its turn.
                self.next_tick = (self.next_tick + TICK).max(now);
                if is_last {
                    (self.next_all, self.told) = (now, None);
                }
                self.tick(&running, now, is_last);
            }
            drop(running);
            if is_last {
                return;
            }
            if viewers.is_empty() {
                self.taps.close();
                self.inside.taps.store(self.taps.len(), Ordering::Relaxed);
                return;
            }
            viewers.wait(DRAIN);
        }
    }

    /// Another plan may run by now.
    fn follow(&mut self, running: &Running) {
        let plan = running.plan();
        if Arc::ptr_eq(&plan, &self.plan) {
            return;
        }
        (self.shape, self.offer) = (shape(self.inside, running), Offer::of(&plan));
        self.plan = plan;
        self.inside.viewers.say(&event("shape", &self.parts()));
    }

    fn parts(&self) -> Parts<'_> {
        Parts { shape: &self.shape, offer: &self.offer }
    }

    /// Says hello to those who have come.
    fn greet(&mut self, running: &Running) {
        let about = &self.inside.about;
        let process = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            graph: self.plan.name().to_owned(),
            file: about.file.clone(),
            host: about.host.clone(),
            running_s: running.clock_now().nanos() as f64 / 1e9,
        };
        let greeting = |viewer| {
            let sets = self.inside.sets.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (may_control, parts) = (self.inside.may_control, self.parts());
            let process = &process;
            event("hello", &Greeting { viewer, process, may_control, sets, parts })
        };
        if self.inside.viewers.greet(greeting) {
            let now = Instant::now();
            (self.next_tick, self.next_all, self.told) = (now, now, None);
        }
    }

    /// Says what is new.
    fn tick(&mut self, running: &Running, now: Instant, is_last: bool) {
        let look = self.look(running, now, is_last);
        let taps = self.taps.told(now);
        if look.is_none() && taps.is_empty() {
            return;
        }
        self.inside.viewers.tick(now, |wants| composed(look.as_deref(), &taps, wants));
    }

    /// A look at the counters, as the first keys of a tick; none if they are those of the tick before.
    fn look(&mut self, running: &Running, now: Instant, is_last: bool) -> Option<String> {
        let inside = self.inside;
        let is_draining = inside.is_draining.load(Ordering::Relaxed);
        // The last is there to stay.
        let report = if is_last { Arc::new(running.report()) } else { running.glance() };
        let is_told = |(told, was_draining): &(Arc<Report>, bool)| {
            Arc::ptr_eq(told, &report) && *was_draining == is_draining
        };
        if self.told.as_ref().is_some_and(is_told) {
            return None;
        }
        let health = running.health();
        self.history.add(look::look(&report, &health, inside.links.as_ref(), is_draining));
        self.told = Some((report, is_draining));
        let figures: Figures = self.history.figures(&self.shape)?;
        let said = Now { is_draining, figures: &figures };
        let mut text = format!("\"now\":{}", serde_json::to_string(&said).ok()?);
        if now >= self.next_all {
            self.next_all = (self.next_all + ALL).max(now);
            let counts = self.history.newest()?;
            let seen = Seen { shape: &self.shape, look: counts, figures: &figures };
            let open = running.sessions();
            let sessions = &open[..open.len().min(SESSIONS_MAX)];
            let time = times::look(running);
            let all = Counted { counts, troubles: troubles(seen), sessions, time };
            text += &format!(",\"all\":{}", serde_json::to_string(&all).ok()?);
        }
        Some(text)
    }
}

fn shape(inside: &Inside, running: &Running) -> Shape {
    let about = &inside.about;
    look::shape(&running.plan(), &running.report(), about.cores, about.speed)
}

/// A tick for somebody who wants to see this.
fn composed(look: Option<&str>, taps: &[(Want, String)], wants: &[Want]) -> Bytes {
    let wanted = taps.iter().filter(|(want, _)| wants.contains(want));
    let taps: Vec<&str> = wanted.map(|(_, json)| json.as_str()).collect();
    let look = look.map_or(String::new(), |look| format!("{look},"));
    Bytes::from(format!("event: tick\ndata: {{{look}\"taps\":[{}]}}\n\n", taps.join(",")))
}
