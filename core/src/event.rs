//! The event: one for every exchange that reached a provider, and one for every refusal.

mod record;

use serde::{Deserialize, Serialize};

pub use self::record::Record;
use crate::dialect::Dialect;
use crate::money::NanoUsd;
use crate::service_tier::ServiceTier;
use crate::trace_context::TraceParent;
use crate::usage::Usage;
use crate::wire::BudgetCharge;

/// What happened in one exchange, as the gateway tells it to the ledger. All optional fields are absent, not
/// empty, where they are unknown (a refused key has no workspace).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique and chosen by the gateway: a repeated delivery is recognised by it.
    pub event_id: String,
    /// What the client saw as `x-tollgate-request-id`.
    pub request_id: String,
    /// When the request arrived.
    pub time: jiff::Timestamp,
    /// The trace that the request is part of. One that cannot be read costs no event.
    #[serde(flatten)]
    pub trace: Option<TraceParent>,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The person or service behind the key or the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client's session, where it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The key's stable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The wire format; absent for a path that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// OpenTelemetry's `gen_ai.provider.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_model: Option<String>,
    /// The model that stood in for it because a budget ran low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downgraded_model: Option<String>,
    /// The model that the provider says answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_model: Option<String>,
    /// The service tier that the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_service_tier: Option<ServiceTier>,
    /// The service tier by which the provider says that it was served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_service_tier: Option<ServiceTier>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The HTTP status that the client saw; 0 where it left before there was one.
    pub status: u16,
    /// Tollgate's own code for a refusal, or what cut the exchange short (`client_closed`, `worker_lost`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Tokens, and how far to trust them.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it cost.
    pub cost_nanousd: NanoUsd,
    /// Whether the price came from the configured fallback for unknown models.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub price_fallback: bool,
    /// From the request's first byte to the end of the exchange.
    pub latency_ms: u64,
    /// From the request's first byte to the first byte of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token_ms: Option<u64>,
    /// Size of the request body as the client sent it.
    pub request_bytes: u64,
    /// Size of the response body as the provider sent it.
    pub response_bytes: u64,
    /// Which gateway, from its configuration.
    pub gateway_id: String,
    /// Where that gateway is, from its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What it costs each of the budgets that it is paid from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<BudgetCharge>,
    /// Names of limits in shadow mode that would have refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_refuse: Vec<String>,
}
