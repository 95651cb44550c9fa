//! `afferent spool inspect`.

use std::fmt::Write;

use link::{
    session::TimeLine,
    spool::{Contents, Drained, SpoolError, find},
};
use operators::sink::jsonl::{quote, seconds};

use super::{arguments::InspectArguments, bytes, failure, many};
use crate::{
    exit::{Exit, Failure, print},
    status::date_and_time,
};

pub(super) fn inspect(asked: &InspectArguments) -> Result<Exit, Failure> {
    let mut is_whole = true;
    for dir in find(&asked.dir).map_err(|error| failure(&error))? {
        let told = Told::read(&dir).map_err(|error| failure(&error))?;
        is_whole &= told.is_whole();
        print(&if asked.json { told.json() } else { told.text() })?;
    }
    Ok(if is_whole { Exit::Done } else { Exit::Fault })
}

/// What is told of one spool.
pub(super) struct Told {
    contents: Contents,
    /// Times of the first and the last frame that wait.
    times: Option<[i64; 2]>,
    waiting: u64,
}

impl Told {
    pub(super) fn read(dir: &std::path::Path) -> Result<Self, SpoolError> {
        let contents = Contents::read(dir)?;
        let (mut times, mut waiting) = (None::<[i64; 2]>, 0);
        contents.drain(false, |drained| {
            if let Drained::Frame { frame, .. } = drained {
                let time = frame.header.time.nanos();
                waiting += 1;
                times = Some(times.map_or([time; 2], |[a, b]| [a.min(time), b.max(time)]));
            }
            Ok(())
        })?;
        Ok(Self { contents, times, waiting })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.contents.damage.is_empty() && self.contents.torn.is_empty()
    }

    fn bytes(&self) -> u64 {
        self.contents.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(super) fn text(&self) -> String {
        let Contents { dir, segments, position, torn, damage, is_open, .. } = &self.contents;
        let mut out = String::new();
        let mut line = |text: String| out.push_str(&(text + "\n"));
        line(format!("{}", dir.display()));
        if let Some(last) = segments.last() {
            let kind = last.head.format.first().map_or("", |(_, value)| &**value);
            line(format!("  edge      {} ({kind})", last.head.edge));
        }
        let use_ = if *is_open { ", in use" } else { "" };
        line(format!(
            "  waiting   {}, {} in {}{use_}",
            many(self.waiting, "frame"),
            bytes(self.bytes()),
            many(segments.len() as u64, "segment")
        ));
        if let (Some([from, to]), Some(last)) = (self.times, segments.last()) {
            let span = {
                let mut text = String::new();
                seconds(&mut text, to.saturating_sub(from));
                text
            };
            let of = |time| when(time, last.head.line);
            line(format!("  times     {} to {} ({span} s)", of(from), of(to)));
        }
        match position {
            Some(position) => line(format!(
                "  places    acknowledged before {}; {} lost here so far",
                position.next,
                many(position.lost, "frame")
            )),
            None => {
                line("  places    the position cannot be read; all frames count as waiting".into())
            }
        }
        for segment in segments {
            let guess = if segment.is_guessed { ", its head is lost" } else { "" };
            let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
            line(format!(
                "  segment   {name}  places {} to {}, {} waiting, {}{guess}",
                segment.head.first,
                segment.next,
                many(segment.waiting, "frame"),
                bytes(segment.bytes)
            ));
        }
        for (path, at) in torn {
            line(format!("  torn      {} ends within a record, at byte {at}", path.display()));
        }
        for damage in damage {
            let lost = damage
                .places
                .map_or("an unknown number of frames".to_owned(), |places| many(places, "frame"));
            line(format!(
                "  damaged   {}, bytes {} to {}: {lost} lost",
                damage.file.display(),
                damage.from,
                damage.to
            ));
        }
        if !self.is_whole() {
            line(format!("  remedy    `afferent spool repair {}`", dir.display()));
        }
        out
    }

    pub(super) fn json(&self) -> String {
        let Contents { dir, segments, position, torn, damage, is_open, .. } = &self.contents;
        let mut out = String::from("{\"dir\":");
        quote(&mut out, &dir.to_string_lossy());
        if let Some(last) = segments.last() {
            out.push_str(",\"edge\":");
            quote(&mut out, &last.head.edge);
            out.push_str(",\"format\":{");
            for (n, (property, value)) in last.head.format.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                quote(&mut out, property);
                out.push(':');
                quote(&mut out, value);
            }
            out.push('}');
        }
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            ",\"in_use\":{is_open},\"frames\":{},\"bytes\":{}",
            self.waiting,
            self.bytes()
        );
        if let Some([from, to]) = self.times {
            out.push_str(",\"first_t_s\":");
            seconds(&mut out, from);
            out.push_str(",\"last_t_s\":");
            seconds(&mut out, to);
        }
        if let Some(position) = position {
            let _ = write!(out, ",\"acknowledged\":{},\"lost\":{}", position.next, position.lost);
        }
        out.push_str(",\"segments\":[");
        for (n, segment) in segments.iter().enumerate() {
            out.push_str(if n == 0 { "{\"file\":" } else { ",{\"file\":" });
            quote(&mut out, &segment.path.file_name().unwrap_or_default().to_string_lossy());
            let _ = write!(
                out,
                ",\"first\":{},\"next\":{},\"frames\":{},\"waiting\":{},\"bytes\":{},\"head_lost\":{}}}",
                segment.head.first,
                segment.next,
                segment.frames,
                segment.waiting,
                segment.bytes,
                segment.is_guessed
            );
        }
        out.push_str("],\"torn\":[");
        for (n, (path, at)) in torn.iter().enumerate() {
            out.push_str(if n == 0 { "{\"file\":" } else { ",{\"file\":" });
            quote(&mut out, &path.to_string_lossy());
            let _ = write!(out, ",\"at\":{at}}}");
        }
        out.push_str("],\"damage\":[");
        for (n, damage) in damage.iter().enumerate() {
            out.push_str(if n == 0 { "{\"file\":" } else { ",{\"file\":" });
            quote(&mut out, &damage.file.to_string_lossy());
            let lost = damage.places.map_or("null".to_owned(), |places| places.to_string());
            let _ = write!(out, ",\"from\":{},\"to\":{},\"lost\":{lost}}}", damage.from, damage.to);
        }
        out.push_str("]}\n");
        out
    }
}

/// A time on the wall as UTC, or one of a recording in seconds.
pub(super) fn when(nanos: i64, line: TimeLine) -> String {
    if line == TimeLine::Shared {
        let mut text = String::new();
        seconds(&mut text, nanos);
        return text + " s";
    }
    let ms = nanos.div_euclid(1_000_000).rem_euclid(1_000);
    format!("{}.{ms:03} UTC", date_and_time(nanos.div_euclid(1_000_000_000)))
}
