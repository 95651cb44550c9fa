//! `resonance`: at which rate of breathing a heart swings most.
//!
//! Sweeps the rate from `high_bpm` down to `low_bpm` in steps of `step_bpm`, each for `step_s`; to
//! be followed with a `pacer`. In each step, after its first `settle_share`, the intervals between
//! beats are fitted by least squares:
//!
//! ```text
//! RR(t) = offset + b cos(2π f t) + c sin(2π f t),  f = rate / 60;   amplitude = √(b² + c²)
//! ```
//!
//! and the step of the largest amplitude gives the rate that `out` tells last.
//!
//! | port    | carries                                                                        |
//! |---------|--------------------------------------------------------------------------------|
//! | `in`    | beats: as from `qrs`, or any events at beats                                   |
//! | `out`   | `rate_bpm` and `is_found`, at the moment from which to breathe so: for `pacer.rate` |
//! | `steps` | at the end of each step its `rate_bpm`, `amplitude_ms` and how many intervals  |
//!
//! Rates are told ahead of their time, so that a pacer that follows waits for no heart: the sweep
//! at once, when beats could first have come, the found one `pause_s` before it begins.
//!
//! **Artefacts**: an interval outside 300 to 2 000 ms or more than 30 % off the last one counted
//! does not count (three in a row are a new rhythm), nor one across a gap or an event whose
//! `is_beat` is false or `rr_ms` missing. **End**: a step that is not over tells nothing.
//! **Cost**: some 50 ns a beat. **Source**: Lehrer, Vaschillo and Vaschillo 2000; Lehrer et al.
//! 2013.

use std::f64::consts::TAU;

use engine::{
    Body, Code, Diagnostic, Fault, Field, FieldValue, Format, GapNotice, Io, Kind, Node, Operator,
    Outline, Param, Port, Timestamp,
};

use crate::{
    bodies::load,
    math::{
        sine_fit::SineFit,
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "resonance",
    summary: "At which rate of breathing a heart swings most.",
    doc: "Sweeps the rate of breathing from high_bpm down to low_bpm by step_bpm, each for \
          step_s, beginning at begin_s; a `pacer` follows `out` by its port `rate`. In each step \
          after its first settle_share the intervals between beats are fitted with offset + b \
          cos(2 pi f t) + c sin(2 pi f t), f = rate_bpm / 60, by least squares; amplitude_ms = \
          sqrt(b^2 + c^2), half of what a heart's interval swings from trough to peak. `steps` \
          tells it at the end of each step; `out` the rate of the largest one, is_found true, \
          from pause_s after the last step on. Rates are told ahead of their time, so that a \
          pacer waits for no heart. An interval outside 300 to 2000 ms or more than 30 % off the \
          last one counted does not count (three in a row are a new rhythm), nor one across a \
          gap, after an event whose is_beat is false, or before one without rr_ms or with NaN \
          there. A step with fewer than 10 intervals has no amplitude; without any amplitude no \
          rate is found. Delay: none. Cost: about 50 ns a beat. Source: Lehrer, Vaschillo, \
          Vaschillo 2000, Resonant frequency biofeedback training.",
    example: "step_s = 11.0\nstep_bpm = 1.0\nlow_bpm = 5.0\npause_s = 2.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out"), Port::event("steps")],
    params: &[&LOW_BPM, &HIGH_BPM, &STEP_BPM, &STEP_S, &SETTLE_SHARE, &PAUSE_S, &BEGIN_S],
    timers: true,
    plan: |node| {
        let sweep = sweep(node)?;
        let steps_per_second = 1e9 / sweep.step_ns as f64;
        let rates = vec![Field::f64("rate_bpm"), Field::bool("is_found")];
        let fields =
            vec![Field::f64("rate_bpm"), Field::f64("amplitude_ms"), Field::i64("intervals")];
        // The whole sweep comes at once.
        let burst = sweep.steps as f64;
        Ok(Outline::of([
            Format::event(rates, burst.max(steps_per_second)),
            Format::event(fields, steps_per_second),
        ]))
    },
    build: |node| {
        let sweep = sweep(node)?;
        let beats = node.input("in").as_event().expect("the port takes events");
        let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
        let (is_beat, rr_ms) = (field("is_beat"), field("rr_ms"));
        Ok(Body::operator(Resonance { sweep, is_beat, rr_ms, progress: Progress::default() }))
    },
    ..Kind::BASE
};

