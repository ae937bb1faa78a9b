//! Bodies that nobody means well with: none panics, none takes the stack.

use proptest::prelude::*;
use serde_json::json;

use super::{Endpoint, classify, parse};

const CHAT: &str = "/v1/chat/completions";

const PATHS: [&str; 8] = [
    CHAT,
    "/v1/responses",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1beta/models/a:generateContent",
    "/v1beta/models/a:countTokens",
];

fn endpoint(path: &str) -> Endpoint<'_> {
    classify(b"POST", path.as_bytes()).unwrap()
}

fn exercise(body: &[u8]) {
    for path in PATHS {
        let Ok(request) = parse(&endpoint(path), body) else {
            continue;
        };
        for text in request.texts() {
            let raw = request.body().get(text.span).unwrap();
            assert!(raw.starts_with('"') && raw.ends_with('"'), "{raw}");
        }
        assert!(
            request
                .replace_model("x")
                .is_none_or(|edit| edit.span.end <= body.len())
        );
    }
}

/// JSON made of the words that the readers know, in places where they belong and where they do not.
fn wordy() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "model",
        "messages",
        "input",
        "contents",
        "parts",
        "role",
        "content",
        "type",
        "text",
        "tool_use",
        "tools",
        "tool_result",
        "stream",
        "stream_options",
        "max_tokens",
        "generationConfig",
        "maxOutputTokens",
        "user",
        "document",
        "source",
        "functionCall",
        "args",
        "image_url",
        "thinking",
        "function_call",
        "output",
        "prompt",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

#[test]
fn deep_nesting_costs_no_stack() {
    let depth = 200_000;
    let deep = [&"[".repeat(depth), "\"x\"", &"]".repeat(depth)].concat();
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"new","deep":{deep}}}]}}],"y":{deep}}}"#
    );
    assert_eq!(
        parse(&endpoint(CHAT), body.as_bytes()).unwrap().texts().count(),
        1
    );
    let result = r#"{"type":"tool_result","content":["#;
    let nested = [&result.repeat(1000), "", &"]}".repeat(1000)].concat();
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{nested}]}}]}}"#);
    parse(&endpoint("/v1/messages"), body.as_bytes()).unwrap();
}

proptest! {
    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>()) {
        exercise(&body);
    }

    #[test]
    fn no_text_panics(body in "[\\[\\]{}\":,a-z\\\\0-9 ]{0,64}") {
        exercise(body.as_bytes());
    }

    #[test]
    fn no_json_panics(body in wordy()) {
        exercise(body.to_string().as_bytes());
    }

    #[test]
    fn no_cut_or_changed_body_panics(cut in 0_usize..400, at in 0_usize..400, byte in any::<u8>()) {
        let mut body = json!({
            "model": "gpt-4o", "stream": true, "stream_options": {"include_usage": false}, "max_tokens": 10,
            "messages": [
                {"role": "system", "content": "be \"brief\" \u{e9}"},
                {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "tool_result", "content": "y"}]}],
            "input": ["a", [1, 2]], "contents": [{"parts": [{"text": "z"}, {"functionCall": {"args": {"a": "b"}}}]}],
        }).to_string().into_bytes();
        if let Some(place) = body.get_mut(at) { *place = byte; }
        body.truncate(cut);
        exercise(&body);
    }
}
