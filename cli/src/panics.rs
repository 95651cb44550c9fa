//! What is said when something panics.

use std::{
    panic::{PanicHookInfo, set_hook, take_hook},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::status::Screen;

/// A process that cannot go on waits so long for whoever is told, and looks so often.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);
/// Panics told in full; a body that dies on every frame would fill the screen.
const TOLD: u32 = 5;

/// Bodies run on threads of the engine, which catches their panics and starts them anew: one line
/// each is enough. A panic anywhere else is ours, and told by the standard hook.
pub(crate) fn tell_on(screen: &Arc<Screen>) {
    let (screen, standard, seen) = (screen.clone(), take_hook(), AtomicU32::new(0));
    set_hook(Box::new(move |panic| {
        if !thread::current().name().is_some_and(|name| name.starts_with("afferent-")) {
            if screen.is_held() {
                crate::view::leave();
            }
            screen.clear();
            standard(panic);
            return;
        }
        match seen.fetch_add(1, Ordering::Relaxed) {
            n if n < TOLD => screen.say(&line(panic)),
            TOLD => screen.say("more panics are counted, not told"),
            _ => {}
        }
    }));
}

/// A process that cannot go on gives the terminal back and says why.
pub(crate) fn give_up_on(screen: &Arc<Screen>) {
    let screen = screen.clone();
    engine::on_giving_up(move |why| {
        let (screen, why) = (screen.clone(), why.to_owned());
        // What hangs may hold the screen, or be the terminal itself.
        let told = thread::spawn(move || {
            if screen.is_held() {
                crate::view::leave();
            }
            screen.clear();
            eprintln!("error: {why}");
        });
        let since = Instant::now();
        while !told.is_finished() && since.elapsed() < PATIENCE {
            thread::park_timeout(LOOK);
        }
    });
}

fn line(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("without a message");
    match panic.location() {
        Some(place) => format!("a body panicked at {}:{}: {what}", place.file(), place.line()),
        None => format!("a body panicked: {what}"),
    }
}
