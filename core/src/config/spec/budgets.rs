//! How requests are paid from budgets.

use serde::Deserialize;

use super::OnUnavailable;
use crate::budget::DowngradeSpec;
use crate::config::Span;

/// How requests are paid from the budgets that the sidecar keeps. The budgets themselves are made by its admin API.
///
/// ```yaml
/// budgets:
///   status: 429
///   min_output_tokens: 256
///   on_unavailable: deny
///   downgrades:
///     - {below_percent: 20, models: {gpt-4o: gpt-4o-mini, o3: o4-mini}}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsSpec {
    /// Where a budget cannot pay a request's `max_tokens`, it is lowered, but not below this; then the request is
    /// refused.
    pub min_output_tokens: u64,
    /// HTTP status of the refusal.
    pub status: u16,
    /// How long a request waits for the ledger when the money in hand does not reach. Near the end of a budget this
    /// is money that other gateways give back with their reports, one each second: two of them should fit.
    pub wait: Span,
    /// What happens to a request whose budgets are not known while the sidecar is away: `deny` (503) or `allow`. A
    /// gateway that has not heard of any budget yet lets it pass.
    /// Where they are known, each budget's own policy decides.
    pub on_unavailable: OnUnavailable,
    /// How long a worker remembers which budgets apply to a caller.
    pub remember: Span,
    /// No exchange takes longer: what it has reserved by then is taken for spent.
    pub max_exchange: Span,
    /// Room for the leases of so many budgets.
    pub max_budgets: u32,
    /// Cheaper models while a budget runs low. Of those that match, the one with the smallest `below_percent`
    /// applies.
    pub downgrades: Vec<DowngradeSpec>,
}

// === impl BudgetsSpec ===

impl Default for BudgetsSpec {
    fn default() -> Self {
        Self {
            min_output_tokens: 64,
            status: 402,
            wait: Span::from_millis(3_000),
            on_unavailable: OnUnavailable::Deny,
            remember: Span::from_millis(600_000),
            max_exchange: Span::from_millis(900_000),
            max_budgets: 4_096,
            downgrades: Vec::new(),
        }
    }
}
