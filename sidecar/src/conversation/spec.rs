//! What is kept of conversations, as it is written.

use serde::Deserialize;

/// Keeps what is said in exchanges. Which ones is in the filter's configuration, under the same name: without either of
/// the two nothing is kept. See [conversations](conversations.md).
///
/// ```yaml
/// conversations:
///   retention_days: 30
///   redact: [pii]
/// moderation:
///   policies:
///     pii:
///       rules:
///         - {name: payment_card, category: pii, action: redact, detect: [payment_card]}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConversationsSpec {
    /// After so many days a text is deleted; 1 to 3,650.
    pub retention_days: u32,
    /// Policies of `moderation`, by name. What any of their rules with the action `redact` or `block` finds is replaced
    /// before a text is kept, whichever side of the call the rule is for.
    #[serde(default)]
    pub redact: Vec<String>,
}
