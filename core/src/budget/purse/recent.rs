//! How fast a budget is spent: from it follows how large its lease should be.

use crate::codec::Reader;
use crate::time::UnixMillis;

/// Two spans of so many milliseconds are what is called recent. A lease should last for one at the fastest pace.
const RECENT_MS: u64 = 10_000;

/// A pace is measured over so many milliseconds at least: in less, a few requests look like a storm.
const MEASURED_MS: u64 = 500;

/// What was charged in this span of time and in the one before, and the fastest pace in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Recent {
    span: u64,
    here: Spending,
    before: Spending,
    /// Since when, and how much was charged since then: the pace is measured over that.
    since: UnixMillis,
    charged: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spending {
    charged: u64,
    /// What a whole span would have cost at the fastest pace that was measured.
    pace: u64,
}

// === impl Recent ===

impl Recent {
    /// To be called before anything else.
    pub(super) fn advance(&mut self, now: UnixMillis) {
        let span = now.0 / RECENT_MS;
        if span == self.span {
            return;
        }
        // A clock that jumped back makes nothing recent, like one that leapt forward.
        self.before = if span == self.span.wrapping_add(1) {
            self.here
        } else {
            Spending::default()
        };
        self.here = Spending::default();
        self.span = span;
    }

    pub(super) const fn charge(&mut self, charged: u64) {
        self.here.charged = self.here.charged.saturating_add(charged);
        self.charged = self.charged.saturating_add(charged);
    }

    /// Measures the pace since it was last measured. A load that has just begun is so seen at its full size after a
    /// second, and not only when it has lasted for a span.
    pub(super) fn measure(&mut self, now: UnixMillis) {
        let over_ms = now.0.saturating_sub(self.since.0);
        let is_a_measure = self.since <= now && over_ms <= RECENT_MS;
        if is_a_measure && over_ms < MEASURED_MS {
            return;
        }
        if is_a_measure {
            let pace = u128::from(self.charged) * u128::from(RECENT_MS) / u128::from(over_ms);
            let pace = u64::try_from(pace).unwrap_or(u64::MAX);
            self.here.pace = self.here.pace.max(pace);
        }
        (self.since, self.charged) = (now, 0);
    }

    /// A good size for a lease.
    pub(super) fn total(&self) -> u64 {
        let charged = self.here.charged.saturating_add(self.before.charged);
        charged.max(self.here.pace).max(self.before.pace)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for number in [
            self.span,
            self.here.charged,
            self.here.pace,
            self.before.charged,
            self.before.pace,
            self.since.0,
            self.charged,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            span: reader.fixed_u64()?,
            here: Spending::decode(reader)?,
            before: Spending::decode(reader)?,
            since: UnixMillis(reader.fixed_u64()?),
            charged: reader.fixed_u64()?,
        })
    }
}

// === impl Spending ===

impl Spending {
    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            charged: reader.fixed_u64()?,
            pace: reader.fixed_u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    /// Charges so much a second, measured each second.
    fn spend(recent: &mut Recent, from_s: u64, seconds: u64, each: u64) {
        for second in from_s..from_s + seconds {
            let now = UnixMillis(START + second * 1_000);
            recent.advance(now);
            recent.charge(each);
            recent.measure(now.plus(1_000));
        }
    }

    fn begun() -> Recent {
        let mut recent = Recent::default();
        recent.advance(UnixMillis(START));
        recent.measure(UnixMillis(START));
        recent
    }

    #[test]
    fn a_load_that_has_just_begun_has_its_full_size_after_a_second() {
        let mut recent = begun();
        spend(&mut recent, 0, 1, 100);
        assert_eq!(recent.total(), 1_000);
    }

    #[test]
    fn a_short_burst_is_expected_again_for_a_while() {
        let mut recent = begun();
        spend(&mut recent, 0, 1, 100);
        spend(&mut recent, 1, 12, 1);
        assert_eq!(recent.total(), 1_000);
        spend(&mut recent, 13, 10, 1);
        assert!(recent.total() < 30, "{recent:?}");
    }

    #[test]
    fn a_few_requests_at_once_are_no_pace() {
        let mut recent = begun();
        recent.charge(50);
        recent.measure(UnixMillis(START + 5));
        assert_eq!(recent.total(), 50);
        recent.measure(UnixMillis(START + 1_000));
        assert_eq!(recent.total(), 500);
    }

    #[test]
    fn what_came_after_a_long_silence_has_no_pace_yet() {
        let mut recent = begun();
        recent.advance(UnixMillis(START + 60_000));
        recent.charge(50);
        recent.measure(UnixMillis(START + 60_000));
        assert_eq!(recent.total(), 50);
    }

    #[test]
    fn a_clock_that_jumped_back_makes_nothing_recent() {
        let mut recent = begun();
        spend(&mut recent, 0, 3, 100);
        let back = UnixMillis(START - 500_000);
        recent.advance(back);
        recent.measure(back);
        assert_eq!(recent.total(), 0);
    }
}
