//! `threshold`: when a signal crosses a level.
//!
//! ```text
//!            ╭──╮          ╭╮  ╭─    an event up where the signal rises above level,
//! level ────╱────╲────────╱──╲╱──    an event down where it falls below level − hysteresis
//!          ╱      ╲      ╱
//! ─────────────────╲────╱─────────   level − hysteresis
//!         up       down up
//! ```
//!
//! | port  | carries                                                      |
//! |-------|--------------------------------------------------------------|
//! | `in`  | a signal; of several channels the first is looked at         |
//! | `out` | an event per crossing, stamped where it crossed              |
//!
//! An event's time lies straight between the two samples around the crossing. `for_s` is how long
//! the signal had been on the other side, `peak` how far it went there (its largest sample above,
//! its smallest below); the first crossing knows neither. What begins above has not crossed. A
//! crossing within `refractory_s` of the last one told is not told, at rates above 1 kHz nor one within
//! 1 ms.
//!
//! **Delay**: a sample at most (`look_back`). **NaN**: a sample that is not finite is passed over.
//! **Gap**: the side is forgotten. **Cost**: a comparison or two a sample.

use engine::{
    Body, Fault, Field, Format, Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use crate::{
    bodies::{as_sample, load, tuned},
    math::state::{put_f64, put_time},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "threshold",
    summary: "When a signal crosses a level.",
    doc: "An event `up` where the signal rises above level, `down` where it falls below level - \
          hysteresis, stamped straight between the two samples around the crossing; edge = \"up\" \
          or \"down\" tells only those. for_s is how long it had been on the other side, peak its \
          largest sample above or its smallest below; the first crossing has neither, and what \
          begins above has not crossed. A crossing within refractory_s of the last one told is \
          not told, at rates above 1 kHz nor one within 1 ms. level, hysteresis and refractory_s may change while it runs. Looks at the \
          first channel. Delay: none; an event lies at most a sample back, behind \
          missing samples at the first that is there. NaN: a sample that is not finite is passed over. After a gap the \
          side is forgotten. Cost: about 2 ns a sample.",
    example: "level = 0.5\nhysteresis = 0.1",
    inputs: &[Port::signal("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[&LEVEL, &HYSTERESIS, &EDGE, &REFRACTORY_S],
    plan: |node| {
        let fields = vec![Field::text("edge", 4), Field::f64("for_s"), Field::f64("peak")];
        let rate = node.signal("in").rate;
        let rate_max = if node.get(&EDGE)? == "both" { rate.hz() } else { rate.hz() / 2.0 };
        let out = Format::event(fields, rate_max.min(EVENTS_PER_SECOND_MAX));
        Ok(Outline::of([out]).looking_back(rate.span_ns(1) + 1))
    },
    build: |node| {
        Ok(Body::operator(Threshold {
            levels: levels(node)?,
            edge: node.get(&EDGE)?.to_owned().into_boxed_str(),
            refractory_ns: refractory_ns(node)?,
            last: f64::NAN,
            side: None,
        }))
    },
    ..Kind::BASE
};

const LEVEL: Param<f64> =
    Param::required("level", "What is above has crossed.").within(-1e30, 1e30).live();
const HYSTERESIS: Param<f64> = Param::with_default(
    "hysteresis",
    0.0,
    "So far below the level it must fall to be below again.",
)
.within(0.0, 1e30)
.live();
const EDGE: Param<&str> = Param::with_default("edge", "both", "Which crossings are told.")
    .one_of(&["both", "up", "down"]);
const REFRACTORY_S: Param<f64> =
    Param::with_default("refractory_s", 0.0, "Crossings so soon after the last one are not told.")
        .within(0.0, 86_400.0)
        .live();

/// Sizes rings; nothing that is worth an event happens more often.
const EVENTS_PER_SECOND_MAX: f64 = 1_000.0;

fn refractory_ns(node: &Node<'_>) -> Result<i64, Fault> {
    let could_be_more = node.rate_hz("in") > EVENTS_PER_SECOND_MAX;
    let least_s = if could_be_more { 1.0 / EVENTS_PER_SECOND_MAX } else { 0.0 };
    Ok((tuned(node, &REFRACTORY_S)?.max(least_s) * 1e9).round() as i64)
}

fn levels(node: &Node<'_>) -> Result<[f64; 2], Fault> {
    let (level, hysteresis) = (tuned(node, &LEVEL)?, tuned(node, &HYSTERESIS)?);
    Ok([as_sample(level), as_sample(level - hysteresis)])
}

struct Threshold {
    /// Above the first it is above, below the second below again.
    levels: [f64; 2],
    edge: Box<str>,
    refractory_ns: i64,
    /// The last sample that was finite.
    last: f64,
    /// Where the signal is, once that is known.
    side: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Side {
    is_above: bool,
    /// Since when, if it has crossed.
    since: Option<Timestamp>,
    peak: f64,
    /// When a crossing was told last.
    told: Option<Timestamp>,
}

impl Threshold {
    fn take(&mut self, n: usize, x: f32, io: &mut Io<'_>) {
        if !x.is_finite() {
            self.last = f64::NAN;
            return;
        }
        let (x, [level, low]) = (f64::from(x), self.levels);
        let last = std::mem::replace(&mut self.last, x);
        let Some(side) = &mut self.side else {
            let is_above = x > level;
            self.side = Some(Side { is_above, since: None, peak: x, told: None });
            return;
        };
        let is_above = if side.is_above { x >= low } else { x > level };
        if is_above == side.is_above {
            side.peak = if is_above { side.peak.max(x) } else { side.peak.min(x) };
            return;
        }
        let limit = if is_above { level } else { low };
        // A level that has moved may lie before the last sample. Behind one that is missing nobody
        // knows where it was.
        let part = ((limit - last) / (x - last)).clamp(0.0, 1.0);
        let time = match part.is_nan() {
            true => io.time_of(n as i64),
            false => io.time_between(n as i64 - 1, part),
        };
        let is_soon = side.told.is_some_and(|told| time.since(told) < self.refractory_ns);
        let edge = if is_above { "up" } else { "down" };
        let is_told = !is_soon && (&*self.edge == "both" || &*self.edge == edge);
        if is_told {
            let for_s = side.since.map(|since| time.since(since) as f64 / 1e9);
            let peak = side.since.map(|_| side.peak);
            let event = io.event_for(0).text(0, edge);
            io.send_event(0, time, event.f64_or_absent(1, for_s).f64_or_absent(2, peak));
        }
        let told = if is_told { Some(time) } else { side.told };
        *side = Side { is_above, since: Some(time), peak: x, told };
    }
}

impl Operator for Threshold {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        for (n, &x) in frame.channel(0).iter().enumerate() {
            self.take(n, x, io);
        }
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.levels = levels(node)?;
        self.refractory_ns = refractory_ns(node)?;
        Ok(())
    }

    fn reset(&mut self) {
        (self.last, self.side) = (f64::NAN, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        put_f64(into, self.last);
        into.push(match self.side {
            None => 0,
            Some(side) => 1 + u8::from(side.is_above),
        });
        put_f64(into, self.side.map_or(0.0, |side| side.peak));
        put_time(into, self.side.and_then(|side| side.since).map(Timestamp::nanos));
        put_time(into, self.side.and_then(|side| side.told).map(Timestamp::nanos));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let mut loaded = (f64::NAN, 0, 0.0, None, None);
        load("is no state of `threshold`", 1, from, |state| {
            state.f64(&mut loaded.0)?;
            state.u8(&mut loaded.1)?;
            state.demand(loaded.1 <= 2)?;
            state.f64(&mut loaded.2)?;
            state.time(&mut loaded.3)?;
            state.time(&mut loaded.4)
        })?;
        let (last, side, peak, since, told) = loaded;
        let moment = |time: Option<i64>| time.map(Timestamp::from_nanos);
        let (since, told) = (moment(since), moment(told));
        self.last = last;
        self.side = (side > 0).then_some(Side { is_above: side == 2, since, peak, told });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    /// Time in milliseconds, edge, `for_s` in milliseconds and peak.
    type Crossing = (f64, String, Option<(f64, f64)>);

    /// Every crossing.
    fn crossings(bench: &mut Bench, signal: &[f32]) -> Vec<Crossing> {
        bench.feed(signal);
        let told = bench.take().into_iter().map(|seen| {
            let before = seen.number("for_s").map(|s| s * 1e3).zip(seen.number("peak"));
            (seen.time().nanos() as f64 / 1e6, seen.text("edge").expect("one").to_owned(), before)
        });
        told.collect()
    }

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 1_000.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn crossings_lie_between_samples_and_know_what_was_before() {
        let mut threshold = bench("level = 1.0\nhysteresis = 0.5");
        let told =
            crossings(&mut threshold, &[0.0, 0.8, 1.2, 3.0, 0.75, 0.5, 0.25, -1.0, 0.0, 2.0]);
        let (up, down) = ("up".to_owned(), "down".to_owned());
        // From 0.8 to 1.2 at 1.5; at 0.5 it is not below 0.5; from 0 to 2 at 8.5. The first sample
        // of f32 is off by 1e-8 of itself, which is some 1e-8 ms, and times are whole nanoseconds.
        assert_eq!(told.len(), 3);
        assert!((told[0].0 - 1.5).abs() < 2e-6 && told[0].1 == up && told[0].2.is_none());
        assert_eq!((told[1].0, &told[1].1), (5.0, &down));
        let (for_ms, peak) = told[1].2.expect("known");
        assert!((for_ms - 3.5).abs() < 2e-6 && peak == 3.0);
        assert_eq!(told[2], (8.5, up, Some((3.5, -1.0))));
    }

    #[test]
    fn only_what_is_asked_for_and_not_too_soon_is_told() {
        let signal: Vec<f32> = (0..40).map(|n| if n % 4 < 2 { -1.0 } else { 1.0 }).collect();
        let told = crossings(&mut bench("level = 0.0\nedge = \"up\""), &signal);
        assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>()[..3], [1.5, 5.5, 9.5]);

        // Sooner than 5 ms after the last one told every other one comes.
        let told =
            crossings(&mut bench("level = 0.0\nedge = \"up\"\nrefractory_s = 0.005"), &signal);
        assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>()[..3], [1.5, 9.5, 17.5]);
    }

    #[test]
    fn a_level_may_move_and_what_begins_above_has_not_crossed() {
        let mut threshold = bench("level = 0.0");
        assert!(crossings(&mut threshold, &[1.0, 1.0]).is_empty());
        threshold.set("level", 2.0).expect("live");
        // Found with the next sample, at its beginning: there the level moved over the signal.
        let told = crossings(&mut threshold, &[1.0, 3.0]);
        assert_eq!((told[0].0, told[0].1.as_str()), (2.0, "down"));
        assert_eq!((told[1].0, told[1].1.as_str()), (2.5, "up"));
    }

    #[test]
    fn a_crossing_behind_what_is_missing_is_told_where_the_signal_is_back() {
        let told = crossings(&mut bench("level = 0.0"), &[-1.0, f32::NAN, f32::NAN, 1.0]);
        assert_eq!((told[0].0, told[0].1.as_str()), (3.0, "up"));
    }
}
