#![expect(unsafe_code, reason = "pooled, reference-counted blocks with 64-byte alignment")]
//! [`Buffer`]: the bytes of one frame, pooled, shared and immutable.
//!
//! ```text
//! Buffer ──▶ ┌──────────── block: one allocation, 64-byte aligned ────────────┐
//! (16 bytes) │ refs │ class │ … 64 bytes of head │ 64 << class bytes of data  │
//!            └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A block that nobody holds any more goes to a small store of the thread that
//! let it go, then to a store all threads share, and only then back to the
//! allocator: after the first second a graph allocates nothing. Taking and
//! returning a block costs a few nanoseconds when the thread has one. Between
//! threads blocks travel by the [`Magazine`], so that a frame that is made on one
//! core and let go on another costs the shared store next to nothing.
//!
//! Invariants:
//!   1. `block` points to a live block made by `allocate` while any `Buffer` on it exists;
//!      `refs` counts those.
//!   2. All `64 << class` data bytes of a block are initialised from birth (zeroed) and
//!      `bytes <= 64 << class`.
//!   3. The data is written only through a `Buffer` that is the only one (`refs == 1`)
//!      and borrowed mutably.
//!   4. A block in a magazine has no `Buffer` and stands in no other; only the magazine's
//!      owner reaches it, by `next`.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    cell::RefCell,
    ptr::NonNull,
    sync::OnceLock,
};

use crate::sync::{ArrayQueue, AtomicU32, Ordering, fence};

/// Alignment of the data, in bytes: one cache line, one AVX-512 register.
pub(crate) const ALIGN: usize = 64;
const CLASSES: usize = 26;
/// A magazine holds at most this many bytes; a thread keeps two of each class.
const MAGAZINE_BYTES_MAX: usize = 128 << 10;
const MAGAZINE_BLOCKS_MAX: usize = if cfg!(loom) { 1 } else { 64 };
const SHARED_BYTES_MAX: usize = 64 << 20;
const SHARED_MAGAZINES_MAX: usize = 128;

#[repr(C, align(64))]
struct Block {
    refs: AtomicU32,
    class: u8,
    /// The block below in a magazine.
    next: Option<NonNull<Block>>,
    /// Stands for the data in model tests: loom sees who reads and who writes it.
    #[cfg(loom)]
    witness: loom::cell::UnsafeCell<()>,
}

const HEAD: usize = size_of::<Block>();
const _: () = assert!(HEAD == ALIGN);

/// A handle on pooled bytes: cheap to clone and to move, readable by all holders,
/// writable by a sole one.
#[repr(C)]
pub struct Buffer {
    sizes: Sizes,
    // Last, also in a frame: what an `Option` looks at splits what is moved.
    block: NonNull<Block>,
}

/// Bytes in use, and samples of one channel, so that a signal's frame needs no division. In one
/// word: a handle of two words travels in registers, and is not read back as a whole just after
/// its parts were written.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
struct Sizes(u64);

impl Sizes {
    const fn new(bytes: u32, count: u32) -> Self {
        Self((bytes as u64) << 32 | count as u64)
    }

    const fn bytes(self) -> usize {
        (self.0 >> 32) as usize
    }

    const fn count(self) -> usize {
        self.0 as u32 as usize
    }
}

