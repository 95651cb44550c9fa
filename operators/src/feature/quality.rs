//! `quality`: how much a signal can be believed, from 0 to 1, and why.
//!
//! Over a sliding window, the shares of it that speak against the signal:
//!
//! ```text
//! missing  samples that are not finite
//! flat     samples in a run that stays within `flat_band` for `flat_s` or longer
//! clipped  samples at or beyond `rail_low` or `rail_high`
//! mains    power at `mains_hz` in the variance, 0 until two periods have come: 2 |Σ (x − mean) e^(−jωt)|² / (N Σ (x − mean)²)
//!
//! quality = (1 − missing) (1 − flat) (1 − clipped) (1 − mains)
//! ```
//!
//! | port      | carries                                                                |
//! |-----------|------------------------------------------------------------------------|
//! | `in`      | a signal as recorded: filters hide what is looked for                  |
//! | `out`     | every `every_s` an event per channel with the quality and its parts    |
//! | `quality` | the quality of every channel, at the input's rate: a weight for fusion |
//!
//! **Delay**: none: a value is about the window that ends with its sample, so that a weight is
//! there with the sample it weighs. Of a run, the samples after its first `flat_s` count as flat.
//! **NaN**: lowers the quality; what comes out is always a number. **Gap**: the window begins
//! anew. **Cost**: some fifty operations a sample; 80 bytes for each of the window.

use engine::{Body, Fault, Field, Format, Io, Kind, Node, Operator, Outline, Param, Port, Unit};

use super::window::{samples, with_unit};
use crate::{
    bodies::{Counted, load, tuned},
    math::signal_quality::{Quality, Rails},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "quality",
    summary: "How much a signal can be believed, and why.",
    doc: "quality = (1 - missing) (1 - flat) (1 - clipped) (1 - mains), shares of the last \
          window_s: missing are samples that are not finite; flat those in a run that stays \
          within flat_band, after its first flat_s; clipped those at or beyond rail_low or rail_high \
          (unless written, none); mains is the power at mains_hz in the variance, 2 |sum (x - \
          mean) exp(-j w t)|^2 / (N sum (x - mean)^2) (unless written, 0). `out` tells quality \
          and parts of every channel every_s; `quality` carries it at the input's rate, as a \
          weight for fusion. Take the signal as recorded: filters hide what is looked for. A \
          window of whole periods of the mains measures it best. flat_band, rail_low and \
          rail_high may change while it runs. Delay: none; a value is about the window that ends \
          with its sample. NaN: lowers the quality. After a gap the window begins anew. Cost: \
          about 50 ns a sample, 80 bytes for each of the window. Source: Li, Mark, Clifford 2008, \
          Robust heart rate estimation from multiple asynchronous noisy sources.",
    example: "window_s = 2.0\nmains_hz = 50.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out"), Port::signal("quality")],
    params: &[&WINDOW_S, &EVERY_S, &MAINS_HZ, &FLAT_S, &FLAT_BAND, &RAIL_LOW, &RAIL_HIGH],
    plan: |node| {
        samples(node, &WINDOW_S, 2)?;
        every(node)?;
        if let Some(mains_hz) = node.get_optional(&MAINS_HZ)? {
            node.check_up_to_nyquist(&MAINS_HZ, mains_hz, "in")?;
        }
        let fields = vec![
            Field::text("channel", CHANNEL_BYTES),
            Field::f64("quality"),
            Field::f64("missing_share"),
            Field::f64("flat_share"),
            Field::f64("clipped_share"),
            Field::f64("mains_share"),
        ];
        let channels = node.signal("in").channels.len();
        let events =
            Format::event(fields, channels as f64 * node.rate_hz("in") / every(node)? as f64);
        Ok(Outline::of([events, with_unit(node, Unit::named("1"))]))
    },
    build: |node| {
        let signal = node.signal("in");
        let turns = node.get_optional(&MAINS_HZ)?.map(|hz| hz / signal.rate.hz());
        let flat = (node.get(&FLAT_S)? * signal.rate.hz()).round().max(1.0) as u64;
        let quality = Quality::new(samples(node, &WINDOW_S, 2)?, flat, turns);
        let channels = signal.channels.iter();
        Ok(Body::operator(Judge {
            channels: channels.map(|channel| (channel.name.clone(), quality.clone())).collect(),
            rails: rails(node)?,
            every: every(node)?,
            until: every(node)?,
            counted: Counted::NONE,
        }))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 2.0, "Length of the sliding window.").within(1e-3, 3_600.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two events.").within(1e-3, 86_400.0);
const MAINS_HZ: Param<f64> =
    Param::optional("mains_hz", "Frequency of the power line, 50 or 60.").within(1.0, 1e4);
const FLAT_S: Param<f64> =
    Param::with_default("flat_s", 0.2, "Runs of equal samples so long are flat.")
        .within(0.0, 3_600.0);
const FLAT_BAND: Param<f64> =
    Param::with_default("flat_band", 0.0, "Samples that differ by no more count as equal.")
        .within(0.0, 1e30)
        .live();
const RAIL_LOW: Param<f64> =
    Param::optional("rail_low", "Samples at it or below are clipped.").within(-1e30, 1e30).live();
const RAIL_HIGH: Param<f64> =
    Param::optional("rail_high", "Samples at it or above are clipped.").within(-1e30, 1e30).live();

const CHANNEL_BYTES: usize = 32;

fn rails(node: &Node<'_>) -> Result<Rails, engine::Diagnostic> {
    Ok(Rails {
        low: node.get_optional(&RAIL_LOW)?.unwrap_or(f64::NEG_INFINITY) as f32,
        high: node.get_optional(&RAIL_HIGH)?.unwrap_or(f64::INFINITY) as f32,
        flat_band: node.get(&FLAT_BAND)? as f32,
    })
}

fn every(node: &Node<'_>) -> Result<u64, engine::Diagnostic> {
    Ok((node.get(&EVERY_S)? * node.rate_hz("in")).round().max(1.0) as u64)
}

struct Judge {
    channels: Vec<(String, Quality)>,
    rails: Rails,
    /// Samples between two events, and until the next one.
    every: u64,
    until: u64,
    counted: Counted,
}

impl Operator for Judge {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.forget();
        }
        let frame = io.take();
        let len = frame.len();
        let mut output = io.signal(1, len);
        let weights = output.floats_mut().expect("a fresh buffer has one holder");
        // In order of time, so that events are.
        for n in 0..len {
            self.until -= 1;
            for (channel, (name, quality)) in self.channels.iter_mut().enumerate() {
                let parts = quality.push(frame.channel(channel)[n], self.rails);
                weights[channel * len + n] = parts.quality() as f32;
                if self.until == 0 {
                    let event = io
                        .event_for(0)
                        .text(0, name)
                        .f64(1, parts.quality())
                        .f64(2, parts.missing)
                        .f64(3, parts.flat)
                        .f64(4, parts.clipped)
                        .f64(5, parts.mains);
                    io.send_event(0, io.time_of(n as i64), event);
                }
            }
            if self.until == 0 {
                self.until = self.every;
            }
        }
        io.send_buffer(1, frame.header.time, output);
        self.counted.leave(io);
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        tuned(node, &FLAT_BAND)?;
        self.rails = rails(node).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn reset(&mut self) {
        self.forget();
        self.counted = Counted::NONE;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.counted.save(into);
        into.extend_from_slice(&self.until.to_le_bytes());
        self.channels.iter().for_each(|(_, quality)| quality.save(into));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `quality`", 1, from, |state| {
            self.counted.load(state)?;
            state.u64(&mut self.until)?;
            state.demand((1..=self.every).contains(&self.until))?;
            self.channels.iter_mut().try_for_each(|(_, quality)| quality.load(state))
        })
    }
}

