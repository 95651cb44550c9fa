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
