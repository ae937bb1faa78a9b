//! The shares of one worker: whose of them it has, and for how long.
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
use super::weigh::Line;
use crate::cells::{CellError, Cells, Recall};
use crate::table::Subject;
use crate::time::UnixMillis;

/// A subject is busy if the worker takes from it again within so many milliseconds.
const BUSY_MS: u64 = 100;

/// Where a limit has not plenty, it is not asked for a share again for so many milliseconds.
const SCARCE_MS: u64 = 1_000;

/// Subjects of one group that a worker keeps an eye on.
const MAX_SUBJECTS: usize = 256;

/// What one worker has of the limits of one group.
#[derive(Debug, Default)]
pub(super) struct Shares {
    subjects: HashMap<Subject, Kept>,
    /// No more are taken.
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Kept {
    share: Option<Share>,
    last_taken_at: UnixMillis,
    scarce_until: UnixMillis,
}

/// The worker at a moment: where it takes shares and gives them back.
pub(super) struct Worker<'a, C: ?Sized> {
    cells: &'a C,
    recall: &'a Recall,
    now: UnixMillis,
}

// === impl Limits ===

impl Limits {
    /// On a worker's tick: gives back the shares that have ended, and settles what has ended meanwhile. Where the host
    /// refuses, the next tick does it.
    pub fn flush<C>(&self, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let worker = self.worker(cells, now);
        for group in &self.groups {
            group.retain_shares(&worker, |share| share.lasts(now));
        }
    }

    /// There will be no more ticks: gives all shares back, and takes no more.
    pub fn close<C>(&self, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let worker = self.worker(cells, now);
        for group in &self.groups {
            group.shares.borrow_mut().is_closed = true;
            group.retain_shares(&worker, |_| false);
        }
    }

    /// Gives back all shares of those whom a request counts for; whether there were any.
    pub(super) fn give_back_shares<C>(&self, cells: &C, plan: &Plan, now: UnixMillis) -> bool
    where
        C: Cells + ?Sized,
    {
        let worker = self.worker(cells, now);
        let mut is_any = false;
        for planned in &plan.groups {
            let group = self.groups.get(planned.group);
            is_any |= group.is_some_and(|group| group.give_back_share(&worker, planned.subject));
        }
        is_any
    }

    pub(super) const fn worker<'a, C>(&'a self, cells: &'a C, now: UnixMillis) -> Worker<'a, C>
    where
        C: Cells + ?Sized,
    {
        Worker {
            cells,
            recall: &self.recall,
            now,
        }
    }
}

// === impl Group ===

