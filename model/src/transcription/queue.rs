//! [`Queue`]: which piece of audio is understood next, and what gives way under load.
//!
//! Finals first, then what may become one, then what is heard again with more behind it: windows, then partials, each in
//! the order they came. A final that finds all workers busy takes the place of a partial, else of a window; of those that
//! wait, only the newest few are kept, and partials go before windows do. So load thins out partials and costs no final. Knows neither threads nor a clock.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// What a piece of audio is understood for, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody waits for what was said.
    Final,
    /// The speaker may have finished.
    Speculation,
    /// A window that is heard again with more behind it: some of what is said about it is told for good.
    Window,
    /// The speaker goes on.
    Partial,
}

impl Class {
    /// Whether it is heard again with more behind it, so that nothing is lost where it gives way.
    pub const fn gives_way(self) -> bool {
        matches!(self, Self::Window | Self::Partial)
    }
}

/// The class of a piece, which may change while it waits.
#[derive(Clone, Debug)]
pub struct Urgency(Arc<AtomicU8>);

impl Urgency {
    /// Of that class.
    pub fn new(class: Class) -> Self {
        Self(Arc::new(AtomicU8::new(class as u8)))
    }

    /// The class now.
    pub fn class(&self) -> Class {
        match self.0.load(Ordering::Relaxed) {
            0 => Class::Final,
            1 => Class::Speculation,
            2 => Class::Window,
            _ => Class::Partial,
        }
    }

    /// It is at least as urgent as that from now on.
    pub fn raise(&self, class: Class) {
        self.0.fetch_min(class as u8, Ordering::Relaxed);
    }
}

/// Partials that may wait, for each worker.
const PARTIALS_PER_WORKER: usize = 4;

/// Pieces that wait for so many workers, and those that are at work.
#[derive(Debug)]
pub struct Queue<T> {
    workers: usize,
    waiting: Vec<Piece<T>>,
    /// Numbers and urgencies of what runs, the newest last, and whether it was told to give way.
    running: Vec<(u64, Urgency, bool)>,
}

#[derive(Debug)]
struct Piece<T> {
    number: u64,
    urgency: Urgency,
    what: T,
}

impl<T> Queue<T> {
    /// For so many workers.
    pub const fn new(workers: usize) -> Self {
        Self { workers, waiting: Vec::new(), running: Vec::new() }
    }

    /// Lets a piece wait. Gives back a partial, or a window, that gives way to it in the queue.
    pub fn push(&mut self, number: u64, urgency: Urgency, what: T) -> Option<T> {
        self.waiting.push(Piece { number, urgency, what });
        let classes = self.waiting.iter().map(|piece| piece.urgency.class()).enumerate();
        let passing = classes.filter(|(_, class)| class.gives_way());
        if passing.clone().count() <= PARTIALS_PER_WORKER * self.workers {
            return None;
        }
        // Partials before windows; the oldest knows least of what is said now.
        let (at, _) = passing.max_by_key(|&(at, class)| (class, Reverse(at)))?;
        Some(self.waiting.remove(at).what)
    }

    /// The number of a running partial, or window, that is to give way to a final that waits, if all workers are busy.
    pub fn gives_way(&mut self) -> Option<u64> {
        let finals = self.waiting.iter().filter(|it| it.urgency.class() == Class::Final).count();
        let free = self.workers.saturating_sub(self.running.len());
        let leaving = self.running.iter().filter(|(.., leaves)| *leaves).count();
        if finals <= free + leaving {
            return None;
        }
        let staying = self.running.iter_mut().filter(|(.., leaves)| !leaves).enumerate();
        let classes = staying.map(|(at, it)| (it.1.class(), at, it));
        // Partials before windows; the newest has done least.
        let passing = classes.filter(|(class, ..)| class.gives_way());
        let (_, _, (number, _, leaves)) = passing.max_by_key(|&(class, at, _)| (class, at))?;
        *leaves = true;
        Some(*number)
    }

    /// What a free worker does next.
    pub fn take(&mut self) -> Option<(u64, T)> {
        let next = self.waiting.iter().enumerate().min_by_key(|(_, piece)| piece.urgency.class());
        let at = next?.0;
        let Piece { number, urgency, what } = self.waiting.remove(at);
        self.running.push((number, urgency, false));
        Some((number, what))
    }

    /// A worker has finished.
    pub fn finished(&mut self, number: u64) {
        self.running.retain(|(running, ..)| *running != number);
    }

