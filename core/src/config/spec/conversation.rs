//! Whose conversations are kept.

use serde::Deserialize;

use crate::limit::MatchSpec;

/// Which exchanges' prompts and answers are kept by the sidecar, which must be told to as well (`conversations` in its
/// configuration): see [conversations](conversations.md). The first entry that matches applies.
///
/// ```yaml
/// conversations:
///   - match: {workspaces: [support], dialects: [chat_completions, messages]}
///     max_bytes: 32768
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConversationSpec {
    /// Which requests; all, if absent. Embeddings are never kept.
    #[serde(default, rename = "match")]
    pub selector: MatchSpec,
    /// How much of a prompt is kept, and how much of its answer, in bytes of text, 1,024 to 262,144. What is beyond is
    /// cut off and marked: the beginning of a prompt, the end of an answer.
    #[serde(default = "default_kept_bytes")]
    pub max_bytes: u32,
}

const fn default_kept_bytes() -> u32 {
    65_536
}
