//! From a body's signals to what they say.

pub mod hrv;
pub mod pacer;
pub mod qrs;
