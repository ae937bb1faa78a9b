//! Moderation policies as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::wire::{ModerationAction, ModerationPhase};

/// Moderation policies, and which workspace has which. When a gateway asks for a verdict, how long it waits and what
/// happens without one is in the filter's configuration.
///
/// ```yaml
/// moderation:
///   workspaces: {support: default}
///   policies:
///     default:
///       categories: {pii: redact, credentials: block}
///       rules:
///         - name: email
///           category: pii
///           replacement: "[EMAIL]"
///           regexes: ['(?i)\b[a-z0-9._%+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}\b']
///         - name: payment_card
///           category: pii
///           detect: [payment_card]
///         - name: project_names
///           category: confidential
///           action: block
///           phases: [input]
///           words: [project nightingale]
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ModerationSpec {
    /// Policies by name; keys and gateways choose one by it.
    pub policies: BTreeMap<String, PolicySpec>,
    /// The policy of a workspace's keys that name none themselves: workspace → policy.
    pub workspaces: BTreeMap<String, String>,
}

/// One policy: at most 500 rules.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Whether the first 1,000 characters of a text are kept with its verdict, as redacted.
    #[serde(default)]
    pub store_text: bool,
    /// What stands where something was redacted, if its rule says nothing else; at most 64 bytes.
    #[serde(default = "redacted")]
    pub replacement: String,
    /// Actions of categories, for rules that have none of their own.
    #[serde(default)]
    pub categories: BTreeMap<String, ModerationAction>,
    /// At least one. All are tried; the strongest action wins.
    pub rules: Vec<RuleSpec>,
}

/// One rule: it matches where any of its words, regexes or detectors does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// For the log. Unique in its policy.
    pub name: String,
    /// What the client and the log are told was found.
    pub category: String,
    /// What to do; the category's action, if absent.
    #[serde(default)]
    pub action: Option<ModerationAction>,
    /// On which side of the call.
    #[serde(default = "both")]
    pub phases: Vec<ModerationPhase>,
    /// Words and phrases, in any case; at most 10,000.
    #[serde(default)]
    pub words: Vec<String>,
    /// Whether words match only where no letter or digit touches them.
    #[serde(default = "yes")]
    pub whole_word: bool,
    /// Regular expressions in the syntax of Rust's `regex` crate (linear time, no look-around); at most 100.
    #[serde(default)]
    pub regexes: Vec<String>,
    /// What no regular expression can tell.
    #[serde(default)]
    pub detect: Vec<Detector>,
    /// What stands where this rule redacted; the policy's, if absent.
    #[serde(default)]
    pub replacement: Option<String>,
}

/// What no regular expression can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Numbers of payment cards: 13 to 19 digits, in groups or not, whose check digit is right (ISO/IEC 7812).
    PaymentCard,
}

fn redacted() -> String {
    "[REDACTED]".to_owned()
}

fn both() -> Vec<ModerationPhase> {
    vec![ModerationPhase::Input, ModerationPhase::Output]
}

const fn yes() -> bool {
    true
}
