//! The atomics of hand-made lock-free code, and the queues under it: the standard ones, crossbeam's
//! and rtrb's, or in a model test (`RUSTFLAGS="--cfg loom"`) those that loom sees through.

#[cfg(loom)]
mod queues;

#[cfg(not(loom))]
pub(crate) use {
    crossbeam_queue::ArrayQueue,
    std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

#[cfg(loom)]
pub(crate) use {
    loom::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
    queues::{ArrayQueue, rtrb},
};
