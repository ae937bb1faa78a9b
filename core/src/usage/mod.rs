//! What an exchange used, as the provider reported it or, marked, as Tollgate estimated it.

use serde::{Deserialize, Serialize};

/// Token counts of one exchange.
///
/// Follows Envoy's `envoy.data.ai.v3.TokenUsage`: input and output are inclusive, the other three are subsets
/// of them, whatever the provider's own habit (Anthropic reports input without what the cache served).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// All generated tokens, reasoning included.
    pub output_tokens: u64,
    /// The part of the input that the provider read from its prompt cache.
    pub cached_input_tokens: u64,
    /// The part of the input that the provider wrote to its prompt cache.
    pub cache_creation_input_tokens: u64,
    /// The part of the output that was reasoning.
    pub reasoning_output_tokens: u64,
    /// How far the counts can be trusted.
    #[serde(rename = "usage_status")]
    pub status: UsageStatus,
}

/// How far a [`Usage`] can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageStatus {
    /// Reported by the provider, and final.
    Complete,
    /// Reported by the provider before the answer ended; the rest was estimated from what was seen.
    Partial,
    /// Counted by Tollgate: the provider reported nothing.
    Estimated,
    /// Nothing was used: refused, or failed at the provider.
    #[default]
    None,
}
