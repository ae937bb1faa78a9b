//! One model's price: rates by kind of token, tiers by prompt length, and what they come to.

use super::rate::Rate;
use crate::money::NanoUsd;
use crate::usage::Usage;

/// Units of 10⁻²⁴ USD in a nano-dollar.
const NANO: u128 = 1_000_000_000_000_000;

/// What a model costs. Read from an entry of LiteLLM's file: see [`super::Catalogue`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Price {
    pub(super) provider: Option<String>,
    pub(super) mode: Mode,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) base: Rates,
    /// By rising threshold.
    pub(super) tiers: Vec<Tier>,
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

/// Dollars a token, for each kind of token. Nothing is open: a kind without a price of its own has that of the
/// kind it is part of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rates {
    pub(super) input: Rate,
    pub(super) cached_input: Rate,
    pub(super) cache_creation: Rate,
    pub(super) cache_creation_1h: Rate,
    pub(super) audio_input: Rate,
    pub(super) output: Rate,
    pub(super) reasoning: Rate,
    pub(super) audio_output: Rate,
    pub(super) image_output: Rate,
}

/// Rates for all tokens of a request whose prompt is longer than a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tier {
    pub(super) above: u64,
    pub(super) rates: Rates,
}

// === impl Price ===

impl Price {
    /// What costs nothing.
    pub const ZERO: Self = Self {
        provider: None,
        mode: Mode::Other,
        max_output_tokens: None,
        base: Rates::ZERO,
        tiers: Vec::new(),
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

    /// What an exchange cost: exact, and rounded once, half up, to nano-dollars. The tier is that of the whole
    /// prompt, cached tokens included, and holds for all tokens, as providers bill.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let exact = self
            .rates(usage.input_tokens)
            .cost(usage)
            .saturating_add(self.per_request.0);
        nanos(exact.saturating_add(NANO / 2))
    }

    /// At least what an exchange can cost that has `input_tokens` of prompt and generates up to `max_output` tokens:
    /// each token at the dearest rate of its side, nothing from the cache. Since a count of the prompt may be
    /// an estimate, tiers count from a prompt an eighth longer on. Rounded up to nano-dollars.
    pub fn reserve(&self, input_tokens: u64, max_output: u64) -> NanoUsd {
        let longest = input_tokens.saturating_add(input_tokens / 8);
        let tiers = self.tiers.iter().filter(|tier| tier.above < longest);
        let dearest = std::iter::once(&self.base)
            .chain(tiers.map(|tier| &tier.rates))
            .map(|rates| rates.at_most(input_tokens, max_output))
            .max()
            .unwrap_or(0);
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

    fn rates(&self, input_tokens: u64) -> &Rates {
        let tier = self.tiers.iter().rev().find(|tier| input_tokens > tier.above);
        tier.map_or(&self.base, |tier| &tier.rates)
    }
}

// === impl Rates ===

impl Rates {
    pub(super) const ZERO: Self = Self {
        input: Rate::ZERO,
        cached_input: Rate::ZERO,
        cache_creation: Rate::ZERO,
        cache_creation_1h: Rate::ZERO,
        audio_input: Rate::ZERO,
        output: Rate::ZERO,
        reasoning: Rate::ZERO,
        audio_output: Rate::ZERO,
        image_output: Rate::ZERO,
    };

    /// The exact cost, in units of 10⁻²⁴ USD. Each token has one price, but for those that were both written to
    /// the cache and read from it. What subsets take is no longer there for the next.
    fn cost(&self, usage: &Usage) -> u128 {
        let created_1h = usage
            .apart
            .cache_creation_1h_tokens
            .min(usage.cache_creation_input_tokens);
        let created = usage.cache_creation_input_tokens - created_1h;
        let mut input = usage
            .input_tokens
            .saturating_sub(usage.cached_input_tokens)
            .saturating_sub(usage.cache_creation_input_tokens);
        let mut output = usage.output_tokens;
        let audio_input = taken_from(&mut input, usage.apart.audio_input_tokens);
        let reasoning = taken_from(&mut output, usage.reasoning_output_tokens);
        let audio_output = taken_from(&mut output, usage.apart.audio_output_tokens);
        let image_output = taken_from(&mut output, usage.apart.image_output_tokens);
        let kinds = [
            (&self.input, input),
            (&self.cached_input, usage.cached_input_tokens),
            (&self.cache_creation, created),
            (&self.cache_creation_1h, created_1h),
            (&self.audio_input, audio_input),
            (&self.output, output),
            (&self.reasoning, reasoning),
            (&self.audio_output, audio_output),
            (&self.image_output, image_output),
        ];
        // A request has tokens of two or three kinds, and the VM no numbers of 128 bits.
        let used = kinds.iter().filter(|(_, tokens)| *tokens > 0);
        used.fold(0, |cost: u128, (rate, tokens)| {
            cost.saturating_add(rate.times(*tokens))
        })
    }

    fn at_most(&self, input_tokens: u64, output_tokens: u64) -> u128 {
        let input = self
            .input
            .max(self.cached_input)
            .max(self.cache_creation)
            .max(self.cache_creation_1h)
            .max(self.audio_input);
        let output = self
            .output
            .max(self.reasoning)
            .max(self.audio_output)
            .max(self.image_output);
        input
            .times(input_tokens)
            .saturating_add(output.times(output_tokens))
    }
}

fn taken_from(rest: &mut u64, part: u64) -> u64 {
    let taken = part.min(*rest);
    *rest -= taken;
    taken
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
