//! Whether what arrives is what was expected. Judged while it arrives: a test of any length keeps
//! no more than its verdict needs.

use engine::{
    At, Check, EventFormat, EventReader, FieldValue, Format, Frame, SignalFormat, Timestamp, Value,
    Wanted,
};

/// One expectation and what has come for it so far.
pub(crate) struct Judge {
    check: Check,
    format: Format,
    frames: u64,
    /// One per channel of a signal; one for the field of an event.
    channels: Vec<Values>,
}

impl Judge {
    /// Nothing has come yet.
    pub(crate) fn new(check: &Check, format: &Format) -> Self {
        let channels = match (check, format) {
            (Check::Sample(..), Format::Signal(signal)) => signal.channels.len(),
            (Check::Field(..), _) => 1,
            _ => 0,
        };
        let channels = vec![Values::default(); channels];
        Self { check: check.clone(), format: format.clone(), frames: 0, channels }
    }

    /// Takes one frame.
    pub(crate) fn take(&mut self, frame: &Frame) {
        self.frames += 1;
        match (&self.check, &self.format) {
            (Check::Field(field, at, wanted), Format::Event(event)) => {
                // Events without the field are passed over: a first beat has no interval.
                if let Some(got) = field_value(event, frame, &field.value) {
                    self.channels[0].take(*at, wanted, frame.header.time, got);
                }
            }
            (Check::Sample(at, wanted), Format::Signal(signal)) => {
                for (channel, values) in self.channels.iter_mut().enumerate() {
                    for (n, sample) in frame.channel(channel).iter().enumerate() {
                        let time = frame.header.time.plus_nanos(signal.rate.span_ns(n as i64));
                        values.take(*at, wanted, time, Got::Sample(*sample));
                    }
                }
            }
            _ => {}
        }
    }

    /// Says what was wanted and what came from `from`, if they differ.
    pub(crate) fn verdict(&self, from: &str) -> Result<(), String> {
        match &self.check {
            Check::Count { min, max } => {
                let noun = if self.format.as_event().is_some() { "event" } else { "frame" };
                count(from, self.frames, noun, *min, *max)
            }
            Check::Field(field, at, wanted) => {
                let name = |the: &str, n| {
                    let one = one(*at, n, "event");
                    format!("`{}` of {the}{one} of `{from}`", field.value)
                };
                self.channels[0].verdict(name, "", *at, wanted, None)
            }
            Check::Sample(at, wanted) => {
                let name = |the: &str, n| format!("{the}{} of `{from}`", one(*at, n, "sample"));
                let signal = self.format.as_signal().expect("the planner made sure");
                let each = self.channels.iter().zip(signal.channels.iter());
                each.map(|(values, channel)| match self.channels.len() {
                    1 => (values, String::new()),
                    _ => (values, format!(" (channel `{}`)", channel.name)),
                })
                .try_for_each(|(values, of)| values.verdict(name, &of, *at, wanted, Some(signal)))
            }
        }
    }
}

