//! `afferent run`: a graph from start to summary.

use std::{
    io::{IsTerminal, Write, stderr},
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use engine::{Health, Outcome, Plan, RunOptions, Running};

use crate::{
    arguments::RunArguments,
    exit::{Exit, Failure},
    graph::Graph,
    interrupt::{Interrupts, Wish},
    lines, metrics, panics,
    status::{self, Meter, Screen, View, Vitals, clock},
    summary::{Ending, summary},
    terminal::{self, Ink},
};

/// Runs a graph until its sources end, its reader goes away, or somebody interrupts.
pub(crate) fn run(asked: &RunArguments) -> Result<Exit, Failure> {
    let graph = Graph::load(&asked.graph)?;
    let cores = cores(asked, &graph);
    let plan = graph.plan(cores)?;
    let listener = asked.metrics.as_deref().map(metrics::listen).transpose()?;

    let screen = Arc::new(Screen::new(!asked.json && has_status_line()));
    panics::tell_on(&screen);
    let vitals = Arc::new(Mutex::new(Vitals::default()));
    lines::show_on(&screen, &vitals);
    operators::lines::tell_session(asked.sessions > 1);
    operators::lines::want_json(asked.json);
    let options = RunOptions { speed: asked.speed.0, cores, sessions: asked.sessions };
    let running = plan.start(&options).map_err(|error| Failure::open(&error))?;
    let running = Arc::new(running);
    // Not before: until there is something to drain, Ctrl-C ends the process as it always does.
    let mut interrupts = Interrupts::listen().map_err(|error| {
        Failure::new(Exit::Io, &format!("cannot listen for signals: {error}"), "")
    })?;
    let served = model::serve::served(&plan);
    for at in &served {
        screen.say(&format!("`{}` answers at {}", at.node, at.url));
    }
    let _server = listener.map(|listener| metrics::serve(listener, &plan, &running, &screen));

    let mut watch = Watch {
        plan: &plan,
        running: &running,
        screen: &screen,
        speed: asked.speed.0,
        waits: !served.is_empty(),
        wish: None,
    };
    let outcome = watch.until_it_ends(&vitals, &mut interrupts);
    if !served.is_empty() {
        // What was answered last may still be on its way to the sockets.
        model::serve::settle(&plan, GOODBYES);
    }
    let ending = match (watch.wish, &outcome.fault) {
        (Some(Wish::Stop), _) => Ending::Stopped,
        (_, Some(_)) => Ending::Failed,
        (Some(Wish::Drain), None) => Ending::Drained,
        (None, None) => Ending::Done,
    };
    let report = running.report();
    screen.clear();
    let vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
    screen.say(&summary(&plan, &report, &vitals, asked.speed.0, ending, Ink::of_stderr()));
    drop(vitals);
    match outcome.fault {
        Some((node, fault, class)) => {
            Err(Failure::new(Exit::of_fault(class), &format!("node `{node}`: {fault}"), ""))
        }
        // What was inside is lost, and a script should know.
        None if ending == Ending::Stopped => Ok(Exit::Fault),
        None => Ok(Exit::Done),
    }
}

/// One core for one session, which lives on one; all of them for many sessions; at least what
/// `core` in the graph asks for.
fn cores(asked: &RunArguments, graph: &Graph) -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    if let Some(cores) = asked.cores.map(usize::from) {
        if cores > processors {
            // Where stderr is closed there is nobody to tell.
            let _ =
                writeln!(stderr(), "note: {cores} data cores share {processors} processors here");
        }
        return cores;
    }
    let useful = match asked.sessions {
        1 if !graph.has_door() => 1,
        1 => processors,
        sessions => processors.min(sessions as usize),
    };
    useful.max(graph.cores())
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
    speed: Option<f64>,
    /// It waits for somebody to ask, however long that takes.
    waits: bool,
    /// What was asked last.
    wish: Option<Wish>,
}

/// Between two looks: a person takes no delay in it, and redrawing more often shows nothing.
const LOOK: Duration = Duration::from_millis(100);

/// How long answers may take to reach those who asked, once all are given.
const GOODBYES: Duration = Duration::from_secs(2);

/// Looks without a frame after which that is told: three seconds.
const FIRST_LOOKS: u64 = 30;

/// Looks between two redraws where there are many counters to add up.
const LOOKS_OF_MANY: u64 = 10;

impl Watch<'_> {
    fn until_it_ends(&mut self, vitals: &Mutex<Vitals>, interrupts: &mut Interrupts) -> Outcome {
        let mut meter = Meter::new(self.plan);
        let (ink, unicode) = (Ink::of_stderr(), terminal::speaks_unicode());
        let mut wedged = 0;
        let mut waits_for_first = !self.waits;
        for look in 0_u64.. {
            if let Some(outcome) = self.running.wait_for(LOOK) {
                return outcome;
            }
            if let Some(wish) = interrupts.wish() {
                self.fulfil(wish);
            }
            if waits_for_first && look >= FIRST_LOOKS {
                waits_for_first = false;
                self.tell_of_silence();
            }
            let health = self.running.health();
            let now_wedged = count_wedged(&health);
            if now_wedged > wedged {
                self.screen.say(&status::trouble(&health).unwrap_or_default());
            }
            wedged = now_wedged;
            if self.screen.lives() {
                let report = self.running.report();
                if report.sessions.0 <= 100 || look % LOOKS_OF_MANY == 0 {
                    let vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
                    let view = meter.view(self.plan, &report, &vitals);
                    drop(vitals);
                    let trouble = status::trouble(&health);
                    let view = View { drains: self.wish.is_some(), trouble, ..view };
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

    fn fulfil(&mut self, wish: Wish) {
        self.wish = Some(wish);
        match wish {
            Wish::Drain => {
                self.screen.say("draining what is inside; Ctrl-C again stops at once");
                self.running.drain();
            }
            Wish::Stop => {
                self.screen.say("stopping");
                self.running.stop();
            }
        }
    }
}

fn count_wedged(health: &[Health]) -> usize {
    health.iter().filter(|health| matches!(health, Health::Wedged { .. })).count()
}
