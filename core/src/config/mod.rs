//! The plugin's configuration: written as strict [`spec`] types, compiled into a [`Config`] that cannot hold
//! an invalid value. Everything about it is known at load, nothing at request time.

mod access_log;
mod compile;
mod duration;
mod fault;
pub mod spec;

use std::borrow::Cow;
use std::time::Duration;

use hashbrown::HashMap;

pub use access_log::{AccessLogField, AccessLogSpec};
pub use compile::{Written, parse};
pub use duration::Span;
pub use fault::Fault;
pub use spec::OnUnavailable;
use spec::ProviderSpec;

use crate::budget::Downgrades;
use crate::dialect::Dialect;
use crate::glob::Glob;
use crate::headers::Names;
use crate::key::{KeyHash, KeyRecord};
use crate::limit::{Facts, Limits, MatchSpec};
use crate::price::{Catalogue, Quote, UnknownModel};
use crate::table::KeyCache;
use crate::validation::Rules;

/// A configuration at work.
#[derive(Debug)]
pub struct Config {
    /// Name of this gateway in events.
    pub gateway_id: String,
    /// Where this gateway is, in events.
    pub region: Option<String>,
    /// How to reach the sidecar.
    pub sidecar: Option<Sidecar>,
    /// Headers that may carry the API key, in the order in which they are looked at.
    pub credential_headers: Vec<String>,
    /// Header in which a client names its session.
    pub session_header: String,
    /// Header in which a client names tags.
    pub tags_header: String,
    /// Headers that are not sent on: all of those, and those that would change what a request is to the provider.
    pub withheld: Names,
    /// Where `jwt_authn` leaves its claims.
    pub jwt: Option<Jwt>,
    /// Keys that the sidecar resolved.
    pub key_cache: KeyCache,
    /// The limits.
    pub limits: Limits,
    /// Output tokens that token limits reserve for a request which names no maximum of its own.
    pub default_output_reservation: u64,
    /// How requests are paid from the budgets that the sidecar keeps.
    pub budgets: Budgets,
    /// Largest request body in bytes.
    pub max_request_bytes: u64,
    /// Text of a prompt that is counted token by token, in bytes.
    pub exact_count_bytes: usize,
    /// Largest JSON answer in bytes that is held for its cost.
    pub max_held_response_bytes: u64,
    /// Whether every answer bears security headers.
    pub security_headers: bool,
    /// Events that a worker keeps.
    pub max_events_per_worker: u32,
    /// How often events are sent.
    pub flush_interval: Duration,
    /// Distinct values of a metric's label.
    pub max_label_values: u32,
    /// What is left in filter state for the access log.
    pub access_log: Vec<AccessLogField>,
    catalogue: Catalogue,
    unknown_model: UnknownModel,
    keys: HashMap<KeyHash, KeyRecord>,
    validation: Vec<(MatchSpec, Rules)>,
    model_aliases: HashMap<String, String>,
    moderation: Vec<(MatchSpec, Moderation)>,
    conversations: Vec<(MatchSpec, usize)>,
    providers: Vec<ProviderSpec>,
}

/// How to reach the sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// Value of `:authority`.
    pub authority: String,
    /// The gateway token.
    pub token: String,
    /// How long a request waits.
    pub timeout: Duration,
    /// After how many failures in a row requests stop waiting.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_pause: Duration,
}

/// Where `jwt_authn` leaves its claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// `payload_in_metadata` of the `jwt_authn` provider.
    pub payload: String,
    /// The claim that names the workspace.
    pub workspace: String,
    /// The claim that names the user.
    pub user: String,
    /// The claim that names the session.
    pub session: Option<String>,
}

/// How requests are paid from budgets.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// The least output that a request is let go with, in tokens.
    pub min_output_tokens: u64,
    /// HTTP status of a refusal.
    pub status: u16,
    /// How long a request waits for the ledger, in milliseconds.
    pub wait_ms: u64,
    /// What happens where the budgets are not known and the sidecar is away.
    pub on_unavailable: OnUnavailable,
    /// How long a worker remembers which budgets apply, in milliseconds.
    pub remember_ms: u64,
    /// For how many callers it does.
    pub max_remembered: usize,
    /// No exchange takes longer, in milliseconds.
    pub max_exchange_ms: u64,
    /// Room for the leases of so many budgets.
    pub max_budgets: u32,
    /// Cheaper models while a budget runs low.
    pub downgrades: Downgrades,
}

