//! Token buckets, exact: GCRA in whole numbers.
//!
//! A bucket is kept as its *backlog*, what was taken and has not refilled yet. To stay exact for any amount and
//! period it is counted in tokens × the period's milliseconds: a token weighs `period_ms`, a millisecond refills
//! `amount`. (GCRA's theoretical arrival time is `seen + backlog / amount`.)
//!
//! Settling a reservation at less than was reserved must not give back what has refilled in the meantime: it
//! would be there twice. So a bucket also keeps what was taken when, by slices, and gives back at most down to
//! the backlog that everything taken *since* would have left alone.

use super::meter::{BACKWARD_SLACK_MS, Clock, Denied, Level, Meter, Settlement};

/// Into how many slices the time to refill from empty is cut. Only a late settlement rounds by a slice, and
/// against the client.
const SLICES: u64 = 32;

/// The rule of a token bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    amount: u64,
    period_ms: u64,
    capacity: u64,
    /// What a full bucket weighs.
    capacity_weight: u128,
    /// Milliseconds to refill from empty: what was taken longer ago has refilled.
    horizon_ms: u64,
    slice_ms: u64,
}

// === impl Bucket ===

impl Bucket {
    /// A bucket that refills `amount` a period and holds `capacity`.
    pub(super) fn new(amount: u64, period_ms: u64, capacity: u64) -> Self {
        let horizon = (u128::from(capacity) * u128::from(period_ms)).div_ceil(u128::from(amount.max(1)));
        let horizon_ms = u64::try_from(horizon).unwrap_or(u64::MAX);
        Self {
            amount: amount.max(1),
            period_ms,
            capacity,
            capacity_weight: product(capacity, period_ms),
            horizon_ms,
            slice_ms: horizon_ms.div_ceil(SLICES).max(1),
        }
    }

    /// Milliseconds to refill from empty.
    pub(super) fn horizon_ms(&self) -> u64 {
        self.horizon_ms
    }

    /// Refills up to now.
    pub(super) fn advance(&self, state: &mut Meter, now_ms: u64) -> Clock {
        let behind = state.seen_ms.saturating_sub(now_ms);
        let shifted = behind > BACKWARD_SLACK_MS;
        if shifted {
            state.taken.shift_newest_to(now_ms / self.slice_ms);
            state.seen_ms = now_ms;
        }
        if state.backlog > 0 {
            let elapsed = now_ms.saturating_sub(state.seen_ms);
            state.backlog = state.backlog.saturating_sub(self.refill(elapsed));
        }
        state.seen_ms = state.seen_ms.max(now_ms);
        let oldest = state.seen_ms.saturating_sub(self.horizon_ms) / self.slice_ms;
        state.taken.forget_before(oldest);
        Clock {
            now_ms: state.seen_ms,
            shifted,
        }
    }

    /// Takes `amount` where there is as much.
    pub(super) fn take(&self, state: &mut Meter, amount: u64) -> Result<(), Denied> {
        if amount > self.capacity {
            return Err(Denied { retry_ms: None });
        }
        let after = state.backlog.saturating_add(self.weight(amount));
        let over = after.saturating_sub(self.capacity_weight);
        if over > 0 {
            return Err(Denied {
                retry_ms: Some(self.time_to_refill(over)),
            });
        }
        state.backlog = after;
        state.taken.add(state.seen_ms / self.slice_ms, amount);
        Ok(())
    }

    /// Gives back what was not used of a reservation, or counts what was used beyond it, now.
    pub(super) fn settle(&self, state: &mut Meter, settlement: Settlement) {
        let Settlement {
            reserved_at_ms,
            reserved,
            used,
        } = settlement;
        if used >= reserved {
            let debt = used - reserved;
            state.backlog = state.backlog.saturating_add(self.weight(debt));
            state.taken.add(state.seen_ms / self.slice_ms, debt);
            return;
        }
        let slice = reserved_at_ms / self.slice_ms;
        // What is no longer kept has refilled.
        let Some(beside) = state.taken.count(slice).checked_sub(reserved) else {
            return;
        };
        let without_it = self.backlog_of_later(state, slice, beside).min(state.backlog);
        let unused = reserved - used;
        let given_back = state.backlog.saturating_sub(self.weight(unused));
        state.backlog = given_back.max(without_it);
        state.taken.remove(slice, unused);
    }

    /// Takes from a share: of the backlog, some time ago, so much was `free` in it. What has refilled since is not in the
    /// share any more: it would be there twice.
    pub(super) fn take_from_share(
        &self,
        backlog: u128,
        elapsed_ms: u64,
        free: u64,
        amount: u64,
    ) -> Option<(u64, Level)> {
        let backlog = backlog.saturating_sub(self.refill(elapsed_ms));
        let free = if self.weight(free) <= backlog {
            free
        } else {
            div_floor(backlog, self.period_ms)
        };
        let free = free.checked_sub(amount)?;
        Some((free, self.level_of(backlog.saturating_sub(self.weight(free)))))
    }

