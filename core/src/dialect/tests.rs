use serde_json::json;

use super::*;

pub(super) const CHAT: &str = "/v1/chat/completions";

pub(super) fn endpoint(path: &str) -> Endpoint<'_> {
    classify(b"POST", path.as_bytes()).unwrap()
}

fn read<'a>(path: &'a str, body: &'a str) -> Request<'a> {
    parse(&endpoint(path), body.as_bytes()).unwrap_or_else(|invalid| panic!("{}: {invalid}", invalid.param))
}

/// The param that a refusal names.
pub(super) fn refused(path: &str, body: &str) -> String {
    match parse(&endpoint(path), body.as_bytes()) {
        Ok(_) => panic!("accepted: {body}"),
        Err(invalid) => invalid.param,
    }
}

fn texts(request: &Request<'_>) -> Vec<(Role, String)> {
    request
        .texts()
        .map(|text| (text.role, text.text.into_owned()))
        .collect()
}

fn owned(expected: &[(Role, &str)]) -> Vec<(Role, String)> {
    expected
        .iter()
        .map(|(role, text)| (*role, (*text).to_owned()))
        .collect()
}

#[test]
fn a_chat_is_read() {
    let body = json!({
        "model": "gpt-4o", "stream": true, "n": 2, "max_tokens": 10, "user": "u1",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "what is \"this\"?"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "f"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "ok"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    })
    .to_string();
    let request = read(CHAT, &body);
    assert_eq!(request.model.as_ref().unwrap().name, "gpt-4o");
    assert!(request.stream);
    assert_eq!((request.choices, request.output_caps().max()), (2, Some(10)));
    assert_eq!((request.messages.len(), request.tools.len()), (4, 1));
    assert_eq!(request.hints.user.as_deref(), Some("u1"));
    assert_eq!(
        texts(&request),
        owned(&[
            (Role::System, "be brief"),
            (Role::User, "what is \"this\"?"),
            (Role::Assistant, "{\"a\":1}"),
            (Role::Tool, "ok"),
        ])
    );
    let media: Vec<_> = request
        .media
        .iter()
        .map(|media| (media.kind, media.low_detail))
        .collect();
    assert_eq!(
        media,
        [
            (MediaKind::Image, true),
            (MediaKind::Audio, false),
            (MediaKind::File, false)
        ]
    );
}

#[test]
fn responses_are_read() {
    let body = json!({
        "model": "gpt-5", "instructions": "be brief", "max_output_tokens": 100, "background": true,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "file_id": "f"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thought"}], "encrypted_content": "x"},
            {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "sunny"},
            {"type": "future_thing", "note": "new", "id": "hidden"}],
    })
    .to_string();
    let request = read("/v1/responses", &body);
    assert_eq!(
        texts(&request),
        owned(&[
            (Role::System, "be brief"),
            (Role::User, "hi"),
            (Role::Assistant, "thought"),
            (Role::Assistant, "{}"),
            (Role::Tool, "sunny"),
            (Role::Other, "new"),
        ])
    );
    assert_eq!((request.messages.len(), request.media.len()), (5, 1));
    assert!(request.background && !request.hidden_context);
    assert_eq!(request.output_caps().max(), Some(100));
}

#[test]
fn a_response_may_go_on_from_what_the_provider_keeps() {
    let request = read(
        "/v1/responses",
        r#"{"model":"m","previous_response_id":"resp_1"}"#,
    );
    assert!(request.hidden_context);
}

#[test]
fn anthropic_messages_are_read() {
    let body = json!({
        "model": "claude", "max_tokens": 5, "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [{"type": "text", "text": "sys", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "doc"}},
                {"type": "image", "source": {"type": "url", "url": "https://x"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hmm", "signature": "xx"},
                {"type": "tool_use", "id": "i", "name": "f", "input": {"city": "Paris", "n": [1, "two"]}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "i", "content": [{"type": "text", "text": "rain"}]}]}],
    })
    .to_string();
    let request = read("/v1/messages", &body);
    assert_eq!(
        texts(&request),
        owned(&[
            (Role::System, "sys"),
            (Role::User, "hi"),
            (Role::User, "doc"),
            (Role::User, "t"),
            (Role::Assistant, "hmm"),
            (Role::Assistant, "Paris"),
            (Role::Assistant, "two"),
            (Role::Tool, "rain"),
        ])
    );
    assert_eq!(request.hints.metadata_user_id.as_deref(), Some("u"));
    assert_eq!(request.thinking_budget, Some(1024));
    assert_eq!(request.media.len(), 1);
}

