//! Deposits: how a prepaid balance, a total budget, grows.

use serde_json::json;
use tollgate_core::budget::{MAX_AMOUNT, Period};
use tollgate_core::time::UnixMillis;

use super::account_rows::NewAccount;
use super::accounts::AccountRows;
use super::audit::{Actor, AuditEntry, AuditRows};
use super::books::Books;
use super::budgets::{BudgetRows, StoredBudget};
use super::{Ledger, LedgerError, number};
use crate::secret_key::new_id;

const FIND: &str = "SELECT id, budget_id, amount, budget_amount, created_at FROM deposits \
    WHERE budget_id = $1 AND idempotency_key = $2";
const INSERT: &str = "INSERT INTO deposits (budget_id, idempotency_key, id, amount, budget_amount, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";
/// What its template says of the amount is true no more.
const RAISE: &str = "UPDATE budgets SET amount = $1, is_changed = $2, updated_at = $3 WHERE id = $4";

/// A deposit as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredDeposit {
    /// Stable id, a ULID after `dep_`.
    pub id: String,
    /// To which budget.
    pub budget_id: String,
    /// How much.
    pub amount: i64,
    /// The budget's amount after it.
    pub budget_amount: i64,
    /// When, in milliseconds since the Unix epoch.
    pub created_at: i64,
}

/// What a deposit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deposited {
    /// It is there.
    Done(StoredDeposit),
    /// It was there: the same key came with the same amount before.
    Repeated(StoredDeposit),
    /// The same key came with another amount before.
    KeyReused,
    /// There is no such budget.
    NoSuchBudget,
    /// Only a total budget that is not archived takes deposits.
    NotPrepaid,
    /// No budget holds so much.
    TooMuch,
}

on_engines! {
    /// Statements on `deposits`.
    trait DepositRows {
        async fn find_deposit(conn, budget_id: &str, key: &str) -> Option<StoredDeposit> {
            Ok(sqlx::query_as(FIND).bind(budget_id).bind(key).fetch_optional(conn).await?)
        }

        async fn add_deposit(conn, deposit: &StoredDeposit, key: &str) -> () {
            sqlx::query(INSERT)
                .bind(&deposit.budget_id)
                .bind(key)
                .bind(&deposit.id)
                .bind(deposit.amount)
                .bind(deposit.budget_amount)
                .bind(deposit.created_at)
                .execute(&mut *conn)
                .await?;
            sqlx::query(RAISE)
                .bind(deposit.budget_amount)
                .bind(true)
                .bind(deposit.created_at)
                .bind(&deposit.budget_id)
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds a deposit, once a key.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn deposit(
        &self,
        budget_id: &str,
        key: &str,
        amount: u64,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<Deposited, LedgerError> {
        retry!(self.try_deposit(budget_id, key, amount, now, by))
    }

    async fn try_deposit(
        &self,
        budget_id: &str,
        key: &str,
        amount: u64,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<Deposited, LedgerError> {
        transact!(self, conn => {
            // The budget's row is the lock that makes looking for the key and using it one step.
            let Some(row) = BudgetRows::lock_budget(&mut *conn, budget_id).await? else {
                return Ok(Deposited::NoSuchBudget);
            };
            let budget = StoredBudget::try_from(row)?;
            if let Some(before) = DepositRows::find_deposit(&mut *conn, budget_id, key).await? {
                return Ok(if before.amount == number(amount) {
                    Deposited::Repeated(before)
                } else {
                    Deposited::KeyReused
                });
            }
            let is_prepaid = budget.budget.period == Period::Total && !budget.budget.subject.is_template();
            if !is_prepaid || budget.archived_at.is_some() {
                return Ok(Deposited::NotPrepaid);
            }
            let raised = budget.budget.amount.saturating_add(amount);
            if raised > MAX_AMOUNT {
                return Ok(Deposited::TooMuch);
            }
            // With the budget's amount as it was.
            let window = budget.window(now)?;
            AccountRows::add_accounts(&mut *conn, &[NewAccount::new(&budget, window)]).await?;
            let rows = AccountRows::lock_accounts_at(&mut *conn, &[(budget_id, window.start)]).await?;
            let mut books = Books::open(rows, Vec::new(), std::slice::from_ref(&budget), now)?;
            books.deposit(amount);
            AccountRows::write_books(&mut *conn, &mut books, &[]).await?;
            let deposit = StoredDeposit {
                id: new_id("dep", now)?,
                budget_id: budget_id.to_owned(),
                amount: number(amount),
                budget_amount: number(raised),
                created_at: number(now.0),
            };
            DepositRows::add_deposit(&mut *conn, &deposit, key).await?;
            let show = |amount| budget.budget.unit.show_amount(amount);
            let entry = AuditEntry::change(now, by, "budget.deposit", budget_id)
                .of(budget.workspace())
                .before(json!({"amount": show(budget.budget.amount)}))
                .after(json!({"amount": show(raised), "deposit_id": deposit.id, "deposited": show(amount)}));
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Deposited::Done(deposit))
        })
    }
}
