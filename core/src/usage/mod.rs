//! What an exchange used, as the provider reported it or, marked, as Tollgate estimated it.

mod anthropic;
mod count;
pub(crate) mod facts;
mod gemini;
pub(crate) mod json;
mod openai;
pub(crate) mod reader;
mod reported;
pub(crate) mod run;
mod seen;
pub(crate) mod sse;
pub(crate) mod tree;
mod withhold;

use serde::{Deserialize, Serialize};

pub use self::reader::{Coding, End, Outcome, Reader};
pub use self::seen::{BYTES_PER_TOKEN, Seen, estimate};
pub use self::withhold::{Passed, Withhold};

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

// === impl UsageStatus ===

impl UsageStatus {
    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}

// === impl Usage ===

impl Usage {
    /// Input and output together.
    pub const fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The same counts, with each subset at most as large as its whole. Two subsets may overlap: a prompt can be
    /// written to the cache and read from it (OpenRouter reports so for Gemini).
    fn with_subsets_bounded(self) -> Self {
        let cache_creation_input_tokens = self.cache_creation_input_tokens.min(self.input_tokens);
        Self {
            cached_input_tokens: self.cached_input_tokens.min(self.input_tokens),
            cache_creation_input_tokens,
            reasoning_output_tokens: self.reasoning_output_tokens.min(self.output_tokens),
            apart: PricedApart {
                cache_creation_1h_tokens: self
                    .apart
                    .cache_creation_1h_tokens
                    .min(cache_creation_input_tokens),
                audio_input_tokens: self.apart.audio_input_tokens.min(self.input_tokens),
                audio_output_tokens: self.apart.audio_output_tokens.min(self.output_tokens),
                image_output_tokens: self.apart.image_output_tokens.min(self.output_tokens),
            },
            ..self
        }
    }
}

#[cfg(test)]
mod provider_tests;
#[cfg(test)]
pub(crate) mod recordings_tests;
