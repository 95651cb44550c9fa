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
//! | `out`    | an event whenever breathing in or out begins: `cue`, `for_s`, `rate_bpm` |
//! | `target` | how full the lungs should be, 0 to 1, at the input's rate        |
//!
//! The phase is a function of event time, counted in integers: it never drifts, and frames leave no
//! trace. Rate and share may change while it runs; the breath goes on from where it is.

use engine::{
    Body, Channel, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port,
    SignalFormat, Timestamp, Unit,
};

use crate::math::pacer::{Pacer, PacerError};

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
          change while it runs, without a jump. No delay. Cost: about 15 ns a sample. Source: \
          Lehrer, Vaschillo, Vaschillo 2000, Resonant frequency biofeedback training.",
    example: "rate_bpm = 6.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out"), Port::signal("target")],
    params: &[&RATE_BPM, &INHALE_SHARE],
    timers: true,
    plan: |node| {
        let input = node.signal("in");
        let fields = vec![Field::text("cue", 6), Field::f64("for_s"), Field::f64("rate_bpm")];
        let channels = vec![Channel { name: "target".to_owned(), unit: Unit::named("1") }];
        Ok(Outline::of([
            Format::event(fields, 2.0 * RATE_BPM_MAX / 60.0),
            Format::Signal(SignalFormat { channels, ..input.clone() }.into()),
        ]))
    },
    build: |node| {
        let (rate_bpm, inhale_share) = (node.get(&RATE_BPM)?, node.get(&INHALE_SHARE)?);
        let pacer = pacer(rate_bpm, inhale_share)?;
        let (now, due) = (Timestamp::ZERO, Timestamp::ZERO);
        let fresh = (pacer, rate_bpm);
        Ok(Body::operator(Guide { pacer, rate_bpm, now, due, fresh }))
    },
    ..Kind::BASE
};

const RATE_BPM_MAX: f64 = 60.0;
const RATE_BPM: Param<f64> =
    Param::with_default("rate_bpm", 6.0, "Breaths per minute.").within(1.0, RATE_BPM_MAX).live();
const INHALE_SHARE: Param<f64> =
    Param::with_default("inhale_share", 0.4, "Part of a breath that is breathing in.")
        .within(0.1, 0.9)
        .live();

fn pacer(rate_bpm: f64, inhale_share: f64) -> Result<Pacer, Fault> {
    let refused = |error: PacerError| Fault::new(error.to_string());
    Pacer::new(rate_bpm, inhale_share, 1.0 - inhale_share).map_err(refused)
}

struct Guide {
    pacer: Pacer,
    rate_bpm: f64,
    /// Up to where the input has come.
    now: Timestamp,
    /// When the next half of a breath begins.
    due: Timestamp,
    /// As it was built.
    fresh: (Pacer, f64),
}

impl Operator for Guide {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
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
        Some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
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

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The breath goes on, whether samples are missing or not.
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let told = |problem: engine::Diagnostic| Fault::new(problem.message);
        let rate_bpm = node.get(&RATE_BPM).map_err(told)?;
        let next = pacer(rate_bpm, node.get(&INHALE_SHARE).map_err(told)?)?;
        // A cue that is due but was not fired yet is not forgotten.
        let now_ns = self.now.min(self.due).nanos();
        self.pacer = self.pacer.followed_by(now_ns, next);
        self.fresh = (next, rate_bpm);
        self.rate_bpm = rate_bpm;
        if self.due > self.now {
            self.due = Timestamp::from_nanos(self.pacer.next_turn(now_ns).0);
        }
        Ok(())
    }

    fn reset(&mut self) {
        (self.pacer, self.rate_bpm) = self.fresh;
        (self.now, self.due) = (Timestamp::ZERO, Timestamp::ZERO);
    }

    fn save(&self, into: &mut Vec<u8>) {
        let (origin_ns, phase) = self.pacer.origin();
        into.push(1);
        for number in [self.now.nanos(), self.due.nanos(), origin_ns, phase.cast_signed()] {
            into.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let wrong = || Fault::new("is no state of `pacer`");
        let numbers = from.strip_prefix(&[1]).and_then(|state| state.as_chunks().0.try_into().ok());
        let numbers: [[u8; 8]; 4] = numbers.filter(|_| from.len() == 33).ok_or_else(wrong)?;
        let [now, due, origin_ns, phase] = numbers.map(i64::from_le_bytes);
        self.now = Timestamp::from_nanos(now);
        self.due = Timestamp::from_nanos(due);
        self.pacer = self.pacer.with_origin(origin_ns, phase.cast_unsigned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

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
}
