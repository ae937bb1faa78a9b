//! OpenAI's usage object, in all the spellings met. Chat completions, completions and embeddings say `prompt` and
//! `completion`, Responses say `input` and `output`.

use serde::de::IgnoredAny;

use super::count::Count;
use crate::dialect;
use crate::words::len_until;

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

/// How many of [`NAMES`] are those of counts.
const COUNTS: usize = 11;

/// What is looked for in a usage object: counts, and the two objects with details, each under two names.
const NAMES: [&str; COUNTS + 4] = [
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

const INPUT_NAMES: [&str; 4] = [
    "cached_tokens",
    "cache_write_tokens",
    "cache_creation_tokens",
    "audio_tokens",
];

const OUTPUT_NAMES: [&str; 2] = ["reasoning_tokens", "audio_tokens"];

/// So many digits are no sane count, and fit a number.
const MAX_DIGITS: usize = 15;

/// The rest of a usage object that is written as nearly all are: without white space, with plain names, and with counts
/// that are digits or null. It is read in one pass.
struct Plain<'a>(&'a [u8]);

/// The values of some names, as they come up.
struct Slots<'n, 'a, const N: usize> {
    names: &'n [&'n str; N],
    values: [Option<&'a str>; N],
    /// Whether none has come twice.
    is_clear: bool,
}

// === impl Reported ===

impl Reported {
    /// Reads a usage object; `None` where it is none, or says something twice.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        Self::read_plain(json).or_else(|| Self::read_any(json))
    }

    /// Reads one that is [`Plain`]; `None` where it is not, or not even a usage object.
    fn read_plain(json: &[u8]) -> Option<Self> {
        let mut plain = Plain(json);
        let mut counts = [Count::default(); COUNTS];
        let (mut prompt, mut input, mut completion, mut output) = (None, None, None, None);
        plain.object(&NAMES, |plain, at| {
            match at.and_then(|at| at.checked_sub(COUNTS)) {
                None => plain.count(at, &mut counts)?,
                Some(0) => prompt = plain.details(&INPUT_NAMES)?,
                Some(1) => input = plain.details(&INPUT_NAMES)?,
                Some(2) => completion = plain.details(&OUTPUT_NAMES)?,
                Some(_) => output = plain.details(&OUTPUT_NAMES)?,
            }
            Some(())
        })?;
        let is_all = plain.0.is_empty();
        is_all.then(|| Self::of(counts, prompt.or(input), completion.or(output)))
    }

    /// Reads one however it is written.
    fn read_any(json: &[u8]) -> Option<Self> {
        let fields = fields(std::str::from_utf8(json).ok()?, &NAMES)?;
        let [.., prompt, input, completion, output] = fields.map(|raw| raw.filter(|json| *json != "null"));
        // Details of another shape say nothing: what the rest says still counts.
        Some(Self::of(
            fields.first_chunk::<COUNTS>()?.map(Count::of),
            prompt.or(input).and_then(|json| details(json, &INPUT_NAMES)),
            completion
                .or(output)
                .and_then(|json| details(json, &OUTPUT_NAMES)),
        ))
    }

    /// Counts and details in the order of their names.
    fn of(
        counts: [Count; COUNTS],
        input: Option<[Count; INPUT_NAMES.len()]>,
        output: Option<[Count; OUTPUT_NAMES.len()]>,
    ) -> Self {
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
        ] = counts;
        Self {
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
            input_details: input.map(InputDetails::of).unwrap_or_default(),
            output_details: output.map(OutputDetails::of).unwrap_or_default(),
        }
    }
}

// === impl InputDetails ===

