//! `evidence`: how probable something is, from signs of different kinds.
//!
//! Each event of an input is a sign: it multiplies the odds by the input's likelihood ratio, how much
//! more often the sign is seen when it is so than when it is not. With time signs grow old.
//!
//! ```text
//! blinks     ──┴────┴─┴───┴┴──      ratio 3        P  ┤      ╭╮ ╭╮╭───╮
//! head drops ───────────┴─────      ratio 20          ┤╭╮  ╭╯╰─╯╰╯    ╰──╮
//! steps      ────────────────┴┴     ratio 0.1   prior ┼╯╰──╯             ╰──
//! ```
//!
//! See [`crate::math::evidence`] for the formula.
//!
//! | port  | carries                                                                        |
//! |-------|--------------------------------------------------------------------------------|
//! | `in`  | events, any number of streams; a field `quality`, 0 to 1, says how sure each is |
//! | `out` | `probability` and `log_odds`, every `every_s` at its whole multiples            |
//!
//! Signs that come together are taken as independent; where two inputs see the same thing, take the
//! root of their ratios. `absent_ratios` is for silence: what `every_s` without any sign of an input
//! says, also where the silence is that of a sensor which failed: write it only for inputs that tell of
//! themselves, with quality 0 where they know nothing. **Missing**: an event whose quality is 0, NaN or
//! absent says nothing, and is no silence; without `absent_ratios` an input that falls silent leaves the
//! prior, within a few `half_life_s`. **Delay**: none: a value tells what was seen before
//! its time. **Cost**: some 30 ns an event.

use engine::{
    Body, BuildError, Code, Diagnostic, Diagnostics, Fault, Field, Format, GapNotice, Io, Kind,
    Node, Operator, Outline, Param, Port, Timestamp,
};

use crate::{bodies::load, math::evidence::Evidence, math::state::State};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "evidence",
    summary: "How probable something is, from signs of different kinds.",
    doc: "Log odds L = ln(p / (1 - p)), at first of `prior_share`. An event of input i adds ln(1 + quality (ratio_i \
          - 1)), with ratio_i = P(event | it is so) / P(event | it is not) from `ratios`, and its own \
          field `quality` (1 where its stream has none). L goes back to the prior with half_life_s, and stays \
          within log_odds_max_ratio either way. Where `absent_ratios` is written, every_s without an event of input \
          i counts as its sign (an event of quality 0 is no sign, and no silence either). Tells probability and log_odds every every_s, of what was seen before. An \
          event of quality 0, NaN or without quality says nothing; a gap is time that passes. Delay: \
          none. Cost: about 30 ns an event. Source: Good 1950, Probability and the Weighing of Evidence; \
          Pearl 1988, Probabilistic Reasoning in Intelligent Systems, section 2.1.",
    example: "ratios = [3.0, 0.5]\nhalf_life_s = 10.0",
    inputs: &[Port::event("in").variadic().fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&RATIOS, &ABSENT_RATIOS, &PRIOR_SHARE, &HALF_LIFE_S, &LOG_ODDS_MAX_RATIO, &EVERY_S],
    timers: true,
    plan: |node| {
        signs(node)?;
        let (prior, limit) = (node.get(&PRIOR_SHARE)?, node.get(&LOG_ODDS_MAX_RATIO)?);
        let log_odds = Evidence::new(prior, limit, 1.0).log_odds();
        if log_odds.abs() > limit {
            let message = format!(
                "`prior_share` = {prior:?} has log odds of {log_odds:.2}, beyond `log_odds_max_ratio` = \
                 {limit:?}"
            );
            let problem = node.problem(Code::OutOfRange, PRIOR_SHARE.name(), message);
            let hint = format!("choose log_odds_max_ratio = {:.1} or more", log_odds.abs() + 1.0);
            return Err(problem.hint(hint).into());
        }
        let fields = vec![Field::f64("probability"), Field::f64("log_odds")];
        Ok(Outline::of([Format::event(fields, 1.0 / node.get(&EVERY_S)?)]))
    },
    build: |node| {
        let half_life_s = node.get(&HALF_LIFE_S)?;
        let (prior, limit) = (node.get(&PRIOR_SHARE)?, node.get(&LOG_ODDS_MAX_RATIO)?);
        Ok(Body::operator(Weigher {
            evidence: Evidence::new(prior, limit, half_life_s),
            signs: signs(node).map_err(BuildError::Graph)?,
            every_ns: (node.get(&EVERY_S)? * 1e9).round() as i64,
            now: None,
            due: None,
        }))
    },
    ..Kind::BASE
};

