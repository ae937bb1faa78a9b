//! Anthropic's messages: where things are in an answer, and what its usage objects mean.
//!
//! A stream reports twice: `message_start` has the input, `message_delta` the final, cumulative counts
//! (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>). `input_tokens` is what the prompt cache
//! neither served nor took; the three together are the prompt.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{Count, part};
use super::tree::{Node, Slot};
use super::{PricedApart, Usage};
use crate::service_tier::ServiceTier;

/// A message, or an event of its stream.
pub(super) static MESSAGE: Node = Node::object(&[
    ("type", &Node::whole(Slot::Kind)),
    ("delta", &DELTA),
    ("usage", &USAGE),
    ("message", &Node::object(&[("usage", &USAGE), ("model", &MODEL)])),
    ("content", &Node::array(&BLOCK)),
    ("model", &MODEL),
    ("error", &Node::whole(Slot::Error)),
]);

static USAGE: Node = Node::whole(Slot::Usage);
static MODEL: Node = Node::whole(Slot::Model);

static COUNTED: Node = Node::counted();

static DELTA: Node = Node::object(&[
    ("text", &COUNTED),
    ("thinking", &COUNTED),
    ("partial_json", &COUNTED),
    ("stop_reason", &Node::whole(Slot::Finish)),
]);

static BLOCK: Node = Node::object(&[("text", &COUNTED), ("thinking", &COUNTED), ("input", &COUNTED)]);

/// What the usage objects of one answer have said so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    plain_input: u64,
    cache_read: u64,
    cache_creation: u64,
    cache_creation_1h: u64,
    output: u64,
    thinking: u64,
    compaction: Option<Compaction>,
    service_tier: Option<ServiceTier>,
}

/// What compacting the context took, besides the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Compaction {
    plain_input: u64,
    cache_read: u64,
    cache_creation: u64,
    cache_creation_1h: u64,
    output: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reported<'a> {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens: Count,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    iterations: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

/// One sampling step of an answer: the message itself, or a compaction before it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Iteration<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens: Count,
    #[serde(borrow)]
    cache_creation: Option<&'a RawValue>,
}

// === impl Tally ===

impl Tally {
    /// Adds what one usage object says; `false` where it says nothing.
    pub(super) fn merge(&mut self, json: &[u8]) -> bool {
        let Ok(reported) = serde_json::from_slice::<Reported<'_>>(json) else {
            return false;
        };
        let creation: CacheCreation = part(reported.cache_creation);
        let details: OutputDetails = part(reported.output_tokens_details);
        let input = [
            reported.input_tokens,
            reported.cache_read_input_tokens,
            reported.cache_creation_input_tokens,
        ];
        // Some compatible hosts repeat the input as zeros at the end: that is no correction.
        let has_input = input.iter().any(|count| count.or_zero() > 0);
        if has_input {
            self.plain_input = reported.input_tokens.0.unwrap_or(self.plain_input);
            self.cache_read = reported.cache_read_input_tokens.0.unwrap_or(self.cache_read);
            self.cache_creation = reported
                .cache_creation_input_tokens
                .0
                .unwrap_or(self.cache_creation);
            self.cache_creation_1h = creation
                .ephemeral_1h_input_tokens
                .0
                .unwrap_or(self.cache_creation_1h);
        }
        // Cumulative.
        self.output = self.output.max(reported.output_tokens.or_zero());
        self.thinking = self.thinking.max(details.thinking_tokens.or_zero());
        if let Some(compaction) = compaction(reported.iterations) {
            self.compaction = Some(compaction);
        }
        let told = reported.service_tier;
        // The start tells it, the end need not.
        self.service_tier = told
            .and_then(|raw| ServiceTier::told(raw.get().as_bytes()))
            .or(self.service_tier);
        has_input || reported.output_tokens.or_zero() > 0
    }

    /// The service tier, where it was told.
    pub(super) const fn service_tier(&self) -> Option<ServiceTier> {
        self.service_tier
    }

    /// The counts, inclusive.
    pub(super) fn usage(&self) -> Usage {
        let extra = self.compaction.unwrap_or_default();
        let cached = self.cache_read + extra.cache_read;
        let created = self.cache_creation + extra.cache_creation;
        Usage {
            input_tokens: self.plain_input + extra.plain_input + cached + created,
            output_tokens: self.output + extra.output,
            cached_input_tokens: cached,
            cache_creation_input_tokens: created,
            reasoning_output_tokens: self.thinking,
            apart: PricedApart {
                cache_creation_1h_tokens: self.cache_creation_1h + extra.cache_creation_1h,
                ..PricedApart::default()
            },
            ..Usage::default()
        }
        .with_subsets_bounded()
    }
}

