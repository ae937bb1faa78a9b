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
    /// Parts of the counts that have a price of their own at some providers. Only for the price: not in events.
    #[serde(skip)]
    pub apart: PricedApart,
}

/// Parts of a [`Usage`]'s counts, in tokens, that some providers price apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PricedApart {
    /// The part of the cache-creation tokens that is kept for an hour (Anthropic's `ephemeral_1h_input_tokens`).
    pub cache_creation_1h_tokens: u64,
    /// The part of the input that was audio.
    pub audio_input_tokens: u64,
    /// The part of the output that is audio.
    pub audio_output_tokens: u64,
    /// The part of the output that is images (Gemini).
    pub image_output_tokens: u64,
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
