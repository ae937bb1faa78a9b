//! The names by which compiled code calls them. The linker takes these before those of Rust's libc.

use core::cmp::Ordering;

use crate::{compare, copy_backward, copy_forward, fill};

/// From so many bytes on the engine is quicker, though the VM is left for it.
const LONG: usize = 1_024;

/// Copies; the two do not overlap.
///
/// # Safety
/// As for C's `memcpy`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        if len < LONG {
            copy_forward(to, from, len);
        } else {
            copy_long(to, from, len);
        }
    }
    to
}

/// Copies; the two may overlap.
///
/// # Safety
/// As for C's `memmove`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        if len >= LONG {
            copy_long(to, from, len);
        } else if to.cast_const() <= from {
            copy_forward(to, from, len);
        } else {
            copy_backward(to, from, len);
        }
    }
    to
}

/// Sets bytes.
///
/// # Safety
/// As for C's `memset`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller's. C gives a byte as an int.
    unsafe { fill(to, byte as u8, len) };
    to
}

/// Compares bytes: negative, zero or positive.
///
/// # Safety
/// As for C's `memcmp`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's.
    match unsafe { compare(one, other, len) } {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

/// By the instruction `memory.copy`, which minds overlaps.
#[target_feature(enable = "bulk-memory")]
unsafe fn copy_long(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's.
    unsafe { core::ptr::copy(from, to, len) };
}
