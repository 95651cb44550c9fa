//! Frames on their way to somebody who taps, and what they are once they are there.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, Read, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use data_encoding::BASE64;
use engine::{Buffer, Clock, Format, Frame, Gap, Header, Seen, Tap, Timestamp};

use super::message::{CONTENT_BYTES_MAX, End, Said, TapFrame};

/// Between two looks at a tap. Nobody wakes who looks on, and a person sees no delay in it.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes that go to the system at once.
const PIECE_BYTES: usize = 64 << 10;

/// Sends what passes until the client hangs up or nothing more will come.
pub(super) fn send(
    mut tap: Tap,
    format: &Format,
    mut to: &UnixStream,
    clock: &Clock,
) -> io::Result<()> {
    // Short frames are copies that nobody else holds, and the thread may come after everybody. Blocks of longer ones
    // go back to where data cores take theirs from, and must not be held up for long on the way.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(if is_short(format) { 19 } else { 5 });
    #[cfg(not(target_os = "linux"))]
    let _ = format;
    to.set_read_timeout(Some(LOOK_EVERY))?;
    let mut lines = String::with_capacity(2 * PIECE_BYTES);
    let (mut told, mut missed) = (0, 0);
    loop {
        let is_last = tap.has_ended();
        while let Some(tapped) = tap.try_next() {
            // What is told with a bound is told with the next frame.
            missed += tapped.missed;
            let Seen::Frame(frame) = tapped.what else { continue };
            line(&mut lines, &frame, missed);
            told += std::mem::take(&mut missed);
            if lines.len() >= PIECE_BYTES {
                to.write_all(lines.as_bytes())?;
                lines.clear();
            }
        }
        to.write_all(lines.as_bytes())?;
        lines.clear();
        if is_last || tap.has_ended() {
            let missed = tap.missed().saturating_sub(told);
            let after_s = clock.now().nanos() as f64 / 1e9;
            let end = End { how: "over".to_owned(), after_s, fault: None, missed };
            let mut line = serde_json::to_vec(&Said::End(end))?;
            line.push(b'\n');
            return to.write_all(&line);
        }
        // Waits as long as it takes to see that it has hung up; what else it says is not to be understood.
        match to.read(&mut [0]) {
            Ok(_) => return Ok(()),
            Err(error) if is_over_time(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether frames of a format are of a few hundred bytes.
#[cfg(target_os = "linux")]
fn is_short(format: &Format) -> bool {
    match format {
        Format::Signal(signal) => 4 * signal.frame_len * signal.channels.len() <= 512,
        Format::Event(_) => true,
        Format::Tensor(_) | Format::Image(_) => false,
    }
}

pub(super) fn is_over_time(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Appends a frame as a line; by hand, as there may be a hundred thousand a second.
fn line(text: &mut String, frame: &Frame, missed: u64) {
    let Header { seq, time, gap, .. } = frame.header;
    let (count, bytes) = (frame.buffer().count(), frame.buffer().bytes());
    let t_ns = time.nanos();
    // Writing into a string cannot fail.
    let _ = write!(text, r#"{{"frame":{{"seq":{seq},"t_ns":{t_ns},"#);
    if let Some(gap) = gap.get() {
        let _ = write!(text, r#""gap":"{}","#, gap.word());
    }
    if missed > 0 {
        let _ = write!(text, r#""missed":{missed},"#);
    }
    let _ = write!(text, r#""count":{count},"bytes":{},"data":""#, bytes.len());
    if bytes.len() <= CONTENT_BYTES_MAX {
        BASE64.encode_append(bytes, text);
    }
    text.push_str("\"}}\n");
}

/// The frame that was told of; none if it was too long to be told, or is not what it says.
pub(super) fn frame(told: &TapFrame, format: &Format) -> Option<Frame> {
    let bytes = BASE64.decode(told.data.as_bytes()).ok()?;
    if bytes.len() != told.bytes {
        return None;
    }
    if let Format::Signal(signal) = format
        && told.count.checked_mul(4 * signal.channels.len()) != Some(bytes.len())
    {
        return None;
    }
    let mut buffer = Buffer::with_bytes(bytes.len(), told.count);
    buffer.bytes_mut()?.copy_from_slice(&bytes);
    let gap =
        told.gap.as_deref().and_then(|word| Gap::ALL.into_iter().find(|gap| gap.word() == word));
    let header =
        Header { seq: told.seq, gap: gap.into(), ..Header::at(Timestamp::from_nanos(told.t_ns)) };
    Some(Frame::new(header, buffer))
}
