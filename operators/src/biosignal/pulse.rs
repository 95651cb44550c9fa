//! `pulse`: pulse beats in a photoplethysmogram.
//!
//! Causal, one pass, after Elgendi and others 2013; see [`crate::math::pulse`] for the method.
//! Looks at the first channel unless `from` picks one (`from = "ppg[red]"`).
//!
//! | port  | carries                                                             |
//! |-------|---------------------------------------------------------------------|
//! | `in`  | a photoplethysmogram as recorded, in any unit                       |
//! | `out` | one event per pulse, stamped with its peak; `hrv` takes it as it is |
//!
//! **Quality.** `quality` is how well the form of a pulse fits that of those before (0 to 1);
//! `is_beat` is true from `quality_min_share` on, and `hrv` passes over pulses where it is not. The
//! first two after every beginning have nothing to be compared with and are no beats. `skewness` is
//! that of the last 3 s; good signals are above 0.
//!
//! **Losses.** A sample that is not finite, or 1e10 and more, is taken as the last good one, but
//! 0.3 s of them, or 1 s without any change (a rail, a sensor that fell off), are a gap: all is
//! learnt anew. A beat has an `rr_ms` only where the pulse before it was a beat, too, at most 3 s
//! before.
//!
//! **Delay.** From the peak to its event about 0.5 s. Bounds follow the newest pulse that may still
//! be found, so a merge waits no longer than that.

use engine::{Body, EventWriter, Field, Format, Kind, Outline, Param, Port};

use super::watch::{Detect, Spans, Watch, check_rate, in_unit, rounded};
use crate::math::{
    pulse::{Beat, LOOK_BACK_S, Pulse, RATES_HZ},
    state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "pulse",
    summary: "Find pulse beats in a photoplethysmogram.",
    doc: "Causal detector in one pass after Elgendi et al. 2013: of the band 0.5 to 8 Hz what is \
          above 0 is squared; where its mean over 111 ms exceeds that over 667 ms by 2 % of the \
          last 4 s, there is a pulse. t_s is its peak in the signal itself, behind two moving \
          averages of 40 ms, which are made up for. amplitude is its height above the lowest \
          point in the 0.6 s before, rise_ms the time from there. quality is the correlation of \
          its form with the mean of the last good ones (Orphanidou et al. 2015), 0 to 1; is_beat \
          is true from quality_min_share on, never for the first two after a beginning. skewness \
          is that of the last 3 s (Elgendi 2016). `hrv` takes the events as those of `qrs`: rr_ms \
          stands where the pulse before was a beat, too. polarity = \"down\" for sensors that \
          give light that comes back, which is less where there is more blood. 30 to 200 beats a \
          minute. NaN, infinities and samples of 1e10 and more count as the last good sample; 0.3 \
          s of them, or 1 s without any change, are a gap, and all is learnt anew. Delay: none, \
          told about 0.5 s after the peak. Differs from neurokit2's ppg_findpeaks in running \
          forwards only, in the 2 % of the last 4 s and not of the whole recording, and in \
          counting waves from 0.6 of the usual interval on, where that is below 0.3 s. Cost: two \
          second-order sections and six sliding windows a sample.",
    example: "quality_min_share = 0.8",
    inputs: &[Port::signal("in").of_one_channel().fed_by(&["ppg[infrared]"])],
    outputs: &[Port::event("out")],
    params: &[&QUALITY_MIN_SHARE, &POLARITY],
    plan: |node| {
        check_rate(node, "in", RATES_HZ, "pulses")?;
        let amplitude = in_unit("amplitude", node.signal("in").channels[0].unit);
        let fields = vec![
            Field::f64("rr_ms"),
            Field::f64("heart_rate_bpm"),
            Field::f64(amplitude),
            Field::f64("rise_ms"),
            Field::f64("quality"),
            Field::f64("skewness"),
            Field::bool("is_beat"),
        ];
        Ok(Outline::of([Format::event(fields, crate::BEATS_PER_SECOND_MAX)])
            .looking_back((LOOK_BACK_S * 1e9) as i64)
            .looking_back_mostly(440_000_000))
    },
    build: |node| {
        let rate_hz = node.rate_hz("in");
        let detector = PulseDetector {
            pulse: Pulse::new(rate_hz, node.get(&QUALITY_MIN_SHARE)?),
            rate_hz,
            sign: if node.get(&POLARITY)? == "down" { -1.0 } else { 1.0 },
        };
        Ok(Body::operator(Watch::new(node, ["in"], detector, SPANS)))
    },
    ..Kind::BASE
};

const QUALITY_MIN_SHARE: Param<f64> =
    Param::with_default("quality_min_share", 0.8, "Least quality of a beat.").within(0.0, 1.0);
const POLARITY: Param<&str> =
    Param::with_default("polarity", "up", "Which way the signal goes when blood comes.")
        .one_of(&["up", "down"]);

const SPANS: Spans =
    Spans { missing_s: 0.3, flat_s: 1.0, look_back_ns: (LOOK_BACK_S * 1e9) as i64, delay_ns: 0 };

#[derive(Clone)]
struct PulseDetector {
    pulse: Pulse,
    rate_hz: f64,
    sign: f32,
}

impl Detect<1, 0> for PulseDetector {
    type Found = Beat;
    const VERSION: u8 = 1;
    const WHAT: &'static str = "pulse";

    fn push(&mut self, [sample]: [f32; 1], _: bool) -> ([f32; 0], Option<Beat>) {
        ([], self.pulse.push(self.sign * sample))
    }

    fn flush(&mut self) -> Option<Beat> {
        self.pulse.flush()
    }

    fn earliest(&self) -> u64 {
        self.pulse.earliest()
    }

    fn reset(&mut self) {
        self.pulse.reset();
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.pulse.visit(state)
    }

    fn place(beat: &Beat) -> (u64, f64) {
        (beat.sample, beat.offset_samples)
    }

    fn describe(&self, beat: &Beat, event: EventWriter) -> EventWriter {
        let rr_ms = beat.interval_samples.map(|samples| samples / self.rate_hz * 1e3);
        event
            .f64_or_absent(0, rr_ms.map(rounded))
            .f64_or_absent(1, rr_ms.map(|rr_ms| rounded(60_000.0 / rr_ms)))
            .f64(2, rounded(beat.amplitude))
            .f64(3, rounded(1e3 * beat.rise_s))
            .f64_or_absent(4, beat.correlation.map(|fit| rounded(fit.clamp(0.0, 1.0))))
            .f64(5, rounded(beat.skewness))
            .bool(6, beat.is_beat)
    }
}

#[cfg(test)]
mod tests;
