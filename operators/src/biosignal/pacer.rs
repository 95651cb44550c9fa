//! `pacer`: when to breathe in and out.
//!
//! A guide for slow breathing, which is what most HRV biofeedback trains: six breaths a minute make
//! the heart swing most. Its time is that of its input, which may be any signal; the samples do not
//! matter.
//!
//! ```text
//! 1       ╭─╮             target: half a cosine up while breathing in,
//!       ╭╯   ╰╮           half a cosine down while breathing out
//! 0 ───╯        ╰───╯
//!   inhale  exhale  inhale   events, each at the moment it begins
//! ```
//!
//! | port     | carries                                                          |
//! |----------|------------------------------------------------------------------|
//! | `in`     | any signal, as a clock                                           |
//! | `rate`   | events with `rate_bpm`, such as from `resonance`: from then on so fast; may be left out |
//! | `out`    | an event whenever breathing in or out begins: `cue`, `for_s`, `rate_bpm` |
//! | `target` | how full the lungs should be, 0 to 1, at the input's rate        |
//!
//! The phase is a function of event time, counted in integers: it never drifts, and frames leave no
//! trace. Rate and share may change while it runs; the breath goes on from where it is.
//!
//! Fed with rates, it must know that none is to come before it can say how full the lungs should
//! be: frames leave it as late as rates may come, stamped up to a frame back (`look_back`).
//! `resonance` tells its rates ahead of their time.

use engine::{
    Body, Channel, Code, Diagnostic, Fault, Field, FieldKind, Format, GapNotice, Io, Kind, Node,
    Operator, Outline, Param, Port, SignalFormat, Timestamp, Unit,
};

