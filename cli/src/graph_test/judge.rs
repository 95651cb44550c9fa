//! Whether what arrived is what was expected.

use engine::{
    At, Check, EventFormat, EventReader, Expectation, FieldValue, Format, SignalFormat, Timestamp,
    Value, Wanted,
};

use super::collect::{Collected, Kept};

/// Says what was wanted and what came, if they differ.
pub(crate) fn judge(expectation: &Expectation, collected: &Collected) -> Result<(), String> {
    let from = expectation.from.value.to_string();
    collected.look(|kept| match (&expectation.check.value, &kept.format) {
        (Check::Count { min, max }, format) => {
            let noun = if matches!(format, Some(Format::Event(_))) { "events" } else { "frames" };
            count(&from, kept.frames.len() as u64, noun, *min, *max)
        }
        (Check::Field(field, at, wanted), Some(Format::Event(event))) => {
            let values = fields(kept, event, &field.value);
            let name = |n| format!("`{}` of {} of `{from}`", field.value, one(*at, n, "event"));
            judge_values(name, &[("", values)], *at, wanted)
        }
        (Check::Sample(at, wanted), Some(Format::Signal(signal))) => {
            let channels: Vec<_> = (0..signal.channels.len())
                .map(|n| (signal.channels[n].name.as_str(), samples(kept, signal, n)))
                .collect();
            let name = |n| format!("{} of `{from}`", one(*at, n, "sample"));
            judge_values(name, &channels, *at, wanted)
        }
        _ => Err(format!("nothing came from `{from}`")),
    })
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
    Err(format!("`{from}` gave {got} {noun}, not {wanted}"))
}

/// A value and its moment.
type Timed = (Timestamp, Got);

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

/// The values of one field. Events without it are passed over: a first beat has no interval.
fn fields(kept: &Kept, format: &EventFormat, name: &str) -> Vec<Timed> {
    let number = format.fields.iter().position(|field| field.name == name);
    let values = kept.frames.iter().map(|frame| {
        let time = frame.header.time;
        let Some(number) = number else {
            // The only name that is no field, as the planner made sure.
            return Some((time, Got::Number(time.secs_f64())));
        };
        let value = match EventReader::new(format, frame).field(number)? {
            FieldValue::Bool(yes) => Got::Bool(yes),
            FieldValue::I64(number) => Got::Number(number as f64),
            FieldValue::F64(number) => Got::Number(number),
            FieldValue::Text(text) => Got::Text(text.to_owned()),
            FieldValue::Bytes(_) | FieldValue::Floats(_) => Got::Other,
        };
        Some((time, value))
    });
    values.flatten().collect()
}

fn samples(kept: &Kept, format: &SignalFormat, channel: usize) -> Vec<Timed> {
    let mut samples = Vec::new();
    for frame in &kept.frames {
        for (n, sample) in frame.channel(channel).iter().enumerate() {
            let time = frame.header.time.plus_nanos(format.rate.span_ns(n as i64));
            samples.push((time, Got::Sample(*sample)));
        }
    }
    samples
}

/// How one of many is called.
fn one(at: At, number: usize, noun: &str) -> String {
    match at {
        At::Every | At::Index(_) => format!("{noun} {number}"),
        At::First => format!("the first {noun}"),
        At::Last => format!("the last {noun}"),
        At::Time(t_s) => format!("the {noun} nearest to {t_s:?} s"),
    }
}

/// Every channel must fit. `name` says what one of its values is called.
fn judge_values(
    name: impl Fn(usize) -> String,
    channels: &[(&str, Vec<Timed>)],
    at: At,
    wanted: &Wanted,
) -> Result<(), String> {
    for (channel, values) in channels {
        let of = match channels.len() {
            1 => String::new(),
            _ => format!(" (channel `{channel}`)"),
        };
        let chosen = match at {
            At::Every => 0..values.len(),
            At::First => 0..1,
            At::Last => values.len().saturating_sub(1)..values.len(),
            At::Index(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX - 1);
                index..index.saturating_add(1)
            }
            At::Time(t_s) => nearest_in_time(values, t_s).map_or(0..0, |n| n..n + 1),
        };
        let Some(there) = values.get(chosen.clone()).filter(|there| !there.is_empty()) else {
            let came = values.len();
            return Err(format!("there is no {}{of}; {came} came", name(chosen.start)));
        };
        let mut wrong = there.iter().enumerate().filter(|(_, (_, got))| !fits(got, wanted));
        let Some((n, (time, got))) = wrong.next() else { continue };
        let others = match wrong.count() {
            0 => String::new(),
            others => format!("; {} of {} are wrong", others + 1, there.len()),
        };
        return Err(format!(
            "{}{of}, at {:?} s, is {}, not {}{others}",
            name(chosen.start + n),
            time.secs_f64(),
            show(got),
            show_wanted(wanted)
        ));
    }
    Ok(())
}

fn nearest_in_time(values: &[Timed], t_s: f64) -> Option<usize> {
    let asked = Timestamp::from_secs_f64(t_s);
    let off = |n: &usize| values[*n].0.since(asked).unsigned_abs();
    (0..values.len()).min_by_key(off)
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