    /// Takes out of the queue what is not wanted any more.
    pub fn prune(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|piece| is_wanted(&piece.what));
        self.waiting = stay;
        go.into_iter().map(|piece| piece.what).collect()
    }

    /// Whether that piece waits or is at work.
    pub fn has(&self, number: u64) -> bool {
        self.waiting.iter().any(|piece| piece.number == number)
            || self.running.iter().any(|(running, ..)| *running == number)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn push(queue: &mut Queue<u64>, number: u64, class: Class) -> Option<u64> {
        queue.push(number, Urgency::new(class), number)
    }

    #[test]
    fn finals_go_first_and_partials_last() {
        let mut queue = Queue::new(1);
        push(&mut queue, 0, Class::Partial);
        push(&mut queue, 1, Class::Speculation);
        push(&mut queue, 2, Class::Final);
        push(&mut queue, 3, Class::Final);
        push(&mut queue, 5, Class::Window);
        let promoted = Urgency::new(Class::Partial);
        queue.push(4, promoted.clone(), 4);
        promoted.raise(Class::Final);
        let order: Vec<u64> =
            std::iter::from_fn(|| queue.take().map(|(number, _)| number)).collect();
        assert_eq!(order, [2, 3, 4, 1, 5, 0]);
    }

    #[test]
    fn a_final_takes_the_place_of_the_newest_partial_once() {
        let mut queue = Queue::new(2);
        for number in 0..2 {
            push(&mut queue, number, Class::Partial);
            queue.take();
        }
        assert_eq!(queue.gives_way(), None, "nobody waits");
        push(&mut queue, 2, Class::Final);
        assert_eq!(queue.gives_way(), Some(1));
        assert_eq!(queue.gives_way(), None, "one place is enough for one");
        queue.finished(1);
        assert_eq!(queue.take(), Some((2, 2)));
        // A speculation gives way to nobody, and a partial takes no place.
        push(&mut queue, 3, Class::Partial);
        assert_eq!(queue.gives_way(), None);
    }

    #[test]
    fn only_the_newest_partials_wait() {
        let mut queue = Queue::new(1);
        let dropped: Vec<u64> =
            (0..7).filter_map(|number| push(&mut queue, number, Class::Partial)).collect();
        assert_eq!(dropped, [0, 1, 2]);
        for number in 10..40 {
            assert_eq!(push(&mut queue, number, Class::Final), None, "finals are never dropped");
        }
        assert_eq!(queue.len(), 34);
        assert_eq!(queue.prune(|number| *number < 10).len(), 30);
    }

    #[test]
    fn partials_give_way_before_windows_do() {
        let mut queue = Queue::new(1);
        push(&mut queue, 0, Class::Window);
        for number in 1..4 {
            push(&mut queue, number, Class::Partial);
        }
        assert_eq!(push(&mut queue, 4, Class::Partial), Some(1), "the window is older");
        assert_eq!(push(&mut queue, 5, Class::Window), Some(2));
        // Of windows alone the oldest.
        assert_eq!(
            [6, 7, 8].map(|number| push(&mut queue, number, Class::Window)),
            [3, 4, 0].map(Some)
        );
        // Nor does a window that runs, be it the newest.
        let mut queue = Queue::new(2);
        for (number, class) in [(0, Class::Partial), (1, Class::Window)] {
            push(&mut queue, number, class);
            queue.take();
        }
        for (final_, leaves) in [(2, Some(0)), (3, Some(1)), (4, None)] {
            push(&mut queue, final_, Class::Final);
            assert_eq!(queue.gives_way(), leaves);
        }
    }

    /// A worker at work: until when, on what, asked when.
    type Run = Option<(i64, u64, Class, i64)>;

    /// Plays so many speakers on manual time in steps of 1 ms, with partials of 60 ms and finals of 100; gives the waits
    /// of finals in ms, sorted, how many were asked, and the share of partials that were told.
    fn play(speakers: u64, with_partials: bool) -> (Vec<i64>, usize, f64) {
        const WORKERS: usize = 2;
        let mut queue: Queue<(Class, i64)> = Queue::new(WORKERS);
        let mut runs: [Run; WORKERS] = [None; WORKERS];
        let (mut waits, mut asked) = (Vec::new(), BTreeMap::<Class, usize>::new());
        let (mut number, mut told) = (0, 0);
        for now in 0..60_000_i64 {
            for speaker in 0..speakers {
                // Turns of 4 s, one after the other, apart from each other.
                let at = (now + 4_000 * speaker as i64 / speakers as i64) % 4_000;
                let class = match at {
                    0 => Class::Final,
                    _ if with_partials && at % 500 == 0 => Class::Partial,
                    _ => continue,
                };
                number += 1;
                *asked.entry(class).or_default() += 1;
                queue.push(number, Urgency::new(class), (class, now));
            }
            while let Some(leaving) = queue.gives_way() {
                for run in &mut runs {
                    if let Some((until, it, ..)) = run
                        && *it == leaving
                    {
                        // Noticed within 15 ms.
                        *until = (*until).min(now + 15);
                    }
                }
            }
            for run in &mut runs {
                if let Some((until, it, class, since)) = *run
                    && until <= now
                {
                    queue.finished(it);
                    *run = None;
                    match class {
                        Class::Final => waits.push(now - since),
                        _ => told += 1,
                    }
                }
                if run.is_none()
                    && let Some((it, (class, since))) = queue.take()
                {
                    let cost = if class == Class::Final { 100 } else { 60 };
                    *run = Some((now + cost, it, class, since));
                }
            }
        }
        waits.sort_unstable();
        let partials = asked.get(&Class::Partial).copied().unwrap_or(1);
        (waits, asked[&Class::Final], f64::from(told) / partials as f64)
    }

    #[test]
    fn at_twice_the_load_partials_are_dropped_and_finals_are_as_quick() {
        let p95 = |waits: &[i64]| waits[waits.len() * 95 / 100];
        // 100 ms of final and 7 · 60 of partials in 4 s: two workers take 15 speakers. These are 30.
        let (alone, asked, _) = play(30, false);
        assert!(alone.len() + 2 >= asked, "{} of {asked}", alone.len());
        let (loaded, asked, told) = play(30, true);
        assert!(loaded.len() + 2 >= asked, "{} of {asked} finals", loaded.len());
        assert!(p95(&loaded) <= 2 * p95(&alone), "{} after {}", p95(&loaded), p95(&alone));
        assert!((0.2..0.8).contains(&told), "{told} of the partials");
    }
}
