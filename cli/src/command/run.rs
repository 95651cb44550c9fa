//! `afferent run`: a graph from start to summary.

use std::{
    io::{IsTerminal, stderr},
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
    status::{self, Meter, Screen, View, Vitals},
    summary::summary,
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
    lines::show_on(&screen, &vitals, asked.json);
    let mut interrupts = Interrupts::listen().map_err(|error| {
        Failure::new(Exit::Io, &format!("cannot listen for signals: {error}"), "")
    })?;

    let options = RunOptions { speed: asked.speed.0, cores, sessions: asked.sessions };
    let running = plan.start(&options).map_err(|error| Failure::open(&error))?;
    let running = Arc::new(running);
    let _server = listener.map(|listener| metrics::serve(listener, &plan, &running, &screen));

    let mut watch = Watch { plan: &plan, running: &running, screen: &screen, stopped: false };
    let outcome = watch.until_it_ends(&vitals, &mut interrupts);
    let stopped = watch.stopped;
    let report = running.report();
    screen.clear();
    screen.say(&summary(&plan, &report, asked.speed.0, stopped, Ink::of_stderr()));
    Ok(match outcome.fault {
        Some((node, fault, class)) => {
            let exit = Exit::of_fault(class);
            Failure::new(exit, &format!("node `{node}`: {fault}"), "").tell()
        }
        // What was inside is lost, and a script should know.
        None if stopped => Exit::Fault,
        None => Exit::Done,
    })
}

/// One core for one session, which lives on one; all of them for many sessions; at least what
/// `core` in the graph asks for.
fn cores(asked: &RunArguments, graph: &Graph) -> usize {
    if let Some(cores) = asked.cores {
        return cores.into();
    }
    let there_are = available_parallelism().map_or(1, NonZero::get);
    graph.cores().max(there_are.min(asked.sessions as usize))
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
    stopped: bool,
}

/// Between two looks: a person takes no delay in it, and redrawing more often shows nothing.
const LOOK: Duration = Duration::from_millis(100);

/// Looks between two redraws where there are many counters to add up.
const LOOKS_OF_MANY: u64 = 10;

impl Watch<'_> {
    fn until_it_ends(&mut self, vitals: &Mutex<Vitals>, interrupts: &mut Interrupts) -> Outcome {
        let mut meter = Meter::new(self.plan);
        let (ink, unicode) = (Ink::of_stderr(), terminal::speaks_unicode());
        let (mut drains, mut wedged) = (false, 0);
        for look in 0_u64.. {
            if let Some(outcome) = self.running.wait_for(LOOK) {
                return outcome;
            }
            match interrupts.wish() {
                Some(Wish::Drain) => {
                    drains = true;
                    self.screen.say("draining what is inside; Ctrl-C again stops at once");
                    self.running.drain();
                }
                Some(Wish::Stop) => {
                    self.stopped = true;
                    self.screen.say("stopping");
                    self.running.stop();
                }
                None => {}
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
                    let view = View { drains, trouble, ..view };
                    self.screen.show(&status::line(&view, ink, unicode));
                }
            }
        }
        unreachable!("the looks outlast the machine")
    }
}

fn count_wedged(health: &[Health]) -> usize {
    health.iter().filter(|health| matches!(health, Health::Wedged { .. })).count()
}
