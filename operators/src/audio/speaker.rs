//! `speaker`: a signal to be heard.
//!
//! | port | carries                                  |
//! |------|------------------------------------------|
//! | `in` | one signal, full scale being 1.0         |
//!
//! `device = "default"`, or a name that `afferent devices` tells, is a sound card, where the program was built with
//! the feature `microphone`. Two devices are there always: `null`, which swallows what it is given, and
//! `loopback`, which a `microphone` of the same session hears; see [`microphone`](crate::audio::microphone).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    Body, BuildError, Diagnostics, Fault, Frame, Kind, Node, Outline, Param, Placement, Port, Sink,
};

use super::{
    device::{
        Attached, DEFAULT, End, Ends, Fate, Filled, Loop, Loops, News, Setup, TARGET_S, Voice, Way,
        opened_as, outlet,
    },
    microphone::{LOOPBACK, NULL, ROOM_S, cards, check, is_card, sound},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "speaker",
    summary: "A signal to be heard, by a sound card or in a loop.",
    doc: "device = \"default\" is the loudspeaker that the system would take, or name one as `afferent devices` \
          does, in a program built with `--features microphone`. Of a card with more channels the further ones are \
          silent; one channel alone is heard on all. A resampler that follows how full the card's ring is brings \
          samples to its rate and clock; 40 ms wait there, and a frame. A card that is unplugged is tried \
          again each second, later each five; what comes meanwhile is dropped. \"null\" swallows what comes; \
          \"loopback\" is heard by a `microphone` of the same session, which must have the same rate and channels. \
          Frames are played one after the other as they come, without silence where something is missing. What is \
          beyond full scale is clipped; NaN and what is infinite is silent. A loop holds a million samples, twenty \
          seconds of one channel at 48 kHz, a card's ring two seconds; what finds no room is dropped, and the \
          end says how much. What `barge_in` takes back and nobody has heard is not heard, but for the few \
          milliseconds that the card has taken already. The card's thread has real-time priority as that of a \
          `microphone`. Runs on the I/O runtime. Cost: about 2 ns a sample and \
          channel, with a card 0.2 us.",
    example: "device = \"null\"",
    inputs: &[Port::signal("in")],
    params: &[&DEVICE],
    placement: Placement::Waits,
    plan: |node| {
        let device = node.get(&DEVICE)?;
        let signal = node.signal("in");
        let (rate_hz, channels) = (signal.rate.hz(), signal.channels.len());
        if device == LOOPBACK {
            plays_loop(node, (rate_hz, channels))?;
        }
        if is_card(device) {
            check(node, (DEVICE.name(), device), Way::Out, rate_hz, channels)?;
        }
        Ok(Outline::default())
    },
    build: |node| {
        let signal = node.signal("in");
        let (rate_hz, channels) = (signal.rate.hz(), signal.channels.len());
        let plays = match node.get(&DEVICE)? {
            NULL => Plays::Nothing,
            LOOPBACK => {
                // As for who hears it.
                plays_loop(node, (rate_hz, channels)).map_err(BuildError::Graph)?;
                let looped = node.common::<Loops>().of_session(node.session());
                looped.begin(rate_hz, channels);
                let block = Vec::with_capacity(signal.frame_len * channels);
                Plays::Loop { looped, channels, block }
            }
            name => Plays::Card(Box::new(Card::attached(node, name)?)),
        };
        Ok(Body::sink(Speaker { plays, rate_hz, unheard_s: 0.0 }))
    },
    ..Kind::BASE
};

const DEVICE: Param<&str> = Param::with_default(
    "device",
    DEFAULT,
    "Which device: \"default\", a name that `afferent devices` tells, \"null\" or \"loopback\".",
);

/// Notes that a node plays to a loop.
///
/// # Errors
/// Who hears otherwise there.
fn plays_loop(node: &Node<'_>, (rate_hz, channels): (f64, usize)) -> Result<(), Diagnostics> {
    let place = node.place(DEVICE.name()).clone();
    let end = End { plays: true, rate_hz, channels, place };
    sound(node.common::<Ends>().note(node, end))
}

struct Speaker {
    plays: Plays,
    rate_hz: f64,
    /// What found no room in a loop.
    unheard_s: f64,
}

