//! `dwell`: on only once something has lasted, and off only once it has been over for long.
//!
//! A number above `level` is wanted. It switches on when it has been there for `dwell_s` without a
//! break, and off when it has been away for `release_s` without one:
//!
//! ```text
//! in    ─╮╭╮ ╭──────────╮ ╭──╮
//!        ╰╯╰─╯          ╰─╯  ╰──────
//! out            ╭──────────────╮        late by dwell_s, and by release_s
//!       ─────────╯              ╰───
//! ```
//!
//! | port  | carries                                                                     |
//! |-------|-----------------------------------------------------------------------------|
//! | `in`  | a signal, or events with a number that holds until the next, as from `hysteresis` |
//! | `out` | a signal of 0 and 1; of events, an event with `is_on` when it switches      |
//!
//! It begins off. **Delay**: what it is for; nothing is subtracted. **NaN**: nothing changes, and
//! time goes on. **Gap**: it begins anew, off.

use engine::{
    Body, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port,
    Timestamp, Unit,
};

use super::value::{FIELD, Intake, intake, number, output};
use crate::{
    bodies::{as_sample, load, tuned},
    math::state::put_u64,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "dwell",
    summary: "On only once something has lasted, off only once it has been over.",
    doc: "Switches on when a number has been above level for dwell_s without a break, and off \
          when it has not been for release_s without one; off at the beginning. A signal becomes \
          one of 0 and 1, channel by channel, counted in samples rounded up; of events `field` \
          counts, holds until the next, and an event with is_on comes at the very moment it \
          switches. dwell_s, release_s and level may change while it runs. Delay: what it is for, \
          so none is subtracted. NaN: nothing changes, and time goes on. After a gap it begins \
          anew, off. Cost: about 2 ns a sample.",
    example: "dwell_s = 0.02",
    inputs: &[Port::any("in")],
    outputs: &[Port::any("out")],
    params: &[&DWELL_S, &RELEASE_S, &LEVEL, &FIELD],
    timers: true,
    plan: |node| {
        intake(node)?;
        Ok(Outline::of([output(node, Unit::named("1"), vec![Field::bool("is_on")])]))
    },
    build: |node| {
        let demands = Demands::of(node)?;
        Ok(match intake(node)? {
            Intake::Field(field) => {
                let state = (false, None, false);
                Body::operator(OfEvents { demands, field, state })
            }
            Intake::Signal => {
                let Format::Signal(signal) = node.input("in") else { unreachable!("it is one") };
                let channels = vec![Channel::default(); signal.channels.len()];
                Body::operator(OfSignal { demands, channels })
            }
        })
    },
    ..Kind::BASE
};

const DWELL_S: Param<f64> =
    Param::required("dwell_s", "How long it must last to switch on.").within(0.0, 86_400.0).live();
const RELEASE_S: Param<f64> =
    Param::with_default("release_s", 0.0, "How long it must be over to switch off.")
        .within(0.0, 86_400.0)
        .live();
const LEVEL: Param<f64> =
    Param::with_default("level", 0.5, "What is above is wanted.").within(-1e30, 1e30).live();

#[derive(Clone, Copy)]
struct Demands {
    dwell_ns: i64,
    release_ns: i64,
    /// The same in samples of a signal.
    dwell: u64,
    release: u64,
    level: f64,
}

impl Demands {
    fn of(node: &Node<'_>) -> Result<Self, Fault> {
        let (dwell_s, release_s) = (tuned(node, &DWELL_S)?, tuned(node, &RELEASE_S)?);
        let rate_hz = node.input("in").rate().map_or(0.0, engine::Rate::hz);
        let nanos = |seconds: f64| (seconds * 1e9).round() as i64;
        // Seconds are written with few digits: what is a whole number but for rounding is one.
        let samples = |seconds: f64| (seconds * rate_hz - 1e-6).ceil().max(0.0) as u64;
        Ok(Self {
            dwell_ns: nanos(dwell_s),
            release_ns: nanos(release_s),
            dwell: samples(dwell_s),
            release: samples(release_s),
            level: match node.input("in") {
                Format::Signal(_) => as_sample(tuned(node, &LEVEL)?),
                _ => tuned(node, &LEVEL)?,
            },
        })
    }
}

struct OfSignal {
    demands: Demands,
    channels: Vec<Channel>,
}

#[derive(Clone, Copy, Default)]
struct Channel {
    is_on: bool,
    is_wanted: bool,
    /// Samples since that changed.
    since: u64,
}

impl Channel {
    fn push(&mut self, x: f32, demands: &Demands) -> bool {
        let is_wanted = if x.is_nan() { self.is_wanted } else { f64::from(x) > demands.level };
        self.since = if is_wanted == self.is_wanted { self.since.saturating_add(1) } else { 0 };
        self.is_wanted = is_wanted;
        let enough = if is_wanted { demands.dwell } else { demands.release };
        if self.since >= enough {
            self.is_on = is_wanted;
        }
        self.is_on
    }
}

