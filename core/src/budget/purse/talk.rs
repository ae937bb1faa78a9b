//! What a gateway says to the ledger, and what it makes of the answers.

use super::Purse;
use super::entry::{MAX_ANSWER_AGE_MS, Told};
use super::set::BudgetSet;
use super::shelf::Change;
use crate::budget::unit::Amounts;
use crate::cells::{CellError, Cells};
use crate::time::UnixMillis;
use crate::wire::{LeaseAnswer, LeaseHold, LeaseReportAnswer, MAX_HOLDS};

/// How long a request is counted as waiting beyond the time that it may wait, in milliseconds.
const WAIT_SLACK_MS: u64 = 5_000;

/// A request is counted as waiting, so that a lease grows for all that wait and not for the last one only.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "end it, or it is counted for seconds"]
pub struct Waiting(Vec<(String, u64)>);

// === impl Purse ===

impl Purse {
    /// Counts a request as waiting, and collects the holds for its [`crate::wire::LeaseRequest`]. `wait_ms` is how
    /// long it waits at most.
    ///
    /// # Errors
    /// The host's.
    pub fn ask<C>(
        &self,
        cells: &C,
        set: Option<&BudgetSet>,
        need: &Amounts,
        wait_ms: u64,
        now: UnixMillis,
    ) -> Result<(Waiting, Vec<LeaseHold>), CellError>
    where
        C: Cells + ?Sized,
    {
        let until = now.plus(wait_ms).plus(WAIT_SLACK_MS);
        let (mut waiting, mut holds) = (Waiting::default(), Vec::new());
        for budget in set.into_iter().flat_map(BudgetSet::leased) {
            let amount = need.of(budget.unit);
            let hold = self.shelf.update(cells, &budget.id, |entry| {
                entry.advance(now);
                if entry.hold().is_none() {
                    return Change::Keep(None);
                }
                entry.wait(amount, until);
                Change::Store(entry.hold())
            })?;
            if let Some(hold) = hold.flatten() {
                waiting.0.push((budget.id.clone(), amount));
                holds.push(hold);
            }
        }
        Ok((waiting, holds))
    }

    /// The request waits no more: it has reserved, or was refused, or has gone.
    pub fn stop_waiting<C>(&self, cells: &C, waiting: Waiting)
    where
        C: Cells + ?Sized,
    {
        for (budget_id, amount) in waiting.0 {
            // What the host refuses ends by itself.
            let _ = self.shelf.update(cells, &budget_id, |entry| {
                if entry.is_empty() {
                    return Change::Keep(());
                }
                entry.stop_waiting(amount);
                Change::Store(())
            });
        }
    }

    /// Takes in the leases of an answer to a question that was sent at `sent_at`. False where a lease could not
    /// be kept: there is no room for one more budget, or the answer is too old to be believed.
    ///
    /// # Errors
    /// The host's.
    pub fn install<C>(
        &self,
        cells: &C,
        answer: &LeaseAnswer,
        sent_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, CellError>
    where
        C: Cells + ?Sized,
    {
        self.learn_version(cells, answer.version)?;
        if now.0.saturating_sub(sent_at.0) > MAX_ANSWER_AGE_MS {
            return Ok(false);
        }
        let mut all_kept = true;
        for budget in &answer.budgets {
            let Some(lease) = &budget.lease else { continue };
            let told = Told {
                amount: budget.amount,
                spent: budget.spent,
                period_ends_in_ms: budget.period_ends_in_ms,
                lease,
            };
            let kept = self.shelf.update(cells, &budget.id, |entry| {
                entry.advance(now);
                entry.learn(&told, sent_at, now, true);
                Change::Store(())
            })?;
            all_kept &= kept.is_some();
        }
        Ok(all_kept)
    }

    /// Decides what to give back, and says what is held: the holds for the next
    /// [`crate::wire::LeaseReport`], at most [`MAX_HOLDS`]. `cursor` is where the last one ended; start with 0.
    ///
    /// # Errors
    /// The host's.
    pub fn report<C>(&self, cells: &C, cursor: &mut u32, now: UnixMillis) -> Result<Vec<LeaseHold>, CellError>
    where
        C: Cells + ?Sized,
    {
        let mut holds = Vec::new();
        for _ in 0..self.shelf.sets() {
            let set = *cursor % self.shelf.sets();
            let more = self.shelf.update_set(cells, set, |entry| {
                entry.advance(now);
                entry.report(now)
            })?;
            if holds.len() + more.len() > MAX_HOLDS {
                break;
            }
            holds.extend(more);
            *cursor = set.wrapping_add(1);
        }
        Ok(holds)
    }

    /// Takes in the answer to a report that was sent at `sent_at`.
    ///
    /// # Errors
    /// The host's; every lease is tried.
    pub fn reported<C>(
        &self,
        cells: &C,
        answer: &LeaseReportAnswer,
        sent_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let mut result = self.learn_version(cells, answer.version);
        for reported in &answer.leases {
            let told = Told {
                amount: reported.amount,
                spent: reported.spent,
                period_ends_in_ms: reported.period_ends_in_ms,
                lease: &reported.lease,
            };
            let learned = self.shelf.update(cells, &reported.budget_id, |entry| {
                if entry.is_empty() {
                    return Change::Keep(());
                }
                entry.advance(now);
                entry.learn(&told, sent_at, now, false);
                Change::Store(())
            });
            result = result.and(learned.map(|_| ()));
        }
        result
    }
}