const RATIOS: Param<&[f64]> = Param::required(
    "ratios",
    "For each input, how much likelier its events are if it is so than if not.",
)
.within(1e-6, 1e6);
const ABSENT_RATIOS: Param<&[f64]> = Param::optional(
    "absent_ratios",
    "For each input, how much likelier `every_s` without an event is if it is so.",
)
.within(1e-6, 1e6);
const PRIOR_SHARE: Param<f64> =
    Param::with_default("prior_share", 0.5, "Probability where nothing was seen.")
        .within(1e-9, 1.0 - 1e-9);
const HALF_LIFE_S: Param<f64> =
    Param::required("half_life_s", "After this time a sign counts half.").within(1e-3, 1e9);
const LOG_ODDS_MAX_RATIO: Param<f64> =
    Param::with_default("log_odds_max_ratio", 10.0, "Largest logarithm of the odds, either way.")
        .within(0.1, 100.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two values.").within(1e-3, 86_400.0);

/// What the events of one input say.
struct Sign {
    ratio: f64,
    /// What silence says.
    absent: f64,
    /// Field of the quality, if events have one.
    quality: Option<usize>,
    /// Whether there was an event since the last value.
    is_seen: bool,
}

fn signs(node: &Node<'_>) -> Result<Vec<Sign>, Diagnostics> {
    let inputs = node.inputs();
    let fits = |name: &str, list: &[f64]| -> Result<(), Diagnostic> {
        if list.len() == inputs.len() {
            return Ok(());
        }
        let message = format!("`{name}` has {} numbers for {} inputs", list.len(), inputs.len());
        let problem = node.problem(Code::OutOfRange, name, message);
        Err(problem.hint("write one ratio for each input, in the order of `from`"))
    };
    let ratios = node.get(&RATIOS)?;
    let absent = node.get_optional(&ABSENT_RATIOS)?.unwrap_or_else(|| vec![1.0; inputs.len()]);
    fits(RATIOS.name(), &ratios)?;
    fits(ABSENT_RATIOS.name(), &absent)?;
    let sign = |((input, ratio), absent): ((&engine::Input, f64), f64)| {
        let events = input.format.as_event().expect("the port takes events");
        let quality = events.fields.iter().position(|field| field.name == "quality");
        Sign { ratio, absent, quality, is_seen: false }
    };
    Ok(inputs.iter().zip(ratios).zip(absent).map(sign).collect())
}

struct Weigher {
    evidence: Evidence,
    signs: Vec<Sign>,
    every_ns: i64,
    /// Up to where time has passed.
    now: Option<i64>,
    due: Option<Timestamp>,
}

impl Weigher {
    fn pass_until(&mut self, time: Timestamp) {
        let before = self.now.replace(time.nanos()).unwrap_or(time.nanos());
        self.evidence.age((time.nanos() - before).max(0) as f64 / 1e9);
    }
}

impl Operator for Weigher {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        self.pass_until(time);
        let sign = &mut self.signs[io.line()];
        let quality = sign.quality.map_or(1.0, |field| io.event().f64(field).unwrap_or(0.0));
        // NaN is not above 0.
        if quality > 0.0 {
            self.evidence.see(sign.ratio, quality.min(1.0));
        }
        sign.is_seen = true;
        let next_ns = (time.nanos().div_euclid(self.every_ns) + 1).saturating_mul(self.every_ns);
        self.due.get_or_insert(Timestamp::from_nanos(next_ns));
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.pass_until(due);
        for sign in &mut self.signs {
            if !std::mem::replace(&mut sign.is_seen, false) {
                self.evidence.see(sign.absent, 1.0);
            }
        }
        let (probability, log_odds) = (self.evidence.probability(), self.evidence.log_odds());
        let event = io.event_for(0).f64(0, probability).f64(1, log_odds);
        io.send_event(0, due, event);
        self.due = Some(due.plus_nanos(self.every_ns));
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // Time passes, and signs grow old.
        Ok(())
    }

    fn reset(&mut self) {
        self.evidence.reset();
        self.signs.iter_mut().for_each(|sign| sign.is_seen = false);
        (self.now, self.due) = (None, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let (mut now, mut due) = (self.now, self.due.map(Timestamp::nanos));
        let (mut log_odds, mut state) = (self.evidence.log_odds(), State::Save(into));
        let mut pass = || {
            state.time(&mut now)?;
            state.time(&mut due)?;
            state.f64(&mut log_odds)?;
            self.signs.iter().try_for_each(|sign| state.bool(&mut { sign.is_seen }))
        };
        pass().expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let mut due = None;
        load("is no state of `evidence`", 1, from, |state| {
            let mut log_odds = 0.0;
            state.time(&mut self.now)?;
            state.time(&mut due)?;
            state.f64(&mut log_odds)?;
            self.evidence.set_log_odds(log_odds);
            self.signs.iter_mut().try_for_each(|sign| state.bool(&mut sign.is_seen))
        })?;
        self.due = due.map(Timestamp::from_nanos);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Header, testing::Bench};

    use super::*;

    fn format() -> Format {
        Format::event(vec![Field::f64("quality")], 10.0)
    }

    /// Probabilities told while events of two inputs come: second, input, quality.
    fn weigh(params: &str, events: &[(f64, usize, Option<f64>)]) -> Vec<(f64, f64)> {
        let format = format();
        let ports = [("in", format.clone()), ("in", format.clone())];
        let mut bench = Bench::with(&KIND, &ports, params).expect("valid");
        for &(at_s, line, quality) in events {
            let event = EventWriter::new(format.as_event().expect("events"));
            let event = event.f64_or_absent(0, quality).finish();
            let time = Timestamp::from_secs_f64(at_s);
            bench.push(line, Frame::new(Header::at(time), event));
            bench.promise(1 - line, time);
            bench.run();
        }
        let seen = bench.take();
        let told = |seen: &engine::testing::Seen| {
            (seen.time().secs_f64(), seen.number("probability").expect("told"))
        };
        seen.iter().map(told).collect()
    }

    #[test]
    fn signs_of_several_inputs_multiply_the_odds_and_grow_old() {
        let params = "ratios = [9.0, 0.25]\nhalf_life_s = 1.0\nevery_s = 1.0";
        let told = weigh(params, &[(0.0, 0, Some(1.0)), (1.0, 1, Some(1.0)), (2.5, 0, Some(0.0))]);
        assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), [1.0, 2.0]);
        // Half of ln 9 is ln 3. Then half of ln 3 + ln ¼: odds of √(3 / 4).
        let near = |got: f64, odds: f64| assert!((got - odds / (1.0 + odds)).abs() < 1e-14);
        near(told[0].1, 3.0);
        near(told[1].1, 0.75_f64.sqrt());
    }

    #[test]
    fn what_has_no_quality_says_nothing() {
        let params = "ratios = [9.0, 9.0]\nhalf_life_s = 1e9\nevery_s = 1.0";
        let told = weigh(
            params,
            &[(0.0, 0, Some(0.0)), (0.1, 1, Some(f64::NAN)), (0.2, 0, None), (1.0, 0, Some(1.0))],
        );
        assert_eq!(told[0].1, 0.5);
    }

    #[test]
    fn silence_is_a_sign_where_it_is_written() {
        let params = "ratios = [1.0, 1.0]\nabsent_ratios = [0.5, 1.0]\nhalf_life_s = 1e9\n\
                      prior_share = 0.8";
        let told = weigh(params, &[(0.5, 1, Some(1.0)), (1.5, 0, Some(1.0)), (3.0, 1, Some(1.0))]);
        // Odds of 4, halved by the first second without input 0, not by the second.
        assert!((told[0].1 - 2.0 / 3.0).abs() < 1e-9, "{told:?}");
        assert!((told[1].1 - 2.0 / 3.0).abs() < 1e-9, "{told:?}");
    }

    #[test]
    fn who_knows_nothing_is_not_silent() {
        let params = "ratios = [1.0, 1.0]\nabsent_ratios = [0.5, 1.0]\nhalf_life_s = 1e9";
        let told = weigh(params, &[(0.5, 0, Some(0.0)), (1.5, 0, Some(0.0)), (2.0, 1, Some(1.0))]);
        assert_eq!(told.iter().map(|told| told.1).collect::<Vec<_>>(), [0.5, 0.5]);
    }

    #[test]
    fn a_prior_beyond_the_limit_is_refused() {
        let params = "ratios = [1.0, 1.0]\nhalf_life_s = 1.0\nprior_share = 1e-6";
        let ports = [("in", format()), ("in", format())];
        let refused = Bench::with(&KIND, &ports, params).err().expect("refused").to_string();
        assert!(
            refused.contains("has log odds of -13.82") && refused.contains("hint:"),
            "{refused}"
        );
        Bench::with(&KIND, &ports, &format!("{params}\nlog_odds_max_ratio = 14.8"))
            .expect("within");
    }

    #[test]
    fn each_input_needs_its_ratio() {
        let params = "ratios = [1.0]\nhalf_life_s = 1.0";
        let ports = [("in", format()), ("in", format())];
        let refused = Bench::with(&KIND, &ports, params).err().expect("refused").to_string();
        assert!(refused.contains("`ratios` has 1 numbers for 2 inputs"), "{refused}");
    }
}
