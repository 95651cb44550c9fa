//! A graph while it runs, from its start to its summary, wherever its other parts are.

use std::{
    io::{IsTerminal, stderr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use engine::{Health, Looking, Onlooker, Outcome, Plan, RunOptions, Running};
use link::host::Tell;

use crate::{
    arguments::{GraphArguments, LiveArguments},
    exit::{Exit, Failure},
    hosts::{Crowd, Linked},
    interrupt::{Interrupts, Wish},
    lines, metrics, panics, profile,
    recording::{About, Recording, Wanted},
    reloads::Reloads,
    replaying::Check,
    report::{self, Sheet},
    scope::{self, Collector},
    status::{self, Meter, Screen, View, Vitals, clock, date_and_time},
    summary::{Ending, summary},
    terminal::{self, Ink},
    view::{self, Picture, Window},
    web,
};

use super::{looks::Looks, slow::SlowLog};

/// What is to run, and how.
pub(super) struct Live<'a> {
    pub(super) plan: Arc<Plan>,
    pub(super) asked: &'a LiveArguments,
    pub(super) cores: usize,
    /// Whether lines say which session they are from.
    pub(super) tells_session: bool,
    /// The graph file as it was named.
    pub(super) file: &'a Path,
    /// What was changed in it, or the line that it is.
    pub(super) set: &'a [String],
    /// The host of the graph whose part it is, if it is one's.
    pub(super) host: Option<&'a str>,
    /// What is recorded of it, if something is.
    pub(super) record: Option<(&'a Wanted, &'a About)>,
    /// What it is compared with, if it is.
    pub(super) watch: Option<&'a Check>,
    /// The graph file and what is different, if the run follows it.
    pub(super) follows: Option<&'a GraphArguments>,
}

impl Live<'_> {
    /// Runs it to its end; `link` joins it to other hosts, if there are any.
    pub(super) fn run(
        &self,
        sessions: u32,
        link: impl FnOnce(&Running, Tell) -> Result<Option<Linked>, Failure>,
    ) -> Result<Exit, Failure> {
        let &Self { asked, cores, tells_session, .. } = self;
        let plan = self.plan.clone();
        let speed = asked.speed.0;
        if let Some(path) = &asked.report {
            report::check("report", path, &plan)?;
        }
        if let Some(path) = &asked.profile {
            profile::check(path, asked.report.as_deref(), &plan)?;
        }
        let listener = asked.metrics.as_deref().map(metrics::listen).transpose()?;
        let (token, may_control) = (asked.web_token.as_deref(), asked.allow_control);
        let page = asked.web.as_deref().map(|address| web::open(address, token, may_control));
        let page = page.transpose()?;

        if asked.view {
            view::check()?;
        }
        let screen = Arc::new(Screen::new(!asked.json && !asked.view && has_status_line()));
        panics::tell_on(&screen);
        panics::give_up_on(&screen);
        let vitals = Arc::new(Mutex::new(Vitals::default()));
        lines::show_on(&screen, &vitals, tells_session, asked.view);
        operators::lines::tell_session(tells_session);
        operators::lines::want_json(asked.json);
        let options = RunOptions { speed, cores, sessions };
        let mut onlookers = Vec::new();
        // At full speed the run waits for those who look on from its first frames on.
        let mut collector = None;
        if asked.view || asked.report.is_some() {
            let (onlooker, mut collects) = scope::onlooker(speed.is_some());
            collects
                .start(&plan)
                .map_err(|error| Failure::new(Exit::Io, &format!("cannot look on: {error}"), ""))?;
            onlookers.push(onlooker);
            collector = Some(collects);
        }
        let begin = |(wanted, about): (&Wanted, &About)| {
            Recording::begin(wanted, &plan, sessions, speed, about)
        };
        let mut recording = self.record.map(begin).transpose()?;
        if let Some(recording) = &mut recording {
            onlookers.push(recording.onlooker());
        }
        let compared = self.watch.map(|check| {
            onlookers.push(check.onlooker());
            check.start(&plan)
        });
        let compared = compared.transpose()?;
        if let Some(recording) = &mut recording {
            recording.start(&screen)?;
        }
        let looking = Looking {
            onlooker: (!onlookers.is_empty()).then(|| all_of(onlookers)),
            follow: asked.profile.is_some().then_some(Running::FOLLOW_EVERY),
            tell_slow: asked.slow_ms.map(|ms| Duration::from_secs_f64(ms / 1e3)),
        };
        let running = match plan.start_looking(&options, looking) {
            Ok(running) => running,
            Err(error) => {
                // Nothing is left of it.
                drop(recording);
                return Err(Failure::open(&error));
            }
        };
        let running = Arc::new(running);
        let slow = SlowLog::new(asked.slow_ms, &plan);
        if let Some(recording) = &mut recording {
            recording.settle()?;
        }
        // Not before: until there is something to drain, Ctrl-C ends the process as it always does.
        let mut interrupts = Interrupts::listen().map_err(|error| {
            Failure::new(Exit::Io, &format!("cannot listen for signals: {error}"), "")
        })?;
        // Nor is the terminal ours before that: a signal would leave it as it is drawn on.
        let _said_at_last = Released(&screen);
        let mut window = asked.view.then(Window::open).transpose()?;
        if window.is_some() {
            screen.hold();
        }
        let served = model::serve::served(&plan);
        for at in &served {
            screen.say(&format!("`{}` answers at {}", at.node, at.url));
        }
        for (node, address) in operators::sink::foxglove::addresses(&plan) {
            screen.say(&format!("`{node}` shows what passes at {address}"));
        }
        let crowd = Arc::new(Mutex::new(Crowd::default()));
        let (said, heard) = (screen.clone(), crowd.clone());
        let tell: Tell = Arc::new(move |news| {
            let line = heard.lock().unwrap_or_else(PoisonError::into_inner).hear(news);
            if let Some(line) = line {
                said.say(&line);
            }
        });
        let linked = link(&running, tell)?;
        if let Some(address) = linked.as_ref().and_then(Linked::address) {
            screen.say(&format!("`{}` listens at {address}", plan.name()));
        }
        let links = linked.as_ref().map(|linked| linked.links().clone());
        let _server =
            listener.map(|listener| metrics::serve(listener, &plan, &running, links, &screen));
        let links = linked.as_ref().map(|linked| linked.links().clone());
        let looks = Looks::start(self, page, &plan, &running, links, &screen)?;

        let mut watch = Watch {
            plan: &plan,
            running: &running,
            screen: &screen,
            linked: linked.as_ref(),
            crowd: &crowd,
            looks: &looks,
            window: window.as_mut().zip(collector.as_ref()),
            speed,
            waits: !served.is_empty() || linked.is_some(),
            wish: None,
            slow,
        };
        let reloads = self
            .follows
            .map(|asked| Reloads::start(asked, cores, &running, &screen))
            .transpose()?;
        let outcome = watch.until_it_ends(&vitals, &mut interrupts);
        drop(reloads);
        // It may be another one by now.
        let plan = running.plan();
        let (wish, mut slow) = (watch.wish, watch.slow);
        for line in slow.news(&running) {
            screen.say(&line);
        }
        drop(window);
        screen.release();
        if !served.is_empty() {
            // What was answered last may still be on its way to the sockets.
            model::serve::settle(&plan, GOODBYES);
        }
        let ending = match (wish, &outcome.fault) {
            (Some(Wish::Stop), _) => Ending::Stopped,
            (_, Some(_)) => Ending::Failed,
            (Some(Wish::Drain), None) => Ending::Drained,
            (None, None) => Ending::Done,
        };
        let links = linked.as_ref().map(|linked| linked.links().clone());
        let parted = linked
            .map(|linked| linked.close(ending == Ending::Stopped, || interrupts.wish().is_some()));
        let rest = crowd.lock().unwrap_or_else(PoisonError::into_inner).rest();
        for line in rest {
            screen.say(&line);
        }
        let report = running.report();
        let workload = running.workload();
        let recorded = recording.map(|recording| {
            let (path, outputs) = (recording.path().to_owned(), recording.outputs());
            let recorded = recording.finish(ending, || interrupts.wish() == Some(Wish::Stop));
            (Recording::told(&path, outputs, &recorded), recorded)
        });
        let compared = compared.map(|compared| compared());
        screen.clear();
        let vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
        let ink = Ink::of_stderr();
        let told = |ink| summary(&plan, &report, links.as_ref(), &vitals, speed, ending, ink);
        screen.say(&told(ink));
        slow.summary().iter().for_each(|line| screen.say(line));
        let profiled = workload.zip(asked.profile.as_ref()).map(|(load, path)| {
            screen.say(profile::text(&load).trim_end());
            profile::write(path, plan.name(), &load)
                .inspect(|()| screen.say(&format!("  profile  {}", path.display())))
        });
        let drawn = collector.zip(asked.report.as_ref()).map(|(mut collector, path)| {
            let (scope, summary) = (&*collector.finish(), &told(Ink::OFF));
            let about = &self.about();
            let sheet = Sheet { plan: &plan, about, scope, report: &report, summary };
            report::write(path, &sheet)
                .inspect(|()| screen.say(&format!("  report   {}", path.display())))
        });
        drop(vitals);
        if let Some((told, _)) = &recorded {
            screen.say(told);
        }
        if let Some(compared) = &compared {
            screen.say(&compared.told());
        }
        looks.end(ending, &report, &outcome);
        match outcome.fault {
            Some((node, fault, class)) => {
                Err(Failure::new(Exit::of_fault(class), &format!("node `{node}`: {fault}"), ""))
            }
            None => {
                drawn.transpose()?;
                profiled.transpose()?;
                match ending {
                    // What was inside is lost, and a script should know.
                    Ending::Stopped => Ok(Exit::Fault),
                    _ if compared.is_some_and(|compared| !compared.differing.is_empty()) => {
                        Ok(Exit::Fault)
                    }
                    _ if recorded.is_some_and(|(_, recorded)| !recorded.is_complete()) => {
                        Ok(Exit::Io)
                    }
                    _ => parted.unwrap_or(Ok(Exit::Done)),
                }
            }
        }
    }
}

