//! The loops that most time goes into, compiled for several instruction sets.
//!
//! A kernel knows slices of samples and its own state; no frames, no ports, no clock. Samples are
//! planar: all of channel 0, then all of channel 1, and so on. Three rules make every machine and
//! every way to cut a signal into frames give the same bits:
//!
//! - multiplications and additions are rounded one by one (no fused multiply-add);
//! - each output sample is summed in an order that its formula fixes: vectors run across channels
//!   or across output samples, never along a sum;
//! - what does not happen at every sample happens at fixed sample numbers.
//!
//! A kernel allocates when it is built and never after.

pub mod biquad;
pub mod decimate;
pub mod fir;
mod kernel;
mod level;
pub mod map;
pub mod polyphase;
mod sections;
mod tile;

pub use kernel::Kernel;
pub use level::Level;
