//! What events come to.

use super::NANOS;
use super::fold::CountedEvent;
use super::sketch::Sketch;
use crate::ledger::{LedgerError, amount};

/// Sums over events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// All of them, refused ones included.
    pub requests: u64,
    /// Refused by Tollgate.
    pub refusals: u64,
    /// Failed at the provider, or cut short by anybody but the client.
    pub errors: u64,
    /// Cached ones included.
    pub input_tokens: u64,
    /// Reasoning included.
    pub output_tokens: u64,
    /// In nano-dollars.
    pub cost_nanousd: u64,
    /// Of what was not refused, in milliseconds.
    pub latency: Sketch,
}

/// A row of `rollups`, without its key.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SumsRow {
    requests: i64,
    refusals: i64,
    errors: i64,
    input_tokens: i64,
    output_tokens: i64,
    cost_nanousd: i64,
    latency: Vec<u8>,
}

/// Sums over rows of `rollups`, without latencies. Money comes in two parts, so that no sum of rows is too large for
/// an integer of the database.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct TotalsRow {
    requests: i64,
    refusals: i64,
    errors: i64,
    input_tokens: i64,
    output_tokens: i64,
    dollars: i64,
    nanos: i64,
}

/// The columns of a [`SumsRow`], without latencies.
pub(super) const SUMS: &str = "requests, refusals, errors, input_tokens, output_tokens, cost_nanousd";

/// The columns of a [`TotalsRow`], summed over [`SUMS`]. Tokens are bounded by [`MOST_TOKENS`], so that their sums are.
pub(super) const TOTALS: &str = "CAST(SUM(requests) AS BIGINT) AS requests, CAST(SUM(refusals) AS BIGINT) AS refusals, \
    CAST(SUM(errors) AS BIGINT) AS errors, CAST(SUM(input_tokens) AS BIGINT) AS input_tokens, \
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens, CAST(SUM(cost_nanousd / 1000000000) AS BIGINT) AS dollars, \
    CAST(SUM(cost_nanousd % 1000000000) AS BIGINT) AS nanos";

/// No rollup has more tokens: a gateway that counts so many is mistaken, and must not make sums fail.
const MOST_TOKENS: u64 = 1 << 40;

// === impl Sums ===

impl Sums {
    /// What one event comes to.
    pub(super) fn of(event: &CountedEvent) -> Self {
        let (mut refusals, mut errors, mut latency) = (0, 0, Sketch::default());
        let code = event.error_code.as_deref();
        if event.is_refusal() {
            refusals = 1;
        } else {
            errors = u64::from(event.status >= 400 || code.is_some_and(|code| code != "client_closed"));
        }
        if refusals == 0 {
            latency.record(amount(event.latency_ms));
        }
        Self {
            requests: 1,
            refusals,
            errors,
            input_tokens: amount(event.input_tokens).min(MOST_TOKENS),
            output_tokens: amount(event.output_tokens).min(MOST_TOKENS),
            cost_nanousd: amount(event.cost_nanousd),
            latency,
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.add_without_latency(other);
        self.latency.merge(&other.latency);
    }

    /// Adds others, without their latencies.
    pub(super) fn add_without_latency(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.refusals = self.refusals.saturating_add(other.refusals);
        self.errors = self.errors.saturating_add(other.errors);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost_nanousd = self.cost_nanousd.saturating_add(other.cost_nanousd);
    }

    /// The same without latencies.
    pub fn without_latency(&self) -> Self {
        Self {
            latency: Sketch::default(),
            ..*self
        }
    }

    /// What is left without a part of it; of latencies that cannot be told.
    pub fn without(&self, part: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(part.requests),
            refusals: self.refusals.saturating_sub(part.refusals),
            errors: self.errors.saturating_sub(part.errors),
            input_tokens: self.input_tokens.saturating_sub(part.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(part.output_tokens),
            cost_nanousd: self.cost_nanousd.saturating_sub(part.cost_nanousd),
            latency: Sketch::default(),
        }
    }
}

impl TryFrom<SumsRow> for Sums {
    type Error = LedgerError;

    fn try_from(row: SumsRow) -> Result<Self, LedgerError> {
        let latency = Sketch::from_bytes(&row.latency).ok_or_else(|| LedgerError::Foreign {
            table: "rollups",
            id: format!("of {} requests", row.requests),
            column: "latency",
        })?;
        Ok(Self {
            requests: amount(row.requests),
            refusals: amount(row.refusals),
            errors: amount(row.errors),
            input_tokens: amount(row.input_tokens),
            output_tokens: amount(row.output_tokens),
            cost_nanousd: amount(row.cost_nanousd),
            latency,
        })
    }
}

impl From<TotalsRow> for Sums {
    fn from(row: TotalsRow) -> Self {
        let dollars = amount(row.dollars).saturating_mul(NANOS);
        Self {
            requests: amount(row.requests),
            refusals: amount(row.refusals),
            errors: amount(row.errors),
            input_tokens: amount(row.input_tokens),
            output_tokens: amount(row.output_tokens),
            cost_nanousd: dollars.saturating_add(amount(row.nanos)),
            latency: Sketch::default(),
        }
    }
}
