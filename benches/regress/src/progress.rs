//! Where a long measurement stands, on stderr.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

/// A terminal's line is written anew so often,
const OFTEN: Duration = Duration::from_millis(500);
/// and a log has a line so often.
const SELDOM: Duration = Duration::from_secs(20);

/// One line that lives, or one now and then.
pub(crate) struct Progress {
    began: Instant,
    told: Option<Instant>,
    lives: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), told: None, lives: stderr().is_terminal() }
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Tells, if it is time to.
    pub(crate) fn tell(&mut self, what: &str, left_s: f64) {
        let every = if self.lives { OFTEN } else { SELDOM };
        if self.told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        self.told = Some(Instant::now());
        let left = clock(left_s);
        // Where stderr is closed there is nobody to tell.
        let _ = if self.lives {
            write!(stderr(), "\r\x1b[Kregress: {what}; at most {left} left")
        } else {
            writeln!(stderr(), "regress: {what}; at most {left} left")
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.lives && self.told.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// Minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).ceil() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_minutes_and_seconds() {
        assert_eq!([0.0, 59.1, 61.0, 3_600.0].map(clock), ["0:00", "1:00", "1:01", "60:00"]);
    }
}
