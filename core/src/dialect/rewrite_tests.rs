use proptest::prelude::*;
use serde_json::{Value, json};

use super::is_reasoning_model;
use crate::dialect::{Request, classify, parse};
use crate::edit::{Edit, apply};

const CHAT: &str = "/v1/chat/completions";
const GEMINI: &str = "/v1beta/models/a:generateContent";

fn edited(path: &str, body: &str, edits: impl Fn(&Request<'_>) -> Vec<Edit>) -> String {
    let endpoint = classify(b"POST", path.as_bytes()).unwrap();
    let request = parse(&endpoint, body.as_bytes()).unwrap();
    let after = apply(body.as_bytes(), &mut edits(&request));
    parse(&endpoint, &after).unwrap();
    String::from_utf8(after).unwrap()
}

/// The edits that cap the output.
fn capped(request: &Request<'_>, tokens: u64) -> Vec<Edit> {
    let mut caps = request.output_caps();
    caps.set(tokens);
    caps.edits().collect()
}

/// The edits that lower the output cap.
fn clamped(request: &Request<'_>, tokens: u64) -> Vec<Edit> {
    let mut caps = request.output_caps();
    assert_eq!(caps.clamp(tokens), caps.are_changed());
    caps.edits().collect()
}

fn value(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[test]
fn a_model_is_replaced_and_nothing_else() {
    let body = r#"{ "messages" : [], "model":"gpt-4o" , "x": 1.0e2}"#;
    let after = edited(CHAT, body, |request| {
        request.replace_model("a\"b").into_iter().collect()
    });
    assert_eq!(after, r#"{ "messages" : [], "model":"a\"b" , "x": 1.0e2}"#);
}

#[test]
fn a_model_in_the_path_is_not_looked_for_in_the_body() {
    let endpoint = classify(b"POST", GEMINI.as_bytes()).unwrap();
    let request = parse(&endpoint, br#"{"contents":[]}"#).unwrap();
    assert_eq!(request.replace_model("b"), None);
}

#[test]
fn include_usage_is_forced_from_every_state() {
    for (before, after) in [
        ("", r#""stream_options":{"include_usage":true},"#),
        (
            r#""stream_options":null,"#,
            r#""stream_options":{"include_usage":true},"#,
        ),
        (
            r#""stream_options":{ },"#,
            r#""stream_options":{"include_usage":true },"#,
        ),
        (
            r#""stream_options":{"include_usage":false},"#,
            r#""stream_options":{"include_usage":true},"#,
        ),
        (
            r#""stream_options":{"include_usage": null},"#,
            r#""stream_options":{"include_usage": true},"#,
        ),
        (
            r#""stream_options":{"include_obfuscation":false},"#,
            r#""stream_options":{"include_usage":true,"include_obfuscation":false},"#,
        ),
    ] {
        let body = |options: &str| format!(r#"{{{options}"model":"m","stream":true,"messages":[]}}"#);
        let forced = edited(CHAT, &body(before), |request| {
            request.force_include_usage().into_iter().collect()
        });
        assert_eq!(forced, body(after));
    }
}

#[test]
fn include_usage_stays_where_it_is_set_or_nothing_streams() {
    for body in [
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
        r#"{"model":"m","messages":[]}"#,
        r#"{"model":"m","stream":false,"stream_options":{"include_usage":false},"messages":[]}"#,
    ] {
        let forced = edited(CHAT, body, |request| {
            request.force_include_usage().into_iter().collect()
        });
        assert_eq!(forced, body);
    }
}

#[test]
fn an_output_cap_is_inserted_under_the_name_that_the_model_takes() {
    for (path, body, expected) in [
        (
            CHAT,
            r#"{"model":"gpt-4o","messages":[]}"#,
            r#"{"max_tokens":9,"model":"gpt-4o","messages":[]}"#,
        ),
        (
            CHAT,
            r#"{"model":"openai/o3-mini","messages":[]}"#,
            r#"{"max_completion_tokens":9,"model":"openai/o3-mini","messages":[]}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"m","input":""}"#,
            r#"{"max_output_tokens":9,"model":"m","input":""}"#,
        ),
        (
            "/v1/completions",
            r#" {"model":"m"}"#,
            r#" {"max_tokens":9,"model":"m"}"#,
        ),
        (
            "/v1/messages",
            r#"{"model":"m","messages":[]}"#,
            r#"{"max_tokens":9,"model":"m","messages":[]}"#,
        ),
        (
            GEMINI,
            r#"{"contents":[]}"#,
            r#"{"generationConfig":{"maxOutputTokens":9},"contents":[]}"#,
        ),
        (
            GEMINI,
            r#"{"contents":[],"generation_config": { }}"#,
            r#"{"contents":[],"generation_config": {"maxOutputTokens":9 }}"#,
        ),
        (
            GEMINI,
            r#"{"contents":[],"generationConfig":{"topP":1}}"#,
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":9,"topP":1}}"#,
        ),
        (
            GEMINI,
            r#"{"contents":[],"generationConfig":null}"#,
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":9}}"#,
        ),
        (
            "/v1/embeddings",
            r#"{"model":"m","input":""}"#,
            r#"{"model":"m","input":""}"#,
        ),
    ] {
        assert_eq!(edited(path, body, |request| capped(request, 9)), expected);
    }
}

#[test]
fn an_output_cap_is_lowered_in_every_field_and_never_raised() {
    for (caps, expected) in [
        (r#""max_tokens":100"#, r#""max_tokens":9"#),
        (r#""max_tokens":5"#, r#""max_tokens":5"#),
        (r#""max_tokens":null"#, r#""max_tokens":9"#),
        (
            r#""max_tokens":100,"max_completion_tokens":5"#,
            r#""max_tokens":9,"max_completion_tokens":5"#,
        ),
        (
            r#""max_tokens":null,"max_completion_tokens":50"#,
            r#""max_tokens":null,"max_completion_tokens":9"#,
        ),
        (
            r#""max_tokens":null,"max_completion_tokens":null"#,
            r#""max_tokens":9,"max_completion_tokens":null"#,
        ),
    ] {
        let body = |fields: &str| format!(r#"{{"model":"m",{fields},"messages":[]}}"#);
        let lowered = edited(CHAT, &body(caps), |request| clamped(request, 9));
        assert_eq!(lowered, body(expected));
    }
}

#[test]
fn insertions_into_one_body_get_along() {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    let after = edited(CHAT, body, |request| {
        let mut edits = capped(request, 3);
        edits.extend(request.force_include_usage());
        edits.extend(request.replace_model("n"));
        edits.extend(request.replace_text(0, "y"));
        edits
    });
    let expected = json!({
        "max_tokens": 3, "stream_options": {"include_usage": true}, "model": "n", "stream": true,
        "messages": [{"role": "user", "content": "y"}],
    });
    assert_eq!(value(&after), expected);
}

#[test]
fn reasoning_models_are_told_by_their_name() {
    for model in [
        "o1",
        "o3-mini",
        "o4-mini-2025-04-16",
        "gpt-5",
        "gpt-5.1-codex",
        "openai/gpt-5-mini",
        "gpt-6",
    ] {
        assert!(is_reasoning_model(model), "{model}");
    }
    for model in [
        "gpt-4o",
        "gpt-4.1",
        "gpt-35-turbo",
        "gpt-oss-120b",
        "openai/gpt-oss-20b",
        "olmo",
        "claude",
    ] {
        assert!(!is_reasoning_model(model), "{model}");
    }
}

/// Makes the same change in a document tree.
fn oracle(mut body: Value, model: &str, cap: u64, texts: &[String]) -> Value {
    body["model"] = json!(model);
    body["max_tokens"] = json!(cap);
    body["stream_options"]["include_usage"] = json!(true);
    for (message, text) in body["messages"].as_array_mut().unwrap().iter_mut().zip(texts) {
        message["content"] = json!(text);
    }
    body
}

proptest! {
    #[test]
    fn edits_change_what_they_name_and_nothing_else(
        model in ".{0,12}",
        cap in any::<u64>(),
        old_cap in prop::option::of(0_u64..1_000_000),
        options in prop::sample::select(vec![
            None, Some(json!(null)), Some(json!({})), Some(json!({"include_usage": false})),
            Some(json!({"include_usage": null, "x": 1})), Some(json!({"x": [1, "}"]})),
        ]),
        texts in prop::collection::vec((".{0,20}", ".{0,20}"), 0..5),
        extra in ".{0,20}",
        pretty in any::<bool>(),
    ) {
        let messages: Vec<_> = texts.iter().map(|(old, _)| json!({"role": "user", "content": format!("{old}.")})).collect();
        let mut body = json!({"model": "gpt-4o", "stream": true, "messages": messages, "extra": extra, "f": 1.5});
        if let Some(value) = old_cap { body["max_tokens"] = json!(value); }
        if let Some(value) = options { body["stream_options"] = value; }
        let json = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let replacements: Vec<String> = texts.into_iter().map(|(_, new)| new).collect();

        let after = edited(CHAT, &json, |request| {
            let mut edits = capped(request, cap);
            edits.extend(request.force_include_usage());
            edits.extend(request.replace_model(if model.is_empty() { "m" } else { &model }));
            edits.extend((0..replacements.len()).filter_map(|index| request.replace_text(index, &replacements[index])));
            edits
        });

        let expected_model = if model.is_empty() { "m" } else { &model };
        prop_assert_eq!(value(&after), oracle(body, expected_model, cap, &replacements));
    }
}
