//! [`Format`]: what the frames of an edge contain, agreed before anything starts.

mod describe;

use std::{fmt, sync::Arc};

use crate::time::Rate;

pub use describe::{describe, differences, parse_format};

/// What flows along an edge; constant while a graph runs. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Samples of one or more channels at a constant rate, planar `f32`.
    Signal(Arc<SignalFormat>),
    /// Pictures.
    Image(Arc<ImageFormat>),
    /// Arrays of numbers, such as a model takes and gives.
    Tensor(Arc<TensorFormat>),
    /// Things that happen, one per frame, with named fields.
    Event(Arc<EventFormat>),
}

/// The format of a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalFormat {
    /// The channels, in the order of their planes.
    pub channels: Vec<Channel>,
    /// Samples per second of each channel.
    pub rate: Rate,
    /// Most samples per channel in one frame.
    pub frame_len: usize,
}

/// One of the parallel signals in a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// As the source calls it: `MLII`, `Fz`, `left`.
    pub name: String,
    /// The unit of its samples.
    pub unit: Unit,
}

/// The format of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFormat {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Layout of one pixel.
    pub pixel: Pixel,
    /// Pictures per second.
    pub rate: Rate,
}

/// Layout of one pixel, rows without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixel {
    /// One byte of brightness.
    Gray8,
    /// Red, green, blue; a byte each.
    Rgb8,
}

/// The format of arrays of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFormat {
    /// Type of one number.
    pub element: Element,
    /// Dimensions, outermost first.
    pub shape: Vec<Dimension>,
}

/// Type of one number of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 64-bit integer.
    I64,
    /// Byte.
    U8,
}

/// One dimension of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Always this long.
    Fixed(usize),
    /// Differs from frame to frame, up to a maximum.
    Open {
        /// Largest length.
        max: usize,
    },
}

/// The format of events: their fields, in the order they are printed.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFormat {
    /// At most 64 fields; any of them may be absent in an event.
    pub fields: Vec<Field>,
    /// Most events per second to expect; sizes rings, is not enforced.
    pub rate_max: f64,
}

/// One field of an event; its name is the key in JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name with its unit at the end, as in `rr_ms`.
    pub name: &'static str,
    /// Type, with a maximum for those that vary in length.
    pub kind: FieldKind,
}

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// True or false.
    Bool,
    /// 64-bit integer.
    I64,
    /// 64-bit float.
    F64,
    /// UTF-8 of at most `max` bytes; longer text is cut at a character.
    Text {
        /// Most bytes.
        max: usize,
    },
    /// At most `max` bytes.
    Bytes {
        /// Most bytes.
        max: usize,
    },
    /// At most `max` samples.
    Floats {
        /// Most samples.
        max: usize,
    },
}

impl Field {
    /// A number.
    pub const fn f64(name: &'static str) -> Self {
        Self { name, kind: FieldKind::F64 }
    }

    /// A whole number.
    pub const fn i64(name: &'static str) -> Self {
        Self { name, kind: FieldKind::I64 }
    }

    /// True or false.
    pub const fn bool(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Bool }
    }

    /// Text of at most `max` bytes.
    pub const fn text(name: &'static str, max: usize) -> Self {
        Self { name, kind: FieldKind::Text { max } }
    }
}

impl Format {
    /// A signal whose channels all have one unit; unnamed channels are `0`, `1`, ….
    pub fn signal(channels: usize, unit: Unit, rate: Rate, frame_len: usize) -> Self {
        let channels = (0..channels).map(|n| Channel { name: n.to_string(), unit }).collect();
        Self::Signal(Arc::new(SignalFormat { channels, rate, frame_len }))
    }

    /// Events with these fields, at most `rate_max` of them per second.
    pub fn event(fields: Vec<Field>, rate_max: f64) -> Self {
        debug_assert!(fields.len() <= 64, "the presence mask has 64 bits");
        Self::Event(Arc::new(EventFormat { fields, rate_max }))
    }

    /// The signal format, if it is one.
    pub fn as_signal(&self) -> Option<&SignalFormat> {
        if let Self::Signal(signal) = self { Some(signal) } else { None }
    }

    /// The event format, if it is one.
    pub fn as_event(&self) -> Option<&EventFormat> {
        if let Self::Event(event) = self { Some(event) } else { None }
    }

    /// Samples (or pictures) per second, where there is such a thing.
    pub fn rate(&self) -> Option<Rate> {
        match self {
            Self::Signal(signal) => Some(signal.rate),
            Self::Image(image) => Some(image.rate),
            Self::Tensor(_) | Self::Event(_) => None,
        }
    }

