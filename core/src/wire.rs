//! What a gateway and the sidecar say to each other, over HTTP with JSON bodies.
//!
//! Every answer of the sidecar bears [`SIDECAR_HEADER`]: Envoy answers a callout itself (503, 504) when the
//! sidecar cannot be reached, and only this header tells the two apart. Gateways authenticate with
//! `authorization: Bearer <gateway token>`.

mod conversation;
mod lease;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::key::{KeyHash, KeyRecord};

pub use conversation::{
    CUT_MARGIN, ConversationBatch, ConversationsAccepted, SaidExchange, TextKind, TextPart, TextRole,
};
pub use lease::{
    AppliedBudget, BudgetCharge, Exhausted, LeaseAnswer, LeaseHold, LeaseId, LeaseReport, LeaseReportAnswer,
    LeaseRequest, LeaseState, LeaseStatus, MAX_HOLDS, ReportedLease,
};

/// On every answer of the sidecar; its value is the sidecar's version.
pub const SIDECAR_HEADER: &str = "x-tollgate-sidecar";

/// `POST /v1/keys/resolve`: a key by its hash. 200 with a [`KeyRecord`], 404 where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveKey {
    /// SHA-256 of the key as the client sent it.
    pub sha256: KeyHash,
}

/// `POST /v1/keys/changes`: the keys that changed after a version, at most 1,000, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChangesRequest {
    /// The last version that the gateway has seen; absent at first: the answer is then the current version
    /// and no keys (a gateway without a cache has nothing to correct).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Answer to [`KeyChangesRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyChanges {
    /// The version to ask after next time.
    pub version: u64,
    /// Current records of keys that changed, revoked ones included.
    pub keys: Vec<KeyRecord>,
    /// Whether there is more: ask again at once.
    #[serde(default)]
    pub more: bool,
    /// Version of all budgets' definitions; 0 where none was ever made, so that no request needs to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<u64>,
    /// Version of the ledger's policy ([`Policy`](crate::policy::Policy)); 0 where there is none. A gateway that
    /// has another one asks for it: `POST /v1/policy` with `{}`, answered with the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<u64>,
}

/// `POST /v1/events`: what happened. Idempotent by `event_id`; 200 with [`EventsAccepted`] once it is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// At most 1,000.
    pub events: Vec<Event>,
}

/// Answer to [`EventBatch`]. Every event of the batch is in the ledger, or kept aside where it can never be:
/// none of them needs to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventsAccepted {
    /// How many are new.
    pub accepted: u64,
    /// How many were there already.
    pub duplicates: u64,
    /// How many could not be read as events. The ledger keeps their text aside with the reason.
    #[serde(default)]
    pub rejected: u64,
}

/// `POST /v1/moderations`: a verdict on texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModerationRequest {
    /// The policy's name in the sidecar's configuration.
    pub policy: String,
    /// Before the call, or on the answer.
    pub phase: ModerationPhase,
    /// For the log.
    pub request_id: String,
    /// For the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// For the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// For the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The texts, in the order in which they stand in the body.
    pub texts: Vec<String>,
}

/// Which side of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModerationPhase {
    /// The prompt.
    Input,
    /// The answer.
    Output,
}

/// Answer to [`ModerationRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModerationVerdict {
    /// The strongest action that any rule asked for.
    pub action: ModerationAction,
    /// Categories of the rules that matched, each once.
    #[serde(default)]
    pub categories: Vec<String>,
    /// With `redact`: one entry a text, the new text or null where it stays as it is. Else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Option<String>>,
}

/// What to do with moderated content, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModerationAction {
    /// Let it pass: nothing matched, or nothing that matters.
    Allow,
    /// Let it pass, and log it.
    Flag,
    /// Let it pass with the matches replaced.
    Redact,
    /// Refuse with `content_blocked`.
    Block,
}

// === impl ModerationPhase ===

impl ModerationPhase {
    /// The phase as the log and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

// === impl ModerationAction ===

impl ModerationAction {
    /// The action as the log and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}
