//! Settling what a request took: at what it used, at nothing, or at what it reserved.

use super::compile::Limits;
use super::group::{Group, Limit};
use super::meter::{Meter, Settlement};
use super::receipt::{Item, Receipt};
use super::records::{self, Head, Record, Writer};
use super::spec::Count;
use super::take::Demand;
use crate::cells::{CellError, Cells, MAX_ROUNDS, Recall};
use crate::table::{Stamps, Subject};
use crate::time::UnixMillis;

/// How an exchange ended.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// It used this much.
    Used(Demand),
    /// It never reached the provider.
    Cancelled,
    /// Nobody knows: its worker is gone.
    Lost,
}

/// What is to be done about what was taken from one limit.
struct Settling<'l> {
    limit: &'l Limit,
    settlement: Settlement,
    /// The birth of the record that it was taken from.
    taken_from: u32,
    is_done: bool,
}

/// An entry that is written anew.
struct Moment<'a, 's> {
    subject: Subject,
    now: UnixMillis,
    writer: Writer<'a>,
    meter: &'a mut Meter,
    stamps: &'a mut Stamps<'s>,
}

// === impl Limits ===

impl Limits {
    /// Settles at what was used: gives back what was reserved beyond it, counts what was used beyond the
    /// reservation (as a debt), frees the slots. A request stays one request.
    ///
    /// Groups where nothing changes cost no host call. What has refilled in the meantime is not given back a
    /// second time.
    ///
    /// # Errors
    /// The host's; every group is tried, and the first error is told. What was not settled stays counted as it
    /// was reserved.
    pub fn settle<C>(
        &self,
        cells: &C,
        receipt: Receipt,
        used: Demand,
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.close(cells, receipt, Ending::Used(used), now)
    }

    /// Gives everything back: the request was refused later (by moderation, a budget) and burns nothing.
    ///
    /// # Errors
    /// As [`Limits::settle`].
    pub fn cancel<C>(&self, cells: &C, receipt: Receipt, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.close(cells, receipt, Ending::Cancelled, now)
    }

    /// Settles at the reservation, for an exchange whose worker is gone: only slots are freed.
    ///
    /// # Errors
    /// As [`Limits::settle`].
    pub fn settle_lost<C>(&self, cells: &C, receipt: Receipt, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.close(cells, receipt, Ending::Lost, now)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a receipt is given up, so that it is settled once"
    )]
    fn close<C>(&self, cells: &C, receipt: Receipt, ending: Ending, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let mut outcome = Ok(());
        let (mut open, mut meter) = (Vec::new(), Meter::default());
        for (portion, items) in receipt.portions() {
            let Some(group) = self.groups.iter().find(|group| group.per.0 == portion.per) else {
                continue;
            };
            open.clear();
            let all = items.iter();
            open.extend(all.filter_map(|item| group.settling(item, receipt.taken_at, ending)));
            if !open.is_empty() {
                let settled = group.settle(cells, portion.subject, &mut open, &mut meter, &self.recall, now);
                outcome = outcome.and(settled);
            }
        }
        outcome
    }
}

// === impl Group ===

impl Group {
    /// What is to be done about an item; `None` where nothing is, or its limit is no more.
    fn settling(&self, item: &Item, taken_at: UnixMillis, ending: Ending) -> Option<Settling<'_>> {
        let limit = self.limits.iter().find(|limit| limit.id == item.id)?;
        let used = match (ending, limit.count) {
            (Ending::Cancelled, _) | (_, Count::Concurrent) => 0,
            (Ending::Used(demand), count) if count.is_tokens() => demand.of(count),
            _ => item.reserved,
        };
        let settlement = Settlement {
            reserved_at_ms: taken_at.0.saturating_add(item.ahead_ms),
            reserved: item.reserved,
            used,
        };
        (used != item.reserved).then_some(Settling {
            limit,
            settlement,
            taken_from: item.birth,
            is_done: false,
        })
    }

    /// Settles with limits of the group, all at once.
    fn settle<C>(
        &self,
        cells: &C,
        subject: Subject,
        open: &mut [Settling<'_>],
        meter: &mut Meter,
        recall: &Recall,
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let mut recalled = self.sets.recall(recall, subject, now);
        for _ in 0..MAX_ROUNDS {
            let mut opened = match recalled.take() {
                Some(opened) => opened,
                None => self.sets.open(cells, subject)?,
            };
            let (bytes, is_changed) = self.sets.rewritten(&opened, now, |old, out, stamps| {
                let writer = Writer::new(out, now);
                let mut moment = Moment {
                    subject,
                    now,
                    writer,
                    meter: &mut *meter,
                    stamps,
                };
                let is_changed = moment.settle_all(old, open);
                (moment.writer.finish(), is_changed)
            });
            if !is_changed && opened.is_recalled() {
                // That nothing is to be written does not follow from what is only remembered.
                continue;
            }
            if !is_changed {
                return Ok(());
            }
            match opened.store_and_recall(cells, bytes, recall, now) {
                Err(CellError::Conflict) => {}
                done => return done,
            }
        }
        Err(CellError::Unavailable)
    }
}

// === impl Moment ===

impl Moment<'_, '_> {
    /// Writes an entry anew with everything settled, and says whether anything has changed.
    fn settle_all(&mut self, old: &[u8], open: &mut [Settling<'_>]) -> bool {
        for settling in open.iter_mut() {
            settling.is_done = false;
        }
        let mut is_changed = false;
        for record in records::read(old) {
            let mut undone = open.iter_mut().filter(|settling| !settling.is_done);
            match undone.find(|settling| settling.limit.id == record.id) {
                Some(settling) => is_changed |= self.settle(settling, Some(&record)),
                None => self.writer.keep(&record),
            }
        }
        for settling in open.iter_mut().filter(|settling| !settling.is_done) {
            is_changed |= self.settle(settling, None);
        }
        is_changed
    }

    /// Settles with one limit, writes its record and says whether it changed.
    fn settle(&mut self, settling: &mut Settling<'_>, found: Option<&Record<'_>>) -> bool {
        settling.is_done = true;
        let Settling {
            limit,
            settlement,
            taken_from,
            ..
        } = *settling;
        let opened = limit.open(self.subject, found, self.now, self.meter);
        let is_same = opened.birth == Some(taken_from);
        if !is_same && settlement.used < settlement.reserved {
            // The record was evicted, reset, has refilled or was moved with the clock: there is nothing of ours in it.
            if let Some(record) = found {
                self.writer.keep(record);
            }
            return false;
        }
        limit.rule.settle(self.meter, settlement, opened.clock);
        let head = Head {
            birth: opened.birth.unwrap_or_else(|| self.stamps.fresh()),
            generation: opened.generation,
        };
        self.writer.put(limit.id, head, &limit.rule, self.meter);
        true
    }
}
