//! The shares of one worker: of which subjects it has some, and for how long.
//!
//! A share costs two writes, to take it and to give it back, as one request does without. So it is taken for subjects
//! from which the worker takes again and again; all others are counted in the cells to the last request.

use hashbrown::HashMap;

use super::compile::Limits;
use super::group::Group;
use super::meter::Meter;
use super::rewriting::{Rewriting, Settling, Wanted};
use super::select::Plan;
use super::share::Share;
use super::take::Demand;
use super::weigh::Line;
use crate::cells::{CellError, Cells, Recall};
use crate::table::Subject;
use crate::time::UnixMillis;

/// A subject is busy if the worker takes from it again within so many milliseconds.
const BUSY_MS: u64 = 100;

/// Where a limit has not plenty, it is not asked for a share again for so many milliseconds.
const SCARCE_MS: u64 = 1_000;

/// Subjects that a worker keeps an eye on.
const MAX_SUBJECTS: usize = 512;

/// What one worker has of limits.
#[derive(Debug, Default)]
pub(super) struct Shares {
    subjects: HashMap<Key, Kept>,
    /// No more are taken.
    is_closed: bool,
}

/// A group, by its `per`, and a subject.
type Key = (u8, Subject);

#[derive(Debug, Default)]
struct Kept {
    share: Option<Share>,
    last_taken_at: UnixMillis,
    scarce_until: UnixMillis,
}

/// Where shares are taken and given back.
pub(super) struct Counter<'a, C: ?Sized> {
    pub(super) cells: &'a C,
    pub(super) recall: &'a Recall,
    pub(super) now: UnixMillis,
}

// === impl Limits ===

impl Limits {
    /// On a worker's tick: gives back the shares that are not used any more, and settles what has ended meanwhile.
    /// Where the host refuses, the next tick does it.
    pub fn flush<C>(&self, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let counter = self.counter(cells, now);
        self.shares
            .borrow_mut()
            .retain(self, &counter, |share| share.lasts(now));
    }

    /// There will be no more ticks: gives all shares back, and takes no more.
    pub fn close<C>(&self, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let mut shares = self.shares.borrow_mut();
        shares.is_closed = true;
        shares.retain(self, &self.counter(cells, now), |_| false);
    }

    /// Gives back all shares of those whom a request counts for; whether there were any.
    pub(super) fn give_back_shares<C>(&self, cells: &C, plan: &Plan, now: UnixMillis) -> bool
    where
        C: Cells + ?Sized,
    {
        let mut shares = self.shares.borrow_mut();
        let groups = plan.groups.iter().filter_map(|planned| {
            let group = self.groups.get(planned.group)?;
            Some((group, planned.subject))
        });
        // Of all of them.
        groups.fold(false, |is_any, (group, subject)| {
            shares.give_back(&self.counter(cells, now), group, subject) || is_any
        })
    }

    pub(super) const fn counter<'a, C>(&'a self, cells: &'a C, now: UnixMillis) -> Counter<'a, C>
    where
        C: Cells + ?Sized,
    {
        Counter {
            cells,
            recall: &self.recall,
            now,
        }
    }

    pub(super) fn group(&self, per: u8) -> Option<&Group> {
        self.groups.iter().find(|group| group.per.0 == per)
    }
}

// === impl Shares ===

impl Shares {
    /// Takes what a request needs from a share, and appends a line for each limit; false where it is to be taken in the
    /// cell.
    pub(super) fn take<'l, C>(
        &mut self,
        counter: &Counter<'_, C>,
        (group, subject, places): (&'l Group, Subject, &[usize]),
        demand: Demand,
        lines: &mut Vec<Line<'l>>,
    ) -> bool
    where
        C: Cells + ?Sized,
    {
        let now = counter.now;
        let Some(kept) = self.kept(group, subject, now) else {
            return false;
        };
        if let Some(share) = &mut kept.share {
            if !share.is_of(places) {
                return false;
            }
            if share.lasts(now) && share.take(group, demand, now, lines) {
                return true;
            }
        }
        let is_busy = kept.share.is_some() || now.0.saturating_sub(kept.last_taken_at.0) < BUSY_MS;
        kept.last_taken_at = now;
        if !is_busy || now < kept.scarce_until {
            return false;
        }
        let settlings = kept.share.take().map_or_else(Vec::new, |share| share.ending());
        let rewriting = Rewriting {
            group,
            subject,
            settlings: &settlings,
            now,
        };
        let wanted = Wanted { places, demand };
        // As above, where the host refuses.
        let slots = rewriting.take(counter.cells, counter.recall, &mut Meter::default(), wanted);
        let Ok(Some(slots)) = slots else {
            kept.scarce_until = now.plus(SCARCE_MS);
            return false;
        };
        let share = kept.share.insert(Share::new(slots, now));
        share.take(group, demand, now, lines)
    }

    /// Settles what a request took, if there is a share of the subject's: it is written down with that. False where it
    /// is to be settled in the cell.
    pub(super) fn settle(&mut self, per: u8, subject: Subject, settlings: &[Settling]) -> bool {
        let kept = self.subjects.get_mut(&(per, subject));
        let Some(share) = kept.and_then(|kept| kept.share.as_mut()) else {
            return false;
        };
        for settling in settlings {
            share.settle(*settling);
        }
        true
    }

    /// Gives a share back, and takes none for a while; whether there was one.
    fn give_back<C>(&mut self, counter: &Counter<'_, C>, group: &Group, subject: Subject) -> bool
    where
        C: Cells + ?Sized,
    {
        let kept = self.subjects.get_mut(&(group.per.0, subject));
        let share = kept.and_then(|kept| {
            kept.scarce_until = counter.now.plus(SCARCE_MS);
            kept.share.take()
        });
        // Where the host refuses, what was free of it stays counted until it has refilled.
        share.is_some_and(|share| {
            let _ = counter.give_back(group, subject, &share);
            true
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Gives back all shares but those, and forgets subjects that are not busy.
    fn retain<C>(&mut self, limits: &Limits, counter: &Counter<'_, C>, stays: impl Fn(&Share) -> bool)
    where
        C: Cells + ?Sized,
    {
        self.subjects.retain(|(per, subject), kept| {
            if let Some(share) = kept.share.take_if(|share| !stays(share))
                && let Some(group) = limits.group(*per)
                && counter.give_back(group, *subject, &share).is_err()
            {
                kept.share = Some(share);
            }
            let age = counter.now.0.checked_sub(kept.last_taken_at.0);
            kept.share.is_some() || age.is_some_and(|age| age < SCARCE_MS)
        });
    }

    /// What is kept of a subject; `None` where nothing was yet, or there is no room.
    fn kept(&mut self, group: &Group, subject: Subject, now: UnixMillis) -> Option<&mut Kept> {
        let key = (group.per.0, subject);
        if !self.subjects.contains_key(&key) {
            if !self.is_closed && self.subjects.len() < MAX_SUBJECTS {
                let kept = Kept {
                    last_taken_at: now,
                    ..Kept::default()
                };
                self.subjects.insert(key, kept);
            }
            return None;
        }
        self.subjects.get_mut(&key)
    }
}

// === impl Counter ===

impl<C: Cells + ?Sized> Counter<'_, C> {
    fn give_back(&self, group: &Group, subject: Subject, share: &Share) -> Result<(), CellError> {
        let settlings = share.ending();
        if settlings.is_empty() {
            return Ok(());
        }
        let rewriting = Rewriting {
            group,
            subject,
            settlings: &settlings,
            now: self.now,
        };
        rewriting.settle(self.cells, self.recall, &mut Meter::default())
    }
}
