//! The ledger's clock: what the ledger slept through does not count against a gateway.

use super::LeaseRules;
use super::lease::Lease;
use crate::time::UnixMillis;

/// A longer silence than this, in milliseconds, and the ledger was away: every sidecar beats each second.
const MAX_GAP_MS: u64 = 5_000;

/// When the ledger was last alive, and since when without a break: one row, written by every sidecar.
///
/// While the ledger was away no gateway could renew a lease or deliver an event. When it comes back, or its
/// clock has leapt forward, every lease gets its full grace before it is taken back: else the first gateway to
/// ask would be granted what another has spent and could not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerClock {
    /// The last beat.
    pub last: UnixMillis,
    /// The first beat after the last silence.
    pub resumed: UnixMillis,
}

// === impl LedgerClock ===

impl LedgerClock {
    /// Says that the ledger lives. To be called each second, at a sidecar's start, and before leases are
    /// reclaimed.
    pub fn beat(&mut self, now: UnixMillis) {
        let was_away = now.0.saturating_sub(self.last.0) > MAX_GAP_MS;
        if was_away || now < self.resumed {
            self.resumed = now;
        }
        self.last = now;
    }

    /// When the rest of a lease may be taken back.
    pub fn reclaim_at(&self, lease: &Lease, rules: &LeaseRules) -> UnixMillis {
        lease.expires_at.max(self.resumed).plus(rules.grace_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::LeaseId;

    const RULES: LeaseRules = LeaseRules {
        ttl_ms: 10_000,
        grace_ms: 4_000,
        max_age_ms: 100_000,
        share: 4,
        ahead: 8,
    };

    fn beaten(beats: impl IntoIterator<Item = u64>) -> LedgerClock {
        let mut clock = LedgerClock::default();
        for ms in beats {
            clock.beat(UnixMillis(ms));
        }
        clock
    }

    fn lease() -> Lease {
        Lease::new(
            LeaseId(1),
            "i",
            UnixMillis(1_000_000),
            UnixMillis(1_000_000).plus(RULES.ttl_ms),
        )
    }

    #[test]
    fn a_lease_is_taken_back_a_grace_after_its_end() {
        let clock = beaten((999_000..1_020_000).step_by(1_000));
        assert_eq!(clock.reclaim_at(&lease(), &RULES), UnixMillis(1_014_000));
    }

    #[test]
    fn after_the_ledger_was_away_a_lease_gets_its_full_grace_again() {
        let clock = beaten([999_000, 1_000_000, 1_060_000]);
        assert_eq!(clock.reclaim_at(&lease(), &RULES), UnixMillis(1_064_000));
    }

    #[test]
    fn a_clock_that_jumped_back_does_not_lock_leases_for_good() {
        let clock = beaten([1_060_000, 1_000_000]);
        assert_eq!(clock.reclaim_at(&lease(), &RULES), UnixMillis(1_014_000));
    }
}
