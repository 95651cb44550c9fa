//! `throttle`: no more than so many events per second.
//!
//! An event passes if at least 1 / `rate_hz` has gone by, in event time, since the last one that
//! passed; the others are held back for good and counted. The samples of a signal belong together: for
//! fewer of them there are [`decimate`](super::decimate) and [`resample`](super::resample).
//!
//! | port  | carries          |
//! |-------|------------------|
//! | `in`  | events           |
//! | `out` | those that pass  |
//!
//! **Delay**: none. A gap changes nothing. **NaN** in a field passes as it is. **Cost**: a comparison.

use engine::{
    Body, Diagnostic, Fault, GapNotice, Io, Kind, Node, Operator, Param, Port, Timestamp,
};

use crate::math::state::{StateError, StateReader, put_time};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "throttle",
    summary: "No more than so many events per second.",
    doc: "An event passes if 1 / rate_hz or more has gone by in event time since the last one that \
          passed; the first always does, the others are held back for good, and how many is told at \
          the end. A signal is made slower by `decimate` or `resample` instead. \
          Delay: none. A gap changes nothing. NaN in a field passes as it is. Cost: a comparison.",
    example: "rate_hz = 0.5",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::like("out", "in")],
    params: &[&RATE_HZ],
    build: |node| Ok(Body::operator(Throttle { period_ns: period_ns(node)?, last: None, held: 0 })),
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::required("rate_hz", "Most events per second.").within(1e-6, 1e6).live();

/// The least between two events. Their times are whole nanoseconds, so those of a stream at exactly
/// the rate lie up to one nearer together than its period.
fn period_ns(node: &Node<'_>) -> Result<i64, Diagnostic> {
    Ok((1e9 / node.get(&RATE_HZ)?).floor() as i64 - 1)
}

/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Throttle {
    period_ns: i64,
    /// When the last event passed.
    last: Option<Timestamp>,
    /// How many did not.
    held: u64,
}

impl Operator for Throttle {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let now = io.frame().header.time;
        if self.last.is_none_or(|last| now.since(last) >= self.period_ns) {
            self.last = Some(now);
            let frame = io.take();
            io.send(0, frame);
        } else {
            self.held += 1;
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.period_ns = period_ns(node).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        (self.held > 0).then(|| format!("held {} back", self.held))
    }

    fn reset(&mut self) {
        (self.last, self.held) = (None, 0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        put_time(into, self.last.map(Timestamp::nanos));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let read = || {
            let mut reader = StateReader::new(from, VERSION)?;
            let last = reader.time()?;
            reader.end().map(|()| last)
        };
        let told = |error: StateError| Fault::new("is no state of this kind").because(error);
        self.last = read().map_err(told)?.map(Timestamp::from_nanos);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::{Format, testing::Bench};

    use super::*;

    /// The seconds of the events that pass.
    fn passed(bench: &mut Bench, seconds: &[f64]) -> Vec<f64> {
        for second in seconds {
            bench.push(0, Bench::event_at(Timestamp::from_secs_f64(*second)));
            bench.run();
        }
        bench.take().iter().map(|seen| seen.time().secs_f64()).collect()
    }

    fn bench(params: &str) -> Bench {
        let events = Format::event(Vec::new(), 10.0);
        Bench::with(&KIND, &[("in", events)], params).expect("valid")
    }

    #[test]
    fn one_passes_per_period() {
        let mut throttle = bench("rate_hz = 2.0");
        let got = passed(&mut throttle, &[0.1, 0.2, 0.599_999_99, 0.6, 1.0, 1.1, 5.0, 5.4, 5.5]);
        assert_eq!(got, [0.1, 0.6, 1.1, 5.0, 5.5]);
        assert_eq!(throttle.remark().as_deref(), Some("held 4 back"));
    }

    #[test]
    fn a_stream_at_exactly_the_rate_passes_whole() {
        for rate_hz in [3.0, 7.0, 60.0, 90.0, 1_000.0, 44_100.0] {
            let mut throttle = bench(&format!("rate_hz = {rate_hz:?}"));
            let at = |n: usize| Timestamp::from_secs_f64(n as f64 / rate_hz);
            (0..300).for_each(|n| throttle.push(0, Bench::event_at(at(n))));
            throttle.run();
            assert_eq!(throttle.take().len(), 300, "{rate_hz} Hz");
        }
    }

    #[test]
    fn the_rate_can_change_while_it_runs() {
        let mut throttle = bench("rate_hz = 1.0");
        assert_eq!(passed(&mut throttle, &[0.0, 0.5]), [0.0]);
        throttle.set("rate_hz", 4.0).expect("live");
        assert_eq!(passed(&mut throttle, &[0.6, 0.8, 0.85]), [0.6, 0.85]);
    }
}
