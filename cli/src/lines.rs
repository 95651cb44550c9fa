//! Where the lines of sinks go: to stdout, or into the status line.

use std::{
    io::{self, IsTerminal, Write, stdout},
    sync::{Arc, Mutex, PoisonError},
};

use operators::lines::{self, Line, Lines};

use crate::{
    status::{Screen, Vitals, said},
    terminal::{ascii, speaks_unicode},
};

/// On a terminal with a status line, lines feed that instead of racing past.
/// What was said in words stands above it. Where the terminal shows the full view, lines are not shown at all.
pub(crate) fn show_on(
    screen: &Arc<Screen>,
    vitals: &Arc<Mutex<Vitals>>,
    tells_session: bool,
    is_viewed: bool,
) {
    if screen.lives() || is_viewed {
        let stdout = (!stdout().is_terminal()).then(lines::out);
        let (screen, vitals) = (screen.clone(), vitals.clone());
        lines::set(Arc::new(Shown { screen, vitals, tells_session, is_viewed, stdout }));
    }
}

/// Looks at lines on their way.
struct Shown {
    screen: Arc<Screen>,
    vitals: Arc<Mutex<Vitals>>,
    /// Whether there are several sessions.
    tells_session: bool,
    /// Somebody else has the terminal.
    is_viewed: bool,
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
            None if line.text.starts_with('{') || self.is_viewed => {
                let said = said(line, self.tells_session).filter(|_| !self.is_viewed);
                match said {
                    Some(said) => {
                        drop(vitals);
                        self.screen.say(&if speaks_unicode() { said } else { ascii(&said) });
                    }
                    None => vitals.hide_one(),
                }
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
    use engine::{EventWriter, Field, Format, Frame, Header, Rate, Timestamp, Unit};

    use super::*;

    #[test]
    fn json_feeds_the_status_line_and_other_lines_take_its_place() {
        let screen = Arc::new(Screen::new(true));
        let (vitals, screen_too) = (Arc::default(), screen.clone());
        let shown = Shown {
            screen: screen_too,
            vitals,
            tells_session: false,
            is_viewed: false,
            stdout: None,
        };
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

    #[test]
    fn what_was_said_is_shown_and_does_not_count_as_hidden() {
        let (vitals, screen) = (Arc::default(), Arc::new(Screen::new(true)));
        let mut shown = Shown {
            screen: screen.clone(),
            vitals,
            tells_session: false,
            is_viewed: false,
            stdout: None,
        };
        let format = Format::event(vec![Field::text("what", 8), Field::text("text", 99)], 1.0);
        let take = |shown: &Shown, what: &str| {
            let event = EventWriter::new(format.as_event().expect("an event"));
            let event = event.text(0, what).text(1, "well").finish();
            let frame = Frame::new(Header::at(Timestamp::ZERO), event);
            let (node, session, text) = ("a", 0, "{}\n");
            let line = Line { node, session, text, format: &format, frame: &frame };
            shown.line(&line).expect("stdout is open");
            shown.vitals.lock().expect("nobody panicked").unseen()
        };
        let told = ["partial", "final", "partial"].map(|what| take(&shown, what));
        assert_eq!(told, [1, 1, 2]);
        assert!(screen.lives(), "the line goes on below");
        // Where somebody else has the terminal, it is not shown.
        shown.is_viewed = true;
        assert_eq!(take(&shown, "final"), 3);
    }
}
