//! What a machine has of sound cards: [`Cards`], which a graph's host may bring along, and what is asked of them.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use engine::{Service, Services, Timestamp};

use super::{ear::Ear, mouth::Mouth};

/// Which way sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a microphone.
    In,
    /// To a loudspeaker.
    Out,
}

/// How a card counts loudness; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Numbers from −1 to 1.
    F32,
    /// Whole numbers of 32 bits.
    I32,
    /// Whole numbers of 16 bits.
    I16,
    /// The same, silence being 32 768.
    U16,
}

/// One thing that a card can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Channels.
    pub channels: u16,
    /// The lowest rate, in samples per second.
    pub min_hz: u32,
    /// The highest.
    pub max_hz: u32,
    /// How it counts.
    pub encoding: Encoding,
}

/// A microphone or a loudspeaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What `device` in a graph names.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// Whether it is the one meant by `device = "default"`.
    pub is_default: bool,
    /// What it can do; empty if it does not tell, as when somebody else has it.
    pub offers: Vec<Offer>,
}

/// How a card is to be opened: one of its offers at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Channels.
    pub channels: u16,
    /// Samples per second.
    pub rate_hz: u32,
    /// How it counts.
    pub encoding: Encoding,
}

/// What went wrong with a device, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What, as a sentence without its end.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// An open device; closes when dropped.
pub trait Stream {}