/// How a request is moderated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moderation {
    /// The policy's name in the sidecar's configuration.
    pub policy: String,
    /// Moderate the prompt.
    pub input: bool,
    /// Moderate JSON answers.
    pub output: bool,
    /// How long a request waits for the verdict.
    pub timeout: Duration,
    /// What happens when there is none.
    pub on_unavailable: OnUnavailable,
}

/// Where a request goes: OpenTelemetry's name of the provider, and what it understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `gen_ai.provider.name`.
    pub provider: Cow<'static, str>,
    /// Whether it understands `stream_options.include_usage`.
    pub stream_usage: bool,
}

// === impl Config ===

impl Config {
    /// A key of the configuration.
    pub fn static_key(&self, hash: &KeyHash) -> Option<&KeyRecord> {
        self.keys.get(hash)
    }

    /// The model that a client's name for it stands for.
    pub fn resolve_alias<'a>(&'a self, model: &'a str) -> &'a str {
        self.model_aliases.get(model).map_or(model, String::as_str)
    }

    /// What a model costs at a provider.
    pub fn quote(&self, provider: &str, model: &str) -> Quote<'_> {
        match self.catalogue.price_at(provider, model) {
            Some(price) => Quote::Listed(price),
            None => self.unknown_model.quote(&self.catalogue, model),
        }
    }

    /// Whether there are validation rules at all.
    pub fn has_rules(&self) -> bool {
        !self.validation.is_empty()
    }

    /// The validation rules for a request, in order.
    pub fn rules<'a>(&'a self, facts: &'a Facts<'_>) -> impl Iterator<Item = &'a Rules> {
        self.validation
            .iter()
            .filter(|(matcher, _)| matcher.fits(facts))
            .map(|(_, rules)| rules)
    }

    /// How a request is moderated: by the first policy that matches it, unless its key names one of its own;
    /// that one then goes by the first entry for this policy, if there is one, or by the defaults.
    pub fn moderation(&self, facts: &Facts<'_>, of_key: Option<&str>) -> Option<Moderation> {
        let Some(policy) = of_key else {
            return self
                .moderation
                .iter()
                .find(|(matcher, _)| matcher.fits(facts))
                .map(|(_, found)| found.clone());
        };
        let entry = self.moderation.iter().find(|(_, entry)| entry.policy == policy);
        Some(entry.map_or_else(|| Moderation::by_default(policy), |(_, found)| found.clone()))
    }

    /// Whether any exchange's texts are kept.
    pub fn keeps_conversations(&self) -> bool {
        !self.conversations.is_empty()
    }

    /// How many bytes are kept of an exchange's prompt, and of its answer; `None` where nothing is.
    pub fn kept_bytes(&self, facts: &Facts<'_>) -> Option<usize> {
        let found = self.conversations.iter().find(|(matcher, _)| matcher.fits(facts));
        found.map(|(_, max_bytes)| *max_bytes)
    }

    /// Where a request goes.
    pub fn destination(&self, authority: &str, path: &str, dialect: Dialect) -> Destination {
        let configured = self
            .providers
            .iter()
            .find(|provider| provider.matches(authority, path));
        if let Some(provider) = configured {
            return Destination {
                provider: provider.name.clone().into(),
                stream_usage: provider.stream_usage,
            };
        }
        let provider = match dialect {
            Dialect::GenerateContent => "gcp.gemini",
            Dialect::CountTokens if path.ends_with(":countTokens") => "gcp.gemini",
            Dialect::CountTokens if path.ends_with("/input_tokens") => "openai",
            Dialect::Messages | Dialect::CountTokens => "anthropic",
            Dialect::ChatCompletions
            | Dialect::Responses
            | Dialect::Embeddings
            | Dialect::Completions
            | Dialect::Models => "openai",
        };
        Destination {
            provider: provider.into(),
            stream_usage: true,
        }
    }
}

// === impl Moderation ===

impl Moderation {
    fn by_default(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            input: true,
            output: false,
            timeout: Duration::from_secs(1),
            on_unavailable: OnUnavailable::Deny,
        }
    }
}

// === impl ProviderSpec ===

impl ProviderSpec {
    fn matches(&self, authority: &str, path: &str) -> bool {
        let any =
            |globs: &[Glob], text: &str| globs.is_empty() || globs.iter().any(|glob| glob.matches(text));
        any(&self.hosts, authority) && any(&self.paths, path)
    }
}

#[cfg(test)]
mod tests;
