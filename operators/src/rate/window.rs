//! `window`: a signal as overlapping pieces, such as a model takes.
//!
//! Piece m holds the samples from m · `hop` on, one row for each channel:
//!
//! ```text
//! W[m][c, n] = x_c[m · hop + n],    n = 0 … len − 1
//! ```
//!
//! | port  | carries                                                    |
//! |-------|------------------------------------------------------------|
//! | `in`  | any signal                                                 |
//! | `out` | a tensor of f32, channels × samples, once a hop            |
//!
//! A piece carries the moment of its first sample and comes when its last is there: that is its
//! look-back. One that is not full when the input ends is left out; after a gap the next begins at
//! the first sample. There is no shape: `stft` and its kin have one. **Delay**: none. **NaN** passes as
//! it is. **Cost**: two copies of every sample, times len / hop.

use engine::{
    Body, Buffer, Dimension, Element, Fault, Format, Io, Kind, Operator, Outline, Port,
    TensorFormat,
};

use crate::{
    math::state::{State, StateError, StateReader},
    spectrum::{
        cut::{self, HOP_S, HOP_SAMPLES, WINDOW_S, WINDOW_SAMPLES},
        segments::Segments,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "window",
    summary: "A signal as overlapping pieces, such as a model takes.",
    doc: "A tensor of f32, channels x samples, for every window_s (or window_samples) of the signal, \
          every hop_s (or hop_samples; half a window unless written): piece m holds the samples from m \
          hop on and carries the moment of the first. It comes when its last sample is there, which is \
          its look-back. A piece that is not full when the input ends is left out; after a gap the \
          next begins at the first sample. Delay: none. NaN passes as it is. Cost: two copies of every \
          sample, times window / hop.",
    example: "window_s = 1.0\nhop_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::tensor("out")],
    params: &[&WINDOW_S, &WINDOW_SAMPLES, &HOP_S, &HOP_SAMPLES],
    plan: |node| {
        let (len, _) = cut::lengths(node, "in")?;
        let signal = node.signal("in");
        let shape = vec![Dimension::Fixed(signal.channels.len()), Dimension::Fixed(len)];
        let format = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        Ok(Outline::of([format]).looking_back(signal.rate.span_ns(len as i64)))
    },
    build: |node| {
        let (len, hop) = cut::lengths(node, "in")?;
        let channels = node.signal("in").channels.len();
        Ok(Body::operator(Window { segments: Segments::from_first(channels, len, hop), len }))
    },
    ..Kind::BASE
};

/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Window {
    segments: Segments,
    len: usize,
}

impl Operator for Window {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let (len, mut at) = (frame.len(), 0);
        while at < len {
            at += self.segments.push([frame.samples(), &[]], len, at);
            if self.segments.is_whole() {
                let mut piece = Buffer::signal(self.segments.channels(), self.len);
                let rows = piece.floats_mut().expect("a fresh buffer has one holder");
                for (channel, row) in rows.chunks_exact_mut(self.len).enumerate() {
                    row.copy_from_slice(self.segments.of(channel));
                }
                self.segments.advance();
                io.send_buffer(0, io.time_of(at as i64 - self.len as i64), piece);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.segments.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.segments.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let mut read = || {
            let mut state = State::Load(StateReader::new(from, VERSION)?);
            self.segments.load(&mut state)?;
            state.end()
        };
        let told = |error: StateError| Fault::new("is no state of this window").because(error);
        read().map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn pieces(params: &str, frame: usize) -> Vec<(f64, Vec<f32>)> {
        let two = [("in", Bench::channels(2, 10.0))];
        let mut window = Bench::with(&KIND, &two, params).expect("valid");
        let ramp: Vec<f32> = (0..20).map(|n| n as f32).collect();
        for part in ramp.chunks(frame) {
            let other = part.iter().map(|x| -x);
            let both: Vec<f32> = part.iter().copied().chain(other).collect();
            window.feed(&both);
        }
        window.flush();
        assert_eq!(window.late(), 0);
        let seen = window.take();
        seen.iter().map(|s| (s.time().secs_f64(), s.frame.samples().to_vec())).collect()
    }

    #[test]
    fn a_piece_holds_what_is_said_and_lies_at_its_first_sample() {
        for frame in [1, 3, 20] {
            let got = pieces("window_samples = 4\nhop_samples = 6", frame);
            assert_eq!(
                got,
                [
                    (0.0, vec![0.0, 1.0, 2.0, 3.0, -0.0, -1.0, -2.0, -3.0]),
                    (0.6, vec![6.0, 7.0, 8.0, 9.0, -6.0, -7.0, -8.0, -9.0]),
                    (1.2, vec![12.0, 13.0, 14.0, 15.0, -12.0, -13.0, -14.0, -15.0]),
                ]
            );
        }
    }

    #[test]
    fn pieces_overlap_by_half_unless_told() {
        let got = pieces("window_s = 1.0", 7);
        let firsts: Vec<f32> = got.iter().map(|(_, piece)| piece[0]).collect();
        assert_eq!(firsts, [0.0, 5.0, 10.0]);
        assert_eq!(got[1].1.len(), 20);
    }
}
