//! Points in time, passed in by the caller: `core` has no clock.

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, as the host's `proxy_get_current_time_nanoseconds` gives them.
///
/// The clock is the machine's wall clock: it may jump back. Whatever is computed from two of these saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub u64);

/// Milliseconds since the Unix epoch: the resolution of everything that is stored or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

// === impl UnixNanos ===

impl UnixNanos {
    /// The same moment in whole milliseconds, rounded down.
    pub const fn millis(self) -> UnixMillis {
        UnixMillis(self.0 / 1_000_000)
    }

    /// Nanoseconds from `earlier` to `self`; zero where the clock has jumped back.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

// === impl UnixMillis ===

impl UnixMillis {
    /// The moment so many milliseconds later; the end of time at the latest.
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The moment so many milliseconds earlier; the epoch at the earliest.
    pub const fn minus(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// The moment as a calendar time in UTC; the far future, past what a calendar holds, is its last moment.
    pub fn timestamp(self) -> jiff::Timestamp {
        i64::try_from(self.0)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .unwrap_or(jiff::Timestamp::MAX)
    }
}

impl From<jiff::Timestamp> for UnixMillis {
    /// A time before 1970 becomes the epoch.
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(u64::try_from(timestamp.as_millisecond()).unwrap_or(0))
    }
}
