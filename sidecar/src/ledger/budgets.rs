//! Budgets in the ledger: what they are. Their accounts are in [`super::accounts`].
//!
//! Every change of a definition takes the next version of all budgets, by which gateways know that what they
//! remember is old. A budget that a template makes takes none: whoever asks for the first time is told of it.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::budget::{Budget, Enforcement, OnUnavailable, Period, StartDay, Subject, Unit, Window};
use tollgate_core::time::UnixMillis;

use super::engine::Locking;
use super::raises::StoredRaise;
use super::{Counter, LAST, LIST, Ledger, LedgerError, TAKE, amount, millis, number};

const INSERT: &str = "INSERT INTO budgets (id, name, subject, shape, is_template, template_id, unit, period, start_day, \
    time_zone, amount, thresholds, enforcement, on_unavailable, is_changed, declared, created_at, updated_at, \
    archived_at, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
    ON CONFLICT DO NOTHING";
const DECLARED: &str = "SELECT * FROM budgets WHERE declared IS NOT NULL ORDER BY id DESC";
const SHAPES: &str = "SELECT DISTINCT shape FROM budgets WHERE archived_at IS NULL AND template_id IS NULL";
const TEMPLATES: &str = "SELECT * FROM budgets WHERE archived_at IS NULL AND template_id IS NULL AND is_template \
    ORDER BY id";

/// A budget as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBudget {
    /// Stable id, a ULID after `bud_`: ids sort by the time of creation.
    pub id: String,
    /// What it is. For a total budget the amount is all that was ever deposited.
    pub budget: Budget,
    /// The template that made it, if one did.
    pub template_id: Option<String>,
    /// Whether an operator has changed it since its template made it: it then follows the template no more.
    pub is_changed: bool,
    /// The specification, for a budget of the sidecar's configuration.
    pub declared: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// Since when it is no more.
    pub archived_at: Option<UnixMillis>,
    /// The version of all budgets at its last change.
    pub version: u64,
    /// For a while there is more: its raises, those that have ended included.
    pub raises: Vec<StoredRaise>,
}

/// A row of `budgets`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct BudgetRow {
    id: String,
    name: String,
    subject: String,
    template_id: Option<String>,
    unit: String,
    period: String,
    start_day: i64,
    time_zone: String,
    amount: i64,
    thresholds: Json<Vec<u8>>,
    enforcement: String,
    on_unavailable: String,
    is_changed: bool,
    declared: Option<String>,
    created_at: i64,
    updated_at: i64,
    archived_at: Option<i64>,
    version: i64,
    raises: Json<Vec<StoredRaise>>,
}

