//! Budgets as operators make, read, change and archive them.

use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::budget::Window;
use tollgate_core::time::UnixMillis;

use super::account_rows::AccountRow;
use super::accounts::AccountRows;
use super::audit::{Actor, AuditEntry, AuditRows};
use super::books::Books;
use super::budgets::{BudgetRow, BudgetRows, StoredBudget, budgets};
use super::engine::Locking;
use super::seen::{Seen, SeenRows};
use super::{Ledger, LedgerError, Workspaces, number};

const UPDATE: &str = "UPDATE budgets SET name = $2, amount = $3, thresholds = $4, enforcement = $5, \
    on_unavailable = $6, is_changed = $7, declared = $8, updated_at = $9, archived_at = $10, version = $11, raises = $12 \
    WHERE id = $1";
/// What a template has made follows it, as long as nobody has changed it.
const UPDATE_MADE: &str = "UPDATE budgets SET name = $2, amount = $3, thresholds = $4, enforcement = $5, \
    on_unavailable = $6, updated_at = $7, archived_at = $8, version = $9 \
    WHERE template_id = $1 AND archived_at IS NULL AND NOT is_changed";
const ARCHIVE_MADE: &str = "UPDATE budgets SET archived_at = $2, updated_at = $2, version = $3 \
    WHERE template_id = $1 AND archived_at IS NULL";

/// A budget, and how much of it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget: StoredBudget,
    /// By how much raises raise it now.
    pub raised: u64,
    /// When the first of them ends.
    raise_ends: Option<UnixMillis>,
    /// The window of now; none where the ledger keeps no account: of a template, and of a cap for single requests.
    pub window: Option<Window>,
    /// Everything that events have charged.
    pub spent: u64,
    /// What leases may still spend.
    pub leased: u64,
    /// By how much charges went past the amount.
    pub overrun: u64,
    /// What was charged without a lease, because the sidecar was away.
    pub debt: u64,
}

/// Which budgets a page shows.
#[derive(Debug, Clone, Copy)]
pub struct BudgetFilter<'a> {
    /// Only of these, by the workspace that the subject names.
    pub workspaces: &'a Workspaces,
    /// Only those that this template made.
    pub template_id: Option<&'a str>,
    /// Only of the subject with this key.
    pub subject: Option<&'a str>,
    /// Those that are archived, too.
    pub with_archived: bool,
}

/// What making a budget came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    Done(Box<Standing>),
    /// A template has made this one of the same subject, unit and period: it is to be changed instead.
    Made(Box<StoredBudget>),
}

/// What a change to a budget came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<E> {
    /// The budget as it is now, and the budgets to which money came back.
    Done(Box<Standing>, Vec<String>),
    /// There is no such budget.
    NoSuchBudget,
    /// The change was refused, and nothing happened.
    Refused(E),
}