const LOW_BPM: Param<f64> =
    Param::with_default("low_bpm", 4.5, "Slowest breathing of the sweep.").within(2.0, 30.0);
const HIGH_BPM: Param<f64> =
    Param::with_default("high_bpm", 7.0, "Fastest breathing, with which it begins.")
        .within(2.0, 30.0);
const STEP_BPM: Param<f64> =
    Param::with_default("step_bpm", 0.5, "From one rate to the next.").within(0.05, 10.0);
const STEP_S: Param<f64> =
    Param::with_default("step_s", 120.0, "How long each rate is breathed.").within(1.0, 3_600.0);
const SETTLE_SHARE: Param<f64> =
    Param::with_default("settle_share", 0.25, "What a step begins with and does not count.")
        .within(0.0, 0.9);
const PAUSE_S: Param<f64> = Param::with_default(
    "pause_s",
    10.0,
    "How long the last rate goes on until the found one begins.",
)
.within(0.0, 600.0);
const BEGIN_S: Param<f64> =
    Param::with_default("begin_s", 0.0, "When the first step begins.").within(0.0, 86_400.0);

const RR_NS: std::ops::RangeInclusive<i64> = 300_000_000..=2_000_000_000;
/// Largest change from one interval to the next that is believed.
const CHANGE: f64 = 0.3;
/// So many in a row that are not believed are.
const NEW_RHYTHM: u32 = 3;
/// Fewer do not tell a swing from chance.
const INTERVALS_MIN: f64 = 10.0;

#[derive(Clone, Copy)]
struct Sweep {
    high_bpm: f64,
    step_bpm: f64,
    steps: u64,
    begin_ns: i64,
    step_ns: i64,
    settle_ns: i64,
    pause_ns: i64,
}

fn sweep(node: &Node<'_>) -> Result<Sweep, Diagnostic> {
    let (low_bpm, high_bpm) = (node.get(&LOW_BPM)?, node.get(&HIGH_BPM)?);
    if low_bpm > high_bpm {
        let message = format!("`low_bpm` = {low_bpm:?} is above `high_bpm` = {high_bpm:?}");
        let problem = node.problem(Code::OutOfRange, LOW_BPM.name(), message);
        return Err(problem.hint("choose low_bpm below high_bpm"));
    }
    let (step_bpm, step_s) = (node.get(&STEP_BPM)?, node.get(&STEP_S)?);
    let nanos = |seconds: f64| (seconds * 1e9).round() as i64;
    Ok(Sweep {
        high_bpm,
        step_bpm,
        // Rates are written with few digits: what is a whole number of steps but for rounding is
        // one.
        steps: ((high_bpm - low_bpm) / step_bpm + 1e-9).floor() as u64 + 1,
        begin_ns: nanos(node.get(&BEGIN_S)?),
        step_ns: nanos(step_s),
        settle_ns: nanos(step_s * node.get(&SETTLE_SHARE)?),
        pause_ns: nanos(node.get(&PAUSE_S)?),
    })
}

impl Sweep {
    fn rate_bpm(&self, step: u64) -> f64 {
        self.high_bpm - step as f64 * self.step_bpm
    }

    /// When a step begins, or, for the one behind the last, when the sweep is over.
    fn start_ns(&self, step: u64) -> i64 {
        self.begin_ns + step as i64 * self.step_ns
    }
}

struct Resonance {
    sweep: Sweep,
    is_beat: Option<usize>,
    rr_ms: Option<usize>,
    progress: Progress,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    /// Whether the sweep was told.
    told: bool,
    /// The step that is measured.
    step: u64,
    fit: SineFit,
    last_ns: Option<i64>,
    /// The last interval that counted, and how many since did not.
    rr_ns: Option<i64>,
    doubted: u32,
    /// Rate and amplitude of the best step so far.
    best: Option<[f64; 2]>,
}