    /// How full the bucket is.
    pub(super) fn level(&self, state: &Meter) -> Level {
        self.level_of(state.backlog)
    }

    fn level_of(&self, backlog: u128) -> Level {
        // What is left is what fits beside what is used, rounded: one division says both.
        let used = div_ceil(backlog, self.period_ms);
        Level {
            used,
            remaining: self.capacity.saturating_sub(used),
            reset_ms: self.time_to_refill(backlog),
        }
    }

    /// When the bucket will be full.
    pub(super) fn absent_at_ms(&self, state: &Meter) -> u64 {
        state.seen_ms.saturating_add(self.time_to_refill(state.backlog))
    }

    /// The backlog that an empty bucket would have by now had only `beside` in a slice and everything after it
    /// been taken: each as late as its slice allows, so never less than the truth.
    fn backlog_of_later(&self, state: &Meter, first: u64, beside: u64) -> u128 {
        let mut backlog = 0_u128;
        let mut at = 0;
        for (slice, count) in state.taken.iter().filter(|(slice, _)| *slice >= first) {
            let end = slice
                .saturating_add(1)
                .saturating_mul(self.slice_ms)
                .min(state.seen_ms);
            let amount = if slice == first { beside } else { count };
            backlog = backlog.saturating_sub(self.refill(end.saturating_sub(at)));
            backlog = backlog.saturating_add(self.weight(amount));
            at = end;
        }
        backlog.saturating_sub(self.refill(state.seen_ms.saturating_sub(at)))
    }

    fn weight(&self, amount: u64) -> u128 {
        product(amount, self.period_ms)
    }

    fn refill(&self, elapsed_ms: u64) -> u128 {
        product(elapsed_ms, self.amount)
    }

    fn time_to_refill(&self, backlog: u128) -> u64 {
        div_ceil(backlog, self.amount)
    }
}

/// The product, by 64 bits where it fits for sure: one of 128 is a call in the VM.
fn product(a: u64, b: u64) -> u128 {
    if a.leading_zeros() + b.leading_zeros() >= u64::BITS {
        u128::from(a * b)
    } else {
        wide_product(a, b)
    }
}

/// Apart, so that it is not computed beforehand for both cases.
#[cold]
fn wide_product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// The quotient, rounded down, at most the largest number.
fn div_floor(dividend: u128, divisor: u64) -> u64 {
    match u64::try_from(dividend) {
        Ok(narrow) => narrow / divisor,
        Err(_) => u64::try_from(dividend / u128::from(divisor)).unwrap_or(u64::MAX),
    }
}

/// The quotient, rounded up, at most the largest number. By 64 bits where that is enough: the VM has no division of 128
/// bits, and every limit of a request divides half a dozen times.
fn div_ceil(dividend: u128, divisor: u64) -> u64 {
    match u64::try_from(dividend) {
        Ok(narrow) => narrow.div_ceil(divisor),
        Err(_) => u64::try_from(dividend.div_ceil(u128::from(divisor))).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quotients_are_the_same_by_64_bits_and_by_128(wide: u128, narrow: u64, divisor in 1_u64..) {
            let clipped = |quotient: u128| u64::try_from(quotient).unwrap_or(u64::MAX);
            for dividend in [wide, u128::from(narrow)] {
                prop_assert_eq!(div_ceil(dividend, divisor), clipped(dividend.div_ceil(divisor.into())));
            }
        }

        #[test]
        fn products_are_the_same_by_64_bits_and_by_128(a: u64, b: u64, down in 0_u32..64, left in 0_u32..64) {
            for (a, b) in [(a, b), (a >> down, b >> left), (a >> down, b >> (63 - down))] {
                prop_assert_eq!(product(a, b), u128::from(a) * u128::from(b));
            }
        }

        #[test]
        fn what_is_left_is_what_is_free_rounded_down(
            amount in 1_u64..1_000_000_000_000,
            period_ms in 1_000_u64..2_700_000_000,
            share in 0_u64..1_200,
            rest: u64,
        ) {
            let rule = Bucket::new(amount, period_ms, amount);
            let full = u128::from(amount) * u128::from(period_ms);
            let backlog = full * u128::from(share) / 1_000 + u128::from(rest % period_ms);
            let level = rule.level(&Meter { backlog, ..Meter::default() });
            let free = full.saturating_sub(backlog) / u128::from(period_ms);
            prop_assert_eq!(u128::from(level.remaining), free);
        }
    }
}
