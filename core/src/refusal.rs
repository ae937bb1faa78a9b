//! Refusals: what a client is told when Tollgate says no.
//!
//! A refusal has a stable code and an HTTP status (the contract's table), a message for the person who reads
//! it, and wears the envelope of the path's dialect. Never 200.

use serde::{Deserialize, Serialize};

/// The stable, documented code of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 400: the body is not valid for its dialect, has too many tokens, or names a forbidden parameter.
    InvalidRequest,
    /// 401: missing, unknown or revoked.
    InvalidApiKey,
    /// 403: known, but past its expiry.
    ExpiredApiKey,
    /// 403: known, but paused.
    KeyPaused,
    /// 403: this key may not call this model, or its price is unknown and policy denies that.
    ModelNotAllowed,
    /// 403: moderation blocked the content.
    ContentBlocked,
    /// 404: a path that is not metered.
    UnknownEndpoint,
    /// 413: the body is over the configured limit.
    RequestTooLarge,
    /// 429: a limit.
    RateLimitExceeded,
    /// 402 (settable): a budget.
    BudgetExceeded,
    /// 503: a fail-closed policy could not be decided.
    SidecarUnavailable,
}

// === impl Code ===

impl Code {
    /// The code as clients, events and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidApiKey => "invalid_api_key",
            Self::ExpiredApiKey => "expired_api_key",
            Self::KeyPaused => "key_paused",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::ContentBlocked => "content_blocked",
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::BudgetExceeded => "budget_exceeded",
            Self::SidecarUnavailable => "sidecar_unavailable",
        }
    }

    /// The HTTP status, where configuration does not choose another.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::InvalidApiKey => 401,
            Self::BudgetExceeded => 402,
            Self::ExpiredApiKey | Self::KeyPaused | Self::ModelNotAllowed | Self::ContentBlocked => 403,
            Self::UnknownEndpoint => 404,
            Self::RequestTooLarge => 413,
            Self::RateLimitExceeded => 429,
            Self::SidecarUnavailable => 503,
        }
    }
}