#[test]
fn gemini_is_read_in_both_spellings_and_without_lists() {
    for body in [
        json!({
            "contents": [{"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]}],
            "systemInstruction": {"parts": [{"text": "sys"}]},
            "generationConfig": {"maxOutputTokens": 7, "candidateCount": 2},
            "tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}],
        }),
        json!({
            "contents": {"role": "user", "parts": [{"text": "hi"}, {"inline_data": {"mime_type": "image/png", "data": "AA"}}]},
            "system_instruction": {"parts": {"text": "sys"}},
            "generation_config": {"max_output_tokens": "7", "candidate_count": 2},
            "tools": {"function_declarations": [{"name": "a"}, {"name": "b"}]},
        }),
    ] {
        let body = body.to_string();
        let request = read(
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            &body,
        );
        assert_eq!(request.model.as_ref().unwrap().name, "gemini-2.5-flash");
        assert!(request.stream);
        assert_eq!(
            texts(&request),
            owned(&[(Role::System, "sys"), (Role::User, "hi")])
        );
        assert_eq!((request.output_caps().max(), request.choices), (Some(7), 2));
        assert_eq!((request.tools.len(), request.media.len()), (2, 1));
        assert_eq!(request.media[0].kind, MediaKind::Image);
    }
}

#[test]
fn embeddings_take_texts_and_token_numbers() {
    for (input, count, tokens) in [
        (json!("a"), 1, 0),
        (json!(["a", "b"]), 2, 0),
        (json!([1, 2, 3]), 0, 3),
        (json!([[1, 2], [3]]), 0, 3),
    ] {
        let body = json!({"model": "m", "input": input}).to_string();
        let request = read("/v1/embeddings", &body);
        assert_eq!(
            (request.texts().count(), request.token_ids),
            (count, tokens),
            "{body}"
        );
    }
}

#[test]
fn legacy_completions_multiply_prompts_and_answers() {
    let body = json!({"model": "m", "prompt": ["a", "b"], "n": 2, "best_of": 3}).to_string();
    assert_eq!(read("/v1/completions", &body).choices, 6);
}

#[test]
fn null_is_an_absent_optional_field() {
    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "x", "name": null, "tool_calls": null}],
        "stream": null, "n": null, "max_tokens": null, "tools": null, "stream_options": null, "user": null,
        "stop": null,
    })
    .to_string();
    let request = read(CHAT, &body);
    assert_eq!(
        (request.stream, request.choices, request.output_caps().max()),
        (false, 1, None)
    );
}

#[test]
fn what_only_some_provider_knows_passes() {
    let body = json!({
        "model": "m", "temprature": 3, "provider": {"only": ["x"]}, "models": ["backup"],
        "messages": [
            {"role": "critic", "content": [{"type": "hologram", "caption": "seen"}, "plain"]},
            {"role": "user", "content": {"type": "text", "text": "single"}}],
    })
    .to_string();
    let request = read(CHAT, &body);
    assert_eq!(request.fallback_models, ["backup"]);
    assert_eq!(
        texts(&request),
        owned(&[
            (Role::Other, "seen"),
            (Role::Other, "plain"),
            (Role::User, "single")
        ])
    );
}

