//! Raises: for a while there is more in a budget.
//!
//! While a raise lasts, the budget's amount is larger by it; afterwards it is what it was. What gateways have leased
//! meanwhile must not outlast it, or it would be spent as if the raise had not ended. So a lease that is cut or renewed
//! while a raise lasts ends with it at the latest, which the gateway is told as any other end; and a lease that began
//! before the end of a raise is replaced after it, as one is that has become too old. For this a raise lasts at least as
//! long as a lease: those that were cut before it have ended by then. A raise that is withdrawn before its end counts as
//! ended from then on; what gateways hold of it at that moment is theirs until they next report, or their leases end.

use crate::time::UnixMillis;

/// A raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raise {
    /// By how much, in the smallest part of the budget's unit.
    pub amount: u64,
    /// Until when; its withdrawal, where that came before.
    pub until: UnixMillis,
}

/// When the raises of a budget end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RaiseEnds {
    /// The first end that is yet to come.
    pub next: Option<UnixMillis>,
    /// The last one that has come.
    pub last: Option<UnixMillis>,
}

// === impl Raise ===

impl Raise {
    /// Whether it lasts.
    pub fn is_on(&self, now: UnixMillis) -> bool {
        now < self.until
    }

    /// By how much raises together raise a budget now.
    pub fn sum(raises: impl Iterator<Item = Self>, now: UnixMillis) -> u64 {
        raises
            .filter(|raise| raise.is_on(now))
            .fold(0, |sum: u64, raise| sum.saturating_add(raise.amount))
    }
}

// === impl RaiseEnds ===

impl RaiseEnds {
    /// Those of some raises.
    pub fn of(raises: impl Iterator<Item = Raise>, now: UnixMillis) -> Self {
        let mut ends = Self::default();
        for raise in raises {
            if raise.is_on(now) {
                ends.next = Some(ends.next.map_or(raise.until, |next| next.min(raise.until)));
            } else {
                ends.last = ends.last.max(Some(raise.until));
            }
        }
        ends
    }

    /// When a lease ends that would end at a moment.
    pub(super) fn cap(self, end: UnixMillis) -> UnixMillis {
        self.next.map_or(end, |next| end.min(next))
    }

    /// Whether a lease that began at a moment may have been cut from a raise that is over.
    pub(super) fn outdates(self, opened_at: UnixMillis) -> bool {
        self.last.is_some_and(|last| opened_at < last)
    }
}
