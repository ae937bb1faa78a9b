//! Budgets of the sidecar's configuration: made at its start where they are not there.
//!
//! With a budget the ledger keeps what the configuration said of it. Where that has changed, the configuration counts;
//! where it has not, whatever the admin API has made of the budget since does.

use tollgate_core::budget::Budget;
use tollgate_core::time::UnixMillis;

use super::admin::StandingRows;
use super::budgets::{BudgetRows, StoredBudget, budgets, described};
use super::seen::{Seen, SeenRows};
use super::{Ledger, LedgerError};
use crate::secret_key::new_id;

// === impl Ledger ===

impl Ledger {
    /// Makes the budgets of a configuration, and changes those that the configuration has changed.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn declare_budgets(&self, declared: &[Budget], now: UnixMillis) -> Result<(), LedgerError> {
        if declared.is_empty() {
            return Ok(());
        }
        retry!(self.try_declare(declared, now))
    }

    async fn try_declare(&self, declared: &[Budget], now: UnixMillis) -> Result<(), LedgerError> {
        transact!(self, conn => {
            // Sidecars that start at the same moment do it one after the other.
            let version = BudgetRows::take_budget_version(&mut *conn).await?;
            let known = budgets(BudgetRows::declared_budgets(&mut *conn).await?)?;
            let mut is_changed = false;
            for budget in declared {
                let text = written(budget);
                let found = known.iter().find(|known| is_same(&known.budget, budget));
                if found.is_some_and(|found| found.declared.as_deref() == Some(text.as_str())) {
                    continue;
                }
                is_changed = true;
                tracing::info!(name = %budget.name, %text, "a budget of the configuration is new or has changed");
                match found {
                    None => {
                        let new = StoredBudget {
                            declared: Some(text),
                            version,
                            ..StoredBudget::new(new_id("bud", now)?, budget.clone(), now)
                        };
                        BudgetRows::insert_budget(&mut *conn, &new).await?;
                        SeenRows::note_seen(&mut *conn, &Seen::in_budget(&new), now).await?;
                    }
                    Some(found) => {
                        let new = StoredBudget {
                            budget: budget.clone(),
                            declared: Some(text),
                            updated_at: now,
                            archived_at: None,
                            version,
                            ..found.clone()
                        };
                        StandingRows::apply_change(&mut *conn, &new, now).await?;
                    }
                }
            }
            if !is_changed {
                // Nothing was written, and the version is not taken.
                return Ok(());
            }
        });
        Ok(())
    }
}

/// Whether they are one budget, maybe changed. Another calendar is another budget: its windows are others.
fn is_same(a: &Budget, b: &Budget) -> bool {
    let calendar = |budget: &Budget| (budget.period, budget.start_day, budget.time_zone.clone());
    a.subject == b.subject && a.unit == b.unit && calendar(a) == calendar(b)
}

/// A budget as the ledger remembers that it was declared.
fn written(budget: &Budget) -> String {
    described(budget).to_string()
}