impl Progress {
    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.bool(&mut self.told)?;
        state.u64(&mut self.step)?;
        self.fit.visit(state)?;
        state.time(&mut self.last_ns)?;
        state.time(&mut self.rr_ns)?;
        state.u32(&mut self.doubted)?;
        let (mut is_there, mut best) = (self.best.is_some(), self.best.unwrap_or_default());
        state.bool(&mut is_there)?;
        best.iter_mut().try_for_each(|number| state.f64(number))?;
        self.best = is_there.then_some(best);
        Ok(())
    }

    /// Whether an interval is believed.
    fn believes(&mut self, rr_ns: i64) -> bool {
        if !RR_NS.contains(&rr_ns) {
            return false;
        }
        let off = self.rr_ns.map_or(0.0, |last| (rr_ns as f64 / last as f64 - 1.0).abs());
        if off > CHANGE && self.doubted + 1 < NEW_RHYTHM {
            self.doubted += 1;
            return false;
        }
        (self.rr_ns, self.doubted) = (Some(rr_ns), 0);
        true
    }
}

impl Operator for Resonance {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let event = io.event();
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        if field(self.is_beat) == Some(FieldValue::Bool(false)) {
            self.progress.last_ns = None;
            return Ok(());
        }
        let goes_on = match field(self.rr_ms) {
            Some(FieldValue::F64(rr_ms)) => rr_ms.is_finite(),
            rr_ms => self.rr_ms.is_none() || rr_ms.is_some(),
        };
        let now_ns = io.frame().header.time.nanos();
        let before_ns = self.progress.last_ns.replace(now_ns).filter(|_| goes_on);
        let Some(rr_ns) = before_ns.map(|before_ns| now_ns - before_ns) else { return Ok(()) };
        let start_ns = self.sweep.start_ns(self.progress.step);
        let since_ns = now_ns - start_ns;
        let counts = since_ns >= self.sweep.settle_ns && since_ns < self.sweep.step_ns;
        if self.progress.believes(rr_ns) && counts && self.progress.step < self.sweep.steps {
            let turns = since_ns as f64 / 60e9 * self.sweep.rate_bpm(self.progress.step);
            // A second taken off: no interval is near zero.
            self.progress.fit.push(TAU * turns, rr_ns as f64 / 1e6 - 1_000.0);
        }
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        let Progress { told, step, .. } = self.progress;
        let at_ns = match (told, step < self.sweep.steps) {
            (false, _) => self.sweep.begin_ns.min(0),
            (true, true) => self.sweep.start_ns(step + 1),
            (true, false) => return None,
        };
        Some(Timestamp::from_nanos(at_ns))
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        let sweep = self.sweep;
        let found = Timestamp::from_nanos(sweep.start_ns(sweep.steps) + sweep.pause_ns);
        if !self.progress.told {
            for step in 0..sweep.steps {
                let event = io.event_for(0).f64(0, sweep.rate_bpm(step)).bool(1, false);
                io.send_event(0, Timestamp::from_nanos(sweep.start_ns(step)), event);
            }
            io.promise(0, found);
            self.progress.told = true;
            return Ok(());
        }
        let rate_bpm = sweep.rate_bpm(self.progress.step);
        let fit = std::mem::take(&mut self.progress.fit);
        let amplitude_ms = fit.amplitude().filter(|_| fit.count() >= INTERVALS_MIN);
        let event = io.event_for(1).f64(0, rate_bpm).f64_or_absent(1, amplitude_ms);
        io.send_event(1, due, event.i64(2, fit.count() as i64));
        if let Some(amplitude_ms) = amplitude_ms
            && self.progress.best.is_none_or(|[_, most_ms]| amplitude_ms > most_ms)
        {
            self.progress.best = Some([rate_bpm, amplitude_ms]);
        }
        self.progress.step += 1;
        if self.progress.step == sweep.steps {
            if let Some([best_bpm, _]) = self.progress.best {
                let event = io.event_for(0).f64(0, best_bpm).bool(1, true);
                io.send_event(0, found, event);
            }
            io.promise(0, Timestamp::MAX);
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The sweep goes on; the interval across does not count.
        self.progress.last_ns = None;
        Ok(())
    }

