//! An edge of numbers, its spool on a simulated disk, and what is read back of it.

use std::{path::Path, sync::Arc};

use engine::{Field, Format, Frame, Gap, Header, Timestamp};

use crate::{
    session::TimeLine,
    spool::{Keeper, Kept, Moment, Settings, Spool, SpoolError, Subject, WhenFull},
    testing::SimDisk,
};

pub(super) const MS: i64 = 1_000_000;
pub(super) const DIR: &str = "/spool";

pub(super) fn subject() -> Subject {
    Subject {
        edge: "beats -> store".to_owned(),
        format: Format::event(vec![Field::i64("n"), Field::text("pad", 400)], 100.0),
        line: TimeLine::Shared,
        packed: true,
    }
}

/// An event with its number as tag, of some 100 to 500 bytes.
pub(super) fn event(number: u64) -> Frame {
    let format = subject().format;
    let format = format.as_event().expect("an event");
    let pad = "x".repeat(number as usize * 7 % 400);
    let event = engine::EventWriter::new(format).i64(0, number as i64).text(1, &pad).finish();
    let time = Timestamp::from_nanos(number as i64 * MS);
    Frame::new(Header { tag: number, ..Header::at(time) }, event)
}

pub(super) fn settings(when_full: WhenFull) -> Settings {
    Settings { when_full, ..Settings::new(DIR, 256 << 10) }
}

/// Two clocks that agree.
pub(super) fn noon() -> Moment {
    Moment { clock: Timestamp::ZERO, wall_ns: 0 }
}

/// What is at a place: the tag of a frame, or a gap with its end.
type Item = (u64, Result<u64, (u64, Gap)>);

/// A process: its keeper, and its end of the spool.
pub(super) struct Process {
    pub(super) keeper: Keeper,
    pub(super) spool: Spool,
    pub(super) next: u64,
    pub(super) now: i64,
}

impl Process {
    pub(super) fn start(disk: &SimDisk, settings: &Settings, seed: u64) -> Self {
        Self::try_start(disk, settings, seed).expect("it opens")
    }

    pub(super) fn try_start(
        disk: &SimDisk,
        settings: &Settings,
        seed: u64,
    ) -> Result<Self, SpoolError> {
        let keeper = Keeper::manual(Arc::new(disk.clone()));
        keeper.seed(seed);
        let spool = keeper.open(settings, &subject(), noon())?;
        let next = spool.opened().start;
        Ok(Self { keeper, spool, next, now: 0 })
    }

    /// Hands in an event; its place.
    pub(super) fn append(&mut self, number: u64) -> u64 {
        self.spool.append(self.next, Kept::Frame(event(number)));
        self.next += 1;
        self.next - 1
    }

    /// Lets time go by, and the keeper work.
    pub(super) fn work(&mut self, ns: i64) {
        self.now += ns;
        while self.keeper.turn(self.now).0 {}
    }

    /// All that is there from a place on: places with tags, or gaps.
    pub(super) fn read(&mut self, mut from: u64) -> Vec<Item> {
        let mut all = Vec::new();
        loop {
            self.spool.want(from);
            for _ in 0..40 {
                self.work(250 * MS);
            }
            let Some(piece) = self.spool.take_piece() else { return all };
            assert_eq!(piece.from, from);
            for (place, kept) in piece.items {
                assert_eq!(place, from, "without a hole");
                let item = match kept {
                    Kept::Frame(frame) => {
                        assert_eq!(
                            frame.buffer().bytes(),
                            event(frame.header.tag).buffer().bytes()
                        );
                        from += 1;
                        Ok(frame.header.tag)
                    }
                    Kept::Gap { to, reason } => {
                        from = to;
                        Err((to, reason))
                    }
                };
                all.push((place, item));
            }
            assert_eq!(piece.to, from);
        }
    }

    pub(super) fn tags(&mut self, from: u64) -> Vec<u64> {
        self.read(from).into_iter().filter_map(|(_, item)| item.ok()).collect()
    }
}

pub(super) fn segments(disk: &SimDisk) -> Vec<std::path::PathBuf> {
    let is_segment = |path: &std::path::PathBuf| path.extension() == Some("seg".as_ref());
    disk.paths().into_iter().filter(is_segment).collect()
}

pub(super) fn position_path() -> std::path::PathBuf {
    Path::new(DIR).join("position")
}
