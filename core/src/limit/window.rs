//! Sliding windows: never more than `amount` in any span of the window's length.

use super::meter::{BACKWARD_SLACK_MS, Clock, Denied, Level, Settlement};
use super::slices::Slices;

/// Into how many slices a window is cut. A slice counts until all of it is past the window, so what was taken
/// counts at most one sixtieth of the window too long, and never too short.
const SLICES: u64 = 60;

/// The rule of a sliding window, or of slots that expire (a window that is given back at the end).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    amount: u64,
    length_ms: u64,
    slice_ms: u64,
}

// === impl Window ===

impl Window {
    /// A window of `length_ms` for `amount`.
    pub(super) fn new(amount: u64, length_ms: u64) -> Self {
        Self {
            amount,
            length_ms,
            slice_ms: length_ms.div_ceil(SLICES).max(1),
        }
    }

    /// Forgets what is past the window.
    pub(super) fn advance(&self, taken: &mut Slices, now_ms: u64) -> Clock {
        let newest_starts = taken.newest().unwrap_or(0).saturating_mul(self.slice_ms);
        let behind = newest_starts.saturating_sub(now_ms);
        let shifted = behind > BACKWARD_SLACK_MS;
        if shifted {
            taken.shift_newest_to(now_ms / self.slice_ms);
        }
        let now_ms = if shifted {
            now_ms
        } else {
            now_ms.max(newest_starts)
        };
        taken.forget_before(now_ms.saturating_sub(self.length_ms) / self.slice_ms);
        Clock { now_ms, shifted }
    }

    /// Takes `amount` where there is room.
    pub(super) fn take(&self, taken: &mut Slices, amount: u64, now_ms: u64) -> Result<(), Denied> {
        if amount > self.amount {
            return Err(Denied { retry_ms: None });
        }
        let mut over = taken.total().saturating_add(amount).saturating_sub(self.amount);
        if over == 0 {
            taken.add(now_ms / self.slice_ms, amount);
            return Ok(());
        }
        let mut frees_at = now_ms;
        for (slice, count) in taken.iter() {
            frees_at = self.frees_at(slice);
            over = over.saturating_sub(count);
            if over == 0 {
                break;
            }
        }
        Err(Denied {
            retry_ms: Some(frees_at.saturating_sub(now_ms)),
        })
    }

    /// Gives back what was not used of a reservation, or counts what was used beyond it, now.
    pub(super) fn settle(&self, taken: &mut Slices, settlement: Settlement, now_ms: u64) {
        let Settlement {
            reserved_at_ms,
            reserved,
            used,
        } = settlement;
        taken.remove(reserved_at_ms / self.slice_ms, reserved.saturating_sub(used));
        taken.add(now_ms / self.slice_ms, used.saturating_sub(reserved));
    }

    /// How full the window is.
    pub(super) fn level(&self, taken: &Slices, now_ms: u64) -> Level {
        self.level_of(taken.total(), self.absent_at_ms(taken).saturating_sub(now_ms))
    }

    /// With so much taken, all of which is back after so long.
    pub(super) const fn level_of(&self, used: u64, reset_ms: u64) -> Level {
        Level {
            used,
            remaining: self.amount.saturating_sub(used),
            reset_ms,
        }
    }

    /// When the slice of a moment ends: what is taken until then counts as long as it would if it were taken now.
    pub(super) const fn slice_ends_at(&self, now_ms: u64) -> u64 {
        (now_ms / self.slice_ms)
            .saturating_add(1)
            .saturating_mul(self.slice_ms)
    }

    /// When the window will be empty.
    pub(super) fn absent_at_ms(&self, taken: &Slices) -> u64 {
        taken.newest().map_or(0, |newest| self.frees_at(newest))
    }

    fn frees_at(&self, slice: u64) -> u64 {
        slice
            .saturating_add(1)
            .saturating_mul(self.slice_ms)
            .saturating_add(self.length_ms)
    }
}