/// What moment of the session it is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Every sound card of a machine. A host that reaches them by other means brings its own, as
/// [`as_service`].
pub trait Cards: Send + Sync + 'static {
    /// All devices of one direction.
    ///
    /// # Errors
    /// If the system of cards itself cannot be reached.
    fn devices(&self, way: Way) -> Result<Vec<Device>, Trouble>;

    /// The device of this name, or the one meant by `default`.
    ///
    /// # Errors
    /// If it is not there; the remedy names those that are.
    fn device(&self, way: Way, name: &str) -> Result<Device, Trouble> {
        let devices = self.devices(way)?;
        let is_meant = |device: &&Device| {
            if name == DEFAULT { device.is_default } else { device.name == name }
        };
        devices.iter().find(is_meant).cloned().ok_or_else(|| absent(way, name, &devices))
    }

    /// Opens a device to be heard: what it calls is [`Ear::callback`], or as little. How the stream ends it
    /// tells the `fate`.
    ///
    /// # Errors
    /// If it cannot be opened so.
    fn hear(
        &self,
        name: &str,
        setup: Setup,
        ear: Ear,
        now: Now,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble>;

    /// Opens a device to be spoken through: what it calls is [`Mouth::callback`], or as little.
    ///
    /// # Errors
    /// If it cannot be opened so.
    fn speak(
        &self,
        name: &str,
        setup: Setup,
        mouth: Mouth,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble>;
}

/// The device that the system would take.
pub const DEFAULT: &str = "default";

/// How a stream fares: told by the card's threads, asked by ours. Cheap to clone.
#[derive(Clone, Default)]
pub struct Fate(Arc<Told>);

#[derive(Default)]
struct Told {
    is_over: AtomicBool,
    why: Mutex<String>,
    skips: AtomicU64,
    /// One of the three below.
    urgency: AtomicU8,
}

const NOT_TOLD: u8 = 0;
const DENIED: u8 = 1;
const GRANTED: u8 = 2;

impl Fate {
    /// Nothing more will come of the stream. The first reason stays.
    pub fn ends(&self, why: impl Into<String>) {
        let mut told = self.0.why.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.0.is_over.load(Ordering::Relaxed) {
            *told = why.into();
        }
        // Pairs with the Acquire in `over`: who sees the end finds the reason.
        self.0.is_over.store(true, Ordering::Release);
    }

    /// The card's own buffer ran over or dry, and the stream goes on.
    pub fn skips(&self) {
        // A count, behind which nothing stands.
        self.0.skips.fetch_add(1, Ordering::Relaxed);
    }

    /// Real-time priority was asked for the thread that calls back; this is the answer.
    pub fn urgent(&self, is_granted: bool) {
        // As for a count.
        self.0.urgency.store(if is_granted { GRANTED } else { DENIED }, Ordering::Relaxed);
    }

    /// Whether the thread that calls back has real-time priority, if that was asked for.
    pub fn is_urgent(&self) -> Option<bool> {
        match self.0.urgency.load(Ordering::Relaxed) {
            NOT_TOLD => None,
            urgency => Some(urgency == GRANTED),
        }
    }

    /// Why the stream is over, if it is.
    pub fn over(&self) -> Option<String> {
        let why = || self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.is_over.load(Ordering::Acquire).then(why)
    }

    /// How often the card's own buffer ran over or dry.
    pub fn skipped(&self) -> u64 {
        self.0.skips.load(Ordering::Relaxed)
    }
}

/// A set of cards as a service of a graph's host.
struct Brought(Arc<dyn Cards>);

const SERVICE: &str = "sound cards";

impl Service for Brought {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// These cards, as [`Services::new`] takes them.
pub fn as_service(cards: Arc<dyn Cards>) -> (String, Arc<dyn Service>) {
    (SERVICE.to_owned(), Arc::new(Brought(cards)))
}

/// The cards that the host of a graph brought along, else those of the machine.
///
/// # Errors
/// If the program was built to reach none.
pub(in crate::audio) fn of_host(services: &Services) -> Result<Arc<dyn Cards>, Trouble> {
    match services.find::<Brought>(SERVICE) {
        Some(brought) => Ok(brought.0.clone()),
        None => of_machine(),
    }
}

/// How a device was opened, for a person: `default at 48000 Hz, with real-time priority`.
pub(in crate::audio) fn opened_as(name: &str, setup: Setup, fate: &Fate) -> String {
    let urgency = match fate.is_urgent() {
        None => "",
        Some(true) => ", with real-time priority",
        Some(false) => ", without real-time priority, which this user may not have",
    };
    format!("{name} at {} Hz{urgency}", setup.rate_hz)
}

/// The cards of this machine.
///
/// # Errors
/// If the program was built to reach none.
pub fn of_machine() -> Result<Arc<dyn Cards>, Trouble> {
    #[cfg(feature = "microphone")]
    return Ok(Arc::new(super::card::SystemCards));
    #[cfg(not(feature = "microphone"))]
    Err(Trouble {
        what: "this program was built without sound cards".to_owned(),
        remedy: "build it with `cargo build --release --features microphone`, which on Linux needs pkg-config and the headers of ALSA \
                 (apt-get install pkg-config libasound2-dev); without a card, device = \"null\" is silent and \
                 \"loopback\" joins a `speaker` and a `microphone`"
            .to_owned(),
    })
}

/// That a device is not there.
pub(super) fn absent(way: Way, name: &str, devices: &[Device]) -> Trouble {
    let what = match way {
        Way::In => "microphone",
        Way::Out => "loudspeaker",
    };
    if devices.is_empty() {
        let named = match name {
            DEFAULT => String::new(),
            name => format!(", nor one called `{name}`"),
        };
        return Trouble {
            what: format!("this machine has no {what}{named}"),
            remedy: "plug one in, and see `afferent devices`; on Linux the user must be in the group `audio`; \"null\" and \"loopback\" are \
                     there always"
                .to_owned(),
        };
    }
    const NAMES: usize = 8;
    let mut names: Vec<_> =
        devices.iter().take(NAMES).map(|device| format!("\"{}\"", device.name)).collect();
    if devices.len() > NAMES {
        names.push(format!("{} more", devices.len() - NAMES));
    }
    let message = match name {
        DEFAULT => format!("no {what} of this machine is the default"),
        name => format!("there is no {what} `{name}`"),
    };
    Trouble { what: message, remedy: format!("name {}; see `afferent devices`", listed(&names)) }
}

impl Device {
    /// How to open it for so many samples per second of so many channels. Any rate will do, as samples are
    /// resampled: the same if it is offered, else the nearest above, else the highest. Of channels it may have more.
    ///
    /// # Errors
    /// If it has fewer channels; the remedy says what it offers.
    pub fn setup(&self, rate_hz: f64, channels: usize) -> Result<Setup, Trouble> {
        let wanted = (rate_hz.round() as u32).max(1);
        let near = |offer: &Offer| wanted.clamp(offer.min_hz, offer.max_hz.max(offer.min_hz));
        let fit = |offer: &&Offer| {
            let hz = near(offer);
            // What is below the rate lacks what is high; what is above it costs work.
            (wanted.saturating_sub(hz), offer.channels, hz.abs_diff(wanted), offer.encoding)
        };
        let wide = |offer: &&Offer| {
            usize::from(offer.channels) >= channels && SOUND_HZ.contains(&near(offer))
        };
        let best = self.offers.iter().filter(wide).min_by_key(fit);
        let setup = |offer: &Offer| {
            let Offer { channels, encoding, .. } = *offer;
            Setup { channels, rate_hz: near(offer), encoding }
        };
        best.map(setup).ok_or_else(|| {
            if self.offers.is_empty() {
                return Trouble {
                    what: format!("`{}` does not say what it can do", self.name),
                    remedy: "somebody else may have it; close what uses it, or name another: `afferent devices`"
                        .to_owned(),
                };
            }
            Trouble {
                what: format!("`{}` has no {channels} channels", self.name),
                remedy: format!("it offers {}", self.offered()),
            }
        })
    }

    /// What it can do, for a person: `1 or 2 channels at 44100 to 48000 Hz`.
    pub fn offered(&self) -> String {
        let mut channels: Vec<_> = self.offers.iter().map(|offer| offer.channels).collect();
        channels.sort_unstable();
        channels.dedup();
        let channels: Vec<_> = match channels[..] {
            [] => return "nothing that it tells of".to_owned(),
            [first, .., last] if channels.len() > 3 => vec![format!("{first} to {last}")],
            _ => channels.iter().map(u16::to_string).collect(),
        };
        let mut rates: Vec<_> =
            self.offers.iter().map(|offer| (offer.min_hz, offer.max_hz)).collect();
        rates.sort_unstable();
        rates.dedup();
        let range = |&(min_hz, max_hz): &(u32, u32)| {
            if min_hz == max_hz { min_hz.to_string() } else { format!("{min_hz} to {max_hz}") }
        };
        let rates: Vec<_> = rates.iter().map(range).collect();
        let plural = if channels == ["1"] { "channel" } else { "channels" };
        format!("{} {plural} at {} Hz", listed(&channels), listed(&rates))
    }
}

/// Samples per second that are resampled.
pub(super) const SOUND_HZ: std::ops::RangeInclusive<u32> = 4_000..=768_000;

/// `a, b or c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(offers: &[(u16, u32, u32, Encoding)]) -> Device {
        let offer =
            |&(channels, min_hz, max_hz, encoding)| Offer { channels, min_hz, max_hz, encoding };
        Device {
            name: "hw:CARD=Lab,DEV=0".to_owned(),
            title: "Lab".to_owned(),
            is_default: false,
            offers: offers.iter().map(offer).collect(),
        }
    }

    #[test]
    fn a_card_is_opened_as_what_is_wanted_costs_least() {
        use Encoding::{F32, I16, I32};
        let lab = device(&[
            (1, 44_100, 44_100, I16),
            (2, 8_000, 48_000, I16),
            (2, 8_000, 48_000, F32),
            (8, 48_000, 192_000, I32),
        ]);
        let setup = |rate_hz, channels| {
            let setup = lab.setup(rate_hz, channels).expect("offered");
            (setup.channels, setup.rate_hz, setup.encoding)
        };
        assert_eq!(setup(44_100.0, 1), (1, 44_100, I16));
        assert_eq!(setup(16_000.0, 1), (1, 44_100, I16), "one channel above the rate is enough");
        assert_eq!(setup(48_000.0, 1), (2, 48_000, F32), "44 100 would lack what is high");
        assert_eq!(setup(22_050.5, 2), (2, 22_051, F32));
        assert_eq!(setup(96_000.0, 2), (8, 96_000, I32));
        assert_eq!(setup(500_000.0, 2), (8, 192_000, I32), "none is high enough");
        let trouble = lab.setup(48_000.0, 9).expect_err("it has eight");
        assert_eq!(
            trouble.to_string(),
            "`hw:CARD=Lab,DEV=0` has no 9 channels: it offers 1, 2 or 8 channels at 8000 to 48000, 44100 or \
             48000 to 192000 Hz"
        );
        assert!(device(&[]).setup(48_000.0, 1).expect_err("nothing").what.contains("does not say"));
    }

    #[test]
    fn who_is_absent_is_told_with_who_is_there() {
        let lab = device(&[]);
        let trouble = absent(Way::In, "hw:7", std::slice::from_ref(&lab));
        assert_eq!(
            trouble.to_string(),
            "there is no microphone `hw:7`: name \"hw:CARD=Lab,DEV=0\"; see `afferent devices`"
        );
        assert!(absent(Way::Out, DEFAULT, &[]).what.contains("no loudspeaker"));
        let many = absent(Way::In, "hw:7", &vec![lab; 20]);
        assert!(many.remedy.contains("12 more"), "{many}");
    }

    #[test]
    fn the_first_reason_stays() {
        let fate = Fate::default();
        assert_eq!(fate.over(), None);
        fate.skips();
        fate.clone().ends("unplugged");
        fate.ends("closed");
        assert_eq!((fate.over().as_deref(), fate.skipped()), (Some("unplugged"), 1));
    }

    #[test]
    fn whether_a_thread_may_hurry_is_told_where_it_was_asked_for() {
        let (fate, setup) = (Fate::default(), device(&[(1, 8_000, 8_000, Encoding::F32)]));
        let setup = setup.setup(8_000.0, 1).expect("offered");
        assert_eq!(opened_as("lab", setup, &fate), "lab at 8000 Hz");
        fate.urgent(true);
        assert!(opened_as("lab", setup, &fate).ends_with(", with real-time priority"));
        fate.clone().urgent(false);
        assert!(opened_as("lab", setup, &fate).contains(", without real-time priority, "));
    }
}
