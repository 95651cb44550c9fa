//! `correct_beats`: find artefacts in a row of heart beats and correct them.
//!
//! After Lipponen and Tarvainen 2019: ectopic beats, beats that were missed or that were none, and
//! others that come far too early or late, told apart by how intervals change from one to the next,
//! against thresholds that follow the heart. Formulas and differences to neurokit2 stand in
//! `operators::math::artefacts`.
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb` |
//! | `out` | one event per beat after correction, at its corrected time         |
//!
//! Events have `rr_ms` (absent behind a gap), `artefact` ("none", "ectopic", "longshort" or "missed"),
//! `moved_ms` (how much later than it was told) and `extra` (beats left out just before). `hrv` and the
//! others take them as they are.
//!
//! An early beat makes its own interval short and the next one long: by the paper's rule it is
//! "longshort" and the next "ectopic", and both are moved, which leaves half of what it was early.
//!
//! **Delay.** None, but a beat is told `ahead_beats` + 5 beats later: ten by default, fifty-five as in
//! the paper. Where beats stop for `rr_max_ms`, what waits is told at once.

use engine::{
    Body, Fault, Field, FieldValue, Format, GapNotice, Io, Kind, Operator, Outline, Param, Port,
    Timestamp,
};

use crate::math::artefacts::{AHEAD_BEATS, Artefacts, Class, Corrected, DECISION_BEATS};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "correct_beats",
    summary: "Find artefacts in a row of heart beats and correct them.",
    doc: "After Lipponen and Tarvainen 2019, in one pass: changes of the interval and its distance from \
          the median of 11, against 5.2 times the quartile deviation of 91 beats, tell ectopic beats, \
          long or short ones, missed and extra ones. Extra ones are left out, missed ones put in \
          halfway, the others moved halfway between their neighbours. `ahead_beats` are waited for, the \
          91 reach so much further back; with 50 classes and times are those of neurokit2's \
          signal_fixpeaks (kubios, not iterative), but for the first beats, of which the first 20 are \
          not judged if fewer than 20 are waited for, and for the count it loses behind the second \
          extra beat. Events: `rr_ms`, `artefact`, `moved_ms`, `extra` (beats left out just before). \
          Where half of all changes are alike nothing is judged. Events whose `is_beat` is false are \
          passed over; one without `rr_ms`, or with one that is NaN or infinite, one more than rr_max_ms \
          after the last, and one behind a gap begin anew. Delay: none, but a beat is told ahead_beats + 5 \
          beats later, or when none came for rr_max_ms. Cost: about 1 us a beat.",
    example: "ahead_beats = 5",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&AHEAD, &RR_MAX_MS],
    timers: true,
    plan: |node| {
        let fields = vec![
            Field::f64("rr_ms"),
            Field::text("artefact", 9),
            Field::f64("moved_ms"),
            Field::i64("extra"),
        ];
        // One beat more than is waited for: what is moved may go back towards the beat before.
        let beats = node.get(&AHEAD)? + DECISION_BEATS as i64 + 1;
        let look_back_ns = beats * rr_max_ns(node.get(&RR_MAX_MS)?);
        // A beat may be put in between any two.
        let format = Format::event(fields, 2.0 * crate::BEATS_PER_SECOND_MAX);
        Ok(Outline::of([format]).looking_back(look_back_ns))
    },
    build: |node| {
        let beats = node.input("in").as_event().expect("the port takes events");
        let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
        Ok(Body::operator(Correct {
            artefacts: Artefacts::new(node.get(&AHEAD)? as usize),
            rr_max_ns: rr_max_ns(node.get(&RR_MAX_MS)?),
            last: None,
            told: None,
            is_beat: field("is_beat"),
            rr_ms: field("rr_ms"),
        }))
    },
    ..Kind::BASE
};

const AHEAD: Param<i64> =
    Param::with_default("ahead_beats", 5, "Beats waited for before one is judged.")
        .within(AHEAD_BEATS[0] as f64, AHEAD_BEATS[1] as f64);
const RR_MAX_MS: Param<f64> =
    Param::with_default("rr_max_ms", 3_000.0, "Longer without a beat is a gap.")
        .within(200.0, 60_000.0);

const STATE_VERSION: u8 = 1;

fn rr_max_ns(rr_max_ms: f64) -> i64 {
    (rr_max_ms * 1e6).round() as i64
}

struct Correct {
    artefacts: Artefacts,
    rr_max_ns: i64,
    /// The beat taken last.
    last: Option<Timestamp>,
    /// The beat told last, if no gap was since.
    told: Option<Timestamp>,
    is_beat: Option<usize>,
    rr_ms: Option<usize>,
}

impl Correct {
    /// Tells all that waits; the next beat is the first.
    fn end(&mut self, io: &mut Io<'_>) {
        let told = &mut self.told;
        self.artefacts.end(&mut |beat| tell(beat, told, io));
        (self.last, self.told) = (None, None);
    }
}

fn tell(beat: Corrected, told: &mut Option<Timestamp>, io: &mut Io<'_>) {
    let time = Timestamp::from_nanos(beat.time_ns);
    let rr_ms = told.replace(time).map(|last| time.since(last) as f64 / 1e6);
    let artefact = match beat.class {
        Class::Normal | Class::Extra => "none",
        Class::Ectopic => "ectopic",
        Class::LongShort => "longshort",
        Class::Missed => "missed",
    };
    let event = io
        .event_for(0)
        .f64_or_absent(0, rr_ms)
        .text(1, artefact)
        .f64(2, (beat.time_ns - beat.was_ns) as f64 / 1e6)
        .i64(3, i64::from(beat.extra));
    io.send_event(0, time, event);
    // Beats stay in order, whatever is put in or moved.
    io.promise(0, time.plus_nanos(1));
}

impl Operator for Correct {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        let event = io.event();
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        let is_beat = field(self.is_beat) != Some(FieldValue::Bool(false));
        let goes_on = match field(self.rr_ms) {
            Some(FieldValue::F64(rr_ms)) => rr_ms.is_finite(),
            rr_ms => self.rr_ms.is_none() || rr_ms.is_some(),
        };
        if !is_beat || self.last.is_some_and(|last| time <= last) {
            return Ok(());
        }
        let is_far = |last: Timestamp| time.since(last) > self.rr_max_ns;
        if !goes_on || self.last.is_some_and(is_far) {
            self.end(io);
        }
        self.last = Some(time);
        let told = &mut self.told;
        self.artefacts.push(time.nanos(), &mut |beat| tell(beat, told, io));
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        // At the moment itself a beat may still come, just in time.
        self.last.map(|last| last.plus_nanos(self.rr_max_ns.saturating_add(1)))
    }

    fn on_due(&mut self, _: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.end(io);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.end(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.end(io);
        Ok(())
    }

    fn reset(&mut self) {
        self.artefacts.reset();
        (self.last, self.told) = (None, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(STATE_VERSION);
        for time in [self.last, self.told] {
            into.extend_from_slice(&time.unwrap_or(Timestamp::MIN).nanos().to_le_bytes());
        }
        self.artefacts.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let wrong = || Fault::new("is no state of `correct_beats`");
        let state = from.strip_prefix(&[STATE_VERSION]).ok_or_else(wrong)?;
        let (last, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (told, state) = state.split_first_chunk().ok_or_else(wrong)?;
        self.artefacts.load(state).map_err(|error| wrong().because(error))?;
        let time = |bytes: &[u8; 8]| {
            let time = Timestamp::from_nanos(i64::from_le_bytes(*bytes));
            Some(time).filter(|&time| time > Timestamp::MIN)
        };
        (self.last, self.told) = (time(last), time(told));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::{
        EventWriter, Frame, Header,
        testing::{Bench, Seen},
    };

    use super::*;

    fn bench() -> Bench {
        let format = Format::event(vec![Field::bool("is_beat")], 10.0);
        Bench::with(&KIND, &[("in", format)], "ahead_beats = 5").expect("valid")
    }

    fn push(bench: &mut Bench, time_ms: i64, is_beat: bool) {
        let format = Format::event(vec![Field::bool("is_beat")], 10.0);
        let event = EventWriter::new(format.as_event().expect("events")).bool(0, is_beat);
        let header = Header::at(Timestamp::from_nanos(time_ms * 1_000_000));
        bench.push(0, Frame::new(header, event.finish()));
        bench.run();
    }

    /// Beats 800 ms apart, give or take a few.
    fn heart(count: i64) -> Vec<i64> {
        (1..=count).map(|n| 800 * n + (n * n) % 31).collect()
    }

    fn corrected(beats: &[i64]) -> Vec<Seen> {
        let mut bench = bench();
        beats.iter().for_each(|time_ms| push(&mut bench, *time_ms, true));
        bench.flush();
        assert_eq!(bench.late(), 0);
        bench.take()
    }

    #[test]
    fn a_missed_beat_is_put_in_and_one_too_many_left_out() {
        let mut beats = heart(80);
        beats.remove(50);
        beats.insert(60, beats[59] + 300);
        let seen = corrected(&beats);

        assert_eq!(seen.len(), 80);
        assert_eq!(seen[50].text("artefact"), Some("missed"));
        let missed_ms = seen[50].time().nanos() as f64 / 1e6;
        assert_eq!(missed_ms, (beats[49] + beats[50]) as f64 / 2.0, "halfway");
        let extra: f64 = seen.iter().filter_map(|seen| seen.number("extra")).sum();
        assert_eq!(extra, 1.0);
        let rr_ms: Vec<f64> = seen.iter().filter_map(|seen| seen.number("rr_ms")).collect();
        assert_eq!(rr_ms.len(), 79);
        assert!(rr_ms.iter().all(|rr_ms| (740.0..860.0).contains(rr_ms)), "{rr_ms:?}");
    }

    #[test]
    fn an_early_beat_and_the_one_behind_it_are_moved_towards_even_intervals() {
        let mut beats = heart(80);
        beats[50] -= 250;
        let seen = corrected(&beats);

        assert_eq!(seen.len(), 80);
        let artefact = |n: usize| seen[n].text("artefact").expect("always told");
        assert_eq!((artefact(50), artefact(51)), ("longshort", "ectopic"));
        let others = seen.iter().filter(|seen| seen.text("artefact") != Some("none")).count();
        assert_eq!(others, 2);
        // The one behind goes half the way back, the early one between it and the one before.
        let halfway = (beats[50] + beats[52]) as f64 / 2.0;
        assert_eq!(seen[51].number("moved_ms"), Some(halfway - beats[51] as f64));
        let halfway = (beats[49] as f64 + halfway) / 2.0;
        assert_eq!(seen[50].number("moved_ms"), Some(halfway - beats[50] as f64));
    }

    #[test]
    fn silence_and_what_is_no_beat_have_their_say() {
        let mut bench = bench();
        for time_ms in heart(12) {
            push(&mut bench, time_ms, true);
            push(&mut bench, time_ms + 100, false);
        }
        assert_eq!(bench.take().len(), 12 - 10, "ten wait");
        bench.promise(0, Timestamp::from_nanos(30_000_000_000));
        bench.run();
        let seen = bench.take();
        assert_eq!(seen.len(), 10, "no beat came for three seconds");

        push(&mut bench, 40_000, true);
        push(&mut bench, 40_800, true);
        bench.flush();
        let seen = bench.take();
        assert_eq!((seen[0].number("rr_ms"), seen[1].number("rr_ms")), (None, Some(800.0)));
        assert_eq!(bench.late(), 0);
    }
}
