//! `memcpy`, `memmove`, `memset` and `memcmp` of the filter.
//!
//! Those that Rust ships for WASI use the instruction `memory.copy` for everything over 32 bytes, and V8 leaves the VM to
//! carry it out: an exchange copies some two hundred times, a few dozen bytes each. These copy sixteen bytes at a time and
//! leave to the engine only what is long.
//!
//! It is a package of its own because of `no_builtins`: a compiler that knows `memcpy` makes one of every loop that
//! copies.

#![no_std]
#![no_builtins]
#![expect(unsafe_code, reason = "it copies between raw addresses")]

#[cfg(target_arch = "wasm32")]
mod exports;

use core::cmp::Ordering;

/// What is copied at once.
#[cfg(target_arch = "wasm32")]
type Chunk = core::arch::wasm32::v128;
#[cfg(not(target_arch = "wasm32"))]
type Chunk = u128;

const CHUNK: usize = size_of::<Chunk>();

/// Up to so many bytes are copied without a loop.
const SHORT: usize = 4 * CHUNK;

/// Copies `len` bytes from a lower address on.
///
/// # Safety
/// Both are valid for `len` bytes. They may overlap where `to` is not behind `from`.
#[inline]
pub unsafe fn copy_forward(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: all addresses are within the first `len` bytes of either; what overlaps is read before it is written.
    unsafe {
        if len <= SHORT {
            return copy_short(to, from, len);
        }
        // The last chunk is read first: it may be written over before the loop has come there.
        let last = from.add(len - CHUNK).cast::<Chunk>().read_unaligned();
        let mut at = 0;
        while at < len - CHUNK {
            let chunk = from.add(at).cast::<Chunk>().read_unaligned();
            to.add(at).cast::<Chunk>().write_unaligned(chunk);
            at += CHUNK;
        }
        to.add(len - CHUNK).cast::<Chunk>().write_unaligned(last);
    }
}

/// Copies `len` bytes from the highest address on.
///
/// # Safety
/// Both are valid for `len` bytes. They may overlap where `to` is not before `from`.
#[inline]
pub unsafe fn copy_backward(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: as in `copy_forward`.
    unsafe {
        if len <= SHORT {
            return copy_short(to, from, len);
        }
        let first = from.cast::<Chunk>().read_unaligned();
        let mut end = len;
        while end > CHUNK {
            let chunk = from.add(end - CHUNK).cast::<Chunk>().read_unaligned();
            to.add(end - CHUNK).cast::<Chunk>().write_unaligned(chunk);
            end -= CHUNK;
        }
        to.cast::<Chunk>().write_unaligned(first);
    }
}

/// Copies at most [`SHORT`] bytes, whichever way they overlap: everything is read before anything is written.
///
/// Most copies are of some sixteen bytes and more, so these are told first.
#[inline]
unsafe fn copy_short(to: *mut u8, from: *const u8, len: usize) {
    /// Two of a type that cover all bytes together.
    #[inline]
    unsafe fn ends<T>(to: *mut u8, from: *const u8, len: usize) {
        let rest = len - size_of::<T>();
        // SAFETY: `len` is one to two times the type's size.
        unsafe {
            let first = from.cast::<T>().read_unaligned();
            let last = from.add(rest).cast::<T>().read_unaligned();
            to.cast::<T>().write_unaligned(first);
            to.add(rest).cast::<T>().write_unaligned(last);
        }
    }
    // SAFETY: each type is used for lengths of one to two times its size.
    unsafe {
        if len > 2 * CHUNK {
            let half = len - 2 * CHUNK;
            let first = from.cast::<Chunk>().read_unaligned();
            let second = from.add(CHUNK).cast::<Chunk>().read_unaligned();
            ends::<Chunk>(to.add(half), from.add(half), 2 * CHUNK);
            to.cast::<Chunk>().write_unaligned(first);
            to.add(CHUNK).cast::<Chunk>().write_unaligned(second);
        } else if len >= CHUNK {
            ends::<Chunk>(to, from, len);
        } else if len >= 8 {
            ends::<u64>(to, from, len);
        } else if len >= 4 {
            ends::<u32>(to, from, len);
        } else if len >= 2 {
            ends::<u16>(to, from, len);
        } else if len == 1 {
            *to = *from;
        }
    }
}

