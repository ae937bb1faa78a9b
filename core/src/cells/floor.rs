//! What one worker knows of the host's counter of versions.

use std::cell::Cell;

use super::Version;

/// A version that the host has drawn already: the next write's is a later one.
///
/// The host has one counter for all cells and draws a number from it for each write that succeeds, never 0, and from
/// the largest on to 1. So from a version that was just drawn, each write of this worker raises the bound by one. What
/// other workers write goes unseen: the bound may be too low, never too high. (What a read shows does not raise it: a
/// cell that was written four billion writes ago would show a version that seems to be ahead.)
#[derive(Debug, Default)]
pub struct Floor {
    /// 0 while nothing is known.
    drawn: Cell<u32>,
}

// === impl Floor ===

impl Floor {
    /// A write of this worker succeeded.
    pub fn wrote(&self) {
        match self.drawn.get() {
            0 => {}
            u32::MAX => self.drawn.set(1),
            drawn => self.drawn.set(drawn + 1),
        }
    }

    /// The bound; `None` where nothing is known, and where the number has a meaning of its own for writes.
    pub(super) fn version(&self) -> Option<Version> {
        let version = Version(self.drawn.get());
        (version != Version::ANY && version != Version::ABSENT).then_some(version)
    }

    /// A version that has just been drawn: that of a cell read right after it was written.
    pub(super) fn is(&self, version: Version) {
        self.drawn.set(version.0);
    }
}

/// Whether a version is a later one than another, if fewer than 2³¹ were drawn between them.
pub(super) const fn is_later(version: u32, other: u32) -> bool {
    version != other && version.wrapping_sub(other) < 1 << 31
}