on_engines! {
    /// Statements on budgets and their accounts of now.
    pub(super) trait StandingRows {
        async fn page(conn, filter: BudgetFilter<'_>, after: &str, rows: u32) -> Vec<BudgetRow> {
            let mut select = QueryBuilder::new("SELECT * FROM budgets WHERE id > ");
            select.push_bind(after);
            push_within!(select, filter.workspaces);
            if let Some(template_id) = filter.template_id {
                select.push(" AND template_id = ").push_bind(template_id);
            }
            if let Some(subject) = filter.subject {
                select.push(" AND subject = ").push_bind(subject);
            }
            if !filter.with_archived {
                select.push(" AND archived_at IS NULL");
            }
            select.push(" ORDER BY id LIMIT ").push_bind(i64::from(rows));
            Ok(select.build_query_as().fetch_all(conn).await?)
        }

        async fn standings(conn, budgets: Vec<StoredBudget>, now: UnixMillis) -> Vec<Standing> {
            let mut windows = Vec::with_capacity(budgets.len());
            for budget in &budgets {
                let has_account = budget.has_account() && !budget.budget.subject.is_template();
                windows.push(has_account.then(|| budget.window(now)).transpose()?);
            }
            let keys: Vec<(&str, UnixMillis)> = budgets
                .iter()
                .zip(&windows)
                .filter_map(|(budget, window)| Some((budget.id.as_str(), (*window)?.start)))
                .collect();
            let accounts = AccountRows::accounts_at(conn, &keys).await?;
            Ok(budgets
                .into_iter()
                .zip(windows)
                .map(|(budget, window)| {
                    let mut accounts = accounts.iter();
                    let account = accounts.find(|row| window.is_some_and(|w| row.is_at(&budget.id, w.start)));
                    Standing::new(budget, window, account, now)
                })
                .collect())
        }

        async fn update_budget(conn, stored: &StoredBudget) -> () {
            let budget = &stored.budget;
            sqlx::query(UPDATE)
                .bind(&stored.id)
                .bind(&budget.name)
                .bind(number(budget.amount))
                .bind(Json(&budget.thresholds))
                .bind(budget.enforcement.as_str())
                .bind(budget.on_unavailable.as_str())
                .bind(stored.is_changed)
                .bind(&stored.declared)
                .bind(number(stored.updated_at.0))
                .bind(stored.archived_at.map(|at| number(at.0)))
                .bind(number(stored.version))
                .bind(Json(&stored.raises))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn update_made(conn, template: &StoredBudget) -> () {
            let budget = &template.budget;
            sqlx::query(UPDATE_MADE)
                .bind(&template.id)
                .bind(&budget.name)
                .bind(number(budget.amount))
                .bind(Json(&budget.thresholds))
                .bind(budget.enforcement.as_str())
                .bind(budget.on_unavailable.as_str())
                .bind(number(template.updated_at.0))
                .bind(template.archived_at.map(|at| number(at.0)))
                .bind(number(template.version))
                .execute(&mut *conn)
                .await?;
            if let Some(archived_at) = template.archived_at {
                sqlx::query(ARCHIVE_MADE)
                    .bind(&template.id)
                    .bind(number(archived_at.0))
                    .bind(number(template.version))
                    .execute(conn)
                    .await?;
            }
            Ok(())
        }

        /// Writes a changed budget, what follows it where it is a template, and their accounts of now. Answers the
        /// budgets to which money came back.
        async fn apply_change(conn, new: &StoredBudget, now: UnixMillis) -> Vec<String> {
            Self::update_budget(&mut *conn, new).await?;
            if new.budget.subject.is_template() {
                Self::update_made(&mut *conn, new).await?;
            }
            let rows = Self::lock_accounts_of(&mut *conn, new, now).await?;
            let ids: Vec<&str> = rows.iter().map(|row| row.budget_id.as_str()).collect();
            let found = BudgetRows::budgets_by_id(&mut *conn, &ids).await?;
            let mut books = Books::open(rows, Vec::new(), &budgets(found)?, now)?;
            books.follow(now);
            let told = books.cross(None, now)?;
            AccountRows::write_books(&mut *conn, &mut books, &told).await?;
            Ok(books.returned())
        }

        /// Locks the accounts of a budget whose windows are not over, or of those that a template made.
        async fn lock_accounts_of(conn, budget: &StoredBudget, now: UnixMillis) -> Vec<AccountRow> {
            let mut select = QueryBuilder::new("SELECT * FROM budget_accounts WHERE (window_end IS NULL OR window_end > ");
            select.push_bind(number(now.0)).push(") AND budget_id ");
            if budget.budget.subject.is_template() {
                select
                    .push("IN (SELECT id FROM budgets WHERE archived_at IS NULL AND NOT is_changed AND template_id = ")
                    .push_bind(&budget.id)
                    .push(")");
            } else {
                select.push("= ").push_bind(&budget.id);
            }
            select.push(" ORDER BY id").push(Self::FOR_UPDATE);
            Ok(select.build_query_as().fetch_all(conn).await?)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds a budget; its version is chosen here, whatever it says.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn create_budget(
        &self,
        new: &StoredBudget,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<Created, LedgerError> {
        let mut new = new.clone();
        transact!(self, conn => {
            new.version = BudgetRows::take_budget_version(&mut *conn).await?;
            let subject = [new.budget.subject.key()];
            let found = budgets(BudgetRows::budgets_of(&mut *conn, &subject).await?)?;
            if let Some(made) = found.into_iter().find(|found| new.takes_the_place_of(found)) {
                return Ok(Created::Made(Box::new(made)));
            }
            BudgetRows::insert_budget(&mut *conn, &new).await?;
            SeenRows::note_seen(&mut *conn, &Seen::in_budget(&new), now).await?;
            let entry = AuditEntry::change(now, by, "budget.create", &new.id)
                .of(new.workspace())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            let standing = StandingRows::standings(&mut *conn, vec![new], now).await?.pop();
            standing.map(|standing| Created::Done(Box::new(standing))).ok_or(LedgerError::Unmade)
        })
    }

    /// The budget with this id, archived or not.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn budget(&self, id: &str, now: UnixMillis) -> Result<Option<Standing>, LedgerError> {
        read!(self, conn => {
            let found = BudgetRows::budgets_by_id(&mut *conn, &[id]).await?;
            Ok(StandingRows::standings(&mut *conn, budgets(found)?, now).await?.pop())
        })
    }

    /// Budgets in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn budgets(
        &self,
        filter: BudgetFilter<'_>,
        after: &str,
        rows: u32,
        now: UnixMillis,
    ) -> Result<Vec<Standing>, LedgerError> {
        read!(self, conn => {
            let page = StandingRows::page(&mut *conn, filter, after, rows).await?;
            StandingRows::standings(&mut *conn, budgets(page)?, now).await
        })
    }

    /// Changes a budget's name, amount, thresholds, enforcement, or whether it is archived. A change that leaves
    /// it as it was takes no version.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_budget<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        action: &'static str,
        change: impl Fn(&mut StoredBudget) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        retry!(self.try_change(id, now, by, action, &change))
    }

    async fn try_change<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        action: &'static str,
        change: &impl Fn(&mut StoredBudget) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        transact!(self, conn => {
            // First of all the version: its row is the lock that makes reading and writing the budget one step.
            let version = BudgetRows::take_budget_version(&mut *conn).await?;
            let Some(old) = BudgetRows::lock_budget(&mut *conn, id).await? else {
                return Ok(Changed::NoSuchBudget);
            };
            let old = StoredBudget::try_from(old)?;
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            if new == old {
                // Early, so that the version is not taken.
                let standing = StandingRows::standings(&mut *conn, vec![old], now).await?.pop();
                return Ok(Changed::Done(Box::new(standing.ok_or(LedgerError::Unmade)?), Vec::new()));
            }
            // A raise passes: what a template has made follows it all the same.
            new.is_changed = old.is_changed || new.budget != old.budget || new.archived_at != old.archived_at;
            new.version = version;
            new.updated_at = now;
            let returned = StandingRows::apply_change(&mut *conn, &new, now).await?;
            let entry = AuditEntry::change(now, by, action, id)
                .of(new.workspace())
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            let standing = StandingRows::standings(&mut *conn, vec![new], now).await?.pop();
            Ok(Changed::Done(Box::new(standing.ok_or(LedgerError::Unmade)?), returned))
        })
    }
}

// === impl Standing ===

impl Standing {
    fn new(
        budget: StoredBudget,
        window: Option<Window>,
        account: Option<&AccountRow>,
        now: UnixMillis,
    ) -> Self {
        Self {
            raised: budget.raised(now),
            raise_ends: budget.raised_until(now),
            budget,
            window,
            spent: account.map_or(0, AccountRow::spent),
            leased: account.map_or(0, AccountRow::leased),
            overrun: account.map_or(0, AccountRow::overrun),
            debt: account.map_or(0, AccountRow::debt),
        }
    }

    /// When the first of the raises ends that are in the amount.
    pub fn raised_until(&self) -> Option<UnixMillis> {
        self.raise_ends
    }

    /// How much there is now, raises included.
    pub fn amount(&self) -> u64 {
        self.budget.budget.amount.saturating_add(self.raised)
    }

    /// What is not spent.
    pub fn remaining(&self) -> u64 {
        self.amount().saturating_sub(self.spent)
    }
}
