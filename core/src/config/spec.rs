//! The plugin's configuration as it is written: strict types, unknown fields refused.
//!
//! These types are the reference: `docs/configuration.md` is generated from them and from their comments.

mod budgets;
mod conversation;
mod identity;
mod sidecar;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use budgets::BudgetsSpec;
pub use conversation::ConversationSpec;
pub use identity::{IdentitySpec, JwtSpec, KeyCacheSpec, KeySpec};
pub use sidecar::{BreakerSpec, SidecarSpec};

use super::access_log::AccessLogSpec;
use super::duration::Span;
use crate::glob::Glob;
use crate::limit::{LimitSpec, MatchSpec};
use crate::price::{Catalogue, UnknownModel};
use crate::validation::spec::RulesSpec;

/// The whole configuration of the Tollgate filter. Every field may be left out.
///
/// ```yaml
/// gateway_id: gateway-1
/// region: eu-central-1
/// sidecar: {cluster: tollgate_sidecar, token: replace-with-the-gateway-token}
/// default_output_reservation: 2048
/// model_aliases: {fast: gpt-4o-mini, careful: claude-sonnet-4-5}
/// security_headers: true
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ConfigSpec {
    /// Name of this gateway in events.
    pub gateway_id: String,
    /// Where this gateway is, in events.
    pub region: Option<String>,
    /// How to reach the sidecar. Without one, only `keys` are known, and no events are kept.
    pub sidecar: Option<SidecarSpec>,
    /// Where a request says who it is from.
    pub identity: IdentitySpec,
    /// Keys known without the sidecar.
    pub keys: Vec<KeySpec>,
    /// How keys that the sidecar resolved are remembered.
    pub key_cache: KeyCacheSpec,
    /// Limits; all that match a request are taken together or not at all.
    pub limits: Vec<LimitSpec>,
    /// Output tokens that token limits reserve for a request which names no maximum of its own.
    pub default_output_reservation: u64,
    /// What bodies must look like; all that match a request apply, in order.
    pub validation: Vec<ValidationSpec>,
    /// Names that clients may use in place of a model's own: `{"fast": "gpt-4o-mini"}`.
    pub model_aliases: BTreeMap<String, String>,
    /// What tokens cost.
    pub prices: PricesSpec,
    /// How requests are paid from the budgets that the sidecar keeps.
    pub budgets: BudgetsSpec,
    /// Which requests are moderated, and by which of the sidecar's policies; the first that matches applies.
    pub moderation: Vec<ModerationSpec>,
    /// Which exchanges' texts are kept; the first that matches applies. None unless written.
    pub conversations: Vec<ConversationSpec>,
    /// Providers, where the path alone does not name them; the first that matches applies.
    pub providers: Vec<ProviderSpec>,
    /// How much of a body is held.
    pub bodies: BodiesSpec,
    /// Adds `strict-transport-security`, `x-content-type-options` and their like to every answer.
    pub security_headers: bool,
    /// The queue of events for the sidecar.
    pub journal: JournalSpec,
    /// Bounds on labels of metrics.
    pub metrics: MetricsSpec,
    /// What the filter leaves for Envoy's access log.
    pub access_log: AccessLogSpec,
}

/// What bodies must look like. All entries that match a request apply, in order.
///
/// ```yaml
/// validation:
///   - rules: {max_tools: 64, sanitize: {strip_nul: true}}
///   - match: {workspaces: [interns], dialects: [chat_completions, messages]}
///     rules:
///       max_messages: 200
///       max_message_characters: 100000
///       max_prompt_characters: 400000
///       max_prompt_tokens: 100000
///       allowed_roles: [system, user, assistant, tool]
///       forbidden_parameters: [logit_bias, web_search_options, reasoning.effort]
///       parameters: {temperature: 1.0, n: {min: 1, max: 4}}
///       require_max_tokens: true
///       max_output_tokens: 4096
///       over_max_output_tokens: clamp
///       sanitize: {trim: true, html: escape}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidationSpec {
    /// Which requests these rules are for; all, if absent.
    #[serde(default, rename = "match")]
    pub selector: MatchSpec,
    /// The rules.
    pub rules: RulesSpec,
}

/// What tokens cost. Decimals are exact; costs become whole nano-dollars.
///
/// ```yaml
/// prices:
///   catalogue:
///     our-finetune: {input_cost_per_token: 3.0e-7, output_cost_per_token: 1.2e-6, max_output_tokens: 8192}
///     long-context:
///       input_cost_per_token: 1.25e-6
///       input_cost_per_token_above_200k_tokens: 2.5e-6
///       cache_read_input_token_cost: 3.1e-7
///       output_cost_per_token: 1.0e-5
///   unknown_model: {price: {input_cost_per_token: 5.0e-6, output_cost_per_token: 2.5e-5}}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PricesSpec {
    /// Prices in LiteLLM's field names, as in its `model_prices_and_context_window.json`. They go before those
    /// that come with Tollgate.
    pub catalogue: Catalogue,
    /// What a model without a price costs: `deny`, `zero`, or `{price: {…}}` in the same field names. Unless
    /// written it is charged like a dear model ($5 a million input tokens, $25 a million output tokens), so that it
    /// is neither refused nor free. What is not denied is marked in the event (`price_fallback`).
    pub unknown_model: UnknownModel,
}