fn count(
    from: &str,
    got: u64,
    noun: &str,
    min: Option<u64>,
    max: Option<u64>,
) -> Result<(), String> {
    if min.is_none_or(|min| got >= min) && max.is_none_or(|max| got <= max) {
        return Ok(());
    }
    let wanted = match (min, max) {
        (Some(min), Some(max)) if min == max => format!("{min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or_default()),
    };
    let s = if got == 1 { "" } else { "s" };
    Err(format!("`{from}` gave {got} {noun}{s}, not {wanted}"))
}

/// The values of one channel or field.
#[derive(Clone, Default)]
struct Values {
    came: u64,
    wrong: u64,
    /// The one that was asked for; where all were, the first wrong one.
    chosen: Option<Timed>,
}

/// A value, its number and its moment.
#[derive(Clone)]
struct Timed {
    number: u64,
    time: Timestamp,
    got: Got,
}

/// A value that came.
#[derive(Clone, Debug)]
enum Got {
    Bool(bool),
    Number(f64),
    /// Compared in the precision it has.
    Sample(f32),
    Text(String),
    /// Bytes or lists, which no expectation can name.
    Other,
}

impl Values {
    fn take(&mut self, at: At, wanted: &Wanted, time: Timestamp, got: Got) {
        let number = self.came;
        self.came += 1;
        let is_chosen = match at {
            At::Every => {
                let is_wrong = !fits(&got, wanted);
                self.wrong += u64::from(is_wrong);
                is_wrong && self.chosen.is_none()
            }
            At::First => number == 0,
            At::Last => true,
            At::Index(index) => number == index,
            At::Time(t_s) => {
                let asked = Timestamp::from_secs_f64(t_s);
                let off = |time: Timestamp| time.since(asked).unsigned_abs();
                self.chosen.as_ref().is_none_or(|nearest| off(time) < off(nearest.time))
            }
        };
        if is_chosen {
            self.chosen = Some(Timed { number, time, got });
        }
    }

    /// `name` says what a value of this number is called behind this article, `of` which channel
    /// it is from.
    fn verdict(
        &self,
        name: impl Fn(&str, u64) -> String,
        of: &str,
        at: At,
        wanted: &Wanted,
        signal: Option<&SignalFormat>,
    ) -> Result<(), String> {
        let absent = |n| Err(format!("there is no {}{of}; {} came", name("", n), self.came));
        let Some(Timed { number, time, got }) = &self.chosen else {
            return match at {
                At::Every if self.came > 0 => Ok(()),
                At::Index(index) => absent(index),
                _ => absent(0),
            };
        };
        let time_s = time.secs_f64();
        let the = if matches!(at, At::Every | At::Index(_)) { "" } else { "the " };
        let name = name(the, *number);
        if let (At::Time(t_s), Some(signal)) = (at, signal) {
            let off = time.since(Timestamp::from_secs_f64(t_s)).unsigned_abs();
            if off > signal.rate.span_ns(1).unsigned_abs() {
                return Err(format!("{name}{of} is at {time_s:?} s, more than a period away"));
            }
        }
        if fits(got, wanted) {
            return Ok(());
        }
        let others = match self.wrong {
            0 | 1 => String::new(),
            wrong => format!("; {wrong} of {} are wrong", self.came),
        };
        let (got, wanted) = (show(got), show_wanted(wanted));
        Err(format!("{name}{of}, at {time_s:?} s, is {got}, not {wanted}{others}"))
    }
}

fn field_value(format: &EventFormat, frame: &Frame, name: &str) -> Option<Got> {
    let Some(number) = format.fields.iter().position(|field| field.name == name) else {
        // The only name that is no field, as the planner made sure.
        return Some(Got::Number(frame.header.time.secs_f64()));
    };
    Some(match EventReader::new(format, frame).field(number)? {
        FieldValue::Bool(yes) => Got::Bool(yes),
        FieldValue::I64(number) => Got::Number(number as f64),
        FieldValue::F64(number) => Got::Number(number),
        FieldValue::Text(text) => Got::Text(text.to_owned()),
        FieldValue::Bytes(_) | FieldValue::Floats(_) => Got::Other,
    })
}

/// How one of many is called.
fn one(at: At, number: u64, noun: &str) -> String {
    match at {
        At::Every | At::Index(_) => format!("{noun} {number}"),
        At::First => format!("first {noun}"),
        At::Last => format!("last {noun}"),
        At::Time(t_s) => format!("{noun} nearest to {t_s:?} s"),
    }
}

fn fits(got: &Got, wanted: &Wanted) -> bool {
    let number = match got {
        Got::Number(number) => Some(*number),
        Got::Sample(sample) => Some(f64::from(*sample)),
        _ => None,
    };
    match wanted {
        Wanted::Between { min, max } => number.is_some_and(|x| {
            min.is_none_or(|min| x >= min) && max.is_none_or(|max| x <= max) && !x.is_nan()
        }),
        Wanted::Near { value, within } => number.is_some_and(|x| (x - value).abs() <= *within),
        Wanted::Is(value) => match (got, value) {
            (Got::Bool(got), Value::Bool(wanted)) => got == wanted,
            (Got::Text(got), Value::Text(wanted)) => got == wanted,
            (Got::Sample(got), value) => value.as_number().is_some_and(|wanted| {
                let wanted = wanted as f32;
                *got == wanted || (got.is_nan() && wanted.is_nan())
            }),
            (Got::Number(got), value) => value
                .as_number()
                .is_some_and(|wanted| *got == wanted || (got.is_nan() && wanted.is_nan())),
            _ => false,
        },
    }
}

fn show(got: &Got) -> String {
    match got {
        Got::Bool(yes) => yes.to_string(),
        Got::Number(number) => format!("{number:?}"),
        Got::Sample(sample) => format!("{sample:?}"),
        Got::Text(text) => format!("{text:?}"),
        Got::Other => "a list".to_owned(),
    }
}

fn show_wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Between { min: Some(min), max: Some(max) } => format!("{min:?} to {max:?}"),
        Wanted::Between { min: Some(min), max: None } => format!("at least {min:?}"),
        Wanted::Between { min: None, max } => format!("at most {:?}", max.unwrap_or_default()),
        Wanted::Is(value) => value.to_string(),
        Wanted::Near { value, within } => format!("{value:?} ± {within:?}"),
    }
}
