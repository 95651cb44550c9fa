//! `dejitter`: when samples were taken, from when they arrived.
//!
//! Frames of a device that stamps nothing itself carry the moment at which they came: late by
//! whatever radio, driver and scheduler took. This puts every frame where its samples were taken,
//! by the rate that the device really has. See [`crate::math::dejitter`] for the estimator.
//!
//! ```text
//! stamp = capture + delay        capture[i] = o + i · P · (1 + d),   |d| ≤ drift_max_ppm
//!
//! arrivals  ▪▪ ▪    ▪▪▪▪ ▪  ▪      ▪▪▪     one-sided: the line under them (an edge)
//! capture   ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪      as many early as late: the one through their middle
//! ```
//!
//! | port  | carries                                                                       |
//! |-------|-------------------------------------------------------------------------------|
//! | `in`  | any signal whose times are arrivals: of the last sample, less the others' span |
//! | `out` | the same samples, at the times at which they were taken                        |
//!
//! **Bound.** `uncertainty_ns` of a frame says how far its time may be off, apart from the part of
//! the delay that every frame has alike: no stamp shows that. For exponential delays of mean τ and f
//! frames a second the error after two minutes is some τ / (10 f); for normal ones of deviation σ,
//! σ / √(100 f). Until the shape of the delays is known (48 to 512 frames) times may be late by the
//! mean delay, and the uncertainty says so.
//!
//! **Never back.** Samples stay in order, at least an eighth of a period apart; none is made and
//! none is left out. Where the estimate goes back further than that, frames come out in single
//! samples until it is caught up with.
//!
//! **Steps** of the clock or of the delay: back after three frames, on after `step_s` without a
//! frame that is not late. A **gap** keeps what is known of drift and delays, not where the samples
//! lie. **NaN** passes as it is: samples are not looked at. **Cost**: some 2 000 instructions a frame,
//! whatever is in it; samples are not copied.

