//! OpenAI's usage object, in all the spellings met. Chat completions, completions and embeddings say `prompt` and
//! `completion`, Responses say `input` and `output`.

use super::count::Count;
use crate::dialect;

/// The counts of a usage object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reported {
    pub(super) prompt_tokens: Count,
    pub(super) input_tokens: Count,
    pub(super) completion_tokens: Count,
    pub(super) output_tokens: Count,
    pub(super) total_tokens: Count,
    /// DeepSeek.
    pub(super) prompt_cache_hit_tokens: Count,
    /// Moonshot, Together.
    pub(super) cached_tokens: Count,
    /// Mistral.
    pub(super) num_cached_tokens: Count,
    /// Anthropic's names, beside OpenAI's: LiteLLM and others that translate.
    pub(super) cache_read_input_tokens: Count,
    pub(super) cache_creation_input_tokens: Count,
    /// Some hosts put it beside the others.
    pub(super) reasoning_tokens: Count,
    pub(super) input_details: InputDetails,
    pub(super) output_details: OutputDetails,
}

/// `prompt_tokens_details` or `input_tokens_details`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct InputDetails {
    pub(super) cached_tokens: Count,
    /// OpenRouter.
    pub(super) cache_write_tokens: Count,
    /// LiteLLM.
    pub(super) cache_creation_tokens: Count,
    pub(super) audio_tokens: Count,
}

/// `completion_tokens_details` or `output_tokens_details`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct OutputDetails {
    pub(super) reasoning_tokens: Count,
    pub(super) audio_tokens: Count,
}

/// What is looked for in a usage object: counts, and the two objects with details, each under two names.
const NAMES: [&str; 15] = [
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "num_cached_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_tokens",
    "prompt_tokens_details",
    "input_tokens_details",
    "completion_tokens_details",
    "output_tokens_details",
];

// === impl Reported ===

impl Reported {
    /// Reads a usage object; `None` where it is none, or says something twice.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let fields = fields(std::str::from_utf8(json).ok()?, &NAMES)?;
        let [.., prompt, input, completion, output] = fields.map(|raw| raw.filter(|json| *json != "null"));
        let [
            prompt_tokens,
            input_tokens,
            completion_tokens,
            output_tokens,
            total_tokens,
            prompt_cache_hit_tokens,
            cached_tokens,
            num_cached_tokens,
            cache_read_input_tokens,
            cache_creation_input_tokens,
            reasoning_tokens,
            ..,
        ] = fields;
        Some(Self {
            prompt_tokens: Count::of(prompt_tokens),
            input_tokens: Count::of(input_tokens),
            completion_tokens: Count::of(completion_tokens),
            output_tokens: Count::of(output_tokens),
            total_tokens: Count::of(total_tokens),
            prompt_cache_hit_tokens: Count::of(prompt_cache_hit_tokens),
            cached_tokens: Count::of(cached_tokens),
            num_cached_tokens: Count::of(num_cached_tokens),
            cache_read_input_tokens: Count::of(cache_read_input_tokens),
            cache_creation_input_tokens: Count::of(cache_creation_input_tokens),
            reasoning_tokens: Count::of(reasoning_tokens),
            input_details: prompt.or(input).map(InputDetails::read).unwrap_or_default(),
            output_details: completion.or(output).map(OutputDetails::read).unwrap_or_default(),
        })
    }
}

// === impl InputDetails ===

impl InputDetails {
    /// Details of another shape say nothing: what the rest says still counts.
    fn read(json: &str) -> Self {
        let names = [
            "cached_tokens",
            "cache_write_tokens",
            "cache_creation_tokens",
            "audio_tokens",
        ];
        let counts = fields(json, &names).unwrap_or([None; 4]);
        let [
            cached_tokens,
            cache_write_tokens,
            cache_creation_tokens,
            audio_tokens,
        ] = counts.map(Count::of);
        Self {
            cached_tokens,
            cache_write_tokens,
            cache_creation_tokens,
            audio_tokens,
        }
    }
}

// === impl OutputDetails ===

impl OutputDetails {
    fn read(json: &str) -> Self {
        let counts = fields(json, &["reasoning_tokens", "audio_tokens"]).unwrap_or([None; 2]);
        let [reasoning_tokens, audio_tokens] = counts.map(Count::of);
        Self {
            reasoning_tokens,
            audio_tokens,
        }
    }
}

/// The values of the `names` in an object, as raw JSON; `None` where it is no object, or has one of them twice.
fn fields<'a, const N: usize>(json: &'a str, names: &[&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut slots = [None; N];
    let mut is_clear = true;
    dialect::object(json, |key, value| {
        let known = names.iter().position(|name| *name == key);
        if let Some(slot) = known.and_then(|at| slots.get_mut(at)) {
            is_clear &= slot.replace(value).is_none();
        }
    })?;
    is_clear.then_some(slots)
}

#[cfg(test)]
#[path = "reported_tests.rs"]
mod tests;
