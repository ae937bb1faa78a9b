//! One model's price: rates by service tier, kind of token and length of the prompt, and what they come to.

use std::sync::Arc;

use super::rate::Rate;
use super::rates::Ladder;
use crate::money::NanoUsd;
use crate::service_tier::{PricedTier, ServiceTier};
use crate::usage::Usage;

/// Units of 10⁻²⁴ USD in a nano-dollar.
const NANO: u128 = 1_000_000_000_000_000;

/// What a model costs. Read from an entry of LiteLLM's file: see [`super::Catalogue`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Price {
    pub(super) provider: Option<String>,
    pub(super) mode: Mode,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) standard: Ladder,
    /// The rates of service tiers that have their own. A price is copied for each request, and few ask for these.
    pub(super) tiers: Option<Arc<[(PricedTier, Ladder)]>>,
    pub(super) per_request: Rate,
    pub(super) units: Vec<(Unit, Rate)>,
    /// Whether tokens or requests have a price, even if it is zero.
    pub(super) metered: bool,
}

/// What a model is for: LiteLLM's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Chat completions, messages, generateContent.
    Chat,
    /// Legacy completions.
    Completion,
    /// Responses only.
    Responses,
    /// Embeddings.
    Embedding,
    /// Anything else.
    #[default]
    #[serde(other)]
    Other,
}

/// What is priced by the piece, beside tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `input_cost_per_image`
    InputImage,
    /// `output_cost_per_image`
    OutputImage,
    /// `input_cost_per_second`
    InputSecond,
    /// `output_cost_per_second`
    OutputSecond,
    /// `input_cost_per_character`
    InputCharacter,
    /// `output_cost_per_character`
    OutputCharacter,
    /// `input_cost_per_query`
    Query,
}

// === impl Price ===

impl Price {
    /// What costs nothing.
    pub const ZERO: Self = Self {
        provider: None,
        mode: Mode::Other,
        max_output_tokens: None,
        standard: Ladder::ZERO,
        tiers: None,
        per_request: Rate::ZERO,
        units: Vec::new(),
        metered: true,
    };

    /// LiteLLM's name of the provider (`openai`, `anthropic`, `gemini`, …).
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// What the model is for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The most tokens that the model generates in one answer, where known.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.max_output_tokens
    }

    /// What an exchange cost at the rates of a service tier: exact, and rounded once, half up, to nano-dollars.
    pub fn cost(&self, usage: &Usage, tier: Option<PricedTier>) -> NanoUsd {
        let exact = self.ladder(tier).cost(usage).saturating_add(self.per_request.0);
        nanos(exact.saturating_add(NANO / 2))
    }

    /// At least what an exchange can cost that has `input_tokens` of prompt, generates up to `max_output` tokens and asks
    /// for a service tier: whichever is dearer, that tier or the standard one, by which the provider may serve it all the
    /// same. Rounded up to nano-dollars.
    pub fn reserve(&self, input_tokens: u64, max_output: u64, asked: Option<ServiceTier>) -> NanoUsd {
        let mut dearest = self.standard.at_most(input_tokens, max_output);
        if let Some(asked) = asked {
            let tiers = self.tiers.iter().flat_map(|tiers| tiers.iter());
            for (_, ladder) in tiers.filter(|(tier, _)| asked.may_cost(*tier)) {
                dearest = dearest.max(ladder.at_most(input_tokens, max_output));
            }
        }
        nanos(
            dearest
                .saturating_add(self.per_request.0)
                .saturating_add(NANO - 1),
        )
    }

    /// What so many pieces cost, rounded half up; `None` where they have no price.
    pub fn unit_cost(&self, unit: Unit, count: u64) -> Option<NanoUsd> {
        let (_, rate) = self.units.iter().find(|(priced, _)| *priced == unit)?;
        Some(nanos(rate.times(count).saturating_add(NANO / 2)))
    }

    /// The rates of a service tier; the standard ones where it has none of its own.
    fn ladder(&self, tier: Option<PricedTier>) -> &Ladder {
        let own = tier.zip(self.tiers.as_deref()).and_then(|(tier, tiers)| {
            let found = tiers.iter().find(|(known, _)| *known == tier);
            found.map(|(_, ladder)| ladder)
        });
        own.unwrap_or(&self.standard)
    }
}

/// Whole nano-dollars in units of 10⁻²⁴ USD.
fn nanos(units: u128) -> NanoUsd {
    // 10¹⁵ is 5¹⁵ · 2¹⁵, and what is less than half a dollar or so fits 64 bits without the twos: the VM has no division
    // of 128 bits.
    const TWOS: u32 = NANO.trailing_zeros();
    const ODD: u64 = (NANO >> TWOS) as u64;
    let whole = match u64::try_from(units >> TWOS) {
        Ok(narrow) => narrow / ODD,
        Err(_) => u64::try_from(units / NANO).unwrap_or(u64::MAX),
    };
    NanoUsd(whole)
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "tier_tests.rs"]
mod tier_tests;