/// Whether an event of this type is the stream's last.
pub(super) fn is_last(kind: &str) -> bool {
    kind == "message_stop"
}

/// What the steps besides the message itself took. The top-level counts leave them out, and they are billed
/// (<https://docs.anthropic.com/en/docs/build-with-claude/compaction>, "Understanding usage").
fn compaction(iterations: Option<&RawValue>) -> Option<Compaction> {
    let steps: Vec<Iteration<'_>> = part(iterations);
    steps
        .iter()
        .filter(|step| step.kind == "compaction")
        .map(|step| Compaction {
            plain_input: step.input_tokens.or_zero(),
            cache_read: step.cache_read_input_tokens.or_zero(),
            cache_creation: step.cache_creation_input_tokens.or_zero(),
            cache_creation_1h: part::<CacheCreation>(step.cache_creation)
                .ephemeral_1h_input_tokens
                .or_zero(),
            output: step.output_tokens.or_zero(),
        })
        .reduce(|sum, step| Compaction {
            plain_input: sum.plain_input + step.plain_input,
            cache_read: sum.cache_read + step.cache_read,
            cache_creation: sum.cache_creation + step.cache_creation,
            cache_creation_1h: sum.cache_creation_1h + step.cache_creation_1h,
            output: sum.output + step.output,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(parts: &[&str]) -> Usage {
        let mut tally = Tally::default();
        for part in parts {
            assert!(tally.merge(part.as_bytes()), "{part}");
        }
        tally.usage()
    }

    #[test]
    fn input_includes_what_the_cache_served_and_took() {
        let usage = tally(&[
            r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":1000,
               "cache_creation":{"ephemeral_1h_input_tokens":400},"output_tokens":7}"#,
        ]);
        assert_eq!((usage.input_tokens, usage.output_tokens), (1110, 7));
        assert_eq!(
            (usage.cached_input_tokens, usage.cache_creation_input_tokens),
            (100, 1000)
        );
        assert_eq!(usage.apart.cache_creation_1h_tokens, 400);
    }

    #[test]
    fn the_delta_corrects_the_start() {
        let usage = tally(&[
            r#"{"input_tokens":2293,"output_tokens":1}"#,
            r#"{"input_tokens":4714,"output_tokens":304,"output_tokens_details":{"thinking_tokens":20}}"#,
        ]);
        assert_eq!((usage.input_tokens, usage.output_tokens), (4714, 304));
        assert_eq!(usage.reasoning_output_tokens, 20);
    }

    #[test]
    fn a_delta_without_input_keeps_the_start() {
        for delta in [
            r#"{"output_tokens":9}"#,
            r#"{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}"#,
            r#"{"input_tokens":null,"output_tokens":9}"#,
        ] {
            let usage = tally(&[
                r#"{"input_tokens":5,"cache_read_input_tokens":6,"output_tokens":1}"#,
                delta,
            ]);
            assert_eq!((usage.input_tokens, usage.output_tokens), (11, 9), "{delta}");
        }
    }

    #[test]
    fn compaction_is_part_of_the_answer() {
        let usage = tally(&[r#"{"input_tokens":229,"output_tokens":5,"iterations":[
               {"type":"compaction","input_tokens":100,"cache_creation_input_tokens":55096,"output_tokens":131},
               {"type":"message","input_tokens":229,"output_tokens":5}]}"#]);
        assert_eq!(
            (usage.input_tokens, usage.output_tokens),
            (229 + 100 + 55_096, 136)
        );
        assert_eq!(usage.cache_creation_input_tokens, 55_096);
    }
}
