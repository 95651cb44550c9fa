//! Ctrl-C and its relatives: the first drains, the second stops, a third ends the process.
//!
//! Flags that the waiting loop looks at: no thread, no pipe, and the same on every system.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::exit::Exit;

/// What was asked since the program started.
pub(crate) struct Interrupts {
    raised: Arc<AtomicBool>,
    /// Set once stopping has been asked for: from then on a signal ends the process where it is.
    last: Arc<AtomicBool>,
    count: u32,
}

/// A flag that the first signal raises, for work that has nothing to finish; a second one ends the
/// process where it is.
pub(crate) fn flag() -> io::Result<Arc<AtomicBool>> {
    let raised = Arc::<AtomicBool>::default();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down.
        flag::register_conditional_shutdown(signal, Exit::Fault as i32, raised.clone())?;
        flag::register(signal, raised.clone())?;
    }
    Ok(raised)
}

/// What the newest signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Finish what is inside.
    Drain,
    /// End now.
    Stop,
}

impl Interrupts {
    /// Takes Ctrl-C and a service manager's request to end from the system.
    pub(crate) fn listen() -> io::Result<Self> {
        let (raised, last) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        for signal in [SIGINT, SIGTERM] {
            let code = Exit::Fault as i32;
            flag::register_conditional_shutdown(signal, code, last.clone())?;
            flag::register(signal, raised.clone())?;
        }
        Ok(Self { raised, last, count: 0 })
    }

    /// What is asked now, told once.
    pub(crate) fn wish(&mut self) -> Option<Wish> {
        // Nothing but the flag itself is handed over.
        if !self.raised.swap(false, Ordering::Relaxed) {
            return None;
        }
        self.count += 1;
        match self.count {
            1 => Some(Wish::Drain),
            _ => {
                self.last.store(true, Ordering::Relaxed);
                Some(Wish::Stop)
            }
        }
    }
}
