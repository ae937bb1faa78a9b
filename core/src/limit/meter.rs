//! What counts for one limit and one subject: a bucket or a window behind one face.

use super::bucket::{Bucket, BucketState};
use super::slices::Slices;
use super::window::Window;
use crate::codec::Reader;

/// Workers read the clock before they reach the cell, so one may come a moment after another with an earlier
/// time: then time stands still. Further back than this the clock has jumped, and what is kept moves with it.
pub(super) const BACKWARD_SLACK_MS: u64 = 1_000;

/// How a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Bucket(Bucket),
    Window(Window),
}

/// What a limit has counted for a subject, with the rule that it was counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meter<'r> {
    Bucket(&'r Bucket, BucketState),
    Window(&'r Window, Slices),
}

/// The moment that a meter goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) now_ms: u64,
    /// The clock had jumped back, and what was kept was moved: reservations from before can no longer be found.
    pub(super) shifted: bool,
}

/// There is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denied {
    /// When there would be, in milliseconds from now; `None` where there never can be.
    pub(super) retry_ms: Option<u64>,
}

/// How full a meter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) used: u64,
    pub(super) remaining: u64,
    pub(super) reset_ms: u64,
}

/// What a request took, and when, and what it turned out to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) reserved_at_ms: u64,
    pub(super) reserved: u64,
    pub(super) used: u64,
}

// === impl Rule ===

impl Rule {
    /// A meter that has counted nothing.
    pub(super) fn fresh(&self) -> Meter<'_> {
        match self {
            Self::Bucket(rule) => Meter::Bucket(rule, BucketState::default()),
            Self::Window(rule) => Meter::Window(rule, Slices::default()),
        }
    }

    /// Reads a meter's bytes; `None` for anything that [`Meter::encode`] does not write for this rule.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<Meter<'_>> {
        let mut reader = Reader::new(bytes);
        let meter = match self {
            Self::Bucket(rule) => Meter::Bucket(rule, BucketState::decode(&mut reader)?),
            Self::Window(rule) => Meter::Window(rule, Slices::decode(&mut reader)?),
        };
        reader.is_empty().then_some(meter)
    }
}

// === impl Meter ===

impl Meter<'_> {
    /// Brings the meter up to now. Everything below is asked of a meter that is.
    pub(super) fn advance(&mut self, now_ms: u64) -> Clock {
        match self {
            Self::Bucket(rule, state) => rule.advance(state, now_ms),
            Self::Window(rule, taken) => rule.advance(taken, now_ms),
        }
    }

    /// Takes, or says when there will be enough.
    pub(super) fn take(&mut self, amount: u64, clock: Clock) -> Result<(), Denied> {
        match self {
            Self::Bucket(rule, state) => rule.take(state, amount),
            Self::Window(rule, taken) => rule.take(taken, amount, clock.now_ms),
        }
    }

    /// Gives back what was not used, or counts what was used beyond the reservation.
    pub(super) fn settle(&mut self, settlement: Settlement, clock: Clock) {
        match self {
            Self::Bucket(rule, state) => rule.settle(state, settlement),
            Self::Window(rule, taken) => rule.settle(taken, settlement, clock.now_ms),
        }
    }

    /// How full the meter is.
    pub(super) fn level(&self, clock: Clock) -> Level {
        match self {
            Self::Bucket(rule, state) => rule.level(state),
            Self::Window(rule, taken) => rule.level(taken, clock.now_ms),
        }
    }

    /// From when on the meter says nothing, if nothing more is taken.
    pub(super) fn absent_at_ms(&self) -> u64 {
        match self {
            Self::Bucket(rule, state) => rule.absent_at_ms(state),
            Self::Window(rule, taken) => rule.absent_at_ms(taken),
        }
    }

    /// The meter's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Bucket(_, state) => state.encode(&mut out),
            Self::Window(_, taken) => taken.encode(&mut out),
        }
        out
    }
}
