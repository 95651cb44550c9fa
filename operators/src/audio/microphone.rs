//! `microphone`: what is heard now.
//!
//! Samples come by callbacks of the card and are brought from its clock to the session's; see
//! [`device`](crate::audio::device).
//!
//! | port  | carries                                                           |
//! |-------|-------------------------------------------------------------------|
//! | `out` | the channels: `mono`, `left` and `right`, or `0`, `1`, … of more  |
//!
//! `device = "default"`, or the name that `afferent devices` tells, is a sound card, where the program was built with
//! the feature `microphone`. Two devices are there always: `null`, which is silent, and `loopback`, which hears what
//! a `speaker` of the same session plays. Both are paced by the clock.

use std::sync::Arc;

use engine::{
    Body, Buffer, BuildError, Channel, Code, Diagnostic, Diagnostics, Fault, Format, Gap, Kind,
    LiveIo, LiveSource, Node, Outline, Param, Placement, Port, Rate, SignalFormat, Timestamp, Unit,
    Waiting,
};

use super::device::{
    Attached, Cards, DEFAULT, End, Ends, Fate, Heard, Loop, Loops, News, Now, RATES_HZ, Setup,
    Steered, Trouble, Way, handover, of_host, opened_as,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "microphone",
    summary: "What is heard now, by a sound card or in a loop.",
    doc: "device = \"default\" is the microphone that the system would take, or name one as `afferent devices` does, \
          in a program built with `--features microphone`. Of a card with more channels the first ones are heard; one with \
          another rate is resampled. \"null\" is silence, \"loopback\" what a `speaker` of the same session plays, then \
          silence; both are paced by the clock, so that graphs with a microphone run where there is no sound \
          card. Full scale is 1.0, without a unit; channels are mono, left and right, or 0, 1, …. A device's \
          callback copies into a ring, stamps and returns; what finds no room there is lost, counted, and a gap. A \
          resampler that is steered by the stamps brings samples from the device's clock to the session's: \
          a sample's time is when it was heard, whatever the card's rate really is, to some milliseconds by \
          which stamps come late. Its filter delays by 50 samples of the lower rate. A device that stops, or skips, leaves a \
          gap, also where only its stamps tell: of 15 ms or more, found within half a second; one that is unplugged is tried again each second, later each five, and goes on in the session's \
          time. One that cannot be opened at the start is a fault. The card's thread has real-time priority where this user \
          may have it, on Linux where a card itself is named, as hw:CARD=Lab,DEV=0. The end tells how it was opened, \
          how often it was gone, what is missing and how far its clock is off. Cost: about 0.2 us a sample and channel.",
    example: "device = \"null\"",
    outputs: &[Port::signal("out")],
    params: &[&DEVICE, &RATE_HZ, &CHANNELS],
    placement: Placement::Waits,
    live: true,
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let device = node.get(&DEVICE)?;
        if is_card(device) {
            let channels = node.get(&CHANNELS)? as usize;
            check(node, (DEVICE.name(), device), Way::In, rate.hz(), channels)?;
        }
        if device == LOOPBACK {
            hears_loop(node, rate.hz())?;
        }
        let names = crate::source::audio::names(node.get(&CHANNELS)? as usize);
        let channels =
            names.into_iter().map(|name| Channel { name, unit: Unit::UNKNOWN }).collect();
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        Ok(Outline::of([Format::Signal(SignalFormat { channels, rate, frame_len }.into())]))
    },
    build: |node| {
        let signal = node.output(0).as_signal().expect("planned as a signal");
        let hears = match node.get(&DEVICE)? {
            NULL => Hears::Silence,
            LOOPBACK => {
                // Nodes of several hosts, which plans do not compare, have one loop where all of them run here.
                hears_loop(node, signal.rate.hz()).map_err(BuildError::Graph)?;
                Hears::Loop(node.common::<Loops>().of_session(node.session()))
            }
            name => Hears::Card(cards(node, DEVICE.name())?, name.to_owned()),
        };
        Ok(Body::live(Microphone {
            hears,
            rate: signal.rate,
            channels: signal.channels.len(),
            frame_len: signal.frame_len,
            account: Account { reached: Timestamp::MIN, ..Account::default() },
        }))
    },
    ..Kind::BASE
};

