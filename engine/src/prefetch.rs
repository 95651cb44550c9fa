//! Memory that will be needed soon.
//!
//! What lies in no cache takes some 100 ns to come, and code that follows one pointer after the other
//! waits for each in turn. Asked for beforehand, all of it comes at once.

/// Asks for the cache line at an address, which need not be valid.
#[inline(always)]
pub(crate) fn line<T: ?Sized>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[expect(unsafe_code, reason = "a hint to the processor, which reads nothing and never faults")]
    // SAFETY: any address will do, and what lies there is not looked at.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Asks for the first `bytes` of what lies there.
#[inline(always)]
pub(crate) fn bytes<T>(at: &T, bytes: usize) {
    let first = std::ptr::from_ref(at).cast::<u8>();
    (0..bytes).step_by(64).for_each(|offset| line(first.wrapping_add(offset)));
}
