//! Rates by kind of token and by the length of the prompt, and what usage comes to at them.

use super::rate::Rate;
use crate::usage::Usage;

/// The rates of one service tier, by the length of the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ladder {
    pub(super) base: Rates,
    /// By rising threshold.
    pub(super) steps: Vec<Step>,
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
pub(super) struct Step {
    pub(super) above: u64,
    pub(super) rates: Rates,
}

// === impl Ladder ===

impl Ladder {
    pub(super) const ZERO: Self = Self {
        base: Rates::ZERO,
        steps: Vec::new(),
    };

    /// The exact cost of tokens, in units of 10⁻²⁴ USD. The step is that of the whole prompt, cached tokens included, and
    /// holds for all tokens, as providers bill.
    pub(super) fn cost(&self, usage: &Usage) -> u128 {
        let mut steps = self.steps.iter().rev();
        let step = steps.find(|step| usage.input_tokens > step.above);
        step.map_or(&self.base, |step| &step.rates).cost(usage)
    }

    /// At least what so many tokens can cost, in units of 10⁻²⁴ USD: each at the dearest rate of its side, nothing from
    /// the cache. Since a count of the prompt may be an estimate, steps count from a prompt an eighth longer on.
    pub(super) fn at_most(&self, input_tokens: u64, output_tokens: u64) -> u128 {
        let longest = input_tokens.saturating_add(input_tokens / 8);
        let steps = self.steps.iter().filter(|step| step.above < longest);
        std::iter::once(&self.base)
            .chain(steps.map(|step| &step.rates))
            .map(|rates| rates.at_most(input_tokens, output_tokens))
            .max()
            .unwrap_or(0)
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
