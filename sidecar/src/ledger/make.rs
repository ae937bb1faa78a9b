//! Making what a request needs and nobody has needed before: budgets, by their templates, and accounts.
//!
//! In a transaction of its own, which locks templates only, in the order of their ids: it is in nobody's way.

use sqlx::QueryBuilder;
use tollgate_core::budget::{Facet, Subject};
use tollgate_core::time::UnixMillis;

use super::account_rows::NewAccount;
use super::accounts::AccountRows;
use super::applying::{Missing, Unmade};
use super::budgets::{BudgetRows, StoredBudget};
use super::engine::Locking;
use super::{Ledger, LedgerError, amount, number};
use crate::secret_key::new_id;

/// How many sessions' budgets are archived at once where a template has made as many as it may.
const ARCHIVED_AT_ONCE: i64 = 100;

on_engines! {
    /// Statements for making.
    trait MakingRows {
        /// How many live budgets a template has made; none where it is no more. Locks the template.
        async fn lock_template(conn, id: &str) -> Option<u64> {
            let mut select = QueryBuilder::new("SELECT made FROM budgets WHERE archived_at IS NULL AND id = ");
            select.push_bind(id).push(Self::FOR_UPDATE);
            let made: Option<i64> = select.build_query_scalar().fetch_optional(conn).await?;
            Ok(made.map(amount))
        }

        async fn is_made(conn, template_id: &str, subject: &Subject) -> bool {
            const MADE: &str = "SELECT COUNT(*) FROM budgets WHERE archived_at IS NULL AND template_id = $1 \
                AND subject = $2";
            let made: i64 = sqlx::query_scalar(MADE).bind(template_id).bind(subject.key()).fetch_one(conn).await?;
            Ok(made > 0)
        }

        /// Archives the oldest budgets of a template from which nothing is leased, and says how many.
        async fn archive_oldest(conn, template_id: &str, now: UnixMillis) -> u64 {
            const ARCHIVE: &str = "UPDATE budgets SET archived_at = $1, updated_at = $1 WHERE id IN ( \
                SELECT b.id FROM budgets b WHERE b.archived_at IS NULL AND b.template_id = $2 AND NOT EXISTS ( \
                    SELECT 1 FROM budget_accounts a JOIN leases l ON l.account_id = a.id AND l.stage <> 'closed' \
                    WHERE a.budget_id = b.id) \
                ORDER BY b.id LIMIT $3)";
            let done = sqlx::query(ARCHIVE)
                .bind(number(now.0))
                .bind(template_id)
                .bind(ARCHIVED_AT_ONCE)
                .execute(conn)
                .await?;
            Ok(done.rows_affected())
        }

        async fn set_made(conn, template_id: &str, made: u64) -> () {
            const SET: &str = "UPDATE budgets SET made = $1 WHERE id = $2";
            sqlx::query(SET).bind(number(made)).bind(template_id).execute(conn).await?;
            Ok(())
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Makes what is missing, if nobody has meanwhile. Answers the ids of templates that have made `most` live
    /// budgets, and so no more.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub(super) async fn make(
        &self,
        missing: &Missing,
        most: u64,
        now: UnixMillis,
    ) -> Result<Vec<String>, LedgerError> {
        retry!(self.try_make(missing, most, now))
    }

    async fn try_make(
        &self,
        missing: &Missing,
        most: u64,
        now: UnixMillis,
    ) -> Result<Vec<String>, LedgerError> {
        let mut unmade: Vec<&Unmade> = missing.budgets.iter().collect();
        unmade.sort_by(|a, b| (&a.template.id, &a.subject).cmp(&(&b.template.id, &b.subject)));
        transact!(self, conn => {
            let mut full = Vec::new();
            let mut accounts = missing.accounts.clone();
            for Unmade { template, subject } in unmade {
                let Some(mut made) = MakingRows::lock_template(&mut *conn, &template.id).await? else {
                    continue;
                };
                if MakingRows::is_made(&mut *conn, &template.id, subject).await? {
                    continue;
                }
                if made >= most && may_be_dropped(template) {
                    made -= MakingRows::archive_oldest(&mut *conn, &template.id, now).await?.min(made);
                }
                if made >= most {
                    tracing::error!(
                        template_id = %template.id, name = %template.budget.name, %subject, made,
                        "a template has made as many budgets as it may: archive those that are not needed"
                    );
                    full.push(template.id.clone());
                    continue;
                }
                let budget = template.make(new_id("bud", now)?, subject, now);
                tracing::info!(budget_id = %budget.id, template_id = %template.id, %subject, "budget made");
                accounts.push(NewAccount::new(&budget, budget.window(now)?));
                BudgetRows::insert_budget(&mut *conn, &budget).await?;
                MakingRows::set_made(&mut *conn, &template.id, made + 1).await?;
            }
            accounts.sort();
            AccountRows::add_accounts(&mut *conn, &accounts).await?;
            Ok(full)
        })
    }
}

/// Whether budgets of a template may be archived to make room. Those of sessions: a client that wants a new one has
/// but to name another session. Any other would give somebody money that is spent.
fn may_be_dropped(template: &StoredBudget) -> bool {
    template.budget.subject.names(Facet::Session)
}