enum Plays {
    Nothing,
    Loop { looped: Arc<Loop>, channels: usize, block: Vec<f32> },
    Card(Box<Card>),
}

/// A loudspeaker of a sound card.
struct Card {
    name: String,
    attached: Attached<Voice>,
    /// How it was opened last.
    opened: Option<(Setup, Fate)>,
    /// Nothing while it is unplugged.
    filled: Option<Filled>,
    rate_hz: f64,
    channels: usize,
    /// How often it was unplugged.
    gone: u64,
    /// What found no room, no card, or was not played when that vanished.
    unheard_s: f64,
    /// What it played as silence between frames, on streams that are over.
    unsaid_s: f64,
}

/// How long a card may take to open.
const OPENS: Duration = Duration::from_secs(5);

/// How long a card that plays no more is waited for at the end.
const PATIENCE_S: f64 = 0.5;

impl Card {
    /// Opens it, and waits for that.
    fn attached(node: &Node<'_>, name: &str) -> Result<Self, BuildError> {
        let signal = node.signal("in");
        let (rate_hz, channels) = (signal.rate.hz(), signal.channels.len());
        let frame_s = signal.frame_len as f64 / rate_hz;
        let (cards, wanted) = (cards(node, DEVICE.name())?, name.to_owned());
        let open = move |fate| {
            let setup = cards.device(Way::Out, &wanted)?.setup(rate_hz, channels)?;
            let len = |seconds: f64| (seconds * f64::from(setup.rate_hz)).ceil() as usize;
            // Before the next frame comes, one less waits; that is what must be left.
            let (room, head) = (len(ROOM_S + 2.0 * frame_s), len(TARGET_S + frame_s));
            let (voice, mouth) = outlet(channels, usize::from(setup.channels), room, head);
            let stream = cards.speak(&wanted, setup, mouth, fate)?;
            Ok((stream, voice, setup))
        };
        let attached = Attached::new(open)
            .map_err(|error| Fault::new(format!("no thread for a card: {error}")))?;
        Self::opened(name, attached, rate_hz, channels)
    }

    /// What is attached, once it is open or has taken too long for that.
    fn opened(
        name: &str,
        attached: Attached<Voice>,
        rate_hz: f64,
        channels: usize,
    ) -> Result<Self, BuildError> {
        let mut card = Self {
            name: name.to_owned(),
            attached,
            opened: None,
            filled: None,
            rate_hz,
            channels,
            gone: 0,
            unheard_s: 0.0,
            unsaid_s: 0.0,
        };
        if let Some(news) = card.attached.wait(OPENS) {
            card.learn(news)?;
        }
        Ok(card)
    }

    fn learn(&mut self, news: News<Voice>) -> Result<(), Fault> {
        match news {
            News::Here { end, setup, fate } => {
                self.opened = Some((setup, fate));
                let card_hz = f64::from(setup.rate_hz);
                self.filled = Some(Filled::new(end, self.rate_hz, card_hz, self.channels));
            }
            News::Gone => {
                self.gone += 1;
                if let Some(filled) = self.filled.take() {
                    self.unheard_s += filled.ends();
                    self.unsaid_s += filled.unsaid_s();
                }
            }
            News::Never(trouble) => return Err(Fault::new(trouble.to_string())),
        }
        Ok(())
    }

    /// Plays planes, one behind the other.
    fn play(&mut self, samples: &[f32]) -> Result<(), Fault> {
        while let Some(news) = self.attached.news() {
            self.learn(news)?;
        }
        let len_s = (samples.len() / self.channels) as f64 / self.rate_hz;
        self.unheard_s += self.filled.as_mut().map_or(len_s, |filled| filled.play(samples));
        Ok(())
    }

    /// What waits is not played; it was not lost either.
    fn forget(&mut self) {
        if let Some(filled) = &mut self.filled {
            filled.forget();
        }
    }

    /// Waits until all is played that waits.
    fn finish(&mut self) {
        let begun = Instant::now();
        let most_s = self.filled.as_ref().map_or(0.0, Filled::ends) + PATIENCE_S;
        loop {
            let left_s = self.filled.as_ref().map_or(0.0, Filled::ends);
            if left_s == 0.0 || begun.elapsed().as_secs_f64() > most_s {
                self.unheard_s += left_s;
                return;
            }
            // All that it can say by now is that it is gone.
            if let Some(news) = self.attached.wait(Duration::from_millis(10))
                && self.learn(news).is_err()
            {
                return;
            }
        }
    }
}