const DEVICE: Param<&str> = Param::with_default(
    "device",
    DEFAULT,
    "Which device: \"default\", a name that `afferent devices` tells, \"null\" or \"loopback\".",
);
const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 48_000.0, "Samples per second.").within(8_000.0, 192_000.0);
const CHANNELS: Param<i64> =
    Param::with_default("channels", 1, "Number of channels.").within(1.0, 64.0);

pub(super) const NULL: &str = "null";
pub(super) const LOOPBACK: &str = "loopback";

/// Whether a device of this name is a sound card's.
pub(super) fn is_card(device: &str) -> bool {
    ![NULL, LOOPBACK].contains(&device)
}

/// Notes that a node hears a loop.
///
/// # Errors
/// Who plays there otherwise.
fn hears_loop(node: &Node<'_>, rate_hz: f64) -> Result<(), Diagnostics> {
    // What is not written has the place of `op`.
    let places = [RATE_HZ.name(), CHANNELS.name(), DEVICE.name()];
    let mut places = places.into_iter().map(|param| node.place(param));
    let place = places.find(|place| *place != node.place("op")).unwrap_or(&None).clone();
    let channels = node.get(&CHANNELS)? as usize;
    let end = End { plays: false, rate_hz, channels, place };
    sound(node.common::<Ends>().note(node, end))
}

/// Nothing, where nothing is wrong.
pub(super) fn sound(problems: Vec<Diagnostic>) -> Result<(), Diagnostics> {
    if problems.is_empty() { Ok(()) } else { Err(Diagnostics(problems)) }
}

/// The sound cards that the graph's host reaches.
///
/// # Errors
/// If it reaches none, at the place of `param`.
pub(super) fn cards(node: &Node<'_>, param: &str) -> Result<Arc<dyn Cards>, Diagnostic> {
    of_host(node.services()).map_err(|trouble| told(node, param, trouble))
}

/// Checks that the device called `name` is there and can be opened so.
///
/// # Errors
/// What is wrong with it, at the place of `param`.
pub(super) fn check(
    node: &Node<'_>,
    (param, name): (&str, &str),
    way: Way,
    rate_hz: f64,
    channels: usize,
) -> Result<(), Diagnostic> {
    if !RATES_HZ.contains(&rate_hz) {
        let message =
            format!("a card plays 1 to 1 000 000 samples per second, and here are {rate_hz}");
        return Err(node.problem(Code::NoDevice, param, message).hint("`resample` it before"));
    }
    let device = cards(node, param)?.device(way, name);
    let setup = device.and_then(|device| device.setup(rate_hz, channels));
    setup.map(drop).map_err(|trouble| told(node, param, trouble))
}

fn told(node: &Node<'_>, param: &str, trouble: Trouble) -> Diagnostic {
    node.problem(Code::NoDevice, param, trouble.what).hint(trouble.remedy)
}

struct Microphone {
    hears: Hears,
    rate: Rate,
    channels: usize,
    frame_len: usize,
    account: Account,
}

/// What has become of what was heard.
#[derive(Default)]
struct Account {
    /// Nothing older is sent any more.
    reached: Timestamp,
    /// How the card was opened last.
    opened: Option<(Setup, Fate)>,
    /// How often it was unplugged.
    gone: u64,
    /// How often something is missing while it was there.
    gaps: u64,
    /// What found no room.
    lost_s: f64,
    /// What its clock was found to be when that was known last.
    slow_ppm: Option<f64>,
}

enum Hears {
    Silence,
    Loop(Arc<Loop>),
    Card(Arc<dyn Cards>, String),
}

/// How much of the past a ring holds while nobody takes it out.
pub(super) const ROOM_S: f64 = 2.0;

/// Samples of all channels that it holds at most: 32 MiB.
const SAMPLES_MAX: usize = 1 << 23;

/// How many callbacks it holds: one in two milliseconds.
const STAMPS: usize = 1_000;

