//! [`Content`]: what came by at one output since it was told last, whatever it is.

use std::collections::VecDeque;

use engine::{Format, Frame};
use operators::sink::jsonl::AsJson;
use serde_json::json;

use crate::tensors::About;

use super::{message::Want, wave};

/// Events of one output that wait for the next tick.
const EVENTS_MAX: usize = 256;
/// Bytes of an event; of longer ones the time alone is told.
const EVENT_BYTES_MAX: usize = 8 << 10;

/// See the module.
pub(super) struct Content {
    label: String,
    format: Format,
    kept: Kept,
    frames: u64,
    missed: u64,
}

enum Kept {
    Signal(wave::Wave),
    Events {
        json: AsJson,
        /// They are written once they are told: of many most never are.
        frames: VecDeque<Frame>,
        skipped: u64,
    },
    /// A tensor or a picture: the newest.
    Newest(Option<Frame>),
}

impl Content {
    pub(super) fn new(label: &str, format: &Format) -> Self {
        let kept = match format {
            Format::Signal(signal) => Kept::Signal(wave::Wave::new(signal)),
            Format::Event(_) => Kept::Events {
                json: AsJson::new(label, format),
                frames: VecDeque::new(),
                skipped: 0,
            },
            Format::Tensor(_) | Format::Image(_) => Kept::Newest(None),
        };
        Self { label: label.to_owned(), format: format.clone(), kept, frames: 0, missed: 0 }
    }

    /// Takes a frame, before which frames may have been missed.
    pub(super) fn take(&mut self, frame: Frame, missed: u64) {
        self.frames += 1;
        self.missed += missed;
        match &mut self.kept {
            Kept::Signal(wave) => wave.take(&frame, missed),
            Kept::Events { frames, skipped, .. } => {
                if frames.len() == EVENTS_MAX {
                    frames.pop_front();
                    *skipped += 1;
                }
                frames.push_back(frame);
            }
            Kept::Newest(newest) => *newest = Some(frame),
        }
    }

    /// What has come since it was told last, as an object of JSON; none if nothing has.
    pub(super) fn told(&mut self, of: &Want) -> Option<String> {
        let what = match &mut self.kept {
            Kept::Signal(wave) => {
                format!("\"signal\":{}", serde_json::to_string(&wave.told()?).ok()?)
            }
            Kept::Events { frames, .. } if frames.is_empty() => return None,
            Kept::Events { json, frames, skipped } => {
                // Each is an object already.
                let lines: Vec<String> = frames.drain(..).map(|frame| line(json, &frame)).collect();
                let skipped = std::mem::take(skipped);
                format!("\"events\":{{\"skipped\":{skipped},\"lines\":[{}]}}", lines.join(","))
            }
            Kept::Newest(newest) => {
                let about = About::new(&self.label, &self.format, &newest.take()?);
                format!("\"about\":{}", about.json())
            }
        };
        let (frames, missed) = (std::mem::take(&mut self.frames), std::mem::take(&mut self.missed));
        let (session, output) = (of.session, json!(of.output));
        Some(format!(
            "{{\"session\":{session},\"output\":{output},\"frames\":{frames},\"missed\":{missed},{what}}}"
        ))
    }
}

/// An event as JSON.
fn line(json: &mut AsJson, frame: &Frame) -> String {
    let mut line = String::new();
    json.line(&mut line, None, frame);
    line.truncate(line.trim_end().len());
    if line.len() > EVENT_BYTES_MAX {
        let t_s = frame.header.time.nanos() as f64 / 1e9;
        line = json!({ "t_s": t_s, "bytes": line.len() }).to_string();
    }
    line
}
