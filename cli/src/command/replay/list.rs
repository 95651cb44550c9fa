//! What is in a recording, as a table or as JSON.

use operators::files::mcap::{ABOUT, End, Recording};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, print},
    status::bytes,
};

pub(super) fn list(recording: &Recording, as_json: bool) -> Result<Exit, Failure> {
    let text = if as_json { as_one_line(recording) } else { table(recording) };
    print(&text)?;
    Ok(Exit::Done)
}

fn ends(recording: &Recording) -> (&'static str, String) {
    match &recording.end {
        End::Whole => ("whole", String::new()),
        End::Cut => ("cut short", String::new()),
        End::Damaged(why) => ("damaged", format!(" ({why})")),
    }
}

fn about<'a>(recording: &'a Recording, key: &str) -> &'a str {
    recording.metadata.get(ABOUT).and_then(|about| about.get(key)).map_or("?", String::as_str)
}

fn table(recording: &Recording) -> String {
    let (end, why) = ends(recording);
    let mut text = format!(
        "{}: graph `{}`, {end}{why}, {}, by afferent {}\n",
        recording.path.display(),
        about(recording, "graph"),
        bytes(recording.bytes),
        about(recording, "version")
    );
    let head =
        ["session", "output", "kind", "frames", "missing", "from s", "to s", "size", "format"];
    let mut rows = vec![head.map(str::to_owned)];
    for output in &recording.outputs {
        let counts = &output.counts;
        let second = |time: Option<engine::Timestamp>| {
            time.map_or("-".to_owned(), |time| moment(time.secs_f64()))
        };
        rows.push([
            output.session.to_string(),
            output.label.clone(),
            output.op.clone(),
            counts.frames.to_string(),
            counts.missed.to_string(),
            second(counts.span.map(|(first, _)| first)),
            second(counts.span.map(|(_, last)| last)),
            bytes(counts.bytes),
            output.format.to_string(),
        ]);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right.
            let is_text = matches!(n, 1 | 2 | 8);
            line +=
                &if is_text { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// To the millisecond; what rounds to nothing has no sign.
fn moment(seconds: f64) -> String {
    format!("{:.3}", (seconds * 1e3).round() / 1e3 + 0.0)
}

fn as_one_line(recording: &Recording) -> String {
    let outputs: Vec<_> = recording
        .outputs
        .iter()
        .map(|output| {
            let seconds = |time: Option<engine::Timestamp>| time.map(engine::Timestamp::secs_f64);
            json!({
                "session": output.session,
                "output": output.label,
                "op": output.op,
                "source": output.is_source,
                "frames": output.counts.frames,
                "missing": output.counts.missed,
                "bytes": output.counts.bytes,
                "first_s": seconds(output.counts.span.map(|(first, _)| first)),
                "last_s": seconds(output.counts.span.map(|(_, last)| last)),
                "format": output.format.to_string(),
            })
        })
        .collect();
    let (end, _) = ends(recording);
    let line = json!({
        "file": recording.path.display().to_string(),
        "graph": about(recording, "graph"),
        "version": about(recording, "version"),
        "end": end,
        "complete": recording.is_complete(),
        "bytes": recording.bytes,
        "outputs": outputs,
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_just_before_nothing_has_no_sign() {
        assert_eq!(
            [-1e-9, 0.0, -0.0006, 59.9996].map(moment),
            ["0.000", "0.000", "-0.001", "60.000"]
        );
    }
}