impl Group {
    /// Takes what a request needs from a share of its limits, and appends a line for each; false where it is to be taken
    /// in the cell.
    pub(super) fn take_from_share<'l, C>(
        &'l self,
        worker: &Worker<'_, C>,
        subject: Subject,
        wanted: Wanted<'_>,
        lines: &mut Vec<Line<'l>>,
    ) -> bool
    where
        C: Cells + ?Sized,
    {
        let (mut shares, now) = (self.shares.borrow_mut(), worker.now);
        let Some(kept) = shares.kept(subject, now) else {
            return false;
        };
        if let Some(share) = &mut kept.share {
            if !share.is_of(wanted.places) {
                return false;
            }
            if share.lasts(now) && share.take(self, wanted.demand, now, lines) {
                return true;
            }
        }
        let is_busy = kept.share.is_some() || now.0.saturating_sub(kept.last_taken_at.0) < BUSY_MS;
        kept.last_taken_at = now;
        if !is_busy || now < kept.scarce_until {
            return false;
        }
        // Where the host refuses, the last one is given back with a tick.
        if let Ok(next) = worker.renew(self, subject, kept.share.as_ref(), wanted) {
            kept.share = next;
        }
        let renewed = kept.share.as_mut().filter(|share| share.lasts(now));
        let is_taken = renewed.is_some_and(|share| share.take(self, wanted.demand, now, lines));
        if !is_taken {
            kept.scarce_until = now.plus(SCARCE_MS);
        }
        is_taken
    }

    /// Settles what a request took, if there is a share of the subject's: it is written down with that. False where it
    /// is to be settled in the cell.
    pub(super) fn settle_with_share(&self, subject: Subject, settlings: &[Settling]) -> bool {
        let mut shares = self.shares.borrow_mut();
        let kept = shares.subjects.get_mut(&subject);
        let Some(share) = kept.and_then(|kept| kept.share.as_mut()) else {
            return false;
        };
        for settling in settlings {
            share.settle(*settling);
        }
        true
    }

    /// Gives a share back, and takes none for a while; whether there was one.
    fn give_back_share<C>(&self, worker: &Worker<'_, C>, subject: Subject) -> bool
    where
        C: Cells + ?Sized,
    {
        let mut shares = self.shares.borrow_mut();
        shares.subjects.get_mut(&subject).is_some_and(|kept| {
            kept.scarce_until = worker.now.plus(SCARCE_MS);
            kept.give_back(worker, self, subject)
        })
    }

    /// Gives back all shares but those, and forgets subjects that are not busy.
    fn retain_shares<C>(&self, worker: &Worker<'_, C>, stays: impl Fn(&Share) -> bool)
    where
        C: Cells + ?Sized,
    {
        self.shares.borrow_mut().subjects.retain(|subject, kept| {
            if kept.share.as_ref().is_some_and(|share| !stays(share)) {
                kept.give_back(worker, self, *subject);
            }
            let age = worker.now.0.checked_sub(kept.last_taken_at.0);
            kept.share.is_some() || age.is_some_and(|age| age < SCARCE_MS)
        });
    }
}

// === impl Shares ===

impl Shares {
    /// What is kept of a subject; `None` where nothing was yet, or there is no room.
    fn kept(&mut self, subject: Subject, now: UnixMillis) -> Option<&mut Kept> {
        if self.is_closed {
            return None;
        }
        if !self.subjects.contains_key(&subject) {
            if self.subjects.len() < MAX_SUBJECTS {
                let kept = Kept {
                    last_taken_at: now,
                    ..Kept::default()
                };
                self.subjects.insert(subject, kept);
            }
            return None;
        }
        self.subjects.get_mut(&subject)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.subjects.len()
    }
}

// === impl Kept ===

impl Kept {
    /// Gives the share back; whether there was one, and is no more. Where the host refuses, it stays.
    fn give_back<C>(&mut self, worker: &Worker<'_, C>, group: &Group, subject: Subject) -> bool
    where
        C: Cells + ?Sized,
    {
        let ended = self
            .share
            .take_if(|share| worker.settle(group, subject, &share.ending()).is_ok());
        ended.is_some()
    }
}

// === impl Worker ===

impl<C: Cells + ?Sized> Worker<'_, C> {
    fn settle(&self, group: &Group, subject: Subject, settlings: &[Settling]) -> Result<(), CellError> {
        if settlings.is_empty() {
            return Ok(());
        }
        let rewriting = Rewriting {
            group,
            subject,
            settlings,
            now: self.now,
        };
        rewriting.settle(self.cells, self.recall, &mut Meter::default())
    }

    /// Gives a share back and takes another; none where a limit has not plenty.
    fn renew(
        &self,
        group: &Group,
        subject: Subject,
        share: Option<&Share>,
        wanted: Wanted<'_>,
    ) -> Result<Option<Share>, CellError> {
        let settlings = share.map(Share::ending).unwrap_or_default();
        let rewriting = Rewriting {
            group,
            subject,
            settlings: &settlings,
            now: self.now,
        };
        let slots = rewriting.take(self.cells, self.recall, &mut Meter::default(), wanted)?;
        Ok(slots.map(|slots| Share::new(slots, self.now)))
    }
}
