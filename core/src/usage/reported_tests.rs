use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::*;
use crate::usage::count::part;

/// The plain way: as serde reads it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Plain<'a> {
    prompt_tokens: Count,
    input_tokens: Count,
    completion_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Count,
    /// Moonshot, Together.
    cached_tokens: Count,
    /// Mistral.
    num_cached_tokens: Count,
    /// Anthropic's names, beside OpenAI's: LiteLLM and others that translate.
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    /// Some hosts put it beside the others.
    reasoning_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainInput {
    cached_tokens: Count,
    /// OpenRouter.
    cache_write_tokens: Count,
    /// LiteLLM.
    cache_creation_tokens: Count,
    audio_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainOutput {
    reasoning_tokens: Count,
    audio_tokens: Count,
}

fn plainly(json: &[u8]) -> Option<Reported> {
    let plain: Plain<'_> = serde_json::from_slice(json).ok()?;
    let input: PlainInput = part(plain.prompt_tokens_details.or(plain.input_tokens_details));
    let output: PlainOutput = part(plain.completion_tokens_details.or(plain.output_tokens_details));
    Some(Reported {
        prompt_tokens: plain.prompt_tokens,
        input_tokens: plain.input_tokens,
        completion_tokens: plain.completion_tokens,
        output_tokens: plain.output_tokens,
        total_tokens: plain.total_tokens,
        prompt_cache_hit_tokens: plain.prompt_cache_hit_tokens,
        cached_tokens: plain.cached_tokens,
        num_cached_tokens: plain.num_cached_tokens,
        cache_read_input_tokens: plain.cache_read_input_tokens,
        cache_creation_input_tokens: plain.cache_creation_input_tokens,
        reasoning_tokens: plain.reasoning_tokens,
        input_details: InputDetails {
            cached_tokens: input.cached_tokens,
            cache_write_tokens: input.cache_write_tokens,
            cache_creation_tokens: input.cache_creation_tokens,
            audio_tokens: input.audio_tokens,
        },
        output_details: OutputDetails {
            reasoning_tokens: output.reasoning_tokens,
            audio_tokens: output.audio_tokens,
        },
    })
}

fn any_count() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0_u64..10_000).prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-9_i32..99).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        1 => prop::sample::select(vec![json!(null), json!(true), json!("7"), json!([1]), json!({"a": {"b": 1}})]),
    ]
}

fn any_object(names: Vec<&'static str>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(names), any_count()), 0..12).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    })
}

fn any_usage() -> impl Strategy<Value = Map<String, Value>> {
    let details = any_object(vec![
        "cached_tokens",
        "cache_write_tokens",
        "cache_creation_tokens",
        "audio_tokens",
        "reasoning_tokens",
        "x",
    ]);
    let named = prop::collection::vec((prop::sample::select(NAMES[11..].to_vec()), details), 0..4);
    (any_object(NAMES.to_vec()), named).prop_map(|(mut usage, details)| {
        // Where serde wants a struct it takes an array of its fields too.
        usage.retain(|name, value| !(name.ends_with("_details") && value.is_array()));
        usage.extend(
            details
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into())),
        );
        usage
    })
}

proptest! {
    #[test]
    fn usage_is_read_as_serde_reads_it(usage in any_usage(), pretty in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let json = if pretty { serde_json::to_vec_pretty(&usage) } else { serde_json::to_vec(&usage) }.unwrap();
        prop_assert_eq!(Reported::read(&json), plainly(&json));
        prop_assert_eq!(Reported::read_any(&json), plainly(&json));
        let cut = &json[..cut.index(json.len())];
        prop_assert_eq!(Reported::read(cut), plainly(cut));
    }
}

#[test]
fn what_most_hosts_write_is_read_in_one_pass() {
    for (json, is_plain) in [
        (
            r#"{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#,
            true,
        ),
        (
            r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
"completion_tokens_details":{"reasoning_tokens":2,"accepted_prediction_tokens":0},"input_tokens_details":null}"#,
            true,
        ),
        ("{}", true),
        (r#"{"prompt_tokens": 9}"#, false),
        (r#"{"prompt_tokens":09}"#, false),
        (r#"{"prompt_tokens":9.5}"#, false),
        (r#"{"prompt_tokens":}"#, false),
        (r#"{"prompt_tokens":9,}"#, false),
        (r#"{"prompt_tokens":9}}"#, false),
        (r#"{"prompt_tokens":9,"prompt_tokens":null}"#, false),
        (r#"{"prompt\u005ftokens":9}"#, false),
        (r#"{"prompt_tokens":9,"prompt_tokens_details":[]}"#, false),
        (r#"{"prompt_tokens":9,"cost":{"usd":"0.1"}}"#, false),
        (r#"{"prompt_tokens":9999999999999999}"#, false),
    ] {
        let json = json.replace('\n', "");
        assert_eq!(
            Reported::read_plain(json.as_bytes()).is_some(),
            is_plain,
            "{json}"
        );
        assert_eq!(
            Reported::read(json.as_bytes()),
            Reported::read_any(json.as_bytes()),
            "{json}"
        );
    }
}

#[test]
fn a_name_that_is_written_with_escapes_is_that_name() {
    for json in [
        r#"{"prompt\u005ftokens":9,"completion_tokens":2}"#,
        r#" { "prompt_tokens" : 9, "\u0063ompletion_tokens" : 2, "x\n": [{"a": "}"}] }"#,
        r#"{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached\u005ftokens":4}}"#,
    ] {
        let read = Reported::read(json.as_bytes()).unwrap();
        assert_eq!(
            (read.prompt_tokens, read.completion_tokens),
            (Count(Some(9)), Count(Some(2))),
            "{json}"
        );
        assert_eq!(Some(read), plainly(json.as_bytes()), "{json}");
    }
    let twice = r#"{"prompt\u005ftokens":9,"prompt_tokens":9}"#;
    assert_eq!(Reported::read(twice.as_bytes()), None);
}

#[test]
fn what_is_said_twice_or_is_no_object_is_nothing() {
    for json in [
        r#"{"prompt_tokens":1,"prompt_tokens":2}"#,
        r#"{"prompt_tokens_details":{},"prompt_tokens":1,"prompt_tokens_details":{}}"#,
        "null",
        "7",
        "{\"prompt_tokens\":1}x",
    ] {
        assert_eq!(
            (Reported::read(json.as_bytes()), plainly(json.as_bytes())),
            (None, None),
            "{json}"
        );
    }
}