#[test]
fn a_service_tier_is_read_and_what_is_none_is_left_to_the_provider() {
    use crate::service_tier::ServiceTier;
    const CHAT_FIELDS: &str = r#""messages":[{"role":"user","content":"Hi"}]"#;
    for (path, field, rest) in [
        (CHAT, "service_tier", CHAT_FIELDS),
        ("/v1/responses", "service_tier", r#""input":"Hi""#),
        ("/v1/completions", "service_tier", r#""prompt":"Hi""#),
        ("/v1/messages", "service_tier", CHAT_FIELDS),
        (
            "/v1beta/models/gemini-3-pro:generateContent",
            "service_tier",
            r#""contents":{"parts":{"text":"Hi"}}"#,
        ),
        (
            "/v1beta/models/gemini-3-pro:generateContent",
            "serviceTier",
            r#""contents":{"parts":{"text":"Hi"}}"#,
        ),
    ] {
        for (value, tier) in [
            (r#""priority""#, Some(ServiceTier::Priority)),
            (r#""fle\u0078""#, Some(ServiceTier::Flex)),
            (r#""someday""#, Some(ServiceTier::Other)),
            ("[2]", Some(ServiceTier::Other)),
            ("null", None),
        ] {
            let body = format!(r#"{{"model":"m","max_tokens":1,{rest},"{field}":{value}}}"#);
            assert_eq!(read(path, &body).service_tier, tier, "{path}: {body}");
        }
        let twice = format!(r#"{{"model":"m","{field}":"flex",{rest},"{field}":"priority"}}"#);
        assert!(refused(path, &twice).starts_with("service"), "{path}");
    }
    let plain = format!(r#"{{"model":"m",{CHAT_FIELDS}}}"#);
    assert_eq!(read(CHAT, &plain).service_tier, None);
}

#[test]
fn a_text_with_a_lone_surrogate_passes() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"cut \ud83d"}]}"#;
    assert!(texts(&read(CHAT, body))[0].1.starts_with("cut "));
}

#[test]
fn spans_are_the_strings_in_the_body() {
    let body = r#" { "model" : "m\u0031" , "messages":[ {"role":"user","content" : "a\"b" } ] } "#;
    let request = read(CHAT, body);
    let span = |range: std::ops::Range<usize>| body.get(range).unwrap();
    let model = request.model.clone().unwrap();
    assert_eq!(
        (model.name.as_ref(), span(model.span.unwrap())),
        ("m1", r#""m\u0031""#)
    );
    let spans: Vec<_> = request.texts().map(|text| span(text.span)).collect();
    assert_eq!(spans, [r#""a\"b""#]);
}

#[test]
fn a_parameter_is_found_by_its_dotted_name() {
    let body =
        json!({"model": "m", "input": "x", "reasoning": {"effort": "high", "summary": null}}).to_string();
    let request = read("/v1/responses", &body);
    let parameter = |dotted: &str| request.parameter(dotted).unwrap();
    assert_eq!(parameter("reasoning.effort"), Some("\"high\""));
    assert_eq!(parameter("reasoning.summary"), None);
    assert_eq!(parameter("model.effort"), None);
    assert_eq!(parameter("temperature"), None);
}

#[test]
fn a_parameter_that_is_given_twice_is_no_answer() {
    for twice in [r#""seed":1,"seed":2"#, r#""x":{"seed":1,"Seed":2}"#] {
        let body = format!(r#"{{"model":"m","input":"i",{twice}}}"#);
        let request = read("/v1/responses", &body);
        let dotted = if twice.starts_with("\"x") {
            "x.seed"
        } else {
            "seed"
        };
        assert_eq!(request.parameter(dotted).unwrap_err().param, dotted);
    }
}

#[test]
fn counting_tokens_is_read_but_not_capped() {
    let body = json!({"model": "claude", "messages": [{"role": "user", "content": "x"}]}).to_string();
    let request = read("/v1/messages/count_tokens", &body);
    assert_eq!(request.texts().count(), 1);
    assert!(request.output_caps().param().is_none());
    let nested =
        json!({"generateContentRequest": {"model": "models/a", "contents": [{"parts": [{"text": "x"}]}]}});
    let body = nested.to_string();
    assert_eq!(read("/v1beta/models/a:countTokens", &body).texts().count(), 1);
}
