//! When a delivery is tried again, and when it is given up.

use std::time::Duration;

/// How often and how late deliveries are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// After the first attempt; twice as long after each other one.
    pub first_retry: Duration,
    /// Never longer than this.
    pub max_retry: Duration,
    /// After so many attempts it is a dead letter.
    pub attempts: u32,
    /// How long an attempt may take.
    pub timeout: Duration,
}

// === impl Schedule ===

impl Schedule {
    /// How long to wait after `attempts` attempts; `None` where it is given up. A receiver that named a time
    /// (`retry-after`) is given it, within bounds. `jitter` in 0..=255 spreads the attempts of many deliveries
    /// over a fifth of the pause.
    pub fn pause(&self, attempts: u32, retry_after: Option<Duration>, jitter: u8) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(31);
        let pause = self.first_retry.saturating_mul(1 << doublings);
        let pause = pause.max(retry_after.unwrap_or_default()).min(self.max_retry);
        Some(pause + pause * u32::from(jitter) / (5 * 255))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn schedule() -> Schedule {
        Schedule {
            first_retry: SECOND,
            max_retry: 10 * SECOND,
            attempts: 6,
            timeout: SECOND,
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_it_is_given_up() {
        let pauses: Vec<_> = (1..=6)
            .map(|attempts| schedule().pause(attempts, None, 0))
            .collect();
        let seconds = |n: u32| Some(n * SECOND);
        assert_eq!(
            pauses,
            [seconds(1), seconds(2), seconds(4), seconds(8), seconds(10), None]
        );
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_within_bounds() {
        assert_eq!(schedule().pause(1, Some(5 * SECOND), 0), Some(5 * SECOND));
        assert_eq!(schedule().pause(1, Some(500 * SECOND), 0), Some(10 * SECOND));
    }

    #[test]
    fn attempts_are_spread_over_a_fifth_of_the_pause() {
        assert_eq!(schedule().pause(4, None, 255), Some(8 * SECOND + 8 * SECOND / 5));
    }
}