/// Which requests are moderated, and how. The first entry that matches applies; moderation needs a `sidecar`.
///
/// ```yaml
/// moderation:
///   - policy: default
///     match: {paths: ["*/chat/completions", "*/messages"]}
///     output: true
///     timeout: 800ms
///     on_unavailable: allow
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ModerationSpec {
    /// The policy's name in the sidecar's configuration.
    pub policy: String,
    /// Which requests; all, if absent. A key's own policy goes first.
    #[serde(default, rename = "match")]
    pub selector: MatchSpec,
    /// Moderate the prompt before the call.
    #[serde(default = "yes")]
    pub input: bool,
    /// Moderate JSON answers before they are passed on.
    #[serde(default)]
    pub output: bool,
    /// How long a request waits for the verdict.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// What happens when there is none: `deny` (503) or `allow`.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
}

/// What a policy does when the sidecar does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// Refuse with 503.
    #[default]
    Deny,
    /// Go on without.
    Allow,
}

/// A provider, by where requests to it go. Without an entry the path decides: `openai`, `anthropic` or `gcp.gemini`.
///
/// ```yaml
/// providers:
///   - {name: azure.ai.openai, hosts: ["*.openai.azure.com"]}
///   - {name: groq, paths: ["/openai/v1/*"]}
///   - {name: self_hosted, hosts: [llm.internal], stream_usage: false}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// OpenTelemetry's `gen_ai.provider.name`: `openai`, `anthropic`, `gcp.gemini`, `azure.ai.openai`, `groq` …
    pub name: String,
    /// `:authority` of the request, as globs; all, if absent.
    #[serde(default)]
    pub hosts: Vec<Glob>,
    /// Paths, as globs; all, if absent.
    #[serde(default)]
    pub paths: Vec<Glob>,
    /// Whether it understands `stream_options.include_usage`. Where it is false, streams that report no usage by
    /// themselves are counted, and marked `estimated`.
    #[serde(default = "yes")]
    pub stream_usage: bool,
}

/// How much of a body is held, in bytes.
///
/// ```yaml
/// bodies: {max_request_bytes: 16777216, max_held_response_bytes: 1048576}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BodiesSpec {
    /// A larger request is refused with 413. Keep it under the listener's `per_connection_buffer_limit_bytes`.
    pub max_request_bytes: u64,
    /// Text of a prompt that is counted token by token, so that no body keeps a worker for more than about 2 ms; of
    /// longer prompts the rest is estimated from samples. Text that is hard to count, such as random characters,
    /// takes up to six times its length of this.
    pub exact_count_bytes: u64,
    /// A JSON answer up to this size is held until its usage is read, so that `x-tollgate-cost` can stand in
    /// its headers; a larger one is passed on at once, without that header.
    pub max_held_response_bytes: u64,
}

/// The queue of events for the sidecar, in Envoy's shared data.
///
/// ```yaml
/// journal: {max_events_per_worker: 100000, flush_interval: 1s}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct JournalSpec {
    /// Events that a worker keeps while the sidecar is away. When they are that many, requests are refused.
    pub max_events_per_worker: u32,
    /// How often events are sent.
    pub flush_interval: Span,
}

/// Bounds on labels of metrics.
///
/// ```yaml
/// metrics: {max_label_values: 500}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSpec {
    /// Distinct models, and distinct workspaces, that get a label of their own; the rest is `other`.
    pub max_label_values: u32,
}

// === impl ConfigSpec ===

impl Default for ConfigSpec {
    fn default() -> Self {
        Self {
            gateway_id: "tollgate".to_owned(),
            region: None,
            sidecar: None,
            identity: IdentitySpec::default(),
            keys: Vec::new(),
            key_cache: KeyCacheSpec::default(),
            limits: Vec::new(),
            default_output_reservation: 1_024,
            validation: Vec::new(),
            model_aliases: BTreeMap::new(),
            prices: PricesSpec::default(),
            budgets: BudgetsSpec::default(),
            moderation: Vec::new(),
            conversations: Vec::new(),
            providers: Vec::new(),
            bodies: BodiesSpec::default(),
            security_headers: false,
            journal: JournalSpec::default(),
            metrics: MetricsSpec::default(),
            access_log: AccessLogSpec::default(),
        }
    }
}

// === impl BodiesSpec ===

impl Default for BodiesSpec {
    fn default() -> Self {
        Self {
            max_request_bytes: 4 << 20,
            exact_count_bytes: 128 << 10,
            max_held_response_bytes: 256 << 10,
        }
    }
}

// === impl PricesSpec ===

impl Default for PricesSpec {
    fn default() -> Self {
        Self {
            catalogue: Catalogue::default(),
            unknown_model: UnknownModel::dear(),
        }
    }
}

// === impl JournalSpec ===

impl Default for JournalSpec {
    fn default() -> Self {
        Self {
            max_events_per_worker: 32_768,
            flush_interval: Span::from_millis(250),
        }
    }
}

// === impl MetricsSpec ===

impl Default for MetricsSpec {
    fn default() -> Self {
        Self {
            max_label_values: 200,
        }
    }
}

const fn yes() -> bool {
    true
}

const fn default_timeout() -> Span {
    Span::from_millis(1_000)
}
