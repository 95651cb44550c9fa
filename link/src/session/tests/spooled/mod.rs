//! Durable edges that are kept on disk.

mod full;
mod hosts;
mod lives;
mod outages;