on_engines! {
    /// Statements on `budgets`.
    pub(super) trait BudgetRows {
        /// Adds a budget; false where its template has made it already.
        async fn insert_budget(conn, stored: &StoredBudget) -> bool {
            let budget = &stored.budget;
            let done = sqlx::query(INSERT)
                .bind(&stored.id)
                .bind(&budget.name)
                .bind(budget.subject.key())
                .bind(i64::from(budget.subject.shape().0))
                .bind(budget.subject.is_template())
                .bind(&stored.template_id)
                .bind(budget.unit.as_str())
                .bind(budget.period.as_str())
                .bind(i64::from(budget.start_day.get()))
                .bind(&budget.time_zone)
                .bind(number(budget.amount))
                .bind(Json(&budget.thresholds))
                .bind(budget.enforcement.as_str())
                .bind(budget.on_unavailable.as_str())
                .bind(stored.is_changed)
                .bind(&stored.declared)
                .bind(number(stored.created_at.0))
                .bind(number(stored.updated_at.0))
                .bind(stored.archived_at.map(|at| number(at.0)))
                .bind(number(stored.version))
                .execute(conn)
                .await?;
            Ok(done.rows_affected() == 1)
        }

        /// The next version of all budgets' definitions. Its row is the lock that makes a change one step.
        async fn take_budget_version(conn) -> u64 {
            let version: i64 = sqlx::query_scalar(TAKE)
                .bind(1_i64)
                .bind(Counter::BudgetVersion.name())
                .fetch_one(conn)
                .await?;
            Ok(amount(version))
        }

        /// Locks a budget's definition, archived or not.
        async fn lock_budget(conn, id: &str) -> Option<BudgetRow> {
            let mut select = QueryBuilder::new("SELECT * FROM budgets WHERE id = ");
            select.push_bind(id).push(Self::FOR_UPDATE);
            Ok(select.build_query_as().fetch_optional(conn).await?)
        }

        async fn budgets_by_id(conn, ids: &[&str]) -> Vec<BudgetRow> {
            let mut rows = Vec::with_capacity(ids.len());
            for ids in ids.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT * FROM budgets WHERE id IN ");
                push_in!(select, ids.iter().copied());
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }

        async fn budgets_of(conn, subjects: &[String]) -> Vec<BudgetRow> {
            if subjects.is_empty() {
                return Ok(Vec::new());
            }
            let mut select = QueryBuilder::new("SELECT * FROM budgets WHERE archived_at IS NULL AND subject IN ");
            push_in!(select, subjects.iter().map(String::as_str));
            select.push(" ORDER BY id");
            Ok(select.build_query_as().fetch_all(conn).await?)
        }

        /// Budgets of configurations, archived or not.
        async fn declared_budgets(conn) -> Vec<BudgetRow> {
            Ok(sqlx::query_as(DECLARED).fetch_all(conn).await?)
        }

        async fn shapes(conn) -> Vec<i64> {
            Ok(sqlx::query_scalar(SHAPES).fetch_all(conn).await?)
        }

        async fn templates(conn) -> Vec<BudgetRow> {
            Ok(sqlx::query_as(TEMPLATES).fetch_all(conn).await?)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// The version of all budgets' definitions; 0 where none was ever made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn budget_version(&self) -> Result<u64, LedgerError> {
        let version: i64 = read!(self, conn => {
            sqlx::query_scalar(LAST).bind(Counter::BudgetVersion.name()).fetch_one(conn).await?
        });
        Ok(amount(version))
    }
}

/// What a budget is, for the ledger to remember and for the audit log to tell.
pub(super) fn described(budget: &Budget) -> Value {
    json!({
        "name": budget.name,
        "subject": budget.subject,
        "unit": budget.unit,
        "period": budget.period,
        "start_day": budget.start_day,
        "time_zone": budget.time_zone,
        "amount": budget.unit.show_amount(budget.amount),
        "thresholds": budget.thresholds,
        "enforcement": budget.enforcement,
        "on_unavailable": budget.on_unavailable,
    })
}

// === impl StoredBudget ===

impl StoredBudget {
    /// As the audit log tells of it.
    pub(super) fn audited(&self) -> Value {
        let mut audited = described(&self.budget);
        if let Some(fields) = audited.as_object_mut() {
            fields.insert("is_archived".to_owned(), json!(self.archived_at.is_some()));
            if !self.raises.is_empty() {
                fields.insert("raises".to_owned(), json!(self.raises));
            }
        }
        audited
    }

    /// Whose it is: the workspace that its subject names.
    pub fn workspace(&self) -> Option<&str> {
        self.budget.subject.workspace()
    }

    /// A new budget that no template makes.
    pub const fn new(id: String, budget: Budget, now: UnixMillis) -> Self {
        Self {
            id,
            budget,
            template_id: None,
            is_changed: false,
            declared: None,
            created_at: now,
            updated_at: now,
            archived_at: None,
            version: 0,
            raises: Vec::new(),
        }
    }

    /// Whether a template need make nothing for a subject, because of this budget: it is what the template made,
    /// or somebody has given the subject a budget of its own.
    pub(super) fn stands_for(&self, template: &Self, subject: &Subject) -> bool {
        let (mine, theirs) = (&self.budget, &template.budget);
        mine.subject == *subject
            && match &self.template_id {
                Some(template_id) => *template_id == template.id,
                None => mine.unit == theirs.unit && mine.period == theirs.period,
            }
    }

    /// Whether this new budget is what another one, made by a template, is already.
    pub(super) fn takes_the_place_of(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.budget, &other.budget);
        other.template_id.is_some() && mine.unit == theirs.unit && mine.period == theirs.period
    }

    /// The budget that this template makes for a subject.
    pub(super) fn make(&self, id: String, subject: &Subject, now: UnixMillis) -> Self {
        Self {
            id,
            budget: Budget {
                subject: subject.clone(),
                ..self.budget.clone()
            },
            template_id: Some(self.id.clone()),
            is_changed: false,
            declared: None,
            created_at: now,
            updated_at: now,
            archived_at: None,
            version: self.version,
            raises: Vec::new(),
        }
    }

    /// The window of its period that a moment is in.
    ///
    /// # Errors
    /// [`LedgerError::Calendar`].
    pub(super) fn window(&self, at: UnixMillis) -> Result<Window, LedgerError> {
        let fault = |reason: String| LedgerError::Calendar {
            id: self.id.clone(),
            reason,
        };
        let budget = &self.budget;
        let zone = TimeZone::get(&budget.time_zone).map_err(|error| fault(error.to_string()))?;
        let window = budget.period.window(budget.start_day, at, &zone);
        window.map_err(|error| fault(error.to_string()))
    }

    /// Whether the ledger keeps an account of it.
    pub(super) fn has_account(&self) -> bool {
        self.budget.period != Period::Request
    }

    /// Whether it is paid from leases.
    pub(super) fn is_leased(&self) -> bool {
        self.has_account() && self.budget.enforcement == Enforcement::Hard && self.archived_at.is_none()
    }
}

impl TryFrom<BudgetRow> for StoredBudget {
    type Error = LedgerError;

    fn try_from(row: BudgetRow) -> Result<Self, LedgerError> {
        let foreign = |column| LedgerError::Foreign {
            table: "budgets",
            id: row.id.clone(),
            column,
        };
        let budget = Budget {
            name: row.name,
            subject: serde_json::from_str::<Subject>(&row.subject).map_err(|_| foreign("subject"))?,
            unit: spelled::<Unit>(&row.unit).ok_or_else(|| foreign("unit"))?,
            period: spelled::<Period>(&row.period).ok_or_else(|| foreign("period"))?,
            start_day: u8::try_from(row.start_day)
                .ok()
                .and_then(|day| StartDay::try_from(day).ok())
                .ok_or_else(|| foreign("start_day"))?,
            time_zone: row.time_zone,
            amount: amount(row.amount),
            thresholds: row.thresholds.0,
            enforcement: spelled::<Enforcement>(&row.enforcement).ok_or_else(|| foreign("enforcement"))?,
            on_unavailable: spelled::<OnUnavailable>(&row.on_unavailable)
                .ok_or_else(|| foreign("on_unavailable"))?,
        };
        Ok(Self {
            id: row.id,
            budget,
            template_id: row.template_id,
            is_changed: row.is_changed,
            declared: row.declared,
            created_at: millis(row.created_at),
            updated_at: millis(row.updated_at),
            archived_at: row.archived_at.map(millis),
            version: amount(row.version),
            raises: row.raises.0,
        })
    }
}

/// A unit variant as JSON spells it.
fn spelled<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

/// Budgets from their rows.
pub(super) fn budgets(rows: Vec<BudgetRow>) -> Result<Vec<StoredBudget>, LedgerError> {
    rows.into_iter().map(StoredBudget::try_from).collect()
}
