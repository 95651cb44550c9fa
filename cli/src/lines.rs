//! Where the lines of sinks go: to stdout, or into the status line.

use std::{
    io::{self, IsTerminal, Write, stdout},
    sync::{Arc, Mutex, PoisonError},
};

use operators::lines::{self, Line, Lines};

use crate::status::{Screen, Vitals};

/// On a terminal with a status line, lines feed that instead of racing past.
pub(crate) fn show_on(screen: &Arc<Screen>, vitals: &Arc<Mutex<Vitals>>) {
    if screen.lives() || screen.is_held() {
        let stdout = (!stdout().is_terminal()).then(lines::out);
        lines::set(Arc::new(Shown { screen: screen.clone(), vitals: vitals.clone(), stdout }));
    }
}

/// Looks at lines on their way.
struct Shown {
    screen: Arc<Screen>,
    vitals: Arc<Mutex<Vitals>>,
    /// Where they go besides, if that is not the terminal.
    stdout: Option<Arc<dyn Lines>>,
}

impl Lines for Shown {
    fn line(&self, line: &Line<'_>) -> io::Result<()> {
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        vitals.take(line);
        match &self.stdout {
            Some(stdout) => {
                drop(vitals);
                stdout.line(line)
            }
            // JSON is for programs; whoever writes other lines wants them read, and nothing else
            // in between.
            None if line.text.starts_with('{') => {
                vitals.hide_one();
                Ok(())
            }
            None if self.screen.is_held() => {
                vitals.hide_one();
                Ok(())
            }
            None => {
                self.screen.retire();
                stdout().write_all(line.text.as_bytes())
            }
        }
    }

    fn idle(&self) -> io::Result<()> {
        match &self.stdout {
            Some(stdout) => stdout.idle(),
            None => stdout().flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Format, Frame, Rate, Timestamp, Unit};

    use super::*;

    #[test]
    fn json_feeds_the_status_line_and_other_lines_take_its_place() {
        let screen = Arc::new(Screen::new(true));
        let shown = Shown { screen: screen.clone(), vitals: Arc::default(), stdout: None };
        let format = Format::signal(1, Unit::UNKNOWN, Rate::new(1.0).expect("a rate"), 1);
        let frame = Frame::signal(Timestamp::ZERO, 1, &[0.0]);
        let take = |text| {
            let line = Line { node: "a", session: 0, text, format: &format, frame: &frame };
            shown.line(&line).expect("stdout is open");
        };

        take("{\"node\":\"a\"}\n");
        let unseen = || shown.vitals.lock().expect("nobody panicked").unseen();
        assert_eq!((screen.lives(), unseen()), (true, 1));

        take("a line that people read\n");
        assert_eq!((screen.lives(), unseen()), (false, 1));
    }
}
