//! The allocator of the VM: lists of free small blocks, one for each size, in front of Rust's own allocator.
//!
//! An exchange allocates some hundreds of small blocks and gives nearly all of them back before it ends. Taking one
//! from a list costs a tenth of a search among blocks of all sizes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// Sizes are multiples of this, and so is every block's address.
const STEP: usize = 16;

/// How many sizes have a list: blocks up to a kilobyte, which an event is.
const CLASSES: usize = 64;

/// How many bytes one list may hold; what is freed beyond them goes back to Rust's allocator. All lists together
/// hold at most a megabyte.
const MAX_LIST_BYTES: usize = 16 << 10;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Pools = Pools::new();

/// Blocks that are free, by their size.
struct Pools {
    /// By the size in steps: nothing has no size, so the first stays empty.
    lists: [List; CLASSES + 1],
}

/// Free blocks of one size: the first bytes of each are the address of the next.
struct List {
    head: Cell<*mut u8>,
    bytes: Cell<usize>,
}

// SAFETY: a VM has one thread, and Envoy never enters it twice at once.
#[expect(
    unsafe_code,
    reason = "a static must be shareable, and there is nobody to share it with"
)]
unsafe impl Sync for Pools {}

// === impl Pools ===

impl Pools {
    const fn new() -> Self {
        Self {
            lists: [const { List::new() }; CLASSES + 1],
        }
    }

    /// The list for blocks of this layout, and how large its blocks are.
    fn list(&self, layout: Layout) -> Option<(&List, usize)> {
        if layout.align() > STEP {
            return None;
        }
        // No layout is so large that this overflows.
        let size = (layout.size() + STEP - 1) & !(STEP - 1);
        Some((self.lists.get(size / STEP)?, size))
    }
}

// SAFETY: a block of a list is as large as its class, which every layout of that class fits in, and is only handed
// out again after it was freed. All others are Rust's own allocator's.
#[expect(unsafe_code, reason = "an allocator")]
unsafe impl GlobalAlloc for Pools {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((list, size)) = self.list(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { alloc_elsewhere(layout) };
        };
        // SAFETY: what the list holds are free blocks of this size; the size is not zero.
        unsafe {
            list.take(size)
                .unwrap_or_else(|| alloc_elsewhere(Layout::from_size_align_unchecked(size, STEP)))
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((list, size)) = self.list(layout) else {
            // SAFETY: the caller's promise: it came from there.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: the caller gives up its claim on the block, which has this size.
        unsafe {
            if !list.put(block, size) {
                System.dealloc(block, Layout::from_size_align_unchecked(size, STEP));
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.list(layout).is_none() {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as for `alloc`; the block is at least as large as the layout.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: the new size, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (self.list(layout), self.list(new_layout)) {
            // SAFETY: the caller's promise: it came from there.
            (None, None) => unsafe { System.realloc(block, layout, new_size) },
            (Some((_, old)), Some((_, new))) if old == new => block,
            // SAFETY: both blocks are at least as large as what is copied, and are not the same.
            _ => unsafe {
                let moved = self.alloc(new_layout);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(block, layout.size().min(new_size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

/// What no list has: by Rust's own allocator, out of the way of what a list has.
///
/// # Safety
/// As for [`GlobalAlloc::alloc`].
#[cold]
#[inline(never)]
#[expect(unsafe_code, reason = "an allocator")]
unsafe fn alloc_elsewhere(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { System.alloc(layout) }
}

// === impl List ===

impl List {
    const fn new() -> Self {
        Self {
            head: Cell::new(null_mut()),
            bytes: Cell::new(0),
        }
    }

    /// Takes a block out.
    ///
    /// # Safety
    /// All blocks in the list are free and of this size.
    #[expect(unsafe_code, reason = "an allocator")]
    unsafe fn take(&self, size: usize) -> Option<*mut u8> {
        let block = self.head.get();
        if block.is_null() {
            return None;
        }
        // SAFETY: `put` wrote the next one's address there; blocks are aligned for it.
        self.head.set(unsafe { block.cast::<*mut u8>().read() });
        self.bytes.set(self.bytes.get().wrapping_sub(size));
        Some(block)
    }

    /// Puts a block in; false where the list holds enough.
    ///
    /// # Safety
    /// The block is nobody's any more, is of this size, and is aligned to [`STEP`].
    #[expect(unsafe_code, reason = "an allocator")]
    unsafe fn put(&self, block: *mut u8, size: usize) -> bool {
        let bytes = self.bytes.get() + size;
        if bytes > MAX_LIST_BYTES {
            return false;
        }
        // SAFETY: a block is large enough for an address, and aligned for it.
        unsafe { block.cast::<*mut u8>().write(self.head.get()) };
        self.head.set(block);
        self.bytes.set(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "an allocator is tested")]
    fn a_freed_block_serves_the_next_of_its_size() {
        let pools = Pools::new();
        let (odd, whole) = (Layout::new::<[u8; 17]>(), Layout::new::<[u8; 32]>());
        // SAFETY: each block is freed once, with a layout of its class.
        unsafe {
            let first = pools.alloc(odd);
            pools.dealloc(first, odd);
            let second = pools.alloc(whole);
            assert_eq!(first, second);
            let third = pools.alloc(whole);
            assert_ne!(second, third);
            pools.dealloc(second, whole);
            pools.dealloc(third, whole);
        }
    }

    #[test]
    #[expect(unsafe_code, reason = "an allocator is tested")]
    fn what_grows_and_shrinks_keeps_its_bytes() {
        let pools = Pools::new();
        let mut layout = Layout::new::<[u8; 3]>();
        // SAFETY: the block always has the layout that was asked for last.
        unsafe {
            let mut block = pools.alloc(layout);
            block.copy_from(b"abc".as_ptr(), 3);
            for size in [16, 17, 1_000, 1_024, 1_025, 70_000, 1_025, 900, 40, 3] {
                block = pools.realloc(block, layout, size);
                layout = Layout::from_size_align(size, 1).unwrap();
                assert_eq!(std::slice::from_raw_parts(block, 3), b"abc");
                block.add(size - 1).write(b'c' + u8::from(size > 3));
            }
            pools.dealloc(block, layout);
        }
    }

    #[test]
    #[expect(unsafe_code, reason = "an allocator is tested")]
    fn a_list_keeps_no_more_than_it_may() {
        let pools = Pools::new();
        let layout = Layout::new::<[u8; 1_024]>();
        // SAFETY: each block is freed once, with its layout.
        unsafe {
            let blocks: Vec<*mut u8> = (0..100).map(|_| pools.alloc(layout)).collect();
            for block in blocks {
                pools.dealloc(block, layout);
            }
        }
        let (list, _) = pools.list(layout).unwrap();
        assert_eq!(list.bytes.get(), MAX_LIST_BYTES);
    }
}
