//! `beat_class`: what kind of beat each heart beat is: normal, premature, after a pause.
//!
//! Compares the ECG around every beat with the forms this heart's beats take, and its interval with
//! the usual one; see [`crate::math::beat_class`] for the method.
//!
//! | port    | carries                                                                     |
//! |---------|-----------------------------------------------------------------------------|
//! | `beats` | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb`          |
//! | `ecg`   | the ECG they were found in, its first channel; any unit, raw or band-passed |
//! | `out`   | one event per beat, at its time; `hrv` takes it as it is                    |
//!
//! `class` is a letter of WFDB annotations: `N` normal, `S` supraventricular premature, `V` ventricular
//! premature, `Q` unknown. `hrv` leaves out the intervals next to those that are not `N`.
//!
//! **Losses.** Where beats have an `rr_ms`, one without it has none here, and is not judged by time.
//! A NaN counts as the last good sample. A beat whose surroundings are not known, or flat, is `Q`.
//! No pause is told across 0.3 s and more that are NaN or lie in 1 s without any change.
//!
//! **Delay.** None: an event comes once 0.16 s of the ECG behind R are known; beats of `qrs` come later
//! than that. **Cost.** Some 30 000 multiplications a beat at 250 Hz, and a copy of every sample.

use engine::{
    Body, Fault, Field, FieldValue, Format, GapNotice, Io, Kind, Operator, Outline, Param, Policy,
    Port, Timestamp,
};

