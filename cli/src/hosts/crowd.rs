//! [`Crowd`]: of many sessions that fare alike, the first few are told one by one.

use std::collections::BTreeMap;

use engine::counted;
use link::host::News;

/// Lines of one sort about one host within a span that are said as they come: they differ in the session.
const LINES: u64 = 4;
/// Looks that a span lasts; there are ten a second.
const LOOKS: u32 = 10;

/// What the sessions of a host may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    There,
    Back,
    Gone,
    Kept,
    Full,
    Over,
    Silent,
    Refused,
}

impl Fate {
    fn of(news: &News) -> Option<(Self, &str)> {
        Some(match news {
            News::Up { peer, again: false, .. } => (Self::There, peer),
            News::Up { peer, again: true, .. } => (Self::Back, peer),
            News::Down { peer, kept: None, .. } => (Self::Gone, peer),
            News::Down { peer, kept: Some(_), .. } => (Self::Kept, peer),
            News::Waits { peer, .. } => (Self::Full, peer),
            News::Ended { peer, .. } => (Self::Over, peer),
            News::Alone { peer, .. } => (Self::Silent, peer),
            News::Refused { peer, .. } => (Self::Refused, peer),
            _ => return None,
        })
    }

    /// Lines that are said as they come.
    const fn lines(self) -> u64 {
        match self {
            // One says what the next would.
            Self::Silent | Self::Refused => 1,
            _ => LINES,
        }
    }

    /// One line for so many sessions.
    fn of_more(self, sessions: u64, peer: &str) -> String {
        let more = counted(sessions, "more session");
        match self {
            Self::There => format!("{more}: `{peer}` is there"),
            Self::Back => format!("{more}: `{peer}` is back"),
            Self::Gone => format!("{more}: `{peer}` is gone; going on without it, and calling"),
            Self::Kept => format!("{more}: `{peer}` is gone; what they were is kept for a while"),
            Self::Full => format!("{more}: the graph waits for `{peer}`"),
            Self::Over => format!("{more} of `{peer}` ended"),
            Self::Silent => format!("{more}: `{peer}` does not answer"),
            Self::Refused => format!("{more}: `{peer}` and this host cannot work together"),
        }
    }
}

#[derive(Debug, Default)]
struct Span {
    looks: u32,
    lines: u64,
}

/// Decides which news of sessions are told one by one, and sums up the others.
#[derive(Debug, Default)]
pub(crate) struct Crowd(BTreeMap<(Fate, String), Span>);

impl Crowd {
    /// The line for this, if it gets one of its own.
    pub(crate) fn hear(&mut self, news: &News) -> Option<String> {
        if let Some((fate, peer)) = Fate::of(news) {
            let span = self.0.entry((fate, peer.to_owned())).or_default();
            span.lines += 1;
            if span.lines > fate.lines() {
                return None;
            }
        }
        Some(news.to_string())
    }

    /// A look later: what was not told of spans that are over.
    pub(crate) fn look(&mut self) -> Vec<String> {
        for span in self.0.values_mut() {
            span.looks += 1;
        }
        self.told(|span| span.looks >= LOOKS)
    }

    /// What was not told yet.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.told(|_| true)
    }

    fn told(&mut self, is_over: impl Fn(&Span) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        self.0.retain(|(fate, peer), span| {
            if !is_over(span) {
                return true;
            }
            if span.lines > fate.lines() {
                lines.push(fate.of_more(span.lines - fate.lines(), peer));
            }
            false
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(session: u32) -> News {
        News::Up { session, peer: "cloud".to_owned(), at: None, again: false }
    }

    #[test]
    fn of_many_sessions_a_few_are_told_and_the_others_counted() {
        let mut crowd = Crowd::default();
        let told: Vec<String> = (0..200).filter_map(|session| crowd.hear(&up(session))).collect();

        assert_eq!(told.len(), 4);
        assert_eq!(told[0], "session 0: `cloud` is there");
        assert_eq!((1..10).flat_map(|_| crowd.look()).count(), 0, "the span is not over");
        assert_eq!(crowd.look(), ["196 more sessions: `cloud` is there"]);
        assert!(crowd.hear(&up(200)).is_some(), "a new span has begun");
        assert!(crowd.rest().is_empty());
    }

    #[test]
    fn what_all_say_in_the_same_words_is_said_once_and_other_hosts_have_spans_of_their_own() {
        let mut crowd = Crowd::default();
        let refused =
            News::Refused { peer: "cloud".to_owned(), at: None, why: "other edges".to_owned() };
        assert_eq!((0..10).filter_map(|_| crowd.hear(&refused)).count(), 1);
        assert_eq!(crowd.rest(), ["9 more sessions: `cloud` and this host cannot work together"]);
        let turned = News::TurnedAway {
            at: ([127, 0, 0, 1], 7).into(),
            why: "it calls too often".to_owned(),
            remedy: String::new(),
            untold: 0,
        };
        assert_eq!((0..10).filter_map(|_| crowd.hear(&turned)).count(), 10, "told with bounds");

        let ended = |peer: &str, session| News::Ended {
            session,
            peer: peer.to_owned(),
            why: "all has arrived".to_owned(),
        };
        for session in 0..5 {
            crowd.hear(&ended("edge", session));
        }
        assert!(crowd.hear(&ended("fog", 9)).is_some());
        assert_eq!(crowd.rest(), ["1 more session of `edge` ended"]);
    }
}
