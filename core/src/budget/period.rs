//! The stretch of time that a budget is for: from when to when the amount counts.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::UnixMillis;

/// How long a budget lasts before it is whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each request for itself: a cap, of which the ledger keeps no account.
    Request,
    /// Each session for itself: a template, whose budgets are for good.
    Session,
    /// A calendar day.
    Day,
    /// An ISO week: from Monday.
    Week,
    /// A calendar month, from `start_day`.
    Month,
    /// For good; grows by deposits.
    Total,
}

/// The day on which a month begins. In a month without that day it is the last one: a month that begins on the
/// 31st begins on 28 February.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "u8", into = "u8")]
pub struct StartDay(i8);

/// From when (inclusive) to when (exclusive) an amount counts. `None` has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// The first millisecond; zero for [`Period::Total`].
    pub start: UnixMillis,
    /// The first millisecond of the next window.
    pub end: Option<UnixMillis>,
}

/// Why there is no such window.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeriodError {
    /// A month has 28 to 31 days.
    #[error("a month cannot begin on day {0}; choose 1 to 31")]
    StartDay(u8),
    /// Before year -9999 or after year 9999.
    #[error("the time is outside the calendar")]
    OutsideCalendar,
}

// === impl StartDay ===

impl StartDay {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The day's number.
    pub const fn get(self) -> u8 {
        self.0.unsigned_abs()
    }

    /// When the month that `date` is in begins, `date`'s calendar month or the one before.
    fn before(self, date: Date) -> Result<Date, jiff::Error> {
        let this_month = self.in_month_of(date);
        if this_month <= date {
            return Ok(this_month);
        }
        Ok(self.in_month_of(date.first_of_month().yesterday()?))
    }

    /// When the month after the one that begins on `start` begins.
    fn after(self, start: Date) -> Result<Date, jiff::Error> {
        Ok(self.in_month_of(start.last_of_month().tomorrow()?))
    }

    fn in_month_of(self, date: Date) -> Date {
        let last = date.last_of_month();
        date.with().day(self.0.min(last.day())).build().unwrap_or(last)
    }
}

impl Default for StartDay {
    fn default() -> Self {
        Self::FIRST
    }
}

impl TryFrom<u8> for StartDay {
    type Error = PeriodError;

    fn try_from(day: u8) -> Result<Self, PeriodError> {
        match i8::try_from(day) {
            Ok(signed @ 1..=31) => Ok(Self(signed)),
            Ok(_) | Err(_) => Err(PeriodError::StartDay(day)),
        }
    }
}

impl From<StartDay> for u8 {
    fn from(day: StartDay) -> Self {
        day.get()
    }
}

// === impl Window ===

impl Window {
    /// All of time.
    pub const EVER: Self = Self {
        start: UnixMillis(0),
        end: None,
    };

    /// Whether a moment is in it.
    pub fn contains(&self, at: UnixMillis) -> bool {
        self.start <= at && !self.is_over(at)
    }

    /// Whether it has ended.
    pub fn is_over(&self, at: UnixMillis) -> bool {
        self.end.is_some_and(|end| end <= at)
    }

    /// Milliseconds until it ends.
    pub fn left_ms(&self, at: UnixMillis) -> Option<u64> {
        self.end.map(|end| end.0.saturating_sub(at.0))
    }
}

// === impl Period ===

impl Period {
    /// The period as JSON and clients spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Session => "session",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window that `now` is in, by the calendar of `zone`. Days are as long as they are there: 23 and 25
    /// hours where clocks change. Windows follow each other without a gap.
    ///
    /// # Errors
    /// [`PeriodError::OutsideCalendar`].
    pub fn window(
        self,
        start_day: StartDay,
        now: UnixMillis,
        zone: &TimeZone,
    ) -> Result<Window, PeriodError> {
        match self {
            Self::Request | Self::Session | Self::Total => Ok(Window::EVER),
            Self::Day | Self::Week | Self::Month => self
                .calendar_window(start_day, now.timestamp(), zone)
                .map_err(|_| PeriodError::OutsideCalendar),
        }
    }

    fn calendar_window(
        self,
        start_day: StartDay,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Window, jiff::Error> {
        let today = zone.to_datetime(now).date();
        let first = match self {
            Self::Week => today.checked_sub(i64::from(today.weekday().since(Weekday::Monday)).days())?,
            Self::Month => start_day.before(today)?,
            _ => today,
        };
        let next = match self {
            Self::Week => first.checked_add(7.days())?,
            Self::Month => start_day.after(first)?,
            _ => first.tomorrow()?,
        };
        Ok(Window {
            start: beginning(first, zone)?,
            end: Some(beginning(next, zone)?),
        })
    }
}

/// The first moment of a day: not always midnight, where clocks change at midnight.
fn beginning(date: Date, zone: &TimeZone) -> Result<UnixMillis, jiff::Error> {
    let midnight: Zoned = date.to_zoned(zone.clone())?;
    // A day that a zone skipped altogether begins where the next one does, not at that one's midnight before.
    if midnight.date() != date {
        return Ok(midnight.timestamp().into());
    }
    Ok(midnight.start_of_day()?.timestamp().into())
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
