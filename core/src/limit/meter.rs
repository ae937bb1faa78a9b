//! What counts for one limit and one subject: a bucket or a window behind one face.

use super::bucket::Bucket;
use super::slices::Slices;
use super::window::Window;
use crate::codec::Reader;

/// Workers read the clock before they reach the cell, so one may come a moment after another with an earlier
/// time: then time stands still. Further back than this the clock has jumped, and what is kept moves with it.
pub(super) const BACKWARD_SLACK_MS: u64 = 1_000;

/// A share is one part in so many of what is left of a bucket: with several workers, what has refilled of a share may be
/// handed out all the same where others give back what they took before.
const BUCKET_SHARE: u64 = 64;

/// And of what is left of a window, or of the slots.
const WINDOW_SHARE: u64 = 16;

/// How a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Bucket(Bucket),
    Window(Window),
}

/// What a limit has counted for a subject. One meter is read for limit after limit, so that its memory is asked for
/// once; what it says is good only with the [`Rule`] that it was read by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meter {
    /// A bucket's: the moment for which `backlog` is right.
    pub(super) seen_ms: u64,
    /// A bucket's: what has not refilled, in tokens × milliseconds of the period.
    pub(super) backlog: u128,
    pub(super) taken: Slices,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// What a worker remembers of a meter from which it has taken a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The moment that it is right for.
    at_ms: u64,
    /// A bucket's.
    backlog: u128,
    /// A window's: all that counts, and when the last of it does no longer.
    used: u64,
    empty_at_ms: u64,
    /// Until then what is taken from the share counts for as long as it must.
    pub(super) good_until_ms: u64,
}

// === impl Level ===

impl Level {
    /// Whole seconds until all of it is back.
    pub(super) const fn reset_secs(self) -> u64 {
        self.reset_ms.div_ceil(1000)
    }
}

// === impl Rule ===

impl Rule {
    /// Reads a meter's bytes; where there are none, or they are not what [`encode`](Self::encode) writes for this
    /// rule, it has counted nothing. Whether it was read.
    pub(super) fn read(&self, meter: &mut Meter, bytes: Option<&[u8]>) -> bool {
        let is_read = bytes.is_some_and(|bytes| self.decode(meter, bytes).is_some());
        if !is_read {
            (meter.seen_ms, meter.backlog) = (0, 0);
            meter.taken.clear();
        }
        is_read
    }

    fn decode(&self, meter: &mut Meter, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::new(bytes);
        if let Self::Bucket(_) = self {
            meter.seen_ms = reader.fixed_u64()?;
            meter.backlog = reader.fixed_u128()?;
        }
        meter.taken.decode(&mut reader)
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub(super) const fn encoded_len(&self, meter: &Meter) -> usize {
        let own = match self {
            Self::Bucket(_) => 24,
            Self::Window(_) => 0,
        };
        own + meter.taken.encoded_len()
    }

    /// Appends a meter's bytes.
    pub(super) fn encode(&self, meter: &Meter, out: &mut Vec<u8>) {
        if let Self::Bucket(_) = self {
            out.extend_from_slice(&meter.seen_ms.to_le_bytes());
            out.extend_from_slice(&meter.backlog.to_le_bytes());
        }
        meter.taken.encode(out);
    }

    /// Brings a meter up to now. Everything below is asked of a meter that is.
    pub(super) fn advance(&self, meter: &mut Meter, now_ms: u64) -> Clock {
        match self {
            Self::Bucket(rule) => rule.advance(meter, now_ms),
            Self::Window(rule) => rule.advance(&mut meter.taken, now_ms),
        }
    }

    /// Takes, or says when there will be enough.
    pub(super) fn take(&self, meter: &mut Meter, amount: u64, clock: Clock) -> Result<(), Denied> {
        match self {
            Self::Bucket(rule) => rule.take(meter, amount),
            Self::Window(rule) => rule.take(&mut meter.taken, amount, clock.now_ms),
        }
    }

    /// Gives back what was not used, or counts what was used beyond the reservation.
    pub(super) fn settle(&self, meter: &mut Meter, settlement: Settlement, clock: Clock) {
        match self {
            Self::Bucket(rule) => rule.settle(meter, settlement),
            Self::Window(rule) => rule.settle(&mut meter.taken, settlement, clock.now_ms),
        }
    }

    /// How full a meter is.
    pub(super) fn level(&self, meter: &Meter, clock: Clock) -> Level {
        match self {
            Self::Bucket(rule) => rule.level(meter),
            Self::Window(rule) => rule.level(&meter.taken, clock.now_ms),
        }
    }

    /// From when on a meter says nothing, if nothing more is taken.
    pub(super) fn absent_at_ms(&self, meter: &Meter) -> u64 {
        match self {
            Self::Bucket(rule) => rule.absent_at_ms(meter),
            Self::Window(rule) => rule.absent_at_ms(&meter.taken),
        }
    }

    /// How much a worker takes ahead where so much is left.
    pub(super) const fn share_of(&self, remaining: u64) -> u64 {
        match self {
            Self::Bucket(_) => remaining / BUCKET_SHARE,
            Self::Window(_) => remaining / WINDOW_SHARE,
        }
    }

    /// What is to be remembered of a meter from which a share was taken.
    pub(super) fn snapshot(&self, meter: &Meter, clock: Clock) -> Snapshot {
        Snapshot {
            at_ms: clock.now_ms,
            backlog: meter.backlog,
            used: meter.taken.total(),
            empty_at_ms: self.absent_at_ms(meter),
            good_until_ms: match self {
                Self::Bucket(_) => u64::MAX,
                Self::Window(rule) => rule.slice_ends_at(clock.now_ms),
            },
        }
    }

    /// Takes from a share of which `free` is not taken. What is free afterwards, and how full the meter is, as far as
    /// the worker knows; `None` where there is not enough.
    pub(super) fn take_from_share(
        &self,
        snapshot: &Snapshot,
        free: u64,
        amount: u64,
        now_ms: u64,
    ) -> Option<(u64, Level)> {
        match self {
            Self::Bucket(rule) => {
                let elapsed_ms = now_ms.saturating_sub(snapshot.at_ms);
                rule.take_from_share(snapshot.backlog, elapsed_ms, free, amount)
            }
            Self::Window(rule) => {
                let free = free.checked_sub(amount)?;
                let used = snapshot.used.saturating_sub(free);
                let is_empty_at_ms = if used > 0 { snapshot.empty_at_ms } else { 0 };
                Some((free, rule.level_of(used, is_empty_at_ms.saturating_sub(now_ms))))
            }
        }
    }
}
