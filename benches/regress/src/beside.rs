//! Two programs beside each other.
//!
//! Each run is of a copy of its program that was written just before, in the same place for both. Where in memory
//! the system keeps a file, and in pieces of which size, stays as it is while the file is there, and decides over
//! how many of its pages a process has and how fast: of two copies of one program, one was larger by 1.7 % in
//! all of 200 pairs, and slower to start by 3 %. Written anew, it is as much chance as the rest.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    answer::Likeness,
    cases::Case,
    counts::{self, Counted},
    judge::{FIGURES, Ratios},
    measure::{Place, Used},
    rounds::Pairs,
    trouble::Trouble,
};

/// A case that both programs can run.
pub(crate) struct Ready {
    pub(crate) case: &'static Case,
    words: Vec<String>,
    /// What the first runs answered, old and new.
    first: [Used; 2],
    /// Later runs of one program answered otherwise.
    pub(crate) varies: bool,
    /// Logarithms of the second run through the first, pair by pair.
    pub(crate) second_over_first: [Vec<f64>; FIGURES.len()],
    took_s: f64,
}

impl Ready {
    pub(crate) fn likeness(&self) -> Likeness {
        self.first[0].answer.likeness(&self.first[1].answer)
    }
}

/// Both programs, and what they are to run.
pub(crate) struct Beside<'a> {
    pub(crate) place: Place<'a>,
    programs: [Vec<u8>; 2],
    /// The copy that is run.
    copy: PathBuf,
    /// Of the cases' graphs.
    folder: PathBuf,
    pub(crate) ready: Vec<Ready>,
    /// Cases that the old program cannot run, and what it says.
    pub(crate) left_out: Vec<(&'static str, String)>,
}

impl<'a> Beside<'a> {
    /// Runs every case once with both; nothing of that counts.
    pub(crate) fn start(
        place: Place<'a>,
        programs: [Vec<u8>; 2],
        folder: &Path,
        cases: &[&'static Case],
    ) -> Result<Self, Trouble> {
        let (copy, folder) = (place.folder.join("afferent"), folder.to_owned());
        let (ready, left_out) = (Vec::new(), Vec::new());
        let mut beside = Self { place, programs, copy, folder, ready, left_out };
        for case in cases {
            beside.try_out(case)?;
        }
        Ok(beside)
    }

    fn try_out(&mut self, case: &'static Case) -> Result<(), Trouble> {
        let words = case.words(&self.folder);
        let run = |side: usize| {
            let program = fresh(&self.programs[side], &self.copy)?;
            self.place.run(program, &words, case.times)
        };
        let began = Instant::now();
        let (old, new) = (run(0)?, run(1)?);
        let took_s = began.elapsed().as_secs_f64();
        match (old, new) {
            (Ok(old), Ok(new)) => {
                let second_over_first = Default::default();
                let (first, varies) = ([old, new], false);
                self.ready.push(Ready { case, words, first, varies, second_over_first, took_s });
            }
            (Err(said), _) => self.left_out.push((case.name, said)),
            (Ok(_), Err(said)) => return Err(Trouble::Broken(case.name, said)),
        }
        Ok(())
    }

    /// Seconds that a pair takes, the mean of the cases.
    pub(crate) fn pair_s(&self) -> f64 {
        self.ready.iter().map(|ready| ready.took_s).sum::<f64>() / self.ready.len().max(1) as f64
    }

    /// Counts instructions of a case, if they mean something there, in so many runs of each program.
    pub(crate) fn count(&self, case: &Case, runs: usize) -> Result<Option<Counted>, Trouble> {
        let Some(words) = case.small(&self.folder) else { return Ok(None) };
        let mut counted = Counted { old: Vec::new(), new: Vec::new() };
        for _ in 0..runs {
            for (program, counts) in self.programs.iter().zip([&mut counted.old, &mut counted.new])
            {
                let program = fresh(program, &self.copy)?;
                match counts::run(&self.place, program, &words)? {
                    Some(count) => counts.push(count),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(counted))
    }
}

impl Pairs for Beside<'_> {
    type Trouble = Trouble;

    fn pair(&mut self, case: usize, _: usize, old_first: bool) -> Result<Ratios, Trouble> {
        let ready = &mut self.ready[case];
        let mut run = |side: usize| {
            let program = fresh(&self.programs[side], &self.copy)?;
            let used = self.place.run(program, &ready.words, ready.case.times)?;
            // It ran before; now something else is wrong, such as no memory.
            let name = ready.case.name;
            let used =
                used.map_err(|said| Trouble::Machine(format!("the case `{name}`: {said}")))?;
            let likeness = ready.first[side].answer.likeness(&used.answer);
            ready.varies |= likeness == Likeness::Different;
            Ok::<Used, Trouble>(used)
        };
        let sides = if old_first { [0, 1] } else { [1, 0] };
        let (first, second) = (run(sides[0])?, run(sides[1])?);
        let ratios = second.over(&first);
        for (all, ratio) in ready.second_over_first.iter_mut().zip(ratios) {
            all.push(ratio);
        }
        Ok(ratios)
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // It may not have been written.
        let _ = fs::remove_file(&self.copy);
    }
}

/// Writes a program anew. It is removed before the system gets to writing it to disk.
fn fresh<'a>(program: &[u8], copy: &'a Path) -> Result<&'a Path, Trouble> {
    let _ = fs::remove_file(copy);
    let mut options = fs::OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(copy)
        .and_then(|mut file| file.write_all(program));
    let failed = |error| Trouble::Machine(format!("{}: {error}", copy.display()));
    written.map(|()| copy).map_err(failed)
}