use engine::{
    Body, Fault, Frame, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use crate::{
    bodies::Seam,
    math::{
        dejitter::{Dejitter, DejitterParameters},
        state::put_i64,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "dejitter",
    summary: "When samples were taken, from when they arrived.",
    doc: "Takes the times of frames as arrivals, stamp = capture + delay, and gives the same samples \
          at capture[i] = o + i P (1 + d), with P the nominal period and |d| at most drift_max_ppm. \
          Where delays have a sharp lower end (queues, radio intervals, stalls) the line is the \
          highest under the least delays of 128 s or more (Moon, Skelly, Towsley 1999), where as \
          many are early as are late it is that of least squares with a half-life of 120 s, without \
          outliers; which one is found from their quantiles. Header `uncertainty_ns` says how far \
          times may be off, apart from the part of the delay that all frames share. Samples are \
          always in order, an eighth of a period or more apart; none is made or left out. Stamps \
          that step back are believed at the third frame, those that step on after `step_s`. A gap \
          keeps drift and delays. NaN passes as it is. No delay; a frame is moved by \
          delay_max_ms at most, which is how far back outputs may be stamped. Cost: about 0.5 us a \
          frame, no sample is copied.",
    example: "step_s = 5.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&DRIFT_MAX_PPM, &STEP_S, &DELAY_MAX_MS],
    plan: |node| {
        let delay_max_ns = (node.get(&DELAY_MAX_MS)? * 1e6).round() as i64;
        Ok(Outline::like_ports(node)?.looking_back(delay_max_ns))
    },
    build: |node| {
        let parameters = DejitterParameters {
            rate_hz: node.rate_hz("in"),
            drift_max_ppm: node.get(&DRIFT_MAX_PPM)?,
            step_s: node.get(&STEP_S)?,
            delay_max_s: node.get(&DELAY_MAX_MS)? / 1e3,
        };
        Ok(Body::operator(Placed {
            dejitter: Dejitter::new(parameters),
            channels: channels(node),
            seam: Seam::NONE,
        }))
    },
    ..Kind::BASE
};

const DRIFT_MAX_PPM: Param<f64> = Param::with_default(
    "drift_max_ppm",
    300.0,
    "Farthest that the device's clock is off, in millionths.",
)
.within(1.0, 1e5);
const STEP_S: Param<f64> = Param::with_default(
    "step_s",
    5.0,
    "How long every frame must be late before the delay has changed for good.",
)
.within(0.1, 3_600.0);
const DELAY_MAX_MS: Param<f64> =
    Param::with_default("delay_max_ms", 2_000.0, "Farthest that a frame is moved.")
        .within(1.0, 60_000.0);

fn channels(node: &Node<'_>) -> usize {
    node.signal("in").channels.len()
}

struct Placed {
    dejitter: Dejitter,
    channels: usize,
    seam: Seam,
}

impl Operator for Placed {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut frame = io.take();
        let len = frame.len();
        if len == 0 {
            return Ok(());
        }
        if self.seam.is_outdated(io) {
            // Nobody knows how many samples came between that save and this frame.
            self.dejitter.gap();
        }
        self.seam.advance(io);
        let moment = self.dejitter.push(frame.header.time.nanos(), len as u64);
        let moved_ns = |due_ns: i64, time_ns: i64| {
            // What had to wait is off by so much more.
            (moment.uncertainty_ns + (time_ns - due_ns) as f64).ceil() as u32
        };
        let mut at = 0;
        while at < len {
            let due_ns = moment.time_ns.saturating_add(span_ns(io, at));
            let (time_ns, take) = self.dejitter.place(due_ns, (len - at) as u64);
            let take = take as usize;
            if at > 0 || take < len {
                frame = self.part(io.frame(), at, take);
            }
            frame.header.time = Timestamp::from_nanos(time_ns);
            frame.header.uncertainty_ns = moved_ns(due_ns, time_ns);
            io.send(0, frame.clone());
            at += take;
        }
        // Whoever waits for this signal need not wait as long as a frame could be moved.
        io.promise(0, Timestamp::from_nanos(self.dejitter.soonest_ns()));
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.dejitter.gap();
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let (steps, drift_ppm) = (self.dejitter.steps(), self.dejitter.drift_ppm());
        (steps > 0).then(|| {
            let times = if steps == 1 { "once" } else { "times" };
            let count = if steps == 1 { String::new() } else { format!("{steps} ") };
            format!(
                "the stamps stepped {count}{times}; the device's clock is {drift_ppm:.1} ppm slow"
            )
        })
    }

    fn reset(&mut self) {
        self.dejitter.reset();
        self.seam = Seam::NONE;
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.dejitter.save(into);
        put_i64(into, self.seam.end.nanos());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let wrong = || Fault::new("is no state of `dejitter`");
        let (state, end_ns) = from.split_last_chunk().ok_or_else(wrong)?;
        self.dejitter.load(state).map_err(|error| wrong().because(error))?;
        self.seam = Seam::loaded(Timestamp::from_nanos(i64::from_le_bytes(*end_ns)));
        Ok(())
    }
}

/// The time that the first `samples` samples of the frame take at the nominal rate.
fn span_ns(io: &Io<'_>, samples: usize) -> i64 {
    io.time_of(samples as i64).since(io.time_of(0))
}

impl Placed {
    /// Some samples of a frame, under its header.
    fn part(&self, whole: &Frame, from: usize, len: usize) -> Frame {
        let mut part = whole.clone();
        let mut buffer = engine::Buffer::signal(self.channels, len);
        let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
        for (channel, plane) in planes.chunks_exact_mut(len).enumerate() {
            plane.copy_from_slice(&whole.channel(channel)[from..from + len]);
        }
        *part.buffer_mut() = buffer;
        part
    }
}

#[cfg(test)]
mod tests {
    use engine::{Gap, testing::Bench};

    use super::*;
    use crate::math::random::Random;

    const LEN: usize = 10;

    fn bench() -> Bench {
        Bench::build(&KIND, 250.0, "").expect("valid")
    }

    /// Feeds frames taken every 40 ms + 100 ppm that arrive up to 30 ms later.
    fn play(bench: &mut Bench, frames: std::ops::Range<usize>, random: &mut Random) {
        for n in frames {
            let samples: Vec<f32> = (0..LEN).map(|k| (n * LEN + k) as f32).collect();
            let stamp_ns = 40_004_000 * n as i64 + (3e7 * random.uniform()) as i64;
            bench.push(0, Frame::signal(Timestamp::from_nanos(stamp_ns), 1, &samples));
            bench.run();
        }
    }

    #[test]
    fn samples_come_out_as_they_went_in_at_the_time_they_were_taken() {
        let mut bench = bench();
        play(&mut bench, 0..5_000, &mut Random::new(3));
        bench.flush();

        let (mut next, mut last_ns, mut worst_ns) = (0, i64::MIN, 0);
        for seen in bench.take() {
            let first = seen.frame.samples()[0];
            assert_eq!(first, next as f32);
            next += seen.frame.len();
            assert!(seen.time().nanos() > last_ns, "sample {first} goes back");
            last_ns = seen.time().nanos() + 4_000_000 * (seen.frame.len() as i64 - 1);
            if first > 40_000.0 {
                let off_ns = seen.time().nanos() - (f64::from(first) * 4_000_400.0) as i64;
                worst_ns = worst_ns.max(off_ns.abs());
                let within_ns = i64::from(seen.frame.header.uncertainty_ns);
                assert!(off_ns.abs() <= within_ns, "{off_ns} ns are not within {within_ns}");
            }
        }
        assert_eq!(next, 50_000);
        assert_eq!(bench.late(), 0);
        // The least of 3 200 even delays of 30 ms is 10 µs; a line through two such over two minutes.
        assert!(worst_ns < 200_000, "{worst_ns} ns");
    }

    #[test]
    fn who_waits_for_it_waits_no_longer_than_for_the_next_sample() {
        let mut bench = bench();
        play(&mut bench, 0..10, &mut Random::new(1));
        let last = bench.take().last().expect("frames").time().nanos();
        let bound = bench.bound(0).nanos();
        assert!(bound > last + 9 * 4_000_000 && bound <= last + 10 * 4_000_000, "{}", bound - last);
    }

    #[test]
    fn a_gap_is_passed_on_and_times_go_on_behind_it() {
        let mut bench = bench();
        play(&mut bench, 0..1_000, &mut Random::new(2));
        bench.take();
        let mut frame = Frame::signal(Timestamp::from_secs_f64(50.0), 1, &[0.0; LEN]);
        frame.header.gap = Some(Gap::Source).into();
        bench.push(0, frame);
        bench.run();
        let seen = bench.take();
        // The middle of a frame is put right by the drift that stays known: 100 ppm of 18 ms, about.
        let off_ns = seen[0].time().since(Timestamp::from_secs_f64(50.0)).abs();
        assert!(off_ns < 5_400, "300 ppm of 18 ms: {off_ns}");
        assert!(seen[0].frame.header.gap.is_some());
    }
}