/// Sets `len` bytes.
///
/// # Safety
/// `to` is valid for `len` bytes.
#[inline]
pub unsafe fn fill(to: *mut u8, byte: u8, len: usize) {
    // SAFETY: all addresses are within the first `len` bytes.
    unsafe {
        let mut at = 0;
        let word = u64::from_ne_bytes([byte; 8]);
        while at + 8 <= len {
            to.add(at).cast::<u64>().write_unaligned(word);
            at += 8;
        }
        while at < len {
            *to.add(at) = byte;
            at += 1;
        }
    }
}

/// Compares `len` bytes as numbers without signs, the first that differs deciding.
///
/// # Safety
/// Both are valid for `len` bytes.
#[inline]
pub unsafe fn compare(one: *const u8, other: *const u8, len: usize) -> Ordering {
    // The first byte in memory is the highest of a big-endian number.
    macro_rules! compare_at {
        ($number:ty, $at:expr) => {{
            let left = one.add($at).cast::<$number>().read_unaligned();
            let right = other.add($at).cast::<$number>().read_unaligned();
            if left != right {
                return <$number>::from_be(left).cmp(&<$number>::from_be(right));
            }
        }};
    }
    // SAFETY: all addresses are within the first `len` bytes. Bytes that are looked at twice are equal.
    unsafe {
        if len >= 8 {
            let mut at = 0;
            while at + 8 < len {
                compare_at!(u64, at);
                at += 8;
            }
            compare_at!(u64, len - 8);
        } else if len >= 4 {
            compare_at!(u32, 0);
            compare_at!(u32, len - 4);
        } else if len >= 2 {
            compare_at!(u16, 0);
            compare_at!(u16, len - 2);
        } else if len == 1 {
            compare_at!(u8, 0);
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn numbered(len: usize) -> Vec<u8> {
        (0..len).map(|at| at as u8).collect()
    }

    /// Every length and distance up to a few chunks, in a frame that nothing may be written to.
    fn every_overlap(check: impl Fn(usize, usize, usize)) {
        for len in 0..100 {
            for from in [0, 1, 7, 16, 17, 64, 120] {
                for to in [0, 1, 7, 16, 17, 64, 120] {
                    check(to, from, len);
                }
            }
        }
    }

    #[test]
    fn copies_are_those_of_the_standard_library_however_they_overlap() {
        every_overlap(|to, from, len| {
            let (mut ours, mut theirs) = (numbered(240), numbered(240));
            let base = ours.as_mut_ptr();
            // SAFETY: both ends lie within the vector.
            unsafe {
                if to <= from {
                    copy_forward(base.add(to), base.add(from), len);
                } else {
                    copy_backward(base.add(to), base.add(from), len);
                }
            }
            theirs.copy_within(from..from + len, to);
            assert_eq!(ours, theirs, "{len} bytes from {from} to {to}");
        });
    }

    #[test]
    fn only_what_was_asked_for_is_set() {
        for len in 0..100 {
            let (mut ours, mut theirs) = (numbered(120), numbered(120));
            // SAFETY: the end lies within the vector.
            unsafe { fill(ours.as_mut_ptr().add(3), 0xa5, len) };
            theirs[3..3 + len].fill(0xa5);
            assert_eq!(ours, theirs);
        }
    }

    proptest! {
        #[test]
        fn comparisons_are_those_of_the_standard_library(mut one: Vec<u8>, at: usize, byte: u8) {
            let other = one.clone();
            if let Some(changed) = at.checked_rem(one.len()).and_then(|at| one.get_mut(at)) {
                *changed = byte;
            }
            // SAFETY: both are as long.
            let ours = unsafe { compare(one.as_ptr(), other.as_ptr(), one.len()) };
            prop_assert_eq!(ours, one.cmp(&other));
        }
    }
}