impl Judge {
    fn forget(&mut self) {
        self.channels.iter_mut().for_each(|(_, quality)| quality.reset());
        self.until = self.every;
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

    use super::*;

    fn last(bench: &mut Bench, signal: &[f32]) -> [f64; 5] {
        bench.feed(signal);
        let seen = bench.take();
        let events: Vec<&Seen> = seen.iter().filter(|seen| seen.port == 0).collect();
        let event = events.last().expect("one every second");
        ["quality", "missing_share", "flat_share", "clipped_share", "mains_share"]
            .map(|field| event.number(field).expect("always there"))
    }

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 1_000.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn noise(n: usize) -> f32 {
        ((n * 7_919 + n * n * 13) % 1_009) as f32 / 1_009.0 - 0.5
    }

    #[test]
    fn every_fault_has_its_share() {
        let params = "window_s = 1.0\nrail_high = 2.0\nflat_s = 0.1\nmains_hz = 50.0";
        let good: Vec<f32> = (0..1_000).map(noise).collect();
        let [quality, missing, flat, clipped, mains] = last(&mut bench(params), &good);
        // Noise has a five-hundredth of its power in each of 500 bins of 1 Hz, give or take as
        // much.
        assert!(quality > 0.97 && mains < 0.02 && [missing, flat, clipped] == [0.0; 3]);

        let holes: Vec<f32> =
            (0..1_000).map(|n| if n < 250 { f32::NAN } else { noise(n) }).collect();
        assert_eq!(last(&mut bench(params), &holes)[1], 0.25);

        let flat: Vec<f32> = (0..1_000).map(|n| if n < 500 { 0.25 } else { noise(n) }).collect();
        // Of 500 equal ones all but the first 99.
        assert_eq!(last(&mut bench(params), &flat)[2], 0.401);

        let clipped: Vec<f32> =
            (0..1_000).map(|n| if n % 5 == 0 { 2.0 + (n % 2) as f32 } else { noise(n) }).collect();
        assert_eq!(last(&mut bench(params), &clipped)[3], 0.2);
    }

    #[test]
    fn mains_is_its_share_of_the_variance() {
        let sine = |n: usize, hz: f32| (n as f32 * hz * std::f32::consts::TAU / 1_000.0).sin();
        let mixed: Vec<f32> =
            (0..2_500).map(|n| 5.0 + sine(n, 50.0) + 2.0 * sine(n, 7.0)).collect();
        let mains = last(&mut bench("window_s = 1.0\nmains_hz = 50.0"), &mixed)[4];
        // Powers 1/2 and 2; whole periods of both, samples of f32 up to 8.
        assert!((mains - 0.2).abs() < 1e-6, "{mains}");
    }

    #[test]
    fn a_weight_goes_with_every_sample_and_knobs_move() {
        let mut quality = bench("window_s = 0.004\nflat_s = 0.002");
        quality.feed(&[1.0, 2.0, 2.0, f32::NAN, 3.0]);
        let seen = quality.take();
        let weights: Vec<f32> = seen
            .iter()
            .filter(|seen| seen.port == 1)
            .flat_map(|seen| seen.frame.samples().to_vec())
            .collect();
        assert_eq!(weights, [1.0, 1.0, 2.0 / 3.0, 0.5625, 0.5625]);
        quality.set("rail_high", 4.0).expect("live");
        quality.feed(&[4.0]);
        let seen = quality.take();
        assert_eq!(seen[0].frame.samples(), [0.421_875], "a flat, a missing, and a clipped one");
    }
}
