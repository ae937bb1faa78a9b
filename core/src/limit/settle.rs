//! Settling what a request took: at what it used, at nothing, or at what it reserved.

use super::compile::Limits;
use super::group::{Group, Limit, Opened};
use super::meter::Settlement;
use super::receipt::{Item, Portion, Receipt};
use super::records::Records;
use super::spec::Count;
use super::take::Demand;
use crate::cells::{CellError, Cells};
use crate::table::{Change, Stamps, Subject};
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
#[derive(Debug)]
struct Settling<'a> {
    limit: &'a Limit,
    subject: Subject,
    settlement: Settlement,
    /// The birth of the record that it was taken from.
    taken_from: u32,
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
        for portion in &receipt.portions {
            let Some(group) = self.groups.iter().find(|group| group.per.0 == portion.per) else {
                continue;
            };
            let open: Vec<(&Limit, Settlement, u32)> = portion
                .items
                .iter()
                .filter_map(|item| group.settlement(item, receipt.taken_at, ending))
                .collect();
            if !open.is_empty() {
                outcome = outcome.and(settle_portion(cells, group, portion, &open, now));
            }
        }
        outcome
    }
}

// === impl Group ===

impl Group {
    /// What is to be done about an item; `None` where nothing is, or its limit is no more.
    fn settlement(
        &self,
        item: &Item,
        taken_at: UnixMillis,
        ending: Ending,
    ) -> Option<(&Limit, Settlement, u32)> {
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
        (used != item.reserved).then_some((limit, settlement, item.birth))
    }
}

fn settle_portion<C>(
    cells: &C,
    group: &Group,
    portion: &Portion,
    open: &[(&Limit, Settlement, u32)],
    now: UnixMillis,
) -> Result<(), CellError>
where
    C: Cells + ?Sized,
{
    group.table.update(cells, portion.subject, now, |entry, stamps| {
        let mut records = entry.unwrap_or_default();
        let mut is_changed = false;
        for (limit, settlement, birth) in open {
            let settling = Settling {
                limit,
                subject: portion.subject,
                settlement: *settlement,
                taken_from: *birth,
            };
            is_changed |= settling.settle(&mut records, stamps, now);
        }
        if !is_changed {
            return Change::Keep(());
        }
        records.prune(now);
        Change::Store(Some(records), ())
    })
}

// === impl Settling ===

impl Settling<'_> {
    /// Settles with one limit and says whether its record changed.
    fn settle(&self, records: &mut Records, stamps: &mut Stamps<'_>, now: UnixMillis) -> bool {
        let Self {
            limit, settlement, ..
        } = self;
        let found = records.remove(limit.id);
        let Opened {
            mut meter,
            clock,
            birth: kept_birth,
            generation,
        } = limit.open(self.subject, found.as_ref(), now);
        let is_same = kept_birth == Some(self.taken_from);
        if !is_same && settlement.used < settlement.reserved {
            // The record was evicted, reset, has refilled or was moved with the clock: there is nothing of ours in it.
            if let Some(record) = found {
                records.put(record);
            }
            return false;
        }
        meter.settle(*settlement, clock);
        let birth = kept_birth.unwrap_or_else(|| stamps.fresh());
        records.put(limit.record(birth, generation, &meter));
        true
    }
}
