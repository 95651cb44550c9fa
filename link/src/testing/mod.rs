//! What tests of links need: a network that is as bad as one wants, the same each time.

mod random;

pub use random::Random;