impl InputDetails {
    const fn of(counts: [Count; INPUT_NAMES.len()]) -> Self {
        let [
            cached_tokens,
            cache_write_tokens,
            cache_creation_tokens,
            audio_tokens,
        ] = counts;
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
    const fn of(counts: [Count; OUTPUT_NAMES.len()]) -> Self {
        let [reasoning_tokens, audio_tokens] = counts;
        Self {
            reasoning_tokens,
            audio_tokens,
        }
    }
}

// === impl Plain ===

impl Plain<'_> {
    /// Passes an object. `pass_value` passes each value, of which it is told which of the `names` it has. `None` where
    /// one of these comes twice, or this is not plain.
    fn object<const N: usize>(
        &mut self,
        names: &[&str; N],
        mut pass_value: impl FnMut(&mut Self, Option<usize>) -> Option<()>,
    ) -> Option<()> {
        self.pass(b"{")?;
        if self.pass(b"}").is_some() {
            return Some(());
        }
        let mut seen = 0_u32;
        loop {
            let at = self.name(names)?;
            let bit = at.map_or(0, |at| 1 << at);
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            pass_value(self, at)?;
            if self.pass(b",").is_none() {
                return self.pass(b"}");
            }
        }
    }

    /// Passes a name and its colon, and says which of the `names` it is, if any.
    fn name<const N: usize>(&mut self, names: &[&str; N]) -> Option<Option<usize>> {
        self.pass(b"\"")?;
        let (name, rest) = self.0.split_at_checked(len_until(self.0, b'"')?)?;
        self.0 = rest;
        self.pass(b"\":")?;
        let at = names.iter().position(|known| known.as_bytes() == name);
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        (at.is_some() || name.iter().all(is_word)).then_some(at)
    }

    /// Passes an object of counts, or null.
    fn details<const N: usize>(&mut self, names: &[&str; N]) -> Option<Option<[Count; N]>> {
        if self.pass(b"null").is_some() {
            return Some(None);
        }
        let mut counts = [Count::default(); N];
        self.object(names, |plain, at| plain.count(at, &mut counts))?;
        Some(Some(counts))
    }

    /// Passes a count, and notes it where it has a name.
    fn count(&mut self, at: Option<usize>, counts: &mut [Count]) -> Option<()> {
        let count = match self.pass(b"null") {
            Some(()) => Count::default(),
            None => self.digits()?.into(),
        };
        if let Some(slot) = at.and_then(|at| counts.get_mut(at)) {
            *slot = count;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<u64> {
        let len = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(len)?;
        let is_number = *digits.first()? != b'0' || len == 1;
        if !is_number || len > MAX_DIGITS {
            return None;
        }
        self.0 = rest;
        let value = |digit: &u8| u64::from(digit - b'0');
        Some(digits.iter().fold(0, |number, digit| number * 10 + value(digit)))
    }

    /// Passes what stands next.
    fn pass(&mut self, next: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(next)?;
        Some(())
    }
}

// === impl Slots ===

impl<'n, 'a, const N: usize> Slots<'n, 'a, N> {
    const fn of(names: &'n [&'n str; N]) -> Self {
        Self {
            names,
            values: [None; N],
            is_clear: true,
        }
    }

    fn see(&mut self, key: &str, value: &'a str) {
        let known = self.names.iter().position(|name| *name == key);
        if let Some(slot) = known.and_then(|at| self.values.get_mut(at)) {
            self.is_clear &= slot.replace(value).is_none();
        }
    }
}

/// The counts of an object with details; `None` where they have another shape.
fn details<const N: usize>(json: &str, names: &[&str; N]) -> Option<[Count; N]> {
    Some(fields(json, names)?.map(Count::of))
}

/// The values of the `names` in an object, as raw JSON; `None` where it is no object, or has one of them twice.
fn fields<'a, const N: usize>(json: &'a str, names: &[&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut slots = Slots::of(names);
    if dialect::object(json, |key, value| slots.see(key, value)).is_none() {
        // No name is written with escapes by anybody we know of, but one may be: then serde_json has to say.
        serde_json::from_str::<IgnoredAny>(json).ok()?;
        let object = json.trim_start();
        object.strip_prefix('{')?;
        slots = Slots::of(names);
        for (key, value) in dialect::fields_of(object) {
            slots.see(&dialect::key_text(key), value);
        }
    }
    slots.is_clear.then_some(slots.values)
}

#[cfg(test)]
#[path = "reported_tests.rs"]
mod tests;
