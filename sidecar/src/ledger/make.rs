//! Making what a request needs and nobody has needed before: budgets, by their templates, and accounts.
//!
//! In a transaction of its own, which locks templates only, in the order of their ids: it is in nobody's way.

use tollgate_core::budget::{Facet, Subject};
use tollgate_core::time::UnixMillis;

use super::account_rows::NewAccount;
use super::accounts::AccountRows;
use super::applying::{Missing, Unmade};
use super::budgets::{BudgetRows, StoredBudget};
use super::{Ledger, LedgerError, amount, number};
use crate::secret_key::new_id;

/// How many sessions' budgets are archived at once where a template has made as many as it may.
const ARCHIVED_AT_ONCE: i64 = 100;

on_engines! {
    /// Statements for making.
    trait MakingRows {
        /// A template as it is now, and how many live budgets it has made; none where it is no more. Locks the template.
        async fn lock_template(conn, id: &str) -> Option<(StoredBudget, u64)> {
            const HAS_MADE: &str = "SELECT made FROM budgets WHERE id = $1";
            let Some(row) = BudgetRows::lock_budget(&mut *conn, id).await? else {
                return Ok(None);
            };
            let template = StoredBudget::try_from(row)?;
            if template.archived_at.is_some() {
                return Ok(None);
            }
            let made: i64 = sqlx::query_scalar(HAS_MADE).bind(id).fetch_one(conn).await?;
            Ok(Some((template, amount(made))))
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
                // What was read of it is old by now: it may have been changed since.
                let locked = MakingRows::lock_template(&mut *conn, &template.id).await?;
                let Some((template, mut made)) = locked else { continue };
                if MakingRows::is_made(&mut *conn, &template.id, subject).await? {
                    continue;
                }
                if made >= most && may_be_dropped(&template) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;
    use tollgate_core::budget::{BudgetSpec, Facts};

    use super::*;
    use crate::config::Database;
    use crate::ledger::Workspaces;
    use crate::ledger::admin::{BudgetFilter, Created, Standing};
    use crate::ledger::audit::Actor;

    #[tokio::test]
    async fn a_budget_is_made_as_its_template_is_by_then() {
        let folder = TempDir::new().unwrap();
        let database = Database::Sqlite(folder.path().join("ledger.db"));
        let ledger = Ledger::open(&database).await.unwrap();
        let now = UnixMillis(1_800_000_000_000);
        let spec = json!({"subject": {"user": "*"}, "unit": "usd", "period": "total", "amount": "1000"});
        let spec: BudgetSpec = serde_json::from_value(spec).unwrap();
        let template = StoredBudget::new(new_id("bud", now).unwrap(), spec.check().unwrap(), now);
        let by = Actor::tollgate();
        let created = ledger.create_budget(&template, now, &by).await.unwrap();
        assert!(matches!(created, Created::Done(_)));
        let facts = Facts {
            user: Some("ann".to_owned()),
            ..Facts::default()
        };
        let subject = template.budget.subject.applied_to(&facts).remove(0);
        // A request has found out what it needs; now an operator lowers it.
        let missing = Missing {
            budgets: vec![Unmade {
                template: template.clone(),
                subject,
            }],
            accounts: Vec::new(),
        };
        let lower = |stored: &mut StoredBudget| {
            stored.budget.amount = 1;
            Ok::<_, ()>(())
        };
        ledger
            .change_budget(&template.id, now, &by, "budget.edit", lower)
            .await
            .unwrap();
        assert!(ledger.make(&missing, 10, now).await.unwrap().is_empty());
        let of_template = BudgetFilter {
            workspaces: &Workspaces::All,
            template_id: Some(&template.id),
            subject: None,
            with_archived: false,
        };
        let made = ledger.budgets(of_template, "", 10, now).await.unwrap();
        let amounts: Vec<u64> = made.iter().map(Standing::amount).collect();
        assert_eq!(amounts, [1]);
    }
}
