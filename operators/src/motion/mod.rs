//! From the sensors of a moving body to how it is turned and what it does.

pub mod gravity;
pub mod orientation;
pub mod posture;
mod sensors;
pub mod steps;
