//! A limit as it is written in the configuration.

use serde::{Deserialize, Serialize};

use crate::config::Span;
use crate::dialect::Dialect;
use crate::glob::Glob;

/// How long a slot that nobody gave back is taken, unless its limit says otherwise.
pub(super) const DEFAULT_SLOT_TTL: Span = Span::from_millis(600_000);

/// One limit. There may be 128.
///
/// ```yaml
/// limits:
///   - name: per-key-requests
///     count: requests
///     amount: 60
///     period: 1m
///     burst: 10
///     per: [key]
///   - name: per-workspace-tokens
///     algorithm: sliding_window
///     count: tokens
///     amount: 200000
///     period: 1h
///     per: [workspace, model]
///     match: {models: ["gpt-4o*"]}
///   - name: streams-at-a-time
///     count: concurrent
///     amount: 5
///     per: [key]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    /// Unique; what refusals, headers, metrics and events call it. Letters, digits, `_`, `-` and `.`, at most 64.
    pub name: String,
    /// How it is counted; `token_bucket` unless written. Not for `concurrent`, which has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// What is counted.
    pub count: Count,
    /// How much of it: per period, or at a time for `concurrent`.
    pub amount: u64,
    /// The period of `amount`, from `1s` to `31d`. Not for `concurrent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Span>,
    /// `token_bucket` only: how much can be taken at once after a pause. `amount` unless written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Whose: each combination of these has its own count. Nothing, or `[global]`, is one count for all.
    ///
    /// Requests that lack one of them (no session, no user) share the count of those that lack it: leaving a
    /// header out does not escape a limit.
    #[serde(default)]
    pub per: Vec<Per>,
    /// Which requests it is for; all unless written.
    #[serde(default, rename = "match", skip_serializing_if = "MatchSpec::is_everything")]
    pub applies_to: MatchSpec,
    /// Whether it refuses, or only says that it would have.
    #[serde(default)]
    pub mode: Mode,
    /// `concurrent` only: a slot that nobody gave back (its worker crashed) is free again after this time, and so
    /// is the slot of an exchange that takes longer. `10m` unless written; from `1s` to `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_ttl: Option<Span>,
    /// About how many subjects (keys, sessions, addresses …) are kept at a time; at most 1000000. When more are
    /// active at once, those that have used least are forgotten first. Limits with the same `per` share one table of
    /// the largest of their sizes; a table that gets another size counts from nothing.
    #[serde(default = "default_max_subjects")]
    pub max_subjects: u32,
}

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Refills evenly, `amount` a period, up to `burst`. Exact (GCRA).
    TokenBucket,
    /// Never more than `amount` in any span of the period's length. Kept in sixtieths of the period: what was
    /// taken counts for the period and up to one sixtieth more.
    SlidingWindow,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Requests.
    Requests,
    /// Input and output tokens. Reserved before the call, settled after it.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Requests at the same time, from the moment they are admitted to the end of the answer.
    Concurrent,
}

/// Whom a limit counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Nobody: one count for all. Stands alone.
    Global,
    /// The workspace.
    Workspace,
    /// The user.
    User,
    /// The session.
    Session,
    /// The API key.
    Key,
    /// The client's address.
    Ip,
    /// The model that the request goes to.
    Model,
}

/// Which requests an entry is for. Every list that is not empty must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MatchSpec {
    /// Any of these dialects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialects: Vec<Dialect>,
    /// Any of these globs fits the path (without its query).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Glob>,
    /// Any of these globs fits the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Glob>,
    /// Any of these workspaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<String>,
    /// Any of these keys, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Whether a limit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It refuses.
    #[default]
    Enforce,
    /// It counts, and where it would have refused it is named in the event and in metrics; the request passes.
    /// As with an enforced limit, a request that it would have refused takes nothing from it.
    Shadow,
}

// === impl LimitSpec ===

impl LimitSpec {
    /// For how long what was counted can matter, in milliseconds; a limit that does not compile has no answer to it.
    pub fn remembered_ms(&self) -> u64 {
        let refills = self.burst.map_or(1, |burst| burst.div_ceil(self.amount.max(1)));
        // What was taken counts for up to a sixtieth longer than its period.
        let periods = refills.max(1).saturating_add(1);
        let span = self.period.or(self.slot_ttl).unwrap_or(DEFAULT_SLOT_TTL);
        span.millis().saturating_mul(periods)
    }
}

// === impl MatchSpec ===

impl MatchSpec {
    /// Whether it names nothing, and so is for every request.
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

// === impl Count ===

impl Count {
    /// The name in refusals and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Concurrent => "concurrent",
        }
    }

    /// Whether it counts tokens of some kind.
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::Tokens | Self::InputTokens | Self::OutputTokens)
    }
}

fn default_max_subjects() -> u32 {
    10_000
}
