//! `peaks`: where a signal has its peaks.
//!
//! See [`crate::math::peaks`]: local maxima at least `height` high that stand out by `prominence`
//! within half of `window_s` on either side, as SciPy's `find_peaks(x, height, prominence=…,
//! wlen=window_s * rate)` finds them, but each as soon as its surroundings allow.
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | a signal; of several channels the first is looked at               |
//! | `out` | an event per peak, stamped at the peak: `height`, `interval_s`     |
//!
//! **Refractory**: a peak within `refractory_s` of the last one told is not told: the first wins,
//! also within 1 ms at rates above 2 kHz.
//! (SciPy's `distance` lets the highest win, for which it must know the future.)
//!
//! **Delay**: a peak is told once the signal has fallen by `prominence` behind it, at most half of
//! `window_s` later (`look_back`). **Flat**: equal samples are one peak in their middle, but no
//! peak where they last longer than the window. **NaN**: a sample that is not finite is taken as
//! the last one. **Gap**: peaks not decided yet are lost. **Cost**: a comparison or two a sample,
//! and for each local maximum the way down to its left.

use engine::{
    Body, Fault, Field, Format, Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use super::window::samples;
use crate::{
    bodies::{Counted, load, tuned},
    math::{
        peaks::{Demands, Peaks},
        state::put_time,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "peaks",
    summary: "Where a signal has its peaks.",
    doc: "Local maxima at least `height` high that stand out by `prominence` within half of \
          window_s on either side: the set of SciPy's find_peaks(x, height=height, \
          prominence=prominence, wlen=window_s * rate), find = \"minima\" of -x. Each is told, \
          stamped where it is, as soon as the signal has fallen by prominence behind it, at most \
          window_s / 2 later (look_back). Of those within refractory_s of one that was told none \
          is told (above 2 kHz, nor within 1 ms); SciPy's distance lets the highest win, for which it must know the future. \
          interval_s is the time since the last one told. Equal samples are one peak in their \
          middle, and none where they last longer than the window. height, prominence and \
          refractory_s may change while it runs. Looks at the first channel. NaN: a sample that \
          is not finite is taken as the last one. After a gap all begins anew. Cost: about 3 ns a \
          sample, and for each local maximum the way down to its left. Source: SciPy 1.17, \
          scipy.signal.find_peaks.",
    example: "prominence = 0.5\nwindow_s = 1.0",
    inputs: &[Port::signal("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[&PROMINENCE, &HEIGHT, &WINDOW_S, &REFRACTORY_S, &FIND],
    plan: |node| {
        let rate = node.signal("in").rate;
        let reach = samples(node, &WINDOW_S, 3)? / 2;
        let fields = vec![Field::f64("height"), Field::f64("interval_s")];
        let out = Format::event(fields, (rate.hz() / 2.0).min(EVENTS_PER_SECOND_MAX));
        Ok(Outline::of([out]).looking_back(rate.span_ns(reach as i64) + 1))
    },
    build: |node| {
        let mut found = Found {
            peaks: Peaks::new(samples(node, &WINDOW_S, 3)? / 2),
            sign: if node.get(&FIND)? == "minima" { -1.0 } else { 1.0 },
            demands: Demands { height: 0.0, prominence: 0.0 },
            refractory_ns: 0,
            counted: Counted::NONE,
            told: None,
        };
        found.retune(node)?;
        Ok(Body::operator(found))
    },
    ..Kind::BASE
};

const PROMINENCE: Param<f64> =
    Param::with_default("prominence", 0.0, "By so much a peak stands out at least.")
        .within(0.0, 1e30)
        .live();
const HEIGHT: Param<f64> =
    Param::optional("height", "So high a peak is at least; of minima, so low at most.")
        .within(-1e30, 1e30)
        .live();
const WINDOW_S: Param<f64> = Param::with_default(
    "window_s",
    2.0,
    "Half before and half behind a peak its prominence counts.",
)
.within(1e-4, 3_600.0);
const REFRACTORY_S: Param<f64> =
    Param::with_default("refractory_s", 0.0, "Peaks so soon after the last one are not told.")
        .within(0.0, 3_600.0)
        .live();
const FIND: Param<&str> =
    Param::with_default("find", "maxima", "What is a peak.").one_of(&["maxima", "minima"]);

/// Sizes rings; nothing that is worth an event happens more often.
const EVENTS_PER_SECOND_MAX: f64 = 1_000.0;

struct Found {
    peaks: Peaks,
    sign: f32,
    demands: Demands,
    refractory_ns: i64,
    counted: Counted,
    /// When the last one told was.
    told: Option<Timestamp>,
}

impl Operator for Found {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.peaks.reset();
        }
        let Self { peaks, sign, demands, refractory_ns, counted, told } = self;
        let frame = io.take();
        for &x in frame.channel(0) {
            peaks.push(*sign * x, *demands, |number, height| {
                let time = counted.time(number as i64, io);
                let interval_ns = told.map(|told| time.since(told));
                if interval_ns.is_some_and(|interval_ns| interval_ns < *refractory_ns) {
                    return;
                }
                *told = Some(time);
                let event = io.event_for(0).f64(0, f64::from(*sign * height));
                let interval_s = interval_ns.map(|interval_ns| interval_ns as f64 / 1e9);
                io.send_event(0, time, event.f64_or_absent(1, interval_s));
            });
        }
        counted.leave(io);
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let height = node.get_optional(&HEIGHT).map_err(|problem| Fault::new(problem.message))?;
        let height = height.map_or(f64::NEG_INFINITY, |height| f64::from(self.sign) * height);
        self.demands = Demands { height, prominence: tuned(node, &PROMINENCE)? };
        let refractory_ns = (tuned(node, &REFRACTORY_S)? * 1e9).round() as i64;
        let could_be_more = node.rate_hz("in") / 2.0 > EVENTS_PER_SECOND_MAX;
        let least_s = if could_be_more { 1.0 / EVENTS_PER_SECOND_MAX } else { 0.0 };
        self.refractory_ns = refractory_ns.max((least_s * 1e9) as i64);
        Ok(())
    }

    fn reset(&mut self) {
        self.peaks.reset();
        (self.counted, self.told) = (Counted::NONE, None);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.counted.save(into);
        put_time(into, self.told.map(Timestamp::nanos));
        self.peaks.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `peaks`", 1, from, |state| {
            self.counted.load(state)?;
            let mut told = None;
            state.time(&mut told)?;
            self.told = told.map(Timestamp::from_nanos);
            self.peaks.load(state)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    /// Milliseconds and height of every peak.
    fn found(bench: &mut Bench, signal: &[f32]) -> Vec<(f64, f64)> {
        bench.feed(signal);
        let told = bench.take();
        let told = told.iter().map(|seen| {
            (seen.time().nanos() as f64 / 1e6, seen.number("height").expect("each has one"))
        });
        told.collect()
    }

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 1_000.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    const SIGNAL: [f32; 12] = [0.0, 3.0, 1.0, 2.0, 0.0, 5.0, 4.5, 5.0, 0.0, -4.0, -3.0, -3.5];

    #[test]
    fn who_brings_several_channels_is_told_that_one_counts() {
        let warnings = |channels: usize| {
            let inputs = [("in", Bench::channels(channels, 100.0))];
            Bench::with(&KIND, &inputs, "").expect("valid").warnings().to_vec()
        };
        let told = warnings(3);
        assert!(
            told.iter().any(|it| it.contains("looks at `0`, the first of 3 channels")),
            "{told:?}"
        );
        assert!(warnings(1).is_empty());
    }

    #[test]
    fn peaks_and_valleys_are_stamped_where_they_are() {
        let told = found(&mut bench("prominence = 2.0\nwindow_s = 0.1"), &SIGNAL);
        assert_eq!(told, [(1.0, 3.0), (5.0, 5.0), (7.0, 5.0)]);
        let told = found(&mut bench("height = 4.0\nwindow_s = 0.1"), &SIGNAL);
        assert_eq!(told, [(5.0, 5.0), (7.0, 5.0)]);
        let told = found(&mut bench("find = \"minima\"\nheight = -1.0\nwindow_s = 0.1"), &SIGNAL);
        assert_eq!(told, [(9.0, -4.0)]);
    }

    #[test]
    fn the_first_of_two_close_ones_is_told_until_a_knob_says_otherwise() {
        let mut peaks = bench("prominence = 2.0\nwindow_s = 0.1\nrefractory_s = 0.003");
        assert_eq!(found(&mut peaks, &SIGNAL), [(1.0, 3.0), (5.0, 5.0)]);
        peaks.set("refractory_s", 0.0).expect("live");
        let more: Vec<(f64, f64)> = found(&mut peaks, &SIGNAL);
        assert_eq!(more.len(), 3);
    }

    #[test]
    fn intervals_are_between_those_told() {
        let mut peaks = bench("prominence = 2.0\nwindow_s = 0.1");
        peaks.feed(&SIGNAL);
        let intervals: Vec<_> = peaks.take().iter().map(|seen| seen.number("interval_s")).collect();
        assert_eq!(intervals, [None, Some(0.004), Some(0.002)]);
    }
}
