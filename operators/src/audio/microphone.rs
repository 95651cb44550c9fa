//! `microphone`: what is heard now.
//!
//! Samples come by callbacks of the card and are brought from its clock to the session's; see
//! [`device`](crate::audio::device).
//!
//! | port  | carries                                                           |
//! |-------|-------------------------------------------------------------------|
//! | `out` | the channels: `mono`, `left` and `right`, or `0`, `1`, … of more  |
//!
//! Without a sound card there are two devices: `null`, which is silent, and `loopback`, which hears what a
//! `speaker` of the same session plays. Both are paced by the clock.

use std::sync::Arc;

use engine::{
    Body, Buffer, Channel, Code, Diagnostic, Fault, Format, Gap, Kind, LiveIo, LiveSource, Node,
    Outline, Param, Placement, Port, Rate, SignalFormat, Timestamp, Unit, Waiting,
};

use super::device::{Ear, Heard, Loop, Loops, Steered, handover};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "microphone",
    summary: "What is heard now; without a sound card, silence or a loop.",
    doc: "device = \"null\" is silence, \"loopback\" what a `speaker` of the same session plays, then \
          silence; both are paced by the clock, so that graphs with a microphone run where there is no sound \
          card. Full scale is 1.0, without a unit; channels are mono, left and right, or 0, 1, …. A device's \
          callback copies into a ring, stamps and returns; what finds no room there is lost, counted, and a gap. A \
          resampler that is steered by the stamps brings samples from the device's clock to the session's: \
          a sample's time is when it was heard, whatever the card's rate really is, to some milliseconds by \
          which stamps come late. Its filter delays by 50 samples. A device that stops, or skips, leaves a gap. \
          Cost: about 0.2 us a sample and channel.",
    example: "device = \"null\"",
    outputs: &[Port::signal("out")],
    params: &[&DEVICE, &RATE_HZ, &CHANNELS],
    placement: Placement::Waits,
    live: true,
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        known(node)?;
        let names = crate::source::audio::names(node.get(&CHANNELS)? as usize);
        let channels =
            names.into_iter().map(|name| Channel { name, unit: Unit::UNKNOWN }).collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        Ok(Outline::of([Format::Signal(SignalFormat { channels, rate, frame_len }.into())]))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let looped = (node.get(&DEVICE)? == LOOPBACK)
            .then(|| node.common::<Loops>().of_session(node.session()));
        Ok(Body::live(Microphone {
            looped,
            rate: signal.rate,
            channels: signal.channels.len(),
            frame_len: signal.frame_len,
        }))
    },
    ..Kind::BASE
};

const DEVICE: Param<&str> = Param::required("device", "Which device: \"null\" or \"loopback\".");
const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 48_000.0, "Samples per second.").within(8_000.0, 192_000.0);
const CHANNELS: Param<i64> =
    Param::with_default("channels", 1, "Number of channels.").within(1.0, 64.0);

pub(super) const NULL: &str = "null";
pub(super) const LOOPBACK: &str = "loopback";

/// Refuses a device that there is not.
fn known(node: &Node<'_>) -> Result<(), Diagnostic> {
    refuse_unknown(node, DEVICE.name(), node.get(&DEVICE)?)
}

/// As `known`, of either kind of device.
pub(super) fn refuse_unknown(node: &Node<'_>, param: &str, device: &str) -> Result<(), Diagnostic> {
    if [NULL, LOOPBACK].contains(&device) {
        return Ok(());
    }
    let message = format!("there is no device `{device}`: this program reaches no sound cards");
    let problem = node.problem(Code::OutOfRange, param, message);
    Err(problem.hint("name \"null\", or \"loopback\" for what a `speaker` of the graph plays"))
}

struct Microphone {
    /// What is heard; silence without it.
    looped: Option<Arc<Loop>>,
    rate: Rate,
    channels: usize,
    frame_len: usize,
}

/// How much of the past a ring holds while nobody takes it out.
const ROOM_S: f64 = 2.0;

impl LiveSource for Microphone {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(self.listen(io))
    }
}

impl Microphone {
    /// Calls the callback as a card would, and sends what comes of it.
    async fn listen(&mut self, io: &mut LiveIo) -> Result<(), Fault> {
        let frames = (ROOM_S * self.rate.hz()) as usize / self.frame_len + 2;
        let (mut ear, heard) = handover(self.channels, frames * self.frame_len, frames);
        let mut listener = Listener::new(heard, self.rate, self.channels, self.frame_len);
        let mut block = vec![0.0; self.frame_len * self.channels];
        let begun = io.now();
        for number in 1.. {
            let end = self.rate.span_ns(number * self.frame_len as i64);
            let due = begun.plus_nanos(end);
            io.sleep_until(due).await;
            // A card's own clock says when; whoever comes late finds several blocks.
            self.play(&mut ear, &mut block, due)?;
            listener.send(io);
        }
        Ok(())
    }

    fn play(&self, ear: &mut Ear, block: &mut [f32], at: Timestamp) -> Result<(), Fault> {
        if let Some(looped) = &self.looped {
            let wanted = (self.rate.hz(), self.channels);
            match looped.format() {
                Some(format) if format != wanted => {
                    let (rate_hz, channels) = format;
                    return Err(Fault::new(format!(
                        "hears {} channels at {} Hz where the speaker plays {channels} at {rate_hz}: \
                         give both the same",
                        self.channels,
                        self.rate.hz()
                    )));
                }
                Some(_) => {
                    looped.hear(block);
                }
                None => block.fill(0.0),
            }
        }
        ear.hear(block, at);
        Ok(())
    }
}

/// The graph's side of a device.
struct Listener {
    heard: Heard,
    steered: Steered,
    planes: Vec<Vec<f32>>,
    channels: usize,
    frame_len: usize,
}

impl Listener {
    fn new(heard: Heard, rate: Rate, channels: usize, frame_len: usize) -> Self {
        let planes = vec![Vec::new(); channels];
        Self { heard, steered: Steered::new(rate.hz(), channels), planes, channels, frame_len }
    }

    /// Sends whole frames of what was heard. Where something is missing a gap is told.
    fn send(&mut self, io: &mut LiveIo) {
        loop {
            self.planes.iter_mut().for_each(Vec::clear);
            let Some(stamp) = self.heard.take(&mut self.planes) else { return };
            let is_whole = stamp.lost == 0 && self.steered.take(&self.planes, stamp.at);
            if !is_whole {
                io.gap(Gap::Source);
                self.steered.reset();
                let begins = self.steered.take(&self.planes, stamp.at);
                debug_assert!(begins, "whoever begins anew is nowhere yet");
            }
            while self.steered.ready() >= self.frame_len {
                let time = self.steered.time().expect("samples were taken");
                let mut buffer = Buffer::signal(self.channels, self.frame_len);
                self.steered.make(buffer.floats_mut().expect("a fresh buffer has one holder"));
                io.send(0, time, UNCERTAINTY_NS, buffer);
            }
        }
    }
}

/// By how much stamps are late at most, mostly: a callback's wait for its thread.
const UNCERTAINTY_NS: u32 = 2_000_000;