    /// Frames per second to expect at most; events by their declared maximum.
    pub fn frames_per_second(&self) -> f64 {
        match self {
            Self::Signal(signal) => signal.rate.hz() / signal.frame_len.max(1) as f64,
            Self::Image(image) => image.rate.hz(),
            Self::Tensor(_) => 100.0,
            Self::Event(event) => event.rate_max,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => {
                write!(f, "{} ch", signal.channels.len())?;
                let mut units = signal.channels.iter().map(|channel| channel.unit);
                let first = units.next().unwrap_or(Unit::UNKNOWN);
                if first != Unit::UNKNOWN && units.all(|unit| unit == first) {
                    write!(f, " {first}")?;
                }
                write!(f, " @ {} Hz × {}", signal.rate, signal.frame_len)
            }
            Self::Image(image) => {
                write!(f, "{}×{} {:?} @ {} Hz", image.width, image.height, image.pixel, image.rate)
            }
            Self::Tensor(tensor) => {
                write!(f, "{:?}[", tensor.element)?;
                for (n, dimension) in tensor.shape.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    match dimension {
                        Dimension::Fixed(len) => write!(f, "{comma}{len}")?,
                        Dimension::Open { max } => write!(f, "{comma}≤{max}")?,
                    }
                }
                f.write_str("]")
            }
            Self::Event(event) => {
                f.write_str("events {")?;
                for (n, field) in event.fields.iter().enumerate() {
                    write!(f, "{}{}", if n == 0 { "" } else { ", " }, field.name)?;
                }
                f.write_str("}")
            }
        }
    }
}

/// The unit of a channel: one of a small table, or unknown, which agrees with any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(&'static str);

/// Name, what it measures, and how many of that dimension's base unit it is.
const UNITS: &[(&str, &str, f64)] = &[
    ("V", "voltage", 1.0),
    ("mV", "voltage", 1e-3),
    ("uV", "voltage", 1e-6),
    ("m/s2", "acceleration", 1.0),
    ("g", "acceleration", 9.806_65),
    ("deg/s", "angular rate", std::f64::consts::PI / 180.0),
    ("rad/s", "angular rate", 1.0),
    ("uT", "magnetic field", 1e-6),
    ("uS", "conductance", 1e-6),
    ("S", "conductance", 1.0),
    ("degC", "temperature", 1.0),
    ("Pa", "pressure", 1.0),
    ("mmHg", "pressure", 133.322_387_415),
    ("Hz", "frequency", 1.0),
    ("bpm", "frequency", 1.0 / 60.0),
    ("s", "time", 1.0),
    ("ms", "time", 1e-3),
    ("%", "share", 1e-2),
    ("1", "share", 1.0),
];

impl Unit {
    /// Agrees with every unit.
    pub const UNKNOWN: Self = Self("");
    /// Millivolt.
    pub const MILLIVOLT: Self = Self("mV");

    /// The unit called `name`; the usual spellings (`µV`, `m/s²`, `°/s`) are
    /// understood, anything else is unknown.
    pub fn named(name: &str) -> Self {
        let name = match name.trim() {
            "µV" | "μV" | "microvolt" => "uV",
            "mv" | "millivolt" | "millivolts" => "mV",
            "v" | "volt" | "volts" => "V",
            "µS" | "μS" => "uS",
            "µT" | "μT" => "uT",
            "m/s²" | "m/s^2" => "m/s2",
            "°/s" | "dps" => "deg/s",
            "°C" | "C" => "degC",
            other => other,
        };
        UNITS.iter().find(|unit| unit.0 == name).map_or(Self::UNKNOWN, |unit| Self(unit.0))
    }

    /// The name; empty for an unknown unit.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// How many `other` one of this is, if both measure the same.
    pub fn factor_to(self, other: Self) -> Option<f64> {
        let find = |unit: Self| UNITS.iter().find(|row| row.0 == unit.0);
        let (from, to) = (find(self)?, find(other)?);
        (from.1 == to.1).then(|| from.2 / to.2)
    }

    /// Whether samples in the two units may meet.
    pub fn agrees_with(self, other: Self) -> bool {
        self == Self::UNKNOWN || other == Self::UNKNOWN || self == other
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "?" } else { self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert_within_what_they_measure() {
        let factor = Unit::named("mV").factor_to(Unit::named("µV")).expect("both are voltages");
        // One division of two rounded constants: a few units in the last place.
        assert!((factor - 1_000.0).abs() < 1e-9);
        assert_eq!(Unit::named("mV").factor_to(Unit::named("Hz")), None);
    }

    #[test]
    fn an_unknown_unit_agrees_with_any() {
        assert!(Unit::named("furlong").agrees_with(Unit::MILLIVOLT));
        assert!(!Unit::named("uV").agrees_with(Unit::MILLIVOLT));
    }
}
