//! Validation rules as they are written in the configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Rules for requests. What is left out is not checked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RulesSpec {
    /// The most messages (input items in Responses, contents in Gemini).
    pub max_messages: Option<usize>,
    /// The most characters (Unicode scalar values) of the text in one message; of each text outside of messages.
    pub max_message_characters: Option<usize>,
    /// The most characters of all texts of the prompt together, instructions and tool results included.
    pub max_prompt_characters: Option<usize>,
    /// The most tokens of the prompt, as Tollgate counts them.
    pub max_prompt_tokens: Option<u64>,
    /// The most tool definitions.
    pub max_tools: Option<usize>,
    /// The roles that messages may have, as the dialect spells them (Gemini says `model`). Instructions outside of
    /// messages have the role `system`. Items of Responses that have no role are not concerned.
    pub allowed_roles: Option<Vec<String>>,
    /// Parameters that must not be given, by their dotted names: `logit_bias`, `generationConfig.topK`. `null` is not
    /// given.
    pub forbidden_parameters: Vec<String>,
    /// Ranges of numbers, by the dotted names of their parameters.
    pub parameters: BTreeMap<String, RangeSpec>,
    /// Whether the client must cap the output (`max_tokens`, whatever the dialect calls it).
    pub require_max_tokens: bool,
    /// The largest cap on the output, in tokens. A request without a cap gets this one.
    pub max_output_tokens: Option<u64>,
    /// What becomes of a request with a larger cap.
    pub over_max_output_tokens: OverLimit,
    /// Changes to the prompt's texts.
    pub sanitize: SanitizeSpec,
}

/// The range of a parameter: a number is its maximum.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a number, or {min, max}")]
pub enum RangeSpec {
    /// At most this.
    Max(f64),
    /// From `min` to `max`, both included.
    Range(BoundsSpec),
}

/// A lower and an upper bound, at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BoundsSpec {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
}

/// What becomes of a request whose output cap is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// The cap is lowered to the limit.
    #[default]
    Clamp,
    /// The request is refused.
    Refuse,
}

/// Changes to the prompt's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SanitizeSpec {
    /// Takes out U+0000, everywhere in the prompt.
    pub strip_nul: bool,
    /// Takes white space off both ends of texts that users and tools wrote.
    pub trim: bool,
    /// What becomes of HTML in texts that users and tools wrote.
    pub html: Html,
}

/// What becomes of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum Html {
    /// It stays.
    #[default]
    Keep,
    /// `&`, `<` and `>` become entities.
    Escape,
    /// Tags, comments, scripts and styles are taken out.
    Strip,
}
