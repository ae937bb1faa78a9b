//! OpenAI's formats, and those of the many hosts that speak them: where things are in an answer, and what its
//! usage object means.

use super::count::Count;
use super::reported::Reported;
use super::tree::{Node, Slot, Take};
use super::{PricedApart, Usage};

/// A chat completion, a chunk of one, a legacy completion or embeddings.
pub(super) static COMPLETION: Node = Node::object(&[
    ("choices", &Node::array(&CHOICE)),
    ("usage", &USAGE),
    ("model", &MODEL),
    ("service_tier", &TIER),
    ("error", &ERROR),
    // Groq: in streams the usage is here.
    ("x_groq", &Node::object(&[("usage", &USAGE), ("error", &ERROR)])),
]);

/// A Responses object, or an event of its stream, which has one inside.
pub(super) static RESPONSE: Node = Node::object(&[
    ("type", &Node::whole(Slot::Kind)),
    ("delta", &TEXT),
    (
        "response",
        &Node::object(&[
            ("usage", &USAGE),
            ("model", &MODEL),
            ("service_tier", &TIER),
            ("error", &ERROR),
        ]),
    ),
    ("usage", &USAGE),
    ("model", &MODEL),
    ("service_tier", &TIER),
    ("error", &ERROR),
    ("output", &Node::array(&OUTPUT_ITEM)),
]);

static USAGE: Node = Node::whole(Slot::Usage);
static MODEL: Node = Node::whole(Slot::Model);
static TIER: Node = Node::whole(Slot::ServiceTier);
static ERROR: Node = Node::whole(Slot::Error);

/// A string of generated text; a list of parts (Mistral) counts the text in them.
static TEXT: Node = Node {
    take: Take::Count,
    keys: &[],
    items: Some(&TEXT_PART),
    unit: None,
};

static TEXT_PART: Node = Node::object(&[("text", &COUNTED), ("thinking", &COUNTED), ("refusal", &COUNTED)]);

static COUNTED: Node = Node::counted();

static CHOICE: Node = Node::object(&[
    ("delta", &MESSAGE),
    ("message", &MESSAGE),
    ("text", &COUNTED),
    ("finish_reason", &Node::whole(Slot::Finish)),
]);

static MESSAGE: Node = Node::object(&[
    ("content", &TEXT),
    (
        "tool_calls",
        &Node::array(&Node::object(&[("function", &FUNCTION)])),
    ),
    // DeepSeek and others; OpenRouter and Groq.
    ("reasoning_content", &COUNTED),
    ("reasoning", &COUNTED),
    ("refusal", &COUNTED),
    ("function_call", &FUNCTION),
]);

static FUNCTION: Node = Node::object(&[("arguments", &COUNTED), ("name", &COUNTED)]);

static OUTPUT_ITEM: Node = Node::object(&[
    ("content", &Node::array(&TEXT_PART)),
    ("summary", &Node::array(&TEXT_PART)),
    ("arguments", &COUNTED),
    ("name", &COUNTED),
    ("input", &COUNTED),
    ("code", &COUNTED),
]);

/// The events of a Responses stream that end it.
pub(super) fn is_last(kind: &str) -> bool {
    matches!(
        kind,
        "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled"
    )
}

/// The events of a Responses stream whose `delta` is not text but base64.
pub(super) fn is_binary(kind: &str) -> bool {
    matches!(kind, "response.audio.delta" | "response.output_audio.delta")
}

/// Reads a usage object; `None` where it reports nothing.
pub(super) fn usage(json: &[u8]) -> Option<Usage> {
    let reported = Reported::read(json)?;
    let (in_details, out_details) = (reported.input_details, reported.output_details);
    let input_tokens = reported.prompt_tokens.or(reported.input_tokens).or_zero();
    let completion = reported.completion_tokens.or(reported.output_tokens).or_zero();
    let reasoning = out_details
        .reasoning_tokens
        .or(reported.reasoning_tokens)
        .or_zero();
    let outside = reasoning_outside(input_tokens, completion, reasoning, reported.total_tokens);
    let output_tokens = completion + outside;
    let has_completion = reported.completion_tokens.or(reported.output_tokens).0.is_some();
    if input_tokens == 0 && output_tokens == 0 {
        return None;
    }
    let cached = in_details
        .cached_tokens
        .or_more(reported.prompt_cache_hit_tokens)
        .or_more(reported.cached_tokens)
        .or_more(reported.num_cached_tokens)
        .or_more(reported.cache_read_input_tokens)
        .or_zero();
    let cache_creation = in_details
        .cache_write_tokens
        .or_more(in_details.cache_creation_tokens)
        .or_more(reported.cache_creation_input_tokens)
        .or_zero();
    Some(
        Usage {
            input_tokens,
            output_tokens,
            cached_input_tokens: cached,
            cache_creation_input_tokens: cache_creation,
            reasoning_output_tokens: if has_completion {
                reasoning.max(outside)
            } else {
                reasoning
            },
            apart: PricedApart {
                audio_input_tokens: in_details.audio_tokens.or_zero(),
                audio_output_tokens: out_details.audio_tokens.or_zero(),
                ..PricedApart::default()
            },
            ..Usage::default()
        }
        .with_subsets_bounded(),
    )
}