impl Operator for OfSignal {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let len = frame.len();
        let mut output = io.signal(0, len);
        let planes = output.floats_mut().expect("a fresh buffer has one holder");
        for (n, (&x, y)) in frame.samples().iter().zip(planes).enumerate() {
            let is_on = self.channels[n / len].push(x, &self.demands);
            *y = f32::from(u8::from(is_on));
        }
        io.send_buffer(0, frame.header.time, output);
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.demands = Demands::of(node)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.channels.fill(Channel::default());
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        for channel in &self.channels {
            into.extend([u8::from(channel.is_on), u8::from(channel.is_wanted)]);
            put_u64(into, channel.since);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `dwell`", 1, from, |state| {
            self.channels.iter_mut().try_for_each(|channel| {
                state.bool(&mut channel.is_on)?;
                state.bool(&mut channel.is_wanted)?;
                state.u64(&mut channel.since)
            })
        })
    }
}

struct OfEvents {
    demands: Demands,
    field: usize,
    /// Whether it is wanted, since when, and whether it is on.
    state: (bool, Option<i64>, bool),
}

impl Operator for OfEvents {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(value) = number(&io.event(), self.field) else { return Ok(()) };
        let (is_wanted, since, _) = &mut self.state;
        let is_now = value > self.demands.level;
        if is_now != *is_wanted || since.is_none() {
            (*is_wanted, *since) = (is_now, Some(io.frame().header.time.nanos()));
        }
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        let (is_wanted, since, is_on) = self.state;
        let Demands { dwell_ns, release_ns, .. } = self.demands;
        let enough_ns = if is_wanted { dwell_ns } else { release_ns };
        let due_ns = since.filter(|_| is_wanted != is_on)?.saturating_add(enough_ns);
        Some(Timestamp::from_nanos(due_ns))
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.state.2 = self.state.0;
        let event = io.event_for(0).bool(0, self.state.2);
        io.send_event(0, due, event);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        // Nobody knows any more that it is wanted: what was switched on does not stay on for ever.
        if self.state.2 {
            let event = io.event_for(0).bool(0, false);
            io.send_event(0, gap.until, event);
        }
        self.reset();
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.demands = Demands::of(node)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.state = (false, None, false);
    }

    fn save(&self, into: &mut Vec<u8>) {
        let (is_wanted, since, is_on) = self.state;
        into.extend([1, u8::from(is_wanted), u8::from(is_on)]);
        crate::math::state::put_time(into, since);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `dwell`", 1, from, |state| {
            state.bool(&mut self.state.0)?;
            state.bool(&mut self.state.2)?;
            state.time(&mut self.state.1)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Gap, Header, MaybeGap, testing::Bench};

    use super::*;

    #[test]
    fn a_signal_switches_when_it_has_lasted() {
        let signal = [("in", Bench::channels(1, 100.0))];
        let params = "dwell_s = 0.02\nrelease_s = 0.03";
        let mut dwell = Bench::with(&KIND, &signal, params).expect("valid");
        let wanted = [0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0];
        let on = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0];
        assert_eq!(dwell.feed(&wanted.map(|x| x as f32)), on.map(|x| x as f32));
        dwell.set("dwell_s", 0.0).expect("live");
        assert_eq!(dwell.feed(&[1.0, f32::NAN]), [1.0, 1.0]);
    }

    #[test]
    fn events_switch_at_the_moment_it_has_lasted() {
        let format = Format::event(vec![Field::bool("is_on")], 1.0);
        let params = "dwell_s = 2.0\nrelease_s = 1.0";
        let mut dwell = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        let event = |second: f64, is_on: bool| {
            let event = EventWriter::new(format.as_event().expect("events")).bool(0, is_on);
            Frame::new(Header::at(Timestamp::from_secs_f64(second)), event.finish())
        };
        for (second, is_on) in [
            (1.0, true),
            (2.5, false),
            (3.0, true),
            (3.5, true),
            (6.0, false),
            (6.5, true),
            (8.0, false),
        ] {
            dwell.push(0, event(second, is_on));
            dwell.run();
        }
        dwell.promise(0, Timestamp::from_secs_f64(20.0));
        dwell.run();
        let times: Vec<f64> = dwell.take().iter().map(|seen| seen.time().secs_f64()).collect();
        assert_eq!(times, [5.0, 9.0]);
    }
    #[test]
    fn what_is_on_does_not_stay_on_behind_a_gap() {
        let format = Format::event(vec![Field::bool("is_on")], 1.0);
        let params = "dwell_s = 1.0";
        let mut dwell = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        let event = |second: f64, gap: MaybeGap| {
            let event = EventWriter::new(format.as_event().expect("events")).bool(0, second < 5.0);
            let time = Timestamp::from_secs_f64(second);
            Frame::new(Header { gap, ..Header::at(time) }, event.finish())
        };
        dwell.push(0, event(1.0, MaybeGap::NONE));
        dwell.push(0, event(3.0, MaybeGap::NONE));
        dwell.run();
        dwell.push(0, event(8.0, Gap::Source.into()));
        dwell.run();
        let told: Vec<_> = dwell
            .take()
            .iter()
            .map(|s| (s.time().secs_f64(), s.frame.buffer().bytes().to_vec()))
            .collect();
        let is_on = |on: bool| {
            EventWriter::new(dwell.output(0).as_event().expect("events")).bool(0, on).finish()
        };
        let bytes = |on: bool| is_on(on).bytes().to_vec();
        assert_eq!(told, [(2.0, bytes(true)), (8.0, bytes(false))]);
    }
}
