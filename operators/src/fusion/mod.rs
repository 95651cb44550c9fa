//! Operators that make one stream of several.

pub mod align;
pub mod complementary;
pub mod evidence;
mod fields;
pub mod index;
pub mod join;
pub mod kalman;
pub mod merge;
pub mod select;
mod voices;
pub mod vote;
pub mod weighted;
