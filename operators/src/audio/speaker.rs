//! `speaker`: a signal to be heard.
//!
//! | port | carries                                  |
//! |------|------------------------------------------|
//! | `in` | one signal, full scale being 1.0         |
//!
//! Without a sound card there are two devices: `null`, which swallows what it is given, and `loopback`, which
//! a `microphone` of the same session hears; see [`microphone`](crate::audio::microphone).

use std::sync::Arc;

use engine::{Body, Fault, Frame, Kind, Outline, Param, Placement, Port, Sink};

use super::{
    device::{Loop, Loops},
    microphone::{LOOPBACK, refuse_unknown},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "speaker",
    summary: "A signal to be heard.",
    doc: "device = \"null\" swallows what comes; \"loopback\" is heard by a `microphone` of the same \
          session, which must have the same rate and channels. Frames are played one after the other as they \
          come, without silence where something is missing. What is beyond full scale is clipped; NaN and what is infinite is \
          silent. A loop holds a million samples, twenty seconds of one channel at 48 kHz; what finds no room is dropped, and the \
          end says how much. What `barge_in` takes back and nobody has heard is not heard. Runs on the I/O runtime. Cost: about 2 ns a sample and channel.",
    example: "device = \"null\"",
    inputs: &[Port::signal("in")],
    params: &[&DEVICE],
    placement: Placement::Waits,
    plan: |node| {
        refuse_unknown(node, DEVICE.name(), node.get(&DEVICE)?)?;
        Ok(Outline::default())
    },
    build: |node| {
        let signal = node.signal("in");
        let (rate_hz, channels) = (signal.rate.hz(), signal.channels.len());
        let looped = (node.get(&DEVICE)? == LOOPBACK).then(|| {
            let looped = node.common::<Loops>().of_session(node.session());
            looped.begin(rate_hz, channels);
            looped
        });
        let block = Vec::with_capacity(signal.frame_len * channels);
        Ok(Body::sink(Speaker { looped, channels, rate_hz, block, unheard: 0 }))
    },
    ..Kind::BASE
};

const DEVICE: Param<&str> = Param::required("device", "Which device: \"null\" or \"loopback\".");

struct Speaker {
    looped: Option<Arc<Loop>>,
    channels: usize,
    rate_hz: f64,
    block: Vec<f32>,
    /// Samples of all channels that found no room.
    unheard: u64,
}

impl Sink for Speaker {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let Some(looped) = &self.looped else { return Ok(()) };
        let (len, planes) = (frame.len(), frame.samples());
        self.block.clear();
        for n in 0..len {
            for channel in 0..self.channels {
                let sample = planes[channel * len + n];
                let sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
                self.block.push(sample);
            }
        }
        let played = looped.play(&self.block);
        self.unheard += (self.block.len() - played) as u64;
        Ok(())
    }

    fn flush(&mut self, _line: usize) -> Result<(), Fault> {
        if let Some(looped) = &self.looped {
            looped.forget();
        }
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let seconds = self.unheard as f64 / self.channels as f64 / self.rate_hz;
        (self.unheard > 0).then(|| format!("{seconds:.3} s found no room and were not played"))
    }
}

#[cfg(test)]
mod tests {
    use engine::Timestamp;

    use super::*;

    #[test]
    fn what_is_taken_back_is_not_heard() {
        let looped = Loops::default().of_session(0);
        looped.begin(16_000.0, 1);
        let mut speaker = Speaker {
            looped: Some(looped.clone()),
            channels: 1,
            rate_hz: 16_000.0,
            block: Vec::new(),
            unheard: 0,
        };
        let mut play = |sample: f32| {
            let frame = Frame::signal(Timestamp::ZERO, 1, &[sample; 100]);
            speaker.take(0, &frame).expect("it swallows all");
            if sample < 0.0 {
                speaker.flush(0).expect("it can");
            }
        };
        play(-0.5);
        play(0.5);

        let mut heard = [0.0; 200];
        assert_eq!(looped.hear(&mut heard), 100);
        assert!(heard[..100].iter().all(|&sample| sample == 0.5));
    }
}
