//! Taps of the first session, and the thread that looks at them.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use engine::{Onlooker, Plan, Seen, Tap, TapLimits, tap};

use super::{Scope, is_kept};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// What may wait until the next look.
const WAITING: usize = 16_384;
/// At full speed a run waits so long for whoever looks on, a frame.
const PATIENCE: Duration = Duration::from_millis(200);

/// Taps that are opened while sessions are built.
type Taps = Arc<Mutex<Vec<(String, Tap)>>>;

/// Looks on at what a scope keeps, and who will look. With `is_paced` a run never waits.
pub(crate) fn onlooker(is_paced: bool) -> (Onlooker, Collector) {
    let taps = Taps::default();
    let opened = taps.clone();
    let patience = if is_paced { Duration::ZERO } else { PATIENCE };
    let limits = TapLimits { frames: WAITING, patience, ..TapLimits::default() };
    let onlooker: Onlooker = Arc::new(move |session, output| {
        let tapped = (session == 0 && is_kept(output)).then(|| tap(limits));
        let end = tapped.map(|(end, look)| {
            lock(&opened).push((output.label(), look));
            end
        });
        end.into_iter().collect()
    });
    (onlooker, Collector { taps, scope: Arc::default(), ended: Arc::default(), thread: None })
}

/// Fills a scope while the run goes on.
pub(crate) struct Collector {
    taps: Taps,
    scope: Arc<Mutex<Scope>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Begins to look; at full speed a run would wait for nobody for ever if that failed unheard.
    pub(crate) fn start(&mut self, plan: &Plan) -> io::Result<()> {
        *lock(&self.scope) = Scope::of(plan);
        let (taps, scope, ended) = (self.taps.clone(), self.scope.clone(), self.ended.clone());
        let look = move || {
            let mut open = Vec::new();
            loop {
                let is_last = ended.load(Ordering::Acquire);
                open.append(&mut lock(&taps));
                let seen = look_at(&mut open, &scope);
                if is_last {
                    return;
                }
                if !seen {
                    std::thread::park_timeout(LOOK);
                }
            }
        };
        let named = std::thread::Builder::new().name("afferent-scope".to_owned());
        self.thread = Some(named.spawn(look)?);
        Ok(())
    }

    /// What there is by now.
    pub(crate) fn scope(&self) -> MutexGuard<'_, Scope> {
        lock(&self.scope)
    }

    /// Looks a last time, and gives what there is.
    pub(crate) fn finish(&mut self) -> MutexGuard<'_, Scope> {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It panicked: what there is was kept before.
            let _ = thread.join();
        }
        lock(&self.scope)
    }
}

/// Takes what came by; says whether something did.
fn look_at(open: &mut Vec<(String, Tap)>, scope: &Mutex<Scope>) -> bool {
    let mut any = false;
    for (label, tap) in open.iter_mut() {
        // One output after the other, so that nobody who draws waits long.
        let mut scope = lock(scope);
        while let Some(tapped) = tap.try_next() {
            any = true;
            scope.missed += tapped.missed;
            if let Seen::Frame(frame) = tapped.what {
                scope.take(label, &frame);
            }
        }
    }
    open.retain(|(_, tap)| !tap.has_ended());
    any
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
