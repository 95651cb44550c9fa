//! Ctrl-C and its relatives, the end of a terminal among them: the first drains, the second stops, a third ends the process.
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
    for signal in signals() {
        // In this order: the first signal finds the flag down.
        flag::register_conditional_shutdown(signal, Exit::Fault as i32, raised.clone())?;
        flag::register(signal, raised.clone())?;
    }
    Ok(raised)
}

/// Ctrl-C, a service manager, and the end of the terminal.
fn signals() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    signals.extend((!outlives_terminal()).then_some(signal_hook::consts::SIGHUP));
    signals
}

/// Whether whoever started us has us ignore that the terminal goes, as `nohup` does.
#[cfg(unix)]
fn outlives_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal_hook::consts::SIGHUP - 1)) != 0)
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
        for signal in signals() {
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
