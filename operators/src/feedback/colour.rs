//! `colour`: how a number looks: a hue on the way from one to another.
//!
//! With u from 0 at `from_low` to 1 at `from_high`, saturation s and value v,
//!
//! ```text
//! hue = low_hue_deg + u (high_hue_deg − low_hue_deg)
//! f(n) = v − v s max(0, min(k, 4 − k, 1)),   k = (n + hue / 60) mod 6
//! red = f(5),  green = f(3),  blue = f(1)
//! ```
//!
//! | port  | carries                                                                          |
//! |-------|----------------------------------------------------------------------------------|
//! | `in`  | a signal, of which the first channel shows, or events with a number              |
//! | `out` | events with `hue_deg`, and `red`, `green`, `blue` from 0 to 255: of a signal every `every_s` |
//!
//! **Delay**: none. **NaN**: what is missing is black, and the hue stays. **Gap**: the first sample
//! behind it shows at once.

use engine::{Body, Diagnostic, Fault, Field, Io, Kind, Node, Operator, Outline, Param, Port};

use super::value::{EVERY_S, FIELD, FROM_HIGH, FROM_LOW, Ticks, ends, share, ticks};
use crate::{bodies::load, math::state::put_f64};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "colour",
    summary: "How a number looks: a hue on the way from one to another.",
    doc: "hue_deg = low_hue_deg + u (high_hue_deg - low_hue_deg), modulo 360, with u = (x - \
          from_low) / (from_high - from_low) within 0 and 1; unless written from blue (240) to \
          red (0). red, green and blue are 255 times f(5), f(3) and f(1), rounded, with f(n) = v \
          - v s max(0, min(k, 4 - k, 1)), k = (n + hue / 60) mod 6, s = saturation_share and v = \
          value_share: HSV. Of a signal the first channel shows, every every_s; of events \
          `field`, each. Ends, hues and shares may change while it runs. Delay: none. NaN: is \
          black; the hue stays as it was. Cost: some 50 ns an event. Source: Smith 1978, Color \
          gamut transform pairs.",
    example: "from_high = 1000.0",
    inputs: &[Port::any("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[
        &FROM_LOW,
        &FROM_HIGH,
        &LOW_HUE_DEG,
        &HIGH_HUE_DEG,
        &SATURATION_SHARE,
        &VALUE_SHARE,
        &EVERY_S,
        &FIELD,
    ],
    plan: |node| {
        Paint::of(node)?;
        let parts = ["red", "green", "blue"].map(Field::i64);
        let fields = std::iter::once(Field::f64("hue_deg")).chain(parts).collect();
        Ok(Outline::of([ticks(node, fields)?]))
    },
    build: |node| {
        let paint = Paint::of(node)?;
        let last_deg = paint.hues_deg[0].rem_euclid(360.0);
        Ok(Body::operator(Colour { ticks: Ticks::new(node)?, paint, last_deg }))
    },
    ..Kind::BASE
};

const LOW_HUE_DEG: Param<f64> =
    Param::with_default("low_hue_deg", 240.0, "Hue of the low end.").within(-720.0, 720.0).live();
const HIGH_HUE_DEG: Param<f64> =
    Param::with_default("high_hue_deg", 0.0, "Hue of the high end.").within(-720.0, 720.0).live();
const SATURATION_SHARE: Param<f64> =
    Param::with_default("saturation_share", 1.0, "How far it is from white or grey.")
        .within(0.0, 1.0)
        .live();
const VALUE_SHARE: Param<f64> =
    Param::with_default("value_share", 1.0, "How far it is from black.").within(0.0, 1.0).live();

struct Paint {
    from: [f64; 2],
    hues_deg: [f64; 2],
    saturation: f64,
    value: f64,
}