use super::{past::Past, watch::rounded};
use crate::{
    bodies::load,
    math::{
        beat_class::{BeatClasses, Verdict},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "beat_class",
    summary: "Tell normal from premature heart beats, and pauses.",
    doc: "The ECG around each beat (100 ms before R to 120 ms after) is compared with up to six forms of \
          earlier beats, d² = ½|x-w|²/|w|² + ½|x'-w'|²/|w'|² at the best of the shifts up to 30 ms; \
          half of all beats are as near to their form as d_usual. A beat within 4 d_usual (0.45 to 1.2) of \
          the form in most use is N, or S where it comes early and is within 2 d_usual; others are V where \
          they, or beats like them, come early, else Q. Early is 12 to 25 % before the median of the last \
          nine intervals between normal beats, the more, the more those differ. class is the letter \
          of WFDB annotations; `hrv` leaves out intervals next to beats that are not N. \
          interval_share is the interval in usual ones, difference d from the normal form; pause is \
          true for intervals of pause_ms and more, if no part of the ECG since the last beat is \
          lost or flat. rr_ms is that of the input, or the time since the last beat, where that is 3 s at \
          most. The first beats found what is normal; a beat without 0.14 s of ECG before it is Q. NaN \
          counts as the last good sample. Delay: none, told 0.16 s after R. On 19 leads of 15 people \
          94 % of V are told so and 94 % of those told are. Source: AAMI EC57 for the classes. \
          Cost: 30 000 multiplications a beat at 250 Hz.",
    example: "pause_ms = 2000.0",
    inputs: &[Port::event("beats").fed_by(&["qrs"]), Port::signal("ecg")],
    outputs: &[Port::event("out")],
    params: &[&PAUSE_MS],
    policy: Policy::Merge,
    plan: |node| {
        super::watch::check_rate(node, "ecg", RATES_HZ, "forms of beats")?;
        let fields = vec![
            Field::text("class", 1),
            Field::f64("rr_ms"),
            Field::f64("interval_share"),
            Field::f64("difference"),
            Field::bool("pause"),
        ];
        let outline = Outline::of([Format::event(fields, crate::BEATS_PER_SECOND_MAX)]);
        Ok(outline.looking_back(LOOK_BACK_NS))
    },
    build: |node| {
        let signal = node.signal("ecg");
        let beats = node.input("beats").as_event().expect("the port takes events");
        let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
        let past = Past::new(signal.rate, signal.frame_len);
        Ok(Body::operator(Classifier {
            classes: BeatClasses::new(past.rate_hz()),
            past,
            pause_ms: node.get(&PAUSE_MS)?,
            rr_ms: field("rr_ms"),
            is_beat: field("is_beat"),
            waiting: [Beat::default(); WAITING],
            count: 0,
            last: None,
        }))
    },
    ..Kind::BASE
};

const PAUSE_MS: Param<f64> =
    Param::with_default("pause_ms", 2_000.0, "An interval so long is a pause.")
        .within(300.0, 60_000.0);

/// Below, a beat has no form; above, comparing takes long.
const RATES_HZ: [f64; 2] = [100.0, 20_000.0];
/// What must be known behind R: 120 ms, a shift of 30 and half a slope of 10, and a sample of 240 Hz.
const LOOK_BACK_NS: i64 = 170_000_000;
/// Longer is no interval between beats, but one of them was not heard.
const RR_NS_MAX: i64 = 3_000_000_000;
/// More beats than can be in the time that may be missing.
const WAITING: usize = 16;
/// So much lost between two beats hides one.
const LOST_S: f64 = 0.3;

/// A beat as it came.
#[derive(Clone, Copy, Debug, Default)]
struct Beat {
    time_ns: i64,
    /// Since the beat before, if that was heard.
    rr_ns: Option<i64>,
}

struct Classifier {
    classes: BeatClasses,
    past: Past,
    pause_ms: f64,
    /// Fields of the beats.
    rr_ms: Option<usize>,
    is_beat: Option<usize>,
    /// Beats that wait for the ECG behind them, oldest first.
    waiting: [Beat; WAITING],
    count: usize,
    /// The last beat told, and what was lost of the ECG until then.
    last: Option<(i64, i64)>,
}

impl Classifier {
    fn beat(&mut self, io: &mut Io<'_>) {
        let event = io.event();
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        if field(self.is_beat) == Some(FieldValue::Bool(false)) {
            return;
        }
        let heard = match field(self.rr_ms) {
            Some(FieldValue::F64(rr_ms)) => rr_ms.is_finite(),
            rr_ms => self.rr_ms.is_none() || rr_ms.is_some(),
        };
        let time_ns = io.frame().header.time.nanos();
        let before = self.waiting[..self.count].last().map(|beat| beat.time_ns);
        let before = before.or(self.last.map(|(time_ns, _)| time_ns));
        let rr_ns = before.filter(|_| heard).map(|before| time_ns.saturating_sub(before));
        if self.count == WAITING {
            self.tell_first(None, io);
        }
        let rr_ns = rr_ns.filter(|rr_ns| (1..=RR_NS_MAX).contains(rr_ns));
        self.waiting[self.count] = Beat { time_ns, rr_ns };
        self.count += 1;
    }

    /// Tells the beats whose surroundings are known.
    fn tell_known(&mut self, io: &mut Io<'_>) {
        let (_, after) = self.classes.reach();
        while self.count > 0 {
            let Some(r) = self.past.place(self.waiting[0].time_ns) else { return };
            if !self.past.has(r + after as i64) {
                return;
            }
            self.tell_first(Some(r), io);
        }
    }

    /// Tells the first beat waiting; `r` is its place in the ECG.
    fn tell_first(&mut self, r: Option<i64>, io: &mut Io<'_>) {
        let Beat { time_ns, rr_ns } = self.waiting[0];
        self.waiting.copy_within(1..self.count, 0);
        self.count -= 1;
        let (before, after) = self.classes.reach();
        let ecg = r.and_then(|r| self.past.around(r, before, after));
        let verdict = self.classes.push(ecg, rr_ns.map(|rr_ns| rr_ns as f64 / 1e9));
        let lost = r.and_then(|r| self.past.lost_until(r));
        let is_pause = self.last.zip(lost).is_some_and(|((last_ns, lost_before), lost)| {
            let since_ms = time_ns.saturating_sub(last_ns) as f64 / 1e6;
            let lost_s = (lost - lost_before) as f64 / self.past.rate_hz();
            since_ms >= self.pause_ms && lost_s < LOST_S
        });
        // Where the ECG is not known there is nothing to measure from either.
        self.last = Some((time_ns, lost.unwrap_or(i64::MIN / 2)));
        let Verdict { class, interval_share, difference } = verdict;
        let event = io
            .event_for(0)
            .text(0, class.letter())
            .f64_or_absent(1, rr_ns.map(|rr_ns| rr_ns as f64 / 1e6))
            .f64_or_absent(2, interval_share.map(rounded))
            .f64_or_absent(3, difference.map(rounded))
            .bool(4, is_pause);
        io.send_event(0, Timestamp::from_nanos(time_ns), event);
    }

    /// Nothing more is known of what lies around the beats waiting.
    fn tell_all(&mut self, io: &mut Io<'_>) {
        while self.count > 0 {
            self.tell_first(None, io);
        }
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.classes.visit(state)?;
        self.past.visit(state)?;
        let mut count = self.count as u32;
        state.u32(&mut count)?;
        state.demand(count as usize <= WAITING)?;
        self.count = count as usize;
        for beat in &mut self.waiting {
            state.i64(&mut beat.time_ns)?;
            state.time(&mut beat.rr_ns)?;
        }
        let (mut time_ns, mut lost) = (self.last.map(|last| last.0), self.last.map_or(0, |l| l.1));
        state.time(&mut time_ns)?;
        state.i64(&mut lost)?;
        self.last = time_ns.map(|time_ns| (time_ns, lost));
        Ok(())
    }
}

impl Operator for Classifier {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.port() == 0 {
            self.beat(io);
        } else {
            // Of this very frame: others may have come that wait for a beat.
            let time_ns = io.frame().header.time.nanos();
            // Also where nobody told of it: after a restart the state is that of the last save.
            if !self.past.goes_on_at(time_ns) {
                self.tell_all(io);
                self.past.begin(time_ns);
                self.last = None;
            }
            self.past.take(io.frame().channel(0));
        }
        self.tell_known(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.tell_all(io);
        if io.port() == 1 {
            self.past.reset();
        }
        self.classes.gap();
        self.last = None;
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.tell_all(io);
        Ok(())
    }

    fn reset(&mut self) {
        self.classes.reset();
        self.past.reset();
        (self.count, self.last) = (0, None);
        self.waiting = [Beat::default(); WAITING];
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut copy = Self {
            classes: self.classes.clone(),
            past: self.past.clone(),
            waiting: self.waiting,
            ..*self
        };
        copy.visit(&mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `beat_class`", 1, from, |state| self.visit(state))
    }
}

#[cfg(test)]
mod tests;