impl Live<'_> {
    /// What was run, for whoever finds a picture of it.
    #[expect(clippy::disallowed_methods, reason = "a date on the wall, for people")]
    fn about(&self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let when = date_and_time(now.as_secs().cast_signed());
        let host = self.host.map_or(String::new(), |host| format!(" as `{host}`"));
        let set: String = self.set.iter().map(|set| format!(" · {set}")).collect();
        let version = env!("CARGO_PKG_VERSION");
        format!("{}{host}{set} · afferent {version} · {when} UTC", self.file.display())
    }
}

/// Says what was kept once there is room for it, whatever comes between.
struct Released<'a>(&'a Screen);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Everybody who looks on, as one.
fn all_of(onlookers: Vec<Onlooker>) -> Onlooker {
    Arc::new(move |session, output| {
        onlookers.iter().flat_map(|onlooker| onlooker(session, output)).collect()
    })
}

/// A line that is redrawn needs a terminal that can go back, which nobody else writes to.
fn has_status_line() -> bool {
    stderr().is_terminal() && !terminal::is_dumb() && !terminal::stdout_may_show()
}

/// Looks after a graph while it runs.
struct Watch<'a> {
    plan: &'a Plan,
    running: &'a Running,
    screen: &'a Screen,
    linked: Option<&'a Linked>,
    /// What links tell.
    crowd: &'a Mutex<Crowd>,
    looks: &'a Looks,
    /// The whole terminal, and what there is to show on it.
    window: Option<(&'a mut Window, &'a Collector)>,
    speed: Option<f64>,
    /// It waits for somebody to ask, however long that takes.
    waits: bool,
    /// What was asked last.
    wish: Option<Wish>,
    slow: SlowLog,
}