impl Sink for Speaker {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        match &mut self.plays {
            Plays::Nothing => {}
            Plays::Card(card) => card.play(frame.samples())?,
            Plays::Loop { looped, channels, block } => {
                let (len, planes) = (frame.len(), frame.samples());
                block.clear();
                for n in 0..len {
                    for channel in 0..*channels {
                        let sample = planes[channel * len + n];
                        let sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
                        block.push(sample);
                    }
                }
                let unheard = block.len() - looped.play(block);
                self.unheard_s += (unheard / *channels) as f64 / self.rate_hz;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        if let Plays::Card(card) = &mut self.plays {
            card.finish();
        }
        Ok(())
    }

    fn flush(&mut self, _line: usize) -> Result<(), Fault> {
        match &mut self.plays {
            Plays::Nothing => {}
            Plays::Loop { looped, .. } => {
                looped.forget();
            }
            Plays::Card(card) => card.forget(),
        }
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let mut told = Vec::new();
        let (mut unheard_s, mut unsaid_s) = (self.unheard_s, 0.0);
        if let Plays::Card(card) = &self.plays {
            unheard_s += card.unheard_s;
            unsaid_s = card.unsaid_s + card.filled.as_ref().map_or(0.0, Filled::unsaid_s);
            let opened = card.opened.as_ref();
            told.extend(opened.map(|(setup, fate)| opened_as(&card.name, *setup, fate)));
            match card.gone {
                0 => {}
                1 => told.push("it was gone once".to_owned()),
                gone => told.push(format!("it was gone {gone} times")),
            }
        }
        if unheard_s > 0.0 {
            told.push(format!("{unheard_s:.3} s found no room and were not played"));
        }
        if unsaid_s > 0.0 {
            told.push(format!("it was {unsaid_s:.3} s short of samples"));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use engine::Timestamp;

    use super::{
        super::device::{Encoding, Stream},
        *,
    };

    #[test]
    fn what_is_taken_back_is_not_heard() {
        let looped = Loops::default().of_session(0);
        looped.begin(16_000.0, 1);
        let plays = Plays::Loop { looped: looped.clone(), channels: 1, block: Vec::new() };
        let mut speaker = Speaker { plays, rate_hz: 16_000.0, unheard_s: 0.0 };
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

    #[test]
    fn what_is_taken_back_is_not_played_by_a_card() {
        struct Open;
        impl Stream for Open {}

        let (voice, mut mouth) = outlet(1, 1, 32_000, 960);
        let setup = Setup { channels: 1, rate_hz: 16_000, encoding: Encoding::F32 };
        let mut voice = Some(voice);
        let attached = Attached::new(move |_| {
            let stream: Box<dyn Stream> = Box::new(Open);
            Ok((stream, voice.take().expect("it is never gone"), setup))
        });
        let card = Card::opened("lab", attached.expect("a thread"), 16_000.0, 1).expect("it opens");
        let plays = Plays::Card(Box::new(card));
        let mut speaker = Speaker { plays, rate_hz: 16_000.0, unheard_s: 0.0 };
        let play = |speaker: &mut Speaker, sample: f32| {
            for _ in 0..25 {
                let frame = Frame::signal(Timestamp::ZERO, 1, &[sample; 320]);
                speaker.take(0, &frame).expect("there is room");
            }
        };
        play(&mut speaker, -0.5);
        let mut heard = [0.0f32; 1_600];
        mouth.speak(&mut heard);
        assert!(heard[200..].iter().all(|&sample| (sample + 0.5).abs() < 0.01));
        // 0.4 s wait.
        speaker.flush(0).expect("it can");
        play(&mut speaker, 0.5);
        mouth.speak(&mut heard);
        // A step through a steep filter rings by 9 % of its height.
        assert!(heard.iter().all(|&sample| sample > -0.06), "nothing of what was taken back");
        assert!(heard[200..].iter().all(|&sample| (sample - 0.5).abs() < 0.01));
        assert_eq!(speaker.remark().as_deref(), Some("lab at 16000 Hz"), "nothing was lost");
    }
}
