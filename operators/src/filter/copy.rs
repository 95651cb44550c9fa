//! `copy`: the same samples in another buffer.
//!
//! For measuring what the runtime costs, and for keeping a branch from sharing memory.
//!
//! | port  | carries    |
//! |-------|------------|
//! | `in`  | any signal |
//! | `out` | the same   |

use engine::{Block, Body, Kind, Port};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "copy",
    summary: "Copy every sample into another buffer.",
    doc: "out[n] = in[n], really copied. No delay. NaN passes as it is. Cost: that of memcpy.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Copy)),
    ..Kind::BASE
};

struct Copy;

impl Block for Copy {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        output.copy_from_slice(input);
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn every_bit_comes_out_as_it_is() {
        let mut copy = Bench::with(&KIND, &[("in", Bench::channels(2, 100.0))], "").expect("valid");
        let samples = [1.0, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0];
        let bits = |samples: &[f32]| samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&copy.feed(&samples)), bits(&samples));
    }
}