// SAFETY: data is only written by a sole holder (3), and the count is atomic.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared holders only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `bytes` bytes whose content is unspecified (but initialised).
    ///
    /// # Panics
    /// Beyond 2 GiB.
    pub fn with_bytes(bytes: usize, count: usize) -> Self {
        let class = class_of(bytes);
        let block = take_block(class);
        // SAFETY: a block from a store or fresh from the allocator is ours alone (4).
        unsafe { block.as_ref() }.refs.store(1, Ordering::Relaxed);
        Self { sizes: Sizes::new(bytes as u32, count as u32), block }
    }

    /// A buffer for `channels` planes of `len` samples; content unspecified.
    pub fn signal(channels: usize, len: usize) -> Self {
        Self::with_bytes(channels * len * size_of::<f32>(), len)
    }

    /// A buffer with these numbers that counts `count`.
    ///
    /// # Panics
    /// Beyond 2 GiB.
    pub fn of_floats(numbers: &[f32], count: usize) -> Self {
        let mut buffer = Self::with_bytes(size_of_val(numbers), count);
        buffer.floats_mut().expect("fresh").copy_from_slice(numbers);
        buffer
    }

    /// Number of bytes in use.
    pub fn bytes_len(&self) -> usize {
        self.sizes.bytes()
    }

    /// Samples of one channel, for signals; what the maker said otherwise.
    pub fn count(&self) -> usize {
        self.sizes.count()
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        self.is_read();
        // SAFETY: (1) and (2); no writer while a shared borrow exists (3).
        unsafe { std::slice::from_raw_parts(self.data(), self.sizes.bytes()) }
    }

    /// All bytes as `f32`, rounded down to whole ones.
    pub fn floats(&self) -> &[f32] {
        self.is_read();
        // SAFETY: (1), (2), (3); data is 64-byte aligned and any bits are an f32.
        unsafe { std::slice::from_raw_parts(self.data().cast(), self.sizes.bytes() / 4) }
    }

    /// Whether this is the only handle.
    pub fn is_sole(&self) -> bool {
        // Pairs with the Release in `drop`: the other holders' reads are over.
        self.refs().load(Ordering::Acquire) == 1
    }

    /// The bytes for writing, if this is the only handle.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if !self.is_sole() {
            return None;
        }
        self.is_written();
        // SAFETY: sole holder, borrowed mutably (3); (1) and (2).
        Some(unsafe { std::slice::from_raw_parts_mut(self.data(), self.sizes.bytes()) })
    }

    /// The samples for writing, if this is the only handle.
    pub fn floats_mut(&mut self) -> Option<&mut [f32]> {
        if !self.is_sole() {
            return None;
        }
        self.is_written();
        // SAFETY: as in `bytes_mut`; aligned, any bits are an f32.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data().cast(), self.sizes.bytes() / 4) })
    }

    /// Shortens the buffer; the block stays as it is.
    pub fn truncate(&mut self, bytes: usize, count: usize) {
        let (bytes, count) = (self.sizes.bytes().min(bytes), self.sizes.count().min(count));
        self.sizes = Sizes::new(bytes as u32, count as u32);
    }

    /// A buffer with the same content and no other holder.
    pub fn copied(&self) -> Self {
        let mut copy = Self::with_bytes(self.sizes.bytes(), self.sizes.count());
        copy.bytes_mut().expect("a fresh buffer has one holder").copy_from_slice(self.bytes());
        copy
    }

    fn capacity(&self) -> usize {
        // SAFETY: (1).
        ALIGN << unsafe { self.block.as_ref() }.class
    }

    /// Tells a model test that the data is read now.
    #[inline]
    fn is_read(&self) {
        #[cfg(loom)]
        // SAFETY: (1).
        unsafe { self.block.as_ref() }.witness.with(|_| ());
    }

    /// Tells a model test that the data is written now.
    #[inline]
    fn is_written(&self) {
        #[cfg(loom)]
        // SAFETY: (1).
        unsafe { self.block.as_ref() }.witness.with_mut(|_| ());
    }

    fn refs(&self) -> &AtomicU32 {
        // SAFETY: (1).
        unsafe { &self.block.as_ref().refs }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: the data follows the head in the same allocation (1).
        unsafe { self.block.as_ptr().cast::<u8>().add(HEAD) }
    }
}

/// A buffer that nobody else holds, or none: what is written into needs no asking.
pub(crate) struct Sole(Option<Buffer>);

