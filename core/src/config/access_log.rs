//! What is shown in Envoy's access log.

use serde::Deserialize;

/// What the filter leaves in filter state for Envoy's access log.
///
/// ```yaml
/// access_log: {fields: [request_id, decision, model, cost_usd]}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogSpec {
    /// The fields, each readable as `%FILTER_STATE(wasm.tollgate_NAME:PLAIN)%`; all unless written. Each costs a
    /// host call a request: leave out what no access log prints, or write `[]` where there is none.
    pub fields: Vec<AccessLogField>,
}

/// A field of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccessLogField {
    /// As in `x-tollgate-request-id` and the event.
    RequestId,
    /// `allow`, or the event's `error_code`.
    Decision,
    /// Who paid.
    Workspace,
    /// The person or service behind the key or the token.
    User,
    /// The key's id.
    KeyId,
    /// The wire format.
    Dialect,
    /// Who was asked.
    Provider,
    /// The model that the client named.
    Model,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// The cost in dollars.
    CostUsd,
}

// === impl AccessLogSpec ===

impl Default for AccessLogSpec {
    fn default() -> Self {
        Self {
            fields: AccessLogField::ALL.to_vec(),
        }
    }
}

// === impl AccessLogField ===

impl AccessLogField {
    /// Every field.
    pub const ALL: [Self; 11] = [
        Self::RequestId,
        Self::Decision,
        Self::Workspace,
        Self::User,
        Self::KeyId,
        Self::Dialect,
        Self::Provider,
        Self::Model,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CostUsd,
    ];
}
