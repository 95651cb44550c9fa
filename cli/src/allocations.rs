#![expect(unsafe_code, reason = "an allocator is unsafe; this one only counts")]
//! How often a program asks for memory while somebody wants to know.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The system's allocator, which `afferent bench` can have count. A program that wants to know says
/// `#[global_allocator] static ALLOCATOR: afferent::Counting = afferent::Counting;`. While nobody wants
/// to know it costs one look at a flag.
pub struct Counting;

static WANTED: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicU64 = AtomicU64::new(0);

fn count() {
    // Relaxed: who wants to know starts and ends the counting on the thread that it is about, and what other
    // threads ask meanwhile may be told a moment late.
    if WANTED.load(Ordering::Relaxed) {
        ASKED.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often all threads ask for memory while `work` is done; `None` where nobody counts. One at a time.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    WANTED.store(true, Ordering::Relaxed);
    let start = ASKED.load(Ordering::Relaxed);
    drop(black_box(Box::new(0_u8)));
    let begun = ASKED.load(Ordering::Relaxed);
    let done = work();
    let asked = ASKED.load(Ordering::Relaxed) - begun;
    WANTED.store(false, Ordering::Relaxed);
    (done, (begun > start).then_some(asked))
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}
