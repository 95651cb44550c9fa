//! Answers that were given before: the same question to the same model or service is not asked twice.
//!
//! ```text
//! ask ─▶ memory ─ there? ──────────────────────────────▶ the answer, at once, on the asking thread
//!          │ no
//!          ▼
//!        is the same question running? ─ yes ──────────▶ waits for its answer
//!          │ no
//!          ▼
//!        Redis, 2 ms at most ─ there? ─────────────────▶ into memory, to all who wait
//!          │ no, late, or not to be reached
//!          ▼
//!        the model, the service ─▶ into memory and Redis, to all who wait
//! ```
//!
//! `[cache.NAME]` describes one; models (`cache = "NAME"` in `[model.*]`) and `http_call` use it. It lives
//! once per host and is shared by all sessions.
//!
//! A question is the same if its bytes are, put in the same way to a model of the same content; what the
//! way is, [`Identity`] says. Bits count: 0.0 and −0.0 are two questions, and a NaN is itself. Keys are
//! XXH3 of 128 bits, which tells apart what chance brings, not what somebody builds on purpose.

mod breaker;
mod counts;
mod fit;
mod flight;
mod key;
mod memory;
mod redis;
pub mod section;
mod shared;
pub(crate) mod unchanged;
mod wire;

pub use breaker::Breaker;
pub use counts::CacheCounts;
pub use fit::Fit;
pub use key::{Identity, Key};
pub use redis::RedisOptions;
pub use section::PREFIX;
pub use shared::{Cache, CacheOptions, Question};
