//! The guest's allocator: an instance lives for one evaluation, so nothing is
//! ever given back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Enough for any built-in policy on any ordinary object. Growing the memory
/// costs the host two `mprotect` calls for each instance, half of the whole
/// price of an evaluation; below this size it never happens.
const SIZE: usize = 96 * 1024;

/// A bump allocator over a static block, which hands over to the system's
/// allocator when the block is full.
#[derive(Debug)]
pub struct Arena {
    block: UnsafeCell<[u8; SIZE]>,
    used: Cell<usize>,
}

impl Arena {
    /// An empty arena.
    #[must_use]
    pub const fn new() -> Self {
        Self { block: UnsafeCell::new([0; SIZE]), used: Cell::new(0) }
    }

    fn owns(&self, block: *mut u8) -> bool {
        let start = self.block.get().cast::<u8>() as usize;
        (start..start + SIZE).contains(&(block as usize))
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a component has one thread, so nothing is ever shared.
#[allow(unsafe_code)]
unsafe impl Sync for Arena {}

// SAFETY: a block handed out lies in `block`, is aligned as asked, and no two
// overlap, for `used` only grows but when the last block grows or shrinks in
// place. What doesn't fit comes from, and goes back to, the system's allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.block.get().cast::<u8>();
        let start = (base as usize + self.used.get()).next_multiple_of(layout.align());
        let offset = start - base as usize;
        match offset.checked_add(layout.size()) {
            Some(end) if end <= SIZE => {
                self.used.set(end);
                // SAFETY: `offset` is within the block.
                unsafe { base.add(offset) }
            }
            // SAFETY: the caller's promises are passed on.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.owns(block) {
            // SAFETY: what the arena doesn't own came from `System`.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.owns(block) {
            // SAFETY: what the arena doesn't own came from `System`.
            return unsafe { System.realloc(block, layout, size) };
        }
        let offset = block as usize - self.block.get().cast::<u8>() as usize;
        let last = offset + layout.size() == self.used.get();
        if size <= layout.size() || last && offset + size <= SIZE {
            if last {
                self.used.set(offset + size);
            }
            return block;
        }
        // SAFETY: `size` is not zero and the alignment is the old one; the
        // copy is of the smaller, old size into a fresh block.
        unsafe {
            let fresh = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !fresh.is_null() {
                std::ptr::copy_nonoverlapping(block, fresh, layout.size());
            }
            fresh
        }
    }
}