impl Paint {
    fn of(node: &Node<'_>) -> Result<Self, Diagnostic> {
        Ok(Self {
            from: ends(node)?,
            hues_deg: [node.get(&LOW_HUE_DEG)?, node.get(&HIGH_HUE_DEG)?],
            saturation: node.get(&SATURATION_SHARE)?,
            value: node.get(&VALUE_SHARE)?,
        })
    }

    fn hue_deg(&self, x: f64) -> f64 {
        let [low, high] = self.hues_deg;
        (low + share(x, self.from[0], self.from[1]) * (high - low)).rem_euclid(360.0)
    }
}

/// Red, green and blue, 0 to 255, of a colour given as hue, saturation and value.
fn rgb(hue_deg: f64, saturation: f64, value: f64) -> [i64; 3] {
    [5.0, 3.0, 1.0].map(|n: f64| {
        let k = (n + hue_deg / 60.0).rem_euclid(6.0);
        let part = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (part * 255.0).round() as i64
    })
}

struct Colour {
    ticks: Ticks,
    paint: Paint,
    /// The hue that was told last.
    last_deg: f64,
}

impl Operator for Colour {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Self { ticks, paint, last_deg } = self;
        ticks.take(io, |value, time, io| {
            if let Some(value) = value {
                *last_deg = paint.hue_deg(value);
            }
            let brightness = if value.is_some() { paint.value } else { 0.0 };
            let [red, green, blue] = rgb(*last_deg, paint.saturation, brightness);
            let event = io.event_for(0).f64(0, *last_deg).i64(1, red).i64(2, green).i64(3, blue);
            io.send_event(0, time, event);
        });
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.paint = Paint::of(node).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn reset(&mut self) {
        self.ticks.reset();
        self.last_deg = self.paint.hues_deg[0].rem_euclid(360.0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        put_f64(into, self.last_deg);
        self.ticks.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `colour`", 1, from, |state| {
            state.f64(&mut self.last_deg)?;
            self.ticks.load(state)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Format, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    #[test]
    fn the_colours_of_the_corners_are_those_of_every_table() {
        for (hue_deg, saturation, value, want) in [
            (0.0, 1.0, 1.0, [255, 0, 0]),
            (60.0, 1.0, 1.0, [255, 255, 0]),
            (120.0, 1.0, 1.0, [0, 255, 0]),
            (180.0, 1.0, 1.0, [0, 255, 255]),
            (240.0, 1.0, 1.0, [0, 0, 255]),
            (300.0, 1.0, 1.0, [255, 0, 255]),
            (30.0, 1.0, 1.0, [255, 128, 0]),
            (210.0, 0.5, 0.8, [102, 153, 204]),
            (77.0, 0.0, 1.0, [255, 255, 255]),
            (77.0, 1.0, 0.0, [0, 0, 0]),
        ] {
            assert_eq!(rgb(hue_deg, saturation, value), want, "{hue_deg} {saturation} {value}");
        }
    }

    #[test]
    fn events_run_from_blue_to_red_and_what_is_missing_is_black() {
        let format = Format::event(vec![Field::i64("score")], 1.0);
        let params = "from_low = 0.0\nfrom_high = 10.0";
        let mut colour = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        for (n, score) in [Some(0), Some(5), None, Some(20)].into_iter().enumerate() {
            let mut event = EventWriter::new(format.as_event().expect("events"));
            if let Some(score) = score {
                event = event.i64(0, score);
            }
            colour.push(0, Frame::new(Header::at(Timestamp::from_nanos(n as i64)), event.finish()));
            colour.run();
        }
        let told: Vec<[f64; 4]> = colour
            .take()
            .iter()
            .map(|seen| {
                ["hue_deg", "red", "green", "blue"].map(|field| seen.number(field).expect("there"))
            })
            .collect();
        let want = [
            [240.0, 0.0, 0.0, 255.0],
            [120.0, 0.0, 255.0, 0.0],
            [120.0, 0.0, 0.0, 0.0],
            [0.0, 255.0, 0.0, 0.0],
        ];
        assert_eq!(told, want);
    }
}
