//! Kinds of the benches: the least work that can be checked.

pub(crate) mod ends;
pub(crate) mod faulty;
pub(crate) mod sessions;
pub(crate) mod talk;
pub(crate) mod work;

use engine::Kind;

/// Every kind of this folder.
pub(crate) static KINDS: &[&Kind] = &[
    &ends::RAMP,
    &ends::SAME,
    &ends::SOUND,
    &ends::FINAL,
    &ends::TAKEN,
    &ends::TAKEN_OFF,
    &ends::LATENCY,
    &work::NOISE,
    &work::ADD,
    &work::SAXPY,
    &work::HASH,
    &sessions::REPLAY,
    &sessions::AGE,
    &talk::PERSON,
    &talk::HEARD,
    &talk::VOICE,
    &faulty::DIES,
    &faulty::SLOW,
];
