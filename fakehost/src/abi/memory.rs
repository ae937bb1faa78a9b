//! The filter's memory: natively it is ours too, so its pointers are simply pointers.

#![expect(unsafe_code, reason = "host calls pass raw pointers, as the ABI demands")]

use super::guest;

/// A pointer and a size that the filter passed in.
#[derive(Clone, Copy)]
pub(super) struct Input {
    data: *const u8,
    size: usize,
}

/// Where the filter wants a buffer's pointer and size.
#[derive(Clone, Copy)]
pub(super) struct Output {
    data: *mut *mut u8,
    size: *mut usize,
}

// === impl Input ===

impl Input {
    pub(super) const fn new(data: *const u8, size: usize) -> Self {
        Self { data, size }
    }

    /// The bytes. Null stands for none.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.data.is_null() || self.size == 0 {
            return &[];
        }
        // SAFETY: the ABI obliges the filter to pass a pointer to `size` live bytes that nobody changes during
        // the call; `Input` does not outlive the host call that it was made in.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

// === impl Output ===

impl Output {
    pub(super) const fn new(data: *mut *mut u8, size: *mut usize) -> Self {
        Self { data, size }
    }

    /// Hands a copy over to the filter, in memory of its own allocator. Nothing is handed over as null.
    pub(super) fn give(self, bytes: &[u8]) {
        let copy = if bytes.is_empty() {
            std::ptr::null_mut()
        } else {
            let copy = guest::proxy_on_memory_allocate(bytes.len());
            // SAFETY: the allocator returned room for exactly that many bytes, which nobody else knows yet.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len()) };
            copy
        };
        put(self.data, copy);
        put(self.size, bytes.len());
    }
}

/// Writes a plain value where the filter wants it.
pub(super) fn put<T: Copy>(to: *mut T, value: T) {
    // SAFETY: the ABI obliges the filter to pass a pointer to a live, aligned place for the value.
    unsafe { to.write(value) };
}