impl Sole {
    /// None yet.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    /// What is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], Buffer::bytes)
    }

    /// Becomes a buffer as long as `other` and gives its samples for writing: the same block if
    /// there is room, else another from the pool. Content unspecified.
    #[inline]
    pub(crate) fn like(&mut self, other: &Buffer) -> &mut [f32] {
        if self.0.as_ref().is_none_or(|here| other.sizes.bytes() > here.capacity()) {
            self.0 = Some(Buffer::with_bytes(other.sizes.bytes(), other.sizes.count()));
        }
        let here = self.0.as_mut().expect("put there if it was not");
        // Along a chain nothing changes here, and a store of half a handle would hold up
        // the load of the whole one that follows.
        if here.sizes != other.sizes {
            here.sizes = other.sizes;
        }
        // SAFETY: sole holder, which `trade` sees to, borrowed mutably (3); (1) and (2); any bits
        // are an f32.
        unsafe { std::slice::from_raw_parts_mut(here.data().cast(), here.sizes.bytes() / 4) }
    }

    /// Changes places with `other`. If others hold that too, it is let go, so that the last of them
    /// may write in place.
    #[inline]
    pub(crate) fn trade(&mut self, other: &mut Buffer) {
        let Some(own) = self.0.as_mut() else { return };
        std::mem::swap(own, other);
        if !own.is_sole() {
            self.0 = None;
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        // Relaxed: whoever made this handle visible to us ordered what it wrote.
        let refs = self.refs().fetch_add(1, Ordering::Relaxed);
        assert!(refs < u32::MAX / 2, "a buffer with two thousand million holders is a leak");
        Self { sizes: self.sizes, block: self.block }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A sole holder needs no locked instruction: nobody can clone behind it.
        if !self.is_sole() {
            // Release: our reads come before the last holder's reuse of the block;
            // pairs with the Acquire in `is_sole` and with the fence below.
            if self.refs().fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        give_block(self.block);
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.sizes.bytes())
    }
}

fn class_of(bytes: usize) -> usize {
    let class = bytes.div_ceil(ALIGN).next_power_of_two().trailing_zeros() as usize;
    assert!(class < CLASSES, "a buffer of {bytes} bytes is beyond the limit of 2 GiB");
    class
}

fn layout(class: usize) -> Layout {
    Layout::from_size_align(HEAD + (ALIGN << class), ALIGN).expect("below isize::MAX")
}

fn allocate(class: usize) -> NonNull<Block> {
    let layout = layout(class);
    // SAFETY: the layout is not zero-sized. Zeroed bytes are a valid Block with
    // class 0 and refs 0, and initialised data (2).
    let block = unsafe { alloc_zeroed(layout) }.cast::<Block>();
    let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
    // SAFETY: fresh from the allocator and large enough for a Block.
    unsafe {
        block.write(Block {
            refs: AtomicU32::new(0),
            class: class as u8,
            next: None,
            #[cfg(loom)]
            witness: loom::cell::UnsafeCell::new(()),
        });
    }
    block
}

fn release(block: NonNull<Block>) {
    // SAFETY: only blocks without holders come here (4), each made by `allocate` (1).
    unsafe {
        let class = block.as_ref().class as usize;
        dealloc(block.as_ptr().cast(), layout(class));
    }
}

/// Blocks of one class that nobody holds, each linked to the one below.
struct Magazine {
    top: Option<NonNull<Block>>,
    blocks: usize,
}

// SAFETY: blocks without holders belong to whoever owns the magazine (4).
unsafe impl Send for Magazine {}

impl Magazine {
    const EMPTY: Self = Self { top: None, blocks: 0 };

    /// Blocks of a class that one magazine holds; 0 where a single one is too large.
    const fn room(class: usize) -> usize {
        let room = MAGAZINE_BYTES_MAX / (ALIGN << class);
        if room < MAGAZINE_BLOCKS_MAX { room } else { MAGAZINE_BLOCKS_MAX }
    }

    fn push(&mut self, block: NonNull<Block>) {
        // SAFETY: the last holder is gone, so the block is ours alone (4).
        unsafe { (*block.as_ptr()).next = self.top };
        self.top = Some(block);
        self.blocks += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Block>> {
        let block = self.top?;
        // SAFETY: blocks of a magazine are reached by its owner alone (4).
        self.top = unsafe { block.as_ref() }.next;
        self.blocks -= 1;
        Some(block)
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::EMPTY)
    }
}

impl Drop for Magazine {
    fn drop(&mut self) {
        while let Some(block) = self.pop() {
            release(block);
        }
    }
}

/// A thread's two magazines of a class: with one alone, a thread that takes and returns in turn
/// at its end would go to the shared store each time.
struct Local {
    loaded: [Magazine; CLASSES],
    reserve: [Magazine; CLASSES],
}

impl Local {
    const EMPTY: Self = Self {
        loaded: [const { Magazine::EMPTY }; CLASSES],
        reserve: [const { Magazine::EMPTY }; CLASSES],
    };

    fn take(&mut self, class: usize) -> Option<NonNull<Block>> {
        let loaded = &mut self.loaded[class];
        if loaded.blocks == 0 {
            std::mem::swap(loaded, &mut self.reserve[class]);
        }
        if loaded.blocks == 0 {
            *loaded = SHARED[class].get()?.pop()?;
        }
        loaded.pop()
    }