/// Reads the usage object of embeddings, which have input only; some hosts (Voyage) name nothing but the total.
pub(super) fn embeddings_usage(json: &[u8]) -> Option<Usage> {
    let reported = Reported::read(json)?;
    let input = reported.prompt_tokens.or(reported.input_tokens);
    let input_tokens = input.or_more(reported.total_tokens).or_zero();
    (input_tokens > 0).then(|| Usage {
        input_tokens,
        ..Usage::default()
    })
}

/// Reasoning tokens that `completion` does not include, to be told from the total.
///
/// xAI's total is prompt + completion + reasoning. Gemini's OpenAI endpoint does not name its thoughts, but has
/// them in the total, and bills them as output. Where reasoning is named and the total exceeds the sum by another
/// amount, the excess is something else, and is left alone. Where the completion is not named at all, all that the
/// total has above the prompt is one.
fn reasoning_outside(prompt: u64, completion: u64, reasoning: u64, total: Count) -> u64 {
    let excess = total.or_zero().saturating_sub(prompt + completion);
    if prompt > 0 && (reasoning == 0 || reasoning == excess) {
        return excess;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        usage(json.as_bytes())
    }

    #[test]
    fn details_are_subsets() {
        let found = read(
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
                "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":20,"audio_tokens":null},
                "completion_tokens_details":{"reasoning_tokens":30}}"#,
        )
        .unwrap();
        assert_eq!((found.input_tokens, found.output_tokens), (100, 50));
        assert_eq!(
            (found.cached_input_tokens, found.cache_creation_input_tokens),
            (60, 20)
        );
        assert_eq!(found.reasoning_output_tokens, 30);
    }

    #[test]
    fn every_spelling_of_cached_tokens_is_read() {
        for cached in [
            r#""prompt_tokens_details":{"cached_tokens":7}"#,
            r#""prompt_cache_hit_tokens":7"#,
            r#""cached_tokens":7"#,
            r#""num_cached_tokens":7"#,
            r#""input_tokens_details":{"cached_tokens":7}"#,
        ] {
            let found = read(&format!(
                r#"{{"prompt_tokens":9,"completion_tokens":1,{cached}}}"#
            ))
            .unwrap();
            assert_eq!(found.cached_input_tokens, 7, "{cached}");
        }
    }

    #[test]
    fn reasoning_outside_the_completion_is_output() {
        let xai = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,"completion_tokens_details":{"reasoning_tokens":30}}"#;
        let found = read(xai).unwrap();
        assert_eq!((found.output_tokens, found.reasoning_output_tokens), (35, 30));
    }

    #[test]
    fn reasoning_that_only_the_total_has_is_output() {
        let gemini = r#"{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}"#;
        let found = read(gemini).unwrap();
        assert_eq!((found.output_tokens, found.reasoning_output_tokens), (74, 62));
    }

    #[test]
    fn an_excess_that_is_not_the_reasoning_is_left_alone() {
        let odd = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":99,"completion_tokens_details":{"reasoning_tokens":3}}"#;
        assert_eq!(read(odd).unwrap().output_tokens, 5);
    }

    #[test]
    fn a_subset_is_never_larger_than_the_whole() {
        let found = read(r#"{"prompt_tokens":10,"completion_tokens":1,"cached_tokens":999}"#).unwrap();
        assert_eq!(found.cached_input_tokens, 10);
    }

    #[test]
    fn a_usage_that_says_nothing_is_none() {
        for json in [
            "{}",
            "null",
            r#"{"prompt_tokens":0,"completion_tokens":0}"#,
            "[]",
            r#"{"prompt_tokens":-4}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn odd_details_do_not_hide_the_counts() {
        let found =
            read(r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":"none"}"#).unwrap();
        assert_eq!(found.input_tokens, 10);
    }
}
