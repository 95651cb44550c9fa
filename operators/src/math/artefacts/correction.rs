//! What becomes of beats whose class is known.

use super::Class;

/// A beat after correction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Corrected {
    /// When it is.
    pub time_ns: i64,
    /// When it was said to be; of one that was missed, when it is.
    pub was_ns: i64,
    /// What it was; [`Class::Missed`] says that it was put in.
    pub class: Class,
    /// Extra beats left out just before it.
    pub extra: u32,
}

/// Leaves out extra beats, puts in missed ones, and moves what is to be moved: first ectopic beats,
/// then long and short ones, each between its neighbours as they were before that step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Correction {
    pub(super) last_ns: Option<i64>,
    pub(super) extra: u32,
    pub(super) ectopic: Mover,
    pub(super) long_short: Mover,
}

/// Moves beats of one class halfway between their neighbours; one beat late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mover {
    pub(super) before_ns: Option<i64>,
    pub(super) waiting: Option<Corrected>,
}

impl Correction {
    pub(super) fn push(&mut self, time_ns: i64, class: Class, out: &mut impl FnMut(Corrected)) {
        let here = Corrected { time_ns, was_ns: time_ns, class, extra: 0 };
        match (class, self.last_ns) {
            (Class::Extra, _) => {
                self.extra += 1;
                return;
            }
            (Class::Missed, Some(last_ns)) => {
                let time_ns = last_ns.midpoint(time_ns);
                self.go_on(Corrected { time_ns, was_ns: time_ns, ..here }, out);
                self.go_on(Corrected { class: Class::Normal, ..here }, out);
            }
            (Class::Missed, None) => self.go_on(Corrected { class: Class::Normal, ..here }, out),
            _ => self.go_on(here, out),
        }
        self.last_ns = Some(time_ns);
    }

    fn go_on(&mut self, beat: Corrected, out: &mut impl FnMut(Corrected)) {
        let beat = Corrected { extra: std::mem::take(&mut self.extra), ..beat };
        let moved = self.ectopic.push(beat, Class::Ectopic);
        let moved = moved.and_then(|beat| self.long_short.push(beat, Class::LongShort));
        moved.into_iter().for_each(out);
    }

    /// Gives what waits for a neighbour, where it is.
    pub(super) fn end(&mut self, out: &mut impl FnMut(Corrected)) {
        let moved = self.ectopic.waiting.take();
        let moved = moved.and_then(|beat| self.long_short.push(beat, Class::LongShort));
        moved.into_iter().chain(self.long_short.waiting.take()).for_each(out);
    }
}

impl Mover {
    fn push(&mut self, next: Corrected, class: Class) -> Option<Corrected> {
        let here = self.waiting.replace(next)?;
        let before_ns = self.before_ns.replace(here.time_ns);
        Some(match before_ns {
            Some(before_ns) if here.class == class => {
                Corrected { time_ns: before_ns.midpoint(next.time_ns), ..here }
            }
            _ => here,
        })
    }
}
