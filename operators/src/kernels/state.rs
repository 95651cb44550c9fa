//! How kernels read the state that they wrote: a version, then numbers, little-endian.

use crate::math::state::StateError;

/// What follows the version: exactly `count` numbers of `N` bytes.
pub(super) fn numbers<const N: usize>(
    bytes: &[u8],
    known: u8,
    count: usize,
) -> Result<&[[u8; N]], StateError> {
    let (found, body) = bytes.split_first().ok_or(StateError::Length)?;
    if *found != known {
        return Err(StateError::Version { found: *found, known });
    }
    match body.as_chunks() {
        (numbers, []) if numbers.len() == count => Ok(numbers),
        _ => Err(StateError::Length),
    }
}
