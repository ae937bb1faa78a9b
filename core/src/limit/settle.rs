//! Settling what a request took: at what it used, at nothing, or at what it reserved.

use super::compile::Limits;
use super::group::Group;
use super::meter::{Meter, Settlement};
use super::receipt::{Item, Receipt};
use super::rewriting::{Rewriting, Settling};
use super::spec::Count;
use super::take::Demand;
use crate::cells::{CellError, Cells};
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
        self.end(cells, receipt, Ending::Used(used), now)
    }

    /// Gives everything back: the request was refused later (by moderation, a budget) and burns nothing.
    ///
    /// # Errors
    /// As [`Limits::settle`].
    pub fn cancel<C>(&self, cells: &C, receipt: Receipt, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.end(cells, receipt, Ending::Cancelled, now)
    }

    /// Settles at the reservation, for an exchange whose worker is gone: only slots are freed.
    ///
    /// # Errors
    /// As [`Limits::settle`].
    pub fn settle_lost<C>(&self, cells: &C, receipt: Receipt, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.end(cells, receipt, Ending::Lost, now)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a receipt is given up, so that it is settled once"
    )]
    fn end<C>(&self, cells: &C, receipt: Receipt, ending: Ending, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let mut outcome = Ok(());
        let (mut settlings, mut meter) = (Vec::new(), Meter::default());
        for (portion, items) in receipt.portions() {
            let Some(group) = self.groups.iter().find(|group| group.per.0 == portion.per) else {
                continue;
            };
            settlings.clear();
            settlings.extend(items.iter().filter_map(|item| group.settling(item, ending)));
            if settlings.is_empty() || group.settle_with_share(portion.subject, &settlings) {
                continue;
            }
            let rewriting = Rewriting {
                group,
                subject: portion.subject,
                settlings: &settlings,
                now,
            };
            outcome = outcome.and(rewriting.settle(cells, &self.recall, &mut meter));
        }
        outcome
    }
}

// === impl Group ===

impl Group {
    /// What is to be done about an item; `None` where nothing is, or its limit is no more.
    fn settling(&self, item: &Item, ending: Ending) -> Option<Settling> {
        let mut all = self.limits.iter().enumerate();
        let (place, limit) = all.find(|(_, limit)| limit.id == item.id)?;
        let used = match (ending, limit.count) {
            (Ending::Cancelled, _) | (_, Count::Concurrent) => 0,
            (Ending::Used(demand), count) if count.is_tokens() => demand.of(count),
            _ => item.reserved,
        };
        let settlement = Settlement {
            reserved_at_ms: item.reserved_at.0,
            reserved: item.reserved,
            used,
        };
        (used != item.reserved).then_some(Settling {
            place,
            taken_from: item.birth,
            settlement,
        })
    }
}