/// Between two looks: a person takes no delay in it, and redrawing more often shows nothing.
const LOOK: Duration = Duration::from_millis(100);

/// How long answers may take to reach those who asked, once all are given.
const GOODBYES: Duration = Duration::from_secs(2);

/// Between two pictures on a whole terminal, on which things move.
const MOVING: Duration = Duration::from_millis(50);

/// Time without a frame after which that is told.
const FIRST: Duration = Duration::from_secs(3);

/// Looks between two redraws where there are many counters to add up.
const LOOKS_OF_MANY: u64 = 10;

impl Watch<'_> {
    fn until_it_ends(&mut self, vitals: &Mutex<Vitals>, interrupts: &mut Interrupts) -> Outcome {
        let mut meter = Meter::new(self.plan);
        let (ink, unicode) = (Ink::of_stderr(), terminal::speaks_unicode());
        let mut wedged = 0;
        let mut waits_for_first = !self.waits;
        let pause = if self.window.is_some() { MOVING } else { LOOK };
        for look in 0_u64.. {
            if let Some(outcome) = self.running.wait_for(pause) {
                return outcome;
            }
            if let Some(wish) = interrupts.wish() {
                self.fulfil(wish);
            }
            if let Some(wish) = self.looks.wish() {
                self.fulfil_once(wish);
            }
            if self.window.as_ref().is_some_and(|(window, _)| window.wants_to_leave()) {
                self.fulfil(if self.wish.is_some() { Wish::Stop } else { Wish::Drain });
            }
            self.tell_of(Crowd::look);
            if waits_for_first && pause * look as u32 >= FIRST {
                waits_for_first = false;
                self.tell_of_silence();
            }
            if self.wish.is_none() && self.linked.is_some_and(Linked::is_refused) {
                // Nothing that is done here would get where it is wanted.
                self.wish = Some(Wish::Drain);
                self.looks.drains();
                self.running.drain();
            }
            for line in self.slow.news(self.running) {
                self.screen.say(&line);
            }
            let health = self.running.health();
            let now_wedged = count_wedged(&health);
            if now_wedged > wedged {
                self.screen.say(&status::trouble(&health).unwrap_or_default());
            }
            wedged = now_wedged;
            if self.screen.lives() || self.window.is_some() {
                let report = self.running.report();
                if report.sessions.0 <= 100 || look % LOOKS_OF_MANY == 0 {
                    let vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
                    let view = meter.view(self.plan, &report, &vitals);
                    drop(vitals);
                    let trouble = status::trouble(&health);
                    let links =
                        self.linked.and_then(|linked| status::links(&linked.links().open()));
                    let view = View { drains: self.wish.is_some(), trouble, links, ..view };
                    if let Some((window, collector)) = &mut self.window {
                        let note = self.screen.newest();
                        let picture = Picture::of(self.plan.name(), &collector.scope(), view, note);
                        window.show(&picture);
                        continue;
                    }
                    // A line that fills the last column may already have moved the cursor on.
                    let columns = terminal::columns() - 1;
                    self.screen.show(&status::line(&view, columns, ink, unicode));
                }
            }
        }
        unreachable!("the looks outlast the machine")
    }

    /// Says that nothing has come yet, and when it will, if that is so.
    fn tell_of_silence(&self) {
        if self.running.report().frames_in(self.plan) > 0 {
            return;
        }
        let why = match self.speed {
            Some(speed) if speed < 1.0 => {
                let second_s = 1.0 / speed;
                format!("; at `--speed {speed}` a second of content takes {}", clock(second_s))
            }
            _ => String::new(),
        };
        self.screen.say(&format!("note: no frame has come yet{why}"));
    }

    /// Says what links have told of many sessions at once.
    fn tell_of(&self, more: impl FnOnce(&mut Crowd) -> Vec<String>) {
        let lines = more(&mut self.crowd.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            self.screen.say(&line);
        }
    }

    /// As a page asks, on which several may press the same.
    fn fulfil_once(&mut self, wish: Wish) {
        if self.wish.is_none() || (wish == Wish::Stop && self.wish == Some(Wish::Drain)) {
            self.screen.say("somebody asks for the end on the page of `--web`");
            self.fulfil(wish);
        }
    }

    fn fulfil(&mut self, wish: Wish) {
        self.wish = Some(wish);
        match wish {
            Wish::Drain => {
                self.looks.drains();
                self.screen.say("draining what is inside; Ctrl-C again stops at once");
                if let Some(linked) = self.linked {
                    linked.leave();
                }
                self.running.drain();
            }
            Wish::Stop => {
                if self.window.take().is_some() {
                    // Whoever asks a third time gets the terminal back, too.
                    view::leave();
                }
                self.screen.say("stopping");
                self.running.stop();
            }
        }
    }
}

fn count_wedged(health: &[Health]) -> usize {
    health.iter().filter(|health| matches!(health, Health::Wedged { .. })).count()
}
