//! What was used in a day, in the finest detail that anybody is charged by: summed over the events themselves.

use sqlx::QueryBuilder;

use super::{DAY_MS, NANOS};
use crate::ledger::{Ledger, LedgerError, amount};

/// Of a model that stood in for another one the price was paid. Sums come in two parts each, so that none is too large for an integer of the database.
const SELECT: &str = "SELECT workspace, user_id, key_id, provider, COALESCE(downgraded_model, request_model) AS model, COUNT(*) AS requests, \
    CAST(SUM(input_tokens / 1000000000) AS BIGINT) AS input_high, \
    CAST(SUM(input_tokens % 1000000000) AS BIGINT) AS input_low, \
    CAST(SUM(output_tokens / 1000000000) AS BIGINT) AS output_high, \
    CAST(SUM(output_tokens % 1000000000) AS BIGINT) AS output_low, \
    CAST(SUM(cost_nanousd / 1000000000) AS BIGINT) AS cost_high, \
    CAST(SUM(cost_nanousd % 1000000000) AS BIGINT) AS cost_low \
    FROM events WHERE usage_status <> 'none' AND time >= ";
const GROUP_BY: &str = " GROUP BY workspace, user_id, key_id, provider, COALESCE(downgraded_model, request_model) \
    ORDER BY workspace, user_id, key_id, provider, COALESCE(downgraded_model, request_model)";

/// What a key used of a model in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Who paid.
    pub workspace: Option<String>,
    /// The person or service behind the key.
    pub user: Option<String>,
    /// The key's id.
    pub key_id: Option<String>,
    /// OpenTelemetry's `gen_ai.provider.name`.
    pub provider: Option<String>,
    /// The model that the client asked for.
    pub model: Option<String>,
    /// Those that used anything.
    pub requests: u64,
    /// Cached ones included.
    pub input_tokens: u64,
    /// Reasoning included.
    pub output_tokens: u64,
    /// In nano-dollars.
    pub cost_nanousd: u64,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    workspace: Option<String>,
    user_id: Option<String>,
    key_id: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    requests: i64,
    input_high: i64,
    input_low: i64,
    output_high: i64,
    output_low: i64,
    cost_high: i64,
    cost_low: i64,
}

// === impl Ledger ===

impl Ledger {
    /// What was used in the day that begins at `day`.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn usage_of_day(&self, day: i64, workspace: Option<&str>) -> Result<Vec<Usage>, LedgerError> {
        let rows: Vec<Row> = read!(self, conn => {
            let mut select = QueryBuilder::new(SELECT);
            select.push_bind(day).push(" AND time < ").push_bind(day.saturating_add(DAY_MS));
            if let Some(workspace) = workspace {
                select.push(" AND workspace = ").push_bind(workspace);
            }
            select.push(GROUP_BY);
            select.build_query_as().fetch_all(conn).await?
        });
        Ok(rows.into_iter().map(Usage::from).collect())
    }
}

// === impl Usage ===

impl From<Row> for Usage {
    fn from(row: Row) -> Self {
        let whole = |high, low| amount(high).saturating_mul(NANOS).saturating_add(amount(low));
        Self {
            workspace: row.workspace,
            user: row.user_id,
            key_id: row.key_id,
            provider: row.provider,
            model: row.model,
            requests: amount(row.requests),
            input_tokens: whole(row.input_high, row.input_low),
            output_tokens: whole(row.output_high, row.output_low),
            cost_nanousd: whole(row.cost_high, row.cost_low),
        }
    }
}
