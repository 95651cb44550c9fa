//! `tone`: how a number sounds: a pitch and a volume.
//!
//! With u from 0 at `from_low` to 1 at `from_high`,
//!
//! ```text
//! frequency = low_hz (high_hz / low_hz)^u      equal steps are equal musical intervals
//! ```
//!
//! and with `scale` moved to the nearest note of equal temperament in that scale (A4 = 440 Hz).
//!
//! | port  | carries                                                                |
//! |-------|------------------------------------------------------------------------|
//! | `in`  | a signal, of which the first channel sounds, or events with a number   |
//! | `out` | events with `frequency_hz` and `volume`: of a signal every `every_s`   |
//!
//! **Delay**: none. **NaN**: what is missing is silent: `volume` 0, and the pitch stays. **Gap**:
//! the first sample behind it sounds at once.

use engine::{Body, Diagnostic, Fault, Field, Io, Kind, Node, Operator, Outline, Param, Port};

use super::value::{EVERY_S, FIELD, FROM_HIGH, FROM_LOW, Ticks, ends, share, ticks};
use crate::{bodies::load, math::state::put_f64};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "tone",
    summary: "How a number sounds: a pitch and a volume.",
    doc: "frequency_hz = low_hz (high_hz / low_hz)^u with u = (x - from_low) / (from_high - \
          from_low) within 0 and 1: equal steps are equal musical intervals. scale moves it to \
          the nearest note, 440 * 2^(k / 12) Hz, of all twelve (\"chromatic\"), of C major or of \
          C major pentatonic. volume is volume_share, 0 where a number is missing. Of a signal \
          the first channel sounds, every every_s; of events `field`, each. Ends, frequencies and \
          volume_share may change while it runs. Delay: none. NaN: is silent; the pitch stays as \
          it was. Cost: some 50 ns an event. Source: ISO 16 for the tuning.",
    example: "from_high = 1000.0",
    inputs: &[Port::any("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[&FROM_LOW, &FROM_HIGH, &LOW_HZ, &HIGH_HZ, &SCALE, &VOLUME_SHARE, &EVERY_S, &FIELD],
    plan: |node| {
        Voice::of(node)?;
        let fields = vec![Field::f64("frequency_hz"), Field::f64("volume")];
        Ok(Outline::of([ticks(node, fields)?]))
    },
    build: |node| {
        let voice = Voice::of(node)?;
        let last_hz = voice.low_hz;
        Ok(Body::operator(Tone { ticks: Ticks::new(node)?, voice, last_hz }))
    },
    ..Kind::BASE
};

const LOW_HZ: Param<f64> =
    Param::with_default("low_hz", 220.0, "Pitch of the low end.").within(1.0, 2e4).live();
const HIGH_HZ: Param<f64> =
    Param::with_default("high_hz", 880.0, "Pitch of the high end.").within(1.0, 2e4).live();
const SCALE: Param<&str> = Param::with_default("scale", "none", "Which notes there are.")
    .one_of(&["none", "chromatic", "major", "pentatonic"]);
const VOLUME_SHARE: Param<f64> =
    Param::with_default("volume_share", 1.0, "How loud it is, of full.").within(0.0, 1.0).live();

/// Semitones above C that a scale has, as bits.
const MAJOR: u16 = 0b1010_1011_0101;
const PENTATONIC: u16 = 0b0010_1001_0101;

struct Voice {
    from: [f64; 2],
    low_hz: f64,
    high_hz: f64,
    notes: Option<u16>,
    volume: f64,
}

impl Voice {
    fn of(node: &Node<'_>) -> Result<Self, Diagnostic> {
        Ok(Self {
            from: ends(node)?,
            low_hz: node.get(&LOW_HZ)?,
            high_hz: node.get(&HIGH_HZ)?,
            notes: match node.get(&SCALE)? {
                "chromatic" => Some(0xfff),
                "major" => Some(MAJOR),
                "pentatonic" => Some(PENTATONIC),
                _ => None,
            },
            volume: node.get(&VOLUME_SHARE)?,
        })
    }

    fn pitch_hz(&self, x: f64) -> f64 {
        let u = share(x, self.from[0], self.from[1]);
        let hz = self.low_hz * (self.high_hz / self.low_hz).powf(u);
        self.notes.map_or(hz, |notes| nearest_hz(hz, notes))
    }
}

/// The note of a scale that is nearest in semitones; of two the lower one.
fn nearest_hz(hz: f64, notes: u16) -> f64 {
    // A4 is 9 semitones above C4.
    let semitones = 12.0 * (hz / 440.0).log2();
    let is_there = |note: &i32| notes >> (note + 9).rem_euclid(12) & 1 == 1;
    // No scale leaves out three semitones in a row.
    let about = semitones.round() as i32;
    let near = (about - 3..=about + 3).filter(is_there);
    let off = |note: &i32| (f64::from(*note) - semitones).abs();
    let nearest = near.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(about);
    440.0 * (f64::from(nearest) / 12.0).exp2()
}

struct Tone {
    ticks: Ticks,
    voice: Voice,
    /// The pitch that was told last.
    last_hz: f64,
}

impl Operator for Tone {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Self { ticks, voice, last_hz } = self;
        ticks.take(io, |value, time, io| {
            if let Some(value) = value {
                *last_hz = voice.pitch_hz(value);
            }
            let volume = if value.is_some() { voice.volume } else { 0.0 };
            let event = io.event_for(0).f64(0, *last_hz).f64(1, volume);
            io.send_event(0, time, event);
        });
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.voice = Voice::of(node).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn reset(&mut self) {
        self.ticks.reset();
        self.last_hz = self.voice.low_hz;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        put_f64(into, self.last_hz);
        self.ticks.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `tone`", 1, from, |state| {
            state.f64(&mut self.last_hz)?;
            self.ticks.load(state)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn tones(params: &str, signal: &[f32]) -> Vec<(i64, f64, f64)> {
        let input = [("in", Bench::channels(1, 100.0))];
        let mut tone =
            Bench::with(&KIND, &input, params).unwrap_or_else(|problem| panic!("{problem}"));
        tone.feed(signal);
        let told = tone.take();
        let told = told.iter().map(|seen| {
            let number = |field: &str| seen.number(field).expect("always there");
            (seen.time().nanos() / 10_000_000, number("frequency_hz"), number("volume"))
        });
        told.collect()
    }

    #[test]
    fn equal_steps_are_equal_intervals_and_what_is_missing_is_silent() {
        let told = tones("every_s = 0.01", &[0.0, 0.5, 1.0, f32::NAN, -3.0]);
        let (times, pitches): (Vec<_>, Vec<_>) = told.iter().map(|told| (told.0, told.1)).unzip();
        assert_eq!(times, [0, 1, 2, 3, 4]);
        // 4^0.5 is exact.
        assert_eq!(pitches, [220.0, 440.0, 880.0, 880.0, 220.0]);
        assert_eq!(told.iter().map(|told| told.2).collect::<Vec<_>>(), [1.0, 1.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn a_signal_sounds_every_so_often() {
        let told = tones("every_s = 0.03", &[0.0; 8]);
        assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), [0, 3, 6]);
    }

    #[test]
    fn notes_are_those_of_the_scale() {
        let semitone = 2f64.powf(1.0 / 12.0);
        // A sharp belongs to all twelve only; of its neighbours B is no note of the pentatonic.
        let sharp = 440.0 * semitone;
        for (notes, want) in [(0xfff, sharp), (PENTATONIC, 440.0)] {
            assert!((nearest_hz(sharp * 1.001, notes) / want - 1.0).abs() < 1e-12);
        }
        let major = [-9, -7, -5, -4, -2, 0, 2];
        let white: Vec<i32> = (-9..3).filter(|n| MAJOR >> (n + 9) & 1 == 1).collect();
        assert_eq!(white, major);
        assert!((nearest_hz(261.6, MAJOR) - 261.625_565).abs() < 1e-5, "C4 by the tables");
    }
}
