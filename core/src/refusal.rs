//! Refusals: what a client is told when Tollgate says no.
//!
//! A refusal has a stable code and an HTTP status (the contract's table), a message for the person who reads
//! it, and wears the envelope of the path's dialect. Never 200.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dialect::{Family, Invalid};

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

/// Why a request was refused, whole: everything that the answer's body and headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// The HTTP status, usually [`Code::status`].
    pub status: u16,
    /// For the person who reads it: what happened, where, what to do.
    pub message: String,
    /// The field or header at fault, where there is one.
    pub param: Option<String>,
    /// Which limit or budget said no, where one did.
    pub exceeded: Option<Box<Exceeded>>,
}

/// The limit or budget that refused, machine-readable, under `error.tollgate` in every envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exceeded {
    /// Its name in the configuration or the ledger.
    pub name: String,
    /// What it is counted per: `workspace`, `key`, `workspace,user` …
    pub scope: String,
    /// What it counts: `requests`, `tokens`, `usd` …
    pub unit: String,
    /// How much of it there was.
    pub used: String,
    /// How much of it there may be.
    pub limit: String,
    /// Whole seconds until it makes sense to try again; absent where waiting does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_seconds: Option<u64>,
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

    /// OpenAI's `error.type`, which its SDKs and their users branch on.
    const fn openai_type(self) -> &'static str {
        match self {
            Self::InvalidApiKey | Self::ExpiredApiKey => "authentication_error",
            Self::KeyPaused | Self::ModelNotAllowed => "permission_error",
            Self::RateLimitExceeded => "rate_limit_error",
            Self::BudgetExceeded => "insufficient_quota",
            Self::SidecarUnavailable => "server_error",
            Self::InvalidRequest | Self::ContentBlocked | Self::UnknownEndpoint | Self::RequestTooLarge => {
                "invalid_request_error"
            }
        }
    }

    /// Anthropic's `error.type`: <https://docs.anthropic.com/en/api/errors>.
    const fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::InvalidApiKey => "authentication_error",
            Self::ExpiredApiKey | Self::KeyPaused | Self::ModelNotAllowed | Self::ContentBlocked => {
                "permission_error"
            }
            Self::UnknownEndpoint => "not_found_error",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimitExceeded => "rate_limit_error",
            Self::BudgetExceeded => "billing_error",
            Self::SidecarUnavailable => "overloaded_error",
        }
    }

    /// Google's canonical status: <https://cloud.google.com/apis/design/errors>.
    const fn google_status(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::RequestTooLarge => "INVALID_ARGUMENT",
            Self::InvalidApiKey => "UNAUTHENTICATED",
            Self::ExpiredApiKey | Self::KeyPaused | Self::ModelNotAllowed | Self::ContentBlocked => {
                "PERMISSION_DENIED"
            }
            Self::UnknownEndpoint => "NOT_FOUND",
            Self::RateLimitExceeded | Self::BudgetExceeded => "RESOURCE_EXHAUSTED",
            Self::SidecarUnavailable => "UNAVAILABLE",
        }
    }

    /// Whether a client's SDK should be told not to try again: a retry cannot succeed.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::RateLimitExceeded | Self::SidecarUnavailable)
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal with its code's own status.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            message: message.into(),
            param: None,
            exceeded: None,
        }
    }

    /// Names the field or header at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Names the limit or budget that said no.
    #[must_use]
    pub fn exceeding(mut self, exceeded: Exceeded) -> Self {
        self.exceeded = Some(Box::new(exceeded));
        self
    }

    /// The answer's body in the envelope of a family.
    pub fn body(&self, family: Family, request_id: &str) -> Vec<u8> {
        let code = self.code.as_str();
        let mut body = match family {
            Family::OpenAi => json!({
                "error": {
                    "message": self.message,
                    "type": self.code.openai_type(),
                    "param": self.param,
                    "code": code,
                }
            }),
            Family::Anthropic => json!({
                "type": "error",
                "error": {
                    "type": self.code.anthropic_type(),
                    "message": self.message,
                    "code": code,
                    "param": self.param,
                },
                "request_id": request_id,
            }),
            Family::Gemini => json!({
                "error": {
                    "code": self.status,
                    "message": self.message,
                    "status": self.code.google_status(),
                    "details": [{
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": code,
                        "domain": "tollgate",
                        "metadata": { "param": self.param.as_deref().unwrap_or_default() },
                    }],
                }
            }),
        };
        if let (Some(exceeded), Some(error)) = (
            &self.exceeded,
            body.get_mut("error").and_then(|e| e.as_object_mut()),
        ) {
            error.insert("tollgate".to_owned(), json!(exceeded));
        }
        body.to_string().into_bytes()
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        let refusal = Self::new(Code::InvalidRequest, invalid.message);
        if invalid.param.is_empty() {
            refusal
        } else {
            refusal.at(invalid.param)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(refusal: &Refusal, family: Family) -> serde_json::Value {
        serde_json::from_slice(&refusal.body(family, "req_1")).unwrap()
    }

    #[test]
    fn each_family_gets_its_own_envelope() {
        let refusal = Refusal::new(Code::InvalidRequest, "messages is empty").at("messages");
        let openai = parsed(&refusal, Family::OpenAi);
        assert_eq!(openai["error"]["code"], "invalid_request");
        assert_eq!(openai["error"]["param"], "messages");
        let anthropic = parsed(&refusal, Family::Anthropic);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "invalid_request_error");
        assert_eq!(anthropic["request_id"], "req_1");
        let gemini = parsed(&refusal, Family::Gemini);
        assert_eq!(gemini["error"]["code"], 400);
        assert_eq!(gemini["error"]["status"], "INVALID_ARGUMENT");
    }

    #[test]
    fn a_limit_that_refused_is_named_for_machines_too() {
        let refusal = Refusal::new(Code::RateLimitExceeded, "slow down").exceeding(Exceeded {
            name: "demo".to_owned(),
            scope: "key".to_owned(),
            unit: "requests".to_owned(),
            used: "5".to_owned(),
            limit: "5".to_owned(),
            reset_seconds: Some(12),
        });
        for family in [Family::OpenAi, Family::Anthropic, Family::Gemini] {
            assert_eq!(parsed(&refusal, family)["error"]["tollgate"]["reset_seconds"], 12);
        }
    }
}
