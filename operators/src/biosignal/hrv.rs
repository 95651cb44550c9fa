//! `hrv`: heart-rate variability over a sliding window.
//!
//! Time domain (Task Force 1996): with the intervals RR of the window and the
//! differences d of neighbours that share a beat,
//!
//! ```text
//! sdnn  = √( Σ (RR − mean)² / (n − 1) )
//! rmssd = √( Σ d² / m )
//! pnn50 = 100 · |{ d : |d| > 50 ms }| / m
//! ```
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb` |
//! | `out` | one event every `every_s`, at its whole multiples                  |
//!
//! Of a window, `intervals` count, `span_s` is how long they are together (less than the window at
//! the beginning and after losses), and `removed` were left out.
//!
//! **Artefacts.** An interval that differs by more than `rr_change_max_pct` from the last one counted
//! is left out; see [`crate::math::hrv`].
//!
//! **The end.** Values wait for the first beat behind their time. Where the stream ends before it,
//! those due within one mean interval after the last beat are told all the same: a recording of
//! five minutes has its value at five minutes.
//!
//! Where events have a field `is_beat`, those that are none are passed over; where they have a
//! `class`, intervals next to a beat that does not come from the sinus node (not N, L, R, e or j)
//! do not count. Where they have an `rr_ms`, one without it, or with one that is not finite, follows
//! a gap: nothing is measured across.
//!
//! Exact: sums are whole nanoseconds, so values equal a fresh computation bit for bit. A beat
//! costs some 30 ns.

use engine::{
    Body, BuildError, Code, Diagnostic, EventReader, Fault, Field, FieldValue, Format, GapNotice,
    Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use crate::math::hrv::{Hrv, HrvParameters};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hrv",
    summary: "Heart-rate variability over a sliding window.",
    doc: "Mean interval, SDNN (ddof 1), RMSSD and pNN50 (strictly more than 50 ms) of the beats in the \
          last `window_s`, every `every_s` of event time, after Task Force 1996. An interval outside \
          rr_min_ms to rr_max_ms, or more than rr_change_max_pct off the last one counted (Malik 1989; \
          three alike in a row are a new rhythm), is not believed, and no difference is taken across \
          it: `removed` says how many, `span_s` how long those that count are together. Values equal a \
          fresh computation bit for bit. pNN50 divides by the number of differences (neurokit2 by one \
          more). Events whose `is_beat` is false are passed over; intervals next to a beat whose \
          `class` is not N, L, R, e or j do not count, nor does one across a gap, such as before an event without `rr_ms`, or \
          with one that is NaN or infinite. Delay: none, but \
          values wait for the first beat behind their time; at the end of the stream those due within \
          one mean interval after the last beat come too. Cost: about 30 ns a beat.",
    example: "window_s = 60.0\nevery_s = 5.0",
    inputs: &[Port::event("in")],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_S, &EVERY_S, &RR_MIN_MS, &RR_MAX_MS, &RR_CHANGE_MAX_PCT],
    timers: true,
    plan: |node| {
        if let Err(error) = Hrv::new(parameters(node)?) {
            let problem = node.problem(Code::OutOfRange, RR_MIN_MS.name(), error.to_string());
            return Err(problem.hint("choose rr_min_ms below rr_max_ms").into());
        }
        let fields = vec![
            Field::i64("intervals"),
            Field::i64("removed"),
            Field::f64("span_s"),
            Field::f64("mean_nn_ms"),
            Field::f64("heart_rate_bpm"),
            Field::f64("sdnn_ms"),
            Field::f64("rmssd_ms"),
            Field::f64("pnn50_pct"),
        ];
        Ok(Outline::of([Format::event(fields, 1.0 / node.get(&EVERY_S)?)]))
    },
    build: |node| {
        let hrv = Hrv::new(parameters(node)?)
            .map_err(|error| BuildError::Fault(Fault::new(error.to_string())))?;
        let every_ns = (node.get(&EVERY_S)? * 1e9).round() as i64;
        let beats = node.input("in").as_event().expect("the port takes events");
        let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
        let (class, is_beat, rr_ms) = (field("class"), field("is_beat"), field("rr_ms"));
        Ok(Body::operator(Variability { hrv, every_ns, due: None, class, is_beat, rr_ms }))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 60.0, "Length of the window.").within(1.0, 86_400.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 5.0, "Time between two values.").within(0.1, 86_400.0);
const RR_MIN_MS: Param<f64> =
    Param::with_default("rr_min_ms", 300.0, "Shorter intervals are not believed.")
        .within(100.0, 10_000.0);
const RR_MAX_MS: Param<f64> =
    Param::with_default("rr_max_ms", 2_000.0, "Longer intervals are not believed.")
        .within(200.0, 60_000.0);
const RR_CHANGE_MAX_PCT: Param<f64> = Param::with_default(
    "rr_change_max_pct",
    20.0,
    "Intervals further off the last counted one are not believed.",
)
.within(1.0, 1_000.0);

fn parameters(node: &Node<'_>) -> Result<HrvParameters, Diagnostic> {
    Ok(HrvParameters {
        window_s: node.get(&WINDOW_S)?,
        rr_min_ms: node.get(&RR_MIN_MS)?,
        rr_max_ms: node.get(&RR_MAX_MS)?,
        rr_change_max_pct: node.get(&RR_CHANGE_MAX_PCT)?,
    })
}

/// Bytes of a saved state without its intervals, rounded up, and of one of those.
const STATE_BYTES: usize = 192;
const INTERVAL_BYTES: usize = 40;

/// Beats that begin in the sinus node or near it (AAMI EC57, class N).
const NORMAL: [&str; 5] = ["N", "L", "R", "e", "j"];

struct Variability {
    hrv: Hrv,
    every_ns: i64,
    /// When the next values are due: not before there was a beat.
    due: Option<Timestamp>,
    /// Fields of the input that say what a beat is.
    class: Option<usize>,
    is_beat: Option<usize>,
    rr_ms: Option<usize>,
}

impl Variability {
    /// Whether an event is a beat, whether a normal one, and whether it goes on from the last.
    fn look(&self, event: &EventReader<'_>) -> (bool, bool, bool) {
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        let is_beat = field(self.is_beat) != Some(FieldValue::Bool(false));
        let is_normal = match field(self.class) {
            Some(FieldValue::Text(class)) => NORMAL.contains(&class),
            _ => true,
        };
        let goes_on = match field(self.rr_ms) {
            Some(FieldValue::F64(rr_ms)) => rr_ms.is_finite(),
            rr_ms => self.rr_ms.is_none() || rr_ms.is_some(),
        };
        (is_beat, is_normal, goes_on)
    }

    fn tell(&self, time: Timestamp, io: &mut Io<'_>) {
        let Some(values) = self.hrv.values() else { return };
        let event = io
            .event_for(0)
            .i64(0, values.intervals as i64)
            .i64(1, values.left_out as i64)
            .f64(2, values.span_s)
            .f64(3, values.mean_ms)
            .f64(4, values.heart_rate_bpm)
            .f64_or_absent(5, values.sdnn_ms)
            .f64_or_absent(6, values.rmssd_ms)
            .f64_or_absent(7, values.pnn50_pct);
        io.send_event(0, time, event);
    }
}

impl Operator for Variability {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time_ns = io.frame().header.time.nanos();
        let (is_beat, is_normal, goes_on) = self.look(&io.event());
        if is_beat {
            if !goes_on {
                self.hrv.gap();
            }
            self.hrv.push(time_ns, is_normal);
            let next_ns = (time_ns.div_euclid(self.every_ns) + 1).saturating_mul(self.every_ns);
            self.due.get_or_insert(Timestamp::from_nanos(next_ns));
        }
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        self.hrv.advance(due.nanos());
        self.tell(due, io);
        // An empty window has nothing to say until there is a beat again.
        self.due = self.hrv.values().map(|_| due.plus_nanos(self.every_ns));
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (Some(last_ns), Some(values)) = (self.hrv.last_beat_ns(), self.hrv.values()) else {
            return Ok(());
        };
        let end_ns = last_ns.saturating_add((values.mean_ms * 1e6) as i64);
        while let Some(due) = self.due.filter(|due| due.nanos() <= end_ns) {
            self.on_due(due, io)?;
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // The interval across the gap does not count; those before it still do.
        self.hrv.gap();
        Ok(())
    }

    fn reset(&mut self) {
        self.hrv.reset();
        self.due = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        // For a full window at once: it must not grow while the window fills.
        into.reserve(STATE_BYTES + INTERVAL_BYTES * self.hrv.capacity());
        into.push(2);
        into.extend_from_slice(&self.due.unwrap_or(Timestamp::MIN).nanos().to_le_bytes());
        self.hrv.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let wrong = || Fault::new("is no state of `hrv`");
        let state = from.strip_prefix(&[2]).ok_or_else(wrong)?;
        let (due, state) = state.split_first_chunk().ok_or_else(wrong)?;
        self.hrv.load(state).map_err(|error| wrong().because(error))?;
        let due = Timestamp::from_nanos(i64::from_le_bytes(*due));
        self.due = Some(due).filter(|&due| due > Timestamp::MIN);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Header, testing::Bench};

    use super::*;

    fn beats() -> Format {
        Format::event(vec![Field::text("class", 8), Field::bool("is_beat")], 10.0)
    }

    fn event(time_ms: i64, class: &str, is_beat: bool) -> Frame {
        let format = beats();
        let event = EventWriter::new(format.as_event().expect("events"));
        let event = event.text(0, class).bool(1, is_beat).finish();
        Frame::new(Header::at(Timestamp::from_nanos(time_ms * 1_000_000)), event)
    }

    fn bench(params: &str) -> Bench {
        Bench::with(&KIND, &[("in", beats())], params).expect("valid")
    }

    #[test]
    fn values_come_every_few_seconds_and_are_those_of_the_formula() {
        let mut hrv = bench("every_s = 5.0");
        for time_ms in [800, 1_600, 2_500, 3_300, 5_100] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }

        let seen = hrv.take();
        assert_eq!(seen.len(), 1, "at 5 s, once the beat behind it is known");
        assert_eq!(seen[0].time(), Timestamp::from_nanos(5_000_000_000));
        // RR: 800, 900, 800; differences 100 and −100. All sums are whole, so only a root rounds.
        let mean_ms = 2_500.0 / 3.0;
        let near = |field: &str, want: f64| {
            let got = seen[0].number(field).expect("present");
            assert!((got - want).abs() < 1e-12 * want, "{field}: {got} is not {want}");
        };
        near("mean_nn_ms", mean_ms);
        near("heart_rate_bpm", 60_000.0 / mean_ms);
        near("rmssd_ms", 100.0);
        near("sdnn_ms", (2.0_f64 * 5_000.0 / 3.0).sqrt());
        assert_eq!(seen[0].number("pnn50_pct"), Some(100.0));
        assert_eq!(seen[0].number("intervals"), Some(3.0));
    }

    #[test]
    fn what_is_no_beat_is_passed_over_and_an_ectopic_beat_makes_no_interval() {
        let mut hrv = bench("every_s = 5.0");
        for (time_ms, class, is_beat) in [
            (800, "N", true),
            (1_000, "+", false),
            (1_600, "N", true),
            (2_000, "V", true),
            (3_200, "N", true),
            (4_000, "L", true),
            (6_000, "N", true),
        ] {
            hrv.push(0, event(time_ms, class, is_beat));
            hrv.run();
        }

        let seen = hrv.take();
        assert_eq!(seen[0].number("intervals"), Some(2.0));
        assert_eq!(seen[0].number("mean_nn_ms"), Some(800.0));
        assert_eq!(seen[0].number("rmssd_ms"), None, "the two intervals share no beat");
    }

    #[test]
    fn a_stream_that_begins_late_does_not_make_up_for_the_time_before() {
        let mut hrv = bench("every_s = 0.1");
        let century_ms = 3_155_760_000_000;
        for n in 0..4 {
            hrv.push(0, event(century_ms + 800 * n, "N", true));
            hrv.run();
        }

        let first = hrv.take().first().expect("values").time().nanos();
        // The first interval ends 800 ms behind the first beat. A timer sees what is older than its
        // time, so the values at 0.8 s itself come before that beat.
        assert_eq!(first, (century_ms + 900) * 1_000_000);
    }

    #[test]
    fn an_empty_window_says_nothing_until_hearts_beat_again() {
        let mut hrv = bench("every_s = 5.0\nwindow_s = 10.0");
        for time_ms in [1_000, 1_800, 101_000, 101_800, 106_000] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }

        let seconds: Vec<f64> = hrv.take().iter().map(|seen| seen.time().secs_f64()).collect();
        assert_eq!(seconds, [5.0, 10.0, 105.0]);
    }

    #[test]
    fn a_stream_that_ends_with_its_window_has_its_value() {
        for (beats_ms, want_s) in [
            // The last beat 400 ms before the minute, the next would come behind it.
            (vec![800, 1_600, 2_400, 59_600 - 800, 59_600], vec![60.0]),
            // A beat and more before: nobody knows whether the recording reached the minute.
            (vec![800, 1_600, 2_400, 58_000, 58_800], vec![]),
        ] {
            let mut hrv = bench("every_s = 60.0\nwindow_s = 60.0");
            for time_ms in beats_ms {
                hrv.push(0, event(time_ms, "N", true));
                hrv.run();
            }
            hrv.flush();
            let seen: Vec<f64> = hrv.take().iter().map(|seen| seen.time().secs_f64()).collect();
            assert_eq!(seen, want_s);
        }
    }

    #[test]
    fn what_is_left_out_and_what_is_covered_is_told() {
        let mut hrv = bench("every_s = 5.0");
        for time_ms in [800, 1_600, 2_100, 3_200, 4_000, 5_100] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }
        let seen = hrv.take();
        assert_eq!(seen[0].number("intervals"), Some(2.0));
        assert_eq!(seen[0].number("removed"), Some(2.0));
        assert_eq!(seen[0].number("span_s"), Some(1.6));
    }

    #[test]
    fn limits_that_cross_are_a_problem_of_the_graph() {
        let refused = Bench::with(&KIND, &[("in", beats())], "rr_min_ms = 5000.0").err();
        let problem = refused.expect("refused").to_string();
        assert!(problem.contains("5000 to 2000 ms cannot be"), "{problem}");
    }

    #[test]
    fn a_beat_without_an_interval_begins_anew() {
        let format = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let beats = format.as_event().expect("events");
        for unheard in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let mut hrv =
                Bench::with(&KIND, &[("in", format.clone())], "every_s = 5.0").expect("valid");
            // From 1.6 to 3.0 s nothing was heard: 1.4 s would be believed else.
            let heard = Some(800.0);
            for (time_ms, rr_ms) in
                [(800, None), (1_600, heard), (3_000, unheard), (3_800, heard), (5_100, None)]
            {
                let event = EventWriter::new(beats).f64_or_absent(0, rr_ms);
                let header = Header::at(Timestamp::from_nanos(time_ms * 1_000_000));
                hrv.push(0, Frame::new(header, event.finish()));
                hrv.run();
            }
            let seen = hrv.take();
            assert_eq!(seen[0].number("intervals"), Some(2.0), "{unheard:?}");
            assert_eq!(seen[0].number("removed"), Some(0.0), "{unheard:?}");
        }
    }
}