/// How often is looked what a card has heard: once a frame, within these.
const LOOK_NS: (i64, i64) = (5_000_000, 20_000_000);

/// How long a card may take from its first sample until it is known that it is open.
const OPENS_NS: i64 = 500_000_000;

impl LiveSource for Microphone {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        match &self.hears {
            Hears::Silence => Box::pin(self.pretend(None, io)),
            Hears::Loop(looped) => Box::pin(self.pretend(Some(looped.clone()), io)),
            Hears::Card(cards, name) => {
                let (cards, name) = (cards.clone(), name.clone());
                Box::pin(self.attend(cards, name, io))
            }
        }
    }

    fn remark(&self) -> Option<String> {
        let mut told = Vec::new();
        if let (Hears::Card(_, name), Some((setup, fate))) = (&self.hears, &self.account.opened) {
            told.push(opened_as(name, *setup, fate));
        }
        self.account.tell(&mut told);
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl Account {
    fn tell(&self, told: &mut Vec<String>) {
        if let Some(ppm) = self.slow_ppm.filter(|_| self.opened.is_some()) {
            let way = if ppm < 0.0 { "fast" } else { "slow" };
            told.push(format!("its clock is {:.0} ppm {way}", ppm.abs()));
        }
        match self.gone {
            0 => {}
            1 => told.push("it was gone once".to_owned()),
            gone => told.push(format!("it was gone {gone} times")),
        }
        match self.gaps {
            0 => {}
            1 => told.push("something is missing once".to_owned()),
            gaps => told.push(format!("something is missing {gaps} times")),
        }
        if self.lost_s > 0.0 {
            told.push(format!("{:.3} s of that found no room", self.lost_s));
        }
    }
}

impl Microphone {
    /// Calls the callback as a card would, and sends what comes of it.
    async fn pretend(&mut self, looped: Option<Arc<Loop>>, io: &mut LiveIo) -> Result<(), Fault> {
        let frames = (ROOM_S * self.rate.hz()) as usize / self.frame_len + 2;
        let (mut ear, heard) = handover(self.channels, frames * self.frame_len, frames);
        let mut listener = self.listener(heard, self.rate.hz(), Fate::default());
        let mut block = vec![0.0; self.frame_len * self.channels];
        let begun = io.now();
        for number in 1.. {
            let end = self.rate.span_ns(number * self.frame_len as i64);
            let due = begun.plus_nanos(end);
            io.sleep_until(due).await;
            // A card's own clock says when; whoever comes late finds several blocks.
            self.play(looped.as_deref(), &mut block)?;
            ear.hear(&block, due);
            listener.send(io, &mut self.account);
        }
        Ok(())
    }

    fn play(&self, looped: Option<&Loop>, block: &mut [f32]) -> Result<(), Fault> {
        let wanted = (self.rate.hz(), self.channels);
        match looped.map(|looped| (looped, looped.format())) {
            Some((_, Some((rate_hz, channels)))) if (rate_hz, channels) != wanted => {
                Err(Fault::new(format!(
                    "hears {} channels at {} Hz where the speaker plays {channels} at {rate_hz}: give \
                     both the same",
                    self.channels,
                    self.rate.hz()
                )))
            }
            Some((looped, Some(_))) => {
                looped.hear(block);
                Ok(())
            }
            _ => {
                block.fill(0.0);
                Ok(())
            }
        }
    }

    /// Sends what a card hears, for as long as it is there and whenever it is back.
    async fn attend(
        &mut self,
        cards: Arc<dyn Cards>,
        name: String,
        io: &mut LiveIo,
    ) -> Result<(), Fault> {
        let attached = self.attach(cards, name, io)?;
        let look_ns = self.rate.span_ns(self.frame_len as i64).clamp(LOOK_NS.0, LOOK_NS.1);
        let mut listener: Option<Listener> = None;
        loop {
            while let Some(news) = attached.news() {
                match news {
                    News::Here { end, setup, fate } => {
                        self.account.opened = Some((setup, fate.clone()));
                        listener = Some(self.listener(end, f64::from(setup.rate_hz), fate));
                    }
                    News::Gone => {
                        if let Some(mut listener) = listener.take() {
                            listener.send(io, &mut self.account);
                        }
                        io.gap(Gap::Source);
                        self.account.gone += 1;
                    }
                    News::Never(trouble) => return Err(Fault::new(trouble.to_string())),
                }
            }
            match &mut listener {
                Some(listener) => listener.send(io, &mut self.account),
                // Whoever joins it with others need not wait: so old nothing can come.
                None => {
                    let reached = &mut self.account.reached;
                    *reached = (*reached).max(io.now().plus_nanos(-OPENS_NS));
                    io.promise(0, *reached);
                }
            }
            io.sleep_until(io.now().plus_nanos(look_ns)).await;
        }
    }

    fn attach(
        &self,
        cards: Arc<dyn Cards>,
        name: String,
        io: &LiveIo,
    ) -> Result<Attached<Heard>, Fault> {
        let (rate_hz, channels) = (self.rate.hz(), self.channels);
        let entrance = io.entrance();
        let now: Now = Arc::new(move || entrance.now());
        let open = move |fate| {
            let setup = cards.device(Way::In, &name)?.setup(rate_hz, channels)?;
            let room = (ROOM_S * f64::from(setup.rate_hz)) as usize;
            let room = room.min(SAMPLES_MAX / usize::from(setup.channels));
            let (ear, heard) = handover(usize::from(setup.channels), room, STAMPS);
            let stream = cards.hear(&name, setup, ear, now.clone(), fate)?;
            Ok((stream, heard, setup))
        };
        Attached::new(open).map_err(|error| Fault::new(format!("no thread for a card: {error}")))
    }

    fn listener(&self, heard: Heard, card_hz: f64, fate: Fate) -> Listener {
        Listener {
            heard,
            card_hz,
            steered: Steered::new(card_hz, self.rate.hz(), self.channels),
            planes: vec![Vec::new(); self.channels],
            channels: self.channels,
            frame_len: self.frame_len,
            span_ns: self.rate.span_ns(self.frame_len as i64),
            fate,
            skipped: 0,
        }
    }
}

/// The graph's side of a device.
struct Listener {
    heard: Heard,
    /// Samples per second, by the card.
    card_hz: f64,
    steered: Steered,
    planes: Vec<Vec<f32>>,
    channels: usize,
    frame_len: usize,
    span_ns: i64,
    fate: Fate,
    /// How often the card had skipped when it was asked last.
    skipped: u64,
}

impl Listener {
    /// Sends whole frames of what was heard, none of them older than what was reached. Where something is missing
    /// a gap is told.
    fn send(&mut self, io: &mut LiveIo, account: &mut Account) {
        loop {
            self.planes.iter_mut().for_each(Vec::clear);
            let Some(stamp) = self.heard.take(&mut self.planes) else { return };
            let skipped = self.fate.skipped();
            let goes_on =
                stamp.lost == 0 && std::mem::replace(&mut self.skipped, skipped) == skipped;
            let is_whole = goes_on && self.steered.take(&self.planes, stamp.at);
            if !is_whole {
                io.gap(Gap::Source);
                account.gaps += 1;
                account.lost_s += stamp.lost as f64 / self.card_hz;
                self.steered.reset();
                let begins = self.steered.take(&self.planes, stamp.at);
                debug_assert!(begins, "whoever begins anew is nowhere yet");
            }
            account.slow_ppm = self.steered.slow_ppm().or(account.slow_ppm);
            while self.steered.ready() >= self.frame_len {
                let time = self.steered.time().expect("samples were taken");
                let mut buffer = Buffer::signal(self.channels, self.frame_len);
                self.steered.make(buffer.floats_mut().expect("a fresh buffer has one holder"));
                if time < account.reached {
                    // It was stamped before something that was sent already.
                    io.gap(Gap::Source);
                    continue;
                }
                account.reached = time.plus_nanos(self.span_ns - i64::from(UNCERTAINTY_NS));
                io.send(0, time, UNCERTAINTY_NS, buffer);
            }
        }
    }
}

/// By how much stamps are late at most, mostly: a callback's wait for its thread.
const UNCERTAINTY_NS: u32 = 2_000_000;
