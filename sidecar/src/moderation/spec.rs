//! Moderation policies as they are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_core::wire::{ModerationAction, ModerationPhase};

/// `moderation:` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModerationSpec {
    /// Policies by name; keys and gateways choose one by it.
    pub policies: BTreeMap<String, PolicySpec>,
    /// The policy of a workspace's keys that name none themselves: workspace → policy.
    pub workspaces: BTreeMap<String, String>,
}

/// One policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Whether the first 1,000 characters of a text are kept with its verdict; default no.
    #[serde(default)]
    pub store_text: bool,
    /// What stands where something was redacted, if its rule says nothing else; default `[REDACTED]`.
    #[serde(default)]
    pub replacement: Option<String>,
    /// Actions of categories, for rules that have none of their own.
    #[serde(default)]
    pub categories: BTreeMap<String, ModerationAction>,
    /// At least one. All are tried; the strongest action wins.
    pub rules: Vec<RuleSpec>,
}

/// One rule: it matches where any of its words, regexes or detectors does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// For the log. Unique in its policy.
    pub name: String,
    /// What the client and the log are told was found.
    pub category: String,
    /// What to do; default the category's action.
    #[serde(default)]
    pub action: Option<ModerationAction>,
    /// On which side of the call; default both.
    #[serde(default)]
    pub phases: Option<Vec<ModerationPhase>>,
    /// Words and phrases, in any case.
    #[serde(default)]
    pub words: Vec<String>,
    /// Whether words match only where no letter or digit touches them; default yes.
    #[serde(default)]
    pub whole_word: Option<bool>,
    /// Regular expressions in the syntax of the `regex` crate, which runs in linear time.
    #[serde(default)]
    pub regexes: Vec<String>,
    /// What no regular expression can tell.
    #[serde(default)]
    pub detect: Vec<Detector>,
    /// What stands where this rule redacted.
    #[serde(default)]
    pub replacement: Option<String>,
}

/// What no regular expression can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Numbers of payment cards: 13 to 19 digits, in groups or not, whose check digit is right (ISO/IEC 7812).
    PaymentCard,
}