    fn reset(&mut self) {
        self.progress = Progress::default();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut progress = self.progress;
        progress.visit(&mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let steps = self.sweep.steps;
        let mut loaded = Progress::default();
        self.reset();
        load("is no state of `resonance`", 1, from, |state| {
            loaded.visit(state)?;
            state.demand(loaded.step <= steps)
        })?;
        self.progress = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

    use super::*;

    const PARAMS: &str = "step_s = 60.0";

    /// A heart that swings with the sweep, most at 5.5 breaths a minute, and beats it misses.
    fn swinging(params: &str, lost: usize) -> Vec<Seen> {
        let format = Format::event(Vec::new(), 10.0);
        let mut resonance = Bench::with(&KIND, &[("in", format)], params).expect("valid");
        let mut second = 0.0;
        for n in 1.. {
            let step = (second / 60.0_f64).floor();
            let rate_bpm = 7.0 - 0.5 * step;
            let swing_s = 0.060 - 0.015 * (rate_bpm - 5.5f64).abs();
            // An interval belongs to the beat at its end; where it ends is found by halving twice.
            let next =
                |t: f64| second + 0.9 + swing_s * (TAU * rate_bpm / 60.0 * (t - 60.0 * step)).sin();
            second = (0..30).fold(second + 0.9, |t, _| next(t));
            if second > 420.0 {
                break;
            }
            if lost == 0 || n % lost != 0 {
                resonance.push(0, Bench::event_at(Timestamp::from_secs_f64(second)));
                resonance.run();
            }
        }
        resonance.flush();
        resonance.take()
    }

    fn of_port(seen: &[Seen], port: usize) -> Vec<&Seen> {
        seen.iter().filter(|seen| seen.port == port).collect()
    }

    #[test]
    fn the_rate_of_the_largest_swing_is_found() {
        for lost in [0, 17] {
            let seen = swinging(PARAMS, lost);
            let (rates, steps) = (of_port(&seen, 0), of_port(&seen, 1));
            let told: Vec<(f64, f64)> = rates
                .iter()
                .map(|seen| (seen.time().secs_f64(), seen.number("rate_bpm").expect("each")))
                .collect();
            let sweep =
                [(0.0, 7.0), (60.0, 6.5), (120.0, 6.0), (180.0, 5.5), (240.0, 5.0), (300.0, 4.5)];
            assert_eq!(told[..6], sweep);
            assert_eq!(told[6..], [(370.0, 5.5)]);
            for (n, step) in steps.iter().enumerate() {
                assert_eq!(step.time().secs_f64(), 60.0 * (n + 1) as f64);
                let want_ms = 60.0 - 15.0 * (7.0 - 0.5 * n as f64 - 5.5f64).abs();
                let got_ms = step.number("amplitude_ms").expect("many beats");
                // The heart does just what is fitted; times are whole nanoseconds. A lost beat
                // takes two intervals with it and leaves the rest as they are.
                assert!((got_ms - want_ms).abs() < 1e-3, "step {n}: {got_ms} is not {want_ms}");
            }
        }
    }

    #[test]
    fn without_beats_nothing_is_found_and_the_sweep_is_told_all_the_same() {
        let format = Format::event(Vec::new(), 10.0);
        let mut resonance = Bench::with(&KIND, &[("in", format)], PARAMS).expect("valid");
        resonance.promise(0, Timestamp::from_secs_f64(1.0));
        resonance.run();
        assert_eq!(resonance.take().len(), 6);
        assert_eq!(resonance.bound(0), Timestamp::from_secs_f64(370.0), "a pacer need not wait");
        resonance.promise(0, Timestamp::from_secs_f64(400.0));
        resonance.run();
        let seen = resonance.take();
        assert!(seen.iter().all(|seen| seen.port == 1 && seen.number("amplitude_ms").is_none()));
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn a_sweep_that_cannot_be_is_explained() {
        let input = [("in", Format::event(Vec::new(), 10.0))];
        let refused = Bench::with(&KIND, &input, "low_bpm = 8.0").err().expect("refused");
        let text = refused.to_string();
        assert!(text.contains("`low_bpm` = 8.0 is above `high_bpm` = 7.0"), "{text}");
        assert!(text.contains("hint:"), "{text}");
    }
}
