//! `downmix`: one channel of many.
//!
//! ```text
//! y[n] = (x₁[n] + … + x_C[n]) / C
//! ```
//!
//! | port  | carries                       |
//! |-------|-------------------------------|
//! | `in`  | a signal of any channels      |
//! | `out` | their mean, one channel       |
//!
//! To pick one channel instead, write it behind the name: `from = "audio[left]"`. **Delay**: none.
//! **NaN**: the mean of the others; NaN where all are. **Cost**: about 1 ns a sample and channel.

use engine::{
    Body, Channel, Code, Fault, Format, Io, Kind, Operator, Outline, Port, SignalFormat, Unit,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "downmix",
    summary: "One channel of many: their mean.",
    doc: "y[n] is the mean of the channels' x[n], as one channel called mono; a signal of one channel passes \
          as it is. Channels that are not finite at n are left out of the mean; where all are, y is NaN. \
          To pick one channel, write `from = \"x[left]\"` instead. Delay: none. Cost: about 1 ns a \
          sample and channel.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    plan: |node| {
        let signal = node.signal("in");
        let mut units = signal.channels.iter().map(|channel| channel.unit);
        let first = units.next().unwrap_or(Unit::UNKNOWN);
        if let Some(other) = units.find(|unit| !unit.agrees_with(first)) {
            let message = format!("channels in {first} and {other} have no common mean");
            let problem = node.problem(Code::UnitMismatch, "from", message);
            return Err(problem
                .hint("pick the channels that belong together: `x[left, right]`")
                .into());
        }
        let unit = if signal.channels.iter().all(|channel| channel.unit == first) {
            first
        } else {
            Unit::UNKNOWN
        };
        let channels = vec![Channel { name: "mono".to_owned(), unit }];
        let (rate, frame_len) = (signal.rate, signal.frame_len);
        Ok(Outline::of([Format::Signal(SignalFormat { channels, rate, frame_len }.into())]))
    },
    build: |node| Ok(Body::operator(Downmix { channels: node.signal("in").channels.len() })),
    ..Kind::BASE
};

struct Downmix {
    channels: usize,
}

impl Operator for Downmix {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        if self.channels == 1 {
            io.send(0, frame);
            return Ok(());
        }
        let len = frame.len();
        let mut buffer = io.signal(0, len);
        mean(frame.samples(), buffer.floats_mut().expect("a fresh buffer has one holder"));
        let time = frame.header.time;
        io.send_buffer(0, time, buffer);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// The mean of planes as long as `mean`.
fn mean(planes: &[f32], mean: &mut [f32]) {
    let (len, channels) = (mean.len(), planes.len() / mean.len().max(1));
    let share = 1.0 / channels as f64;
    for (n, mean) in mean.iter_mut().enumerate() {
        let sum: f64 = planes[n..].iter().step_by(len).map(|&sample| f64::from(sample)).sum();
        *mean = match sum.is_finite() {
            true => (sum * share) as f32,
            false => of_finite(planes[n..].iter().step_by(len)),
        };
    }
}

/// The mean of those that are finite.
fn of_finite<'a>(samples: impl Iterator<Item = &'a f32>) -> f32 {
    let finite = samples.filter(|sample| sample.is_finite());
    let (sum, count) =
        finite.fold((0.0, 0u32), |(sum, count), &sample| (sum + f64::from(sample), count + 1));
    // 0 / 0 is NaN.
    (sum / f64::from(count)) as f32
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn mixed(channels: usize, planes: &[f32]) -> Vec<f32> {
        let input = [("in", Bench::channels(channels, 8_000.0))];
        Bench::with(&KIND, &input, "").expect("valid").feed(planes)
    }

    #[test]
    fn it_is_the_mean() {
        assert_eq!(mixed(2, &[0.5, 1.0, -0.5, 0.0]), [0.0, 0.5]);
        assert_eq!(mixed(1, &[0.5, 1.0]), [0.5, 1.0]);
        let loud: Vec<f32> = (0..32).flat_map(|_| [1.0, -1.0, f32::MAX]).collect();
        assert_eq!(mixed(32, &loud), [1.0, -1.0, f32::MAX]);
    }

    #[test]
    fn what_is_not_finite_has_no_say() {
        let planes = [f32::NAN, f32::INFINITY, f32::NAN, 0.25, 0.5, f32::NAN];
        let mixed = mixed(2, &planes);
        assert_eq!(mixed[..2], [0.25, 0.5]);
        assert!(mixed[2].is_nan());
    }
}