use crate::{
    bodies::load,
    math::{
        pacer::{Pacer, PacerError},
        state::{State, StateError, put_f64, put_i64},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "pacer",
    summary: "When to breathe in and out.",
    doc: "Breaths of 60 / rate_bpm seconds from time zero on, the first `inhale_share` of each \
          breathing in. `out` says when each half begins, which (`cue`), and how long it takes \
          (`for_s`); `target` is how full the lungs should be: (1 - cos(pi p / i)) / 2 while \
          breathing in, (1 + cos(pi (p - i) / (1 - i))) / 2 while breathing out, with phase p and \
          i = inhale_share. The input is a clock: its samples do not matter, NaN neither; take \
          the source itself, so that cues come with its frames. rate_bpm and inhale_share may \
          change while it runs, without a jump; so does the rate with every event that enters \
          `rate`, to its `rate_bpm` within 1 and 60, at its very moment. Fed so, frames wait \
          until no rate can come before their end. No delay. Cost: about 15 ns a sample. Source: \
          Lehrer, Vaschillo, Vaschillo 2000, Resonant frequency biofeedback training.",
    example: "rate_bpm = 6.0",
    inputs: &[Port::signal("in"), Port::event("rate").optional().fed_by(&["resonance"])],
    outputs: &[Port::event("out"), Port::signal("target")],
    params: &[&RATE_BPM, &INHALE_SHARE],
    timers: true,
    plan: |node| {
        let input = node.signal("in");
        let fields = vec![Field::text("cue", 6), Field::f64("for_s"), Field::f64("rate_bpm")];
        let channels = vec![Channel { name: "target".to_owned(), unit: Unit::named("1") }];
        let outline = Outline::of([
            Format::event(fields, 2.0 * RATE_BPM_MAX / 60.0),
            Format::Signal(SignalFormat { channels, ..input.clone() }.into()),
        ]);
        // A frame that waits for its end is stamped with its beginning.
        let waits_ns = input.rate.span_ns(input.frame_len as i64) + 1;
        Ok(if rates(node)?.is_some() { outline.looking_back(waits_ns) } else { outline })
    },
    build: |node| {
        let (rate_bpm, inhale_share) = (node.get(&RATE_BPM)?, node.get(&INHALE_SHARE)?);
        let pacer = pacer(rate_bpm, inhale_share)?;
        let (now, due) = (Timestamp::ZERO, Timestamp::ZERO);
        let fresh = (pacer, rate_bpm);
        let follows = rates(node)?.map(|field| Follows { field, held: Held::default() });
        Ok(Body::operator(Guide { pacer, rate_bpm, inhale_share, now, due, follows, fresh }))
    },
    ..Kind::BASE
};

const RATE_BPM_MIN: f64 = 1.0;
const RATE_BPM_MAX: f64 = 60.0;
const RATE_BPM: Param<f64> = Param::with_default("rate_bpm", 6.0, "Breaths per minute.")
    .within(RATE_BPM_MIN, RATE_BPM_MAX)
    .live();
const INHALE_SHARE: Param<f64> =
    Param::with_default("inhale_share", 0.4, "Part of a breath that is breathing in.")
        .within(0.1, 0.9)
        .live();

fn pacer(rate_bpm: f64, inhale_share: f64) -> Result<Pacer, Fault> {
    let refused = |error: PacerError| Fault::new(error.to_string());
    Pacer::new(rate_bpm, inhale_share, 1.0 - inhale_share).map_err(refused)
}

/// The field that tells the rate, if rates are fed.
fn rates(node: &Node<'_>) -> Result<Option<usize>, Diagnostic> {
    let Some(input) = node.inputs().iter().find(|input| input.port == "rate") else {
        return Ok(None);
    };
    let fields = &input.format.as_event().expect("the port takes events").fields;
    let is_rate = |field: &Field| field.name == "rate_bpm" && field.kind == FieldKind::F64;
    fields.iter().position(is_rate).map(Some).ok_or_else(|| {
        let message = format!("`{}` has no number `rate_bpm` to follow", input.label);
        let problem = Diagnostic::error(Code::FormatMismatch, message).at(&input.place);
        problem.hint("take `resonance`, or events with a field `rate_bpm`")
    })
}

struct Guide {
    pacer: Pacer,
    rate_bpm: f64,
    inhale_share: f64,
    /// Up to where the input has come.
    now: Timestamp,
    /// When the next half of a breath begins.
    due: Timestamp,
    /// Where rates are fed.
    follows: Option<Follows>,
    /// As it was built.
    fresh: (Pacer, f64),
}

struct Follows {
    field: usize,
    held: Held,
}

/// The frame that waits until no rate can come before its end.
#[derive(Default)]
struct Held {
    start: Timestamp,
    end: Timestamp,
    /// When its samples are.
    times: Vec<Timestamp>,
    /// Targets of the first of them, by rates that held then.
    targets: Vec<f32>,
}

impl Held {
    /// Fills in the targets of what is older than `until`.
    fn fill(&mut self, until: Timestamp, pacer: &Pacer) {
        let known = self.targets.len();
        let older = self.times[known..].iter().take_while(|time| **time < until);
        self.targets.extend(older.map(|time| pacer.at(time.nanos()).target as f32));
    }
}

impl Guide {
    /// Sends the frame that waited, if there is one.
    fn release(&mut self, io: &mut Io<'_>) {
        let Some(Follows { held, .. }) = &mut self.follows else { return };
        if held.times.is_empty() {
            return;
        }
        held.fill(Timestamp::MAX, &self.pacer);
        let mut target = io.signal(1, held.times.len());
        let samples = target.floats_mut().expect("a fresh buffer has one holder");
        samples.copy_from_slice(&held.targets);
        io.send_buffer(1, held.start, target);
        self.now = held.end;
        held.times.clear();
        held.targets.clear();
    }

    /// Goes on from `time` at another rate.
    fn turn_to(&mut self, rate_bpm: f64, time: Timestamp) -> Result<(), Fault> {
        let Some(Follows { held, .. }) = &mut self.follows else { return Ok(()) };
        held.fill(time, &self.pacer);
        let rate_bpm = rate_bpm.clamp(RATE_BPM_MIN, RATE_BPM_MAX);
        self.pacer = self.pacer.followed_by(time.nanos(), pacer(rate_bpm, self.inhale_share)?);
        self.rate_bpm = rate_bpm;
        self.now = self.now.max(time);
        if self.due > time {
            self.due = Timestamp::from_nanos(self.pacer.next_turn(time.nanos()).0);
        }
        Ok(())
    }
}

impl Operator for Guide {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        if let Some(Follows { field, .. }) = self.follows {
            if io.port() == 1 {
                let rate_bpm = io.event().f64(field).filter(|rate_bpm| rate_bpm.is_finite());
                return rate_bpm.map_or(Ok(()), |rate_bpm| self.turn_to(rate_bpm, time));
            }
            self.release(io);
        }
        if let Some(Follows { held, .. }) = &mut self.follows {
            (held.start, held.end) = (time, io.end());
            held.times.extend((0..len).map(|n| io.time_of(n as i64)));
            return Ok(());
        }
        let mut target = io.signal(1, len);
        let samples = target.floats_mut().expect("a fresh buffer has one holder");
        for (n, sample) in samples.iter_mut().enumerate() {
            *sample = self.pacer.at(io.time_of(n as i64).nanos()).target as f32;
        }
        io.send_buffer(1, time, target);
        self.now = io.end();
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        let held = self.follows.as_ref().map(|follows| &follows.held);
        let waits_for = held.filter(|held| !held.times.is_empty()).map(|held| held.end);
        Some(waits_for.map_or(self.due, |end| end.min(self.due)))
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        // Both may be due at once: a breath that turns where a frame ends.
        if self.follows.as_ref().is_some_and(|follows| follows.held.end <= due) {
            self.release(io);
        }
        if due < self.due {
            return Ok(());
        }
        let (next_ns, is_inhale_next) = self.pacer.next_turn(due.nanos());
        let event = io
            .event_for(0)
            .text(0, if is_inhale_next { "exhale" } else { "inhale" })
            .f64(1, (next_ns - due.nanos()) as f64 / 1e9)
            .f64(2, self.rate_bpm);
        io.send_event(0, due, event);
        self.due = Timestamp::from_nanos(next_ns);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.release(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        // The breath goes on, whether samples are missing or not.
        self.release(io);
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let told = |problem: engine::Diagnostic| Fault::new(problem.message);
        let rate_bpm = node.get(&RATE_BPM).map_err(told)?;
        let inhale_share = node.get(&INHALE_SHARE).map_err(told)?;
        // A rate that events brought stays, unless another one was written.
        let next_bpm = if rate_bpm == self.fresh.1 { self.rate_bpm } else { rate_bpm };
        let next = pacer(next_bpm, inhale_share)?;
        // A cue that is due but was not fired yet is not forgotten.
        let now_ns = self.now.min(self.due).nanos();
        self.pacer = self.pacer.followed_by(now_ns, next);
        self.fresh = (pacer(rate_bpm, inhale_share)?, rate_bpm);
        (self.rate_bpm, self.inhale_share) = (next_bpm, inhale_share);
        if self.due > self.now {
            self.due = Timestamp::from_nanos(self.pacer.next_turn(now_ns).0);
        }
        Ok(())
    }

    fn reset(&mut self) {
        (self.pacer, self.rate_bpm) = self.fresh;
        (self.now, self.due) = (Timestamp::ZERO, Timestamp::ZERO);
        if let Some(Follows { held, .. }) = &mut self.follows {
            held.times.clear();
            held.targets.clear();
        }
    }

    fn save(&self, into: &mut Vec<u8>) {
        let (origin_ns, phase) = self.pacer.origin();
        into.push(2);
        for number in [self.now.nanos(), self.due.nanos(), origin_ns, phase.cast_signed()] {
            put_i64(into, number);
        }
        if let Some(Follows { held, .. }) = &self.follows {
            put_f64(into, self.rate_bpm);
            for number in [held.start.nanos(), held.end.nanos(), held.times.len() as i64] {
                put_i64(into, number);
            }
            put_i64(into, held.targets.len() as i64);
            held.times.iter().for_each(|time| put_i64(into, time.nanos()));
            held.targets.iter().for_each(|target| put_f64(into, f64::from(*target)));
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `pacer`", 2, from, |state| self.loaded(state))
    }
}

impl Guide {
    fn loaded(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut numbers = [0; 4];
        numbers.iter_mut().try_for_each(|number| state.i64(number))?;
        let [now, due, origin_ns, phase] = numbers;
        (self.now, self.due) = (Timestamp::from_nanos(now), Timestamp::from_nanos(due));
        self.pacer = self.pacer.with_origin(origin_ns, phase.cast_unsigned());
        let Some(Follows { held, .. }) = &mut self.follows else { return Ok(()) };
        // The rate is not that of the parameters once another was fed.
        state.f64(&mut self.rate_bpm)?;
        let rated = pacer(self.rate_bpm, self.inhale_share).map_err(|_| StateError::Content)?;
        self.pacer = rated.with_origin(origin_ns, phase.cast_unsigned());
        numbers.iter_mut().try_for_each(|number| state.i64(number))?;
        let [start, end, samples, known] = numbers;
        state.demand((0..=FRAME_LEN_MAX).contains(&samples) && (0..=samples).contains(&known))?;
        (held.start, held.end) = (Timestamp::from_nanos(start), Timestamp::from_nanos(end));
        held.times.clear();
        held.targets.clear();
        for _ in 0..samples {
            let mut time = 0;
            state.i64(&mut time)?;
            held.times.push(Timestamp::from_nanos(time));
        }
        for _ in 0..known {
            let mut target = 0.0;
            state.f64(&mut target)?;
            held.targets.push(target as f32);
        }
        Ok(())
    }
}

/// No frame is longer.
const FRAME_LEN_MAX: i64 = 1 << 24;

#[cfg(test)]
mod tests {
    use engine::{
        EventWriter, Frame, Header,
        testing::{Bench, Seen},
    };

    use super::*;

    /// Cues as time in milliseconds, word and seconds.
    fn cues(seen: &[Seen]) -> Vec<(i64, String, f64)> {
        let cue = |seen: &Seen| {
            let word = seen.text("cue").expect("each has one").to_owned();
            (seen.time().nanos() / 1_000_000, word, seen.number("for_s").expect("each has one"))
        };
        seen.iter().filter(|seen| seen.port == 0).map(cue).collect()
    }

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 50.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn six_breaths_a_minute_begin_every_ten_seconds() {
        let mut pacer = bench("rate_bpm = 6.0\ninhale_share = 0.5");
        pacer.feed(&[0.0; 50 * 21]);
        let seen = pacer.take();
        let (inhale, exhale) = ("inhale".to_owned(), "exhale".to_owned());
        let want = [
            (0, inhale.clone(), 5.0),
            (5_000, exhale.clone(), 5.0),
            (10_000, inhale.clone(), 5.0),
            (15_000, exhale, 5.0),
            (20_000, inhale, 5.0),
        ];
        assert_eq!(cues(&seen), want);

        let target: Vec<f32> = seen
            .iter()
            .filter(|seen| seen.port == 1)
            .flat_map(|seen| seen.frame.samples().to_vec())
            .collect();
        for (n, &got) in target.iter().enumerate() {
            let want = 0.5 - 0.5 * (std::f64::consts::PI * n as f64 / 250.0).cos();
            // Half a unit in the last of 24 bits, and some 1e-16 of phase and cosine.
            assert!((f64::from(got) - want).abs() < 2f64.powi(-24), "n = {n}: {got} is not {want}");
        }
    }

    #[test]
    fn cues_do_not_depend_on_frames() {
        let of = |len: usize| {
            let mut pacer = bench("rate_bpm = 17.3");
            for part in vec![f32::NAN; 3_000].chunks(len) {
                pacer.feed(part);
            }
            cues(&pacer.take())
        };
        assert_eq!(of(3_000), of(1));
        // 60 s at 17.3 a minute: 18 breaths have begun, of which 17 and the first part of one more
        // (0.3 of it, less than the 0.4 of breathing in) have passed.
        assert_eq!(of(7).len(), 2 * 17 + 1);
    }

    #[test]
    fn a_new_rate_goes_on_from_where_the_breath_is() {
        let mut pacer = bench("rate_bpm = 6.0\ninhale_share = 0.5");
        pacer.feed(&[0.0; 50 * 2]);
        pacer.set("rate_bpm", 12.0).expect("live");
        pacer.feed(&[0.0; 50 * 10]);
        // Two of five seconds of breathing in have passed; the other three fifths take 1.5 s.
        let begins: Vec<i64> = cues(&pacer.take()).iter().map(|cue| cue.0).collect();
        assert_eq!(begins[..4], [0, 3_500, 6_000, 8_500]);
        assert!(pacer.set("rate_bpm", 600.0).is_err(), "nobody breathes so fast");
    }

    #[test]
    fn a_saved_breath_goes_on_and_a_reset_one_begins_anew() {
        let mut pacer = bench("");
        pacer.feed(&[0.0; 50 * 5]);
        let state = pacer.save();
        let mut other = bench("");
        other.load(&state).expect("its own state");
        assert!(other.load(&state[1..]).is_err());
        let first = cues(&pacer.take());
        pacer.reset();
        pacer.feed(&[0.0; 50 * 5]);
        assert_eq!(cues(&pacer.take()), first);
    }

    /// Feeds 60 s in frames of `len` samples and two rates on the way; cues, and all targets.
    fn followed(len: usize) -> (Vec<(i64, String, f64)>, Vec<f32>) {
        let rates = Format::event(vec![Field::f64("rate_bpm")], 1.0);
        let inputs = [("in", Bench::channels(1, 50.0)), ("rate", rates.clone())];
        let mut pacer = Bench::with(&KIND, &inputs, "inhale_share = 0.5").expect("valid");
        let mut told = vec![(30_123, 500.0), (2_000, 12.0)];
        for from in (0..3_000).step_by(len) {
            let until = (from + len).min(3_000);
            pacer.push_samples(0, &vec![0.0; until - from]);
            let end_ms = until as i64 * 20;
            while let Some((ms, rate_bpm)) = told.pop_if(|(ms, _)| *ms < end_ms) {
                let event = EventWriter::new(rates.as_event().expect("events")).f64(0, rate_bpm);
                let header = Header::at(Timestamp::from_nanos(ms * 1_000_000));
                pacer.push(1, Frame::new(header, event.finish()));
            }
            pacer.promise(1, Timestamp::from_nanos(end_ms * 1_000_000));
            pacer.run();
        }
        pacer.flush();
        assert_eq!(pacer.late(), 0);
        let seen = pacer.take();
        let targets = seen.iter().filter(|seen| seen.port == 1);
        (cues(&seen), targets.flat_map(|seen| seen.frame.samples().to_vec()).collect())
    }

    #[test]
    fn a_rate_that_is_fed_counts_from_its_moment_whatever_the_frames() {
        let (cues, targets) = followed(3_000);
        assert_eq!(targets.len(), 3_000);
        let begins: Vec<i64> = cues.iter().map(|cue| cue.0).collect();
        // As by the knob: two of five seconds of breathing in have passed, the rest takes 1.5 s.
        // What nobody can breathe becomes sixty a minute.
        assert_eq!(begins[..4], [0, 3_500, 6_000, 8_500]);
        assert_eq!(begins[begins.len() - 1] - begins[begins.len() - 3], 1_000);
        for len in [1, 7, 250] {
            assert!(followed(len) == (cues.clone(), targets.clone()), "frames of {len}");
        }
    }

    #[test]
    fn what_tells_no_rate_is_not_followed() {
        let beats = Format::event(vec![Field::f64("rr_ms")], 1.0);
        let inputs = [("in", Bench::channels(1, 50.0)), ("rate", beats)];
        let text = Bench::with(&KIND, &inputs, "").err().expect("refused").to_string();
        assert!(text.contains("has no number `rate_bpm` to follow"), "{text}");
    }
}
