//! Moderation's verdicts in the ledger.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::QueryBuilder;
use sqlx::types::Json;

use super::events::rfc3339;
use super::log::{LogPage, Part};
use super::{Counter, LAST, Ledger, LedgerError, TAKE, Workspaces};

const INSERT: &str = "INSERT INTO verdicts (seq, time, request_id, workspace, key_id, model, policy, phase, action, \
    categories, rules, text) ";

/// A verdict as the ledger keeps it, and as the admin API shows it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, JsonSchema)]
pub struct StoredVerdict {
    /// Insertion order; chosen by the ledger.
    #[serde(skip)]
    pub seq: i64,
    /// When it was given: milliseconds since the Unix epoch, shown as RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "jiff::Timestamp")]
    pub time: i64,
    /// Of the exchange.
    pub request_id: String,
    /// Who asked.
    pub workspace: Option<String>,
    /// With which key.
    pub key_id: Option<String>,
    /// For which model.
    pub model: Option<String>,
    /// The policy's name.
    pub policy: String,
    /// `input` or `output`.
    pub phase: String,
    /// `allow`, `flag`, `redact` or `block`.
    pub action: String,
    /// Categories of the rules that matched.
    #[schemars(with = "Vec<String>")]
    pub categories: Json<Vec<String>>,
    /// Names of the rules that matched.
    #[schemars(with = "Vec<String>")]
    pub rules: Json<Vec<String>>,
    /// The first 1,000 characters, where the policy stores text; what it redacts is redacted here too.
    pub text: Option<String>,
}

/// Which verdicts a page shows.
#[derive(Debug, Clone, Copy)]
pub struct VerdictFilter<'a> {
    /// Only of these.
    pub workspaces: &'a Workspaces,
    /// Only with this action.
    pub action: Option<&'a str>,
    /// Only of this exchange.
    pub request_id: Option<&'a str>,
}

// === impl Ledger ===

impl Ledger {
    /// Adds verdicts in one transaction.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails: none of them is then kept.
    pub async fn add_verdicts(&self, verdicts: &[StoredVerdict]) -> Result<(), LedgerError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(verdicts.len()).unwrap_or(i64::MAX);
        transact!(self, conn => {
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::Verdict.name())
                .fetch_one(&mut *conn)
                .await?;
            let mut seq = last - count;
            let mut insert = QueryBuilder::new(INSERT);
            insert.push_values(verdicts, |mut row, verdict| {
                seq += 1;
                row.push_bind(seq)
                    .push_bind(verdict.time)
                    .push_bind(&verdict.request_id)
                    .push_bind(&verdict.workspace)
                    .push_bind(&verdict.key_id)
                    .push_bind(&verdict.model)
                    .push_bind(&verdict.policy)
                    .push_bind(&verdict.phase)
                    .push_bind(&verdict.action)
                    .push_bind(&verdict.categories)
                    .push_bind(&verdict.rules)
                    .push_bind(&verdict.text);
            });
            insert.build().persistent(false).execute(&mut *conn).await?;
        });
        Ok(())
    }

    /// A part of the verdicts, in insertion order.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn verdicts(
        &self,
        filter: VerdictFilter<'_>,
        part: Part,
        rows: u32,
    ) -> Result<LogPage<StoredVerdict>, LedgerError> {
        // The head is read first, as for events.
        let head: i64 = read!(self, conn => sqlx::query_scalar(LAST).bind(Counter::Verdict.name()).fetch_one(conn).await?);
        let found: Vec<StoredVerdict> = read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM verdicts WHERE seq > ");
            select.push_bind(part.after()).push(" AND seq <= ").push_bind(part.up_to(head));
            push_within!(select, filter.workspaces);
            if let Some(action) = filter.action {
                select.push(" AND action = ").push_bind(action);
            }
            if let Some(request_id) = filter.request_id {
                select.push(" AND request_id = ").push_bind(request_id);
            }
            select.push(part.order()).push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        });
        Ok(LogPage::new(found, part, head, rows, |verdict| verdict.seq))
    }
}
