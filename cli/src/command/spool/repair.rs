//! `afferent spool repair`.

use link::spool::{Repaired, find, repair as put_in_order};

use super::{arguments::RepairArguments, bytes, failure, many};
use crate::exit::{Exit, Failure, print};

pub(super) fn repair(asked: &RepairArguments) -> Result<Exit, Failure> {
    for dir in find(&asked.dir).map_err(|error| failure(&error))? {
        let done = put_in_order(&dir).map_err(|error| failure(&error))?;
        print(&told(&dir, &done))?;
    }
    Ok(Exit::Done)
}

pub(super) fn told(dir: &std::path::Path, done: &Repaired) -> String {
    let Some(backup) = &done.backup else {
        let frames = many(done.frames, "frame");
        return format!("{}: nothing is wrong; {frames}\n", dir.display());
    };
    let mut out = format!("{}\n", dir.display());
    for (path, count) in &done.cut {
        let what = "of a record that was never finished";
        out += &format!("  cut       {}: {} {what}\n", path.display(), bytes(*count));
    }
    for damage in &done.damage {
        let lost = damage
            .places
            .map_or("an unknown number of frames".to_owned(), |places| many(places, "frame"));
        let file = damage.file.display();
        out += &format!("  lost      {lost}: {file}, bytes {} to {}\n", damage.from, damage.to);
    }
    for path in &done.removed {
        out += &format!("  removed   {}: nothing in it can be read\n", path.display());
    }
    out += &format!("  kept      {}\n", many(done.frames, "frame"));
    out += &format!("  backup    {}\n", backup.display());
    out
}
