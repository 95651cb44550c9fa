//! Law 5: how much comes out, and every header.

use engine::{Gap, Rate, Timestamp, testing::Seen};

use crate::{
    known::{self, is_by_timer},
    recordings::{SECONDS, heart},
    subject::{Step, Subject, TAG, everyone, operators},
};

fn all(subject: &Subject) -> (Vec<Seen>, i64) {
    let mut bench = subject.bench();
    if subject.kind.is_source() {
        while !bench.pull(1_000) {}
    } else {
        subject.feed(&mut bench, 0..SECONDS, 130);
        bench.flush();
    }
    assert_eq!(bench.late(), 0, "{} is later than it promised", subject.name());
    // A table does not know its length before it is read.
    let span_ns = bench.duration_ns().unwrap_or(SECONDS as i64 * 1_000_000_000);
    (bench.take(), span_ns)
}

#[test]
fn as_many_samples_come_out_as_the_rates_say() {
    for subject in everyone() {
        let (seen, span_ns) = all(&subject);
        for port in 0..subject.kind.outputs.len() {
            let frames: Vec<&Seen> = seen.iter().filter(|seen| seen.port == port).collect();
            let Some(signal) = frames.first().and_then(|seen| seen.format.as_signal()) else {
                continue;
            };
            let samples: usize = frames.iter().map(|seen| seen.frame.len()).sum();
            let rate_hz = signal.rate.hz();
            let expected = if known::is_between_events(subject.name()) {
                let beats = &heart().1;
                let [first, last] = [beats[0], beats[beats.len() - 1]];
                let at = |ns: i64| ns as f64 * 1e-9 * rate_hz;
                (at(last).floor() - at(first).ceil()) as usize + 1
            } else {
                (span_ns as f64 / 1e9 * rate_hz - 1e-6).ceil() as usize
            };
            assert_eq!(samples, expected, "{} port {port}", subject.name());
            for seen in frames {
                let len = seen.frame.len();
                let place = format!("{} port {port}: {len} samples", subject.name());
                assert!((1..=signal.frame_len).contains(&len), "{place}");
                assert_eq!(seen.frame.samples().len(), len * signal.channels.len(), "{place}");
            }
        }
    }
}

/// A clock a twentieth slower than its format says: every frame begins 1.6 samples behind the end of the
/// last one, as those stamped on arrival do. Nothing is missing, so nothing may be forgotten.
#[test]
fn frames_beside_the_grid_of_their_rate_are_no_gaps() {
    for subject in operators().filter(|subject| subject.inputs.len() == 1) {
        let of = |slower: i64| {
            let mut bench = subject.bench();
            for step in subject.steps(0..SECONDS, 130) {
                let late = |time: Timestamp| time.plus_nanos(time.nanos() / 20 * slower);
                match step {
                    Step::Push(line, mut frame) => {
                        frame.header.time = late(frame.header.time);
                        bench.push(line, frame);
                    }
                    Step::Promise(line, bound) => bench.promise(line, late(bound)),
                    Step::Run(_) => bench.run(),
                }
            }
            bench.flush();
            assert_eq!(bench.late(), 0, "{} is later than it promised", subject.name());
            bench.take().iter().map(|seen| seen.frame.len()).sum::<usize>() as f64
        };
        let (whole, slow) = (of(0), of(1));
        let is_as_much = (0.93 * whole..=1.07 * whole + 2.0).contains(&slow);
        assert!(is_as_much, "{} says {slow} things, not {whole}", subject.name());
    }
}

#[test]
fn headers_are_numbered_in_order_and_without_holes() {
    for subject in everyone() {
        let (seen, _) = all(&subject);
        for port in 0..subject.kind.outputs.len() {
            let name = format!("{} port {port}", subject.name());
            let mut next: Option<(Timestamp, Option<Rate>, i64)> = None;
            let mut epoch = 0;
            for (n, seen) in seen.iter().filter(|seen| seen.port == port).enumerate() {
                let header = seen.frame.header;
                assert_eq!(header.seq, n as u64, "{name}");
                match subject.kind.flushes_on {
                    None => {
                        assert_eq!((header.gap.get(), header.epoch), (None, 0), "{name} frame {n}");
                    }
                    // It takes back what it has sent, and says so with what comes next.
                    Some(_) => {
                        let gap = (header.epoch > epoch).then_some(Gap::Flush);
                        assert_eq!(header.gap.get(), gap, "{name} frame {n}");
                        epoch = header.epoch;
                    }
                }
                let rate = seen.format.rate();
                let (start, _, before) = *next.get_or_insert((header.time, rate, 0));
                match rate {
                    // Times may be rounded at both ends.
                    Some(rate) => {
                        let off = header.time.since(start.plus_nanos(rate.span_ns(before)));
                        assert!(off.abs() <= 1, "{name} frame {n} is off by {off} ns");
                        next = Some((start, Some(rate), before + seen.frame.len() as i64));
                    }
                    None => {
                        assert!(header.time >= start, "{name} event {n} goes back in time");
                        next = Some((header.time, None, 0));
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_frame_causes_carries_its_tag() {
    let subjects = everyone().filter(|s| !s.kind.is_source() && !is_by_timer(s.name()));
    for subject in subjects {
        let mut bench = subject.bench();
        subject.feed(&mut bench, 0..SECONDS, 130);

        for (n, seen) in bench.take().iter().enumerate() {
            let (name, tag) = (subject.name(), seen.frame.header.tag);
            assert_eq!(tag, TAG, "{name} frame {n} of port {}", seen.port);
        }
    }
}

#[test]
fn a_gap_is_told_and_nothing_is_late() {
    for subject in operators() {
        let mut bench = subject.bench();
        subject.feed(&mut bench, 0..10, 130);
        let mut told = vec![false; subject.inputs.len()];
        for step in subject.steps(12..SECONDS, 130) {
            match step {
                Step::Push(line, mut frame) => {
                    let first = !std::mem::replace(&mut told[line], true);
                    frame.header.gap = first.then_some(Gap::Source).into();
                    bench.push(line, frame);
                }
                Step::Promise(line, bound) => bench.promise(line, bound),
                Step::Run(_) => bench.run(),
            }
        }
        bench.flush();

        assert_eq!(bench.late(), 0, "{} is later than it promised", subject.name());
        let seen = bench.take();
        // What lies behind the gap is put back in time by the delay.
        let behind_s = 11.9 - bench.delay_ns() as f64 / 1e9;
        for port in 0..subject.kind.outputs.len() {
            let name = format!("{} port {port}", subject.name());
            let of_port: Vec<&Seen> = seen.iter().filter(|seen| seen.port == port).collect();
            assert!(of_port.is_sorted_by_key(|seen| seen.time()), "{name} goes back in time");
            let behind = of_port.iter().find(|seen| seen.time().secs_f64() > behind_s);
            let behind = behind.unwrap_or_else(|| panic!("{name} says nothing any more"));
            if !is_by_timer(subject.name()) {
                assert!(behind.frame.header.gap.is_some(), "{name} tells of no gap");
            }
        }
    }
}