    fn give(&mut self, class: usize, block: NonNull<Block>) {
        let loaded = &mut self.loaded[class];
        if loaded.blocks >= Magazine::room(class) {
            std::mem::swap(loaded, &mut self.reserve[class]);
            if loaded.blocks > 0 {
                give_shared(class, loaded.take());
            }
        }
        loaded.push(block);
    }
}

// In a model test the shared store ends before the last thread does.
#[cfg(not(loom))]
impl Drop for Local {
    fn drop(&mut self) {
        for (class, magazine) in self.loaded.iter_mut().chain(&mut self.reserve).enumerate() {
            if magazine.blocks > 0 {
                give_shared(class % CLASSES, magazine.take());
            }
        }
    }
}

#[cfg(not(loom))]
std::thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local::EMPTY) };
}

#[cfg(loom)]
loom::thread_local! {
    static LOCAL: RefCell<Local> = RefCell::new(Local::EMPTY);
}

type SharedStore = [OnceLock<ArrayQueue<Magazine>>; CLASSES];

#[cfg(not(loom))]
static SHARED: SharedStore = [const { OnceLock::new() }; CLASSES];

// In a model test every interleaving has a store of its own.
#[cfg(loom)]
loom::lazy_static! {
    static ref SHARED: SharedStore = [const { OnceLock::new() }; CLASSES];
}

fn take_block(class: usize) -> NonNull<Block> {
    let local = LOCAL.try_with(|local| local.borrow_mut().take(class)).ok().flatten();
    local.unwrap_or_else(|| allocate(class))
}

fn give_block(block: NonNull<Block>) {
    // SAFETY: the last holder is gone, so the block is ours (4).
    let class = unsafe { block.as_ref() }.class as usize;
    let given = Magazine::room(class) > 0
        && LOCAL.try_with(|local| local.borrow_mut().give(class, block)).is_ok();
    if !given {
        // Too large for a thread to keep, or the thread is ending and has no store any more.
        let mut single = Magazine::EMPTY;
        single.push(block);
        give_shared(class, single);
    }
}

fn give_shared(class: usize, magazine: Magazine) {
    let bytes = (ALIGN << class) * Magazine::room(class).max(1);
    let room = (SHARED_BYTES_MAX / bytes).clamp(1, SHARED_MAGAZINES_MAX);
    let shared = SHARED[class].get_or_init(|| ArrayQueue::new(room));
    // Without room the magazine ends here and its blocks go back to the allocator.
    drop(shared.push(magazine));
}

#[cfg(all(test, loom))]
mod model;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn data_is_aligned_and_as_long_as_asked() {
        for bytes in [0, 1, 63, 64, 65, 4_096, 100_000] {
            let buffer = Buffer::with_bytes(bytes, 0);
            assert_eq!(buffer.bytes().len(), bytes);
            assert_eq!(buffer.data() as usize % ALIGN, 0);
        }
    }

    #[test]
    fn a_shared_buffer_refuses_writers() {
        let mut one = Buffer::signal(1, 4);
        one.floats_mut().expect("sole").fill(1.0);
        let two = one.clone();

        assert!(one.floats_mut().is_none());
        drop(two);
        assert!(one.floats_mut().is_some());
    }

    #[test]
    fn a_returned_block_is_taken_again() {
        let first = Buffer::with_bytes(777, 0);
        let place = first.data();
        drop(first);

        assert_eq!(Buffer::with_bytes(1_000, 0).data(), place);
    }

    #[test]
    fn blocks_travel_between_threads() {
        let mut buffers: Vec<Buffer> = (0..1_000).map(|n| Buffer::signal(1, n % 64)).collect();
        for (n, buffer) in buffers.iter_mut().enumerate() {
            buffer.floats_mut().expect("sole").fill(n as f32);
        }
        let copies = buffers.clone();

        let reader = std::thread::spawn(move || {
            copies.iter().map(|buffer| buffer.floats().iter().sum::<f32>()).sum::<f32>()
        });
        let here: f32 = buffers.iter().map(|buffer| buffer.floats().iter().sum::<f32>()).sum();

        assert_eq!(reader.join().expect("no panic"), here);
    }
}
