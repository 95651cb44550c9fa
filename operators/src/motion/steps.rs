//! `steps`: steps of a walking body, and how many a minute.
//!
//! In the length of the acceleration, so the sensor may be turned any way; see [`crate::math::gait`].
//!
//! | port  | carries                                                                          |
//! |-------|----------------------------------------------------------------------------------|
//! | `in`  | an accelerometer, perhaps with other sensors                                      |
//! | `out` | an event per step: its number, the time since the last, steps a minute, its height |
//!
//! A single bump is no walk: `confirm` steps, each at most two seconds after the one before, are told
//! together once there are so many; those that follow at once.
//!
//! **Delay**: a step is told 0.25 s after its peak has passed the filter; its event lies where the
//! step was, by the filter's phase delay at the present cadence. **NaN**: is the last good sample. A gap begins anew. **Cost**: some 20 ns a
//! sample.

use engine::{
    Body, Code, Diagnostic, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline,
    Param, Port,
};

use super::sensors::{self, Accelerometer};
use crate::{
    bodies::{self, Counted},
    math::{
        gait::{PAUSE_S, REFRACTORY_S, Step, Steps, visit_step},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "steps",
    summary: "Steps of a walking body, and how many a minute.",
    doc: "Peaks in the length of the acceleration, band-passed from 0.7 to 3.5 Hz (Butterworth, order 2): \
          above threshold_g and half the running height of the peaks before, at least 0.25 s apart. \
          `confirm` steps, each at most 2 s after the one before, make a walk and are told together; then \
          each at once. An event has the step's number, interval_ms since the last one of the walk, \
          cadence_spm (steps a minute over the last four intervals) and height_g. A sensor at the foot \
          shows two peaks a stride, one of them its own step. Events lie where the step was: the \
          filter's phase delay at the present cadence is taken off; told 0.25 s later. Channels are known by their unit, else three are \
          the accelerometer. NaN: is the last good sample; a gap begins anew. Cost: about 20 ns a sample. \
          Source: Zhao 2010, Full-featured pedometer design.",
    example: "confirm = 2",
    inputs: &[Port::signal("in").fed_by(&["imu"])],
    outputs: &[Port::event("out")],
    params: &[&THRESHOLD_G, &CONFIRM, &sensors::ACCELEROMETER_UNIT],
    plan: |node| {
        Accelerometer::find(node, "in")?;
        let rate_hz = rate_hz(node)?;
        let fields = vec![
            Field::i64("step"),
            Field::f64("interval_ms"),
            Field::f64("cadence_spm"),
            Field::f64("height_g"),
        ];
        let walk_s = PAUSE_S * (node.get(&CONFIRM)? - 1) as f64;
        // A sample for the peak that only the next one shows, one for rounding.
        let look_back_s = DELAY_S_MAX + walk_s + REFRACTORY_S + 2.0 / rate_hz;
        let outline = Outline::of([Format::event(fields, 1.0 / REFRACTORY_S)]);
        Ok(outline.looking_back((look_back_s * 1e9).ceil() as i64))
    },
    build: |node| {
        let rate_hz = rate_hz(node)?;
        Ok(Body::operator(Walk {
            accelerometer: Accelerometer::find(node, "in")?,
            steps: Steps::new(rate_hz, node.get(&THRESHOLD_G)?),
            confirm: node.get(&CONFIRM)? as usize,
            period_ms: 1e3 / rate_hz,
            counted: Counted::NONE,
            walk: Vec::with_capacity(CONFIRM_MAX),
            last: None,
            intervals_ms: [0.0; INTERVALS],
            known: 0,
            number: 0,
        }))
    },
    ..Kind::BASE
};

const THRESHOLD_G: Param<f64> =
    Param::with_default("threshold_g", 0.05, "Lowest peak of a step.").within(0.005, 10.0);
const CONFIRM_MAX: usize = 10;
const CONFIRM: Param<i64> =
    Param::with_default("confirm", 3, "So many steps are a walk, and told together.")
        .within(1.0, CONFIRM_MAX as f64);

/// Intervals that the cadence is a mean of.
const INTERVALS: usize = 4;
/// No cadence is delayed more by the filter.
const DELAY_S_MAX: f64 = 0.1;
/// Below, a step has no form.
const RATE_HZ_MIN: f64 = 10.0;

fn rate_hz(node: &Node<'_>) -> Result<f64, Diagnostic> {
    let rate_hz = node.rate_hz("in");
    if rate_hz >= RATE_HZ_MIN {
        return Ok(rate_hz);
    }
    let input = &node.inputs()[0];
    let message = format!("{rate_hz} samples per second are too few to find steps in");
    let problem =
        Diagnostic::error(Code::OutOfRange, message).at(&input.place).of_node(node.name());
    Err(problem.hint(format!("bring a signal of at least {RATE_HZ_MIN} Hz")))
}

#[derive(Clone)]
struct Walk {
    accelerometer: Accelerometer,
    steps: Steps,
    confirm: usize,
    period_ms: f64,
    counted: Counted,
    /// Steps that may become a walk.
    walk: Vec<Step>,
    /// The last step, told or not.
    last: Option<Step>,
    /// Of the walk, in a circle, and how many of them there have been.
    intervals_ms: [f64; INTERVALS],
    known: u64,
    number: i64,
}

impl Walk {
    fn found(&mut self, step: Step, io: &mut Io<'_>) {
        let since = |last: &Step| {
            let samples = (step.sample - last.sample) as f64 + step.offset - last.offset;
            samples * self.period_ms
        };
        let interval_ms = self.last.as_ref().map(since).filter(|ms| *ms <= PAUSE_S * 1e3);
        if interval_ms.is_none() {
            self.walk.clear();
            self.known = 0;
        }
        self.last = Some(step);
        let is_walking = self.known + 1 >= self.confirm as u64;
        if let Some(interval_ms) = interval_ms
            && is_walking
        {
            self.tell(step, Some(interval_ms), io);
            return;
        }
        self.walk.push(step);
        if self.walk.len() < self.confirm {
            return;
        }
        let mut before: Option<Step> = None;
        for n in 0..self.walk.len() {
            let step = self.walk[n];
            let interval_ms = before.map(|before| {
                let samples = (step.sample - before.sample) as f64 + step.offset - before.offset;
                samples * self.period_ms
            });
            self.tell(step, interval_ms, io);
            before = Some(step);
        }
        self.walk.clear();
    }

    fn tell(&mut self, step: Step, interval_ms: Option<f64>, io: &mut Io<'_>) {
        if let Some(interval_ms) = interval_ms {
            self.intervals_ms[(self.known % INTERVALS as u64) as usize] = interval_ms;
            self.known += 1;
        }
        let count = self.known.min(INTERVALS as u64) as usize;
        let mean_ms = self.intervals_ms[..count].iter().sum::<f64>() / count as f64;
        self.number += 1;
        let event = io
            .event_for(0)
            .i64(0, self.number)
            .f64_or_absent(1, interval_ms)
            .f64_or_absent(2, (count > 0).then(|| 60_000.0 / mean_ms))
            .f64(3, step.height_g);
        let delay_s = self.steps.delay_s(interval_ms.map(|ms| ms / 1e3));
        let later_ns = (step.offset * self.period_ms * 1e6 - delay_s * 1e9).round() as i64;
        let time = self.counted.time(step.sample, io).plus_nanos(later_ns);
        io.send_event(0, time, event);
    }

    fn forget(&mut self) {
        self.accelerometer.reset();
        self.steps.reset();
        self.walk.clear();
        (self.last, self.known) = (None, 0);
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.accelerometer.visit(state)?;
        self.steps.visit(state)?;
        let mut waiting = self.walk.len() as u64;
        state.u64(&mut waiting)?;
        state.demand(waiting < self.confirm as u64)?;
        self.walk.resize(waiting as usize, Step::default());
        self.walk.iter_mut().try_for_each(|step| visit_step(state, step))?;
        state.optional(&mut self.last, visit_step)?;
        self.intervals_ms.iter_mut().try_for_each(|ms| state.f64(ms))?;
        state.u64(&mut self.known)?;
        state.i64(&mut self.number)
    }
}

impl Operator for Walk {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.forget();
        }
        let frame = io.take();
        let len = frame.len();
        for n in 0..len {
            // Before the first good sample: at rest.
            let seen = self.accelerometer.at(frame.samples(), len, n);
            let size = seen.map_or(1.0, |[x, y, z]| (x * x + y * y + z * z).sqrt());
            if let Some(step) = self.steps.push(size) {
                self.found(step, io);
            }
        }
        self.counted.leave(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The steps before it still count.
        self.counted = Counted::NONE;
        self.forget();
        Ok(())
    }

    fn reset(&mut self) {
        (self.counted, self.number) = (Counted::NONE, 0);
        self.forget();
        self.intervals_ms = [0.0; INTERVALS];
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.counted.save(into);
        self.clone().pass(&mut State::Save(into)).expect("saving never fails");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        bodies::load("is no state of `steps`", VERSION, from, |state| {
            self.counted.load(state)?;
            self.pass(state)
        })
    }
}

const VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use engine::testing::{Bench, Seen};

    use super::*;

    const RATE_HZ: f64 = 100.0;

    fn bench(params: &str) -> Bench {
        let inputs = [("in", Bench::channels(3, RATE_HZ))];
        Bench::with(&KIND, &inputs, params).unwrap_or_else(|told| panic!("{told}"))
    }

    /// Two steps a second with their tops at whole and half seconds, from one second to another.
    fn walk(from_s: f32, to_s: f32, seconds: usize) -> Vec<f32> {
        let up = |n: usize| {
            let t = n as f32 / 100.0;
            let inside = (from_s - 0.25..to_s + 0.25).contains(&t);
            1.0 + if inside { 0.15 * (1.0 + (TAU * 2.0 * t).cos()) } else { 0.0 }
        };
        let len = 100 * seconds;
        (0..2 * len).map(|_| 0.0).chain((0..len).map(up)).collect()
    }

    fn told(seen: &[Seen]) -> Vec<(f64, f64, Option<f64>)> {
        let step = |seen: &Seen| {
            let number = seen.number("step").expect("present");
            (seen.time().secs_f64(), number, seen.number("cadence_spm"))
        };
        seen.iter().map(step).collect()
    }

    #[test]
    fn a_walk_is_told_step_by_step() {
        let mut steps = bench("");
        steps.feed(&walk(3.0, 12.0, 20));
        let seen = steps.take();
        let told = told(&seen);
        // From 3 to 12 s at every half second; the filter may ring on for one more.
        assert!((19..=20).contains(&told.len()), "{told:?}");
        assert_eq!(told[0].2, None);
        for (n, (at, number, cadence)) in told.iter().enumerate().take(19) {
            assert_eq!(*number, (n + 1) as f64);
            let want = 3.0 + 0.5 * n as f64;
            // Where the wave begins and ends, the filter has not settled.
            let allowed = if (6..17).contains(&n) { 0.01 } else { 0.2 };
            assert!((at - want).abs() < allowed, "step {n} at {at}");
            assert!(
                (6..17)
                    .contains(&n)
                    .then(|| cadence.expect("known") - 120.0)
                    .is_none_or(|off| off.abs() < 1.0)
            );
        }
        assert_eq!(steps.late(), 0);
    }

    #[test]
    fn two_bumps_are_no_walk() {
        let mut steps = bench("");
        steps.feed(&walk(3.0, 3.5, 20));
        assert!(told(&steps.take()).is_empty());
        // Whoever asks for single steps has them.
        let mut steps = bench("confirm = 1");
        steps.feed(&walk(3.0, 3.5, 20));
        assert!(told(&steps.take()).len() >= 2);
    }

    #[test]
    fn steps_go_on_being_counted_after_a_rest_but_not_being_timed() {
        let mut steps = bench("");
        let (first, second) = (walk(3.0, 8.0, 20), walk(3.0, 8.0, 20));
        steps.feed(&first);
        let before = told(&steps.take());
        steps.feed(&second);
        let after = told(&steps.take());
        let number = before.last().expect("some").1;
        assert_eq!((after[0].1, after[0].2), (number + 1.0, None));
    }

    #[test]
    fn too_few_samples_are_refused() {
        let inputs = [("in", Bench::channels(3, 5.0))];
        let problem = Bench::with(&KIND, &inputs, "").err().expect("refused").to_string();
        assert!(problem.contains("5 samples per second are too few"), "{problem}");
        let problem = Bench::build(&KIND, RATE_HZ, "").err().expect("refused").to_string();
        assert!(problem.contains("has 1 channels"), "{problem}");
    }
}
